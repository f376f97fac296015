"""Kinds of donors, each on molecules of which a chemist knows it."""

import numpy as np
import pytest
from ase.data import atomic_numbers

from electrolyte_ml.structures.donors import KINDS, RULES, donor_kinds

# SMILES -> kind of each heavy atom in its order, "" for none.
CASES = {
    "CO": ["", "hydroxyl"],
    "CC(=O)O": ["", "", "carbonyl", "hydroxyl"],
    "O": ["water"],
    "CC(C)=O": ["", "", "", "carbonyl"],
    "CN(C)C=O": ["", "amine", "", "", "carbonyl"],
    "COC": ["", "ether", ""],
    "CS(C)=O": ["", "", "", "sulfinyl"],
    "CS(C)(=O)=O": ["", "", "", "sulfonyl", "sulfonyl"],
    "COP(=O)(OC)OC": ["", "ether", "", "phosphoryl", "ether", "", "ether", ""],
    "CC#N": ["", "", "nitrile"],
    "C[N+](=O)[O-]": ["", "", "nitrate", "nitrate"],
    "COC(=O)C(=O)OC": ["", "ether", "", "oxalate", "", "oxalate", "ether", ""],
    "COB(OC)OC": ["", "borate", "", "borate", "", "borate", ""],
    "FC(F)F": ["", "", "", ""],
    "C[N+](C)(C)C": ["", "", "", "", ""],
    "c1ccncc1": ["", "", "", "amine", "", ""],
    "[F-]": ["halide"],
    "[Cl-]": ["halide"],
    "F[As-](F)(F)(F)(F)F": ["fluoride", "", *["fluoride"] * 5],
    "[O-][Cl+3]([O-])([O-])[O-]": ["perchlorate", "", *["perchlorate"] * 3],
    "C[Si](C)(C)[O-]": ["", "", "", "", "oxide"],
}


@pytest.mark.parametrize("smiles", CASES)
def test_kinds_of_heavy_atoms(smiles):
    chem = pytest.importorskip("rdkit.Chem")
    heavy = chem.MolFromSmiles(smiles)
    mol = chem.AddHs(heavy)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]).reshape(-1, 2)
    found = donor_kinds(numbers, bonds).tolist()
    assert found[: heavy.GetNumAtoms()] == CASES[smiles]
    assert set(found[heavy.GetNumAtoms() :]) <= {""}


def test_every_rule_is_met_by_a_case_or_the_library():
    from electrolyte_ml.structures import MOLECULES

    met = {kind for kinds in CASES.values() for kind in kinds if kind}
    met |= {kind for record in MOLECULES.values() for kind in record.donors}
    assert met == set(KINDS) and len(KINDS) == len(RULES)


def test_metals_and_noble_gases_are_no_donors():
    numbers = np.array([atomic_numbers[symbol] for symbol in ("Li", "Mg", "Ar", "C", "H")])
    assert donor_kinds(numbers, np.zeros((0, 2), int)).tolist() == [""] * 5
