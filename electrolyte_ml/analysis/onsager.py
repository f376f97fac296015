"""Onsager coefficients of the species of ions, and the transference numbers and ionicity that follow from them.

References
----------
K. D. Fong, H. K. Bergstrom, B. D. McCloskey, K. K. Mandadapu, AIChE J. 66, e17091 (2020); L. A. Woolf, K. R. Harris,
J. Chem. Soc., Faraday Trans. 1 74, 933 (1978).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from electrolyte_ml.analysis.correlation import Plateau
from electrolyte_ml.analysis.estimates import (
    MIN_SCATTER,
    TransportEstimate,
    check_series,
    degrees_of,
    describe_runs,
    length_of,
    slopes_of,
)
from electrolyte_ml.analysis.independent_ions import nernst_einstein
from electrolyte_ml.analysis.species_motion import (
    check_ions,
    common_plateau,
    names_of,
    self_diffusion,
    summed_by_species,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.units import DIFFUSION_UNIT, ONSAGER_UNIT, conductivity_scale

_DRAWS = 2000


@dataclass(frozen=True)
class OnsagerResult:
    """Onsager coefficients, and the conductivity, transference numbers and ionicity that follow from them.

    Attributes
    ----------
    species
        (S,) names, in the order of the matrices.
    coefficients
        (S, S) Onsager coefficients L_ab, mol²/(J m s), each an estimate.
    self_part, distinct_part
        (S,) and (S, S), same unit: L_aa of ions that move independently, and the rest of L.
    contributions
        (S, S) z_a z_b F² L_ab, S/m; their sum is the conductivity.
    conductivity
        Conductivity with all correlations, S/m.
    transference
        Frame ("barycentric", and "solvent" if the solvent's mass is known) -> (S,) transference numbers.
    ionicity
        Conductivity over the Nernst-Einstein conductivity.
    """

    species: tuple[str, ...]
    coefficients: tuple[tuple[TransportEstimate, ...], ...]
    self_part: tuple[TransportEstimate, ...]
    distinct_part: tuple[tuple[TransportEstimate, ...], ...]
    contributions: tuple[tuple[TransportEstimate, ...], ...]
    conductivity: TransportEstimate
    transference: Mapping[str, tuple[TransportEstimate, ...]]
    ionicity: TransportEstimate


def onsager_coefficients(
    displacements: Sequence[np.ndarray],
    species: Sequence[str] | np.ndarray,
    charges: Sequence[float] | np.ndarray,
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    masses: Sequence[float] | np.ndarray | None = None,
    solvent_mass: float | None = None,
    window_ps: tuple[float, float] | None = None,
) -> OnsagerResult:
    """Measure Onsager coefficients, conductivity, transference numbers and ionicity from displacements of the species.

    L_ab = lim d/dt <dR_a . dR_b> / (6 V k_B T) with R_a the summed displacement of the ions of species a in the frame
    of the whole liquid's centre of mass. Intervals come from the Wishart distribution of the matrix.

    Parameters
    ----------
    displacements, species, charges, timestep_ps, volume, temperature, window_ps
        As for :func:`electrolyte_ml.analysis.nernst_einstein`; the displacements are barycentric.
    masses, solvent_mass
        (n,) mass of each ion, and total mass of all other atoms, amu; needed for transference numbers in the solvent's
        frame.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.analysis.einstein_helfand`, or the runs are too short: the matrix is not positive
        definite or has too few degrees of freedom.
    """
    names, labels = names_of(species)
    charge_of = np.asarray(charges, float)  # (n,)
    data = [np.asarray(run, float) for run in check_series(displacements, None, "displacements")]
    check_ions(data, labels, charge_of)
    counts = np.bincount(labels).astype(float)
    charge = np.array([charge_of[labels == a][0] for a in range(len(names))])  # (S,)
    summed = [summed_by_species(run, labels) for run in data]
    plateau = common_plateau(summed, np.arange(len(names)), timestep_ps, window_ps)
    matrices, relative, _ = slopes_of(summed, timestep_ps, plateau)  # (M, S, S)
    own, _ = self_diffusion(data, labels, timestep_ps, plateau)  # (M, S)
    matrix, degrees = matrices.mean(axis=0), degrees_of(relative, plateau)
    if np.linalg.eigvalsh(matrix).min() <= 0 or degrees < 3.5 * len(names):
        raise InputError(
            f"the Onsager matrix of {describe_runs(length_of(data, timestep_ps), len(data))} has {degrees:.1f} degrees "
            "of freedom, too few to distinguish it from a singular one: longer or more runs are needed"
        )
    draws = _inverse_wishart(matrix, degrees)
    length = length_of(data, timestep_ps)
    # The statistical error of the self parts is neglected: it is much smaller than that of the collective matrix.
    self_parts = counts * own

    def estimate(
        function: Callable[[np.ndarray, np.ndarray], np.ndarray], quantity: str, unit: str = ""
    ) -> TransportEstimate:
        return _judge_function(function, matrix, draws, matrices, self_parts, quantity, unit, degrees, length, plateau)

    number, scale = ONSAGER_UNIT / (volume * temperature), conductivity_scale(volume, temperature)
    indices = range(len(names))
    coefficients = _table(names, lambda a, b: estimate(
        lambda m, s: number * m[..., a, b], f"L {names[a]}-{names[b]}", "mol²/(J m s)"))  # fmt: skip
    distinct = _table(names, lambda a, b: estimate(
        lambda m, s: number * (m[..., a, b] - (a == b) * s[..., a]),
        f"distinct L {names[a]}-{names[b]}", "mol²/(J m s)"))  # fmt: skip
    contributions = _table(
        names,
        lambda a, b: estimate(
            lambda m, s: scale * charge[a] * charge[b] * m[..., a, b], f"conductivity {names[a]}-{names[b]}", "S/m"
        ),
    )
    independent = nernst_einstein(
        data, species, charge_of, timestep_ps, volume, temperature, window_ps=(plateau.start_ps, plateau.end_ps)
    )
    to_self = ONSAGER_UNIT / (volume * temperature) / DIFFUSION_UNIT
    self_part = tuple(
        independent.diffusion[name].scaled(float(counts[a]) * to_self, "mol²/(J m s)", f"self L {name}")
        for a, name in enumerate(names)
    )
    conductivity = estimate(lambda m, s: scale * np.einsum("...ab,a,b->...", m, charge, charge), "conductivity", "S/m")
    frames = {"barycentric": np.eye(len(names))}
    if masses is not None and solvent_mass is not None:
        mass = np.array([np.asarray(masses, float)[labels == a][0] for a in indices])
        frames["solvent"] = _to_solvent(counts, mass, solvent_mass)

    def transference_of(a: int, frame: str, turn: np.ndarray) -> TransportEstimate:
        return estimate(
            lambda m, s: transference_numbers(turn @ m @ turn.T, charge)[..., a],
            f"transference number of {names[a]}, {frame} frame",
        )

    transference = {frame: tuple(transference_of(a, frame, turn) for a in indices) for frame, turn in frames.items()}
    ionicity = estimate(lambda m, s: np.einsum("...ab,a,b->...", m, charge, charge) / (s @ charge**2), "ionicity")
    return OnsagerResult(names, coefficients, self_part, distinct, contributions, conductivity, transference, ionicity)


def transference_numbers(collective: np.ndarray, charges: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return t_a = sum_b z_a z_b L_ab / sum_ab z_a z_b L_ab; (..., S, S) in any unit gives (..., S)."""
    charge = np.asarray(charges, float)
    shares = charge * np.einsum("...ab,b->...a", collective, charge)
    return shares / shares.sum(axis=-1, keepdims=True)


def solvent_frame(
    collective: np.ndarray, counts: Sequence[int], masses: Sequence[float], solvent_mass: float
) -> np.ndarray:
    """Transform Onsager coefficients from the barycentric frame to that of the solvent.

    The velocity of the solvent's centre of mass is minus the ions' momentum over the solvent's mass. In the solvent's
    frame the flux of species a is therefore J_a + N_a sum_b m_b J_b / M_solvent.

    Parameters
    ----------
    collective
        (..., S, S) barycentric coefficients, in any unit.
    counts, masses
        (S,) number of ions of each species, and mass of one ion, amu.
    solvent_mass
        Mass of all atoms that do not belong to ions, amu.

    Raises
    ------
    InputError
        The solvent has no mass.
    """
    turn = _to_solvent(np.asarray(counts, float), np.asarray(masses, float), solvent_mass)
    return turn @ collective @ turn.T


def _to_solvent(counts: np.ndarray, masses: np.ndarray, solvent_mass: float) -> np.ndarray:
    if not solvent_mass > 0:
        raise InputError("the solvent's frame needs a solvent with a mass")
    return np.eye(len(counts)) + np.outer(counts, masses) / solvent_mass


def _inverse_wishart(matrix: np.ndarray, degrees: float) -> np.ndarray:
    """Draw matrices from the inverse Wishart distribution of an estimate (inverse chi-squared for a 1 x 1 matrix)."""
    rng = np.random.default_rng(0)
    size = len(matrix)
    lower = np.zeros((_DRAWS, size, size))  # Bartlett's decomposition
    for k in range(size):
        lower[:, k, k] = np.sqrt(rng.chisquare(degrees - k, _DRAWS))
        lower[:, k, :k] = rng.normal(size=(_DRAWS, k))
    turned = np.linalg.cholesky(matrix) @ np.linalg.inv(lower).transpose(0, 2, 1)
    return degrees * turned @ turned.transpose(0, 2, 1)


def _judge_function(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    matrix: np.ndarray,
    draws: np.ndarray,
    matrices: np.ndarray,
    self_parts: np.ndarray,
    quantity: str,
    unit: str,
    degrees: float,
    length: tuple[int, float],
    plateau: Plateau,
) -> TransportEstimate:
    """Return the value of a function of the collective matrix and the self parts, with its error and interval."""
    from scipy.stats import t as student

    count = len(matrices)
    mean = self_parts.mean(axis=0)
    value = float(function(matrix, mean))
    spread = function(draws, mean)
    low, high = np.quantile(spread, [0.025, 0.975]).tolist()
    inner = np.quantile(spread, [0.1587, 0.8413])
    expected = error = 0.5 * float(inner[1] - inner[0])
    basis = f"Wishart, {degrees:.0f} degrees of freedom"
    if count >= MIN_SCATTER:
        left = [
            (np.delete(matrices, m, axis=0).mean(axis=0), np.delete(self_parts, m, axis=0).mean(axis=0))
            for m in range(count)
        ]
        without = np.array([function(m, s) for m, s in left])
        error = float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))
        half = float(student.ppf(0.975, count - 1)) * error
        if 2.0 * half > high - low:
            low, high, basis = value - half, value + half, f"jackknife over {count} trajectories, Student's t"
    return TransportEstimate(
        quantity, unit, "Onsager", value, error, low, high, expected, basis, count, count * length[1], plateau
    )


def _table(
    names: Sequence[str], entry: Callable[[int, int], TransportEstimate]
) -> tuple[tuple[TransportEstimate, ...], ...]:
    return tuple(tuple(entry(a, b) for b in range(len(names))) for a in range(len(names)))
