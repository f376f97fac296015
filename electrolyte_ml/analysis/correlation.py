"""Correlation functions, mean squared displacements and running integrals of long series, and their plateaus.

All estimators of a transport coefficient have a common form. For a stationary series x with correlation function c(t),
each estimate is a weighted integral D = int w(t) c(t) dt: the Green-Kubo integral averaged over a window [a, b] and the
slope of the mean squared displacement between a and b both have w = 1 up to a, falling to 0 at b. If the process is
Gaussian and its memory is shorter than a, the estimate is scaled chi-squared with

    degrees of freedom = K T / (2 int w(t)^2 dt)

from K independent components over a total time T (Priestley, Spectral Analysis and Time Series, 1981, sec. 6.2; the
flat-top window is that of Politis and Romano, J. Time Ser. Anal. 16, 67, 1995). The relative error sqrt(4 tau / (3 T))
of a conductivity follows, with tau = int w(t)^2 dt = a + (b - a) / 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electrolyte_ml.errors import InputError

_STRETCH = 2.0**0.5  # factor between the windows that are compared
_LONGEST = 0.45  # latest end of a window, as a fraction of a run
_TOLERANCE = 1.5  # standard errors by which a longer window may differ
_NOISIEST = 0.25  # largest relative variance of a window: eight degrees of freedom
_BLOCK = 1 << 19  # values that are transformed at once: memory does not grow with the length of the run


def correlation(series: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the correlation matrix <x_a(0) . x_b(t)> / K of a series with zero mean.

    Parameters
    ----------
    series
        (F, S, K): S vectors of K equivalent components. The mean is not subtracted: it is zero by symmetry, and
        subtracting the mean of the sample would bias the integral, relatively by its length over that of the run.
    n_lags
        Number of lags from 0 on, at most F.

    Returns
    -------
    (n_lags, S, S)
        Symmetrised (microscopic reversibility) and divided by the number of pairs of frames, thus unbiased. The sums
        are computed by zero-padded fast Fourier transforms of blocks and are exact to rounding.

    Raises
    ------
    InputError
        There are more lags than frames.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    frames, count, components = series.shape
    if not 1 <= n_lags <= frames:
        raise InputError(f"{n_lags} lags of {frames} frames cannot be correlated")
    block = min(frames, max(_BLOCK // count, n_lags))
    size = next_fast_len(block + n_lags - 1, real=True)
    spectrum = np.zeros((size // 2 + 1, count, count), dtype=complex)
    for k in range(components):
        for begin in range(0, frames, block):
            origins = rfft(series[begin : begin + block, :, k], size, axis=0)
            if begin + block < frames:
                later = rfft(series[begin : begin + block + n_lags - 1, :, k], size, axis=0)
            else:
                later = origins  # no frames follow the last block
            spectrum += origins.conj()[:, :, None] * later[:, None]
    pairs = components * np.arange(frames, frames - n_lags, -1)
    products = irfft(spectrum, size, axis=0)[:n_lags] / pairs[:, None, None]
    return 0.5 * (products + products.transpose(0, 2, 1))


def mean_squared_displacement(positions: np.ndarray, n_lags: int) -> np.ndarray:
    """Return <dX_a(t) . dX_b(t)> / K over all time origins, by fast Fourier transforms.

    Parameters
    ----------
    positions
        (F, S, K) unwrapped, best relative to the first frame: large offsets would cost digits.
    n_lags
        Number of lags from 0 on, at most F.

    Returns
    -------
    (n_lags, S, S)
        The diagonal is the mean squared displacement *per component*.

    References
    ----------
    V. Calandrini et al., Collection SFN 12, 201 (2011).
    """
    frames = len(positions)
    products = np.einsum("fak,fbk->fab", positions, positions) / positions.shape[2]
    sums = np.concatenate([np.zeros((1, *products.shape[1:])), np.cumsum(products, axis=0)])
    lags = np.arange(n_lags)
    both = sums[frames - lags] + sums[-1] - sums[lags]
    return both / (frames - lags)[:, None, None] - 2.0 * correlation(positions, n_lags)


def running_integral(function: np.ndarray, timestep: float) -> np.ndarray:
    """Return the integral from 0 to every lag by the trapezoid rule, along the first axis."""
    result = np.zeros_like(function)
    np.cumsum(0.5 * timestep * (function[1:] + function[:-1]), axis=0, out=result[1:])
    return result


@dataclass(frozen=True)
class Plateau:
    """The window over which a running integral is averaged.

    Attributes
    ----------
    start_ps, end_ps
        Limits a and b of the window.
    memory_ps
        Lag from which the correlation function is within its noise; NaN for a window from the user.
    reason
        Reason for this window, as a sentence.
    """

    start_ps: float
    end_ps: float
    memory_ps: float
    reason: str

    @property
    def effective_ps(self) -> float:
        """Time tau = a + (b - a) / 3 in the error sqrt(4 tau / (3 T)) of a conductivity."""
        return self.start_ps + (self.end_ps - self.start_ps) / 3.0


def window_weights(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return the weight of each lag in a running integral averaged over [start, end]: 1, then falling to 0."""
    return np.clip((end - times) / (end - start), 0.0, 1.0)


