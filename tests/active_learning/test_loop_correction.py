"""The loop with a correction: argon, cheap and better labels by two Lennard-Jones references."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from electrolyte_ml.active_learning import ActiveLearningSettings, active_learn
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    GradeSettings,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, load
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.reference import LabelStore, get
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.training import train

CHEAP, BETTER = ({"sigma": 3.4, "epsilon": epsilon, "rc": 8.0} for epsilon in (0.0104, 0.0125))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A potential of the cheap reference, in a file."""
    boxes = [bulk("Ar", "fcc", a=a, cubic=True) * (2, 2, 2) for a in (5.2, 5.4, 5.6, 5.8, 6.0)]
    for seed, atoms in enumerate(boxes):
        atoms.rattle(0.15, seed=seed)
    folder = tmp_path_factory.mktemp("base")
    labelled = LabelStore(folder / "labels").label_all(boxes, get("lj", **CHEAP), progress=False).labelled
    model = MomentTensorPotential.random(4, ("Ar",), cutoff=6.0, radial_basis_size=8, min_distance=2.5)
    potential = train(labelled, model, max_iterations=80, stress_weight=0.1, progress=False).potential
    potential.save(folder / "base.mtp")
    return folder / "base.mtp"


@pytest.fixture(scope="module")
def settings(base):
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=1)
    write(base.parent / "argon.xyz", atoms)
    return ActiveLearningSettings(
        start=str(base.parent / "argon.xyz"),
        model=ModelSpec(level=4, cutoff=6.0, radial_basis_size=6, min_distance=2.5, on_top_of=str(base)),
        reference=ReferenceSettings("lj", BETTER),
        seeding=SeedingSettings(temperature=100.0, time_ps=0.2, timestep_fs=10.0, configurations=8, trajectories=2),
        exploration=ExplorationSettings(
            trajectories=2, time_ps=0.3, timestep_fs=5.0, temperature=80.0, watch_molecules=False
        ),
        grades=GradeSettings(interval_fs=20.0),
        fit=FitSettings(iterations=60, refit_iterations=20),
        stopping=StoppingSettings(max_iterations=2, quiet_iterations=1),
        jobs=1,
    )


def test_only_chosen_configurations_get_better_labels(base, settings, tmp_path):
    (tmp_path / "run").mkdir()
    toml = replace(settings, model=replace(settings.model, on_top_of="base.mtp")).to_toml()
    path = base.parent / "settings.toml"
    path.write_text(toml)
    result = active_learn(tmp_path / "run", path, progress=False)
    fitted, cheap = result.potential, load(base)
    assert np.array_equal(fitted.terms[0].base.parameters, cheap.parameters)
    assert fitted.n_parameters == fitted.terms[1].n_parameters
    assert result.active_set.result.matrix.shape == (fitted.n_parameters, fitted.n_parameters)
    better = get("lj", **BETTER)
    assert {atoms.info["reference"] for atoms in result.training_set} == {better.name}
    store = LabelStore(tmp_path / "run" / "labels")
    assert all(store.get(atoms, better) is not None for atoms in result.training_set)
    # Seeding: one start and two times 20 steps with the forces of the base, of which 8 have labels of the reference.
    assert result.status[0].size == 8
    assert len(list((tmp_path / "run" / "labels").rglob("*.json"))) == 1 + 40 + len(result.training_set)
    test = read_configurations(tmp_path / "run" / "training_set.xyz", labelled=True)

    def error(potential):
        forces = [potential.evaluate(atoms).forces - atoms.get_forces() for atoms in test]
        return np.sqrt(np.mean(np.square(forces)))

    assert error(fitted) < 0.5 * error(cheap)
    # The same call finds everything done.
    again = active_learn(tmp_path / "run", path, progress=False)
    assert list(again.status) == list(result.status)


def test_a_base_that_is_missing_or_of_other_species(base, settings, tmp_path):
    for name, message in (
        ("nowhere.mtp", "no such file"),
        ("other.mtp", "has the species Kr"),
    ):
        MomentTensorPotential.random(2, ("Kr",)).save(tmp_path / "other.mtp")
        wrong = replace(settings, model=replace(settings.model, on_top_of=str(tmp_path / name)))
        with pytest.raises(InputError, match=f"^settings: model: .*{message}"):
            active_learn(tmp_path / "run", wrong, progress=False)
    assert not (tmp_path / "run").exists()
