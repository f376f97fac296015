"""Active sets over a model small enough to know the answers: site energies linear in a few pair functions."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.errors import InputError


class PairModel:
    """E_i = sum_k theta[z_i, k] sum_j exp(-r_ij^2 / w_k), with an energy per atom of each species."""

    widths = np.array([1.0, 2.0, 4.0])
    cutoff = 5.0
    species = ("H", "O")

    def __init__(self, parameters=None):
        self.fingerprint = str(parameters)

    def site_energy_gradients(self, atoms):
        distances = atoms.get_all_distances(mic=True)
        inside = (distances > 0) & (distances < self.cutoff)
        functions = np.where(inside[..., None], np.exp(-(distances[..., None] ** 2) / self.widths), 0.0).sum(axis=1)
        sites = np.column_stack([functions, np.ones(len(atoms))])  # (N, 4)
        rows = np.zeros((len(atoms), 8))
        for i, symbol in enumerate(atoms.symbols):
            rows[i, 4 * self.species.index(symbol) :][:4] = sites[i]
        return rows

    def energy_gradient(self, atoms):
        return self.site_energy_gradients(atoms).sum(axis=0)


def water_like(seed, spread=0.1):
    rng = np.random.default_rng(seed)
    positions = np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [3.0, 0, 0], [3.0, 1, 0], [3.0, 0, 1]])
    return Atoms("OH2OH2", positions + rng.normal(scale=spread, size=(6, 3)), cell=[8, 8, 8], pbc=True)


@pytest.fixture(scope="module")
def training():
    return [water_like(seed) for seed in range(40)]


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_training_set_is_interpolated_and_the_far_away_is_not(training, mode):
    active_set = ActiveSet.build(PairModel(), training, mode)
    assert max(active_set.grade(atoms) for atoms in training) <= 1.001 * (1 + 1e-9)
    squeezed = training[0].copy()
    squeezed.set_cell(squeezed.cell * 0.5, scale_atoms=True)
    assert active_set.grade(squeezed) > 3


def test_grade_of_a_configuration_is_eq_11(training):
    model = PairModel()
    active_set = ActiveSet.build(model, training)
    atoms = water_like(99, spread=0.3)
    expected = np.abs(np.linalg.solve(active_set.result.matrix.T, model.energy_gradient(atoms))).max()
    assert active_set.grade(atoms) == pytest.approx(expected, rel=1e-9)


def test_grade_of_a_neighbourhood_is_local(training):
    active_set = ActiveSet.build(PairModel(), training, "neighbourhood")
    atoms = training[0].copy()
    # a strange cluster far from the molecules: only its own atoms are strange
    atoms.set_cell([40, 8, 8])
    atoms += Atoms("OH2", [[20.0, 0, 0], [20.2, 0, 0], [20, 0.2, 0]])
    grades = active_set.grades(atoms)
    assert grades.shape == (9,)
    assert grades[:6].max() <= 1.001 * (1 + 1e-9)
    assert grades[6:].max() > 2
    assert active_set.grade(atoms) == grades.max()


def test_atoms_have_no_grade_in_configuration_mode(training):
    with pytest.raises(InputError, match="neighbourhood"):
        ActiveSet.build(PairModel(), training).grades(training[0])


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_selection_takes_the_new_and_leaves_the_known(training, mode):
    active_set = ActiveSet.build(PairModel(), training, mode)
    strange = training[1].copy()
    strange.positions[1] += [0.5, 0.5, 0]
    candidates = [training[3], strange, training[5], strange.copy()]
    assert active_set.select(candidates).tolist() == [1]
    assert active_set.select([]).tolist() == []
    enlarged = ActiveSet.build(PairModel(), [*training, strange], mode)
    assert enlarged.grade(strange) <= 1.001 * (1 + 1e-9)
    assert 40 in enlarged.active


def test_a_higher_threshold_selects_fewer_and_leaves_none_above_it(training):
    model = PairModel()
    active_set = ActiveSet.build(model, training)
    candidates = [water_like(seed, spread=0.25) for seed in range(100, 160)]
    few, many = active_set.select(candidates, 2.0), active_set.select(candidates)
    assert 0 < len(few) < len(many)
    enlarged = ActiveSet.build(model, [*training, *(candidates[k] for k in few)])
    assert max(enlarged.grade(atoms) for atoms in candidates) < max(active_set.grade(atoms) for atoms in candidates)


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_saved_and_loaded_grades_alike(training, mode, tmp_path):
    active_set = ActiveSet.build(PairModel(), training, mode)
    active_set.save(tmp_path / "set.npz")
    loaded = ActiveSet.load(tmp_path / "set.npz", PairModel())
    atoms = water_like(77, spread=0.2)
    assert loaded.mode == mode
    assert loaded.grade(atoms) == pytest.approx(active_set.grade(atoms), rel=1e-6)
    assert loaded.select([atoms]).tolist() == active_set.select([atoms]).tolist()
    assert np.array_equal(loaded.active, active_set.active)


def test_grading_with_another_potential_is_refused(training, tmp_path):
    ActiveSet.build(PairModel(), training).save(tmp_path / "set.npz")
    with pytest.raises(InputError, match=r"set\.npz.*another potential"):
        ActiveSet.load(tmp_path / "set.npz", PairModel(np.arange(8)))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_refused_by_name(content, tmp_path):
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"set\.npz"):
        ActiveSet.load(tmp_path / "set.npz", PairModel())


def test_a_missing_file_stays_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        ActiveSet.load(tmp_path / "none.npz", PairModel())


def test_another_archive_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", a=np.ones(3))
    with pytest.raises(InputError, match=r"set\.npz is damaged: it has no 'format'"):
        ActiveSet.load(tmp_path / "set.npz", PairModel())


def test_wrong_requests(training):
    with pytest.raises(InputError, match="mode 'atom'"):
        ActiveSet.build(PairModel(), training, "atom")
    with pytest.raises(InputError, match="at least one"):
        ActiveSet.build(PairModel(), [])


def test_overlapping_atoms_are_named_by_configuration(training):
    class Overlapping(PairModel):
        def energy_gradient(self, atoms):
            return super().energy_gradient(atoms) * (np.nan if atoms.info.get("bad") else 1)

    bad = training[0].copy()
    bad.info["bad"] = True
    with pytest.raises(InputError, match="configuration 3"):
        ActiveSet.build(Overlapping(), [*training[:2], bad])


@pytest.fixture
def damageable(tmp_path, training):
    path, model = tmp_path / "active_set.npz", PairModel()
    ActiveSet.build(model, training).save(path)
    return path, model


def rewrite(path, **changes):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, **arrays | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"matrix": np.full((3, 3), np.nan)},
        {"matrix": np.ones((3, 2))},
        {"matrix": np.array(1.0)},
        {"index": np.array(["a"])},
        {"active": np.array([-3])},
        {"threshold": np.array(np.inf)},
        {"threshold": np.array(-1.0)},
        {"threshold": np.array("high")},
        {"mode": np.array("nonsense")},
        {"swaps": np.array([1, 2])},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(damageable, changes):
    path, potential = damageable
    assert ActiveSet.load(path, potential).threshold > 1
    rewrite(path, **changes)
    with pytest.raises(InputError, match=r"active_set\.npz is damaged"):
        ActiveSet.load(path, potential)
