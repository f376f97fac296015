"""Motifs are what they say, for any salt and solvent, also by the analysis of solvation."""

import numpy as np
import pytest
from ase import Atoms
from ase.data import vdw_radii
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis import analyse_solvation
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import density, name_molecule
from electrolyte_ml.structures.motifs import ion_shells, pack_motif, pack_motifs, shell_radius
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import displaced, known_frames

RADII = {3: 0.76, 11: 1.02, 12: 0.72, 19: 1.38}  # ions with six neighbours (Shannon), Å
CLUSTERS = {"SSIP": (1, 0), "CIP": (1, 1), "AGG": (2, 2)}
LITHIUM = {"EC": 2.85, "EMC": 2.85, "PF6": 2.79}  # 1.25 times the sum of the radii, Å


def closest_contact(atoms):
    """Between molecules, by ASE's neighbour list, in units of the sum of the radii."""
    label = Topology.of(atoms).labels
    i, j, distance, shift = neighbor_list("ijdS", atoms, 4.0)
    between = (label[i] != label[j]) | shift.any(axis=1)
    radii = vdw_radii[atoms.numbers]
    for number, radius in RADII.items():
        radii[atoms.numbers == number] = radius
    return (distance / (radii[i] + radii[j]))[between].min()


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["SSIP", "CIP", "AGG"]),
    salt=st.sampled_from(["LiPF6", "NaPF6", "LiBF4", "NaFSI", "LiClO4", "KPF6", "LiNO3", "Mg(ClO4)2", "NaTFSI"]),
    solvent=st.sampled_from(["EC", "EMC", "DMC", "PC", "AN", "DOL", "SL", "H2O"]),
    donors=st.integers(2, 4),
    seed=st.integers(0, 2**32),
)
def test_any_salt_and_solvent_make_any_motif(kind, salt, solvent, donors, seed):
    atoms = pack_motif(kind, {solvent: 6, salt: 1}, 0.6, seed, donors=donors)
    shells = ion_shells(atoms)
    assert {shell.pairing for shell in shells} == {kind}
    assert {shell.cluster for shell in shells} == {CLUSTERS[kind]}
    assert {shell.donors for shell in shells} == {donors}
    assert len(shells) == (2 if kind == "AGG" else 1)
    assert closest_contact(atoms) >= 0.9
    assert density(atoms) == pytest.approx(0.6)
    assert atoms.info == {"charge": 0, "motif": kind}


@pytest.mark.parametrize("kind", ["SSIP", "CIP", "AGG"])
def test_the_cells_of_the_paper_agree_with_the_analysis(kind):
    found = pack_motifs(kind, {"EC": 3, "EMC": 7, "LiPF6": 1}, 1.15, 2)
    assert [len(atoms) for atoms in found] == [286 if kind == "AGG" else 143] * 2
    solvation = analyse_solvation([open_trajectory([atoms]) for atoms in found], cutoffs=LITHIUM)
    assert solvation.ion_pairs[kind].value == 1.0
    assert solvation.coordination["all"].value == solvation.ligands["all"].value == 4.0
    assert solvation.clusters[CLUSTERS[kind]].value == 1.0
    assert {donors for name in ("EC", "EMC") for donors, e in solvation.donors[name].items() if e.value > 0} == {
        "carbonyl"
    }


def test_shells_of_known_frames():
    for name, frame in known_frames().items():
        for atoms in (frame.atoms, displaced(frame, [11.0, -7.0, 29.0]).atoms):
            shells = ion_shells(atoms)
            assert tuple(shell.pairing for shell in shells) == frame.pairing, name
            assert tuple(shell.donors for shell in shells) == frame.coordination, name


