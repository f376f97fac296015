"""Molecular dynamics steps of every ensemble, many steps per call.

A step consists of `before_forces` (thermostat, half a kick, drift, barostat), one force evaluation, and `after_forces`
(half a kick, thermostat). If the forces come from another program, the caller uses the same two functions. All parts
outside the evaluation are cheap, linear in the number of atoms, and allocate nothing. The caller rebuilds the neighbour
list when it is no longer valid (about every tenth step); without this part the file compiles in half the time.

Units: eV, Å and amu, hence time in Å sqrt(amu / eV).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE, place
from electrolyte_ml.kernels.evaluation import collect, evaluate

NO_THERMOSTAT, RESCALING, CHAIN = 0, 1, 2

# Indices of `Particles.scalars`: potential energy; trace of the virial; energy added by thermostat and barostat;
# logarithm of the length factor of the last step; whether a step waits for its forces; coordinates and momenta of the
# thermostat chain; logarithms of the length factors along y and z if the three lengths change independently; number of
# multiple time steps that were repeated with single steps.
ENERGY, VIRIAL, GIVEN, GROWTH, HALFWAY, ETA, P_ETA, GROWTH_Y, GROWTH_Z = 0, 1, 2, 3, 4, 5, 8, 11, 12
REPEATED, N_SCALARS = 13, 14
GROWTHS = (GROWTH, GROWTH_Y, GROWTH_Z)
LARGEST_GROWTH = 0.07  # largest change of the logarithm of a length per step

# Reasons for the end of a series of steps: all steps done, neighbour list no longer valid, overlapping atoms, forces
# not finite, exception raised by the evaluation.
DONE, SPENT, OVERLAP, NOT_FINITE, FAILED = 0, 1, 2, 3, 4

# Suzuki-Yoshida weights: three substeps of second order make one of fourth order.
OUTER = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
INNER = 1.0 - 2.0 * OUTER


class Ensemble(NamedTuple):
    """Thermostat and barostat.

    Attributes
    ----------
    thermostat : int
        NO_THERMOSTAT, RESCALING or CHAIN.
    timestep, tdamp : float
        Time step, and relaxation time of the thermostat.
    kT : float, eV
    freedom : float
        Degrees of freedom: 3 N - 3, because the centre of mass is at rest.
    pressure : float, eV/Å^3
    rate : float
        Compressibility divided by the relaxation time of the barostat; 0 for constant volume.
    anisotropic : bool
        Whether the three lengths of an orthorhombic cell change independently; if not, all change by one factor.
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
    """Limits that end a series of steps: the skin of the Verlet list and the distance of overlapping atoms, in Å."""

    skin: float
    overlap: float


