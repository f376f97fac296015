"""Force errors by element, species and site."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis import group_atoms, group_errors
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.structures.smiles import molecule_from_smiles


@pytest.fixture(scope="module")
def box():
    """Two EC, one EMC, LiPF6, wrapped into the cell so that molecules are cut."""
    atoms = pack({"EC": 2, "EMC": 1, "Li": 1, "PF6": 1}, 1.2, seed=3)
    atoms.positions += 0.4 * atoms.cell.array.sum(axis=0)
    atoms.wrap()
    return atoms


def forces_for(atoms, seed=0):
    return np.random.default_rng(seed).normal(size=(len(atoms), 3))


def table(rows):
    return {(row.species, row.name): row for row in rows}


def test_molecules_are_found_across_the_boundary(box):
    groups = group_atoms([box, box])
    assert groups.molecules == {"EC": 4, "EMC": 2, "Li": 2, "PF6": 2}
    assert groups.unrecognised == {} and groups.affected == 0
    assert (groups.species != "").all()
    assert groups.elements.tolist() == 2 * box.get_chemical_symbols()


def test_an_error_on_one_site_shows_in_that_site_alone(box):
    groups = group_atoms([box])
    reference = forces_for(box)
    chosen = (groups.species == "EC") & (groups.sites == "carbonyl C")
    assert chosen.sum() == 2
    predicted = reference.copy()
    predicted[chosen] += [0.3, 0.0, 0.0]
    errors = group_errors(groups, reference, predicted, 1)
    for key, row in table(errors.sites).items():
        expected = 0.3 / np.sqrt(3) if key == ("EC", "carbonyl C") else 0.0
        assert row.rmse == pytest.approx(expected, abs=1e-12)
    species = table(errors.species)
    assert species["", "EMC"].rmse == species["", "PF6"].rmse == 0.0
    assert species["", "EC"].rmse == pytest.approx(0.3 / np.sqrt(3) * np.sqrt(2 / 20))
    carbon = box.get_chemical_symbols().count("C")
    assert table(errors.elements)["", "C"].rmse == pytest.approx(0.3 / np.sqrt(3) * np.sqrt(2 / carbon))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_permutations_of_atoms_and_molecules_change_nothing(box, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(box))
    reference, predicted = forces_for(box, 1), forces_for(box, 2)
    plain = group_errors(group_atoms([box]), reference, predicted, 1)
    shuffled = box[order]
    shuffled.positions += rng.integers(-2, 3, (len(box), 3)) @ box.cell.array
    other = group_errors(group_atoms([shuffled]), reference[order], predicted[order], 1)
    for kind in ("elements", "species", "sites"):
        here, there = table(getattr(plain, kind)), table(getattr(other, kind))
        assert here.keys() == there.keys()
        for key, row in here.items():
            assert (there[key].atoms, there[key].rmse) == (row.atoms, pytest.approx(row.rmse))
            assert there[key].size == pytest.approx(row.size)


def test_sites_partition_the_error(box):
    """Mean squares of the sites, weighted by their atoms, add up to that of all atoms."""
    reference, predicted = forces_for(box, 1), forces_for(box, 2)
    errors = group_errors(group_atoms([box]), reference, predicted, 1)
    total = ((predicted - reference) ** 2).mean()
    for rows in (errors.elements, errors.species, errors.sites):
        assert sum(row.atoms for row in rows) == len(box)
        assert sum(row.atoms * row.rmse**2 for row in rows) / len(box) == pytest.approx(total)


def broken():
    """One whole EC, and one whose C-C bond is 3 Å long and whose ring so falls open: no molecule of the library."""
    whole = molecule("EC")
    torn = whole.copy()
    hydrogen = int(np.flatnonzero(torn.numbers == 1)[0])
    torn.positions[hydrogen] += 3.0 * torn.positions[hydrogen] / np.linalg.norm(torn.positions[hydrogen])
    torn.positions += [15.0, 0.0, 0.0]
    atoms = whole + torn
    atoms.info.clear()
    return atoms


def test_broken_molecules_are_counted_and_not_averaged():
    atoms = broken()
    groups = group_atoms([molecule("EC"), atoms])
    assert groups.molecules == {"EC": 2}
    assert groups.unrecognised == {"C3H3O3": 1, "H": 1}
    assert groups.affected == 1
    reference = np.zeros((30, 3))
    predicted = reference.copy()
    predicted[20:] = 5.0  # on the atoms of the broken one
    errors = group_errors(groups, reference, predicted, 2)
    assert all(row.rmse == 0.0 for row in (*errors.species, *errors.sites))
    assert all(row.rmse > 1.0 for row in errors.elements)
    assert "1 C3H3O3, 1 H" in errors.excluded and "1 of 2 configurations" in str(errors)


def test_fused_molecules_are_counted():
    first, second = molecule("EC"), molecule("EC")
    oxygen = first.positions[[k for k in range(10) if first.symbols[k] == "O"]]
    end = max(oxygen, key=np.linalg.norm)
    second.positions = -second.positions + 2 * end + 1.3 * end / np.linalg.norm(end)
    groups = group_atoms([first + second])
    assert groups.molecules == {} and groups.unrecognised == {"C6H8O6": 1}


def test_a_molecule_of_the_user_is_recognised():
    rdkit = pytest.importorskip("rdkit")
    assert rdkit
    ether = molecule_from_smiles("CCOCC")
    atoms = Atoms(ether.symbols, ether.positions)
    assert group_atoms([atoms]).unrecognised == {"C4H10O": 1}
    groups = group_atoms([atoms], {"DEE": ether})
    assert groups.molecules == {"DEE": 1}
    assert set(groups.sites.tolist()) == {"CH3", "CH2", "ether O", "H of CH3", "H of CH2"}


def test_an_ensemble_has_a_mean_and_a_spread(box):
    groups = group_atoms([box])
    reference = forces_for(box)
    predicted = np.stack([reference + error for error in (0.1, 0.2, 0.3)])
    errors = group_errors(groups, reference, predicted, 1)
    assert errors.potentials == 3
    for row in (*errors.elements, *errors.species, *errors.sites):
        assert row.rmse == pytest.approx(0.2) and row.spread == pytest.approx(0.1)
    single = group_errors(groups, reference, predicted[0], 1)
    assert all(np.isnan(row.spread) for row in single.sites)


def test_bad_input(box):
    groups = group_atoms([box])
    with pytest.raises(InputError, match="shapes"):
        group_errors(groups, np.zeros((3, 3)), np.zeros((3, 3)), 1)
    with pytest.raises(InputError, match="finite"):
        group_errors(groups, np.zeros((len(box), 3)), np.full((len(box), 3), np.nan), 1)
    with pytest.raises(InputError, match="no configurations"):
        group_atoms([])
