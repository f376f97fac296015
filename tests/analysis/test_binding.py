import numpy as np
import pytest
from ase.data import covalent_radii
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml import reference
from electrolyte_ml.analysis.binding import FORCE, Complex, anchors, binding_energy, complexes, placed
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.structures import MOLECULES

KCAL = 0.0433641  # eV
EC, EMC, LI, PF6, H2O = (MOLECULES[name] for name in ("EC", "EMC", "Li", "PF6", "H2O"))


def test_complexes_of_an_electrolyte():
    found = [str(one) for one in complexes([EC, EMC, LI, PF6])]
    assert found == ["EC to Li+", "EMC to Li+", "PF6 to Li+", "EC to LiPF6", "EMC to LiPF6"]
    assert [one.charge for one in complexes([EC, LI, PF6])] == [1, 0, 0]
    assert [str(one) for one in complexes([MOLECULES["Mg"], PF6, EC])] == ["EC to Mg2+", "PF6 to Mg2+"]
    assert not complexes([EC, EMC])


def test_anchors_without_equivalent_repeats():
    assert len(anchors(PF6)) == 3  # a corner, an edge and a face of the octahedron
    assert anchors(H2O) == [(0,)]
    assert {len(anchor) for anchor in anchors(MOLECULES["TFSI"])} == {1, 2, 3}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(MOLECULES)), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_donors_are_placed_at_the_cation(name, direction):
    ligand, direction = MOLECULES[name], np.array(direction)
    if ligand.role == "cation" or np.linalg.norm(direction) < 0.1:
        return
    direction /= np.linalg.norm(direction)
    for anchor in anchors(ligand):
        positions = placed(ligand, anchor, direction, LI)
        before = np.linalg.norm(ligand.positions[:, None] - ligand.positions, axis=2)
        after = np.linalg.norm(positions[:, None] - positions, axis=2)
        np.testing.assert_allclose(after, before, atol=1e-9)
        centre = positions[list(anchor)].mean(axis=0)
        np.testing.assert_allclose(centre / np.linalg.norm(centre), direction, atol=1e-9)
        radii = covalent_radii[ligand.numbers[list(anchor)]].mean() + covalent_radii[3]
        spread = np.sqrt(np.mean(np.sum((positions[list(anchor)] - centre) ** 2, axis=1)))
        distance = np.sqrt(np.mean(np.sum(positions[list(anchor)] ** 2, axis=1)))
        assert distance == pytest.approx(max(radii, spread))


# GFN1-xTB by tblite 0.8, minimised by another program: energy in kcal/mol, distance in Å.
@pytest.mark.parametrize(("ligand", "energy", "distance"), [(EC, -63.6, 1.67), (PF6, -152.3, None)])
def test_binding_to_lithium(tmp_path, ligand, energy, distance):
    store = LabelStore(tmp_path)
    found, minima = binding_energy(Complex(LI, (ligand,)), reference.get("gfn1-xtb"), store)
    assert found.energy / KCAL == pytest.approx(energy, abs=0.1)
    if distance is not None:
        assert found.distance == pytest.approx(distance, abs=0.01) and found.denticity == 1
    else:
        assert found.denticity == 3
    energies = [atoms.get_potential_energy() for atoms in minima]
    assert energies == sorted(energies) and len(minima) > 1


def test_minima_resume_from_the_store(tmp_path, monkeypatch):
    store, level = LabelStore(tmp_path), reference.get("gfn1-xtb")
    pair = Complex(LI, (H2O,))
    largest = []
    first, minima = binding_energy(
        pair, level, store, on_step=lambda atoms: largest.append(np.linalg.norm(atoms.get_forces(), axis=1).max())
    )
    ends = np.array(largest) < FORCE  # of the pair from each start, and of water alone
    assert ends.sum() >= len(minima) + 1 and ends[-1] and len(largest) > ends.sum()
    monkeypatch.setattr(type(level), "label", lambda *_: pytest.fail("a label was computed twice"))
    again, _ = binding_energy(pair, level, store)
    assert again == first
    from_minimum, _ = binding_energy(pair, level, store, minima[:0] or None)
    assert from_minimum == first


def test_a_reference_without_charges(tmp_path, monkeypatch):
    level = reference.get("gfn1-xtb")
    monkeypatch.setattr(type(level), "charged_molecules", False)
    with pytest.raises(InputError, match=r"H2O to Li\+: .* neutral molecules, not a charge of \+1"):
        binding_energy(Complex(LI, (H2O,)), level, LabelStore(tmp_path))
