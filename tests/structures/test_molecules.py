import numpy as np
import pytest
from ase.neighborlist import NeighborList, natural_cutoffs
from ase.optimize import BFGS

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, molecule


def bonds_from_covalent_radii(atoms):
    neighbours = NeighborList([1.15 * r for r in natural_cutoffs(atoms)], skin=0, self_interaction=False)
    neighbours.update(atoms)
    return {tuple(sorted((i, int(j)))) for i in range(len(atoms)) for j in neighbours.get_neighbors(i)[0]}


def test_formulas_and_charges():
    assert {name: (m.formula, m.charge) for name, m in MOLECULES.items()} == {
        "EC": ("C3H4O3", 0),
        "EMC": ("C4H8O3", 0),
        "Li": ("Li", 1),
        "PF6": ("F6P", -1),
    }


@pytest.mark.parametrize("name", MOLECULES)
def test_record_agrees_with_its_geometry(name):
    record, atoms = MOLECULES[name], molecule(name)
    assert atoms.info == {"name": name, "charge": record.charge}
    assert set(record.bonds) == bonds_from_covalent_radii(atoms)
    assert all(i < j for i, j in record.bonds)
    assert np.allclose(atoms.get_center_of_mass(), 0)
    assert record.mass == pytest.approx(atoms.get_masses().sum())
    atoms.positions += 1  # a copy: the record must not follow
    assert np.array_equal(record.positions, molecule(name).positions)


@pytest.mark.parametrize("name", ["EC", "EMC"])
def test_carbonyl_and_ether_oxygens_are_what_they_say(name):
    record = MOLECULES[name]
    degree = np.bincount(np.ravel(record.bonds))
    oxygens = {kind: [(record.symbols[i], degree[i]) for i in indices] for kind, indices in record.donors.items()}
    assert oxygens == {"carbonyl": [("O", 1)], "ether": [("O", 2), ("O", 2)]}


def test_donors_of_the_ions():
    assert dict(MOLECULES["Li"].donors) == {}
    assert [MOLECULES["PF6"].symbols[i] for i in MOLECULES["PF6"].donors["fluoride"]] == ["F"] * 6


def test_pf6_is_an_octahedron():
    atoms = molecule("PF6")
    angles = sorted(atoms.get_angle(a, 0, b) for a in range(1, 7) for b in range(1, a))
    assert np.allclose(angles, [90] * 12 + [180] * 3)


def test_ring_of_ec_is_planar_and_emc_has_both_alkyls_beside_the_carbonyl():
    assert np.ptp(molecule("EC").positions[:6, 2]) < 0.02
    emc = molecule("EMC")
    for ester_oxygen, alkyl in ((2, 4), (3, 5)):
        turn = emc.get_dihedral(1, 0, ester_oxygen, alkyl)
        assert min(turn, 360 - turn) < 5


def test_unknown_molecule_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="no molecule 'VC'; there are EC, EMC, Li, PF6"):
        molecule("VC")


def gfn1(atoms, charge):
    from tblite.ase import TBLite

    atoms.calc = TBLite(method="GFN1-xTB", charge=charge, accuracy=0.05, verbosity=0)
    return atoms


def minimise(atoms, charge):
    BFGS(gfn1(atoms, charge), logfile=None).run(fmax=1e-3, steps=500)
    return atoms


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EC", "EMC", "PF6"])
def test_geometry_is_the_reference_minimum(name):
    pytest.importorskip("tblite")
    record, ours = MOLECULES[name], molecule(name)
    relaxed = ours.copy()
    # Away from the stored geometry first, so that a saddle point would not hold.
    relaxed.positions += np.random.default_rng(0).normal(scale=0.03, size=relaxed.positions.shape)
    minimise(relaxed, record.charge)
    for i, j in record.bonds:
        assert ours.get_distance(i, j) == pytest.approx(relaxed.get_distance(i, j), abs=0.02)
    for i, j, k in bonded_angles(record):
        assert ours.get_angle(i, j, k) == pytest.approx(relaxed.get_angle(i, j, k), abs=2)
    inner = np.linalg.norm(ours.positions[:, None] - ours.positions, axis=2)
    assert np.allclose(inner, relaxed.get_all_distances(), atol=0.06)  # the same conformer, far ends included


def bonded_angles(record):
    pairs = [*record.bonds, *(bond[::-1] for bond in record.bonds)]
    return [(a, centre, b) for a, centre in pairs for c, b in pairs if c == centre and a < b]


@pytest.mark.slow
def test_no_other_conformer_of_emc_is_lower():
    pytest.importorskip("tblite")
    ours = gfn1(molecule("EMC"), 0).get_potential_energy()
    for methyl, ethyl, chain in ((0, 0, 180), (0, 180, 180), (0, 180, 77), (180, 0, 180), (180, 0, 77)):
        other = molecule("EMC")
        other.set_dihedral(1, 0, 2, 4, methyl, indices=[4, 7, 8, 9])
        other.set_dihedral(1, 0, 3, 5, ethyl, indices=[5, 6, 10, 11, 12, 13, 14])
        other.set_dihedral(0, 3, 5, 6, chain, indices=[6, 10, 11, 12, 13, 14])
        assert minimise(other, 0).get_potential_energy() > ours + 0.01
