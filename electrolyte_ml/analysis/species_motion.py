"""Displacements of ions by species, for Nernst-Einstein conductivities and Onsager coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrolyte_ml.analysis.correlation import Plateau, relative_variance
from electrolyte_ml.analysis.estimates import plateau_of, slopes_of
from electrolyte_ml.errors import InputError

_FRAMES_FOR_RHO = 20000  # largest number of frames of each run for the correlation of columns


def check_ions(data: Sequence[np.ndarray], labels: np.ndarray, charges: np.ndarray) -> None:
    """Check that n ions have n species and charges, one charge per species, and that the charges sum to zero."""
    ions = data[0].shape[1]
    if len(labels) != ions or len(charges) != ions:
        raise InputError(f"{ions} ions need {ions} species and charges, not {len(labels)} and {len(charges)}")
    for a in range(labels.max() + 1):
        if np.ptp(charges[labels == a]) > 0:
            raise InputError("ions of one species have different charges")
    if abs(charges.sum()) > 1e-6:
        raise InputError(f"the ions' charges sum to {charges.sum():g}, not 0")


def names_of(species: Sequence[str] | np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the species in the order of first occurrence, and (n,) the index of each ion's species."""
    names = tuple(dict.fromkeys(str(name) for name in species))
    return names, np.array([names.index(str(name)) for name in species])


def summed_by_species(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum (F, n, 3) over the ions of each species: (F, S, 3)."""
    return np.stack([values[:, labels == a].sum(axis=1) for a in range(labels.max() + 1)], axis=1)


def common_plateau(
    data: Sequence[np.ndarray], labels: np.ndarray, timestep_ps: float, window_ps: tuple[float, float] | None
) -> Plateau:
    """Return one plateau for displacements (F, n, 3) of several species with equal weights.

    Correlated columns are fewer independent ones: by Isserlis' theorem n² / sum_ij rho_ij² of n are independent.
    """
    moves = [np.diff(run, axis=0) for run in data]
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
    """Return (M, S) self-diffusion coefficients, Å²/ps, and the relative variance of that of one ion over all runs."""
    columns = []
    for a in range(labels.max() + 1):
        flat = [run[:, labels == a].reshape(len(run), 1, -1) for run in data]
        columns.append(slopes_of(flat, timestep_ps, plateau)[0][:, 0, 0])
    length = len(data[0]) * timestep_ps
    return np.stack(columns, axis=1), relative_variance(plateau.start_ps, plateau.end_ps, length, 3 * len(data))
