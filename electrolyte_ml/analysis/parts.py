"""Errors of potentials in intra- and intermolecular energies and forces (paper, Figs. 3, 4, S3, S4).

Each part (total, intramolecular, intermolecular) is compared with the same part of the reference, for every potential
of an ensemble, by composition and by site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.errors import GroupedErrors, group_atoms, group_errors
from electrolyte_ml.analysis.intermolecular import PARTS, Liquid, Split
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import Molecule


@dataclass(frozen=True)
class PartError:
    """Errors of each potential of an ensemble in one part of the energies and forces.

    Attributes
    ----------
    energies : (members,) meV/atom
        Root mean square error of the energy per atom.
    offsets : (members,) meV/atom
        Mean error: the part of the error that is the same in all configurations.
    energy_size : float, meV/atom
        Standard deviation of the reference's energies within compositions, as a scale for the errors.
    forces : (members,) eV/Å
        Root mean square error of the components of the force.
    force_size : float, eV/Å
        Root mean square of the components of the reference's forces.
    """

    energies: tuple[float, ...]
    offsets: tuple[float, ...]
    energy_size: float
    forces: tuple[float, ...]
    force_size: float

    @property
    def energy_rmse(self) -> float:
        """Mean error of the energies over the ensemble, meV/atom."""
        return float(np.mean(self.energies))

    @property
    def energy_spread(self) -> float:
        """Standard deviation of the energy errors over the ensemble, meV/atom; NaN for one potential."""
        return _spread(self.energies)

    @property
    def force_rmse(self) -> float:
        """Mean error of the forces over the ensemble, eV/Å."""
        return float(np.mean(self.forces))

    @property
    def force_spread(self) -> float:
        """Standard deviation of the force errors over the ensemble, eV/Å; NaN for one potential."""
        return _spread(self.forces)


@dataclass(frozen=True)
class SetErrors:
    """Errors on a set of configurations.

    Attributes
    ----------
    configurations : int
        Number of configurations.
    parts : dict of str to PartError
        Errors of the parts "total", "intramolecular" and "intermolecular".
    sites : dict of str to GroupedErrors
        Force errors of each part by element, species and site.
    """

    configurations: int
    parts: Mapping[str, PartError]
    sites: Mapping[str, GroupedErrors]


@dataclass(frozen=True)
class SplitErrors:
    """Errors of one kind of potential, by part and composition; `str` gives a table.

    Attributes
    ----------
    compositions : dict of str to SetErrors
        Errors by composition, in the order of the falling share of the alphabetically first molecule: "EC",
        "7EC:3EMC", "3EC:7EMC", "EMC".
    overall : SetErrors
        Errors of all configurations together.
    excluded : dict of str to int
        Number of broken, fused and unknown molecules, by formula.
    affected : int
        Number of configurations with such molecules; the errors do not include them.
    potentials : int
        1, or the size of the ensemble.
    """

    compositions: Mapping[str, SetErrors]
    overall: SetErrors
    excluded: Mapping[str, int]
    affected: int
    potentials: int

    def __str__(self) -> str:
        over = f", mean ± standard deviation over {self.potentials} potentials" if self.potentials > 1 else ""
        lines = [
            f"errors within and between molecules{over}",
            f"  {'':<14}{'':<15}{'energy, meV/atom':<20}{'mean error':>11}  {'forces, eV/Å':<18}",
        ]
        sets = dict(self.compositions)
        if len(sets) > 1:
            sets["all"] = self.overall
        for name, errors in sets.items():
            for part, row in errors.parts.items():
                energy = _number(row.energy_rmse, row.energy_spread, 2)
                force = _number(row.force_rmse, row.force_spread, 4)
                offset = float(np.mean(row.offsets))
                lines.append(f"  {name:<14}{part:<15}{energy:<20}{offset:>+11.2f}  {force:<18}")
                name = ""
        if self.excluded:
            text = ", ".join(f"{count} {formula}" for formula, count in self.excluded.items())
            whole = self.affected + self.overall.configurations
            lines.append(
                f"{self.affected} of {whole} configurations left out, as they hold broken, fused or unknown molecules: "
                f"{text}"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return numbers and texts that JSON can hold."""

        def plain(errors: SetErrors) -> dict[str, Any]:
            return {
                "configurations": errors.configurations,
                "parts": {part: asdict(row) for part, row in errors.parts.items()},
                "sites": {part: rows.to_dict() for part, rows in errors.sites.items()},
            }

        return {
            "compositions": {name: plain(errors) for name, errors in self.compositions.items()},
            "overall": plain(self.overall),
            "excluded": dict(self.excluded),
            "affected": self.affected,
            "potentials": self.potentials,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SplitErrors:
        """Return the errors that `to_dict` wrote."""

        def rebuilt(errors: Mapping[str, Any]) -> SetErrors:
            parts = {part: PartError(**_with_tuples(row)) for part, row in errors["parts"].items()}
            sites = {part: GroupedErrors.from_dict(rows) for part, rows in errors["sites"].items()}
            return SetErrors(errors["configurations"], parts, sites)

        sets = {name: rebuilt(errors) for name, errors in values["compositions"].items()}
        return cls(**{**values, "compositions": sets, "overall": rebuilt(values["overall"])})


def split_errors(
    liquid: Liquid,
    reference: Split,
    predicted: Sequence[Split],
    own_molecules: Mapping[str, Molecule] | None = None,
) -> SplitErrors:
    """Compare the parts by one potential, or by an ensemble, with those by the reference.

    Parameters
    ----------
    liquid
        The configurations.
    reference, predicted
        Energies and forces of the configurations, split by the reference and by each potential.
    own_molecules
        As for `Liquid.of`.

    Raises
    ------
    InputError
        There is no potential.
    """
    if not predicted:
        raise InputError("there is no potential to compare with the reference")
    names, counts = np.array(liquid.compositions), liquid.counts
    first = min(name for count in counts for name in count)
    shares = {name: count[first] / count.total() for name, count in zip(names.tolist(), counts, strict=True)}
    ordered = sorted(shares, key=lambda name: (-shares[name], name))
    indices = np.arange(len(names))

    def errors(chosen: np.ndarray) -> SetErrors:
        atoms = _atoms_of(liquid, chosen)
        groups = group_atoms([liquid.configurations[k] for k in chosen], own_molecules)
        parts, sites = {}, {}
        for part in PARTS:
            forces = np.array([split.forces[part][atoms] for split in predicted])  # (members, n, 3)
            reference_forces = reference.forces[part][atoms]
            parts[part] = _part_error(
                [split.energies[part][chosen] for split in predicted],
                reference.energies[part][chosen],
                liquid.sizes[chosen],
                names[chosen],
                forces,
                reference_forces,
            )
            sites[part] = group_errors(groups, reference_forces, forces, len(chosen))
        return SetErrors(len(chosen), parts, sites)

    return SplitErrors(
        {name: errors(np.flatnonzero(names == name)) for name in ordered},
        errors(indices),
        dict(liquid.excluded),
        liquid.affected,
        len(predicted),
    )


def _part_error(
    energies: Sequence[np.ndarray],
    reference_energies: np.ndarray,
    sizes: np.ndarray,
    compositions: np.ndarray,
    forces: np.ndarray,
    reference_forces: np.ndarray,
) -> PartError:
    """Return errors of energies (K,) eV of K configurations with (K,) atoms, and of forces (members, n, 3) eV/Å."""
    errors = [1e3 * (values - reference_energies) / sizes for values in energies]  # (K,) meV/atom each
    per_atom = 1e3 * reference_energies / sizes
    means = np.array([per_atom[compositions == name].mean() for name in compositions])
    return PartError(
        tuple(float(np.sqrt(np.mean(error**2))) for error in errors),
        tuple(float(error.mean()) for error in errors),
        float(np.sqrt(np.mean((per_atom - means) ** 2))),
        tuple(float(rmse) for rmse in np.sqrt(((forces - reference_forces) ** 2).mean(axis=(1, 2)))),
        float(np.sqrt(np.mean(reference_forces**2))),
    )


def difference_by_site(
    liquid: Liquid,
    first: Sequence[Split],
    second: Sequence[Split],
    part: str = "total",
    composition: str | None = None,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> GroupedErrors:
    """Compare the mean forces of two ensembles by site (Fig. 4c).

    Parameters
    ----------
    liquid
        The configurations.
    first, second
        Energies and forces of the configurations, split by each potential of two ensembles.
    part
        "total", "intramolecular" or "intermolecular".
    composition
        Composition of the configurations to compare, such as "3EC:7EMC"; all by default.
    own_molecules
        As for `Liquid.of`.

    Returns
    -------
    GroupedErrors
        Differences of the mean of `second` from the mean of `first`; `length` is the mean length of the difference.

    Raises
    ------
    InputError
        There is no configuration of this composition.
    """
    chosen = [k for k, name in enumerate(liquid.compositions) if composition in (None, name)]
    if not chosen:
        raise InputError(f"there is no configuration of {composition}")
    atoms = _atoms_of(liquid, chosen)
    first_mean, second_mean = (
        np.mean([split.forces[part][atoms] for split in ensemble], axis=0) for ensemble in (first, second)
    )
    groups = group_atoms([liquid.configurations[k] for k in chosen], own_molecules)
    return group_errors(groups, first_mean, second_mean, len(chosen))


def _atoms_of(liquid: Liquid, configurations: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the indices of the atoms of some configurations among the atoms of all."""
    return np.concatenate([np.arange(*liquid.starts[k : k + 2]) for k in configurations])


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _number(value: float, spread: float, digits: int) -> str:
    """Return a value as text, with its spread unless that is NaN."""
    return f"{value:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread == spread else "")
