"""The form in which notebooks are stored: without what changes from run to run, or from machine to machine.

    python -m electrolyte_ml.paper.notebooks notebooks/*.ipynb

JupyterLab stores them in this form, too, where ``make lab`` has started it (``.jupyter/jupyter_server_config.py``):
saving a notebook in which nothing was changed leaves its file as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from electrolyte_ml.files import atomic_write

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}  # as JupyterLab writes it
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
_WIDGET = "application/vnd.jupyter.widget-view+json"


def make_portable(document: Any) -> None:
    """Remove from a notebook the state of widgets, the times of its cells, and the version of its Python.

    Of each widget the picture or the text that stands for it is kept: without its kernel it is an empty frame.

    Parameters
    ----------
    document : dict or nbformat.NotebookNode
        A notebook of nbformat 4; it is changed.
    """
    metadata = document["metadata"]
    metadata.pop("widgets", None)
    metadata["kernelspec"], metadata["language_info"] = dict(KERNEL), deepcopy(LANGUAGE)
    for cell in document["cells"]:
        cell["metadata"].pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_WIDGET, None)


def main(paths: Sequence[str]) -> None:
    """Store notebooks in this form; files that have it already are not touched."""
    import nbformat

    for path in map(Path, paths):
        before = path.read_text()
        document = nbformat.reads(before, as_version=4)
        make_portable(document)
        after = nbformat.writes(document).rstrip("\n") + "\n"
        if after != before:
            atomic_write(path, after)
            print(f"{path}: stored without times, widgets and versions")


if __name__ == "__main__":
    main(sys.argv[1:])
