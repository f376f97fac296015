"""Integrators: time steps of a configuration with forces from an ASE calculator or a potential.

The equations are in :mod:`electrolyte_ml.kernels.dynamics`. With an ASE calculator they are called step by step; a
potential's stepper takes many steps in one call. Units are those of ASE (eV, Å, amu, Å·sqrt(amu/eV)).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import all_changes

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.potentials.calculator import SKIN, PotentialCalculator
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.interface import stress_of
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures.neighbours import OVERLAP, neighbour_list
from electrolyte_ml.threads import default_threads

_BLOCK = 1024  # steps for which noise is drawn at once


class Noise:
    """Random numbers of the steps of a run: a function of the seed and of the step's number alone.

    A run that is resumed, or that advances by other numbers of steps at a time, therefore gets the same noise.
    """

    def __init__(self, seed: int, freedom: int) -> None:
        self.seed, self.freedom = seed, freedom
        self._block, self._rows = -1, np.empty((0, 5))

    def rows(self, first: int, last: int) -> np.ndarray:
        """Return the noise (n, 5) of the steps from `first` up to `last` or to the end of a block of 1024 steps.

        The columns are a normal number and a chi-square number of freedom - 1 degrees for the thermostat, and three
        normal numbers for the barostat, which uses only the first of them if the cell keeps its shape.
        """
        block, place = divmod(first, _BLOCK)
        if block != self._block:
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
            chi_square = 2.0 * rng.standard_gamma(0.5 * (self.freedom - 1), _BLOCK)
            normals = rng.standard_normal((4, _BLOCK))
            self._rows = np.stack([normals[0], chi_square, *normals[1:]], axis=1)
            self._block = block
        return self._rows[place : place + last - first]

    def normals(self, step: int, count: int) -> np.ndarray:
        """Return further normal numbers (count,) of a step."""
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, step, 0, 0])).standard_normal(count)


class Integrator:
    """A configuration that is propagated in an ensemble.

    Positions, momenta and cell of `atoms` change in place.

    Attributes
    ----------
    step : int
        Number of steps done since the start.
    forces : (N, 3), eV/Å
    scalars : (14,)
        Further state that a resumed run needs; see :mod:`electrolyte_ml.kernels.dynamics`.
    """

    threads = 1
    name: str  # of the calculator, for messages

    def __init__(self, atoms: Atoms, ensemble: kernels.Ensemble, noise: Noise) -> None:
        self.atoms, self.ensemble, self.noise = atoms, ensemble, noise
        self.step = 0
        self.forces, self.scalars = np.zeros((len(atoms), 3)), np.zeros(kernels.N_SCALARS)
        self.particles = kernels.Particles(
            atoms.get_masses(), atoms.arrays["positions"], atoms.arrays["momenta"], self.forces, atoms.cell.array,
            self.scalars, np.zeros((3, 3)),
        )  # fmt: skip

    def set_temperature(self, temperature: float) -> None:
        """Set the temperature (K) of the next steps."""
        self.ensemble = self.ensemble._replace(kT=temperature * units.kB)

    @property
    def energy(self) -> float:
        """Potential energy, eV."""
        return float(self.scalars[kernels.ENERGY])

    @property
    def kinetic_energy(self) -> float:
        """Kinetic energy, eV."""
        return kernels.kinetic_energy(self.particles)

    @property
    def missing_energy(self) -> float:
        """Kinetic energy (eV) that the momenta at full steps lack, see `kernels.dynamics.missing_energy`."""
        return kernels.missing_energy(self.ensemble, self.particles)

    @property
    def given(self) -> float:
        """Energy (eV) added by thermostat and barostat; the total energy minus this one is conserved."""
        return float(self.scalars[kernels.GIVEN])

    @property
    def repeated(self) -> int:
        """Number of multiple time steps that were repeated with single steps."""
        return int(self.scalars[kernels.REPEATED])

    @property
    def stress(self) -> np.ndarray | None:
        """Stress (6,) eV/Å^3 in ASE's sign and order; None without a volume or if the calculator has no stress."""
        raise NotImplementedError

    @property
    def known(self) -> dict[str, Any]:
        """Further results of this step for monitors."""
        return {}

    def finite(self) -> bool:
        """Return whether energy, forces and stress are finite."""
        total = self.scalars[kernels.ENERGY] + self.scalars[kernels.VIRIAL] + self.forces.sum()
        return math.isfinite(total)

    def evaluate(self) -> None:
        """Compute energy, forces and stress of the positions."""
        raise NotImplementedError

    def advance(self, to: int) -> None:
        """Advance to a step, or to the first step with forces that are not finite.

        Raises
        ------
        Exception
            Any error of the calculator; `step` counts the steps finished before it.
        """
        raise NotImplementedError

    def reset(self) -> None:
        """Discard data of earlier steps (neighbour lists, wave functions), which may affect the last bits."""
        raise NotImplementedError

    def relax(self, steps: int) -> None:
        """Minimise the energy in the fixed cell by at most `steps` steps of FIRE."""
        from ase.optimize import FIRE

        self.atoms.calc = _Landscape(self)
        FIRE(self.atoms, logfile=None, maxstep=0.1).run(fmax=0.05, steps=steps)
        self.atoms.calc = None
        self.evaluate()