def relative_variance(
    start: float, end: float, length: float, components: float, *, less: tuple[float, float] | None = None
) -> float:
    """Return the relative variance of an estimate with the window [start, end], from runs of one length.

    Parameters
    ----------
    start, end, length
        Limits of the window and length of one run, in the same unit of time.
    components
        Number of independent components of all runs together.
    less
        An earlier window whose estimate is subtracted: the variance is then that of the difference.
    """
    times = np.linspace(0.0, end, 257)
    weights = window_weights(times, start, end)
    if less is not None:
        weights = weights - window_weights(times, *less)
    # Lag t is averaged over length - t only; the textbook formula is for infinitely long runs.
    return float(4.0 / components * np.trapezoid(weights**2 / (length - times), times))


def find_plateau(function: np.ndarray, timestep: float, length: float, components: float) -> Plateau | None:
    """Find the window in which the running integral of a correlation function levels off, and the reason for it.

    The *memory* ends at the first lag from which the function stays, up to twice this lag, within two standard errors
    of zero. The test uses the process averaged over blocks of a quarter of the lag (a second difference of the mean
    squared displacement), so that fast vibrations do not hide a slow tail; Bartlett's formula gives the standard error.
    The first window is [1.5, 3] memories. A slow process that is weak at every single lag may still contribute much at
    longer times. Windows are therefore stretched by steps of the square root of 2. The result is the first window from
    which no longer window differs by more than 1.5 standard errors of the difference (Lepski's rule).

    Parameters
    ----------
    function
        (n_lags,) correlation function from lag 0 on.
    timestep
        Time between lags, ps.
    length, components
        Length of one run, ps; number of independent components of all runs together.

    Returns
    -------
    Plateau or None
        None if the lags do not reach 1.5 times the memory.

    References
    ----------
    O. V. Lepski, Theory Probab. Appl. 35, 454 (1991).
    """
    integral = running_integral(function, 1.0)
    lag = _memory(running_integral(integral, 1.0), timestep, length, components)
    if lag is None:
        return None
    windows = [(round(1.5 * lag), 3 * lag)]
    while True:
        start, end = (round(edge * _STRETCH ** len(windows)) for edge in windows[0])
        if end >= len(function) or end * timestep > _LONGEST * length:
            break
        if relative_variance(start * timestep, end * timestep, length, components) > _NOISIEST:
            break
        windows.append((start, end))
    value = [integral[start : end + 1].mean() for start, end in windows if end < len(function)]

    def change(i: int, j: int) -> tuple[float, float]:
        """Return the relative change of the value from window i to window j, and its standard error."""
        (a, b), (c, d) = windows[i], windows[j]
        variance = relative_variance(c * timestep, d * timestep, length, components, less=(a * timestep, b * timestep))
        return value[j] / value[i] - 1.0, float(np.sqrt(variance))

    last = len(windows) - 1
    chosen = 0
    while any(abs(by) > _TOLERANCE * error for by, error in (change(chosen, j) for j in range(chosen + 1, last + 1))):
        chosen += 1
    memory = lag * timestep
    start_ps, end_ps = (edge * timestep for edge in windows[chosen])
    reason = f"the correlation is within its noise from {memory:.3g} ps on"
    if chosen:
        reason += ", but the integral still changes: a slow process may be hidden behind the fast one"
    reason += f"; averaged over {start_ps:.3g}-{end_ps:.3g} ps, "
    if chosen < last:
        by, error = change(chosen, last)
        reason += f"which a window up to {windows[last][1] * timestep:.3g} ps would change by {by:+.0%} ± {error:.0%}"
    else:
        reason += "the longest window that runs of this length allow"
    return Plateau(start_ps, end_ps, memory, reason)


def _memory(double: np.ndarray, timestep: float, length: float, components: float) -> int | None:
    """Return the lag from which a correlation function, given as its double integral, is noise; None if never."""
    lags = np.unique(np.round(2.0 ** (0.25 * np.arange(4 * np.log2(len(double)) + 1))).astype(int))
    tested, quiet = [], []
    for lag in lags:
        width = max(1, lag // 4)
        k = round(lag / width)
        if (k + 1) * width >= len(double):
            break
        steps = np.arange(k + 1)
        block = double[(steps + 1) * width] - 2.0 * double[steps * width] + double[np.abs(steps - 1) * width]
        block /= block[0]
        pairs = components * (length - k * width * timestep)
        noise = np.sqrt(width * timestep * (1.0 + 2.0 * np.sum(block[1:k] ** 2)) / pairs)
        tested.append(k * width)
        quiet.append(abs(block[k]) < 2.0 * noise)
    tested_lags, is_quiet = np.array(tested), np.array(quiet)
    for lag in tested:
        if tested_lags[-1] < 1.5 * lag:
            return None
        if is_quiet[(tested_lags >= lag) & (tested_lags <= 2 * lag)].all():
            return int(lag)
    return None


def window_average(integral: np.ndarray, timestep: float, start: float, end: float) -> np.ndarray:
    """Average a running integral over [start, end], along the first axis."""
    first, last = round(start / timestep), round(end / timestep)
    return integral[first : last + 1].mean(axis=0)
