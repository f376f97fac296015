"""Molecular dynamics, many steps in a call: the half steps of every ensemble, and the forces between them.

A step is `before_forces` (thermostat, half a kick, drift, barostat), one evaluation, `after_forces` (half a kick,
thermostat); where the forces come from elsewhere, the same two functions are called. Everything outside the evaluation
is linear in the number of atoms with a small factor, and nothing is allocated. The caller renews a neighbour list that
no longer holds: it does so every tenth step or so, and this file compiles in half the time without it.

Units are those in which eV, Å and amu leave no factor: time in Å sqrt(amu / eV).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE, place
from electrolyte_ml.kernels.evaluation import collect, evaluate

NO_THERMOSTAT, RESCALING, CHAIN = 0, 1, 2

# Places in `Particles.scalars`: potential energy, trace of the virial, the energy that thermostat and barostat have
# given, logarithm of the last step's length factor, whether a step waits for its forces, the chain's coordinates and
# momenta, and the logarithms along y and z where the three lengths change independently.
ENERGY, VIRIAL, GIVEN, GROWTH, HALFWAY, ETA, P_ETA, GROWTH_Y, GROWTH_Z, N_SCALARS = 0, 1, 2, 3, 4, 5, 8, 11, 12, 13
GROWTHS = (GROWTH, GROWTH_Y, GROWTH_Z)
LARGEST_GROWTH = 0.07  # of the logarithm of a length in one step

# Why a stretch of steps ended: all done, a neighbour list that no longer holds, atoms that overlap, forces that are not
# numbers, or an evaluation that raised an exception.
DONE, SPENT, OVERLAP, NOT_FINITE, FAILED = 0, 1, 2, 3, 4

# Suzuki and Yoshida's weights of a product of second order whose error is of fourth.
OUTER = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
INNER = 1.0 - 2.0 * OUTER


class Ensemble(NamedTuple):
    """What is held constant, and how.

    Attributes
    ----------
    thermostat : int
        NO_THERMOSTAT, RESCALING or CHAIN.
    timestep, tdamp : float
        The thermostat's relaxation time.
    kT : float, eV
    freedom : float
        Degrees of freedom: 3 N - 3, the centre of mass being at rest.
    pressure : float, eV/Å^3
    rate : float
        Compressibility over the barostat's relaxation time; 0 for constant volume.
    anisotropic : bool
        Whether the three lengths of an orthorhombic cell change independently, or all by one factor.
    """

    thermostat: int
    timestep: float
    tdamp: float
    kT: float
    freedom: float
    pressure: float
    rate: float
    anisotropic: bool


class Limits(NamedTuple):
    """What ends a stretch of steps: the Verlet list's skin is used up, or two atoms overlap; both in Å."""

    skin: float
    overlap: float


class Particles(NamedTuple):
    """What time steps change in place, float64.

    Attributes
    ----------
    masses : (N,) amu
    positions, momenta, forces : (N, 3)
    cell : (3, 3) Å
    scalars : (N_SCALARS,)
    virial : (3, 3) eV
        Of the last forces.
    """

    masses: np.ndarray
    positions: np.ndarray
    momenta: np.ndarray
    forces: np.ndarray
    cell: np.ndarray
    scalars: np.ndarray
    virial: np.ndarray


@njit(cache=True, error_model="numpy")
def kinetic_energy(particles):
    """Half the sum of p^2 / m."""
    total = 0.0
    for i in range(len(particles.masses)):
        px, py, pz = particles.momenta[i, 0], particles.momenta[i, 1], particles.momenta[i, 2]
        total += (px * px + py * py + pz * pz) / particles.masses[i]
    return 0.5 * total


@njit(**PIECE)
def scale_rows(values, factor):
    """Multiply an (n, 3) array in place."""
    for i in range(values.shape[0]):
        values[i, 0] *= factor
        values[i, 1] *= factor
        values[i, 2] *= factor


@njit(**PIECE)
def determinant(cell):
    """Of three row vectors."""
    return (
        cell[0, 0] * (cell[1, 1] * cell[2, 2] - cell[1, 2] * cell[2, 1])
        + cell[0, 1] * (cell[1, 2] * cell[2, 0] - cell[1, 0] * cell[2, 2])
        + cell[0, 2] * (cell[1, 0] * cell[2, 1] - cell[1, 1] * cell[2, 0])
    )


