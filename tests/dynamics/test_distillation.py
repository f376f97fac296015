"""Inner potentials: sampled, fitted and tested on the system that is to be run."""

import numpy as np
import pytest

from electrolyte_ml.dynamics import MolecularForceField, assess, check_drift, distil, distillation, sample
from electrolyte_ml.dynamics.force_field import fit_force_field
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.kernels.force_field import evaluate, workspace
from electrolyte_ml.potentials import load
from electrolyte_ml.structures import pack
from electrolyte_ml.structures.topology import Topology


@pytest.fixture
def short(monkeypatch):
    """A tenth of the usual lengths."""
    for name in ("SETTLING_PS", "SAMPLING_PS"):
        monkeypatch.setattr(distillation, name, getattr(distillation, name) / 10)


@pytest.fixture(scope="module")
def liquid():
    """A small box of liquid EC."""
    return pack({"EC": 4}, 1.25, seed=1), load("ec-emc")


def test_a_distilled_potential_has_the_forces_within_molecules(tmp_path, liquid, short):
    atoms, potential = liquid
    frames = sample(potential, atoms, relax=100, directory=tmp_path / "sample", progress=False)
    assert len(frames) == distillation.MOST_FRAMES
    assert np.abs(frames[0].positions - frames[-1].positions).max() > 0.05
    distilled = distil(potential, frames, directory=tmp_path)
    assert isinstance(distilled.inner, MolecularForceField)
    assert distilled.force_error < 0.25 * distilled.force_rms
    again = distil(potential, list(frames), directory=tmp_path)
    assert again.inner.fingerprint == distilled.inner.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inner.json", "sample"]
    options = {"timestep_fs": 3, "directory": tmp_path / "check", "progress": False}
    assert abs(check_drift(potential, distilled.inner, frames[-1], **options)[0]) < distillation.LARGEST_DRIFT


def test_the_error_is_the_root_mean_square_of_differences(spheres):
    atoms, potential = spheres
    stronger = potential.with_parameters(np.array([1.0, 0.0, 1.5]))
    rough = atoms.copy()
    rough.rattle(0.3, seed=2)
    found = assess(stronger, potential, [rough])
    assert found.force_rms > 0.01
    assert found.force_error == pytest.approx(0.5 * found.force_rms)
    assert assess(potential, potential, [rough]).force_error == 0


def test_large_systems_are_sampled_less_often(spheres, short, monkeypatch):
    monkeypatch.setattr(distillation, "SAMPLED_ATOMS", 20 * len(spheres[0]))
    assert len(sample(spheres[1], spheres[0], progress=False)) == 20


def test_drift_of_a_good_inner_potential_is_small(tmp_path, spheres, short):
    inner = spheres[1].with_parameters(np.array([1.0, 0.0, 0.9]))
    options = {"timestep_fs": 8, "inner_steps": 4, "directory": tmp_path, "progress": False}
    drifts = check_drift(spheres[1], inner, spheres[0], **options)
    assert max(map(abs, drifts)) < 0.1
    assert check_drift(spheres[1], inner, spheres[0], **options) == drifts


def test_a_step_near_resonance_is_refused(spheres, short, monkeypatch):
    """With atoms of 1 amu a step of 39 fs is near half a period of their vibrations: kicks add up."""
    monkeypatch.setattr(distillation, "CHECK_PS", 4.0)
    atoms = spheres[0].copy()
    atoms.set_masses(np.ones(len(atoms)))
    inner = spheres[1].with_parameters(np.array([1.0, 0.0, 0.7]))
    options = {"ensemble": "nve", "temperature": 10, "progress": False}
    assert abs(check_drift(spheres[1], inner, atoms, timestep_fs=5, inner_steps=2, **options)[0]) < 0.1
    with pytest.raises(ElectrolyteError, match=r"with steps of 39 fs and an inner potential the energy drifts by \+"):
        check_drift(spheres[1], inner, atoms, timestep_fs=39, inner_steps=15, **options)
    with pytest.raises(ElectrolyteError, match="the check of the energy with steps of 50 fs ended early: the inner"):
        check_drift(spheres[1], inner, atoms, timestep_fs=50, inner_steps=20, **options)


def test_a_sampling_run_that_ends_early_is_an_error(spheres, short):
    attractive = spheres[1].with_parameters(np.array([1.0, 0.0, -20.0]))
    with pytest.raises(ElectrolyteError, match=r"the run that samples configurations .* ended early: "):
        sample(attractive, spheres[0], temperature=3000, progress=False)


def test_too_few_configurations_are_refused(spheres):
    with pytest.raises(InputError, match="4 configurations are too few"):
        distil(spheres[1], [spheres[0]] * 4)


def test_stretched_bonds_are_those_with_hydrogen():
    frames = [pack({"EC": 2, "EMC": 1}, 0.8, seed=3) for _ in range(2)]
    frames[1].wrap()
    copies = distillation.stretched(frames)
    topology = Topology.of(frames[0])
    numbers = frames[0].numbers
    moved = [np.abs(copy.positions - topology.whole(frame)).max(axis=1) > 1e-9 for copy, frame in zip(copies, frames)]
    assert (numbers[moved[0] | moved[1]] == 1).all() and 0 < moved[0].sum() + moved[1].sum() < (numbers == 1).sum()
    for copy, frame in zip(copies, frames):
        for i, j in topology.bonds:
            ratio = copy.get_distance(i, j, mic=True) / frame.get_distance(i, j, mic=True)
            assert 0.779 < ratio < 1.371
            if 1 not in numbers[[i, j]]:
                assert ratio == pytest.approx(1)
    assert distillation.stretched([pack({"Li": 1, "PF6": 1}, 0.8)]) == []


def test_the_fit_holds_for_bonds_that_the_sampling_lacks(liquid, short):
    """Stretched bonds that are not in the fit: without stretched ones in it, their forces are far off."""
    atoms, potential = liquid
    frames = sample(potential, atoms, relax=100, progress=False)
    outside = distillation.stretched(frames[::-1])
    expected = [potential.evaluate(atoms).forces for atoms in outside]

    def error(inner):
        terms, found = inner.terms(frames[0]), np.empty((len(outside), len(atoms), 3))
        for frame, forces in zip(outside, found):
            evaluate(terms, frame.positions, frame.cell.array, workspace(terms), forces)
        return np.sqrt(np.mean((found - expected) ** 2))

    narrow = fit_force_field(frames, [potential.evaluate(frame).forces for frame in frames])
    assert error(distil(potential, frames).inner) < 0.5 * error(narrow)
