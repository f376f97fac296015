"""Claims 22 to 27 on the electrolytes, from results stored by :mod:`electrolyte_ml.paper.stored`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims.evidence import COUNTED, Finding

# -- conductivity -----------------------------------------------------------------------------------------------------


def conductivities(stored: dict[str, Any], limit: float) -> Finding | None:
    """Judge conductivities: mean deviation from experiment within `limit`, growth with temperature and with EC.

    A deviation within the limit is not judged as long as no ratio has several temperatures.
    """
    points = _points(stored)
    experiments = {ratio: experiment.conductivities(ratio) for ratio in points}
    deviations = [
        by[t]["value"] / experiments[ratio][t].value - 1
        for ratio, by in points.items()
        for t in by
        if t in experiments[ratio]
    ]
    if not deviations:
        return Finding(False, "no conductivity: no trajectory reached its end")
    values = {ratio: [point["value"] for point in by.values()] for ratio, by in points.items()}
    several = [row for row in values.values() if len(row) > 1]
    rises = all(min(np.diff(row)) > 0 for row in several)
    deviation = float(np.mean(np.abs(deviations)))
    if not several and deviation <= limit:
        return None
    holds = deviation <= limit and rises
    rise = f"{'rises' if rises else 'does not rise'} with T" if several else "one temperature"
    points_text = "1 point" if len(deviations) == 1 else f"{len(deviations)} points"
    density = ", at the measured density" if stored.get("measured_density") else ""
    ours = f"{deviation:.0%} off in {points_text}, {rise}{density}"
    if list(values) == ["3:7", "2:3", "1:1"] and len(several) == 3:
        steeper = bool(min(np.diff([row[-1] - row[0] for row in values.values()])) > 0)
        holds = holds and steeper
        ours += f", {'more' if steeper else 'not more'} steeply with more EC"
    measured = "; ".join(
        f"{ratio} {', '.join(f'{m.value:g}' for m in by.values())}" for ratio, by in experiments.items()
    )
    errors = [point["error"] / point["value"] for by in points.values() for point in by.values()]
    uncertainty = f"standard error of a point {min(errors):.0%} to {max(errors):.0%}"
    return Finding(holds, ours, f"{measured} mS/cm at 280, 300, 320 K", uncertainty)


def plateaus(stored: dict[str, Any], correlation_ps: float, window_ps: float) -> Finding:
    """Judge plateaus: sigma is averaged over the last `window_ps` of `correlation_ps`, and flat within two errors."""
    points = [point for by in _points(stored).values() for point in by.values()]
    same = all(point.get("window_ps") == [correlation_ps - window_ps, correlation_ps] for point in points)
    flat = sum(abs(point.get("change_in_window", np.inf)) <= 2.0 * point["error"] for point in points)
    windows = "the same windows" if same else "other windows"
    return Finding(
        same and 0 < flat == len(points), f"averaged over {windows}, flat within 2 errors in {flat} of {len(points)}"
    )


def survivors(stored: dict[str, Any]) -> Finding | None:
    """Judge the number of completed runs out of 50 (Table 1): not all, and fewer at higher temperatures."""
    by_temperature = stored["production"].get("3:7")
    if not by_temperature:
        return None
    runs = [by_temperature[t] for t in sorted(by_temperature, key=float)]
    completed = [run["completed"] for run in runs]
    holds = all(run["planned"] == 50 and run["completed"] < 50 for run in runs) and bool(np.all(np.diff(completed) < 0))
    ended = "/".join(f"{run['completed']} of {run['planned']}" for run in runs)
    length = "/".join(f"{run['completed_ps'] / 1000:.2g}" for run in runs)
    return Finding(holds, f"{ended} completed → {length} ns", uncertainty=COUNTED)


def _points(stored: dict[str, Any]) -> dict[str, dict[float, dict[str, Any]]]:
    """Return ratio -> temperature -> stored conductivity, in order of temperature."""
    return {
        ratio: {float(t): by[t] for t in sorted(by, key=float)} for ratio, by in stored["points"].items() if len(by)
    }


# -- solvation --------------------------------------------------------------------------------------------------------


def pairs_of_mtp(stored: dict[str, Any]) -> Finding:
    """Judge the ion pairs of MTP: solvent-separated ones alone."""
    ssip, _, _, ours = _pairs(stored)
    return Finding(ssip > 0.99, ours, uncertainty=intervals_of(stored["solvation"]["ion_pairs"]))


def pairs_of_qrd(stored: dict[str, Any]) -> Finding:
    """Judge the ion pairs of MTP-QRd: a few per cent in contact, fewer in aggregates."""
    _, cip, agg, ours = _pairs(stored)
    return Finding(0 < agg < cip < 0.1, ours, uncertainty=intervals_of(stored["solvation"]["ion_pairs"]))


def _pairs(stored: dict[str, Any]) -> tuple[float, float, float, str]:
    pairs = stored["solvation"]["ion_pairs"]
    ssip, cip, agg = (value_of(pairs, kind) for kind in ("SSIP", "CIP", "AGG"))
    return ssip, cip, agg, f"SSIP {ssip:.1%}, CIP {cip:.1%}, AGG {agg:.1%}"


# -- networks ---------------------------------------------------------------------------------------------------------


_NETWORK_IONS = 8  # Li in the paper's cells


def _in_large_cells(judge: Callable[[dict[str, Any]], Finding]) -> Callable[[dict[str, Any]], Finding | None]:
    """Return the judgement for cells with as many Li as the paper's, and None for smaller ones."""

    def judged(stored: dict[str, Any]) -> Finding | None:
        return judge(stored) if stored["networks"]["ions"] >= _NETWORK_IONS else None

    return judged