@njit(**PIECE)
def rescale_velocities(ensemble, normal, chi_square, particles):
    """Stochastic velocity rescaling over one time step.

    With c = exp(-dt / tdamp), K0 = freedom kT / 2, R a normal number and S a sum of freedom - 1 squares of others,

        K' / K = c + (1 - c) K0 / (freedom K) (R^2 + S) + 2 R sqrt(c (1 - c) K0 / (freedom K)).

    Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7.
    """
    kinetic = kinetic_energy(particles)
    memory = np.exp(-ensemble.timestep / ensemble.tdamp)
    share = (1.0 - memory) * 0.5 * ensemble.kT / kinetic
    ratio = memory + share * (chi_square + normal * normal) + 2.0 * normal * np.sqrt(memory * share)
    scale_rows(particles.momenta, np.sqrt(ratio))
    particles.scalars[GIVEN] += (ratio - 1.0) * kinetic


@njit(**PIECE)
def chain_half_step(ensemble, particles):
    """Half a time step of a chain of three thermostats.

    Martyna, Klein, Tuckerman, J. Chem. Phys. 97, 2635 (1992), in the order of Martyna et al., Mol. Phys. 87, 1117
    (1996): forces on the chain from its end to its beginning, the velocities, and back.
    """
    scalars, kT, freedom = particles.scalars, ensemble.kT, ensemble.freedom
    twice, factor = 2.0 * kinetic_energy(particles), 1.0
    light = kT * ensemble.tdamp * ensemble.tdamp
    heavy = freedom * light  # masses: the first thermostat holds all atoms, each further one the one before
    for weight in (OUTER, INNER, OUTER):
        step = 0.5 * ensemble.timestep * weight
        for k in range(6):
            j = 2 - k if k < 3 else k - 3
            brake = np.exp(-0.25 * step * scalars[P_ETA + j + 1] / light) if j < 2 else 1.0
            if j == 0:
                push = twice - freedom * kT
            else:
                before = scalars[P_ETA + j - 1]
                push = before * before / (heavy if j == 1 else light) - kT
            scalars[P_ETA + j] = (scalars[P_ETA + j] * brake + 0.5 * step * push) * brake
            if k == 2:
                for m in range(3):
                    scalars[ETA + m] += step * scalars[P_ETA + m] / (heavy if m == 0 else light)
                slower = np.exp(-step * scalars[P_ETA] / heavy)
                twice *= slower * slower
                factor *= slower
    scale_rows(particles.momenta, factor)
    # What the atoms have lost, the chain holds.
    given = -freedom * kT * scalars[ETA] - 0.5 * scalars[P_ETA] * scalars[P_ETA] / heavy
    for j in range(1, 3):
        given -= kT * scalars[ETA + j] + 0.5 * scalars[P_ETA + j] * scalars[P_ETA + j] / light
    scalars[GIVEN] = given


@njit(**PIECE)
def scale_cell(ensemble, normal, particles):
    """Stochastic cell rescaling over one time step; returns the factor of all lengths.

    With lambda = sqrt(V) and rate = compressibility / relaxation time,

        d lambda = - rate lambda / 2 (P0 - P - kT / (2 V)) dt + sqrt(kT rate / 2) dW.

    It is of first order: a badly packed box, at a pressure of GPa, relaxes to its density without ringing. The centre
    of mass is at rest, but its share kT / V belongs to the pressure: it is 100 bar in a box of 40 atoms. The potential
    part of the pressure is that of the geometry at the beginning of the step, so that there is one evaluation a step
    and every force belongs to its geometry.

    Bernetti, Bussi, J. Chem. Phys. 153, 114107 (2020).
    """
    volume = abs(determinant(particles.cell))
    kinetic = kinetic_energy(particles)
    pressure = (2.0 * kinetic + 3.0 * ensemble.kT - particles.scalars[VIRIAL]) / (3.0 * volume)
    dt = ensemble.timestep
    drift = -0.5 * ensemble.rate * (ensemble.pressure - pressure - 0.5 * ensemble.kT / volume) * dt
    noise = np.sqrt(0.5 * ensemble.kT * ensemble.rate * dt / volume) * normal
    # lambda' / lambda = 1 + drift + noise. An overlapping start may have any pressure: no single step changes a length
    # by more than 7 %.
    scale = min(max(1.0 + drift + noise, 0.9), 1.1) ** (2.0 / 3.0)
    scale_rows(particles.positions, scale)
    scale_rows(particles.momenta, 1.0 / scale)
    scale_rows(particles.cell, scale)
    particles.scalars[GIVEN] += (1.0 / (scale * scale) - 1.0) * kinetic
    return scale


