"""D3(0): the published parameters for PBE, without the three-body term; forces and stress are derivatives."""

import numpy as np
import pytest
from ase.build import molecule
from ase.units import Bohr, Hartree

from electrolyte_ml.reference import Label
from electrolyte_ml.reference.dispersion import add_dispersion
from electrolyte_ml.structures import pack

pytest.importorskip("dftd3", reason="dftd3 is not installed (the extra `dft`)")


def dispersion(atoms):
    stress = np.zeros(6) if atoms.pbc.all() else None
    return add_dispersion(Label(0.0, np.zeros((len(atoms), 3)), stress), atoms, "nothing")


def test_the_parameters_are_those_of_grimme_2010():
    """s6 = 1, s8 = 0.722, sr6 = 1.217 for PBE (table IV); a three-body term would change the energy by 0.2 %."""
    from dftd3.interface import DispersionModel, ZeroDampingParam

    atoms = molecule("C6H6")
    model = DispersionModel(atoms.numbers, atoms.positions / Bohr)
    published = ZeroDampingParam(s6=1.0, s8=0.722, rs6=1.217, s9=0.0)
    expected = model.get_dispersion(published, grad=True)
    label = dispersion(atoms)
    assert label.energy == pytest.approx(expected["energy"] * Hartree, rel=1e-9)
    assert label.forces == pytest.approx(-expected["gradient"] * Hartree / Bohr, abs=1e-9)
    assert label.stress is None
    three_body = ZeroDampingParam(s6=1.0, s8=0.722, rs6=1.217, s9=1.0)
    assert abs(model.get_dispersion(three_body, grad=False)["energy"] * Hartree - label.energy) > 1e-4


def test_forces_and_stress_are_derivatives():
    box = pack({"EC": 1}, 1.0, seed=0)
    label = dispersion(box)
    step = 1e-3
    energies = []
    for sign in (-1, 1):
        moved = box.copy()
        moved.positions[0, 1] += sign * step
        energies.append(dispersion(moved).energy)
    assert label.forces[0, 1] == pytest.approx(-np.diff(energies)[0] / (2 * step), abs=1e-6)
    for component, (i, j) in ((2, (2, 2)), (3, (1, 2))):
        energies = []
        for sign in (-1, 1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained = box.copy()
            strained.set_cell(box.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(dispersion(strained).energy)
        slope = np.diff(energies)[0] / (2 * step) / box.get_volume()
        assert label.stress[component] == pytest.approx(slope, abs=5e-6)  # pairs cross the cutoff of 60 bohr


def test_a_label_without_stress_stays_without_one():
    box = pack({"EC": 1}, 1.0, seed=0)
    assert add_dispersion(Label(0.0, np.zeros((len(box), 3)), None), box, "nothing").stress is None
