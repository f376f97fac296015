"""Upper bounds of transport coefficients, for runs with too little motion to measure them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrolyte_ml.analysis.correlation import mean_squared_displacement

_SHARE = 0.5  # lag at which the displacements are taken, as a fraction of the run
_CONFIDENCE = 0.95


def chord(series: Sequence[np.ndarray], timestep_ps: float, lag_ps: float) -> float:
    """Return half the mean squared displacement per component divided by the lag, MSD(t) / (2 t).

    For diffusion this is the coefficient itself. If half the slope at long times is far below it, most of the
    displacement is vibration about fixed places. The parameters are those of :func:`upper_bound`, and the lag in ps.
    """
    lag = min(max(1, round(lag_ps / timestep_ps)), len(series[0]) - 1)
    squares = [mean_squared_displacement(np.asarray(run, float)[:, None, :], lag + 1)[lag, 0, 0] for run in series]
    return float(np.mean(squares) / (2.0 * lag * timestep_ps))


def upper_bound(series: Sequence[np.ndarray], timestep_ps: float) -> float | None:
    """Return an upper bound, with 95 % confidence, of half the long-time slope of a mean squared displacement.

    If particles are caged or diffuse, the mean squared displacement is concave, and its slope is below the chord
    from the origin, MSD(t) / t. The chord is taken at half the length of the run: each component of each run then has
    two independent displacements, and the mean of their squares is scaled chi-squared.

    Parameters
    ----------
    series
        (F, K) displacement of K independent components in each run, Å or e Å.
    timestep_ps
        Time between frames.

    Returns
    -------
    float or None
        In the square of the unit over ps; None if the mean squared displacement still rises faster than in proportion
        to time, so that the chord is no bound, or if nothing moves.
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
