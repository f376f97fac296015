import numpy as np
import pytest
from ase.data import vdw_radii
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, density, molecule, name_molecule, pack

AVOGADRO = 6.02214076e23


def one_by_one(composition):
    return [
        part
        for name, count in composition.items()
        for ion in (("Li", "PF6") if name == "LiPF6" else (name,))
        for part in [ion] * count
    ]


def molecule_numbers(names):
    return np.repeat(np.arange(len(names)), [len(MOLECULES[name].symbols) for name in names])


def closest_contact(atoms, names):
    """By ASE's neighbour list, which knows nothing of how the box was packed."""
    number = molecule_numbers(names)
    i, j, distance, shift = neighbor_list("ijdS", atoms, 4.0)
    between = (number[i] != number[j]) | shift.any(axis=1)
    radii = vdw_radii[atoms.numbers]
    for number, radius in {3: 0.76, 11: 1.02, 12: 0.72, 19: 1.38}.items():  # ions with six neighbours (Shannon)
        radii[atoms.numbers == number] = radius
    return (distance / (radii[i] + radii[j]))[between].min(initial=np.inf)


def assert_whole(atoms, names):
    """Every molecule has its own inner distances, without any periodic wrapping."""
    number = molecule_numbers(names)
    for k, name in enumerate(names):
        inner = atoms.positions[number == k]
        wanted = MOLECULES[name].positions
        assert list(atoms.symbols[number == k]) == list(MOLECULES[name].symbols)
        np.testing.assert_allclose(
            np.linalg.norm(inner[:, None] - inner, axis=2), np.linalg.norm(wanted[:, None] - wanted, axis=2), atol=1e-9
        )
        # A mirror image has the same distances: the handedness must be that of a rotation.
        rotation, *_ = np.linalg.lstsq(wanted, inner - np.average(inner, axis=0, weights=mass(name)), rcond=None)
        if np.linalg.matrix_rank(wanted, tol=1e-3) == 3:
            assert np.linalg.det(rotation) == pytest.approx(1.0)


def mass(name):
    return molecule(name).get_masses()


@settings(max_examples=25, deadline=None)
@given(
    counts=st.fixed_dictionaries({}, optional={"EC": st.integers(1, 4), "EMC": st.integers(1, 3), "LiPF6": st.just(1)}),
    wanted=st.floats(0.2, 1.0),
    seed=st.integers(0, 2**32),
)
def test_small_boxes_are_packed_without_contacts(counts, wanted, seed):
    if not counts:
        return
    atoms = pack(counts, wanted, seed=seed)
    names = [
        part for name, n in counts.items() for part in (["Li"] * n + ["PF6"] * n if name == "LiPF6" else [name] * n)
    ]
    assert atoms.pbc.all()
    assert np.allclose(atoms.cell, np.eye(3) * atoms.cell[0, 0])
    assert_whole(atoms, names)
    assert closest_contact(atoms, names) >= 0.9
    # g/cm³ from first principles: amu and Å³ by way of Avogadro's number
    assert atoms.get_masses().sum() / AVOGADRO / (atoms.cell[0, 0] * 1e-8) ** 3 == pytest.approx(wanted, rel=1e-6)
    assert density(atoms) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("composition", "wanted"),
    [({"EC": 2}, 1.3), ({"EC": 4}, 1.4), ({"EC": 16}, 1.3), ({"EMC": 2}, 1.0), ({"EC": 3, "EMC": 7, "LiPF6": 1}, 1.2)],
)
def test_liquid_densities_are_reached(composition, wanted):
    names = one_by_one(composition)
    atoms = pack(composition, wanted)
    assert closest_contact(atoms, names) >= 0.9
    assert_whole(atoms, names)


@pytest.mark.slow
def test_largest_box_of_the_paper():
    atoms = pack({"EC": 432}, 1.3)
    assert len(atoms) == 4320
    assert closest_contact(atoms, ["EC"] * 432) >= 0.9


@pytest.mark.parametrize(("salt", "distance"), [("LiPF6", 1.9), ("NaPF6", 2.2), ("KPF6", 2.6), ("Mg(TFSI)2", 2.0)])
def test_cations_begin_in_contact_with_their_donors(salt, distance):
    """Within 0.35 Å of a rough cation-oxygen distance of the solvated ion, where atomic radii leave more than 0.8."""
    nearest = []
    for seed in range(3):
        atoms = pack({"EC": 8, salt: 1}, 1.3, seed=seed)
        cation = np.flatnonzero(np.isin(atoms.numbers, (3, 11, 12, 19)))[0]
        donors = np.flatnonzero(np.isin(atoms.numbers, (8, 9)))
        nearest.append(atoms.get_distances(cation, donors, mic=True).min())
    assert abs(np.min(nearest) - distance) < 0.35


