"""Sources of error of a conductivity: length of the runs, potential, size of the cell, and reference.

The deviation from experiment is split into measured contributions of these sources. The effect of the reference is
known if the potential was also corrected to a better one. Otherwise it is part of the remainder, together with errors
that all potentials of the ensemble have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis import GroupedErrors
from electrolyte_ml.analysis.coordinated_sites import is_coordinated
from electrolyte_ml.analysis.estimates import MIN_SCATTER
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_json
from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.places import checkout


@dataclass(frozen=True)
class Limit:
    """One source of error of a conductivity.

    Attributes
    ----------
    source : str
    shift : float or None
        Change of the conductivity relative to the measured one; None for a purely random error, or if it is not known.
    error : float or None
        Standard error relative to the measured conductivity; None if it is not known.
    evidence : str
        The underlying numbers, or the missing ones.
    """

    source: str
    shift: float | None
    error: float | None
    evidence: str

    def __str__(self) -> str:
        shift = f"{self.shift:+.0%}" if self.shift is not None else ""
        error = f"± {self.error:.0%}" if self.error is not None else ""
        size = f"{shift} {error}".strip() or "not known"
        return f"  {self.source:<24}{size:<16}{self.evidence}"


@dataclass(frozen=True)
class ConductivityLimits:
    """Deviation of a conductivity from experiment by its sources, printed as a table.

    Attributes
    ----------
    condition : str
        Ratio and temperature.
    value, measured : float
        Computed and measured conductivity, mS/cm.
    deviation : float
        value / measured - 1.
    rows : tuple of Limit
        Length of the runs, potential, size of the cell, the reference if its effect is known, and the remainder.
    """

    condition: str
    value: float
    measured: float
    deviation: float
    rows: tuple[Limit, ...]

    def __str__(self) -> str:
        head = (
            f"{self.condition}: {self.value:.2f} mS/cm, {self.deviation:+.0%} from the measured {self.measured:.2f} "
            f"({experiment.DING_BRIEFLY}); in % of the measured one:"
        )
        return "\n".join([head, *map(str, self.rows)])


def conductivity_limits(
    members: Sequence[Mapping[str, Any]],
    *,
    corrected: Mapping[str, Any] | None = None,
    ratio: str = "3:7",
    temperature: float = 300.0,
    errors: GroupedErrors | None = None,
    audit: Mapping[str, Any] | None = None,
) -> ConductivityLimits:
    """Split the deviation of a conductivity from experiment by its sources.

    Parameters
    ----------
    members
        Results stored by :func:`~electrolyte_ml.paper.stored.store_conductivity` for each potential of an ensemble; the
        conductivity is that of the first.
    corrected
        Result stored for the first potential with its correction to a better reference.
    ratio, temperature
        Condition: EC:EMC molar ratio, and temperature in K.
    errors
        Force errors of the potential, with donors in the shell of Li as sites of their own.
    audit
        The audit of the reference, as JSON (`electrolyte-ml audit-reference --json`).

    Raises
    ------
    InputError
        There is no computed or no measured conductivity at this condition.
    """
    points = [point for member in members if (point := member["points"].get(ratio, {}).get(f"{temperature:g}"))]
    if not members or f"{temperature:g}" not in members[0]["points"].get(ratio, {}):
        raise InputError(f"there is no conductivity of {ratio} at {temperature:g} K")
    experiments = experiment.conductivities(ratio)
    if temperature not in experiments:
        raise InputError(f"no measured conductivity of {ratio} at {temperature:g} K is known")
    first, measured = points[0], experiments[temperature].value
    deviation = first["value"] / measured - 1.0
    statistics = Limit(
        "length of the runs",
        None,
        first["error"] / measured,
        f"{first['trajectories']} trajectories, {first['total_ps'] / 1000:.3g} ns, {first['method']}",
    )
    state = members[0]["states"].get(ratio, {}).get(f"{temperature:g}", {})
    potential = _potential(points, measured, state, errors)
    size, best = _size(members[0]["sizes"].get(ratio, {}), f"{temperature:g}", measured, first)
    given = state if members[0].get("measured_density") else None
    evidence = _reference(members[0]["reference"], audit, given)
    other = {} if corrected is None else corrected["points"].get(ratio, {}).get(f"{temperature:g}", {})
    # What the size changes is known with the error of both cells, but what remains is the deviation of the largest one.
    remaining, scatter = best["value"], [best["error"]]
    rows = [statistics, potential, size]
    if corrected is not None and other:
        by_both = f"{_found(first)} mS/cm, and {_found(other)} corrected to {corrected['reference']}"
        error = float(np.hypot(first["error"], other["error"])) / measured
        rows += [Limit("reference", (first["value"] - other["value"]) / measured, error, f"{by_both}; {evidence}")]
        remaining += other["value"] - first["value"]
        scatter = [other["error"]] if best is first else [best["error"], first["error"], other["error"]]
    missing = [row.source for row in (potential, size) if row.error is None]
    includes = f"includes the effects of {' and '.join(missing)}" if missing else ""
    uncertain = float(np.hypot.reduce([*scatter, measured * (potential.error or 0.0)])) / measured
    name, words = ("the rest", [includes]) if other else ("reference, and the rest", [includes, evidence])
    rows += [Limit(name, remaining / measured - 1.0, uncertain, "; ".join(filter(None, words)))]
    return ConductivityLimits(f"{ratio}, {temperature:g} K", first["value"], measured, deviation, tuple(rows))


def shipped_audit(reference: str) -> dict[str, Any] | None:
    """Return the audit of a reference on cells with LiPF6 from the source tree, or None if there is none."""
    root = checkout()
    path = None if root is None else root / "data" / "reference_audit.json"
    if path is None or not path.is_file():
        return None
    audits = (audit for audit in read_json(path).values() if audit["reference"] == reference)
    return next((audit for audit in audits if any(row["name"] == "Li" for row in audit["forces"]["elements"])), None)


def _potential(
    points: Sequence[Mapping[str, Any]], measured: float, state: Mapping[str, Any], errors: GroupedErrors | None
) -> Limit:
    """Return the limit of the potential: spread of the ensemble beyond its statistics, trusted frames, force errors."""
    evidence = []
    spread = None
    if len(points) > 1:
        values = np.array([point["value"] for point in points])
        chance = float(np.mean([point["error"] ** 2 for point in points]))
        beyond = float(values.var(ddof=1)) - chance
        spread = float(np.sqrt(beyond)) / measured if beyond > 0 else None
        found = " and ".join(map(_found, points))
        within = "" if spread else ", whose spread is within their statistical errors"
        evidence.append(f"{found} mS/cm by {len(points)} potentials{within}")
    else:
        evidence.append("one potential, so that no spread is known")
    if (trusted := state.get("trusted")) is not None:
        evidence.append(f"{trusted:.1%} of frames trusted")
    if errors is not None:
        near = [row for row in errors.sites if is_coordinated(row.name)]
        rows = [(row.name, row) for row in errors.elements if row.name == "Li"]
        rows += [(f"{row.species} {row.name}", row) for row in near]
        evidence.append(
            "force errors " + ", ".join(f"{name} {row.rmse:.2f} eV/Å ({row.rmse / row.size:.0%})" for name, row in rows)
        )
    return Limit("potential", None, spread, "; ".join(evidence))


def _found(point: Mapping[str, Any]) -> str:
    """Return a stored conductivity with its error and the runs behind it."""
    runs = f"{point['trajectories']} trajectories, {point['total_ps'] / 1000:.3g} ns"
    if point["trajectories"] < MIN_SCATTER:
        runs += ", too few to show their scatter"
    return f"{point['value']:.2f} ± {point['error']:.2f} ({runs})"


def _size(
    sizes: Mapping[str, Mapping[str, Any]], temperature: str, measured: float, point: Mapping[str, Any]
) -> tuple[Limit, Mapping[str, Any]]:
    """Return the difference of the first cell from the largest, with its error, and the point of the largest."""
    cells = [(int(atoms), points[temperature]) for atoms, points in sizes.items() if temperature in points]
    if len(cells) < 2:
        return Limit("size of the cell", None, None, "one cell, so that its effect is not known"), point
    atoms, first = cells[0]
    largest, other = max(cells[1:], key=lambda item: item[0])
    change = (first["value"] - other["value"]) / measured
    error = float(np.hypot(first["error"], other["error"])) / measured
    evidence = f"{_found(first)} mS/cm with {atoms} atoms, {_found(other)} with {largest}"
    return Limit("size of the cell", change, error, evidence), other


def _reference(name: str, audit: Mapping[str, Any] | None, given: Mapping[str, Any] | None) -> str:
    """Return the differences of the reference from a better one in words.

    At a given density, whose state is `given`, its errors of pressure and density have no effect.
    """
    start = ""
    if given is not None:
        pressure = given.get("pressure")
        start = "at the measured density"
        start += "; " if pressure is None else f", where the mean pressure is {pressure / 1e4:+.2f} GPa; "
    if audit is None:
        return f"{start}labels by {name}, not audited"
    evidence = []
    if given is None and (bias := audit["molecular_pressure_bias"]):
        evidence.append(f"pressure {bias['value']:+.2f} ± {bias['error']:.2f} GPa")
    if given is None and (bias := audit["density_bias"]):
        evidence.append(f"density {bias['value']:+.0%} at least")
    bindings: dict[str, dict[str, float]] = {}
    for binding in audit["bindings"]:
        bindings.setdefault(binding["complex"], {})[binding["reference"]] = binding["energy"]
    for complex, energies in bindings.items():
        if {audit["reference"], audit["against"]} <= energies.keys():
            difference = energies[audit["reference"]] - energies[audit["against"]]
            evidence.append(f"energy of {complex} {difference:+.2f} eV")
    return f"{start}{audit['reference']} against {audit['against']}: {', '.join(evidence) or 'forces only'}"
