"""The exercises of a notebook, as its last cell holds them."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

_FOLDED = re.compile(r"<details><summary>(.*?)</summary>\n\n(.*?)\n\n</details>", re.DOTALL)
_CODE = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """An exercise: its task, its folded parts by title, and the code of its solution."""

    task: str
    folded: dict[str, str]

    @property
    def is_open(self) -> bool:
        return self.task.startswith("*Open.*")

    @property
    def code(self) -> list[str]:
        return _CODE.findall(self.folded.get("Solution", ""))


def exercises(path: Path) -> list[Exercise]:
    """Return the exercises of a notebook, in their order."""
    _, _, text = nbformat.read(path, as_version=4).cells[-1].source.partition("## Exercises")
    parts = re.split(r"^\*\*\d\.\*\* ", text, flags=re.MULTILINE)[1:]
    return [Exercise(part.partition("\n\n<details>")[0], dict(_FOLDED.findall(part))) for part in parts]


def with_solutions(path: Path, folder: Path) -> Path:
    """Write a copy of a notebook that ends with the code of its solutions, and return its path."""
    document = nbformat.read(path, as_version=4)
    for exercise in exercises(path):
        document.cells += [nbformat.v4.new_code_cell(code) for code in exercise.code]
    nbformat.write(document, folder / path.name)
    return folder / path.name