class Particles(NamedTuple):
    """State that time steps change in place, float64.

    Attributes
    ----------
    masses : (N,) amu
    positions, momenta, forces : (N, 3)
    cell : (3, 3) Å
    scalars : (N_SCALARS,)
    virial : (3, 3) eV
        Virial of the last evaluation.
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
    """Return half the sum of p^2 / m."""
    total = 0.0
    for i in range(len(particles.masses)):
        px, py, pz = particles.momenta[i, 0], particles.momenta[i, 1], particles.momenta[i, 2]
        total += (px * px + py * py + pz * pz) / particles.masses[i]
    return 0.5 * total


@njit(**PIECE)
def product_of_forces(particles, forces):
    """Return the sum of F f / m, with forces F of the particles and other forces f (N, 3)."""
    total = 0.0
    for i in range(len(particles.masses)):
        product = 0.0
        for axis in range(3):
            product += particles.forces[i, axis] * forces[i, axis]
        total += product / particles.masses[i]
    return total


@njit(**PIECE)
def bounded_missing_energy(ensemble, particles, square):
    """Return a twelfth of a sum of dt^2 F^2 / m, at most a tenth of the kinetic energy and of its mean.

    Forces of overlapping atoms, for which `missing_energy` is invalid, would give any value.
    """
    return min(square / 12.0, 0.1 * kinetic_energy(particles), 0.05 * ensemble.freedom * ensemble.kT)


@njit(cache=True, error_model="numpy")
def missing_energy(ensemble, particles):
    """Return the kinetic energy (eV) that the momenta at full steps lack: the sum of dt^2 F^2 / (12 m).

    Velocity Verlet samples a distribution that differs from exp(-H / kT) in second order of the time step: momenta at
    full steps are too cold, those at half steps too hot. The kinetic energy of a harmonic motion of frequency w is
    kT / 2 (1 - (w dt)^2 / 6) at full steps, on average, and kT / 2 (1 + (w dt)^2 / 12) at half steps. Hence K / 3 +
    2 K' / 3 is right to fourth order, where K' = K + sum of dt^2 F^2 / (8 m) is the mean of the half steps before and
    after. Bonds with hydrogen lack 5 % of their kinetic energy at steps of 1 fs. A thermostat that holds K alone keeps
    all slow motions too hot: by 1 % in a liquid of EC and EMC, by 3 % with heavy hydrogens and steps of 2 fs.

    Jung, Kobayashi, Sugita, J. Chem. Theory Comput. 15, 84 (2019).
    """
    square = ensemble.timestep * ensemble.timestep * product_of_forces(particles, particles.forces)
    return bounded_missing_energy(ensemble, particles, square)


@njit(**PIECE)
def scale_rows(values, factor):
    """Multiply an (n, 3) array in place."""
    for i in range(values.shape[0]):
        values[i, 0] *= factor
        values[i, 1] *= factor
        values[i, 2] *= factor


@njit(**PIECE)
def determinant(cell):
    """Return the determinant of three row vectors."""
    return (
        cell[0, 0] * (cell[1, 1] * cell[2, 2] - cell[1, 2] * cell[2, 1])
        + cell[0, 1] * (cell[1, 2] * cell[2, 0] - cell[1, 0] * cell[2, 2])
        + cell[0, 2] * (cell[1, 0] * cell[2, 1] - cell[1, 1] * cell[2, 0])
    )


@njit(**PIECE)
def rescale_velocities(ensemble, normal, chi_square, particles, missing):
    """Apply stochastic velocity rescaling for one time step.

    With c = exp(-dt / tdamp), a normal random number R, a sum S of freedom - 1 squared ones, and the mean K0 of the
    kinetic energy at full steps, which is freedom kT / 2 without the missing part,

        K' / K = c + (1 - c) K0 / (freedom K) (R^2 + S) + 2 R sqrt(c (1 - c) K0 / (freedom K)).

    Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7.
    """
    kinetic = kinetic_energy(particles)
    memory = np.exp(-ensemble.timestep / ensemble.tdamp)
    share = (1.0 - memory) * (0.5 * ensemble.kT - missing / ensemble.freedom) / kinetic
    ratio = memory + share * (chi_square + normal * normal) + 2.0 * normal * np.sqrt(memory * share)
    scale_rows(particles.momenta, np.sqrt(ratio))
    particles.scalars[GIVEN] += (ratio - 1.0) * kinetic


@njit(**PIECE)
def chain_half_step(ensemble, particles):
    """Propagate a Nosé-Hoover chain of three thermostats by half a time step.

    Martyna, Klein, Tuckerman, J. Chem. Phys. 97, 2635 (1992), in the order of Martyna et al., Mol. Phys. 87, 1117
    (1996): thermostats from the last to the first, then velocities, then thermostats from the first to the last.
    """
    scalars, kT, freedom = particles.scalars, ensemble.kT, ensemble.freedom
    share = 1.0 - 2.0 * missing_energy(ensemble, particles) / (freedom * kT)  # of the kinetic energy, at full steps
    twice, factor = 2.0 * kinetic_energy(particles), 1.0
    light = kT * ensemble.tdamp * ensemble.tdamp
    heavy = freedom * light  # thermostat masses: the first acts on all atoms, each other one on its predecessor
    for weight in (OUTER, INNER, OUTER):
        step = 0.5 * ensemble.timestep * weight
        for k in range(6):
            j = 2 - k if k < 3 else k - 3
            brake = np.exp(-0.25 * step * scalars[P_ETA + j + 1] / light) if j < 2 else 1.0
            if j == 0:
                push = twice - share * freedom * kT
            else:
                before = scalars[P_ETA + j - 1]
                push = before * before / (heavy if j == 1 else light) - kT
            scalars[P_ETA + j] = (scalars[P_ETA + j] * brake + 0.5 * step * push) * brake
            if k == 2:
                # The first coordinate counts the energy taken: its thermostat aims at the share of freedom kT.
                scalars[ETA] += share * step * scalars[P_ETA] / heavy
                for m in range(1, 3):
                    scalars[ETA + m] += step * scalars[P_ETA + m] / light
                slower = np.exp(-step * scalars[P_ETA] / heavy)
                twice *= slower * slower
                factor *= slower
    scale_rows(particles.momenta, factor)
    # Energy given to the atoms = - energy of the chain.
    given = -freedom * kT * scalars[ETA] - 0.5 * scalars[P_ETA] * scalars[P_ETA] / heavy
    for j in range(1, 3):
        given -= kT * scalars[ETA + j] + 0.5 * scalars[P_ETA + j] * scalars[P_ETA + j] / light
    scalars[GIVEN] = given


@njit(cache=True, error_model="numpy")
def factor_of_cell(ensemble, pressure, volume, normal):
    """Return the factor of all lengths in a time step of isotropic stochastic cell rescaling.

    With lambda = sqrt(V) and rate = compressibility / relaxation time,

        d lambda = - rate lambda / 2 (P0 - P - kT / (2 V)) dt + sqrt(kT rate / 2) dW.

    The equation is of first order: the density of a badly packed box at a pressure of some GPa relaxes without
    oscillation. Overlapping atoms may cause any pressure: a length changes by at most 7 % per step.

    Bernetti, Bussi, J. Chem. Phys. 153, 114107 (2020).
    """
    dt = ensemble.timestep
    drift = -0.5 * ensemble.rate * (ensemble.pressure - pressure - 0.5 * ensemble.kT / volume) * dt
    noise = np.sqrt(0.5 * ensemble.kT * ensemble.rate * dt / volume) * normal
    return min(max(1.0 + drift + noise, 0.9), 1.1) ** (2.0 / 3.0)  # lambda' / lambda = 1 + drift + noise


@njit(cache=True, error_model="numpy")
def growth_of_length(ensemble, pressure, volume, normal):
    """Return the change of e = ln L of a length in a time step of anisotropic stochastic rescaling.

    With P the pressure along it,

        de = - rate / 3 (P0 - P) dt + sqrt(2 kT rate / (3 V)) dW.

    In the Ito interpretation, this equation samples the density exp(-(F + P0 V) / kT) of the three lengths, and hence
    the same distribution of the volume as `factor_of_cell`, because dLx dLy dLz is dV times the differential of two
    ratios of lengths.

    Bernetti, Bussi, J. Chem. Phys. 153, 114107 (2020); Del Tatto, Raiteri, Bernetti, Bussi, Appl. Sci. 12, 1139 (2022).
    """
    step = ensemble.rate * ensemble.timestep / 3.0
    noise = np.sqrt(2.0 * ensemble.kT * step / volume)
    return min(max(noise * normal - step * (ensemble.pressure - pressure), -LARGEST_GROWTH), LARGEST_GROWTH)


@njit(**PIECE)
def scale_cell(ensemble, normal, particles):
    """Scale an isotropic cell and all atoms for one time step; return the factor of all lengths.

    The centre of mass is at rest, but its contribution kT / V is added to the pressure: 100 bar in a box of 40 atoms.
    The potential part of the pressure is that at the beginning of the step, so that one evaluation per step suffices.
    """
    volume = abs(determinant(particles.cell))
    kinetic = kinetic_energy(particles)
    pressure = (2.0 * kinetic + 3.0 * ensemble.kT - particles.scalars[VIRIAL]) / (3.0 * volume)
    scale = factor_of_cell(ensemble, pressure, volume, normal)
    scale_rows(particles.positions, scale)
    scale_rows(particles.momenta, 1.0 / scale)
    scale_rows(particles.cell, scale)
    particles.scalars[GIVEN] += (1.0 / (scale * scale) - 1.0) * kinetic
    return scale


@njit(**PIECE)
def scale_lengths(ensemble, normals, particles, stretch):
    """Scale the three lengths of an orthorhombic cell and all atoms for one time step.

    Momenta along an axis are divided by its scale factor.
    """
    volume = abs(determinant(particles.cell))
    for axis in range(3):
        twice = 0.0
        for i in range(len(particles.masses)):
            twice += particles.momenta[i, axis] * particles.momenta[i, axis] / particles.masses[i]
        along = particles.virial[axis, axis]
        pressure = (twice + ensemble.kT - along) / volume
        growth = growth_of_length(ensemble, pressure, volume, normals[axis])
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
    """Take the part of a time step before the force evaluation: the positions are then those at its end.

    Parameters
    ----------
    ensemble : Ensemble
    draws : (5,) float64
        Random numbers: one normal and one chi-square number (freedom - 1 degrees) for the thermostat, three normal ones
        for the barostat.
    particles : Particles
        `forces`, `virial`, ENERGY and VIRIAL must belong to `positions`.
    stretch : (3,) float64
        Multiplied in place by the growth factors of the lengths along x, y and z.
    """
    if ensemble.thermostat == RESCALING:
        rescale_velocities(ensemble, draws[0], draws[1], particles, missing_energy(ensemble, particles))
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
    # Scaling by exp(g) adds the integral of tr(virial) dg to the potential energy (trapezoid rule: first half here).
    particles.scalars[GROWTH] = np.log(scale)
    particles.scalars[GIVEN] += 0.5 * particles.scalars[GROWTH] * particles.scalars[VIRIAL]
    for axis in range(3):
        stretch[axis] *= scale


@njit(cache=True, error_model="numpy")
def after_forces(ensemble, particles):
    """Finish a time step with `forces`, ENERGY and VIRIAL of the new positions; return whether all are finite."""
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
    """Return whether the neighbour list certainly contains all pairs within the cutoff.

    If lengths have grown by factors of at least s since the list was made, and atoms have moved by at most u in
    addition, a pair at `cutoff` was at most cutoff / s + 2 u apart; the list contains all pairs up to cutoff + skin.

    Parameters
    ----------
    positions, origin : (N, 3) float64, Å
        Present positions, and positions when the list was made.
    stretch : (3,) float64
        Growth factors of lengths along x, y and z; NaN if there is no list.
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
    """Take the part of a time step before the force evaluation, unless it is done already."""
    if particles.scalars[HALFWAY] == 0.0:
        before_forces(ensemble, draws, particles, stretch)
        particles.scalars[HALFWAY] = 1.0


@njit(cache=True, error_model="numpy")
def end_step(ensemble, particles):
    """Finish a time step; return whether energy, virial and forces are finite."""
    particles.scalars[HALFWAY] = 0.0
    return after_forces(ensemble, particles)


@njit(cache=True, error_model="numpy")
def take_forces(sites, particles):
    """Copy the results of an evaluation to `particles`."""
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
        As in `before_forces`, one row per step.
    particles : Particles
    limits : Limits
    model, work, flags
        As in `evaluation.evaluate`.

    Returns
    -------
    status : int
        DONE; SPENT or OVERLAP in the middle of a step that needs a new list or has overlapping atoms; NOT_FINITE after
        a step whose energy, virial or forces are not finite.
    steps : int
        Number of finished steps.
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
