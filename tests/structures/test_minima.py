"""The lowest of several conformers, with a surface whose minima are known."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import find_molecule
from electrolyte_ml.structures.minima import lowest_conformer, on_principal_axes

WATER = find_molecule("H2O")


class Wells(Calculator):
    """The lowest of several harmonic wells about given geometries, each with its own depth."""

    implemented_properties = ("energy", "forces")

    def __init__(self, wells):
        super().__init__()
        self.wells = wells

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        assert atoms.info["charge"] == 0
        steps = [atoms.positions - centre for centre, _ in self.wells]
        energies = [2.0 * (step**2).sum() + depth for step, (_, depth) in zip(steps, self.wells)]
        best = int(np.argmin(energies))
        self.results = {"energy": energies[best], "forces": -4.0 * steps[best]}


def bent(angle):
    """Water of another angle, in degrees, far from the others."""
    atoms = WATER.atoms()
    atoms.set_angle(1, 0, 2, angle)
    return atoms.positions + angle


def angle_of(molecule):
    return molecule.atoms().get_angle(1, 0, 2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_lowest_minimum_wins_wherever_it_stands_in_the_list(order):
    wells = [(bent(95.0), -1.0), (bent(105.0), -1.03), (bent(115.0), -0.5)]
    starts = [wells[k][0] + 0.05 * np.sin(np.arange(9.0) + k).reshape(3, 3) for k in order]
    found = lowest_conformer(WATER, starts, Wells(wells), "wells")
    assert angle_of(found) == pytest.approx(105.0, abs=0.1)
    assert found.geometry == "lowest of 3 conformers, wells"
    assert np.allclose(found.positions.mean(axis=0), WATER.positions.mean(axis=0), atol=0.2)


def test_a_minimum_that_has_lost_a_bond_does_not_count():
    torn = bent(180.0)
    torn[1] += [5.0, 0, 0]
    wells = [(bent(105.0), -1.0), (torn, -9.0)]
    found = lowest_conformer(WATER, [torn + 0.01, wells[0][0] + 0.01], Wells(wells), "wells")
    assert angle_of(found) == pytest.approx(105.0, abs=0.1)
    with pytest.raises(InputError, match="none of 1 geometries leads to a minimum of wells with its bonds"):
        lowest_conformer(WATER, [torn + 0.01], Wells(wells), "wells")


@pytest.mark.parametrize("name", ["PC", "TEGDME", "EC", "AN", "PF6"])
def test_principal_axes_keep_the_shape_and_its_handedness(name):
    record = find_molecule(name)
    rng = np.random.default_rng(1)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = on_principal_axes(record, record.positions @ turn.T + 3.0)
    fit, *_ = np.linalg.lstsq(record.positions, turned, rcond=None)
    if np.linalg.matrix_rank(record.positions, tol=1e-3) == 3:
        assert np.linalg.det(fit) == pytest.approx(1.0)
        assert np.allclose(record.positions @ fit, turned)
    atoms = record.atoms()
    atoms.positions = turned
    assert np.all(np.diff(atoms.get_moments_of_inertia()) > -1e-6)
    x, y, z = turned.T
    masses = atoms.get_masses()
    moments = [masses @ (y**2 + z**2), masses @ (x**2 + z**2), masses @ (x**2 + y**2)]
    assert np.allclose(moments, atoms.get_moments_of_inertia(), atol=1e-6)
