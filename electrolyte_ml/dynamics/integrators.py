"""Integrators: time steps of a configuration with forces from an ASE calculator or a potential.

The equations are in :mod:`electrolyte_ml.kernels.dynamics`. With an ASE calculator they are called step by step; a
potential's stepper takes many steps in one call. With an inner potential a step has two levels, see
:mod:`electrolyte_ml.kernels.multiple_steps`. Units are those of ASE (eV, Å, amu, Å·sqrt(amu/eV)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import all_changes

from electrolyte_ml.dynamics.barostat import MolecularBarostat
from electrolyte_ml.errors import ElectrolyteError, InputError, first_line
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.kernels import multiple_steps
from electrolyte_ml.potentials.calculator import SKIN, PotentialCalculator
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.interface import stress_of
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures.neighbours import OVERLAP, neighbour_list
from electrolyte_ml.threads import default_threads

OUTER_SKIN = 1.5  # Å, with multiple time steps: a list is then read less often than it would be made anew
# Å, largest displacement in one outer step by the difference between outer and inner forces. A distilled inner
# potential reaches 0.15 Å (hydrogen, 4 fs); the thermal motion of hydrogen in 4 fs is 0.1 Å at 300 K.
FARTHEST = 0.25
# An inner potential is refused if more than this share of the steps, and more than this number, were repeated.
MOST_REPEATED, FEWEST_REPEATED = 0.05, 20
STEPS_PER_CHANGE = 10  # outer steps from one change of the cell to the next, with multiple time steps
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

    def reset(self) -> None:
        """Discard the neighbour list."""
        self.stepper.invalidate()

    def _renew(self) -> None:
        """Make a new neighbour list; positions for which none can be made are refused."""
        positions, cell, system = self.particles.positions, self.particles.cell, self.stepper.system
        reach = self.potential.cutoff + self.skin
        pairs = neighbour_list(positions, cell, system.pbc, reach, system.species, len(system.symbols))
        self.stepper.renew(pairs, positions, cell)


@contextmanager
def naming_inner() -> Iterator[None]:
    """Name the inner potential in the message of any error."""
    try:
        yield
    except InputError as error:
        raise InputError(f"inner potential: {error}") from error
    except Exception as error:
        raise ElectrolyteError(f"inner potential: {first_line(error)}") from error


class MultipleStepIntegrator(PotentialIntegrator):
    """Integrator that takes several short steps with an inner potential in each step of the potential itself.

    Energy, forces, stress and thermostat are those of the potential, once per outer step. The difference between its
    forces and those of the inner potential acts as a kick at both ends of the step. At constant pressure the cell
    changes after every tenth step, with all forces computed anew, see :mod:`electrolyte_ml.dynamics.barostat`.

    An inner potential has holes where it was not fitted. A step in which it fails, or at whose end the kick moves an
    atom by more than 0.25 Å, is repeated from its beginning with single steps of the potential, and counted.

    Parameters
    ----------
    inner : Potential
        Potential of the same elements, with forces close to those of `potential`.
    inner_steps : int
        Number of inner steps in one step of `ensemble`.
    """

    def __init__(
        self,
        atoms: Atoms,
        ensemble: kernels.Ensemble,
        noise: Noise,
        potential: Potential,
        inner: Potential,
        inner_steps: int,
        threads: int | None = None,
    ) -> None:
        super().__init__(atoms, ensemble, noise, potential, OUTER_SKIN, threads)
        alone = ensemble._replace(
            thermostat=kernels.NO_THERMOSTAT, timestep=ensemble.timestep / inner_steps, rate=0.0, anisotropic=False
        )
        # Without a thermostat the noise is not used.
        with naming_inner():
            self.inner = PotentialIntegrator(atoms, alone, Noise(0, noise.freedom), inner, SKIN, threads)
        self.inner_steps = inner_steps
        self.barostat = MolecularBarostat(atoms) if ensemble.rate else None
        self._inner_forces_known = False

    @property
    def missing_energy(self) -> float:
        """Kinetic energy (eV) that the momenta lack at the ends of outer steps."""
        if not self._inner_forces_known:
            self._find_inner_forces()
        return multiple_steps.missing_energy_of_outer(
            self.ensemble, self.particles, self.inner.forces, self.inner.ensemble.timestep
        )

    def evaluate(self) -> None:
        """Compute energy, forces and virial with a new neighbour list; the inner forces follow at the next step."""
        super().evaluate()
        self._inner_forces_known = False

    def reset(self) -> None:
        """Discard both neighbour lists and the inner forces."""
        super().reset()
        self._inner_forces_known = False

    def advance(self, to: int) -> None:
        """Advance to a step.

        Raises
        ------
        ElectrolyteError
            More than 5 % of the steps were repeated with single steps.
        """
        if not self._inner_forces_known:
            self._find_inner_forces()
        while self.step < to:
            for draws in self.noise.rows(self.step, to):
                if fault := self._take_step(draws):
                    self._repeat_step(draws, fault)
                self.step += 1
                if not self.finite():
                    return
                if self.barostat is not None and self.step % STEPS_PER_CHANGE == 0:
                    self._change_cell(self.barostat, draws)
                    if not self.finite():
                        return

    def _find_inner_forces(self) -> None:
        with naming_inner():
            self.inner.evaluate()
        self._inner_forces_known = True

    def _take_step(self, draws: np.ndarray) -> str:
        """Take one outer step; return a text if the inner potential is not good enough for it, and undo it."""
        state = self.particles
        changing = (state.positions, state.momenta, state.forces, state.virial, state.scalars)
        before = [array.copy() for array in changing]
        fault = self._kick_too_large()  # after a repeated step this may hold at the beginning of the next one
        if not fault:
            try:
                multiple_steps.begin_outer(self.ensemble, draws, state, self.inner.forces, self.inner.ensemble.timestep)
                self.inner.advance(self.inner.step + self.inner_steps)
                self.update()
                finite = multiple_steps.end_outer(self.ensemble, state, self.inner.forces)
                fault = self._kick_too_large() if finite and self.inner.finite() else "forces that are not finite"
            except Exception as error:
                fault = first_line(error)
        if fault:
            for array, kept in zip(changing, before, strict=True):
                array[:] = kept
        return fault

    def _repeat_step(self, draws: np.ndarray, fault: str) -> None:
        """Take the time of one outer step with single steps of the potential."""
        self.scalars[kernels.REPEATED] += 1
        if self.repeated > max(FEWEST_REPEATED, MOST_REPEATED * (self.step + 1)):
            raise ElectrolyteError(
                f"the inner potential was not good enough for {self.repeated} of {self.step + 1} steps, the last time "
                f"because of {fault}: use another inner potential or a shorter outer step"
            )
        step = self.inner.ensemble.timestep
        multiple_steps.begin_outer(self.ensemble, draws, self.particles, self.forces, step)  # the thermostat alone
        for _ in range(self.inner_steps):
            kernels.before_forces(self.inner.ensemble, draws, self.particles, np.ones(3))
            self.update()
            kernels.after_forces(self.inner.ensemble, self.particles)
        self.inner.scalars[kernels.HALFWAY] = 0.0  # the failed step may have ended within an inner one
        self._find_inner_forces()

    def _kick_too_large(self) -> str:
        """Return a text on the atom that the difference of the forces would move too far, if there is one."""
        atom, distance = multiple_steps.largest_kick(self.ensemble, self.particles, self.inner.forces)
        if distance <= FARTHEST:
            return ""
        difference = np.linalg.norm(self.forces[atom] - self.inner.forces[atom])
        return (
            f"its force on atom {atom + 1} ({self.atoms.symbols[atom]}), which is wrong by {difference:.3g} eV/Å and "
            f"would move it by {distance:.2f} Å in one step"
        )

    def _change_cell(self, barostat: MolecularBarostat, draws: np.ndarray) -> None:
        """Change the cell, compute all forces anew, and count the energy that the change has added."""
        before, since = self.energy, self.ensemble._replace(timestep=STEPS_PER_CHANGE * self.ensemble.timestep)
        factors = barostat.change(since, draws[2:], self.particles)
        for stepper in (self.stepper, self.inner.stepper):
            stepper.stretch *= factors
        self.update()
        with naming_inner():
            self.inner.update()
        self.scalars[kernels.GIVEN] += self.energy - before


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
    inner_potential: Potential | None = None,
    inner_steps: int | None = None,
) -> Integrator:
    """Return the integrator of an ensemble ("nve", "nvt" or "npt") for atoms whose centre of mass is at rest.

    With `anisotropic` the three lengths of an orthorhombic cell change independently in "npt". With an inner potential
    each step has `inner_steps` inner steps.

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
        return MultipleStepIntegrator(atoms, constants, noise, potential, inner_potential, inner_steps, threads)
    if inner_potential is not None:
        raise InputError(f"multiple time steps need a potential, and {type(calculator).__name__} is none")
    return CalculatorIntegrator(atoms, constants, noise, calculator)