class _Landscape:
    """Calculator for ASE's optimisers that takes energy and forces from an integrator."""

    def __init__(self, integrator: Integrator) -> None:
        self.integrator = integrator
        self._positions = np.empty(0)

    def get_forces(self, atoms: Atoms) -> np.ndarray:
        self._evaluate(atoms)
        return self.integrator.forces.copy()

    def get_potential_energy(self, atoms: Atoms, force_consistent: bool = False) -> float:
        self._evaluate(atoms)
        return self.integrator.energy

    def _evaluate(self, atoms: Atoms) -> None:
        if not np.array_equal(atoms.positions, self._positions):
            self.integrator.evaluate()
            self._positions = atoms.positions.copy()


class CalculatorIntegrator(Integrator):
    """Integrator with forces from an ASE calculator, one call per step."""

    def __init__(self, atoms: Atoms, ensemble: kernels.Ensemble, noise: Noise, calculator: Any) -> None:
        super().__init__(atoms, ensemble, noise)
        available = getattr(calculator, "implemented_properties", ())
        name = type(calculator).__name__
        if not hasattr(calculator, "calculate") or not {"energy", "forces"} <= set(available):
            raise InputError(f"{name} is neither a potential nor an ASE calculator of energies and forces")
        if ensemble.rate and "stress" not in available:
            raise InputError(f"constant pressure needs a stress, and {name} has none")
        self.calculator, self.name = calculator, name
        self.properties = ["energy", "forces"]
        if atoms.pbc.all() and "stress" in available:
            self.properties.append("stress")
        self.changes = all_changes
        self._stress: np.ndarray | None = None
        self._stretch = np.ones(3)  # required by the kernel; only a potential's neighbour list depends on it

    @property
    def stress(self) -> np.ndarray | None:
        """Stress (6,) eV/Å^3 of the calculator, or None."""
        return self._stress

    def evaluate(self) -> None:
        """Compute energy, forces and stress with the calculator."""
        # ASE's get_forces compares the whole configuration with a copy, several times per step.
        self.calculator.calculate(self.atoms, self.properties, self.changes)
        results = self.calculator.results
        self.forces[:] = results["forces"]
        self.scalars[kernels.ENERGY] = results["energy"]
        if "stress" in self.properties:
            self._stress = np.array(results["stress"], dtype=float)
            self.scalars[kernels.VIRIAL] = self._stress[:3].sum() * self.atoms.cell.volume
            np.fill_diagonal(self.particles.virial, self._stress[:3] * self.atoms.cell.volume)
        self.changes = ["positions", "cell"]

    def advance(self, to: int) -> None:
        """Advance to a step, with one evaluation per step."""
        while self.step < to:
            for draws in self.noise.rows(self.step, to):
                kernels.before_forces(self.ensemble, draws, self.particles, self._stretch)
                self.evaluate()
                finite = kernels.after_forces(self.ensemble, self.particles)
                self.step += 1
                if not finite:
                    return

    def reset(self) -> None:
        """Reset the calculator, if it has a method for that."""
        if isinstance(self.calculator, PotentialCalculator):
            self.calculator.forget_pairs()
        if hasattr(self.calculator, "reset"):
            self.calculator.reset()
        self.changes = all_changes


