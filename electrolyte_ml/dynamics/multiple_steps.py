"""Integrator with multiple time steps; the equations are in :mod:`electrolyte_ml.kernels.multiple_steps`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from ase import Atoms

from electrolyte_ml.dynamics.barostat import MolecularBarostat
from electrolyte_ml.dynamics.force_field import MolecularForceField
from electrolyte_ml.dynamics.integrators import Integrator, Noise, PotentialIntegrator
from electrolyte_ml.errors import ElectrolyteError, InputError, first_line
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.kernels import force_field, multiple_steps
from electrolyte_ml.potentials.calculator import SKIN
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures.bonding import bonded_pairs

OUTER_SKIN = 1.5  # Å, with multiple time steps: a list is then read less often than it would be made anew
# Å, largest displacement in one outer step by the difference between outer and inner forces. A distilled inner
# potential reaches 0.15 Å (hydrogen, 4 fs); the thermal motion of hydrogen in 4 fs is 0.1 Å at 300 K.
FARTHEST = 0.25
# An inner potential is refused if more than this share of the steps, and more than this number, were repeated.
MOST_REPEATED, FEWEST_REPEATED = 0.05, 20
STEPS_PER_CHANGE = 10  # outer steps from one change of the cell to the next, with multiple time steps


@contextmanager
def naming_inner() -> Iterator[None]:
    """Name the inner potential in the message of any error."""
    try:
        yield
    except InputError as error:
        raise InputError(f"inner potential: {error}") from error
    except Exception as error:
        raise ElectrolyteError(f"inner potential: {first_line(error)}") from error


def bonds_with_hydrogen(atoms: Atoms, damping: float | None) -> multiple_steps.Bonds:
    """Return the bonds with hydrogen, found by their lengths, for the friction; none if there is no friction."""
    i, j, shift = bonded_pairs(atoms)
    light = ((atoms.numbers[i] == 1) | (atoms.numbers[j] == 1)) & (damping is not None)
    pair = np.stack([i, j], axis=1).astype(np.int64)
    return multiple_steps.Bonds(pair[light], shift[light].astype(float), damping or np.inf)


class MolecularIntegrator(Integrator):
    """Integrator at constant energy with a force field within molecules, whose steps are compiled."""

    def __init__(self, atoms: Atoms, ensemble: kernels.Ensemble, noise: Noise, inner: MolecularForceField) -> None:
        super().__init__(atoms, ensemble, noise)
        self.terms = inner.terms(atoms)
        self.work = force_field.workspace(self.terms)

    def evaluate(self) -> None:
        """Compute energy and forces."""
        particles = self.particles
        self.scalars[kernels.ENERGY] = force_field.evaluate(
            self.terms, particles.positions, particles.cell, self.work, particles.forces
        )

    update = evaluate

    def advance(self, to: int) -> None:
        """Advance to a step in one compiled call."""
        force_field.advance(
            self.ensemble, self.particles, np.ones(3), np.zeros(5), self.terms, self.work, to - self.step
        )
        self.step = to

    def stretched(self, factors: np.ndarray) -> None:
        """Do nothing: there are no neighbour lists."""


class MultipleStepIntegrator(PotentialIntegrator):
    """Integrator that takes several short steps with an inner potential in each step of the potential itself.

    Energy, forces, stress and thermostat are those of the potential, once per outer step. The difference between its
    forces and those of the inner potential acts as a kick at both ends of the step. A friction may act on
    bonds with hydrogen, which the kicks heat. At constant pressure the cell
    changes after every tenth step, with all forces computed anew, see :mod:`electrolyte_ml.dynamics.barostat`.

    An inner potential has holes where it was not fitted. A step in which it fails, or at whose end the kick moves an
    atom by more than 0.25 Å, is repeated from its beginning with single steps of the potential, and counted.

    Parameters
    ----------
    inner : MolecularForceField or Potential
        Cheap forces that are close to those of `potential`: a force field within the molecules, or a potential of the
        same elements.
    inner_steps : int
        Number of inner steps in one step of `ensemble`.
    bond_damping : float, optional
        Relaxation time (Å sqrt(amu/eV)) of the friction on bonds with hydrogen; no friction by default.
    """

    def __init__(
        self,
        atoms: Atoms,
        ensemble: kernels.Ensemble,
        noise: Noise,
        potential: Potential,
        inner: MolecularForceField | Potential,
        inner_steps: int,
        bond_damping: float | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(atoms, ensemble, noise, potential, OUTER_SKIN, threads)
        alone = ensemble._replace(
            thermostat=kernels.NO_THERMOSTAT, timestep=ensemble.timestep / inner_steps, rate=0.0, anisotropic=False
        )
        unused = Noise(0, noise.freedom)  # without a thermostat
        self.inner: MolecularIntegrator | PotentialIntegrator
        with naming_inner():
            if isinstance(inner, MolecularForceField):
                self.inner = MolecularIntegrator(atoms, alone, unused, inner)
            else:
                self.inner = PotentialIntegrator(atoms, alone, unused, inner, SKIN, threads)
        self.inner_steps = inner_steps
        self.bonds = bonds_with_hydrogen(atoms, bond_damping)
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
                self._begin(draws, self.inner.forces)
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

    def _begin(self, draws: np.ndarray, inner_forces: np.ndarray) -> None:
        """Apply the thermostat and half a kick."""
        multiple_steps.begin_outer(
            self.ensemble, draws, self.particles, inner_forces, self.inner.ensemble.timestep, self.bonds,
            self.noise.normals(self.step, len(self.bonds.pair)),
        )  # fmt: skip

    def _repeat_step(self, draws: np.ndarray, fault: str) -> None:
        """Take the time of one outer step with single steps of the potential."""
        self.scalars[kernels.REPEATED] += 1
        if self.repeated > max(FEWEST_REPEATED, MOST_REPEATED * (self.step + 1)):
            raise ElectrolyteError(
                f"the inner potential was not good enough for {self.repeated} of {self.step + 1} steps, the last time "
                f"because of {fault}: use another inner potential or a shorter outer step"
            )
        self._begin(draws, self.forces)  # without a difference of forces: the thermostat alone
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
        self.stretched(factors)
        self.inner.stretched(factors)
        self.update()
        with naming_inner():
            self.inner.update()
        self.scalars[kernels.GIVEN] += self.energy - before
