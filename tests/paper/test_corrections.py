"""A correction is learnt on top of a potential that is fixed, in small cells, and goes on where it was."""

from dataclasses import replace

import numpy as np
import pytest

from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    LearningProtocol,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.corrections import correction_training, learn_correction
from electrolyte_ml.paper.protocols import digest, placeless
from electrolyte_ml.paper.scales import QUICK, STANDARD, CorrectionTraining
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.reference.cp2k import CP2KReference
from electrolyte_ml.structures import pack


@pytest.fixture(scope="module")
def base():
    weak = MomentTensorPotential.random(2, ("H", "C", "O"), radial_basis_size=2, seed=1)
    return weak.with_parameters(1e-6 * weak.parameters).with_reference("a cheap reference")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    learning = LearningProtocol(
        model=ModelSpec(level=2, radial_basis_size=2),
        reference=ReferenceSettings("lj", {"sigma": 1.0, "epsilon": 1e-5, "rc": 3.0}),
        seeding=SeedingSettings("nve", temperature=300.0, time_ps=0.002, timestep_fs=0.5, trajectories=2),
        exploration=ExplorationSettings("nvt", temperature=300.0, time_ps=0.004, timestep_fs=0.5, trajectories=2),
        fit=FitSettings(iterations=3, refit_iterations=2),
        stopping=StoppingSettings(max_iterations=1),
    )
    training = CorrectionTraining(cells=("EC=2", "EMC=2"), densities=(1.0,), learning=learning)
    return replace(QUICK, results=tmp_path_factory.mktemp("corrections"), correction=training)


@pytest.mark.slow
def test_sum_of_both_is_learnt_from_labels_of_the_better_reference(tiny, base):
    result = learn_correction(tiny, base, progress=False)
    assert {atoms.get_chemical_formula() for atoms in result.training_set} == {"C6H8O6", "C8H16O6"}
    atoms = pack({"EC": 2}, 1.0, seed=3)
    correction = result.potential.evaluate(atoms).energy - base.evaluate(atoms).energy
    assert np.isfinite(correction) and correction != 0.0
    assert result.potential.n_parameters == ModelSpec(level=2, radial_basis_size=2).random(base.species).n_parameters
    again = learn_correction(tiny, base, progress=False)
    assert again.directory == result.directory
    assert again.potential.fingerprint == result.potential.fingerprint


def test_folder_of_a_run_does_not_depend_on_where_it_stands(tiny, tmp_path):
    moved = correction_training(tiny, tmp_path / "base_0.mtp"), correction_training(tiny, tmp_path / "x" / "base_0.mtp")
    assert moved[0] != moved[1]
    assert digest(placeless(moved[0])) == digest(placeless(moved[1]))


def test_inherited_labels_are_all_taken_in_place_of_a_seeding(tiny, tmp_path):
    """MaxVol would leave out most of labels that took minutes each."""
    training = replace(tiny.correction, sets=("sets/ec_quick.extxyz.xz",))
    settings = correction_training(replace(tiny, correction=training), tmp_path / "base.mtp")
    (path,) = settings.inheritance.sets
    assert path.endswith("ec_quick.extxyz.xz")
    assert settings.inheritance.uniform_configurations == "all"
    assert not correction_training(tiny, tmp_path / "base.mtp").inheritance.paths


def test_standard_scale_corrects_to_pbe_in_cells_that_it_can_label():
    training = STANDARD.correction
    assert training.learning.reference.name == "cp2k-pbe-d3"
    assert {"H", "Li", "C", "O", "F", "P"} <= CP2KReference.elements
    with pytest.raises(InputError, match="the quick scale corrects no potential"):
        learn_correction(QUICK, None)
