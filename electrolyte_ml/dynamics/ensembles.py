"""Choice of the integrator of an ensemble."""

from __future__ import annotations

from typing import Any

from ase import Atoms, units

from electrolyte_ml.dynamics.force_field import MolecularForceField
from electrolyte_ml.dynamics.integrators import CalculatorIntegrator, Integrator, Noise, PotentialIntegrator
from electrolyte_ml.dynamics.multiple_steps import MultipleStepIntegrator
from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.potentials.calculator import PotentialCalculator
from electrolyte_ml.potentials.potential import Potential


def build(
    atoms: Atoms,
    calculator: Any,
    *,
    ensemble: str,
    temperature: float,
    timestep_fs: float,
    thermostat: str = "bussi",
    tdamp_fs: float = 100.0,
    pressure_bar: float = 1.01325,
    pdamp_fs: float = 1000.0,
    compressibility_per_bar: float = 4.5e-5,
    anisotropic: bool | None = None,
    seed: int = 0,
    inner_potential: MolecularForceField | Potential | None = None,
    inner_steps: int | None = None,
    bond_damping_fs: float | None = None,
) -> Integrator:
    """Return the integrator of an ensemble ("nve", "nvt" or "npt") for atoms whose centre of mass is at rest.

    With `anisotropic` the three lengths of an orthorhombic cell change independently in "npt". With an inner potential
    each step has `inner_steps` inner steps; with `bond_damping_fs`, a friction acts on bonds with hydrogen.

    A system whose centre of mass is at rest has 3 N - 3 degrees of freedom, which are counted here. ASE counts 3 N: a
    box of 40 atoms would be 2.6 % (8 K) too hot.

    Raises
    ------
    InputError
        If the calculator lacks a property that the ensemble needs, or is no potential and there is an inner one.
    """
    freedom = 3 * len(atoms) - 3
    kind = kernels.CHAIN if thermostat == "nose-hoover" and ensemble == "nvt" else kernels.RESCALING
    constants = kernels.Ensemble(
        thermostat=kernels.NO_THERMOSTAT if ensemble == "nve" else kind,
        timestep=timestep_fs * units.fs,
        tdamp=tdamp_fs * units.fs,
        kT=temperature * units.kB,
        freedom=float(freedom),
        pressure=pressure_bar * units.bar,
        rate=compressibility_per_bar / units.bar / (pdamp_fs * units.fs) if ensemble == "npt" else 0.0,
        anisotropic=bool(anisotropic) and ensemble == "npt",
    )
    noise = Noise(seed, freedom)
    if isinstance(calculator, Potential):
        calculator = calculator.calculator()
    if isinstance(calculator, PotentialCalculator) and calculator.is_plain:
        potential, skin, threads = calculator.potential, calculator.pairs.skin, calculator.threads
        if inner_potential is None:
            return PotentialIntegrator(atoms, constants, noise, potential, skin, threads)
        assert inner_steps is not None
        damping = None if bond_damping_fs is None else bond_damping_fs * units.fs
        return MultipleStepIntegrator(
            atoms, constants, noise, potential, inner_potential, inner_steps, damping, threads
        )
    if inner_potential is not None:
        raise InputError(f"multiple time steps need a potential, and {type(calculator).__name__} is none")
    return CalculatorIntegrator(atoms, constants, noise, calculator)
