"""Notebooks agree with their text twins, are small, read like the template, and run from nothing."""

import html
import json
import re

import jupytext
import nbformat
import pytest

from electrolyte_ml.paper.claims import judge_shipped_claims
from electrolyte_ml.paper.notebooks import make_portable
from electrolyte_ml.paper.places import checkout
from electrolyte_ml.paper.reproduce import execute, find_notebooks
from tests.notebooks.exercises import exercises, with_solutions

FOLDER = checkout() / "notebooks"
TEXTS = FOLDER / "text"
PUBLISHED = [path for path in find_notebooks() if path.stem != "index"]
PATHS = rf"/home/|/Users/|/tmp/|/root/|{re.escape(str(FOLDER.parents[1]))}/"
ALL = sorted(FOLDER.glob("*.ipynb"))


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


@named(ALL)
def test_text_twin_is_in_sync(path):
    twin = jupytext.read(TEXTS / f"{path.stem}.py")
    notebook = nbformat.read(path, as_version=4)
    assert [(cell.cell_type, cell.source) for cell in twin.cells] == [
        (cell.cell_type, cell.source) for cell in notebook.cells
    ], "run make notebooks-sync"


def test_every_text_has_a_notebook():
    assert {path.stem for path in TEXTS.glob("*.py")} - {"_template"} == {path.stem for path in ALL}


def test_the_folder_shows_notebooks_alone():
    assert {path.name for path in FOLDER.iterdir() if path.suffix == ".py" or path.stem.startswith("_")} == set()


@named(ALL)
def test_is_stored_as_jupyterlab_saves_it(path):
    """Otherwise opening and saving it would change the file: kernels, times of cells, widgets, versions."""
    document = nbformat.read(path, as_version=4)
    make_portable(document)
    assert path.read_text() == nbformat.writes(document).rstrip("\n") + "\n", "run make notebooks-sync"


@named(ALL)
def test_is_small_and_free_of_errors(path):
    assert path.stat().st_size < 1_000_000
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert not re.search(PATHS, json.dumps(output)), "a path of one machine"
            assert len(json.dumps(output)) < 500_000


@named(PUBLISHED)
def test_opens_and_ends_as_the_course_does(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert "**You will learn**" in cells[0].source
    assert "**It rebuilds**" in cells[0].source
    assert "## Exercises" in cells[-1].source


@named(PUBLISHED)
def test_has_exercises_with_hints_and_solutions(path):
    found = exercises(path)
    assert 2 <= len(found) <= 3
    assert found[-1].is_open and not any(exercise.is_open for exercise in found[:-1])
    for exercise in found:
        assert list(exercise.folded) == ["Hint", "What to look for" if exercise.is_open else "Solution"]
        assert exercise.is_open or exercise.code
        for code in exercise.code:
            compile(code, path.stem, "exec")


@named(PUBLISHED)
def test_is_committed_with_its_outputs(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in code)


def test_stored_claims_are_those_of_the_results_that_ship():
    (table,) = (
        output.data["text/html"]
        for cell in nbformat.read(FOLDER / "90_claims.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    )
    shown = {
        judged.claim.label: ": ".join(filter(None, (judged.outcome.verdict, judged.outcome.ours)))
        for judged in judge_shipped_claims()
    }
    old = [label for label, text in shown.items() if f">{html.escape(text)}<" not in table]
    assert not old, "run notebook 90 and store it: its verdicts are of other results"


def test_index_comes_first_and_lists_every_notebook_once():
    """Each row of its last table: a link, what one learns and must know, the level, minutes, and place in the paper."""
    assert find_notebooks()[0].stem == "index"
    text = "\n".join(cell.source for cell in nbformat.read(FOLDER / "index.ipynb", as_version=4).cells)
    table = text.partition("## All notebooks")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| [")]
    assert [re.findall(r"\((\w+)\.ipynb\)", row[0]) for row in rows] == [[path.stem] for path in PUBLISHED]
    for row in rows:
        assert len(row) == 6 and all(row)
        assert set(row[3]) == {"★"} and float(row[4]) > 0
    for link in re.findall(r"\]\((.+?)\)", text):
        assert (FOLDER / link).is_file()


@pytest.fixture(scope="session")
def fresh_results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.mark.slow
@pytest.mark.notebooks
@named(PUBLISHED)
def test_runs_at_the_quick_scale_from_nothing(path, fresh_results, tmp_path, monkeypatch):
    """With the code of the solutions at its end."""
    monkeypatch.setenv("ELECTROLYTE_ML_SCALE", "quick")
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(fresh_results))
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert execute(with_solutions(path, tmp_path)).failure is None