@settings(max_examples=10, deadline=None)
@given(salt=st.sampled_from(["LiPF6", "NaPF6", "LiTFSI"]), count=st.integers(1, 8), seed=st.integers(0, 99))
def test_cations_do_not_touch_each_other(salt, count, seed):
    atoms = pack({"EC": 8, salt: count}, 1.0, seed=seed)
    cations = np.flatnonzero(np.isin(atoms.symbols, ["Li", "Na"]))
    assert neighbor_list("d", atoms[cations], 12.0).min(initial=np.inf) >= 3.38  # Å


def test_same_seed_same_box_other_seed_other_box():
    first, again, other = (pack({"EC": 3}, 1.2, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.positions, again.positions)
    assert not np.allclose(first.positions, other.positions, atol=0.1)


def test_orientations_are_not_all_alike():
    atoms = pack({"EC": 16}, 1.0)
    axes = atoms.positions[1::10] - atoms.positions[0::10]  # the C=O of each
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    assert abs(axes.mean(axis=0)).max() < 0.6  # 16 random unit vectors: 0.14 per component; 0.6 is beyond 4 sigma


def test_salt_is_split_into_ions_and_charge_is_kept():
    atoms = pack({"EC": 1, "LiPF6": 2}, 0.8)
    assert list(atoms.symbols[10:12]) == ["Li", "Li"]
    assert (atoms.symbols == "F").sum() == 12
    assert atoms.info["charge"] == 0
    assert pack({"EC": 2, "Li": 1}, 0.8, charge=1).info["charge"] == 1


def test_a_charged_box_is_only_made_where_its_charge_is_stated():
    with pytest.raises(InputError, match=r"EC=2 Li=1: the charges sum to \+1 e \(Li \+1\), not to 0"):
        pack({"EC": 2, "Li": 1}, 0.8)
    with pytest.raises(InputError, match=r"sum to 0 e \(Mg \+2, PF6 -2\), not to -1"):
        pack({"EC": 2, "Mg(PF6)2": 1}, 0.8, charge=-1)


def test_molecules_of_ones_own_are_packed_under_their_names():
    pytest.importorskip("rdkit")
    own = {"MeOH": name_molecule("MeOH", "smiles:CO")}
    box = pack({"MeOH": 3, "EC": 1}, 0.7, own_molecules=own)
    assert str(box.symbols)[:6] == "COH4CO" and len(box) == 28
    with pytest.raises(InputError, match="no molecule 'MeOH'"):
        pack({"MeOH": 3}, 0.7)


@pytest.mark.parametrize(
    ("composition", "wanted"),
    [
        ({"EC": 8, "LiTFSI": 1}, 1.4),
        ({"TEGDME": 4, "LiTFSI": 2}, 1.1),
        ({"H2O": 20, "Mg(ClO4)2": 1}, 1.1),
        ({"PC": 10, "NaPF6": 1}, 1.25),
        ({"AN": 12, "LiBOB": 1}, 0.9),
        ({"SL": 6, "LiBF4": 1}, 1.3),
    ],
)
def test_other_electrolytes_reach_their_densities(composition, wanted):
    from electrolyte_ml.structures.composition import molecules_of

    names = [part.name for part in molecules_of(composition)]
    atoms = pack(composition, wanted)
    assert closest_contact(atoms, names) >= 0.9
    assert_whole(atoms, names)
    assert density(atoms) == pytest.approx(wanted)


def test_absent_species_of_a_series_may_be_zero():
    assert len(pack({"EC": 0, "EMC": 1}, 0.5)) == 15


@pytest.mark.parametrize(
    ("composition", "wanted", "message"),
    [
        ({"EC": 2}, 2.2, r"cannot pack EC=2 at 2.2 g/cm³.*lower the density"),
        ({"EC": 2}, 1e9, "density must lie between"),
        ({"EC": 2}, 0.0, "density must lie between"),
        ({"EC": 2}, -1.0, "density must lie between"),
        ({"EC": 2}, float("nan"), "density must lie between"),
        ({"XYZ": 2}, 1.0, "no molecule 'XYZ'; there are AN, .*LiPF6"),
        ({"EC": 1.5}, 1.0, "number of EC"),
        ({"EC": -1}, 1.0, "number of EC"),
        ({}, 1.0, "empty"),
        ({"EC": 0}, 1.0, "empty"),
    ],
)
def test_impossible_boxes_are_refused_in_one_line(composition, wanted, message):
    with pytest.raises(InputError, match=message) as caught:
        pack(composition, wanted)
    assert "\n" not in str(caught.value)


def test_density_needs_three_periods():
    atoms = molecule("EC")
    with pytest.raises(InputError, match="three directions"):
        density(atoms)
    atoms.set_cell([10, 10, 10])
    atoms.pbc = True, True, False
    with pytest.raises(InputError, match="three directions"):
        density(atoms)
    atoms.pbc = True
    atoms.set_cell([[10, 0, 0], [5, 0, 0], [0, 0, 10]])
    with pytest.raises(InputError, match="three directions"):
        density(atoms)
