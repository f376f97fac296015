"""Charge redistribution, QRd: charges that depend on the composition alone (paper, eqs. 7 and 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.data import atomic_numbers

from electrolyte_ml.checks import number, one_of
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.charges.composition import Form, anchor, by_parameters, fix_gauge, redistributed
from electrolyte_ml.potentials.charges.conservation import Redistribution
from electrolyte_ml.potentials.charges.directions import free_differences, free_directions
from electrolyte_ml.potentials.charges.electrostatics import Electrostatics
from electrolyte_ml.potentials.charges.forms import type_forms, type_potentials
from electrolyte_ml.potentials.charges.term import QRdTerm
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.threads import available, default_threads, run

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec

FORMS = ("positive", "raw")
POLE = 1e-10  # of sum |s|: a smaller |sum s| is taken for zero


@dataclass(eq=False)
class QRd(Electrostatics):
    """Charges q_i = b_z + s_z (Q - sum_j b_zj) / (sum_j s_zj), of species z, for a total charge Q.

    Two directions of the parameters change no charge: s -> lambda s, and b -> b + c s (`gauge_directions`). In the form
    "positive" the sum of the weights s has no zero; in the form "raw", that of the paper, it may have one, where the
    charges are infinite.

    With Q = 0 everywhere the energy does not tell q from -q. By convention Li is positive; without Li, O is negative;
    without both, the first species is positive. A start follows it for one atom of each species, a fit for the mean
    over its configurations, of the species that these have.

    Parameters
    ----------
    species : tuple of str
        Chemical symbols.
    b : (S,) array, e
        Charges before the redistribution.
    s : (S,) array
        In the form "positive" logarithms of the weights, in the form "raw" the weights themselves.
    form : {"positive", "raw"}
    width : float or None, Å
        Width of Gaussian charges; None for point charges, as in the paper.
    reference : str or None
        Level of theory that labelled the training data.

    Raises
    ------
    InputError
        Unknown or repeated species, parameters that are not one finite number for each species, an unknown form,
        a width that is not positive.
    """

    kind: ClassVar[str] = "qrd"
    constant_charges: ClassVar[bool] = True

    species: tuple[str, ...]
    b: np.ndarray
    s: np.ndarray
    form: Form = "positive"
    width: float | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        self.species = tuple(self.species)
        unknown = [symbol for symbol in self.species if atomic_numbers.get(symbol, 0) == 0]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise InputError(f"species {' '.join(self.species) or '(none)'}: give distinct chemical symbols")
        self.width = None if self.width is None else number("width of the charges", self.width, "Å")
        one_of("form of charge redistribution", self.form, FORMS)
        self.b, self.s = (self._one_each(name, getattr(self, name)) for name in ("b", "s"))

    def _one_each(self, name: str, values: Any) -> np.ndarray:
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"charge redistribution: {name} = {str(values)[:60]!r} is no list of numbers") from None
        if array.shape != (len(self.species),) or not np.isfinite(array).all():
            raise InputError(
                f"charge redistribution: {name} needs one finite number for each of the species "
                f"{' '.join(self.species)}, not {str(array.tolist())[:60]}"
            )
        return array

    # -- construction --------------------------------------------------------------------------------------------------

    @classmethod
    def random(cls, species: Sequence[str], seed: int | np.random.Generator = 0, form: Form = "positive") -> QRd:
        """Draw the parameters from which a fit starts, each from U(-1, 1).

        In the form "positive" the gauge is fixed and the sign follows the convention; in the form "raw" the parameters
        are as drawn, as in the paper.
        """
        b, s = np.random.default_rng(seed).uniform(-1, 1, (2, len(species)))
        drawn = cls(tuple(species), b, s, form)
        if form == "raw":
            return drawn
        fixed = drawn.gauge_fixed()
        place, sign = anchor(fixed.species)
        return replace(fixed, b=-fixed.b) if sign * fixed.b[place] < 0 else fixed

    @classmethod
    def from_values(
        cls,
        species: Sequence[str],
        b: Mapping[str, float],
        s: Mapping[str, float],
        form: Form = "positive",
    ) -> QRd:
        """Make a model from b and from the weights s themselves, by species.

        Raises
        ------
        InputError
            A species without a value or a value without its species; in the form "positive" a weight that is not
            positive.
        """
        for name, values in (("b", b), ("s", s)):
            if wrong := sorted(set(values) ^ set(species)):
                what = "of a species that the model has not" if wrong[0] in values else "missing"
                raise InputError(f"charge redistribution: {name} of {wrong[0]} is {what}")
        weights = np.array([s[symbol] for symbol in species], float)
        if form == "positive":
            if not (weights > 0).all():
                symbol = species[int(np.argmax(~(weights > 0)))]
                raise InputError(
                    f"charge redistribution: s of {symbol} is {s[symbol]:g}; weights must be positive, unless "
                    "form = 'raw'"
                )
            weights = np.log(weights)
        return cls(tuple(species), np.array([b[symbol] for symbol in species], float), weights, form)

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> QRd:
        """Return a model with random parameters: gauge fixed, weights positive, sign by the convention."""
        return cls.random(species, np.random.default_rng((seed, 1)))  # not the first draws of another term's seed

    # -- parameters ----------------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One b and one s for each species."""
        return (Block("b", len(self.species), "nonlinear"), Block("s", len(self.species), "nonlinear"))

    @property
    def parameters(self) -> np.ndarray:
        """(2 S,) b, then s."""
        return np.concatenate([self.b, self.s])

    def with_parameters(self, parameters: np.ndarray) -> QRd:
        """Return the same model with other parameters."""
        b, s = self.checked(parameters).reshape(2, -1)
        return replace(self, b=b, s=s)

    @property
    def weights(self) -> np.ndarray:
        """(S,) s, the weights themselves."""
        return np.exp(self.s) if self.form == "positive" else self.s.copy()

    @property
    def gauge_directions(self) -> np.ndarray:
        """(2, 2 S) directions of the parameters that change no charge: b -> b + c s and s -> lambda s."""
        none, ones = np.zeros(len(self.species)), np.ones(len(self.species))
        if self.form == "raw":
            return np.array([[*self.s, *none], [*none, *self.s]])
        return np.array([[*np.exp(self.s - self.s.max()), *none], [*none, *ones]])

    def undetermined(self, systems: Sequence[System]) -> tuple[str, ...]:
        """Name the differences between species that the compositions and total charges of a set leave free."""
        compositions = [(self._counts(system), system.charge) for system in systems]
        return free_differences(self, free_directions(self, compositions).directions)

    def gauge_fixed(self) -> QRd:
        """Return the model of the same charges whose b add up to zero and whose weights have the geometric mean 1.

        Then b are the charges of a neutral system with one atom of each species.

        Raises
        ------
        InputError
            In the form "raw", whose weights may have any sign.
        """
        if self.form == "raw":
            raise InputError("the gauge of charge redistribution is only fixed in the form 'positive'")
        b, s = np.split(fix_gauge(self.parameters), 2)
        return replace(self, b=b, s=s)

    def facts(self) -> dict[str, Any]:
        """Return the facts of the model, its form and width among them."""
        return {**super().facts(), "form": self.form, "width": self.width}

    # -- charges -------------------------------------------------------------------------------------------------------

    def type_charges(self, composition: Mapping[str, int], charge: float = 0.0) -> dict[str, float]:
        """Return the charge (e) of each species in a composition.

        Parameters
        ----------
        composition
            Number of atoms of each species.
        charge
            Total charge, e.

        Raises
        ------
        InputError
            An unknown species, or weights that add up to zero.
        """
        if unknown := [symbol for symbol in composition if symbol not in self.species]:
            raise InputError(f"{unknown[0]} is unknown: the charges are those of {' '.join(self.species)}")
        counts = np.array([composition.get(symbol, 0) for symbol in self.species], float)
        charges = self._redistributed(counts, charge).charges
        return {symbol: float(q) for symbol, q, n in zip(self.species, charges, counts, strict=True) if n}

    def charges(self, geometry: Geometry) -> np.ndarray:
        """Return the charges (N,), e.

        Raises
        ------
        InputError
            If the weights of the configuration add up to zero, in the form "raw".
        """
        system = geometry.system
        charges: np.ndarray = self._redistributed(self._counts(system), system.charge).charges[system.species]
        return charges

    def _counts(self, system: System) -> np.ndarray:
        return np.bincount(system.species, minlength=len(self.species)).astype(float)

    def _redistributed(self, counts: np.ndarray, total: float) -> Redistribution:
        """Redistribute by species, and refuse the pole."""
        shared = redistributed(self.parameters, counts, total, self.form)
        sizes = (counts * np.abs(self.s)).sum() if self.form == "raw" else 0.0
        if self.form == "raw" and not abs(shared.total_weight[0]) > POLE * sizes:
            atoms = " + ".join(
                f"{int(n)} x {s:.6g} ({symbol})" for symbol, n, s in zip(self.species, counts, self.s, strict=True) if n
            )
            raise InputError(f"the charges have a pole: the sum of s over all atoms is zero, {atoms}")
        return shared

    # -- derivatives ---------------------------------------------------------------------------------------------------

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""
        geometry = self.geometry(atoms)
        species, counts = geometry.system.species, self._counts(geometry.system)
        shared = self._redistributed(counts, geometry.system.charge)
        forms = type_forms(geometry, self.solver(geometry, exact=True), default_threads(geometry.n_atoms))
        q = shared.charges
        charge = q[species]
        own = 0.5 * by_energies * (forms.potentials @ q) + np.einsum("ic,iac,a->i", by_forces, forms.fields, q)
        by_charges = np.bincount(species, own, len(q))
        by_charges += 0.5 * (by_energies * charge) @ forms.potentials
        by_charges += np.einsum("i,ic,iac->a", charge, by_forces, forms.fields)
        by_charges += np.einsum("xy,abxy,b->a", by_virial, forms.virials, q)
        return by_parameters(shared, by_charges, counts, self.form)

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (m,), zero along the gauge directions."""
        geometry = self.geometry(atoms)
        species, counts = geometry.system.species, self._counts(geometry.system)
        shared = self._redistributed(counts, geometry.system.charge)
        solver = self.solver(geometry)
        result = solver.solve(geometry, shared.charges[species], default_threads(geometry.n_atoms))
        return by_parameters(shared, np.bincount(species, result.potentials, len(counts)), counts, self.form)

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom, (N, m), zero along the gauge directions."""
        geometry = self.geometry(atoms)
        species, counts = geometry.system.species, self._counts(geometry.system)
        shared = self._redistributed(counts, geometry.system.charge)
        potentials = type_potentials(geometry, self.solver(geometry), default_threads(geometry.n_atoms))
        by_charges = 0.5 * shared.charges[species, None] * potentials
        by_charges[np.arange(len(species)), species] += 0.5 * potentials @ shared.charges
        return by_parameters(shared, by_charges, counts, self.form)

    def prepare(self, geometries: Sequence[Geometry]) -> QRdTerm:
        """Compute the energies, fields and virials of all pairs of species once, for training."""
        kept = [self.geometry(geometry) for geometry in geometries]
        forms = run(type_forms, [(geometry, self.solver(geometry, exact=True)) for geometry in kept], available())
        return QRdTerm.of(self, [geometry.system for geometry in kept], forms)
