"""The loop with charges: three ratios of a mixture whose labels are those of charges and of a soft repulsion."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from electrolyte_ml.active_learning import ActiveLearningSettings, ActiveSet, active_learn
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    GradeSettings,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, Sum, load
from electrolyte_ml.potentials.blocks import slices
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.reference import get
from electrolyte_ml.structures import read_configurations

SPECIES = ("Na", "Cl", "Ar")
RATIOS = ((10, 10, 4), (8, 8, 8), (4, 4, 16))


def mixture(counts, seed, side=8.5):
    """Atoms of each species on shuffled places of a cubic lattice."""
    rng = np.random.default_rng(seed)
    places = (np.indices((3, 3, 3)).reshape(3, -1).T + 0.5) * side / 3
    symbols = [symbol for symbol, n in zip(SPECIES, counts, strict=True) for _ in range(n)]
    atoms = Atoms(symbols, rng.permutation(places)[: sum(counts)], cell=[side] * 3, pbc=True)
    atoms.rattle(0.2, seed=seed)
    return atoms


@pytest.fixture(scope="module")
def truth():
    """Charges that depend on the composition, and 0.6 eV/Å^2 (4 Å - r)^2 for each pair of atoms."""
    soft = MomentTensorPotential.random(2, SPECIES, radial_basis_size=1, cutoff=4.0, min_distance=0.5, scaling=0.3)
    theta = np.zeros(soft.n_parameters)
    for block, place in slices(soft.blocks):
        theta[place] = {"radial": 1.0, "moments": 1.0, "shifts": 0.0}[block.name]
    charges = QRd.from_values(SPECIES, {"Na": 0.5, "Cl": -0.4, "Ar": 0.1}, {"Na": 1.0, "Cl": 2.0, "Ar": 0.5})
    return Sum((soft.with_parameters(theta), charges))


@pytest.fixture(scope="module")
def reference(truth):
    return get(truth.calculator(), charge_in_info=True, name="toy", model=truth.fingerprint)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    start = tmp_path_factory.mktemp("mixture") / "start.xyz"
    write(start, [mixture(counts, seed) for seed, counts in enumerate(RATIOS)])
    return ActiveLearningSettings(
        start=str(start),
        model=ModelSpec(level=4, cutoff=4.0, radial_basis_size=3, min_distance=0.5, charges="qrd"),
        reference=ReferenceSettings("toy"),
        seeding=SeedingSettings(temperature=600.0, time_ps=0.04, timestep_fs=4.0, trajectories=3, configurations=12),
        exploration=ExplorationSettings(
            "nvt", trajectories=3, time_ps=0.2, timestep_fs=4.0, temperature=600.0, watch_molecules=False
        ),
        grades=GradeSettings(interval_fs=20.0),
        fit=FitSettings(iterations=100, refit_iterations=30),
        stopping=StoppingSettings(quiet_iterations=1, max_iterations=10),
        jobs=1,
    )


@pytest.fixture(scope="module")
def finished(settings, reference, tmp_path_factory):
    return active_learn(tmp_path_factory.mktemp("loop") / "run", settings, reference=reference, progress=False)


@pytest.mark.slow
def test_three_ratios_end_by_themselves_with_the_charges_of_the_labels(finished, truth):
    assert finished.converged and len(finished.status) > 2
    assert any(row.selected for row in list(finished.status)[1:])
    assert (finished.status[-1].saved, finished.status[-1].stops) == (0, {"completed": 3})
    assert finished.status[-1].ranks["qrd"] == [4, 4]
    assert finished.status.undetermined == ""
    for counts in (*RATIOS, (6, 6, 12)):
        atoms = mixture(counts, 99)
        ours, theirs = finished.potential.evaluate(atoms), truth.evaluate(atoms)
        np.testing.assert_allclose(ours.charges, theirs.charges, atol=0.01)
        np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-3)


@pytest.mark.slow
def test_the_final_set_has_rows_of_all_terms(finished):
    active_set = ActiveSet.load(finished.directory / "active_set.npz", load(finished.directory / "potential.pot"))
    assert active_set.terms == () and active_set.result.matrix.shape == 2 * (finished.potential.n_parameters,)
    training = read_configurations(finished.directory / "training_set.xyz")
    assert max(map(active_set.grade, training)) <= 1.001 * (1 + 1e-4)  # positions have eight decimals


@pytest.mark.slow
def test_other_rows_are_refused_in_a_directory_that_has_been_begun(finished, settings, reference):
    other = replace(settings, grades=replace(settings.grades, terms="mtp"))
    with pytest.raises(InputError, match=r"other settings \(grades\.terms\)"):
        active_learn(finished.directory, other, reference=reference, progress=False)


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_bits(finished, settings, truth, tmp_path, killed_runs):
    directory, path = tmp_path / "run", tmp_path / "truth.pot"
    directory.mkdir()
    truth.save(path)
    (directory / "settings.toml").write_text(settings.to_toml())
    model = f"load({str(path)!r})"
    made = f'get({model}.calculator(), charge_in_info=True, name="toy", model={model}.fingerprint)'
    killed_runs(directory, made, kills=3)
    for name in ("potential.pot", "training_set.xyz", "active_set.npz"):
        assert (directory / name).read_bytes() == (finished.directory / name).read_bytes(), name


def test_one_ratio_leaves_charges_free_and_says_so(settings, reference, tmp_path, capsys):
    write(tmp_path / "start.xyz", mixture(RATIOS[0], 0))
    short = replace(
        settings,
        start=str(tmp_path / "start.xyz"),
        exploration=replace(settings.exploration, time_ps=0.02, trajectories=1),
        grades=replace(settings.grades, terms="mtp"),
        fit=FitSettings(iterations=5, refit_iterations=5),
        stopping=StoppingSettings(max_iterations=1),
    )
    result = active_learn(tmp_path / "run", short, reference=reference)
    assert result.active_set.terms == ("mtp",)
    assert list(result.status[-1].ranks) == ["mtp"]
    free = "The training set does not fix the difference Cl - Na of ln s, the difference Ar - Na of ln s."
    assert str(result.status).splitlines()[-1] == free
    assert capsys.readouterr().out.count(free) == 1


@pytest.mark.parametrize("terms", ["qdr", "zbl"])
def test_terms_that_give_no_rows_are_refused_before_anything_is_written(settings, reference, tmp_path, terms):
    model = replace(settings.model, repulsion="zbl")
    wrong = replace(settings, model=model, grades=replace(settings.grades, terms=terms))
    with pytest.raises(InputError, match=f"settings: grades.terms: .*{terms}"):
        active_learn(tmp_path / "run", wrong, reference=reference, progress=False)
    assert not (tmp_path / "run").exists()