def test_seeds_give_cells_that_differ():
    first, second, other = (pack_motif("CIP", {"EC": 4, "LiPF6": 1}, 1.1, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.positions, second.positions)
    assert not np.allclose(first.positions, other.positions, atol=0.1)


def test_several_pairs_in_one_cell_are_all_in_the_motif():
    for kind in CLUSTERS:
        shells = ion_shells(pack_motif(kind, {"EC": 8, "LiPF6": 2}, 0.9, donors=3))
        assert len(shells) == (4 if kind == "AGG" else 2)
        assert {shell.cluster for shell in shells} == {CLUSTERS[kind]}


def test_molecules_of_ones_own():
    pytest.importorskip("rdkit")
    own = {"MeOH": name_molecule("MeOH", "smiles:CO"), "OAc": name_molecule("OAc", "smiles:CC(=O)[O-]")}
    atoms = pack_motif("CIP", {"MeOH": 5, "NaOAc": 1}, 0.6, own_molecules=own)
    (shell,) = ion_shells(atoms, own)
    assert shell.ligands == ("MeOH", "MeOH", "MeOH", "OAc")
    assert ion_shells(atoms)[0].pairing == "SSIP"  # without its name the anion is an unknown molecule


def test_a_donor_counts_once_whatever_its_images():
    atoms = Atoms("LiO", [[0, 0, 0], [2.0, 0, 0]], cell=[4.0, 20, 20], pbc=True)  # O at 2 Å on both sides
    assert ion_shells(atoms)[0].donors == 1


@pytest.mark.parametrize(
    ("kind", "composition", "options", "message"),
    [
        ("SSIP", {"EC": 3, "LiPF6": 1}, {}, "SSIP of EC=3 LiPF6=1: 4 solvent molecules .*, but there are 3"),
        ("AGG", {"EC": 2, "LiPF6": 1}, {}, "AGG of EC=4 LiPF6=2: 5 solvent molecules .*, but there are 4"),
        ("CIP", {"EC": 4}, {}, "CIP of EC=4: there is no cation"),
        ("CIP", {"EC": 4, "Li": 1}, {}, r"the charges sum to \+1 e"),
        ("CIP", {"EC": 4, "LiPF6": 1}, {"donors": 0}, "at least 1 donors, not 0"),
        ("AGG", {"EC": 4, "LiPF6": 1}, {"donors": 1}, "at least 2 donors, not 1"),
        ("CIP", {"EC": 4, "LiPF6": 1}, {"donors": 2.5}, "donors must be a whole number"),
        ("CIP", {"EC": 4, "LiPF6": 1}, {"seed": -1}, "seed must be a whole number"),
        ("pair", {"EC": 4, "LiPF6": 1}, {}, "must be one of SSIP, CIP, AGG, not 'pair'"),
        ("SSIP", {"EC": 4, "LiPF6": 1}, {"density": 50.0}, "the density must lie between"),
        ("SSIP", {"EC": 5, "LiPF6": 1}, {"density": 2.2}, "no SSIP of EC=5 LiPF6=1 .* found at 2.2 g/cm³"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(kind, composition, options, message, monkeypatch):
    monkeypatch.setattr("electrolyte_ml.structures.motifs._ATTEMPTS", 2)
    wanted = options.pop("density", 1.0)
    with pytest.raises(InputError, match=message) as caught:
        pack_motif(kind, composition, wanted, **options)
    assert "\n" not in str(caught.value)


def test_ions_without_donors_or_radius_are_refused():
    pytest.importorskip("rdkit")
    own = {
        "Ca": name_molecule("Ca", "smiles:[Ca+2]"),
        "BPh": name_molecule("BPh", "smiles:C[B-](C)(C)C"),
        "TMA": name_molecule("TMA", "smiles:C[N+](C)(C)C"),
    }
    for composition, message in (
        ({"EC": 4, "Ca(PF6)2": 1}, "Ca is not a monatomic cation with a known radius"),
        ({"EC": 4, "TMA": 1, "PF6": 1}, "TMA is not a monatomic cation"),
        ({"EC": 4, "Li": 1, "BPh": 1}, "there is no anion with donors"),
    ):
        with pytest.raises(InputError, match=message):
            pack_motif("CIP", composition, 0.8, own_molecules=own)
    with pytest.raises(InputError, match="the shell of Ca is not known"):
        shell_radius("Ca", "O")
