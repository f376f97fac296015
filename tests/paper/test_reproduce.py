"""The runner: order, failures that stop nothing, a report that needs no network."""

import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError
from electrolyte_ml.executors import VARIABLE
from electrolyte_ml.paper import reproduce as module
from electrolyte_ml.paper.report import ExecutedNotebook
from electrolyte_ml.paper.reproduce import execute, find_notebooks, reproduce


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A source tree with three tiny notebooks, the second of which fails."""
    (tmp_path / "notebooks").mkdir()
    write(
        tmp_path / "notebooks" / "00_first.ipynb",
        "# First\n\n$$E = \\frac{1}{2} m v^2$$",
        "import os; print('one', os.environ.get('ELECTROLYTE_ML_SCALE'))",
    )
    write(tmp_path / "notebooks" / "01_second.ipynb", "# Second", "raise ValueError('no such thing')")
    plot = "import matplotlib.pyplot as plt; plt.plot([0, 1])"
    write(tmp_path / "notebooks" / "02_third.ipynb", "# Third", plot)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(module, "checkout", lambda: tmp_path)
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path / "results"))
    return tmp_path


def write(path, text, code):
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.mark.slow
def test_runs_all_says_the_failure_and_reports(course, capsys):
    result = reproduce("quick")
    printed = capsys.readouterr().out
    assert [notebook.name for notebook in result.notebooks] == ["00_first", "01_second", "02_third"]
    assert result.failed == ["01_second"]
    assert "ValueError: no such thing" in printed
    assert len(re.findall(r"^\[\d/3\]", printed, re.MULTILINE)) == 3
    assert printed.splitlines()[-1] == f"Report: {course / 'results' / 'quick' / 'report.html'}"
    page = result.report.read_text()
    assert "one quick" in page
    assert "data:image/png;base64" in page
    assert "<mfrac>" in page
    assert "no such thing" in page
    assert not re.search(r"(src|href)=\"https?:", page)
    assert (course / "results" / "quick" / "notebooks" / "02_third.ipynb").exists()


def test_an_executor_goes_to_the_notebooks_and_is_checked_first(course, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(module, "execute", lambda path, label: seen.append(os.environ.get(VARIABLE)) or RAN)
    RAN = ExecutedNotebook("00_first", nbformat.v4.new_notebook(), 0.0, None)
    reproduce("quick", "00", "dask")
    reproduce("quick", "00")
    assert seen == ["dask", "local"]
    with pytest.raises(InputError, match="there is no executor 'slrum'"):
        reproduce("quick", "00", "slrum")


@pytest.mark.slow
def test_command_exits_by_what_failed(course):
    assert main(["reproduce", "--only", "00"]) == 0
    assert main(["reproduce", "--only", "01"]) == 1


def test_only_chooses_by_number(course):
    assert [path.stem for path in find_notebooks("02")] == ["02_third"]


def test_notebook_file_is_left_as_it_is(course):
    path = course / "notebooks" / "00_first.ipynb"
    before = path.read_bytes()
    assert execute(path).failure is None
    assert path.read_bytes() == before


def test_a_notebook_that_fails_keeps_no_outputs_of_an_earlier_run(tmp_path):
    earlier = nbformat.v4.new_output("stream", text="what an earlier run said")
    codes = ["raise ValueError('no such thing')", "print('never reached')"]
    cells = [nbformat.v4.new_code_cell(code, outputs=[earlier], execution_count=7) for code in codes]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_failing.ipynb")
    notebook = execute(tmp_path / "00_failing.ipynb")
    assert "no such thing" in notebook.failure
    assert "earlier run" not in nbformat.writes(notebook.document)


def test_of_widgets_the_text_that_stands_for_them_is_kept(tmp_path):
    pytest.importorskip("ipywidgets")
    code = (
        "from ipywidgets import IntSlider\nfrom matplotlib.figure import Figure\n"
        "from electrolyte_ml.figures import sliders\nsliders(lambda x: Figure(), x=IntSlider())"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / "00_sliders.ipynb")
    notebook = execute(tmp_path / "00_sliders.ipynb")
    assert notebook.failure is None
    text = nbformat.writes(notebook.document)
    assert "Sliders: run this cell in JupyterLab" in text
    assert "widget-view" not in text and "widgets" not in notebook.document.metadata


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_its_kernel(course, number):
    """And not only the notebook that runs, with the next one beginning."""
    begun = course / "kernel"
    code = f"import os, pathlib, time; pathlib.Path({str(begun)!r}).write_text(str(os.getpid())); time.sleep(600)"
    write(course / "notebooks" / "00_first.ipynb", "# First", code)
    command = (
        "import pathlib, sys\n"
        "from electrolyte_ml.cli import main\n"
        "from electrolyte_ml.paper import reproduce as module\n"
        f"module.checkout = lambda: pathlib.Path({str(course)!r})\n"
        "sys.exit(main(['reproduce']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: begun.exists() and begun.read_text())
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "[1/3]" not in printed
    wait_for(lambda: not running(int(begun.read_text())))


def wait_for(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
