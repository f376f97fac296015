"""Any executor takes the items of a map: order, errors, lost workers, names in commands and in the environment."""

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from electrolyte_ml.cli import build_parser, main
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.executors import VARIABLE, WaitingExecutor, current_executor, use_executor
from electrolyte_ml.parallel import map_progress


@pytest.fixture(params=["processes", "threads"])
def executor(request):
    spawned = ProcessPoolExecutor(2, get_context("spawn")) if request.param == "processes" else ThreadPoolExecutor(2)
    with spawned as executor, use_executor(executor):
        yield executor


@pytest.mark.usefixtures("executor")
def test_results_come_in_the_order_of_the_items():
    shift, seen = 3, []
    result = map_progress(
        lambda item: item**2 + shift, range(5), 1, on_result=lambda i, r: seen.append((i, r)), progress=False
    )
    assert result == [3, 4, 7, 12, 19]
    assert sorted(seen) == list(enumerate(result))


@pytest.mark.usefixtures("executor")
def test_the_error_of_an_item_is_carried_back_with_its_traceback():
    def work(item):
        if item == 3:
            raise InputError("atom 3 is at fault")
        return item

    with pytest.raises(InputError, match="atom 3 is at fault") as caught:
        map_progress(work, range(6), progress=False)
    assert "in work" in str(caught.value.__cause__)
    assert map_progress(work, [1, 2], progress=False) == [1, 2]


@pytest.mark.usefixtures("executor")
def test_a_worker_computes_nested_maps_itself():
    def work(item):
        assert current_executor() is None
        return os.getpid(), *map_progress(lambda _: os.getpid(), range(2), progress=False)

    assert all(len(set(pids)) == 1 for pids in map_progress(work, range(3), progress=False))


def test_items_are_computed_in_the_folder_of_the_caller(tmp_path, monkeypatch):
    with ProcessPoolExecutor(1, get_context("spawn")) as executor, use_executor(executor):
        map_progress(abs, [1], progress=False)  # the worker has started, in the folder before
        monkeypatch.chdir(tmp_path)
        assert map_progress(lambda _: os.getcwd(), [0], progress=False) == [str(tmp_path)]


def test_a_lost_worker_is_reported_with_the_numbers_of_its_items(tmp_path):
    def work(item):
        if item == 2:
            while not (tmp_path / "done").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    done = []

    def note(index, _):
        done.append(index)
        if len(done) == 2:
            (tmp_path / "done").touch()

    message = r"labels: ProcessPoolExecutor lost 1 of 3 \(number 3\): BrokenProcessPool: .*call again to continue"
    with ProcessPoolExecutor(2, get_context("spawn")) as executor, use_executor(executor):
        with pytest.raises(ElectrolyteError, match=message):
            map_progress(work, range(3), description="labels", on_result=note, progress=False)
        with pytest.raises(ElectrolyteError, match=r"lost 2 of 2 \(number 1, 2\)"):
            map_progress(abs, [1, 2], progress=False)
    assert sorted(done) == [0, 1]


def test_after_an_error_waiting_items_are_cancelled(tmp_path):
    def work(item):
        (tmp_path / str(item)).touch()
        time.sleep(0.2)
        return 1 / item

    with ThreadPoolExecutor(1) as executor, use_executor(executor), pytest.raises(ZeroDivisionError):
        map_progress(work, range(20), progress=False)
    assert len(list(tmp_path.iterdir())) <= 3


