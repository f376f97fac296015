"""Claims 7, 9, 10 and 11 on the mixtures of EC and EMC, from stored results.

``mixture_training``: ``{"reference", "origins": {origin: {molecules: number}}}`` with the result of
:func:`electrolyte_ml.active_learning.mixing.count_origins`.

``mixture_density``: ``{"reference", "levels", "runs": {liquid: {kind: {seed: run}}}, "traces": {...}}`` with
``{"mean", "error", "drifts"}`` (g/cm³) for a completed run and ``{"failed": reason}`` for one that ended early. Names
of liquids are those of :data:`electrolyte_ml.paper.experiment.DENSITY`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims.evidence import COUNTED, Finding

SHARES = {"EC": 0.357, "EMC": 0.569, "EC + EMC": 0.073}  # of the paper's set of about 500 configurations
_SIZE, _SIZE_TOLERANCE, _SHARE_TOLERANCE = 500, 0.2, 0.1


def training_set(stored: dict[str, Any]) -> Finding:
    """Judge size and contents of the set: within 20 % of 500 configurations, each share within 10 points."""
    contents: Counter[str] = Counter()
    for kinds in stored["origins"].values():
        contents.update(kinds)
    size = sum(contents.values())
    shares = {name: contents[name] / size for name in SHARES}
    inherited = sum(sum(kinds.values()) for origin, kinds in stored["origins"].items() if origin != "new")
    text = ", ".join(f"{share:.1%} {name}" for name, share in shares.items())
    near = all(abs(shares[name] - share) <= _SHARE_TOLERANCE for name, share in SHARES.items())
    about = abs(size / _SIZE - 1) <= _SIZE_TOLERANCE
    return Finding(near and about, f"{size} configurations, {inherited} of them inherited; {text}", uncertainty=COUNTED)


class KindMean(NamedTuple):
    """Density of a liquid by one kind of potential.

    Attributes
    ----------
    mean, spread : float, g/cm³
        Mean and standard deviation over the seeds with completed runs; NaN if there are too few.
    completed, runs : int
        Number of completed runs, and of all runs.
    """

    mean: float
    spread: float
    completed: int
    runs: int

    def __str__(self) -> str:
        if not self.completed:
            return f"none of {self.runs} runs"
        spread = f" ± {self.spread:.3f}" if self.completed > 1 else ""
        missing = f" ({self.completed} of {self.runs} runs)" if self.completed < self.runs else ""
        return f"{self.mean:.3f}{spread}{missing}"


def kind_means(stored: Mapping[str, Any]) -> dict[str, dict[str, KindMean]]:
    """Return the densities of ``mixture_density`` by liquid and kind of potential."""
    means: dict[str, dict[str, KindMean]] = {}
    for liquid, kinds in stored["runs"].items():
        for kind, members in kinds.items():
            values = np.array([run["mean"] for run in members.values() if "mean" in run])
            mean = float(values.mean()) if len(values) else float("nan")
            spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            means.setdefault(liquid, {})[kind] = KindMean(mean, spread, len(values), len(members))
    return means


def densities(stored: dict[str, Any]) -> Finding | None:
    """Judge Fig. 2: the lower level is less accurate for EMC than the higher, at which charges change nothing.

    The effect of charges is compared with two standard deviations over the seeds, of both kinds together, for every
    liquid. A kind with fewer than two completed runs has no such deviation, and the claim then does not hold.
    """
    means = kind_means(stored)
    low, high = (f"MTP{level}" for level in (min(stored["levels"]), max(stored["levels"])))
    measured = experiment.density("EMC").value
    if any(kind not in means.get("EMC", {}) for kind in (low, high, f"{high}-QRd")):
        return None
    deviations = {kind: means["EMC"][kind].mean / measured - 1 for kind in (low, high)}
    worse = abs(deviations[low]) > abs(deviations[high])
    alike = True
    for kinds in means.values():
        plain, charged = kinds[high], kinds[f"{high}-QRd"]
        alike &= bool(abs(plain.mean - charged.mean) <= 2 * np.hypot(plain.spread, charged.spread))
    few = [liquid for liquid, kinds in means.items() if min(kinds[high].completed, kinds[f"{high}-QRd"].completed) < 2]
    texts = [f"too few completed runs to compare {high} with {high}-QRd at {', '.join(few)}"] if few else []
    for liquid, kinds in means.items():
        texts.append(f"{liquid}: " + ", ".join(f"{kind} {density}" for kind, density in kinds.items()))
    experiments = "; ".join(
        f"{liquid} {experiment.density(liquid).value:.3f} (PBE-D3(BJ) {experiment.DENSITY_PBE_D3_BJ[liquid].value:.3f})"
        for liquid in means
    )
    return Finding(worse and alike, "; ".join(texts), experiments, "±: standard deviation over the seeds")


def failures(stored: dict[str, Any]) -> Finding:
    """Count the failed runs of models with charges, by liquid; in the paper some fail."""
    failed = {
        liquid: [
            (kind, run["failed"])
            for kind, members in kinds.items()
            if kind.endswith("-QRd")
            for run in members.values()
            if "failed" in run
        ]
        for liquid, kinds in stored["runs"].items()
    }
    charged = sum(len(m) for kinds in stored["runs"].values() for kind, m in kinds.items() if kind.endswith("-QRd"))
    total = sum(map(len, failed.values()))
    reasons = "; ".join(
        f"{liquid}: {len(runs)} ({', '.join(sorted({f'{kind} {reason}' for kind, reason in runs}))})"
        for liquid, runs in failed.items()
        if runs
    )
    ours = f"{total} of {charged} runs failed" + (f": {reasons}" if reasons else "")
    return Finding(total > 0, ours, uncertainty=COUNTED)


def traces(stored: dict[str, Any]) -> Finding | None:
    """Judge whether Fig. S2 can be drawn: density against time for four kinds of model and every liquid."""
    kinds = {liquid: set(by_kind) for liquid, by_kind in stored.get("traces", {}).items()}
    if not kinds:
        return None
    complete = all(len(names) >= 4 for names in kinds.values()) and set(kinds) == set(stored["runs"])
    return Finding(complete, f"notebook 06: {', '.join(sorted(set.union(*kinds.values())))} at {', '.join(kinds)}")