class PotentialIntegrator(Integrator):
    """Integrator with forces from a potential's stepper, which takes many steps in one call.

    Small boxes run on one thread; the atoms of larger boxes are divided among all available threads.
    """

    def __init__(
        self,
        atoms: Atoms,
        ensemble: kernels.Ensemble,
        noise: Noise,
        potential: Potential,
        skin: float = SKIN,
        threads: int | None = None,
    ) -> None:
        super().__init__(atoms, ensemble, noise)
        self.potential, self.skin, self.name = potential, skin, type(potential).__name__
        self.threads = threads or default_threads(len(atoms))
        self.stepper = potential.stepper(System.of(atoms, potential.species), self.threads)
        self.limits = kernels.Limits(skin, OVERLAP)

    @property
    def stress(self) -> np.ndarray | None:
        """Stress (6,) eV/Å^3 in ASE's order, or None without a volume."""
        return stress_of(self.particles.virial, self.atoms.cell.volume) if self.atoms.pbc.all() else None

    @property
    def known(self) -> dict[str, Any]:
        """Potential, number of threads, and configuration with its pairs, in arrays that the next step changes."""
        return {"potential": self.potential, "geometry": self.stepper.geometry(), "threads": self.threads}

    def evaluate(self) -> None:
        """Compute energy, forces and virial with a new neighbour list."""
        self._renew()
        self._add()

    def update(self) -> None:
        """Compute energy, forces and virial with the present neighbour list, as long as it is valid."""
        stepper = self.stepper
        if not kernels.holds(
            self.particles.positions, stepper.origin, stepper.stretch, self.potential.cutoff, self.skin
        ):
            self._renew()
        self._add()

    def _add(self) -> None:
        particles = self.particles
        particles.forces[:] = 0.0
        energy, particles.virial[:] = self.stepper.add(particles.positions, particles.cell, particles.forces)
        self.scalars[kernels.ENERGY], self.scalars[kernels.VIRIAL] = energy, np.trace(particles.virial)

    def advance(self, to: int) -> None:
        """Advance to a step, with one call for as long as a neighbour list is valid."""
        while self.step < to:
            draws = self.noise.rows(self.step, to)
            status, steps = self.stepper.advance(self.ensemble, draws, self.particles, self.limits)
            self.step += steps
            if status == kernels.SPENT:
                self._renew()
            elif self.stepper.failure is not None and status == kernels.FAILED:
                raise self.stepper.failure
            elif status == kernels.NOT_FINITE:
                return

    def stretched(self, factors: np.ndarray) -> None:
        """Note that the lengths of the cell have changed by factors (3,)."""
        self.stepper.stretch *= factors

    def reset(self) -> None:
        """Discard the neighbour list."""
        self.stepper.invalidate()

    def _renew(self) -> None:
        """Make a new neighbour list; positions for which none can be made are refused."""
        positions, cell, system = self.particles.positions, self.particles.cell, self.stepper.system
        reach = self.potential.cutoff + self.skin
        pairs = neighbour_list(positions, cell, system.pbc, reach, system.species, len(system.symbols))
        self.stepper.renew(pairs, positions, cell)
