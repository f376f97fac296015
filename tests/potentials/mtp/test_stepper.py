"""Threads that share the atoms of one box: the same bits whoever does the work, and nobody waited for in vain."""

import copy
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from electrolyte_ml import threads
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.kernels import evaluation
from electrolyte_ml.potentials import MomentTensorPotential

POTENTIAL = MomentTensorPotential.random(8, ("H", "C", "O"), cutoff=4.0, scaling=1e-3)


@pytest.fixture
def box(liquid):
    return liquid(40, side=9.0)


def results(calculator, atoms):
    calculator.calculate(atoms)
    return np.concatenate([np.ravel(calculator.results[name]) for name in ("energy", "energies", "forces", "stress")])


@pytest.mark.nojit
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_threads(box, count):
    atoms = box
    calculator, one = POTENTIAL.calculator(threads=count), POTENTIAL.evaluate(atoms, 1)
    for _ in range(3):
        atoms.positions += 0.01
        calculator.calculate(atoms)
        assert calculator.results["forces"] == pytest.approx(one.forces, abs=1e-12)
        assert calculator.results["energies"] == pytest.approx(one.energies, abs=1e-12)
        assert calculator.results["stress"] == pytest.approx(one.stress, abs=1e-12)


def test_others_that_have_left_are_called_back_or_not_missed(box, monkeypatch):
    """After a pause, when work of other kinds has sent them away, and when they never come: always the same bits."""
    calculator = POTENTIAL.calculator(threads=3)
    expected = results(calculator, box)
    time.sleep(0.1)
    assert np.array_equal(results(calculator, box), expected)
    threads.run(time.sleep, [(0.0,)] * 3, 3)
    assert np.array_equal(results(calculator, box), expected)
    POTENTIAL.calculator(threads=3).calculate(box)
    assert np.array_equal(results(calculator, box), expected)

    def fail(*arguments):
        raise MemoryError

    threads.run(time.sleep, [(0.0,)] * 3, 3)
    monkeypatch.setattr(evaluation, "follow", fail)
    assert np.array_equal(results(calculator, box), expected)


def test_a_team_dismissed_at_its_work_is_not_waited_for(box):
    calculator = POTENTIAL.calculator(threads=2)
    expected, stop = results(calculator, box), threading.Event()

    def disturb():
        while not stop.is_set():
            threads.run(time.sleep, [(0.0,)] * 2, 2)

    other = threading.Thread(target=disturb)
    other.start()
    for _ in range(200):
        assert np.array_equal(results(calculator, box), expected)
    stop.set()
    other.join()


def test_two_runs_in_one_process(box):
    def run(seed, into):
        calculator = POTENTIAL.calculator(threads=2)
        done = run_md(box, calculator, ensemble="nvt", time_ps=0.02, timestep_fs=0.2, seed=seed, progress=False)
        into[seed] = done.atoms.positions

    alone, together = {}, {}
    for seed in (1, 2):
        run(seed, alone)
    both = [threading.Thread(target=run, args=(seed, together)) for seed in (1, 2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert all(np.array_equal(alone[seed], together[seed]) for seed in (1, 2))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_process_has_threads_of_its_own(box):
    calculator = POTENTIAL.calculator(threads=2)
    expected = results(calculator, box)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put(results(calculator, box)))
    child.start()
    assert np.array_equal(queue.get(timeout=60), expected)
    child.join(60)


def test_a_calculator_at_work_can_be_copied(box):
    calculator = POTENTIAL.calculator(threads=2)
    expected = results(calculator, box)
    for other in (copy.deepcopy(calculator), pickle.loads(pickle.dumps(calculator))):
        assert np.array_equal(results(other, box), expected)


def test_a_calculator_that_is_given_another_potential_uses_it(box):
    calculator = POTENTIAL.calculator(threads=2)
    before = results(calculator, box)
    calculator.potential = POTENTIAL.with_parameters(0.5 * POTENTIAL.parameters)
    assert not np.array_equal(results(calculator, box), before)
    assert calculator.results["forces"] == pytest.approx(calculator.potential.evaluate(box).forces, abs=1e-12)


SCRIPT = """
import sys
import numpy as np
from ase.io import read
from electrolyte_ml.potentials import load
potential, atoms = load(sys.argv[1]), read(sys.argv[2])
calculator = potential.calculator(skin=0.0, threads=1)
ways = [lambda: potential.evaluate(atoms, 1).forces, lambda: calculator.get_forces(atoms)]
print(*[way().tobytes().hex() for way in ways[:: int(sys.argv[3])]])
"""


def test_what_a_process_computes_first_decides_no_bit(box, tmp_path):
    """A kernel and its copies in other kernels are compiled to different instructions: all must call one of them."""
    POTENTIAL.save(tmp_path / "p.mtp")
    box.write(tmp_path / "a.traj")
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, tmp_path / "p.mtp", tmp_path / "a.traj", step],
            capture_output=True, text=True, check=True,
        ).stdout.split()
        for step in ("1", "-1")
    ]  # fmt: skip
    assert len({*outputs[0], *outputs[1]}) == 1
