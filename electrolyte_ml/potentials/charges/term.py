"""Training term of charge redistribution: quadratic forms in the charges of the species, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.potentials.charges.composition import anchor, by_parameters, fix_gauge, redistributed
from electrolyte_ml.potentials.charges.equal_weights import equal_weights
from electrolyte_ml.potentials.charges.forms import TypeForms
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.interface import Prediction, TrainingTerm

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.qrd import QRd


class _Configuration(NamedTuple):
    """Data of one configuration for training: species (N,), counts (S,), total charge, and coefficients.

    The fields have the shape (S, 3, N): sums over species then run over contiguous atoms.
    """

    species: np.ndarray
    counts: np.ndarray
    total: float
    energies: np.ndarray
    fields: np.ndarray
    virials: np.ndarray


class QRdTerm(TrainingTerm):
    """Coefficients of K configurations in flat arrays; a prediction contracts them with the charges.

    Attributes
    ----------
    sizes : (K,) int64
        Number of atoms in each configuration.
    species : (N,) int64
    counts : (K, S)
        Number of atoms of each species.
    totals : (K,) e
        Total charges.
    energies : (K, S, S)
        As in `TypeForms`.
    fields : (S, 3, N)
    virials : (K, S, 9 S)
        The last axis runs over species and components.
    """

    def __init__(self, potential: QRd, configurations: Sequence[_Configuration]) -> None:
        self.potential, self.configurations = potential, list(configurations)
        n_species, k = len(potential.species), len(configurations)
        self.sizes = np.array([len(item.species) for item in configurations], np.int64)
        self.first = np.cumsum(self.sizes) - self.sizes
        self.species = np.concatenate([np.zeros(0, np.int64), *(item.species for item in configurations)])
        self.counts = np.array([item.counts for item in configurations]).reshape(k, n_species)
        self.totals = np.array([item.total for item in configurations], float)
        self.energies = np.array([item.energies for item in configurations]).reshape(k, n_species, n_species)
        self.fields = np.concatenate([np.zeros((n_species, 3, 0)), *(item.fields for item in configurations)], axis=2)
        self.virials = np.array([item.virials for item in configurations]).reshape(k, n_species, 9 * n_species)

    @classmethod
    def of(cls, potential: QRd, systems: Sequence[System], forms: Sequence[TypeForms]) -> QRdTerm:
        """Make the term from the coefficients of configurations."""
        n_species = len(potential.species)
        return cls(
            potential,
            [
                _Configuration(
                    system.species,
                    np.bincount(system.species, minlength=n_species).astype(float),
                    system.charge,
                    form.energies,
                    form.fields.transpose(1, 2, 0),
                    form.virials,
                )
                for system, form in zip(systems, forms, strict=True)
            ],
        )

    def _by_atom(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the charges of all species in the configuration of each atom, (S, N), and of the atoms, (N,)."""
        spread = np.repeat(np.ascontiguousarray(q.T), self.sizes, axis=1)
        return spread, spread[self.species, np.arange(len(self.species))]

    def _virial_rows(self, q: np.ndarray) -> np.ndarray:
        """Return the derivatives of the virials by the charges, (K, S, 9)."""
        k, n_species = q.shape
        return np.matmul(q[:, None], self.virials).reshape(k, n_species, 9)

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Contract the coefficients with the charges; infinite or NaN at the pole of the form "raw"."""
        with np.errstate(over="ignore", invalid="ignore"):
            q = redistributed(theta, self.counts, self.totals, self.potential.form).charges
            energies = 0.5 * (q * np.matmul(self.energies, q[..., None])[..., 0]).sum(1)
            spread, own = self._by_atom(q)
            forces = np.einsum("acn,an->cn", self.fields, spread) * own
            virials = 0.5 * np.matmul(q[:, None], self._virial_rows(q)).reshape(-1, 3, 3)
            return Prediction(energies, np.ascontiguousarray(forces.T), virials)

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the derivatives by b and s."""
        form = self.potential.form
        shared = redistributed(theta, self.counts, self.totals, form)
        q = shared.charges
        k, n_species = q.shape
        by_charges = by_energies[:, None] * np.matmul(self.energies, q[..., None])[..., 0]
        if by_virials.any():
            by_charges += np.matmul(self._virial_rows(q), by_virials.reshape(k, 9, 1))[..., 0]
        spread, own = self._by_atom(q)
        along = np.einsum("acn,cn->an", self.fields, np.ascontiguousarray(by_forces.T))  # dL/dF . field
        places = np.repeat(n_species * np.arange(k), self.sizes) + self.species
        received = np.einsum("an,an->n", along, spread)
        by_charges += np.bincount(places, received, k * n_species).reshape(k, n_species)
        by_charges += np.add.reduceat(along * own, self.first, axis=1).T
        gradient: np.ndarray = by_parameters(shared, by_charges, self.counts, form).sum(0)
        return gradient

    def mean_charges(self, theta: np.ndarray) -> np.ndarray:
        """Return the charge of each species in each configuration, (K, S) in e."""
        charges = redistributed(theta, self.counts, self.totals, self.potential.form).charges
        return np.where(self.counts > 0, charges, np.nan)

    def pull_back_charges(self, theta: np.ndarray, by_mean_charges: np.ndarray) -> np.ndarray:
        """Return the derivatives by b and s from those by `mean_charges`."""
        form = self.potential.form
        shared = redistributed(theta, self.counts, self.totals, form)
        gradient: np.ndarray = by_parameters(shared, by_mean_charges, self.counts, form).sum(0)
        return gradient

    def subset(self, numbers: Sequence[int]) -> QRdTerm:
        """Return the term of some of the configurations."""
        return QRdTerm(self.potential, [self.configurations[k] for k in numbers])

    def customary(self, theta: np.ndarray) -> np.ndarray:
        """Return parameters with equal predictions that satisfy the conventions for gauge, sign and free directions.

        The sign is that of `anchor` if all total charges are zero. In the form "raw", only the sign is conventional.
        """
        theta = theta.copy()
        if self.potential.form == "positive":
            theta = equal_weights(fix_gauge(theta), self.counts, self.totals)
        present = np.flatnonzero(self.counts.any(0))
        if len(present) and not self.totals.any():
            k, sign = anchor([self.potential.species[a] for a in present])
            there = self.counts[:, present[k]] > 0
            charges = redistributed(theta, self.counts, self.totals, self.potential.form).charges
            if sign * charges[there, present[k]].mean() < 0:
                theta[: len(self.potential.species)] *= -1
        return theta
