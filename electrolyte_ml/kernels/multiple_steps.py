"""Multiple time steps: the two ends of an outer step, between which a cheap inner potential takes several short steps.

An outer step of length D consists of `begin_outer` (thermostat, half a kick of D by the difference between the outer
and the inner forces), steps of velocity Verlet with the inner forces alone, and `end_outer` (the other half kick).

Tuckerman, Berne, Martyna, J. Chem. Phys. 97, 1990 (1992).
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE
from electrolyte_ml.kernels.dynamics import ENERGY, RESCALING, VIRIAL, rescale_velocities


@njit(**PIECE)
def kick_by_difference(ensemble, particles, inner):
    """Change the momenta by half a kick of the outer step, with outer minus inner forces."""
    kick = 0.5 * ensemble.timestep
    for i in range(len(particles.masses)):
        for axis in range(3):
            particles.momenta[i, axis] += kick * (particles.forces[i, axis] - inner[i, axis])


@njit(cache=True, error_model="numpy")
def begin_outer(ensemble, draws, particles, inner):
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
    """
    if ensemble.thermostat == RESCALING:
        rescale_velocities(ensemble, draws[0], draws[1], particles)
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
