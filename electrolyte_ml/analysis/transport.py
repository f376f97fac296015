"""Conductivity, self-diffusion and viscosity of independent trajectories, each by the textbook's estimators.

Every function takes plain arrays, one per trajectory, and returns a :class:`TransportEstimate` or results made of them.

References
----------
M. S. Green, J. Chem. Phys. 22, 398 (1954); R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957); I.-C. Yeh, G. Hummer, J. Phys.
Chem. B 108, 15873 (2004); P. J. Daivis, D. J. Evans, J. Chem. Phys. 100, 541 (1994).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from electrolyte_ml.analysis.correlation import Plateau, relative_variance
from electrolyte_ml.analysis.estimates import (
    TransportEstimate,
    check_series,
    integrate,
    judge,
    length_of,
    plateau_of,
    slopes_of,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.units import BOLTZMANN, DIFFUSION_UNIT, VISCOSITY_UNIT, conductivity_scale

_FRAMES_FOR_RHO = 20000  # of each run, at most twice as many
YEH_HUMMER = 2.837297  # of a cubic cell


@dataclass(frozen=True)
class NernstEinsteinResult:
    """The conductivity of ions that move alone.

    Attributes
    ----------
    conductivity
        S/m.
    diffusion
        Species -> self-diffusion coefficient, cm²/s, as the cell gives it or with the correction added.
    correction
        What Yeh and Hummer add to each coefficient, cm²/s; 0 without a viscosity.
    """

    conductivity: TransportEstimate
    diffusion: Mapping[str, TransportEstimate]
    correction: float


# -- conductivity -----------------------------------------------------------------------------------------------------


def green_kubo(
    currents: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
) -> TransportEstimate:
    """Conductivity from the autocorrelation of the charge current (eq. 13), as the paper does it.

    For each trajectory sigma(t) = int_0^t <J(0) . J(s)> ds / (3 V k_B T); their mean and its standard error over the
    trajectories; and the averages of both over the plateau. Averaging the error, and not the curves, takes all errors
    on the plateau for the same one: the paper's conservative choice.

    Parameters
    ----------
    currents
        (F, 3) charge current of each independent trajectory, e Å/ps (:meth:`IonTrajectory.current`).
    timestep_ps
        Time between frames.
    volume, temperature
        Å³, K.
    window_ps
        The plateau. The paper's are (200, 500), 500 ps of correlation of which the last 300 are averaged, and
        (80, 100). By default it is found (:func:`electrolyte_ml.analysis.correlation.find_plateau`).

    Returns
    -------
    TransportEstimate
        In S/m, with sigma(t) as its curve.

    Raises
    ------
    InputError
        Trajectories of different lengths or below 20 frames, numbers that are not finite, no plateau within the runs'
        length, frames too far apart for an integral over them, or a window that the runs do not hold.
    """
    series = [np.asarray(one, float)[:, None, :] for one in check_series(currents, 3, "current")]
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
    """Conductivity from the mean squared displacement of the charges, which needs no velocities.

    sigma = lim d/dt <|P(t) - P(0)|²> / (6 V k_B T) with P = sum q r of unwrapped positions: the slope of a straight
    line through the plateau's window.

    Parameters
    ----------
    dipoles
        (F, 3) of each trajectory, e Å (:meth:`IonTrajectory.dipole`).
    timestep_ps, volume, temperature, window_ps
        As of :func:`green_kubo`.

    Returns
    -------
    TransportEstimate
        In S/m; its curve is half the local slope of the displacement, the same sigma(t) as Green-Kubo's.

    Raises
    ------
    InputError
        As :func:`green_kubo`, but for frames far apart, which are welcome.
    """
    series = [np.asarray(one, float)[:, None, :] for one in check_series(dipoles, 3, "dipole")]
    plateau = plateau_of([np.diff(one, axis=0) for one in series], timestep_ps, window_ps, 3)
    slopes, relative, curve = slopes_of(series, timestep_ps, plateau)
    length = length_of(series, timestep_ps)
    estimate = judge(slopes[:, 0, 0], relative, "conductivity", "Einstein-Helfand", length, plateau)
    return replace(estimate, curve=curve).scaled(conductivity_scale(volume, temperature), "S/m")


def nernst_einstein(
    displacements: Sequence[np.ndarray],
    species: Sequence[str],
    charges: Sequence[float],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    viscosity_mpa_s: float | None = None,
    window_ps: tuple[float, float] | None = None,
) -> NernstEinsteinResult:
    """Conductivity that the ions would have if each moved alone, from their self-diffusion.

    Parameters
    ----------
    displacements
        (F, n, 3) of the ions of each trajectory since its first frame, Å (:meth:`IonTrajectory.displacements`).
    species, charges
        (n,) name and charge (e) of each ion.
    timestep_ps, volume, temperature, window_ps
        As of :func:`green_kubo`; without a window, one found from all species together.
    viscosity_mpa_s
        Of the liquid. With it the cell's finite size is corrected for: D = D(L) + 2.837297 k_B T / (6 pi eta L)
        (Yeh and Hummer), L the edge of a cube of this volume.

    Raises
    ------
    InputError
        As :func:`einstein_helfand`.
    """
    names, labels = names_of(species)
    charges = np.asarray(charges, float)
    data = [np.asarray(one, float) for one in check_series(displacements, None, "displacements")]
    check_ions(data, labels, charges)
    plateau = common_plateau(data, labels, timestep_ps, window_ps)
    counts = np.bincount(labels).astype(float)
    charge = np.array([charges[labels == a][0] for a in range(len(names))])
    own, relative = self_diffusion(data, labels, timestep_ps, plateau)  # (M, S)
    summed = [summed_by_species(one, labels) for one in data]
    together = slopes_of(summed, timestep_ps, plateau)[0].mean(axis=0)  # (S, S)
    pairs = _distinct(own.mean(axis=0), together, counts)
    length = length_of(data, timestep_ps)
    correction = 0.0
    if viscosity_mpa_s is not None:
        if not viscosity_mpa_s > 0:
            raise InputError(f"the viscosity must be positive, not {viscosity_mpa_s:g} mPa s")
        # k_B T / (6 pi eta L) in Å²/ps: 1e20 / 1e12 per m²/s
        correction = YEH_HUMMER * BOLTZMANN * temperature / (6 * np.pi * 1e-3 * viscosity_mpa_s * volume ** (1 / 3))
        correction *= 1e10 * 1e8
    diffusion = {}
    for a, name in enumerate(names):
        weights = np.zeros(len(names))
        weights[a] = 1.0 / counts[a]
        spread = _self_variance(weights, own.mean(axis=0), pairs, counts)
        estimate = judge(own[:, a], relative * spread, f"D of {name}", "mean squared displacement", length, plateau)
        diffusion[name] = _shifted(estimate, correction).scaled(DIFFUSION_UNIT, "cm²/s")
    spread = _self_variance(charge**2, own.mean(axis=0), pairs, counts)
    total = own @ (counts * charge**2)
    estimate = judge(total, relative * spread, "conductivity", "Nernst-Einstein", length, plateau)
    estimate = _shifted(estimate, correction * float(counts @ charge**2))
    notes = ("ions are taken to move independently of each other",)
    if viscosity_mpa_s is None:
        notes += ("not corrected for the size of the cell: no viscosity was given",)
    conductivity = replace(estimate, notes=estimate.notes + notes)
    return NernstEinsteinResult(
        conductivity.scaled(conductivity_scale(volume, temperature), "S/m"), diffusion, correction * DIFFUSION_UNIT
    )


def viscosity(
    stresses: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    window_ps: tuple[float, float] | None = None,
) -> TransportEstimate:
    """Shear viscosity by Green-Kubo from the five independent components of the traceless stress (Daivis and Evans).

    Parameters
    ----------
    stresses
        (F, 6) of each trajectory, bar, in the order xx, yy, zz, yz, xz, xy; the sign does not matter.
    timestep_ps, volume, temperature, window_ps
        As of :func:`green_kubo`.

    Returns
    -------
    TransportEstimate
        In mPa s.

    Raises
    ------
    InputError
        As :func:`green_kubo`.
    """
    series = []
    for one in check_series(stresses, 6, "stress"):
        xx, yy, zz, yz, xz, xy = np.asarray(one, float).T
        five = [xy, xz, yz, 0.5 * (xx - yy), (2.0 * zz - xx - yy) / np.sqrt(12.0)]
        series.append(np.stack(five, axis=1)[:, None, :])
    estimate = integrate(series, timestep_ps, window_ps, "viscosity", "Green-Kubo")
    return estimate.scaled(VISCOSITY_UNIT * volume / temperature, "mPa s")


# -- ions that move alone ---------------------------------------------------------------------------------------------


def check_ions(data: Sequence[np.ndarray], labels: np.ndarray, charges: np.ndarray) -> None:
    """Check that n ions have n species and charges, one charge a species, and that they are neutral together."""
    ions = data[0].shape[1]
    if len(labels) != ions or len(charges) != ions:
        raise InputError(f"{ions} ions need {ions} species and charges, not {len(labels)} and {len(charges)}")
    for a in range(labels.max() + 1):
        if np.ptp(charges[labels == a]) > 0:
            raise InputError("ions of one species have different charges")
    if abs(charges.sum()) > 1e-6:
        raise InputError(f"the ions' charges sum to {charges.sum():g}, not 0")


def names_of(species: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the species in the order in which they occur, and (n,) the index of each ion's."""
    names = tuple(dict.fromkeys(str(name) for name in species))
    return names, np.array([names.index(str(name)) for name in species])


