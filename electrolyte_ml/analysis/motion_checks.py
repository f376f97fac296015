"""Check of the velocities of a file, and of their units, against its displacements and its temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrolyte_ml.analysis.estimates import TransportEstimate
from electrolyte_ml.trajectories.ions import IonTrajectory
from electrolyte_ml.units import BOLTZMANN

_AMU_A2_PER_PS2 = 1.66053906660e-23  # J
_FACTOR = 2.0  # accepted between mean squared velocity and temperature, and between two conductivities
_SIGMAS = 5.0
_FAR_APART = 10.0  # factor between two conductivities that are the same integral


def doubtful_velocities(
    trajectories: Sequence[IonTrajectory],
    temperature: float,
    green_kubo: TransportEstimate,
    einstein_helfand: TransportEstimate | None,
) -> str:
    """Return a reason why the velocities cannot be those of the ions in Å/ps, or "" if there is none.

    The mean squared velocity of an ion is 3 k_B T / m, and the conductivities from velocities and from displacements
    are the same integral of the same motion. Velocities that do not fit the temperature are accepted if the
    displacements agree with them.

    Parameters
    ----------
    trajectories, temperature
        Runs of the conductivities, and their temperature, K.
    green_kubo, einstein_helfand
        Conductivities from velocities and from displacements; None without displacements.
    """
    heat = _kinetic_temperature(trajectories, temperature)
    ratio = None if einstein_helfand is None else green_kubo.value / einstein_helfand.value
    if heat is not None and (ratio is None or not 1.0 / _FACTOR < ratio < _FACTOR):
        factor = np.sqrt(heat / temperature)
        beside = "" if ratio is None else f", and the conductivity is {ratio:.3g} times that of the displacements"
        return (
            f"the velocities are those of {heat:.3g} K, not of {temperature:g} K: {factor:.3g} times too "
            f"large{beside}. Are they in other units, or is the temperature wrong?"
        )
    if ratio is None or einstein_helfand is None or 1.0 / _FAR_APART < ratio < _FAR_APART:
        return ""
    if green_kubo.low < einstein_helfand.high and einstein_helfand.low < green_kubo.high:
        return ""
    return (
        f"the conductivity from velocities is {ratio:.3g} times that from displacements, which is the same integral: "
        "the frames are too far apart to resolve the current, or velocities and positions are in different units"
    )


def _kinetic_temperature(trajectories: Sequence[IonTrajectory], temperature: float) -> float | None:
    """Return the temperature of the ions' velocities, K, if it differs beyond noise from the given one; else None."""
    for run in trajectories:
        if run.velocities is None:
            continue
        n = len(run.charges)
        square = float((run.masses[:, None] * run.velocities**2).sum() / (3 * n * len(run.velocities)))
        heat = square * _AMU_A2_PER_PS2 / BOLTZMANN
        noise = _SIGMAS * np.sqrt(2.0 / (3.0 * n))  # of a single frame: an upper limit
        if not 1.0 / _FACTOR / (1.0 + noise) < heat / temperature < _FACTOR * (1.0 + noise):
            return heat
    return None
