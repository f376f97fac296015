"""Synthetic ions with exactly known transport coefficients, to test estimators.

Velocities are Ornstein-Uhlenbeck processes: Gaussian, stationary, with correlation functions that are sums of
exponentials. Ions of one species are exchangeable. Any two different ions may move together or against each other, so
that the Nernst-Einstein conductivity, which neglects such correlations, is wrong by a known factor. Positions and
velocities are sampled together from the exact transition density and are exact for any time step.

References
----------
G. E. Uhlenbeck, L. S. Ornstein, Phys. Rev. 36, 823 (1930); D. T. Gillespie, Phys. Rev. E 54, 2084 (1996).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from electrolyte_ml.analysis.onsager import solvent_frame, transference_numbers
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.ions import IonTrajectory
from electrolyte_ml.units import ONSAGER_UNIT, conductivity_scale


@dataclass(frozen=True)
class OrnsteinUhlenbeckIons:
    """A process of correlated ions with exact transport coefficients.

    The velocities of ions i of species a and j of species b have the correlation function
    <v_i(t) . v_j(0)> / 3 = D_ij sum_k w_k / tau_k exp(-|t| / tau_k), where D_ij is the self-diffusion coefficient for
    i = j and the distinct one of their species otherwise.

    Attributes
    ----------
    counts, charges, masses
        (S,) number of ions of each species, charge (e) and mass (amu) of one ion.
    diffusion
        (S,) self-diffusion coefficients, Å²/ps.
    distinct
        (S, S) symmetric: integral of the velocity correlation of two *different* ions of these species, Å²/ps; zero by
        default.
    relaxation_ps, weights
        (K,) relaxation times, and their shares of the diffusion, which are positive and sum to 1.
    side
        Edge of the cubic cell, Å.
    temperature
        K.
    solvent_mass
        Total mass of the solvent, amu; it defines the solvent's frame.
    names
        (S,) names of the species.

    Raises
    ------
    InputError
        No process has these coefficients: the covariance is not positive, the shares do not sum to 1, or shapes differ.
    """

    counts: tuple[int, ...] = (8, 8)
    charges: tuple[float, ...] = (1.0, -1.0)
    masses: tuple[float, ...] = (6.94, 144.96)
    diffusion: tuple[float, ...] = (0.02, 0.03)
    distinct: tuple[tuple[float, ...], ...] | None = None
    relaxation_ps: tuple[float, ...] = (1.0,)
    weights: tuple[float, ...] = (1.0,)
    side: float = 23.4
    temperature: float = 300.0
    solvent_mass: float = 7942.0
    names: tuple[str, ...] = ("Li", "PF6")

    def __post_init__(self) -> None:
        species = len(self.counts)
        if any(len(x) != species for x in (self.charges, self.masses, self.diffusion, self.names)):
            raise InputError(f"{species} species need as many charges, masses, diffusion coefficients and names")
        if self._distinct.shape != (species, species) or not np.allclose(self._distinct, self._distinct.T):
            raise InputError(f"the distinct coefficients must be a symmetric {species} x {species} matrix")
        if len(self.weights) != len(self.relaxation_ps) or min(self.weights) <= 0 or min(self.relaxation_ps) <= 0:
            raise InputError("each positive relaxation time needs one positive share")
        if abs(sum(self.weights) - 1.0) > 1e-9:
            raise InputError(f"the shares of the relaxation times sum to {sum(self.weights):g}, not 1")
        excess = np.asarray(self.diffusion) - np.diag(self._distinct)
        if excess.min() < 0 or np.linalg.eigvalsh(self._mean_coefficients).min() < -1e-12 * max(self.diffusion):
            raise InputError("no process has these coefficients: two ions cannot be correlated so strongly")

    @property
    def _distinct(self) -> np.ndarray:
        n = len(self.counts)
        return np.zeros((n, n)) if self.distinct is None else np.asarray(self.distinct, float)

    @property
    def _mean_coefficients(self) -> np.ndarray:
        """(S, S) coefficients of the species' mean velocities."""
        return self._distinct + np.diag((np.asarray(self.diffusion) - np.diag(self._distinct)) / self.counts)

    # -- exact values -------------------------------------------------------------------------------------------------

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return self.side**3

    @property
    def collective(self) -> np.ndarray:
        """Integral of <V_a(t) . V_b(0)> / 3 of the species' summed velocities, (S, S) Å²/ps."""
        counts = np.asarray(self.counts, float)
        return counts[:, None] * self._mean_coefficients * counts

    @property
    def onsager(self) -> np.ndarray:
        """Onsager coefficients L_ab = collective / (V k_B T), (S, S) mol²/(J m s)."""
        return self.collective * ONSAGER_UNIT / (self.volume * self.temperature)

    @property
    def conductivity(self) -> float:
        """Conductivity with all correlations, S/m."""
        charges = np.asarray(self.charges)
        return float(conductivity_scale(self.volume, self.temperature) * charges @ self.collective @ charges)

    @property
    def nernst_einstein(self) -> float:
        """Conductivity of ions that move independently of each other, S/m."""
        own = np.sum(np.asarray(self.counts) * np.asarray(self.charges) ** 2 * np.asarray(self.diffusion))
        return float(conductivity_scale(self.volume, self.temperature) * own)

    def transference(self, frame: str = "barycentric") -> np.ndarray:
        """Return (S,) transference numbers in the ``barycentric`` or the ``solvent`` frame."""
        collective = self.collective
        if frame == "solvent":
            collective = solvent_frame(collective, self.counts, self.masses, self.solvent_mass)
        return transference_numbers(collective, self.charges)

    @property
    def correlation_time_ps(self) -> float:
        """Integral of the normalised correlation function of the current, ps."""
        return float(1.0 / np.sum(np.asarray(self.weights) / np.asarray(self.relaxation_ps)))

    # -- samples ------------------------------------------------------------------------------------------------------

    def sample(self, time_ps: float, timestep_ps: float, *, seed: int | np.random.SeedSequence = 0) -> IonTrajectory:
        """Draw one trajectory in equilibrium.

        Parameters
        ----------
        time_ps, timestep_ps
            Length, and time between frames.
        seed
            Seed of the random numbers; different seeds give independent trajectories.

        Returns
        -------
        IonTrajectory
            Trajectory with velocities and unwrapped positions; the first positions are uniform in the cell.

        Raises
        ------
        InputError
            The time step is not positive, or the length is below one time step.
        """
        frames = round(time_ps / timestep_ps) + 1
        if timestep_ps <= 0 or frames < 2:
            raise InputError(f"{time_ps:g} ps at {timestep_ps:g} ps a frame is not a trajectory")
        rng = np.random.default_rng(seed)
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        total = int(ends[-1])
        velocities = np.zeros((frames, total, 3))  # Å/ps
        moves = np.zeros((frames - 1, total, 3))  # Å, over each step
        values, vectors = np.linalg.eigh(self._mean_coefficients)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        for share, tau in zip(self.weights, self.relaxation_ps):
            v_own, x_own = _unit_process(rng, frames, total, tau, timestep_ps)
            v_mean, x_mean = _unit_process(rng, frames, len(self.counts), tau, timestep_ps)
            for a, (begin, end) in enumerate(pairwise(ends)):
                spread = np.sqrt(share * (self.diffusion[a] - self._distinct[a, a]))
                for out, own, mean in ((velocities, v_own, v_mean), (moves, x_own, x_mean)):
                    # The motion common to a species is drawn separately; the ions' own parts must have zero mean.
                    part = own[:, begin:end] - own[:, begin:end].mean(axis=1, keepdims=True)
                    common = np.einsum("k,fkc->fc", root[a], mean)
                    out[:, begin:end] += spread * part + np.sqrt(share) * common[:, None]
        positions = np.empty_like(velocities)
        positions[0] = rng.uniform(0.0, self.side, (total, 3))
        np.cumsum(moves, axis=0, out=positions[1:])
        positions[1:] += positions[0]
        return IonTrajectory(
            timestep_ps=timestep_ps,
            positions=positions,
            velocities=velocities,
            species=np.repeat(np.asarray(self.names), self.counts),
            charges=np.repeat(np.asarray(self.charges, float), self.counts),
            masses=np.repeat(np.asarray(self.masses, float), self.counts),
            volume=self.volume,
            solvent_mass=self.solvent_mass,
            cell=self.side * np.eye(3),
        )


def _unit_process(
    rng: np.random.Generator, frames: int, columns: int, tau: float, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw velocities (frames, columns, 3) with diffusion coefficient 1, and the exact displacements of each step."""
    from scipy.signal import lfilter

    decay, h = np.exp(-step / tau), step / tau
    variance = 1.0 / tau
    # The velocity and displacement after a step are jointly Gaussian, given the velocity before it (Gillespie 1996).
    v_v = variance * (1.0 - decay**2)
    x_v = (1.0 - decay) ** 2
    x_x = tau * (2.0 * h - 3.0 + 4.0 * decay - decay**2)
    noise = rng.normal(size=(frames, columns, 3))
    kicks = np.sqrt(v_v) * noise
    kicks[0] = np.sqrt(variance) * noise[0]
    velocities = lfilter([1.0], [1.0, -decay], kicks, axis=0)
    rest = np.sqrt(max(x_x - x_v**2 / v_v, 0.0))
    moves = tau * (1.0 - decay) * velocities[:-1] + (x_v / v_v) * kicks[1:]
    moves += rest * rng.normal(size=(frames - 1, columns, 3))
    return velocities, moves
