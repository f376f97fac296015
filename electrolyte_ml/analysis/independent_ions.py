"""Nernst-Einstein conductivity: ions are assumed to move independently, with their self-diffusion coefficients.

References
----------
I.-C. Yeh, G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from electrolyte_ml.analysis.correlation import Plateau
from electrolyte_ml.analysis.estimates import TransportEstimate, check_series, judge, length_of, slopes_of
from electrolyte_ml.analysis.finite_size import lattice_constant
from electrolyte_ml.analysis.species_motion import (
    check_ions,
    common_plateau,
    names_of,
    self_diffusion,
    summed_by_species,
)
from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError
from electrolyte_ml.units import BOLTZMANN, DIFFUSION_UNIT, conductivity_scale


@dataclass(frozen=True)
class NernstEinsteinResult:
    """The conductivity of ions that move independently of each other.

    Attributes
    ----------
    conductivity
        S/m.
    diffusion
        Species -> self-diffusion coefficient, cm²/s, with the correction added.
    correction
        Correction for the size and shape of the cell, added to each coefficient, cm²/s; 0 without a viscosity, possibly
        negative in long cells.
    """

    conductivity: TransportEstimate
    diffusion: Mapping[str, TransportEstimate]
    correction: float


def nernst_einstein(
    displacements: Sequence[np.ndarray],
    species: Sequence[str] | np.ndarray,
    charges: Sequence[float] | np.ndarray,
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    viscosity_mpa_s: float | None = None,
    cell: np.ndarray | None = None,
    window_ps: tuple[float, float] | None = None,
) -> NernstEinsteinResult:
    """Return the conductivity of the ions from their self-diffusion, as if they moved independently of each other.

    Parameters
    ----------
    displacements
        (F, n, 3) displacements of the ions of each trajectory since its first frame, Å
        (:meth:`IonTrajectory.displacements`).
    species, charges
        (n,) name and charge (e) of each ion.
    timestep_ps, volume, temperature, window_ps
        As for :func:`electrolyte_ml.analysis.green_kubo`; by default the window is found from all species together.
    viscosity_mpa_s
        Viscosity of the liquid, to correct for the finite size of the cell: D = D(cell) + xi k_B T / (6 pi eta)
        (:func:`electrolyte_ml.analysis.finite_size.lattice_constant`).
    cell
        (3, 3) Å; without it a cube of this volume is assumed, with xi = 2.837297 / L (Yeh and Hummer).

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.einstein_helfand`, or the ions are not neutral in total.
    """
    names, labels = names_of(species)
    charge_of = np.asarray(charges, float)  # (n,)
    data = [np.asarray(run, float) for run in check_series(displacements, None, "displacements")]
    check_ions(data, labels, charge_of)
    charge = np.array([charge_of[labels == a][0] for a in range(len(names))])  # (S,)
    motion = _Motion.of(data, labels, timestep_ps, window_ps)
    correction = _finite_size(volume, temperature, viscosity_mpa_s, cell)
    diffusion = motion.diffusion(names, correction)
    total = motion.own @ (motion.counts * charge**2)
    estimate = motion.judge(total, charge**2, "conductivity", "Nernst-Einstein")
    estimate = _shifted(estimate, correction * float(motion.counts @ charge**2))
    notes = ["ions are assumed to move independently of each other"]
    if viscosity_mpa_s is None:
        notes.append("not corrected for the size of the cell: no viscosity was given")
    elif cell is None:
        notes.append("corrected as for a cubic cell: only the volume of the cell is known")
    conductivity = replace(estimate, notes=(*estimate.notes, *notes))
    return NernstEinsteinResult(
        conductivity.scaled(conductivity_scale(volume, temperature), "S/m"), diffusion, correction * DIFFUSION_UNIT
    )


def diffusion_coefficients(
    displacements: Sequence[np.ndarray],
    species: Sequence[str] | np.ndarray,
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    viscosity_mpa_s: float | None = None,
    cell: np.ndarray | None = None,
    window_ps: tuple[float, float] | None = None,
) -> dict[str, TransportEstimate]:
    """Return the self-diffusion coefficients of molecules, charged or not, such as those of the solvents.

    The parameters are those of :func:`nernst_einstein`.

    Returns
    -------
    dict of str to TransportEstimate
        Species -> cm²/s, corrected for the size of the cell if a viscosity is given.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.einstein_helfand`.
    """
    names, labels = names_of(species)
    data = [np.asarray(run, float) for run in check_series(displacements, None, "displacements")]
    if len(labels) != data[0].shape[1]:
        raise InputError(f"{data[0].shape[1]} molecules need as many species, not {len(labels)}")
    motion = _Motion.of(data, labels, timestep_ps, window_ps)
    return motion.diffusion(names, _finite_size(volume, temperature, viscosity_mpa_s, cell))


def _finite_size(volume: float, temperature: float, viscosity_mpa_s: float | None, cell: np.ndarray | None) -> float:
    """Return the correction for the size of the cell, Å²/ps; 0 without a viscosity."""
    if viscosity_mpa_s is None:
        return 0.0
    number("the viscosity", viscosity_mpa_s, "mPa s")
    box = volume ** (1 / 3) * np.eye(3) if cell is None else np.asarray(cell, float)
    # xi k_B T / (6 pi eta) in Å²/ps: 1e20 / 1e12 per m²/s, and 1e10 for xi in 1/m
    return lattice_constant(box) * BOLTZMANN * temperature / (6 * np.pi * 1e-3 * viscosity_mpa_s) * 1e10 * 1e8


@dataclass(frozen=True)
class _Motion:
    """Self-diffusion of S species in M runs.

    Attributes
    ----------
    own : (M, S) Å²/ps
    relative : float
        Relative variance of the coefficient of a single molecule in all runs.
    pairs : (S, S) Å²/ps
        Coefficients of two different molecules.
    counts : (S,)
    length
        Number of runs, and the length of one, ps.
    plateau
    """

    own: np.ndarray
    relative: float
    pairs: np.ndarray
    counts: np.ndarray
    length: tuple[int, float]
    plateau: Plateau

    @classmethod
    def of(
        cls,
        data: Sequence[np.ndarray],
        labels: np.ndarray,
        timestep_ps: float,
        window_ps: tuple[float, float] | None,
    ) -> _Motion:
        """Measure the self-diffusion from displacements (F, n, 3) of molecules with (n,) labels of their species."""
        plateau = common_plateau(data, labels, timestep_ps, window_ps)
        counts = np.bincount(labels).astype(float)
        own, relative = self_diffusion(data, labels, timestep_ps, plateau)
        summed = [summed_by_species(run, labels) for run in data]
        together = slopes_of(summed, timestep_ps, plateau)[0].mean(axis=0)  # (S, S)
        pairs = _distinct(own.mean(axis=0), together, counts)
        return cls(own, relative, pairs, counts, length_of(data, timestep_ps), plateau)

    def judge(self, values: np.ndarray, weights: np.ndarray, quantity: str, method: str) -> TransportEstimate:
        """Return the mean of (M,) values, weighted sums of the coefficients in each run, with its error."""
        spread = _self_variance(weights, self.own.mean(axis=0), self.pairs, self.counts)
        return judge(values, self.relative * spread, quantity, method, self.length, self.plateau)

    def diffusion(self, names: Sequence[str], correction: float) -> dict[str, TransportEstimate]:
        """Return the coefficient of each species, cm²/s, with a correction (Å²/ps) added."""
        estimates = {}
        for a, name in enumerate(names):
            weights = np.zeros(len(names))
            weights[a] = 1.0 / self.counts[a]
            estimate = self.judge(self.own[:, a], weights, f"D of {name}", "mean squared displacement")
            estimates[name] = _shifted(estimate, correction).scaled(DIFFUSION_UNIT, "cm²/s")
        return estimates


def _distinct(own: np.ndarray, together: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the (S, S) coefficients of two different ions, from self and collective ones, within physical limits."""
    pairs = np.outer(counts, counts) - np.diag(counts)
    distinct = (together - np.diag(counts * own)) / np.maximum(pairs, 1.0)
    bound = np.sqrt(np.outer(np.maximum(own, 0.0), np.maximum(own, 0.0)))
    return np.clip(distinct, -bound, bound)


def _self_variance(weights: np.ndarray, own: np.ndarray, pairs: np.ndarray, counts: np.ndarray) -> float:
    """Return the relative variance of sum_a w_a sum_i D_i in units of that of one ion's D, by Isserlis' theorem.

    For Gaussian displacements Cov(x_i², x_j²) = 2 <x_i x_j>²: ions that move together give fewer independent values.
    """
    squares = pairs**2 * (np.outer(counts, counts) - np.diag(counts)) + np.diag(counts * own**2)
    return float(weights @ squares @ weights / (weights @ (counts * own)) ** 2)


def _shifted(estimate: TransportEstimate, by: float) -> TransportEstimate:
    return replace(estimate, value=estimate.value + by, low=estimate.low + by, high=estimate.high + by)
