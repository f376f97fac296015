"""Multiple time steps: the two ends of an outer step, between which a cheap inner potential takes several short steps.

An outer step of length D consists of `begin_outer` (thermostat, half a kick of D by the difference between the outer
and the inner forces), steps of velocity Verlet with the inner forces alone, and `end_outer` (the other half kick).

The kicks are in resonance with combinations of the fast vibrations. They heat bonds with hydrogen slowly, and more so
the longer a bond already vibrates. The thermostat therefore consists of two parts: stochastic rescaling of all
velocities, and a friction with noise on the relative velocities along these bonds alone, which takes the heat away
where it enters. It changes neither the momentum nor the angular momentum of a molecule.

References
----------
Tuckerman, Berne, Martyna, J. Chem. Phys. 97, 1990 (1992); Izaguirre, Catarello, Wozniak, Skeel, J. Chem. Phys. 114,
2090 (2001); Peters, Europhys. Lett. 66, 311 (2004).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE
from electrolyte_ml.kernels.dynamics import (
    ENERGY,
    GIVEN,
    RESCALING,
    VIRIAL,
    bounded_missing_energy,
    product_of_forces,
    rescale_velocities,
)


class Bonds(NamedTuple):
    """Bonds with friction.

    Attributes
    ----------
    pair : (B, 2) int64
        Atoms of each bond.
    shift : (B, 3) float64
        Cell vectors to add to the second atom of each bond.
    damping : float
        Relaxation time of the relative velocities.
    """

    pair: np.ndarray
    shift: np.ndarray
    damping: float


@njit(**PIECE)
def component(bonds, particles, k, axis):
    """Return a component of the vector from the first to the second atom of bond k."""
    i, j = bonds.pair[k, 0], bonds.pair[k, 1]
    along = particles.positions[j, axis] - particles.positions[i, axis]
    for vector in range(3):
        along += bonds.shift[k, vector] * particles.cell[vector, axis]
    return along


@njit(**PIECE)
def damp_bonds(ensemble, bonds, normals, particles, inner, inner_step):
    """Apply friction and noise to the relative velocity v along each bond, for one outer step.

    With c = exp(-dt / damping), the reduced mass m of both atoms, a normal random number R, and the mean K0 of the
    kinetic energy m v^2 / 2 at full steps, which is kT / 2 without the missing part (`missing_energy_of_outer`),

        v' = c v + sqrt(2 (1 - c^2) K0 / m) R.
    """
    memory = np.exp(-ensemble.timestep / bonds.damping)
    outer_square, inner_square = ensemble.timestep * ensemble.timestep, inner_step * inner_step
    for k in range(len(bonds.pair)):
        i, j = bonds.pair[k, 0], bonds.pair[k, 1]
        inverse_i, inverse_j = 1.0 / particles.masses[i], 1.0 / particles.masses[j]
        mass, square, velocity, pull, inner_pull = 1.0 / (inverse_i + inverse_j), 0.0, 0.0, 0.0, 0.0
        for axis in range(3):
            along = component(bonds, particles, k, axis)
            square += along * along
            velocity += along * (particles.momenta[j, axis] * inverse_j - particles.momenta[i, axis] * inverse_i)
            pull += along * (particles.forces[j, axis] * inverse_j - particles.forces[i, axis] * inverse_i)
            inner_pull += along * (inner[j, axis] * inverse_j - inner[i, axis] * inverse_i)
        length = np.sqrt(square)
        velocity /= length
        missing = mass * pull * (outer_square * pull - (outer_square - inner_square) * inner_pull) / (12.0 * square)
        mean = 0.5 * ensemble.kT - min(missing, 0.5 * ensemble.kT)
        change = (memory - 1.0) * velocity + np.sqrt(2.0 * (1.0 - memory * memory) * mean / mass) * normals[k]
        for axis in range(3):
            push = mass * change * component(bonds, particles, k, axis) / length
            particles.momenta[i, axis] -= push
            particles.momenta[j, axis] += push
        particles.scalars[GIVEN] += mass * change * (velocity + 0.5 * change)


@njit(**PIECE)
def kick_by_difference(ensemble, particles, inner):
    """Change the momenta by half a kick of the outer step, with outer minus inner forces."""
    kick = 0.5 * ensemble.timestep
    for i in range(len(particles.masses)):
        for axis in range(3):
            particles.momenta[i, axis] += kick * (particles.forces[i, axis] - inner[i, axis])


@njit(cache=True, error_model="numpy")
def missing_energy_of_outer(ensemble, particles, inner, inner_step):
    """Return the kinetic energy (eV) that the momenta lack at the ends of outer steps.

    As `dynamics.missing_energy`, with the square of each time step: the inner forces f act in inner steps dt, and the
    others, F - f, in outer steps D. The sum is that of (dt^2 f + D^2 (F - f)) F / (12 m).
    """
    outer_square, inner_square = ensemble.timestep * ensemble.timestep, inner_step * inner_step
    square = outer_square * product_of_forces(particles, particles.forces)
    square -= (outer_square - inner_square) * product_of_forces(particles, inner)
    return bounded_missing_energy(ensemble, particles, square)


@njit(cache=True, error_model="numpy")
def begin_outer(ensemble, draws, particles, inner, inner_step, bonds, normals):
    """Begin an outer step.

    Parameters
    ----------
    ensemble : Ensemble
        With the outer time step, constant volume, and no thermostat or that of velocity rescaling.
    draws : (5,) float64
        As in `dynamics.before_forces`.
    particles : Particles
        With forces, energy and virial of the outer potential.
    inner : (N, 3) float64, eV/Å
        Forces of the inner potential.
    inner_step : float
        Inner time step.
    bonds : Bonds
        Bonds with friction, which acts only together with a thermostat.
    normals : (B,) float64
        A normal random number for each bond.
    """
    if ensemble.thermostat == RESCALING:
        missing = missing_energy_of_outer(ensemble, particles, inner, inner_step)
        rescale_velocities(ensemble, draws[0], draws[1], particles, missing)
        damp_bonds(ensemble, bonds, normals, particles, inner, inner_step)
    kick_by_difference(ensemble, particles, inner)


@njit(cache=True, error_model="numpy")
def end_outer(ensemble, particles, inner):
    """Finish an outer step with the outer and the inner forces of its last positions.

    Returns
    -------
    bool
        Whether energy, virial and forces of the outer potential are finite.
    """
    kick_by_difference(ensemble, particles, inner)
    total = particles.scalars[ENERGY] + particles.scalars[VIRIAL]
    for i in range(len(particles.masses)):
        for axis in range(3):
            total += particles.forces[i, axis]
    return np.isfinite(total)


@njit(cache=True, error_model="numpy")
def largest_kick(ensemble, particles, inner):
    """Return the atom that the difference of outer and inner forces moves farthest in a step, and how far (Å)."""
    atom, farthest = 0, 0.0
    for i in range(len(particles.masses)):
        square = 0.0
        for axis in range(3):
            difference = particles.forces[i, axis] - inner[i, axis]
            square += difference * difference
        square /= particles.masses[i] * particles.masses[i]
        if square > farthest:
            atom, farthest = i, square
    return atom, ensemble.timestep * ensemble.timestep * np.sqrt(farthest)
