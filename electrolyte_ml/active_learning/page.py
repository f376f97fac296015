"""Status page of a run: the file ``status.html``, which shows completed and present stages and refreshes itself.

Its content is read from the files of the run, so that the page of a killed run can be written, too.
"""

from __future__ import annotations

import html
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electrolyte_ml.active_learning.records import SETTINGS, STATUS, iteration_folder
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.active_learning.status import IterationStatus, StatusTable
from electrolyte_ml.active_learning.timeline import timeline_svg
from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import atomic_write, read_json

PAGE = "status.html"
REFRESH_SECONDS = 10
_WRITE_SECONDS = 5.0
# Record of a stage -> text while the record is missing: for iteration 0, and for all later ones.
_SEEDING = {"sampling": "Dynamics with the reference", "fit": "First fit"}
_INHERITANCE = {"sampling": "Choosing among the inherited configurations", "fit": "First fit"}
_ITERATION = {"trajectories": "Exploring with the potential", "labels": "Selecting and labelling", "fit": "Fitting"}


@dataclass(frozen=True)
class RunState:
    """State of a run, from its files.

    Attributes
    ----------
    directory : Path
    settings : ActiveLearningSettings
    reference : str
        Name of the level of theory.
    rows : tuple of IterationStatus
        Complete iterations.
    stage : str
        Record of the present stage; empty before an iteration's folder is made.
    doing : str
        The present stage in words.
    previous : float or None
        Time that this stage took in the previous iteration, s.
    """

    directory: Path
    settings: ActiveLearningSettings
    reference: str
    rows: tuple[IterationStatus, ...]
    stage: str
    doing: str
    previous: float | None

    @property
    def quiet(self) -> int:
        """Number of consecutive iterations, up to the last one, whose trajectories met nothing new."""
        count = 0
        for row in reversed(self.rows[1:]):
            if row.saved or set(row.stops) != {"completed"}:
                break
            count += 1
        return count

    @property
    def least(self) -> int:
        """Smallest number of further iterations before the run has converged."""
        return max(0, self.settings.stopping.quiet_iterations - self.quiet)

    @property
    def most(self) -> int:
        """Largest number of further iterations that the settings allow."""
        return max(0, self.settings.stopping.max_iterations + 1 - max(1, len(self.rows)))

    @property
    def ended(self) -> str:
        """Reason why the run has ended; empty if it has not."""
        if self.rows and not self.least:
            return "Converged: the last trajectories met nothing new."
        if self.rows and not self.most:
            return "Not converged after the last iteration allowed (stopping.max_iterations)."
        return ""


def read_run(directory: Path) -> RunState:
    """Read the state of a run from its files.

    Raises
    ------
    InputError
        The folder holds no run of active learning.
    """
    record = iteration_folder(directory, 0) / SETTINGS
    identity = iteration_folder(directory, 0) / "reference.json"
    if not (record.exists() and identity.exists()):
        raise InputError(f"{directory} holds no run of active learning")
    rows: list[IterationStatus] = []
    while (path := iteration_folder(directory, len(rows)) / STATUS).exists():
        rows.append(IterationStatus.read(path))
    number = len(rows)
    folder = iteration_folder(directory, number)
    settings = ActiveLearningSettings.from_toml(record)
    stages = _ITERATION if number else _INHERITANCE if settings.inheritance.paths else _SEEDING
    stage = next((name for name in stages if not (folder / f"{name}.json").exists()), "") if folder.exists() else ""
    previous = _read(iteration_folder(directory, number - 1) / f"{stage}.json") if number > 1 else {}
    return RunState(
        directory,
        settings,
        str(read_json(identity).get("reference", "")),
        tuple(rows),
        stage,
        (stages[stage] + _detail(folder, stage)) if stage else "Between two steps",
        previous.get("seconds"),
    )


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _detail(folder: Path, stage: str) -> str:
    """Return the progress of a stage in words, from its files; empty if they do not show it."""
    if stage == "sampling" and (folder.parent / "labels").is_dir():
        return f": {sum(1 for _ in (folder.parent / 'labels').rglob('*.json'))} labels computed"
    if stage == "trajectories":
        started = list(folder.glob("trajectory_*"))
        ended = sum((path / "result.json").exists() for path in started)
        return f": {ended} trajectories ended, {len(started) - ended} running or to be continued"
    return ""


def write_page(directory: Path, *, running: float | None = None, message: str = "") -> Path:
    """Write the page of a run, atomically, and return its path.

    Parameters
    ----------
    directory
        Folder of the run.
    running
        Time for which the present stage has run in this process, s; None if it is not known whether the run is running.
    message
        Reason why the run has stopped.
    """
    path = directory / PAGE
    atomic_write(path, render(read_run(directory), time.localtime(), running=running, message=message))
    return path


