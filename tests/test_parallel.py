"""The worker pool: order, errors, interrupts, and no process left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.parallel import _ProgressLine, map_progress, pool, resolve_jobs

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")


def start(tmp_path, body):
    """Run `body` as a script of its own; returns the process."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(body))
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def gone(pids, seconds=10.0):
    """Whether all processes have ended (a zombie has) within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return True
        time.sleep(0.05)
    return False


def wait_for_files(folder, count, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pids = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        if len(pids) >= count:
            return pids
        time.sleep(0.05)
    raise AssertionError(f"only {len(pids)} of {count} processes started")


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    seen = []

    def work(item):
        time.sleep(0.02 * (5 - item))
        return item**2

    result = map_progress(
        work, range(5), jobs, weights=[1, 2, 3, 4, 5], on_result=lambda i, r: seen.append((i, r)), progress=False
    )
    assert result == [0, 1, 4, 9, 16]
    assert sorted(seen) == [(i, i**2) for i in range(5)]


def test_workers_have_one_thread_and_are_reused():
    def look(_):
        return os.getpid(), os.environ["OMP_NUM_THREADS"], os.environ["NUMBA_NUM_THREADS"]

    first = set(map_progress(look, range(8), 2, progress=False))
    second = set(map_progress(look, range(8), 2, progress=False))
    assert {entry[1:] for entry in first | second} == {("1", "1")}
    assert os.getpid() not in {entry[0] for entry in first}
    assert len({entry[0] for entry in first | second}) <= 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_error_of_an_item_is_carried_back(jobs):
    def work(item):
        if item == 3:
            raise InputError("atom 3 is at fault")
        return item

    with pytest.raises(InputError, match="atom 3 is at fault"):
        map_progress(work, range(6), jobs, progress=False)
    assert map_progress(abs, [-1, -2], jobs, progress=False) == [1, 2]  # and the next map works


def test_a_worker_that_dies_is_told_in_one_line():
    with pytest.raises(ElectrolyteError, match="a worker process died") as caught:
        map_progress(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2), 2, progress=False)
    assert "\n" not in str(caught.value)
    assert map_progress(abs, [-1, -2], 2, progress=False) == [1, 2]


def test_a_worker_that_grows_is_replaced_in_silence(recwarn):
    def grow(_):
        os.kept = [*getattr(os, "kept", []), bytearray(os.urandom(1) * 200_000_000)]
        time.sleep(1.1)  # loky looks at the memory every second
        return os.getpid()

    workers = set()
    with pool(1) as executor:
        for item in range(5):
            workers.add(executor.submit(grow, item).result())
    assert len(workers) > 1
    assert not list(recwarn)


def test_an_error_in_the_block_kills_what_was_running(tmp_path):
    def hang(folder):
        (folder / str(os.getpid())).touch()
        time.sleep(600)

    pids = []

    def fail_while_they_run():
        with pool(2) as executor:
            for _ in range(2):
                executor.submit(hang, tmp_path)
            pids.extend(wait_for_files(tmp_path, 2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_they_run()
    assert gone(pids)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", True])
def test_senseless_numbers_of_jobs_are_refused(jobs):
    with pytest.raises(InputError, match="jobs must be"):
        resolve_jobs(jobs)


def test_weights_must_fit_the_items():
    with pytest.raises(InputError, match="2 weights for 3 items"):
        map_progress(abs, [1, 2, 3], weights=[1, 2], progress=False)


def test_progress_counts_cost_and_items(capsys):
    map_progress(abs, [1, 2, 3], description="labels", weights=[1, 1, 8])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labels: 3/3, 00:0")


HANG = """
    import os, sys, time
    from pathlib import Path
    from electrolyte_ml.parallel import map_progress

    folder = Path({folder!r})

    def hang(item):
        import subprocess
        child = subprocess.Popen(["sleep", "600"])
        (folder / str(child.pid)).touch()
        (folder / str(os.getpid())).touch()
        child.wait()

    map_progress(hang, range(4), 2, progress=False)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_program(tmp_path, number):
    """Also: a script without a __main__ guard, sending a function of its own, starts each worker once."""
    folder = tmp_path / "pids"
    folder.mkdir()
    script = start(tmp_path, HANG.format(folder=str(folder)))
    try:
        pids = wait_for_files(folder, 4)
    finally:
        os.killpg(script.pid, number)  # as a terminal does with Ctrl-C: the whole foreground group
    _, errors = script.communicate(timeout=120)
    assert gone(pids)
    assert len(list(folder.iterdir())) == 4
    if number == signal.SIGINT:
        assert errors.strip().endswith("KeyboardInterrupt")
    assert script.returncode != 0


def test_the_script_ends_when_its_work_does(tmp_path):
    script = start(
        tmp_path,
        """
        from electrolyte_ml.parallel import map_progress
        print(map_progress(lambda x: 2 * x, [1, 2, 3], 2, progress=False))
        """,
    )
    output, errors = script.communicate(timeout=60)
    assert (script.returncode, output.strip(), errors) == (0, "[2, 4, 6]", "")


@pytest.mark.filterwarnings("error")
def test_weights_that_add_up_to_more_in_another_order_end_at_all():
    """0.1 + 0.1 + 0.1 is more than 0.3."""
    with _ProgressLine("some", 3, 0.3, shown=True) as line:
        for _ in range(3):
            line.advance(0.1)
        assert line.bar.n == line.bar.total
