"""Upper bounds of transport coefficients of runs in which too little moves to measure them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrolyte_ml.analysis.correlation import mean_squared_displacement

_SHARE = 0.5  # of a run: the lag at which the displacements are taken
_CONFIDENCE = 0.95


def chord(series: Sequence[np.ndarray], timestep_ps: float, lag_ps: float) -> float:
    """Return half the mean squared displacement per component over its lag, MSD(t) / (2 t); series as below.

    Of diffusion it is the coefficient itself. A slope far below it belongs to particles that rattle about their places.
    """
    lag = min(max(1, round(lag_ps / timestep_ps)), len(series[0]) - 1)
    squares = [mean_squared_displacement(np.asarray(run, float)[:, None, :], lag + 1)[lag, 0, 0] for run in series]
    return float(np.mean(squares) / (2.0 * lag * timestep_ps))


def upper_bound(series: Sequence[np.ndarray], timestep_ps: float) -> float | None:
    """Return what half the long-time slope of a mean squared displacement does not exceed, with 95 % confidence.

    Where particles are caged or diffuse, the mean squared displacement is concave, and its slope is below the chord
    from the origin, MSD(t) / t. It is taken at half of the run; independent displacements are then two of each
    component and run, and their mean is chi-squared.

    Parameters
    ----------
    series
        (F, K) displacement of K independent components in each run, Å or e Å.
    timestep_ps
        Time between frames.

    Returns
    -------
    float or None
        In the square of the unit over ps; None where the displacement still rises faster than in proportion to time,
        so that the chord is no bound, or where nothing moves.
    """
    from scipy.stats import chi2

    frames, components = np.shape(series[0])
    last = round(_SHARE * (frames - 1))
    first = last // 4
    if first < 1:
        return None
    squares = np.mean(
        [mean_squared_displacement(np.asarray(run, float)[:, None, :], last + 1)[:, 0, 0] for run in series], axis=0
    )
    early, late = squares[first] / first, squares[last] / last
    if not 0.0 < late <= early:
        return None
    independent = components * len(series) / _SHARE
    return float(late / (2.0 * timestep_ps) * independent / chi2.ppf(1.0 - _CONFIDENCE, independent))
