"""Charge redistribution, QRd: charges that depend only on the composition (paper, eqs. 7 and 8)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.data import atomic_numbers

from electrolyte_ml.checks import number, one_of
from electrolyte_ml.errors import CompositionWarning, InputError
from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.charges.composition import (
    anchor,
    by_parameters,
    fix_gauge,
    ratio,
    ratios,
    read_composition,
    redistributed,
)
from electrolyte_ml.potentials.charges.conservation import Redistribution
from electrolyte_ml.potentials.charges.directions import FreeDirections, free_differences, free_directions
from electrolyte_ml.potentials.charges.drift import expected_drift
from electrolyte_ml.potentials.charges.electrostatics import Electrostatics
from electrolyte_ml.potentials.charges.forms import type_forms, type_potentials
from electrolyte_ml.potentials.charges.term import QRdTerm
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.spec import CHARGE_FORMS, ChargeForm
from electrolyte_ml.threads import available, default_threads, run

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec

POLE = 1e-10  # |sum s| / sum |s| below which the sum counts as zero
# e, expected drift of a charge above which a warning is shown: with this drift of the charge of a bonded atom, the
# energy of an atom of 0.5 e changes by 5 meV.
DRIFT = 0.001

_warned: set[str] = set()  # messages shown by this process


@dataclass(eq=False)
class QRd(Electrostatics):
    """Charges q_i = b_z + s_z (Q - sum_j b_zj) / (sum_j s_zj) of species z for a total charge Q.

    Two directions of the parameters change no charge: s -> lambda s, and b -> b + c s (`gauge_directions`). In the form
    "positive", the sum of the weights s is never zero. In the form "raw", that of the paper, the sum may be zero, where
    the charges are infinite.

    If all total charges are zero, the energy is the same for q and -q. By convention Li is positive; without Li, O is
    negative; without both, the first species is positive. A random start satisfies the convention for a system with one
    atom of each species; a fit satisfies it for the mean over its configurations, considering only species in them.

    If a training set does not fix all parameters, a fit in the form "positive" ends with the most equal weights
    (`equal_weights`). The charges at other compositions then follow from this convention, and a `CompositionWarning` is
    shown.

    Parameters
    ----------
    species : tuple of str
        Chemical symbols.
    b : (S,) array, e
        Charges before the redistribution.
    s : (S,) array
        Logarithms of the weights in the form "positive", the weights in the form "raw".
    form : {"positive", "raw"}
    width : float or None, Å
        Width of Gaussian charges; None for point charges, as in the paper.
    reference : str or None
        Level of theory that labelled the training data.
    compositions : tuple of str
        Compositions of the training set, each ratio of species and total charge once: "C11H20O9", "C12H16LiO12 +1". A
        `CompositionWarning` is shown, once per composition, when charges are computed at another composition and the
        training set does not fix them to 0.001 e.

    Raises
    ------
    InputError
        Species are unknown or repeated, parameters are not one finite number per species, the form is unknown, or the
        width is not positive.
    """

    kind: ClassVar[str] = "qrd"
    constant_charges: ClassVar[bool] = True
    uses_charge: ClassVar[bool] = True
    stage: ClassVar[int] = 1  # fitted after the moment tensor potential

    species: tuple[str, ...]
    b: np.ndarray
    s: np.ndarray
    form: ChargeForm = "positive"
    width: float | None = None
    reference: str | None = None
    compositions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.species = tuple(self.species)
        unknown = [symbol for symbol in self.species if atomic_numbers.get(symbol, 0) == 0]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise InputError(f"species {' '.join(self.species) or '(none)'}: give distinct chemical symbols")
        self.width = None if self.width is None else number("width of the charges", self.width, "Å")
        one_of("form of charge redistribution", self.form, CHARGE_FORMS)
        self.b, self.s = (self._one_each(name, getattr(self, name)) for name in ("b", "s"))
        self.compositions = tuple(self.compositions)
        for item in self.compositions:
            if not isinstance(item, str):
                raise InputError(f"charge redistribution: the composition {item!r} is not a formula")
            read_composition(item, self.species, "charge redistribution: compositions")

    def _one_each(self, name: str, values: Any) -> np.ndarray:
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"charge redistribution: {name} = {str(values)[:60]!r} is not a list of numbers") from None
        if array.shape != (len(self.species),) or not np.isfinite(array).all():
            raise InputError(
                f"charge redistribution: {name} needs one finite number for each of the species "
                f"{' '.join(self.species)}, not {str(array.tolist())[:60]}"
            )
        return array

    # -- construction --------------------------------------------------------------------------------------------------

    @classmethod
    def random(cls, species: Sequence[str], seed: int | np.random.Generator = 0, form: ChargeForm = "positive") -> QRd:
        """Draw random parameters for the start of a fit, each from U(-1, 1).

        In the form "positive", the gauge and the sign are then fixed by convention; in the form "raw", the parameters
        are not changed, as in the paper.
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
        form: ChargeForm = "positive",
    ) -> QRd:
        """Make a model from b and the weights s (not their logarithms), given by species.

        Raises
        ------
        InputError
            The species of the values differ from those of the model; or, in the form "positive", a weight is not
            positive.
        """
        for name, values in (("b", b), ("s", s)):
            if wrong := sorted(set(values) ^ set(species)):
                problem = "given, but the model has no such species" if wrong[0] in values else "missing"
                raise InputError(f"charge redistribution: {name} of {wrong[0]} is {problem}")
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
        """Return a model with the form and width of the specification, and random parameters as in `random`."""
        model = cls.random(species, form=spec.charge_form or "positive")
        return replace(model, width=spec.charge_width).redrawn(seed)

    def redrawn(self, seed: int | Sequence[int]) -> QRd:
        """Return the same model at another random start; other terms draw different numbers for the same seed."""
        entropy = [seed, 1] if isinstance(seed, int) else [*seed, 1]
        drawn = self.random(self.species, np.random.default_rng(entropy), self.form)
        return self.with_parameters(drawn.parameters)

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
        """(S,) weights s, not their logarithms."""
        return np.exp(self.s) if self.form == "positive" else self.s.copy()

    @property
    def gauge_directions(self) -> np.ndarray:
        """(2, 2 S) directions of the parameters that change no charge: b -> b + c s and s -> lambda s."""
        none, ones = np.zeros(len(self.species)), np.ones(len(self.species))
        if self.form == "raw":
            return np.array([[*self.s, *none], [*none, *self.s]])
        return np.array([[*np.exp(self.s - self.s.max()), *none], [*none, *ones]])

    def undetermined(self, systems: Sequence[System]) -> tuple[str, ...]:
        """Name the differences between species that the compositions and total charges of a set leave free.

        They are computed for parameters in general position. A fit may end at special parameters, for instance with a
        weight so small that no charge depends on it.
        """
        general = QRd.random(self.species)
        compositions = [(self._counts(system), system.charge) for system in systems]
        return free_differences(general, free_directions(general, compositions).directions)

    def gauge_fixed(self) -> QRd:
        """Return a model with the same charges, sum b = 0, and weights with a geometric mean of 1.

        The b are then the charges of a neutral system with one atom of each species.

        Raises
        ------
        InputError
            The form is "raw", in which weights may have any sign.
        """
        if self.form == "raw":
            raise InputError("the gauge of charge redistribution is only fixed in the form 'positive'")
        b, s = np.split(fix_gauge(self.parameters), 2)
        return replace(self, b=b, s=s)

    def facts(self) -> dict[str, Any]:
        """Return the facts of the model, including its form and width and the directions fixed by its training set."""
        facts = {**super().facts(), "form": self.form, "width": self.width or 0.0}
        if caveats := self.caveats():
            facts["caveats"] = list(caveats)
        if not self.compositions:
            return facts
        rank, free = self._left_free
        return {
            **facts,
            "compositions": list(self.compositions),
            "fixed_directions": f"{rank} of {rank + len(free)}",
            "not_fixed": list(free_differences(self, free)),
        }

    def caveats(self) -> tuple[str, ...]:
        """Return a warning about a pole if the weights do not all have the same sign."""
        signs = np.sign(self.weights)
        if (signs == signs[0]).all() and signs[0]:
            return ()
        weights = ", ".join(f"{symbol} {s:.3g}" for symbol, s in zip(self.species, self.weights, strict=True))
        return (f"the charges have a pole at some compositions, because the weights s differ in sign: {weights}",)

    # -- charges -------------------------------------------------------------------------------------------------------

    def type_charges(self, composition: Mapping[str, float], charge: float = 0.0) -> dict[str, float]:
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
            A species is unknown, or the weights add up to zero.
        """
        if unknown := [symbol for symbol in composition if symbol not in self.species]:
            raise InputError(f"{unknown[0]} is unknown: the species of the charges are {' '.join(self.species)}")
        counts = np.array([composition.get(symbol, 0) for symbol in self.species], float)
        charges = self._redistributed(counts, charge).charges
        return {symbol: float(q) for symbol, q, n in zip(self.species, charges, counts, strict=True) if n}

    def charges(self, geometry: Geometry) -> np.ndarray:
        """Return the charges (N,), e.

        Raises
        ------
        InputError
            The weights of the configuration add up to zero, in the form "raw".
        """
        system = geometry.system
        charges: np.ndarray = self._redistributed(self._counts(system), system.charge).charges[system.species]
        return charges

    def _counts(self, system: System) -> np.ndarray:
        return np.bincount(system.species, minlength=len(self.species)).astype(float)

    def _redistributed(self, counts: np.ndarray, total: float) -> Redistribution:
        """Redistribute by species; raise `InputError` at the pole."""
        shared = redistributed(self.parameters, counts, total, self.form)
        sizes = (counts * np.abs(self.s)).sum() if self.form == "raw" else 0.0
        if self.form == "raw" and not abs(shared.total_weight[0]) > POLE * sizes:
            atoms = " + ".join(
                f"{int(n)} x {s:.6g} ({symbol})" for symbol, n, s in zip(self.species, counts, self.s, strict=True) if n
            )
            name = ratio(counts, total, self.species)
            raise InputError(f"the charges of {name} have a pole: the sum of s over all atoms is zero, {atoms}")
        self._check_composition(counts, total)
        return shared

    # -- the training set ----------------------------------------------------------------------------------------------

    def trained_on(self, systems: Sequence[System]) -> QRd:
        """Return the same model with the compositions of its training set."""
        return replace(self, compositions=ratios(systems))

    @cached_property
    def _left_free(self) -> FreeDirections:
        """Directions of the parameters that the training set leaves free."""
        return free_directions(self, [read_composition(item, self.species, item) for item in self.compositions])

    @cached_property
    def _checked(self) -> set[tuple[object, ...]]:
        """Compositions that `_check_composition` has checked."""
        return set()

    def _check_composition(self, counts: np.ndarray, total: float) -> None:
        """Warn if the training set does not fix the charges at a composition, once per process and composition."""
        key = (*counts.tolist(), total)
        if not self.compositions or key in self._checked:
            return
        self._checked.add(key)
        rank, free = self._left_free
        drift = expected_drift(self, free, counts, total)
        if not (drift > DRIFT).any():
            return
        far = ", ".join(f"{symbol} {d:.2g}" for symbol, d in zip(self.species, drift, strict=True) if d > DRIFT)
        message = (
            f"charges at {ratio(counts, total, self.species)} were not fixed by the training set (it fixes "
            f"{rank} of {rank + len(free)} directions): expected drift {far} e"
        )
        if message not in _warned:
            _warned.add(message)
            warnings.warn(message, CompositionWarning, stacklevel=2)

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
        """Return the training term; energies, fields and virials of all pairs of species are computed once."""
        kept = [self.geometry(geometry) for geometry in geometries]
        for geometry in kept:
            self._check_composition(self._counts(geometry.system), geometry.system.charge)
        forms = run(type_forms, [(geometry, self.solver(geometry, exact=True)) for geometry in kept], available())
        return QRdTerm.of(self, [geometry.system for geometry in kept], forms)