@njit(**PIECE)
def scale_lengths(ensemble, normals, particles, stretch):
    """Stochastic cell rescaling of the three lengths of an orthorhombic cell over one time step.

    With e = ln L of a length and P the pressure along it,

        de = - rate / 3 (P0 - P) dt + sqrt(2 kT rate / (3 V)) dW.

    In Ito's sense it samples the density exp(-(F + P0 V) / kT) of the three lengths, and so of the volume the same one
    as `scale_cell`: dLx dLy dLz is dV times the differential of two ratios of lengths. The momenta along the axis are
    scaled by the inverse.

    Bernetti, Bussi, J. Chem. Phys. 153, 114107 (2020); Del Tatto, Raiteri, Bernetti, Bussi, Appl. Sci. 12, 1139 (2022).
    """
    volume = abs(determinant(particles.cell))
    step = ensemble.rate * ensemble.timestep / 3.0
    noise = np.sqrt(2.0 * ensemble.kT * step / volume)
    for axis in range(3):
        twice = 0.0
        for i in range(len(particles.masses)):
            twice += particles.momenta[i, axis] * particles.momenta[i, axis] / particles.masses[i]
        along = particles.virial[axis, axis]
        pressure = (twice + ensemble.kT - along) / volume
        growth = noise * normals[axis] - step * (ensemble.pressure - pressure)
        growth = min(max(growth, -LARGEST_GROWTH), LARGEST_GROWTH)
        scale = np.exp(growth)
        for i in range(len(particles.masses)):
            particles.positions[i, axis] *= scale
            particles.momenta[i, axis] /= scale
        particles.cell[axis, axis] *= scale
        particles.scalars[GIVEN] += 0.5 * (1.0 / (scale * scale) - 1.0) * twice + 0.5 * growth * along
        particles.scalars[GROWTHS[axis]] = growth
        stretch[axis] *= scale


@njit(cache=True, error_model="numpy")
def before_forces(ensemble, draws, particles, stretch):
    """A time step up to the positions at its end.

    Parameters
    ----------
    ensemble : Ensemble
    draws : (5,) float64
        A normal number, a chi-square one of freedom - 1 degrees, and three normal ones for the barostat.
    particles : Particles
        `forces`, `virial`, ENERGY and VIRIAL are those of its positions.
    stretch : (3,) float64
        Multiplied by the factors by which the lengths along x, y and z grow.
    """
    if ensemble.thermostat == RESCALING:
        rescale_velocities(ensemble, draws[0], draws[1], particles)
    elif ensemble.thermostat == CHAIN:
        chain_half_step(ensemble, particles)
    kick = 0.5 * ensemble.timestep
    for i in range(len(particles.masses)):
        velocity = ensemble.timestep / particles.masses[i]
        for axis in range(3):
            particles.momenta[i, axis] += kick * particles.forces[i, axis]
            particles.positions[i, axis] += velocity * particles.momenta[i, axis]
    if ensemble.rate == 0.0:
        return
    if ensemble.anisotropic:
        scale_lengths(ensemble, draws[2:], particles, stretch)
        return
    scale = scale_cell(ensemble, draws[2], particles)
    # Scaling by exp(g) raises the potential energy by the integral of tr(virial) dg: half of it is this.
    particles.scalars[GROWTH] = np.log(scale)
    particles.scalars[GIVEN] += 0.5 * particles.scalars[GROWTH] * particles.scalars[VIRIAL]
    for axis in range(3):
        stretch[axis] *= scale


