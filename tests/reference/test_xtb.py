"""GFN-xTB labels: derivatives of their own energies, the same as others computed, and failures told."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelError
from electrolyte_ml.reference.xtb import XTBReference
from electrolyte_ml.structures import molecule, pack, read_configurations

METHODS = ("gfn1-xtb", pytest.param("gfn2-xtb", marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def box():
    """Two molecules in a skewed cell, off every minimum."""
    atoms = pack({"EC": 2}, 1.1, seed=0)
    skewed = atoms.cell.array @ np.array([[1.05, 0, 0], [0.1, 1, 0], [-0.05, 0.15, 0.97]])
    atoms.set_cell(skewed)  # the molecules keep their shape
    atoms.rattle(0.03, seed=1)
    return atoms


@pytest.mark.parametrize("method", METHODS)
def test_forces_are_the_slope_of_the_energy(method, box):
    xtb = reference.get(method, accuracy=0.1)
    forces = xtb.label(box).forces
    step = 0.005
    for atom, axis in ((0, 0), (7, 2)):
        energies = []
        for sign in (-1, 1):
            moved = box.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(xtb.label(moved).energy)
        assert forces[atom, axis] == pytest.approx(-np.diff(energies)[0] / (2 * step), abs=5e-3)
    assert np.abs(forces).max() > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_stress_is_the_slope_of_the_energy_with_strain(method, box):
    """σ = dE/dε / V, tension positive, in Voigt order; a shear ε_yz = ε_zy counts twice in the energy."""
    xtb = reference.get(method, accuracy=0.1)
    stress = xtb.label(box).stress
    step = 0.002
    for component, (i, j) in ((0, (0, 0)), (3, (1, 2))):
        energies = []
        for sign in (-1, 1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            stretched = box.copy()
            stretched.set_cell(box.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(xtb.label(stretched).energy)
        slope = np.diff(energies)[0] / (2 * step) / box.get_volume()
        assert stress[component] == pytest.approx(slope, abs=1e-4)  # eV/Å³; 0.016 GPa
    assert np.abs(stress).max() > 1e-3


def test_gfn2_is_what_others_labelled(shared_data):
    """Single atoms with open shells and clusters, cold, against labels of the same method from another build."""
    path = shared_data / "solvent_xtb" / "train_200.xyz"
    frames = read_configurations(path, energy_key="energy_xtb", forces_key="forces_xtb")
    small = sorted(frames, key=len)[:12]
    xtb = reference.get("gfn2-xtb")
    for atoms in small:
        label = xtb.label(atoms)
        assert label.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        assert label.forces == pytest.approx(atoms.get_forces(), abs=1e-3)
        assert label.stress is None
    assert {len(atoms) for atoms in small} > {1}


def test_a_label_does_not_depend_on_those_before(box):
    xtb = reference.get()
    first = xtb.label(box)
    xtb.label(molecule("EMC"))
    again = xtb.label(box)
    assert again.energy == first.energy
    assert (again.forces == first.forces).all()


def test_the_charge_of_an_ion_counts():
    xtb = reference.get()
    ion = molecule("PF6")
    neutral = ion.copy()
    neutral.info["charge"] = 0
    assert ion.info["charge"] == -1
    assert xtb.label(ion).energy < xtb.label(neutral).energy - 1.0  # the electron is bound, by several eV
    ion.calc = xtb.calculator(charge=-1)
    assert ion.get_potential_energy() == pytest.approx(xtb.label(ion).energy, abs=1e-6)


def test_without_convergence_it_tries_safer_settings():
    atoms = molecule("EC")
    atoms.rattle(0.05, seed=0)
    label = reference.get(max_iterations=2).label(atoms)
    normal = reference.get().label(atoms)
    assert label.attempts == 2
    assert label.energy == pytest.approx(normal.energy, abs=1e-5)  # safer, not different
    assert label.forces == pytest.approx(normal.forces, abs=1e-3)


def test_a_failure_has_its_reason(monkeypatch):
    monkeypatch.setattr(XTBReference, "safer", {"max_iterations": 3})
    with pytest.raises(LabelError, match="SCF not converged in 2 cycles; with safer settings: .* in 3 cycles"):
        reference.get(max_iterations=2).label(molecule("EC"))


def test_it_says_nothing(capfd):
    reference.get().label(molecule("EC"))
    with pytest.raises(LabelError):
        XTBReference("GFN1-xTB", max_iterations=1)._compute(molecule("EC"), {})
    assert capfd.readouterr() == ("", "")


def test_partly_periodic_cells_and_unknown_elements_are_refused():
    xtb = reference.get()
    with pytest.raises(InputError, match=r"configuration 1: GFN1-xTB labels 3D-periodic cells and molecules, not pbc"):
        xtb.check(Atoms("C", cell=[9, 9, 9], pbc=[True, True, False]), "configuration 1")
    with pytest.raises(InputError, match="atom 1 is U, for which GFN1-xTB has no parameters"):
        xtb.check(Atoms("U"))


def test_without_tblite_it_says_what_to_install(monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(InputError, match="pip install tblite"):
        reference.get()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "tblite", None)
    monkeypatch.setitem(sys.modules, "tblite.ase", None)
    with pytest.raises(InputError, match="tblite cannot be loaded.*pip install tblite"):
        reference.get().require()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted through /proc")
def test_one_thread_by_default():
    """A second thread would only take the second label's core."""
    script = """
        import os
        from ase.build import molecule
        from electrolyte_ml import reference
        reference.get("lj").label(molecule("H2O"))
        before = len(os.listdir("/proc/self/task"))
        reference.get().label(molecule("H2O"))
        print(len(os.listdir("/proc/self/task")) - before)
    """
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0
