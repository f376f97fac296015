"""Multiple time steps: the two ends of an outer step, between which a cheap inner potential takes several short steps.

An outer step of length D consists of `begin_outer` (thermostat, half a kick of D by the difference between the outer
and the inner forces), steps of velocity Verlet with the inner forces alone, and `end_outer` (the other half kick).

Tuckerman, Berne, Martyna, J. Chem. Phys. 97, 1990 (1992).
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE
from electrolyte_ml.kernels.dynamics import (
    ENERGY,
    RESCALING,
    VIRIAL,
    bounded_missing_energy,
    product_of_forces,
    rescale_velocities,
)


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
def begin_outer(ensemble, draws, particles, inner, inner_step):
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
    """
    if ensemble.thermostat == RESCALING:
        missing = missing_energy_of_outer(ensemble, particles, inner, inner_step)
        rescale_velocities(ensemble, draws[0], draws[1], particles, missing)
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
