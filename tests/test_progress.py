"""Progress: a bar in a terminal, one line in a log, and one line of a widget that has ended."""

import io
import sys

import nbformat
import pytest

from electrolyte_ml import progress
from electrolyte_ml.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_one_line(capsys):
    with progress_bar(total=4, desc="Fit", unit="it") as bar:
        for loss in (4, 3, 2, 1):
            bar.set_postfix_str(f"loss {loss}", refresh=False)
            bar.update()
    assert capsys.readouterr().err == "Fit: 4/4 it, loss 1, 00:00\n"


def test_unfinished_work_is_written_into_a_log_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.0)
    with progress_bar(total=2, desc="Fit", mininterval=0.0) as bar:
        bar.update()
        bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert "Fit: 1/2 it, 00:00 so far" in lines
    assert lines[-1] == "Fit: 2/2 it, 00:00"


def test_a_weighted_bar_says_what_is_done_in_its_postfix(capsys):
    with progress_bar(total=10.0, desc="labels", weighted=True, postfix="0/3") as bar:
        bar.set_postfix_str("2/3", refresh=False)
        bar.update(8.0)
    assert capsys.readouterr().err == "labels: 2/3, 00:00\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress_bar(range(3), desc="Fit"):
        pass
    assert "Fit: 100%|" in terminal.getvalue() and "3/3" in terminal.getvalue()


@pytest.mark.parametrize("options", [{"shown": False}, {"leave": False}])
def test_nothing_is_left_in_a_log_unless_asked(options, capsys):
    for _ in progress_bar(range(3), **options):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_in_a_notebook_the_widget_gives_way_to_a_line(tmp_path):
    pytest.importorskip("ipywidgets")
    from electrolyte_ml.paper.reproduce import execute

    code = (
        "from electrolyte_ml.progress import progress_bar\n"
        "for _ in progress_bar(range(3), desc='Fit'): pass\n"
        "for _ in progress_bar(range(3), desc='unseen', leave=False): pass\n"
        "for _ in progress_bar(range(3), desc='hidden', shown=False): pass"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / "00_progress.ipynb")
    notebook = execute(tmp_path / "00_progress.ipynb")
    assert notebook.failure is None
    outputs = notebook.document.cells[0].outputs
    assert [output.data for output in outputs] == [{"text/plain": "Fit: 3/3 it, 00:00"}, {"text/plain": ""}]
    assert all(output.metadata == progress.PROGRESS for output in outputs)