def test_libraries_whose_results_block_are_executors_too():
    class Job:
        def __init__(self, value):
            self.value = value

        def result(self):
            if isinstance(self.value, Exception):
                raise self.value
            return self.value

    def submit(function, *arguments):
        return Job(RuntimeError("node 7 is down")) if jobs.pop() == 1 else Job(function(*arguments))

    jobs = [0, 1, 2]
    with WaitingExecutor(submit) as executor, use_executor(executor):
        with pytest.raises(ElectrolyteError, match=r"lost 1 of 3 \(number 2\): RuntimeError: node 7 is down"):
            map_progress(abs, [-1, -2, -3], progress=False)
        jobs = [2, 2]
        assert map_progress(abs, [-1, -2], progress=False) == [1, 2]


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module in the current folder, as for ``--executor own_pools:threads``."""
    (tmp_path / "own_pools.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "made = []\n"
        "def threads():\n    made.append(ThreadPoolExecutor(1))\n    return made[-1]\n"
        "def number():\n    return open('/dev/null')\n"
        "def broken():\n    raise OSError('no scheduler answers\\nat all')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    module = importlib.import_module("own_pools")
    yield module
    del importlib.sys.modules["own_pools"]


def test_an_executor_of_a_module_in_this_folder_is_started_and_shut_down(own_module):
    with use_executor("own_pools:threads"):
        assert current_executor() is own_module.made[0]
        assert map_progress(abs, [-1, -2], progress=False) == [1, 2]
        with use_executor("local"):
            assert current_executor() is None
    with pytest.raises(RuntimeError, match="after shutdown"):
        own_module.made[0].submit(abs, 1)


def test_the_environment_names_an_executor_which_starts_once(own_module, monkeypatch):
    monkeypatch.setenv(VARIABLE, "own_pools:threads")
    assert map_progress(abs, [-1, -2], progress=False) == [1, 2]
    assert current_executor() is own_module.made[0] is current_executor()
    monkeypatch.setenv(VARIABLE, "local")
    assert current_executor() is None


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("slrum", "no executor 'slrum', but local, slurm, pbs, dask or MODULE:FUNCTION"),
        ("own_pools:", "no executor 'own_pools:'"),
        ("no_such_module:x", "no_such_module:x cannot be loaded: No module named 'no_such_module'"),
        ("own_pools:absent", "has no attribute 'absent'"),
        ("own_pools:number", "own_pools:number returns a TextIOWrapper, not a concurrent.futures.Executor"),
        ("own_pools:broken", "own_pools:broken cannot be started: no scheduler answers$"),
    ],
)
def test_names_that_are_no_executor_are_refused(name, message):
    with pytest.raises(ElectrolyteError, match=message), use_executor(name):
        map_progress(abs, [1], progress=False)


def test_an_unknown_executor_is_refused_before_any_work():
    worked = False
    with pytest.raises(InputError, match="no executor 'slrum'"), use_executor("slrum"):
        worked = True
    assert not worked


def test_every_command_with_the_option_uses_it():
    (subparsers,) = [action for action in build_parser()._actions if action.dest == "command"]
    commands = {name: parser for name, parser in subparsers.choices.items() if parser.get_default("run")}
    having = {name for name, parser in commands.items() if any(a.dest == "executor" for a in parser._actions)}
    jobs = {name for name, parser in commands.items() if any(a.dest == "jobs" for a in parser._actions)}
    assert having == jobs | {"active-learn", "mix", "reproduce"}
    for name in having - {"reproduce"}:  # its notebooks are processes of their own
        assert hasattr(commands[name].get_default("run"), "__wrapped__"), name


def test_label_goes_to_the_executor(own_module, tmp_path, capsys):
    from ase.build import bulk
    from ase.io import write

    write(tmp_path / "argon.xyz", bulk("Ar", "fcc", 5.5, cubic=True))
    words = ["label", "argon.xyz", "--reference", "lj", "--executor"]
    assert main([*words, "own_pools:threads"]) == 0
    assert "1 computed" in capsys.readouterr().out
    assert len(own_module.made) == 1
    assert main([*words, "own_pools:threads", "-j", "2"]) == 1
    assert "--jobs needs --executor local" in capsys.readouterr().err
    assert main([*words, "local", "-j", "2"]) == 0


def test_a_command_whose_options_are_refused_starts_no_executor(own_module, tmp_path, capsys):
    from ase.build import bulk
    from ase.io import write

    write(tmp_path / "argon.xyz", bulk("Ar", "fcc", 5.5, cubic=True))
    assert main(["md", "ec", "argon.xyz", "--time", "1", "--executor", "own_pools:threads"]) == 1
    assert "--executor needs --replicas" in capsys.readouterr().err
    assert own_module.made == []
