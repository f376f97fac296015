"""Whether two potentials agree in the conductivity though they differ in the structure (section 2.3.3).

The paper finds all Li solvent-separated with MTP, 5 % of them in contact with MTP-QRd, and the same conductivity: it
would be insensitive to the structure. Both halves of that sentence are tested here, each with its errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.errors import InputError

FACTOR = 2.0  # standard errors of a difference beyond which two values differ


@dataclass(frozen=True)
class Comparison:
    """One quantity by two potentials.

    Attributes
    ----------
    quantity : str
        With its unit.
    values, errors : tuple of float
        Of the two; one standard error.
    """

    quantity: str
    values: tuple[float, float]
    errors: tuple[float, float]

    @property
    def deviation(self) -> float:
        """The difference in units of its standard error; infinite where two exact values differ."""
        difference, error = abs(self.values[0] - self.values[1]), float(np.hypot(*self.errors))
        return difference / error if error > 0 else (float("inf") if difference else 0.0)

    @property
    def differs(self) -> bool:
        """Whether the two differ by more than two standard errors."""
        return self.deviation > FACTOR

    def __str__(self) -> str:
        (a, b), (ea, eb) = self.values, self.errors
        verdict = "differ" if self.differs else "agree"
        columns = f"{f'{a:.3g} ± {ea:.2g}':>20}{f'{b:.3g} ± {eb:.2g}':>20}"
        return f"  {self.quantity:<38}{columns}  {verdict} ({self.deviation:.1f} standard errors)"


@dataclass(frozen=True)
class ModelComparison:
    """Conductivities and structures of two potentials. Prints as a table that ends with the verdict.

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
        """Whether the conductivity is insensitive to the structure, in words."""
        if not any(row.differs for row in self.structure):
            return "the structures agree within their errors: these runs cannot tell whether σ is sensitive to them"
        if any(row.differs for row in self.transport):
            return "structures and conductivities differ: σ is not insensitive to the structure"
        widest = max(float(np.hypot(*row.errors)) / float(np.mean(row.values)) for row in self.transport)
        return (
            "the structures differ and the conductivities agree: σ is insensitive to the structure, as far as a "
            f"difference of {FACTOR * widest:.0%} would have been seen"
        )

    def __str__(self) -> str:
        head = f"  {'':<38}{self.names[0]:>20}{self.names[1]:>20}"
        return "\n".join([head, *map(str, self.transport), *map(str, self.structure), self.verdict])


def compare_models(
    conductivity: Mapping[str, Mapping[str, Any]],
    solvation: Mapping[str, Mapping[str, Any]],
) -> ModelComparison:
    """Compare two potentials in their conductivities, ion pairs, shells and networks.

    Parameters
    ----------
    conductivity, solvation
        Name of each of the two -> what :func:`~electrolyte_ml.paper.stored.store_conductivity` and
        :func:`~electrolyte_ml.paper.stored.store_solvation` have stored of it.

    Raises
    ------
    InputError
        There are not two of the same names, their runs are of other systems, or they have no conductivity in common.
    """
    names = tuple(conductivity)
    if len(names) != 2 or set(names) != set(solvation):
        raise InputError("two potentials are compared, by their conductivities and structures")
    one, other = names
    if solvation[one]["system"] != solvation[other]["system"]:
        raise InputError(f"{solvation[one]['system']} and {solvation[other]['system']} are not the same liquid")
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
        raise InputError(f"{one} and {other} have no conductivity at the same ratio and temperature")
    wanted: list[tuple[str, tuple[str, ...]]] = [
        (f"share of {kind}", ("solvation", "ion_pairs", kind)) for kind in ("SSIP", "CIP", "AGG")
    ]
    wanted += [(f"donors of {name} per Li", ("solvation", "coordination", name)) for name in _species(solvation)]
    wanted.append(("share of SSIP in networks", ("networks", "networked")))
    structure = [
        row for what, path in wanted if (row := _structure(what, path, solvation[one], solvation[other])) is not None
    ]
    return ModelComparison((one, other), tuple(transport), tuple(structure))


def _species(solvation: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({name for stored in solvation.values() for name in stored["solvation"]["coordination"]})


def _structure(
    what: str, path: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> Comparison | None:
    """Compare a stored estimate; None where a potential has none. A quarter of the interval stands for its error."""
    values, errors = [], []
    for stored in (first, second):
        found: Any = stored
        for key in path:
            found = found.get(key, {})
        if found.get("value") is None or None in found["interval_95"]:
            return None
        low, high = found["interval_95"]
        values.append(found["value"])
        errors.append((high - low) / 4.0)
    return Comparison(what, (values[0], values[1]), (errors[0], errors[1]))
