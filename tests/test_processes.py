"""What a program started of its own: ended with it, wherever it has moved, and no temporary folder is left."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from ase import Atoms
from ase.io import write

from electrolyte_ml.errors import ElectrolyteError
from electrolyte_ml.processes import end_processes_on_failure
from electrolyte_ml.reference import LabelError
from electrolyte_ml.reference.program import run_program

SLEEPERS = """#!/bin/sh
# One child in the group, one in a session of its own, one whose parent has ended: each makes a file with its number.
sh -c 'touch {folder}/plain.$$; exec sleep 600' &
setsid sh -c 'touch {folder}/session.$$; exec sleep 600' &
(sh -c 'touch {folder}/orphan.$$; exec sleep 600' &)
"""
NAMES = ("plain", "session", "orphan")


@pytest.fixture
def program(tmp_path):
    """Return a function that makes a program with children, and with an ending of its own."""

    def make(ending):
        path = tmp_path / "program"
        path.write_text(SLEEPERS.format(folder=tmp_path) + ending + "\n")
        path.chmod(0o755)
        return path

    return make


def started(folder, programs=1, seconds=60.0):
    """Return the numbers of the children by their kinds, once all have started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = {name: [int(path.suffix[1:]) for path in folder.glob(f"{name}.*")] for name in NAMES}
        if all(len(pids) == programs for pids in found.values()):
            return found
        time.sleep(0.02)
    raise AssertionError(f"not all children have started: {found}")


def gone(children, seconds=10.0):
    pids = [pid for kind in children.values() for pid in kind]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE for p in pids):
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_fails_takes_its_children_along(program, tmp_path):
    wait = f"while [ $(ls {tmp_path} | grep -cE 'plain|session|orphan') -lt 3 ]; do sleep 0.05; done"
    with pytest.raises(LabelError, match="exit status 3: no convergence"):
        run_program([str(program(f"{wait}\necho no convergence >&2\nexit 3"))], tmp_path)
    assert gone(started(tmp_path))


def test_a_program_that_succeeds_is_not_waited_for_longer_than_it_runs(tmp_path):
    """A child that it leaves behind holds the output open; what it does is the program's affair."""
    begin = time.monotonic()
    script = "sleep 600 & echo $! > child; echo done"
    assert run_program(["sh", "-c", script], tmp_path) == "done\n"
    assert time.monotonic() - begin < 60
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_programs_of_other_packages_end_with_the_block(program, tmp_path):
    """ASE runs its programs through a shell, of which it kills the shell alone."""
    environment = os.environ.copy()

    def interrupted():
        with end_processes_on_failure():
            subprocess.Popen(["sh", "-c", f"{program('wait')} & wait"])
            started(tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert gone(started(tmp_path))
    assert os.environ == environment


def test_programs_of_other_packages_end_with_a_process_that_is_killed(program, tmp_path):
    code = (
        "import subprocess; from electrolyte_ml.processes import end_processes_on_failure\n"
        f"with end_processes_on_failure(): subprocess.run(['setsid', {str(program('wait'))!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    children = started(tmp_path)
    process.kill()
    process.wait()
    assert gone(children)


@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    [
        (signal.SIGTERM, 143, 1),
        (signal.SIGKILL, -signal.SIGKILL, 1),
        pytest.param(signal.SIGTERM, 143, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, 2, marks=pytest.mark.slow),
    ],
)
def test_nothing_outlives_a_command(program, tmp_path, number, code, jobs):
    """The signal goes to the command alone, as `kill` and batch systems send it."""
    pairs = [Atoms("CO", [[0, 0, 0], [0, 0, d]]) for d in (1.1, 1.2, 1.3)]
    write(tmp_path / "in.xyz", pairs, format="extxyz")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reference = f"command:{program('wait')} {{input}}.xyz {{output}}.xyz"
    command = subprocess.Popen(
        [sys.executable, "-m", "electrolyte_ml", "label", "in.xyz", "-j", str(jobs), "--reference", reference],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    children = started(tmp_path, jobs)
    assert any(scratch.iterdir())
    command.send_signal(number)
    _, errors = command.communicate(timeout=60)
    assert command.returncode == code, errors
    if number != signal.SIGKILL:
        assert not [path for path in scratch.iterdir() if path.name.startswith("electrolyte-ml")]
    assert gone(children)
    assert "Traceback" not in errors


def test_an_ignored_signal_stays_ignored(tmp_path):
    """A command under nohup goes on when the terminal is closed."""
    code = (
        "import os, signal; from electrolyte_ml.cli import entry; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with entry._signals_unwind(): os.kill(os.getpid(), signal.SIGHUP); print('on')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "on\n"


def test_shared_memory_that_cannot_be_written_is_named(monkeypatch):
    from electrolyte_ml import parallel

    def read_only(**options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("loky.get_reusable_executor", read_only)
    with pytest.raises(ElectrolyteError, match="/dev/shm: Read-only file system; one job needs none"):
        parallel.map_progress(abs, [1, 2], 2, progress=False)


def test_workers_write_temporary_files_where_they_are_removed():
    from electrolyte_ml import parallel

    def leave(_):
        return tempfile.mkdtemp()

    def leave_and_fail(_):
        tempfile.mkdtemp()
        raise ZeroDivisionError

    left = {Path(path).parent for path in parallel.map_progress(leave, [1, 2], 2, progress=False)}
    (folder,) = left
    assert folder == Path(parallel._scratch().name) and any(folder.iterdir())
    with pytest.raises(ZeroDivisionError):
        parallel.map_progress(leave_and_fail, [1, 2], 2, progress=False)
    assert not any(folder.iterdir())
