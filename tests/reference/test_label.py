"""What every label must be: complete, finite, without a net force, of a size that is possible in eV and Å."""

import numpy as np
import pytest
from ase import Atoms
from ase.units import GPa, Hartree, kJ, mol

from electrolyte_ml.reference import Label, LabelError
from electrolyte_ml.reference.label import net_force, verify

WATER = Atoms("OH2", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]], cell=[5, 5, 5], pbc=True)
FORCES = np.array([[0.0, 0.0, -2.0], [0.0, 1.0, 1.0], [0.0, -1.0, 1.0]])
ENERGY = -76.4 * Hartree  # of all electrons of one water molecule


def test_a_good_label_is_returned_as_it_is():
    label = Label(ENERGY, FORCES, np.full(6, 2 * GPa))
    assert verify(label, WATER) is label


@pytest.mark.parametrize("excess", [0.49, 0.51])
def test_a_net_force_is_refused_with_its_value(excess):
    forces = FORCES + np.array([0.6, 0.0, 0.8]) * excess / 3  # a vector of this length in all
    assert net_force(forces) == pytest.approx(excess)
    if excess < 0.5:
        verify(Label(ENERGY, forces, None), WATER)
        return
    with pytest.raises(LabelError, match=r"the forces sum to 0\.51 eV/Å, above 0\.5"):
        verify(Label(ENERGY, forces, None), WATER)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (Label(ENERGY / (kJ / mol), FORCES, None), r"the energy of -200\d\d\d eV is impossible for H2O"),
        (Label(1e6, FORCES, None), "is impossible for H2O"),
        (Label(ENERGY, FORCES * 1000, None), r"the force of 2000 eV/Å on atom 1 \(O\) is above 1000"),
        (Label(ENERGY, FORCES, np.array([0, 0, 2.0, 0, 0, 0])), r"the stress of 2 eV/Å³ is above 0\.5"),  # in GPa
    ],
)
def test_other_units_are_noticed_where_they_can_be(label, message):
    with pytest.raises(LabelError, match=message):
        verify(label, WATER)


@pytest.mark.parametrize(
    ("symbol", "energy"), [("H", -0.5), ("He", -2.9037), ("Li", -7.478), ("F", -99.73), ("Ar", -527.5), ("Xe", -7232.1)]
)
def test_the_exact_energy_of_an_atom_is_possible(symbol, energy):
    """Nonrelativistic total energies in hartree; the lower bound has no margin left for H (-0.77)."""
    verify(Label(energy * Hartree, np.zeros((1, 3)), None), Atoms(symbol))
