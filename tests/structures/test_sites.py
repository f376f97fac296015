"""Sites of molecules: which atoms are equivalent, and their names."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.sites import site_names

EXPECTED = {  # by hand, from the structural formulas: site -> atoms
    "EC": {"carbonyl C": 1, "carbonyl O": 1, "ether O": 2, "CH2": 2, "H of CH2": 4},
    "EMC": {
        "carbonyl C": 1, "carbonyl O": 1, "ether O by CH3": 1, "ether O by CH2": 1, "CH3 by ether O": 1,
        "CH3 by CH2": 1, "CH2": 1, "H of CH3 by ether O": 3, "H of CH3 by CH2": 3, "H of CH2": 2,
    },
    "PF6": {"P": 1, "F": 6},
    "Li": {"Li": 1},
    "TFSI": {"C": 2, "F": 6, "S": 2, "sulfonyl O": 4, "imide N": 1},
    "H2O": {"water O": 1, "H of water O": 2},
}  # fmt: skip


def counted(names):
    return {name: names.count(name) for name in names}


@pytest.mark.parametrize("name", EXPECTED)
def test_sites_of_known_molecules(name):
    molecule = MOLECULES[name]
    assert counted(site_names(molecule.numbers, np.array(molecule.bonds))) == EXPECTED[name]


@pytest.mark.parametrize("name", list(MOLECULES))
def test_a_name_is_of_one_site_and_a_site_has_one_name(name):
    molecule = MOLECULES[name]
    names = site_names(molecule.numbers, np.array(molecule.bonds))
    pairs = set(zip(molecule.graph.sites.tolist(), names))
    assert len(pairs) == len(set(names)) == len(set(molecule.graph.sites.tolist()))


@given(order=st.permutations(range(15)))
def test_the_order_of_atoms_does_not_matter(order):
    molecule = MOLECULES["EMC"]
    place = np.argsort(order)  # of each old atom among the new ones
    names = site_names(molecule.numbers[list(order)], place[np.array(molecule.bonds)])
    assert names == [site_names(molecule.numbers, np.array(molecule.bonds))[atom] for atom in order]


def test_equivalent_atoms_have_equal_distances():
    """In the symmetric minima of the library, equivalent heavy atoms lie at one distance from the centre."""
    for name, symbol in (("PF6", "F"), ("BF4", "F"), ("ClO4", "O")):
        molecule = MOLECULES[name]
        sites = molecule.graph.sites
        for site in set(sites.tolist()):
            lengths = np.linalg.norm(Atoms(molecule.symbols, molecule.positions).positions[sites == site], axis=1)
            assert np.ptp(lengths) < 0.02, symbol
