"""Dynamics with charges on a mesh: energy is conserved, and pressures are those of Ewald's sum."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from numpy.polynomial import Polynomial, chebyshev

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.potentials import MomentTensorPotential, Sum
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.potentials.coulomb import Ewald

SALT = ("Na", "Cl")
CHARGE = 0.5  # e


@pytest.fixture(scope="module")
def salt():
    """216 ions of a hot salt, and their potential: charges, and the soft repulsion of a moment tensor potential."""
    # 0.4 eV/Å^2 (5 Å - r)^2 ((1 - xi) / 2)^6 for each end of a pair
    mtp = MomentTensorPotential.random(2, SALT, cutoff=5.0, min_distance=0.9, scaling=0.01)
    radial = np.zeros_like(mtp.radial)
    radial[:, :, 0, :7] = 40.0 * chebyshev.poly2cheb((Polynomial([0.5, -0.5]) ** 6).coef)
    mtp = mtp.with_parameters(np.concatenate([radial.ravel(), np.zeros(2), [1.0]]))
    qrd = QRd.from_values(SALT, {"Na": CHARGE, "Cl": -CHARGE}, {"Na": 1.0, "Cl": 1.0})
    atoms = bulk("NaCl", "rocksalt", 5.6, cubic=True).repeat(3)
    atoms.rattle(0.15, seed=2)
    potential = Sum((mtp, qrd))
    result = run_md(atoms, potential, ensemble="nvt", temperature=1200, time_ps=0.2, timestep_fs=2, progress=False)
    return result.atoms, potential


def test_energy_is_conserved_with_the_square_of_the_time_step(salt):
    """Forces that were not the derivative of the mesh's energy would add an error of the first order, or a drift."""
    spread = []
    for timestep in (1.25, 2.5, 5.0):
        result = run_md(
            *salt, ensemble="nve", time_ps=0.2, timestep_fs=timestep, log_interval_fs=timestep, progress=False
        )
        spread.append(result.conserved_energies.std())
        assert spread[-1] < 0.01 * result.kinetic_energies.std()
    assert spread[1] / spread[0] == pytest.approx(4, rel=0.25)
    assert spread[2] / spread[1] == pytest.approx(4, rel=0.25)


def test_energies_and_pressures_at_constant_pressure_are_those_of_ewalds_sum(salt):
    """The mesh is that of the first cell, and the cell grows."""
    atoms, potential = salt
    result = run_md(
        atoms, potential, temperature=1200, pressure_bar=1e4, compressibility_per_bar=1e-5, pdamp_fs=200, time_ps=0.2,
        timestep_fs=4, log_interval_fs=20, frame_interval_fs=20, progress=False,
    )  # fmt: skip
    frames = result.frames()
    assert len(frames) == len(result.pressures) == 11
    assert frames[-1].get_volume() > 1.02 * frames[0].get_volume()
    short_ranged, charges = potential.terms
    errors = []
    for frame, energy, temperature, pressure in zip(
        frames, result.energies, result.temperatures, result.pressures, strict=True
    ):
        geometry = potential.geometry(frame)
        parts = short_ranged.evaluate(geometry), charges.evaluated(geometry, Ewald(), 1)
        virial = sum(np.trace(part.virial) for part in parts)
        expected = (len(atoms) * units.kB * temperature - virial / 3) / frame.get_volume() / units.bar
        errors.append((energy - sum(part.energy for part in parts), pressure - expected))
    energy_error, pressure_error = np.abs(errors).max(0)
    assert 0 < energy_error < len(atoms) * 1e-4  # eV
    assert 0 < pressure_error < 10.0  # bar, of some ten thousand
