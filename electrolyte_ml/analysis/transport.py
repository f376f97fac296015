"""Conductivity and viscosity of independent trajectories by textbook estimators.

Every function takes NumPy arrays, one per trajectory, and returns a :class:`TransportEstimate`.

References
----------
M. S. Green, J. Chem. Phys. 22, 398 (1954); R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957); P. J. Daivis, D. J. Evans, J.
Chem. Phys. 100, 541 (1994).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from electrolyte_ml.analysis.estimates import (
    TransportEstimate,
    check_series,
    integrate,
    judge,
    length_of,
    plateau_of,
    slopes_of,
)
from electrolyte_ml.units import VISCOSITY_UNIT, conductivity_scale


def green_kubo(
    currents: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
) -> TransportEstimate:
    """Return the conductivity from the autocorrelation of the charge current, as in the paper (eq. 13).

    For each trajectory sigma(t) = int_0^t <J(0) . J(s)> ds / (3 V k_B T). The mean over the trajectories and its
    standard error are computed for each t, and both are averaged over the plateau. The average of the errors is an
    upper limit, as if all errors on the plateau were the same: the paper's conservative choice.

    Parameters
    ----------
    currents
        (F, 3) charge current of each independent trajectory, e Å/ps (:meth:`IonTrajectory.current`).
    timestep_ps
        Time between frames.
    volume, temperature
        Å³, K.
    window_ps
        The plateau. In the paper it is (200, 500), the last 300 ps of a correlation over 500 ps, or (80, 100). By
        default it is found (:func:`electrolyte_ml.analysis.correlation.find_plateau`).

    Returns
    -------
    TransportEstimate
        In S/m, with sigma(t) as its curve.

    Raises
    ------
    InputError
        Trajectories have different lengths or fewer than 20 frames, numbers are not finite, there is no plateau within
        the length of the runs, frames are too far apart for the integral, the window does not fit into the runs, or the
        runs are too short for an error.
    """
    series = [np.asarray(run, float)[:, None, :] for run in check_series(currents, 3, "current")]
    estimate = integrate(series, timestep_ps, window_ps, "conductivity", "Green-Kubo")
    return estimate.scaled(conductivity_scale(volume, temperature), "S/m")


def einstein_helfand(
    dipoles: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
) -> TransportEstimate:
    """Return the conductivity from the mean squared displacement of the charges, without velocities.

    sigma = lim d/dt <|P(t) - P(0)|²> / (6 V k_B T) with P = sum q r of unwrapped positions. The slope is that of a
    straight line fitted over the plateau's window.

    Parameters
    ----------
    dipoles
        (F, 3) dipole P of each trajectory, e Å (:meth:`IonTrajectory.dipole`).
    timestep_ps, volume, temperature, window_ps
        As for :func:`green_kubo`.

    Returns
    -------
    TransportEstimate
        In S/m; its curve is half the local slope of the mean squared displacement, the same sigma(t) as by Green-Kubo.

    Raises
    ------
    InputError
        As for :func:`green_kubo`, except that frames may be far apart.
    """
    series = [np.asarray(run, float)[:, None, :] for run in check_series(dipoles, 3, "dipole")]
    plateau = plateau_of([np.diff(run, axis=0) for run in series], timestep_ps, window_ps, 3)
    slopes, relative, curve = slopes_of(series, timestep_ps, plateau)
    length = length_of(series, timestep_ps)
    estimate = judge(slopes[:, 0, 0], relative, "conductivity", "Einstein-Helfand", length, plateau)
    return replace(estimate, curve=curve).scaled(conductivity_scale(volume, temperature), "S/m")


def viscosity(
    stresses: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
) -> TransportEstimate:
    """Return the shear viscosity by Green-Kubo from the five components of the traceless stress (Daivis and Evans).

    Parameters
    ----------
    stresses
        (F, 6) stress of each trajectory, bar, in the order xx, yy, zz, yz, xz, xy, with either sign.
    timestep_ps, volume, temperature, window_ps
        As for :func:`green_kubo`.

    Returns
    -------
    TransportEstimate
        In mPa s.

    Raises
    ------
    InputError
        As for :func:`green_kubo`.
    """
    series = []
    for run in check_series(stresses, 6, "stress"):
        xx, yy, zz, yz, xz, xy = np.asarray(run, float).T
        five = [xy, xz, yz, 0.5 * (xx - yy), (2.0 * zz - xx - yy) / np.sqrt(12.0)]
        series.append(np.stack(five, axis=1)[:, None, :])
    estimate = integrate(series, timestep_ps, window_ps, "viscosity", "Green-Kubo")
    return estimate.scaled(VISCOSITY_UNIT * volume / temperature, "mPa s")
