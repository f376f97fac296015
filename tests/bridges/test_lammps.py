"""Potentials inside LAMMPS, against their own evaluation and dynamics."""

import numpy as np
import pytest
from ase import units

from electrolyte_ml.bridges import lammps
from electrolyte_ml.bridges.lammps import LammpsBridge
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec

PRESSURES = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


def positions(lmp, n):
    return np.array(lmp.gather_atoms("x", 1, 3)).reshape(n, 3)


def check(lmp, bridge, atoms, potential):
    """Compare energy, forces and pressure of atoms at rest."""
    bridge.command("run 0")
    expected = potential.evaluate(atoms)
    forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)
    assert lmp.get_thermo("pe") == pytest.approx(expected.energy, abs=1e-9)
    assert forces == pytest.approx(expected.forces, abs=1e-8)
    pressure = np.array([lmp.get_thermo(name) for name in PRESSURES])
    assert pressure == pytest.approx(-expected.stress / units.bar, rel=1e-6, abs=1e-6 * np.abs(pressure).max())


def test_energy_forces_and_pressure(lmp, fill, electrolyte):
    atoms, potential = electrolyte
    fill(lmp, atoms, potential.species)
    check(lmp, LammpsBridge(lmp, potential), atoms, potential)


def test_skewed_cell_other_types_and_charge(lmp, fill, liquid):
    atoms = liquid(60, ("H", "O", "Li"), seed=2)
    cell = atoms.cell.array.copy()
    cell[1, 0], cell[2, 0], cell[2, 1] = 2.0, -3.0, 1.0
    atoms.set_cell(cell, scale_atoms=True)
    atoms.info["charge"] = 2
    potential = ModelSpec(level=4, charges="qrd").random(("H", "Li", "O"), 3)
    fill(lmp, atoms, ("O", "H", "Li"))
    check(lmp, LammpsBridge(lmp, potential, ("O", "H", "Li"), charge=2), atoms, potential)


def test_trajectory(lmp, fill, liquid_ec):
    """50 fs at constant energy; constants differ by 6e-8 between LAMMPS and ASE."""
    atoms, potential = liquid_ec
    ours = run_md(atoms, potential, ensemble="nve", time_ps=0.05, timestep_fs=0.5, progress=False).atoms
    fill(lmp, atoms, potential.species)
    bridge = LammpsBridge(lmp, potential)
    lmp.commands_list(["timestep 0.0005", "fix nve all nve", "thermo_style custom step etotal"])
    bridge.command("run 0")
    start = lmp.get_thermo("etotal")
    bridge.command("run 100")
    moved = positions(lmp, len(atoms)) - ours.positions
    fractional = np.linalg.solve(atoms.cell.array.T, moved.T).T
    moved -= np.round(fractional) @ atoms.cell.array
    assert np.abs(moved).max() < 1e-6
    assert np.abs(ours.positions - atoms.positions).max() > 0.1
    assert lmp.get_thermo("etotal") == pytest.approx(start, abs=2e-4 * len(atoms))


def test_minimisation_follows_the_energy(lmp, fill, liquid_ec):
    atoms, potential = liquid_ec
    fill(lmp, atoms, potential.species)
    LammpsBridge(lmp, potential).command("minimize 0 1e-2 20 40")
    relaxed = atoms.copy()
    relaxed.positions = positions(lmp, len(atoms))
    after = potential.evaluate(relaxed).energy
    assert lmp.get_thermo("pe") == pytest.approx(after, abs=1e-9)
    assert after < potential.evaluate(atoms).energy - 0.1


def test_errors_of_the_potential_end_the_run(lmp, fill, liquid_ec):
    atoms, potential = liquid_ec
    close = atoms.copy()
    close.positions[1] = close.positions[0] + 0.01
    fill(lmp, close, potential.species)
    bridge = LammpsBridge(lmp, potential)
    lmp.command("fix nve all nve")
    with pytest.raises(InputError, match="atoms 1 and 2 overlap"):
        bridge.command("run 0")
    assert np.isnan(lmp.get_thermo("pe"))
    with pytest.raises(Exception, match="electrolyte_ml_halt met on step 1"):
        lmp.command("run 10")


def test_what_the_bridge_needs(lmp, fill, liquid_ec):
    atoms, potential = liquid_ec
    with pytest.raises(InputError, match="units 'lj'"):
        LammpsBridge(lmp, potential)
    fill(lmp, atoms, potential.species)
    with pytest.raises(InputError, match="Li is not among the potential's species H C O"):
        LammpsBridge(lmp, potential, ("H", "C", "Li"))
    with pytest.raises(InputError, match="3 types of atoms, but elements are given for 2"):
        LammpsBridge(lmp, potential, ("H", "C"))


def test_without_lammps(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lammps", None)
    with pytest.raises(InputError, match=r"^LAMMPS is not here .*pip install '\.\[lammps\]' in the source tree$"):
        lammps.open_lammps()
