"""ASE's integrators, set up for a liquid whose centre of mass is at rest, and constant pressure on top of them.

ASE counts 3 N degrees of freedom where a system at rest has 3 N - 3: a box of 40 atoms would be 2.6 % (8 K) too hot.
Every class here says 3 N - 3. Units are ASE's own (eV, Å, amu, Å·sqrt(amu/eV)).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.nose_hoover_chain import NoseHooverChainThermostat
from ase.md.verlet import VelocityVerlet


class VelocityRescaling(Bussi):
    """Constant temperature by stochastic velocity rescaling: ASE's `Bussi` for a centre of mass at rest.

    References
    ----------
    G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007).
    """

    def __init__(
        self, atoms: Atoms, timestep: float, temperature: float, tdamp: float, rng: np.random.Generator
    ) -> None:
        super().__init__(atoms, timestep, temperature_K=temperature, taut=tdamp, rng=rng)
        self.ndof = 3 * len(atoms) - 3
        self.target_kinetic_energy = 0.5 * self.temp * self.ndof

    def heat_given(self) -> float:
        """Return the energy (eV) that the bath has given; total energy minus this is conserved."""
        return self.transferred_energy

    def get_state(self) -> dict[str, Any]:
        """Return what a restart needs beside positions, momenta and cell, as plain numbers."""
        return {"transferred_energy": self.transferred_energy, "rng": self.rng.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.transferred_energy = state["transferred_energy"]
        self.rng.bit_generator.state = state["rng"]


class StochasticCellRescaling(VelocityRescaling):
    r"""Constant pressure: stochastic velocity rescaling, and the volume relaxing with the noise that belongs to it.

    With λ = sqrt(V) the isotropic equation is

    .. math:: dλ = -\frac{β_T λ}{2 τ_p} \left(P_0 - P - \frac{k_B T}{2 V}\right) dt
              + \sqrt{\frac{k_B T β_T}{2 τ_p}}\, dW .

    It is of first order: a badly packed box, at a pressure of GPa, relaxes to its density without ringing, where an
    inertial barostat overshoots, and it samples the isothermal-isobaric ensemble exactly in the limit of small time
    steps. The compressibility β_T sets the pace only. The centre of mass is at rest, but its share k_B T / V belongs
    to the pressure: it is 100 bar in a box of 40 atoms.

    The cell, the positions and the momenta are scaled between the two half steps of velocity Verlet, before the forces
    are computed, so that there is one evaluation a step and every force belongs to its geometry.

    References
    ----------
    M. Bernetti, G. Bussi, J. Chem. Phys. 153, 114107 (2020).
    """

    def __init__(
        self,
        atoms: Atoms,
        timestep: float,
        temperature: float,
        tdamp: float,
        rng: np.random.Generator,
        pressure: float,
        pdamp: float,
        compressibility: float,
    ) -> None:
        super().__init__(atoms, timestep, temperature, tdamp, rng)
        self.pressure = pressure  # eV/Å^3
        self.rate = compressibility / pdamp  # Å^3/eV per time

    def step(self, forces: np.ndarray | None = None) -> np.ndarray:
        """Advance by one time step and return the new forces."""
        atoms = self.atoms
        positions, momenta = atoms.arrays["positions"], atoms.arrays["momenta"]  # changed in place
        if forces is None:
            forces = atoms.get_forces()
        self.scale_velocities()
        momenta += 0.5 * self.dt * forces
        positions += self.dt * momenta / self._masses
        scale = self._scale(atoms, momenta)
        positions *= scale
        momenta /= scale
        atoms.cell.array[:] *= scale
        forces = atoms.get_forces()
        momenta += 0.5 * self.dt * forces
        return forces

    def scale_velocities(self) -> None:
        """Let the bath rescale the velocities, in place."""
        momenta = self.atoms.arrays["momenta"]
        kinetic = 0.5 * np.vdot(momenta, momenta / self._masses)
        factor = self.calculate_alpha(kinetic)
        momenta *= factor
        self.transferred_energy += (factor**2 - 1.0) * kinetic

    def _scale(self, atoms: Atoms, momenta: np.ndarray) -> float:
        """Draw the factor by which lengths change in this step."""
        volume = atoms.cell.volume
        stress = atoms.calc.get_stress()  # of the geometry at the beginning of the step
        kinetic = np.vdot(momenta, momenta / self._masses) + 3.0 * self.temp
        pressure = kinetic / (3.0 * volume) - stress[:3].sum() / 3.0
        drift = -0.5 * self.rate * (self.pressure - pressure - 0.5 * self.temp / volume) * self.dt
        noise = math.sqrt(0.5 * self.temp * self.rate * self.dt / volume) * self.rng.standard_normal()
        # λ'/λ = 1 + drift + noise; the cube root of (λ'/λ)^2 is the length's. An overlapping start may have any
        # pressure: no single step changes a length by more than 7 %.
        return min(max(1.0 + drift + noise, 0.9), 1.1) ** (2.0 / 3.0)


class NoseHooverChain(VelocityVerlet):
    """Constant temperature by a deterministic chain of thermostats around velocity Verlet.

    References
    ----------
    G. J. Martyna, M. L. Klein, M. Tuckerman, J. Chem. Phys. 97, 2635 (1992).
    """

    def __init__(self, atoms: Atoms, timestep: float, temperature: float, tdamp: float) -> None:
        super().__init__(atoms, timestep)
        # N - 1 atoms have the 3 N - 3 degrees of freedom of N atoms at rest.
        self.chain = NoseHooverChainThermostat(len(atoms) - 1, self.masses, temperature, tdamp)

    def step(self, forces: np.ndarray | None = None) -> np.ndarray:
        """Advance by one time step and return the new forces."""
        momenta = self.atoms.arrays["momenta"]
        momenta[:] = self.chain.integrate_nhc(momenta, 0.5 * self.dt)
        forces = super().step(forces)
        momenta = self.atoms.arrays["momenta"]
        momenta[:] = self.chain.integrate_nhc(momenta, 0.5 * self.dt)
        return forces

    def heat_given(self) -> float:
        """Return the energy (eV) that the bath has given; total energy minus this is conserved."""
        return -self.chain.get_thermostat_energy()

    def get_state(self) -> dict[str, Any]:
        """Return what a restart needs beside positions, momenta and cell, as plain numbers."""
        return {"eta": self.chain._eta.tolist(), "p_eta": self.chain._p_eta.tolist()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.chain._eta[:] = state["eta"]
        self.chain._p_eta[:] = state["p_eta"]


class ConstantEnergy(VelocityVerlet):
    """ASE's velocity Verlet; there is no bath and no state."""

    def heat_given(self) -> float:
        """Return 0: nothing exchanges energy with the atoms."""
        return 0.0

    def get_state(self) -> dict[str, Any]:
        """Return nothing: positions, momenta and cell are all there is."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Do nothing."""


def build(
    ensemble: str,
    atoms: Atoms,
    *,
    timestep_fs: float,
    temperature: float,
    pressure_bar: float,
    thermostat: str,
    tdamp_fs: float,
    pdamp_fs: float,
    compressibility_per_bar: float,
    rng: np.random.Generator,
) -> ConstantEnergy | NoseHooverChain | VelocityRescaling:
    """Set up the integrator of an ensemble ("nve", "nvt" or "npt") for atoms that carry momenta and a calculator."""
    timestep, tdamp = timestep_fs * units.fs, tdamp_fs * units.fs
    if ensemble == "nve":
        return ConstantEnergy(atoms, timestep)
    if ensemble == "nvt" and thermostat == "nose-hoover":
        return NoseHooverChain(atoms, timestep, temperature, tdamp)
    if ensemble == "nvt":
        return VelocityRescaling(atoms, timestep, temperature, tdamp, rng)
    return StochasticCellRescaling(
        atoms,
        timestep,
        temperature,
        tdamp,
        rng,
        pressure=pressure_bar * units.bar,
        pdamp=pdamp_fs * units.fs,
        compressibility=compressibility_per_bar / units.bar,
    )