def summed_by_species(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum (F, n, 3) over the ions of each species: (F, S, 3)."""
    return np.stack([values[:, labels == a].sum(axis=1) for a in range(labels.max() + 1)], axis=1)


def common_plateau(
    data: Sequence[np.ndarray], labels: np.ndarray, timestep_ps: float, window_ps: tuple[float, float] | None
) -> Plateau:
    """Return one plateau for displacements (F, n, 3) of several species, each given the same weight.

    Columns that move together are worth fewer: by Isserlis' theorem n² / sum_ij rho_ij² of them are independent.
    """
    moves = [np.diff(one, axis=0) for one in data]
    for a in range(labels.max() + 1):
        size = np.sqrt(np.mean([np.mean(m[:, labels == a] ** 2) for m in moves]))
        for m in moves:
            m[:, labels == a] /= size or 1.0
    some = np.concatenate(
        [m[:: 1 + len(m) // _FRAMES_FOR_RHO].transpose(0, 2, 1).reshape(-1, len(labels)) for m in moves]
    )
    rho = some.T @ some
    independent = np.trace(rho) ** 2 / np.sum(rho**2) if rho.any() else 1.0
    flat = [m.reshape(len(m), 1, -1) for m in moves]
    return plateau_of(flat, timestep_ps, window_ps, 3.0 * independent)


def self_diffusion(
    data: Sequence[np.ndarray], labels: np.ndarray, timestep_ps: float, plateau: Plateau
) -> tuple[np.ndarray, float]:
    """(M, S) self-diffusion coefficients, Å²/ps, and the relative variance of that of a single ion in all runs."""
    columns = []
    for a in range(labels.max() + 1):
        flat = [one[:, labels == a].reshape(len(one), 1, -1) for one in data]
        columns.append(slopes_of(flat, timestep_ps, plateau)[0][:, 0, 0])
    length = len(data[0]) * timestep_ps
    return np.stack(columns, axis=1), relative_variance(plateau.start_ps, plateau.end_ps, length, 3 * len(data))


def _distinct(own: np.ndarray, together: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(S, S) coefficients of two different ions, from self and collective ones; within what a process allows."""
    pairs = np.outer(counts, counts) - np.diag(counts)
    distinct = (together - np.diag(counts * own)) / np.maximum(pairs, 1.0)
    bound = np.sqrt(np.outer(np.maximum(own, 0.0), np.maximum(own, 0.0)))
    return np.clip(distinct, -bound, bound)


def _self_variance(weights: np.ndarray, own: np.ndarray, pairs: np.ndarray, counts: np.ndarray) -> float:
    """Return the relative variance of sum_a w_a sum_i D_i in units of that of one ion's D, by Isserlis' theorem.

    For Gaussian displacements Cov(x_i², x_j²) = 2 <x_i x_j>²: ions that move together are worth fewer.
    """
    squares = pairs**2 * (np.outer(counts, counts) - np.diag(counts)) + np.diag(counts * own**2)
    return float(weights @ squares @ weights / (weights @ (counts * own)) ** 2)


def _shifted(estimate: TransportEstimate, by: float) -> TransportEstimate:
    return replace(estimate, value=estimate.value + by, low=estimate.low + by, high=estimate.high + by)
