"""Molecules as graphs: equal under any order of atoms, different for isomers."""

import numpy as np
import pytest
from ase.data import atomic_numbers
from hypothesis import given
from hypothesis import strategies as st

from electrolyte_ml.structures import MOLECULES
from electrolyte_ml.structures.graphs import BondGraph
from electrolyte_ml.structures.library import recognise


def graph(smiles):
    chem = pytest.importorskip("rdkit.Chem")
    mol = chem.AddHs(chem.MolFromSmiles(smiles))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    return np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()]), np.array(bonds)


def shuffled(numbers, bonds, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(numbers))  # new atom k is the old atom order[k]
    bonds = rng.permutation(np.argsort(order)[bonds])
    return numbers[order], bonds[:, ::-1] if rng.random() < 0.5 else bonds


@given(seed=st.integers(0, 2**32), name=st.sampled_from([name for name, m in MOLECULES.items() if m.bonds]))
def test_a_mapping_carries_elements_and_bonds_of_any_order(seed, name):
    record = MOLECULES[name]
    numbers, bonds = shuffled(record.numbers, np.array(record.bonds), seed)
    mapping = record.graph.mapping_to(BondGraph(numbers, bonds))
    assert sorted(mapping) == list(range(len(numbers)))
    np.testing.assert_array_equal(numbers[mapping], record.numbers)
    carried = {frozenset(mapping[list(pair)].tolist()) for pair in record.bonds}
    assert carried == {frozenset(pair) for pair in bonds.tolist()}


# Isomers of one formula, most with the same numbers of each group.
@pytest.mark.parametrize(
    ("name", "isomers"),
    [
        ("DMC", ["COCC(=O)O", "CC(O)C(=O)O", "C1OCOCO1", "COC(=O)CO", "COCOC=O"]),
        ("EMC", ["CCCOC(=O)O", "COC(=O)COC", "CC(C)OC(=O)O", "COCCC(=O)O"]),
        ("DEC", ["CCCOC(=O)OC", "CC(C)OC(=O)OC", "CCCCOC(=O)O"]),
        ("PC", ["C1COC(=O)OC1", "COC(=O)C(=O)C", "CC(=O)OC(C)=O"]),
        ("GBL", ["C=CC(=O)OC", "CC(=O)OC=C", "CC1CC(=O)O1", "CC(=O)C(C)=O", "C1CC(=O)CO1", "C1COC=CO1"]),
        ("VC", ["O=CC(=O)C=O", "O=C1C(O)=C1O"]),
        ("DOL", ["COC(C)=O", "CCOC=O", "CCC(=O)O", "C1CC(O)O1"]),
        ("DME", ["CCOOCC", "COC(C)OC", "CCCCOO", "CCOCOC", "OCCCCO"]),
        ("SL", ["C=CCS(=O)(=O)C", "CC1CCS1(=O)=O", "C1CCOS(=O)C1"]),
        ("AN", ["C[N+]#[C-]", "C=C=N"]),
        ("EC", ["C1OCOC1=O", "OCC(=O)C=O", "COC(=O)C=O"]),
        ("TEGDME", ["COCCOCCOCCOCOCC", "CCOCCOCCOCCOCCO"]),
    ],
)
def test_isomers_are_not_taken_for_it(name, isomers):
    record = MOLECULES[name]
    for smiles in isomers:
        numbers, bonds = graph(smiles)
        assert sorted(numbers) == sorted(record.numbers), smiles
        assert record.graph.mapping_to(BondGraph(numbers, bonds)) is None, smiles
        assert recognise(numbers, bonds, np.zeros(len(numbers), int)) == [None], smiles


def test_graphs_that_colours_cannot_tell_apart_are_told_apart():
    """Two fused six-membered rings, and two five-membered rings joined by a bond, bare of hydrogens."""
    numbers = np.full(10, 6)
    fused = np.array([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (5, 6), (6, 7), (7, 8), (8, 9), (9, 4)])
    joined = np.array([(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 5)])
    decalin, bicyclopentyl = BondGraph(numbers, fused), BondGraph(numbers, joined)
    assert decalin.fingerprint == bicyclopentyl.fingerprint
    assert decalin.mapping_to(bicyclopentyl) is None
    for bonds in (fused, joined):
        assert BondGraph(numbers, bonds).mapping_to(BondGraph(*shuffled(numbers, bonds, 3))) is not None


def test_a_graph_in_pieces_is_not_connected():
    assert BondGraph(np.array([6, 8]), np.array([(0, 1)])).is_connected()
    assert not BondGraph(np.array([6, 8, 1]), np.array([(0, 1)])).is_connected()
    assert BondGraph(np.array([3]), np.zeros((0, 2))).is_connected()


def test_molecules_of_a_mixture_are_named_in_their_order():
    names = ["EC", "Li", "DMC", "H2O", "EC", "TFSI", "K", "PC"]
    numbers = np.concatenate([MOLECULES[name].numbers for name in names])
    molecule = np.repeat(np.arange(len(names)), [len(MOLECULES[name].symbols) for name in names])
    starts = np.searchsorted(molecule, np.arange(len(names)))
    bonds = np.concatenate([np.reshape(MOLECULES[n].bonds, (-1, 2)) + s for n, s in zip(names, starts)]).astype(int)
    # Numbers of molecules need not follow the order of atoms.
    swap = np.random.default_rng(1).permutation(len(names))
    assert recognise(numbers, bonds, swap[molecule]) == [names[k] for k in np.argsort(swap)]
    assert recognise(np.array([atomic_numbers["Xe"]]), np.zeros((0, 2)), np.zeros(1, int)) == [None]
