"""The loop, the dynamics and the monitors receive the very numbers from which protocols are judged."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

import electrolyte_ml.dynamics
import electrolyte_ml.training
from electrolyte_ml.active_learning import exploration, loop
from electrolyte_ml.active_learning.exploration import Trajectory, explore
from electrolyte_ml.paper.claims import protocols
from electrolyte_ml.paper.protocols import pure_solvent
from electrolyte_ml.paper.scales import PAPER
from electrolyte_ml.structures import write_configurations

SPECIES = ("H", "C", "O")


class Received(Exception):
    """Ends a call once its arguments are known."""

    def __init__(self, positional, named):
        self.positional, self.named = positional, named


def receive(*positional, **named):
    raise Received(positional, named)


@pytest.fixture
def settings():
    return pure_solvent(PAPER, "EC")


def same(evidence, named):
    assert not evidence.differences
    assert {name: named[name] for name in evidence.paper} == dict(evidence.paper)


@pytest.mark.parametrize("refit", [False, True])
def test_train_receives_the_loss_and_the_method(settings, refit, monkeypatch, tmp_path):
    from ase.calculators.singlepoint import SinglePointCalculator

    monkeypatch.setattr(electrolyte_ml.training, "train", receive)
    atoms = Atoms("CHO", np.eye(3), cell=[9.0] * 3, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((3, 3)))
    write_configurations(tmp_path / loop.LABELLED, [atoms])
    run = loop._Run(tmp_path, settings, None, SPECIES, [], [], progress=False)
    if refit:
        run.model = settings.model.random(("H", "C", "O"), 7), None
    with pytest.raises(Received) as received:
        run._fit(tmp_path)
    same(list(protocols.fits(settings))[refit], received.value.named)
    _, start = received.value.positional
    if not refit:
        assert start.fingerprint == protocols.start(settings).fingerprint


def test_run_md_receives_the_ensemble_and_the_monitor_the_grades(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(electrolyte_ml.dynamics, "run_md", receive)
    start = Atoms("CHO", np.eye(3), cell=[9.0] * 3, pbc=True)
    with pytest.raises(Received) as received:
        explore(Trajectory(start, tmp_path, 0), None, None, settings)
    same(protocols.exploration(settings), received.value.named)
    monitor = received.value.named["monitors"][0]
    same(protocols.grades(settings), {"save": monitor.save, "break_": monitor.break_})


def test_seeding_receives_its_section(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "seed_in_rounds", receive)
    run = loop._Run(tmp_path, settings, None, SPECIES, [], [], progress=False)
    with pytest.raises(Received) as received:
        run._sample(tmp_path)
    section = received.value.positional[-1]
    same(protocols.seeding(settings), {**section.options(), "configurations": section.configurations})


def test_as_many_trajectories_are_explored_as_are_planned(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "map_progress", receive)
    run = loop._Run(tmp_path, settings, None, SPECIES, [], [], progress=False)
    run.model = None, None
    seed = Atoms("H")
    seed.info["iteration"] = 0
    run.training = [seed]
    with pytest.raises(Received) as received:
        run._explore(tmp_path / "iteration_001", 1)
    function, planned = received.value.positional[:2]
    assert function.func is exploration.explore and len(planned) == 10


def test_the_reference_writes_what_its_calculator_runs(settings):
    """The input that is judged comes from the calculator that labels."""
    changed = replace(settings, reference=replace(settings.reference, settings={"encut": 500}))
    for chosen, cutoff in ((settings, 550.0), (changed, 500.0)):
        evidence = protocols.reference_input(chosen, "EC")
        calculator = chosen.reference.make()._calculator({})
        assert evidence.ours["ENCUT"] == calculator.float_params["encut"] == cutoff
        assert evidence.ours["EDIFF"] == calculator.exp_params["ediff"] == 1e-6
        assert calculator.input_params["kpts"] == (1, 1, 1) and calculator.input_params["gamma"]