@_in_large_cells
def networks_of_mtp(stored: dict[str, Any]) -> Finding:
    """Judge the networks of MTP: most Li are in networks of at most eight, mostly joined by both oxygens of EC."""
    joined, largest, bridges, ours = _networks(stored)
    holds = joined > 0.5 and largest <= 8 and bridges > 0.5
    return Finding(holds, ours, uncertainty=intervals_of(stored["networks"], "networked"))


@_in_large_cells
def networks_of_qrd(stored: dict[str, Any]) -> Finding:
    """Judge the networks of MTP-QRd: a few Li are in networks, of two Li each."""
    joined, largest, _, ours = _networks(stored)
    holds = joined < 0.2 and largest == 2
    return Finding(holds, ours, uncertainty=intervals_of(stored["networks"], "networked"))


@_in_large_cells
def network_shells(stored: dict[str, Any]) -> Finding:
    """Judge shells in networks against those of isolated Li: more EC, more often CN 5, less often CN 3.

    The 95 % intervals must not overlap: with few Li, differences arise by chance.
    """
    return _compared_shells(stored)


def _compared_shells(stored: dict[str, Any]) -> Finding:
    networks = stored["networks"]
    if one_group := _one_group(stored):
        return Finding(False, one_group)
    ec_alone, ec_joined = (value_of(networks["ligands"][side], "EC") for side in ("isolated", "network"))
    alone, joined = (
        {n: value_of(networks["coordination_distribution"][side], str(n)) for n in (3, 5)}
        for side in ("isolated", "network")
    )
    of_isolated, of_joined = (networks["coordination_distribution"][side] for side in ("isolated", "network"))
    holds = (
        _surely_below(networks["ligands"]["isolated"], networks["ligands"]["network"], "EC")
        and _surely_below(of_isolated, of_joined, "5")
        and _surely_below(of_joined, of_isolated, "3")
    )
    ours = (
        f"networks against isolated: EC {ec_joined:.2f}, {ec_alone:.2f}; CN 5 {joined[5]:.0%}, {alone[5]:.0%}; "
        f"CN 3 {joined[3]:.0%}, {alone[3]:.0%}"
    )
    errors = "; ".join(f"{side}: {intervals_of(networks['ligands'][side], 'EC')}" for side in ("network", "isolated"))
    return Finding(holds, ours, uncertainty=errors)


@_in_large_cells
def network_panels(stored: dict[str, Any]) -> Finding:
    """Judge whether the panels of networked and isolated Li can be drawn for MTP-QRd: both kinds of Li exist."""
    return _compared_shells(stored)._replace(holds=not _one_group(stored))


def _surely_below(lower: dict[str, Any], higher: dict[str, Any], key: str) -> bool:
    """Return whether the 95 % interval of one stored estimate lies below that of another; not if one has none."""
    if key not in lower or key not in higher:
        return False
    end, start = lower[key]["interval_95"][1], higher[key]["interval_95"][0]
    return end is not None and start is not None and end < start


def _one_group(stored: dict[str, Any]) -> str:
    """Say that all solvent-separated Li are in networks or all isolated; an empty text if there are both."""
    joined = value_of(stored["networks"], "networked")
    return "" if 0.0 < joined < 1.0 else f"{joined:.0%} of the Li in networks: one of the two groups is empty"


def _networks(stored: dict[str, Any]) -> tuple[float, int, float, str]:
    """Return share of Li in networks, largest network, share of bridges that are EC by both O, and all in words."""
    networks = stored["networks"]
    joined = value_of(networks, "networked")
    largest = max([0] + [int(size) for size in networks["sizes"] if value_of(networks["sizes"], size) > 0])
    bridges = value_of(networks["bridges"], "EC") * value_of(networks["bridge_donors"].get("EC", {}), "carbonyl+ether")
    ours = (
        f"{joined:.0%} in networks of up to {largest}, {bridges:.0%} of bridges EC by both O"
        if joined
        else "none in networks"
    )
    return joined, largest, bridges, ours


def value_of(estimates: dict[str, Any], key: str) -> float:
    """Return the value of a stored estimate; 0 for a category that is not stored, NaN for a value of None."""
    value = estimates[key]["value"] if key in estimates else 0.0
    return float("nan") if value is None else float(value)


def intervals_of(estimates: dict[str, Any], *keys: str) -> str:
    """Give the 95 % intervals of stored estimates, or say which have none; of all that have a value by default."""
    texts = []
    for key in keys or [key for key, entry in estimates.items() if entry["value"] is not None]:
        low, high = estimates[key]["interval_95"] if key in estimates else (None, None)
        texts.append(f"{key} no interval" if low is None or high is None else f"{key} {low:.3g} to {high:.3g}")
    return f"95 %: {', '.join(texts)}"