@njit(cache=True, error_model="numpy")
def after_forces(ensemble, particles):
    """The rest of the time step, with `forces`, ENERGY and VIRIAL of the new positions; tells if all are finite."""
    scalars = particles.scalars
    kick = 0.5 * ensemble.timestep
    total = scalars[ENERGY] + scalars[VIRIAL]
    for i in range(len(particles.masses)):
        for axis in range(3):
            total += particles.forces[i, axis]
            particles.momenta[i, axis] += kick * particles.forces[i, axis]
    if ensemble.anisotropic:
        for axis in range(3):
            scalars[GIVEN] += 0.5 * scalars[GROWTHS[axis]] * particles.virial[axis, axis]
    elif ensemble.rate != 0.0:
        scalars[GIVEN] += 0.5 * scalars[GROWTH] * scalars[VIRIAL]
    if ensemble.thermostat == CHAIN:
        chain_half_step(ensemble, particles)
    return np.isfinite(total)


@njit(cache=True, error_model="numpy")
def holds(positions, origin, stretch, cutoff, skin):
    """Whether no pair can have come within the cutoff without being in the list.

    With lengths grown by factors of at least s since the list was made and atoms moved by at most u beyond that, a pair
    now at `cutoff` was at most cutoff / s + 2 u apart; the list has all up to cutoff + skin.

    Parameters
    ----------
    positions, origin : (N, 3) float64, Å
        Now, and when the list was made.
    stretch : (3,) float64
        The factors along x, y and z; NaN where there is no list.
    cutoff, skin : float, Å
    """
    x, y, z = 1.0 / stretch[0], 1.0 / stretch[1], 1.0 / stretch[2]
    allowed = 0.5 * (cutoff * (1.0 - max(x, y, z)) + skin)
    if not allowed >= 0.0:  # also for NaN
        return False
    for i in range(positions.shape[0]):
        dx = positions[i, 0] * x - origin[i, 0]
        dy = positions[i, 1] * y - origin[i, 1]
        dz = positions[i, 2] * z - origin[i, 2]
        if not dx * dx + dy * dy + dz * dz <= allowed * allowed:
            return False
    return True


@njit(cache=True, error_model="numpy")
def begin_step(ensemble, draws, particles, stretch):
    """A time step up to the positions whose forces are needed, unless it has got there already."""
    if particles.scalars[HALFWAY] == 0.0:
        before_forces(ensemble, draws, particles, stretch)
        particles.scalars[HALFWAY] = 1.0


@njit(cache=True, error_model="numpy")
def end_step(ensemble, particles):
    """The rest of a time step; returns whether its forces are numbers."""
    particles.scalars[HALFWAY] = 0.0
    return after_forces(ensemble, particles)


@njit(cache=True, error_model="numpy")
def take_forces(sites, particles):
    """Copy the results of an evaluation to where the half steps read them."""
    for i in range(particles.forces.shape[0]):
        for axis in range(3):
            particles.forces[i, axis] = 0.0
    particles.scalars[ENERGY] = collect(sites, particles.forces)
    for a in range(3):
        for b in range(3):
            particles.virial[a, b] = sites.virial[a, b]
    particles.scalars[VIRIAL] = sites.virial[0, 0] + sites.virial[1, 1] + sites.virial[2, 2]


@njit(cache=True, error_model="numpy", nogil=True)
def advance(ensemble, draws, particles, limits, model, work, flags):
    """Take several time steps.

    Parameters
    ----------
    ensemble : Ensemble
    draws : (n_steps, 5) float64
        As in `before_forces`, one row a step.
    particles : Particles
    limits : Limits
    model, work, flags
        As in `evaluation.evaluate`.

    Returns
    -------
    status : int
        DONE; SPENT or OVERLAP in the middle of a step that needs a new list or cannot go on; NOT_FINITE after a step
        whose forces are not numbers.
    steps : int
        Those finished.
    """
    verlet = work.verlet
    for step in range(draws.shape[0]):
        begin_step(ensemble, draws[step], particles, verlet.stretch)
        if not holds(particles.positions, verlet.origin, verlet.stretch, model.high, limits.skin):
            return SPENT, step
        place(particles.positions, particles.cell, verlet.owner, verlet.shift, verlet.placed)
        if evaluate(model, work, flags) < limits.overlap * limits.overlap:
            return OVERLAP, step
        take_forces(work.sites, particles)
        if not end_step(ensemble, particles):
            return NOT_FINITE, step + 1
    return DONE, draws.shape[0]
