"""Charge redistribution in training: quadratic forms in the charges of the species, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.potentials.charges.composition import anchor, by_parameters, fix_gauge, redistributed
from electrolyte_ml.potentials.charges.forms import TypeForms
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.interface import Prediction, TrainingTerm

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.qrd import QRd


class _Configuration(NamedTuple):
    """What training keeps of one configuration: species (N,), counts (S,), total charge, coefficients."""

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
    species : (N,) int64
    owner : (N,) int64
        Configuration of each atom.
    counts : (K, S)
        Atoms of each species.
    totals : (K,) e
        Total charges.
    energies, fields, virials : (K, S, S), (N, S, 3), (K, S, S, 3, 3)
        See `TypeForms`.
    """

    def __init__(self, potential: QRd, configurations: Sequence[_Configuration]) -> None:
        self.potential, self.configurations = potential, list(configurations)
        n_species = len(potential.species)
        sizes = [len(one.species) for one in configurations]
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.species = np.concatenate([np.zeros(0, np.int64), *(one.species for one in configurations)])
        self.counts = np.array([one.counts for one in configurations]).reshape(-1, n_species)
        self.totals = np.array([one.total for one in configurations], float)
        self.energies = np.array([one.energies for one in configurations]).reshape(-1, n_species, n_species)
        self.fields = np.concatenate([np.zeros((0, n_species, 3)), *(one.fields for one in configurations)])
        self.virials = np.array([one.virials for one in configurations]).reshape(-1, n_species, n_species, 3, 3)

    @classmethod
    def of(cls, potential: QRd, systems: Sequence[System], forms: Sequence[TypeForms]) -> QRdTerm:
        """Make the term of configurations from their coefficients."""
        n_species = len(potential.species)
        return cls(
            potential,
            [
                _Configuration(
                    system.species,
                    np.bincount(system.species, minlength=n_species).astype(float),
                    system.charge,
                    form.energies,
                    form.fields,
                    form.virials,
                )
                for system, form in zip(systems, forms, strict=True)
            ],
        )

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Contract the coefficients with the charges; infinite or NaN at the pole of the form "raw"."""
        with np.errstate(over="ignore", invalid="ignore"):
            q = redistributed(theta, self.counts, self.totals, self.potential.form).charges
            forces = np.einsum("iac,ia->ic", self.fields, q[self.owner]) * q[self.owner, self.species, None]
            virials = 0.5 * np.einsum("kabxy,ka,kb->kxy", self.virials, q, q, optimize=True)
            return Prediction(0.5 * np.einsum("kab,ka,kb->k", self.energies, q, q), forces, virials)

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the derivatives by b and s, through the charges."""
        form = self.potential.form
        shared = redistributed(theta, self.counts, self.totals, form)
        q = shared.charges
        k, n_species = q.shape
        by_charges = by_energies[:, None] * np.einsum("kab,kb->ka", self.energies, q)
        by_charges += np.einsum("kabxy,kb,kxy->ka", self.virials, q, by_virials, optimize=True)
        along = np.einsum("iac,ic->ia", self.fields, by_forces)  # (N, S) dL/dF along the field of each species
        places = self.owner * n_species + self.species
        own = (along * q[self.owner]).sum(1)
        by_charges += np.bincount(places, own, k * n_species).reshape(k, n_species)
        along *= q[self.owner, self.species, None]
        for a in range(n_species):
            by_charges[:, a] += np.bincount(self.owner, along[:, a], k)
        gradient: np.ndarray = by_parameters(shared, by_charges, self.counts, form).sum(0)
        return gradient

    def subset(self, numbers: Sequence[int]) -> QRdTerm:
        """Return the same for some of the configurations."""
        return QRdTerm(self.potential, [self.configurations[k] for k in numbers])

    def customary(self, theta: np.ndarray) -> np.ndarray:
        """Return parameters of equal predictions with the gauge fixed and, if no total charge decides it, the sign."""
        theta = fix_gauge(theta) if self.potential.form == "positive" else theta.copy()
        present = np.flatnonzero(self.counts.any(0))
        if len(present) and not self.totals.any():
            k, sign = anchor([self.potential.species[a] for a in present])
            there = self.counts[:, present[k]] > 0
            charges = redistributed(theta, self.counts, self.totals, self.potential.form).charges
            if sign * charges[there, present[k]].mean() < 0:
                theta[: len(self.potential.species)] *= -1
        return theta