@contextmanager
def status_page(directory: Path, seconds: float = _WRITE_SECONDS) -> Iterator[None]:
    """Keep the page of a run up to date while the context lasts; the last page shows the end of the run."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep, args=(directory, seconds, stop), name="status page", daemon=True)
    thread.start()
    message = ""
    try:
        yield
    except BaseException as error:
        message = "Interrupted." if isinstance(error, KeyboardInterrupt) else f"Stopped: {first_line(error)}"
        raise
    finally:
        stop.set()
        thread.join()
        _quietly(lambda: write_page(directory, message=message))


def _keep(directory: Path, seconds: float, stop: threading.Event) -> None:
    """Write the page at intervals until the event is set."""
    stage: tuple[int, str] | None = None
    stage_start = time.monotonic()

    def write() -> None:
        nonlocal stage, stage_start
        state = read_run(directory)
        if (len(state.rows), state.stage) != stage:
            stage, stage_start = (len(state.rows), state.stage), time.monotonic()
        text = render(state, time.localtime(), running=time.monotonic() - stage_start)
        atomic_write(directory / PAGE, text)

    while not stop.is_set():
        _quietly(write)
        stop.wait(seconds)


def _quietly(write: Callable[[], object]) -> None:
    """Write the page, ignoring errors: a full disk or missing files must not end the run."""
    try:
        write()
    except (OSError, InputError, ValueError, TypeError):
        pass


def render(state: RunState, now: time.struct_time, *, running: float | None = None, message: str = "") -> str:
    """Return the page as HTML; the parameters are those of `write_page`."""
    settings, rows = state.settings, state.rows
    title = f"Active learning: {', '.join(settings.composition) or settings.start or state.directory.name}"
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if running is not None else ""
    facts = {
        "folder": str(state.directory),
        "reference": state.reference,
        "model": f"level {settings.model.level}, cutoff {settings.model.cutoff:g} Å"
        + (f", charges {settings.model.charges}" if settings.model.charges else ""),
        "training set": f"{rows[-1].size} configurations" if rows else "none yet",
        "rank": rows[-1].ranks_text if rows else "-",
        "written": time.strftime("%Y-%m-%d %H:%M:%S", now),
    }
    table = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts.items())
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="now">{_text(_now(state, running, message))}</p>',
        f"<p>{_text(remaining(state, running))}</p>" if not (state.ended or message) else "",
        f'<table class="facts">{table}</table>',
        timeline_svg(rows, settings.grades.save_threshold, settings.grades.break_threshold) if rows else "",
        f'<div class="table">{StatusTable(rows)._repr_html_()}</div>' if rows else "<p>No iteration is complete.</p>",
    ]
    return _PAGE.format(title=_text(title), refresh=refresh, style=_STYLE, body="\n".join(filter(None, parts)))


def _now(state: RunState, running: float | None, message: str) -> str:
    """Return the present activity in words."""
    if message:
        return message
    if state.ended:
        return state.ended
    where = f"Iteration {len(state.rows)}" if state.rows else "Seeding"
    if running is None:
        return f"{where}: {state.doing[0].lower()}{state.doing[1:]} comes next. The run is probably not running."
    return (
        f"{where}: {state.doing[0].lower()}{state.doing[1:]}, for {_duration(running)}. If this page is more than a "
        "minute old, the run was killed."
    )


def remaining(state: RunState, running: float | None = None) -> str:
    """Return bounds of the remaining time in words; the time itself depends on the configurations to come."""
    parts = []
    if state.previous is not None:
        part = f"This step took {_duration(state.previous)} in the previous iteration"
        late = running is not None and running > state.previous
        parts.append(part + (", and takes longer now." if late else "."))
    seconds = [row.seconds for row in state.rows[1:]][-3:]
    if not seconds:
        parts.append("The remaining time is not known before the first iteration is complete.")
        return " ".join(parts)
    passed = running or 0.0
    low = max(0.0, state.least * min(seconds) - passed)
    pace = f"{_duration(min(seconds))} to {_duration(max(seconds))}"
    parts.append(
        f"At the pace of the last iterations ({pace} each) the run takes at least {_duration(low)} more "
        f"({state.least} iterations that meet nothing new) and at most {_duration(state.most * max(seconds))} "
        f"({state.most} iterations, as the settings allow). The number "
        "of iterations cannot be predicted: it depends on the configurations that the trajectories meet."
    )
    return " ".join(parts)


def _duration(seconds: float) -> str:
    """Return a time in s, min or h, with about two digits."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _text(text: str) -> str:
    return html.escape(text)


_STYLE = """
:root { color-scheme: light dark; --grid: #8884; --blue: #0072B2; --sky: #56B4E9; --vermilion: #D55E00;
  --orange: #E69F00; --purple: #CC79A7; --green: #009E73; --grey: #888; }
@media (prefers-color-scheme: dark) { :root { --blue: #56B4E9; --sky: #2a6f9e; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 68rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; } .now { font-weight: 600; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
.facts th { text-align: left; font-weight: 400; color: var(--grey); }
.facts td { text-align: left; white-space: normal; }
.table { overflow-x: auto; } .table p { font-weight: 600; }
.timeline { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.timeline svg { width: 31rem; max-width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
""".strip()
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}
<title>{title}</title><style>
{style}
</style></head><body>
{body}
</body></html>
"""
