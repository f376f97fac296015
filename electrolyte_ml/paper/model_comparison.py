"""Comparison of two potentials in conductivity and structure (section 2.3.3).

In the paper all Li are solvent-separated with MTP and 5 % are in contact with MTP-QRd, at the same conductivity: the
conductivity would thus be insensitive to the structure. Both parts of this statement are tested here, with errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.errors import InputError

_SIGNIFICANCE = 0.05  # probability that two equal potentials are called different in any of several quantities


@dataclass(frozen=True)
class Comparison:
    """One quantity by two potentials.

    Attributes
    ----------
    quantity : str
        Name of the quantity, with its unit.
    values, errors : tuple of float
        Values and standard errors of both.
    """

    quantity: str
    values: tuple[float, float]
    errors: tuple[float, float]

    @property
    def deviation(self) -> float:
        """Difference in units of its standard error; infinite if two exact values differ."""
        difference, error = abs(self.values[0] - self.values[1]), float(np.hypot(*self.errors))
        return difference / error if error > 0 else (float("inf") if difference else 0.0)

    def __str__(self) -> str:
        (a, b), (ea, eb) = self.values, self.errors
        columns = f"{f'{a:.3g} ± {ea:.2g}':>20}{f'{b:.3g} ± {eb:.2g}':>20}"
        return f"  {self.quantity:<38}{columns}  {self.deviation:.1f} standard errors"


@dataclass(frozen=True)
class ModelComparison:
    """Conductivities and structures of two potentials, printed as a table with the verdict.

    Attributes
    ----------
    names : tuple of str
    transport, structure : tuple of Comparison
    """

    names: tuple[str, str]
    transport: tuple[Comparison, ...]
    structure: tuple[Comparison, ...]

    @property
    def verdict(self) -> str:
        """Conclusion on the sensitivity of the conductivity to the structure, in words."""
        (structures, limit), (conductivities, highest) = _differ(self.structure), _differ(self.transport)
        if not structures:
            return (
                f"no structure differs by more than {limit:.1f} standard errors: these runs cannot tell whether σ is "
                "sensitive to the structure"
            )
        head = f"structures differ (one of {len(self.structure)} by more than {limit:.1f} standard errors)"
        if conductivities:
            return f"{head}, and so do conductivities: σ is not insensitive to the structure"
        widest = max(float(np.hypot(*row.errors)) / float(np.mean(row.values)) for row in self.transport)
        return f"{head}; no difference of σ was found, but only one above {highest * widest:.0%} would have been seen"

    def __str__(self) -> str:
        head = f"  {'':<38}{self.names[0]:>20}{self.names[1]:>20}"
        return "\n".join([head, *map(str, self.transport), *map(str, self.structure), self.verdict])


def _differ(rows: Sequence[Comparison]) -> tuple[bool, float]:
    """Return whether any of several quantities differs, and by how many standard errors it has to (Bonferroni)."""
    from scipy.stats import norm

    limit = float(norm.ppf(1.0 - 0.5 * _SIGNIFICANCE / max(len(rows), 1)))
    return any(row.deviation > limit for row in rows), limit


def compare_models(
    conductivity: Mapping[str, Mapping[str, Any]],
    solvation: Mapping[str, Mapping[str, Any]],
) -> ModelComparison:
    """Compare two potentials in their conductivities, ion pairs, shells and networks.

    Parameters
    ----------
    conductivity, solvation
        Name of each potential -> results stored by :func:`~electrolyte_ml.paper.stored.store_conductivity` and
        :func:`~electrolyte_ml.paper.stored.store_solvation`.

    Raises
    ------
    InputError
        There are not exactly two potentials, with the same names in both, or their systems differ, or they have no
        conductivity at the same condition.
    """
    names = tuple(conductivity)
    if len(names) != 2 or set(names) != set(solvation):
        raise InputError("a comparison needs conductivities and structures of the same two potentials")
    first, second = names
    if solvation[first]["system"] != solvation[second]["system"]:
        raise InputError(f"{solvation[first]['system']} and {solvation[second]['system']} are not the same liquid")
    points = [conductivity[name]["points"] for name in names]
    transport = [
        Comparison(
            f"σ of {ratio} at {temperature} K, mS/cm",
            (by[temperature]["value"], points[1][ratio][temperature]["value"]),
            (by[temperature]["error"], points[1][ratio][temperature]["error"]),
        )
        for ratio, by in points[0].items()
        for temperature in by
        if temperature in points[1].get(ratio, {})
    ]
    if not transport:
        raise InputError(f"{first} and {second} have no conductivity at the same ratio and temperature")
    quantities: list[tuple[str, tuple[str, ...]]] = [
        (f"share of {kind}", ("solvation", "ion_pairs", kind)) for kind in ("SSIP", "CIP", "AGG")
    ]
    quantities += [(f"donors of {name} per Li", ("solvation", "coordination", name)) for name in _species(solvation)]
    if solvation[first]["network_system"] == solvation[second]["network_system"]:
        quantities.append(("share of SSIP in networks", ("networks", "networked")))
    structure = [
        row
        for quantity, path in quantities
        if (row := _structure(quantity, path, solvation[first], solvation[second])) is not None
    ]
    return ModelComparison((first, second), tuple(transport), tuple(structure))


def _species(solvation: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({name for stored in solvation.values() for name in stored["solvation"]["coordination"]})


def _structure(
    quantity: str, path: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> Comparison | None:
    """Compare a stored estimate, with a quarter of its 95 % interval as its error; None if a potential has none."""
    values, errors = [], []
    for stored in (first, second):
        estimate: Any = stored
        for key in path:
            estimate = estimate.get(key, {})
        if estimate.get("value") is None or None in estimate["interval_95"]:
            return None
        low, high = estimate["interval_95"]
        values.append(estimate["value"])
        errors.append((high - low) / 4.0)
    return Comparison(quantity, (values[0], values[1]), (errors[0], errors[1]))
