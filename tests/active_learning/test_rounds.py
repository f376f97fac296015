"""Seeding in rounds, with a reference of springs: which steps are taken, and when it ends."""

import numpy as np
import pytest
from ase.build import bulk

from electrolyte_ml.active_learning import rounds
from electrolyte_ml.active_learning.ranks import SpeciesBlocks
from electrolyte_ml.active_learning.rounds import seed_in_rounds
from electrolyte_ml.active_learning.sections import SeedingSettings
from electrolyte_ml.active_learning.seeding import Start, run_walkers
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.reference import Label, LabelStore, Reference

STEPS = 6


class Springs(Reference):
    """Each atom on a spring to where it began, but for the motion of all atoms together: the forces sum to zero."""

    name, version, settings = "springs", "1", {}

    def __init__(self, anchors):
        self.anchors, self.calls = anchors, 0

    def _compute(self, atoms, safer):
        self.calls += 1
        away = atoms.positions - self.anchors
        away -= away.mean(axis=0)
        return Label(0.5 * (away**2).sum(), -away, np.zeros(6))


@pytest.fixture
def alloy():
    """32 atoms, one of them Ar."""
    atoms = bulk("Xe", "fcc", a=6.2, cubic=True) * (2, 2, 2)
    atoms.symbols[5] = "Ar"
    return atoms


@pytest.fixture(scope="module")
def potential():
    return MomentTensorPotential.random(4, ("Ar", "Xe"), cutoff=6.0, min_distance=2.0, radial_basis_size=4)


def seed(alloy, potential, folder, count, rounds_=1, mode="neighbourhood", **options):
    seeding = SeedingSettings(temperature=300.0, time_ps=STEPS * 0.05, timestep_fs=50.0, **options)
    given = [[Start(alloy)] * count for _ in range(rounds_)]
    reference, store = Springs(alloy.positions), LabelStore(folder)
    return seed_in_rounds(given, potential, mode, reference, store, seeding, jobs=1, progress=False), reference


def rows_of(potential, configurations, name):
    columns = SpeciesBlocks.of(potential).columns[name]
    rows = [potential.site_energy_gradients(atoms)[atoms.symbols == name][:, columns] for atoms in configurations]
    return np.concatenate(rows)


def scaled_rank(rows):
    """By singular values, columns scaled alike."""
    size = np.sqrt((rows**2).mean(axis=0))
    return np.linalg.matrix_rank(rows[:, size > 0] / size[size > 0], tol=1e-7 * np.sqrt(len(rows)))


def test_the_steps_taken_span_what_all_steps_span(alloy, potential, tmp_path):
    seeds, _ = seed(alloy, potential, tmp_path, 8)
    assert seeds.labels == 8 * STEPS
    seeding = SeedingSettings(temperature=300.0, time_ps=STEPS * 0.05, timestep_fs=50.0)
    walkers = run_walkers([alloy] * 8, Springs(alloy.positions), LabelStore(tmp_path), seeding, jobs=1, progress=False)
    steps = [atoms for walker in walkers for atoms in walker.samples]
    for name in ("Ar", "Xe"):
        whole, part = (rows_of(potential, atoms, name) for atoms in (steps, seeds.chosen))
        assert scaled_rank(part) == scaled_rank(whole) == seeds.ranks[name][0]
        # Every row is a combination of those taken with coefficients of about one at most.
        least = np.linalg.lstsq(part.T, whole.T, rcond=1e-12)[0]
        assert np.abs(least).max() <= 1.01


def test_what_is_taken_says_where_it_is_from(alloy, potential, tmp_path):
    seeds, _ = seed(alloy, potential, tmp_path, 8)
    places = [atoms.info["parent"] for atoms in seeds.chosen]
    assert len(set(places)) == len(places)
    assert {place.split("/")[0] for place in places} == {"seeding"}
    assert all(int(place.split("/")[1]) < 8 and int(place.split("/")[2]) < STEPS for place in places)
    assert not any("rich_cell" in atoms.info for atoms in seeds.chosen)


@pytest.mark.parametrize(("asked", "taken"), [(0, None), (10, 10), (40, 40)])
def test_the_number_asked_for_is_the_number_taken(alloy, potential, tmp_path, asked, taken):
    seeds, _ = seed(alloy, potential, tmp_path, 8, configurations=asked)
    if taken is None:
        assert len(seeds.chosen) >= 8 * STEPS / 2
    else:
        assert len(seeds.chosen) == taken


def test_rounds_go_on_until_nothing_new_is_far(alloy, potential, tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "FAR", np.inf)
    seeds, _ = seed(alloy, potential, tmp_path / "near", 8, 3)
    assert (seeds.labels, seeds.shortage(SeedingSettings())) == (8 * STEPS, "")
    monkeypatch.setattr(rounds, "FAR", 1e-3)
    seeds, reference = seed(alloy, potential, tmp_path / "far", 8, 3)
    assert seeds.labels == 3 * 8 * STEPS
    assert reference.calls == 1 + 3 * 8 * STEPS  # all begin at the same place
    text = seeds.shortage(SeedingSettings())
    rank, most = seeds.ranks["Ar"]
    assert f"Ar (rank {rank} of {most}, grades up to" in text and "\n" not in text
    assert "above 64" in text and "seeding.time_ps" in text and "composition" in text


def test_grades_are_those_of_the_last_trajectories_by_the_others(alloy, potential, tmp_path):
    """One Ar in each cell has a 31st of the rows of Xe: its grades are higher, and fall with more trajectories."""
    few, _ = seed(alloy, potential, tmp_path, 2)
    many, _ = seed(alloy, potential, tmp_path, 16)
    assert few.grades["Ar"] > 3 * few.grades["Xe"]
    assert few.grades["Ar"] > many.grades["Ar"]
    assert few.ranks["Ar"][0] <= many.ranks["Ar"][0] <= many.ranks["Ar"][1] == 9


def test_trajectories_that_are_set_are_run_and_judged(alloy, potential, tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "FAR", 1e-3)
    seeds, _ = seed(alloy, potential, tmp_path, 2, trajectories=2)
    assert seeds.labels == 2 * STEPS
    assert "leave out seeding.trajectories = 2, or raise it" in seeds.shortage(SeedingSettings(trajectories=2))


def test_rows_may_be_whole_configurations(alloy, potential, tmp_path):
    seeds, _ = seed(alloy, potential, tmp_path, 8, mode="configuration")
    assert 0 < seeds.ranks["Xe"][0] <= seeds.labels
