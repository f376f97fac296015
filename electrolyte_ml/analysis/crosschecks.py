"""Conductivity by two other packages, each with its own statistical model of the error.

STACIE fits a model to the low frequencies of the current's spectrum; kinisi fits a straight line to the mean squared
displacement of the charges, by Bayesian regression with the covariance of its points. Neither shares code with
:mod:`electrolyte_ml.analysis.transport`. ``pip install '.[crosscheck]'`` in the source tree installs both.

References
----------
G. Tóth, T. Verstraelen et al., STACIE, https://molmod.github.io/stacie; A. R. McCluskey, S. W. Coles, B. J. Morgan,
J. Chem. Theory Comput. 21, 79 (2025).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from electrolyte_ml.analysis.correlation import Plateau
from electrolyte_ml.analysis.estimates import TransportEstimate, check_series, describe_runs, length_of, plateau_of
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.units import conductivity_scale

_INSTALL = "pip install '.[crosscheck]' in the source tree"
# The limits below were tested on 100 synthetic samples of 1 or 10 runs of 10, 30 and 100 correlation times: number of
# 95 % intervals that hold the exact value, of those that were given. STACIE: 93 of 99 for 1 x 100, 97 of 100 for
# 10 x 30, 99 of 100 for 10 x 100, none given for less; without the limit 88 for 1 x 30. kinisi: 74 of 81 for 10 x 30,
# 88 of 90 for 10 x 100, none given for less; without the limit 80 for 1 x 30 and 75 of 92 for 10 x 10.
_LARGEST_ERROR = 0.25  # largest relative error accepted from STACIE
_KINISI_LAGS = 20
_FEWEST_LENGTHS = 30.0  # fewest windows in all runs together, for kinisi's variances


def stacie_conductivity(
    currents: Sequence[np.ndarray], timestep_ps: float, volume: float, temperature: float
) -> TransportEstimate:
    """Return the conductivity from the spectrum of the charge current, by STACIE's Lorentz model.

    Parameters
    ----------
    currents, timestep_ps, volume, temperature
        As for :func:`electrolyte_ml.analysis.green_kubo`.

    Returns
    -------
    TransportEstimate
        In S/m. STACIE gives a Gaussian error, but the conductivity is positive: the interval is computed as if the
        relative error were that of the logarithm.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.green_kubo`, or the runs are too short for STACIE: it finds no cutoff
        frequency, or its error is above 25 % and therefore not reliable.
    ElectrolyteError
        STACIE is not installed.
    """
    try:
        from stacie import LorentzModel, compute_spectrum, estimate_acint
    except ImportError:
        raise ElectrolyteError(f"stacie is not installed: {_INSTALL}") from None

    check_series(currents, 3, "current")
    length = length_of(currents, timestep_ps)
    spectrum = compute_spectrum(
        np.concatenate([np.asarray(run, float).T for run in currents]),
        prefactors=conductivity_scale(volume, temperature),
        timestep=timestep_ps,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # A coarser scan than the default takes half the time; the result changes by a twentieth of its error.
            result = estimate_acint(spectrum, LorentzModel(), nonlinear_budget=10, fcut_spacing=1.0)
        except (ValueError, ArithmeticError) as failure:
            raise InputError(f"stacie: {describe_runs(length, length[0])} are too short ({failure})") from failure
    value, error = float(result.acint), float(result.acint_std)
    if not error < _LARGEST_ERROR * value:
        raise InputError(
            f"stacie: {describe_runs(length, length[0])} give an error of {error / value:.0%}; above "
            f"{_LARGEST_ERROR:.0%} the error of its linearised model is known to be too small; longer or more runs are "
            "needed"
        )
    factor = float(np.exp(1.96 * error / value))
    return TransportEstimate(
        "conductivity",
        "S/m",
        "STACIE",
        value,
        error,
        value / factor,
        value * factor,
        error,
        f"Lorentz model of the spectrum below {result.fcut:.3g} THz, {result.neff:.0f} points",
        length[0],
        length[0] * length[1],
    )


def kinisi_conductivity(
    dipoles: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
    seed: int = 0,
) -> TransportEstimate:
    """Return the conductivity from the mean squared displacement of the charges, by kinisi's Bayesian regression.

    Parameters
    ----------
    dipoles, timestep_ps, volume, temperature, window_ps
        As for :func:`electrolyte_ml.analysis.einstein_helfand`; the line is fitted over the window.
    seed
        Seed of the sampling.

    Returns
    -------
    TransportEstimate
        In S/m, with the quantiles of the posterior.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.einstein_helfand`, or the runs hold fewer than 30 windows in all: kinisi
        then cannot estimate the variances for its likelihood.
    ElectrolyteError
        kinisi is not installed.
    """
    try:
        import scipp
        from kinisi.diffusion import Diffusion
        from kinisi.displacement import calculate_mstd
    except ImportError:
        raise ElectrolyteError(f"kinisi is not installed: {_INSTALL}") from None

    check_series(dipoles, 3, "dipole")
    length = length_of(dipoles, timestep_ps)
    series = [np.diff(np.asarray(run, float), axis=0)[:, None] for run in dipoles]
    plateau: Plateau = plateau_of(series, timestep_ps, window_ps, 3)
    if length[0] * length[1] < _FEWEST_LENGTHS * plateau.end_ps:
        raise InputError(
            f"kinisi: {describe_runs(length, length[0])} hold {length[0] * length[1] / plateau.end_ps:.1f} windows of "
            f"{plateau.end_ps:.3g} ps; from fewer than {_FEWEST_LENGTHS:.0f} it cannot estimate its variances"
        )
    lags = np.linspace(plateau.start_ps, plateau.end_ps, _KINISI_LAGS) / timestep_ps
    frames = len(dipoles[0]) - 1
    lags = np.append(np.unique(np.round(lags).astype(int)), frames)  # kinisi takes the last lag as the run's length
    moved = np.stack([np.asarray(run, float)[1:] - run[0] for run in dipoles], axis=1)  # (F - 1, M, 3)
    data = calculate_mstd(
        SimpleNamespace(
            displacements=scipp.array(dims=["obs", "particle", "dimension"], values=moved, unit="angstrom"),
            dt_index=scipp.array(dims=["time interval"], values=lags),
            dt=scipp.array(dims=["time interval"], values=lags * timestep_ps, unit="ps"),
            dimensionality=3 * scipp.units.dimensionless,
        ),
        system_particles=len(dipoles),
        progress=False,
    )
    data["da"] = data["da"]["time interval", : len(lags) - 1]
    fit = Diffusion(data)
    state = np.random.get_state()  # noqa: NPY002  (kinisi draws from the global state)
    np.random.seed(seed)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first = 0.999 * lags[0] * timestep_ps * scipp.Unit("ps")
            fit.bayesian_regression(start_dt=first, n_samples=400, n_walkers=16, n_burn=200, progress=False)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    posterior = conductivity_scale(volume, temperature) * np.asarray(fit.gradient.values) / 6.0
    low, high = np.quantile(posterior, [0.025, 0.975]).tolist()
    error = float(posterior.std(ddof=1))
    return TransportEstimate(
        "conductivity",
        "S/m",
        "kinisi",
        float(posterior.mean()),
        error,
        low,
        high,
        error,
        f"posterior of a line through {len(lags) - 1} lags",
        length[0],
        length[0] * length[1],
        plateau,
    )
