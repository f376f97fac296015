"""Claims 16 to 20 on the training set of LiPF6 in EC and EMC and its validation, from stored results.

``ion_pair_training`` and ``ion_pair_set`` are stored by :func:`electrolyte_ml.paper.stored.store_ion_pairs`,
``ion_pair_errors`` is written by `to_dict` of :class:`electrolyte_ml.paper.ion_pair_validation.IonPairErrors`, and
``li_o`` has g(r) of Li and O.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims.electrolytes import intervals_of, value_of
from electrolyte_ml.paper.claims.evidence import COUNTED, Finding
from electrolyte_ml.paper.ion_pair_validation import IonPairErrors

if TYPE_CHECKING:
    from electrolyte_ml.analysis import GroupedErrors

_ITERATIONS, _CONFIGURATIONS, _TOLERANCE = 86, 6296, 0.2  # of the paper's learning, and relative tolerance for ours
SHARES = {"SSIP": 0.51, "CIP": 0.46, "AGG": 0.03}  # of the Li of the paper's set
_RELATIVE = {"O": 0.15, "Li": 0.40}  # force error over force, of O in the shell of Li and of Li (Fig. 5)
_FACTOR = 1.5  # largest factor between ours and these


def learning(stored: Mapping[str, Any]) -> Finding:
    """Judge whether learning converged, with about the same numbers of iterations and configurations."""
    iterations, size = (sum(stage["iterations"] for stage in stored["stages"].values()), stored["configurations"])
    converged = all(stage["converged"] for stage in stored["stages"].values())
    near = abs(iterations / _ITERATIONS - 1) <= _TOLERANCE and abs(size / _CONFIGURATIONS - 1) <= _TOLERANCE
    stages = ", ".join(
        f"{name} {'converged' if stage['converged'] else 'not converged'} after {stage['iterations']} iterations"
        for name, stage in stored["stages"].items()
    )
    return Finding(converged and near, f"{stored['model']}: {stages}; {size} configurations", uncertainty=COUNTED)


def ion_pair_set(stored: dict[str, Any]) -> Finding:
    """Judge the training set: shares of ion pairs, ligands and coordination numbers."""
    solvation = stored["solvation"]
    ssip, cip, agg = (value_of(solvation["ion_pairs"], kind) for kind in ("SSIP", "CIP", "AGG"))
    ligands, number = value_of(solvation["ligands"], "all"), value_of(solvation["coordination"], "all")
    distributions = solvation["coordination_distribution"]
    higher = agg > 0 and _mean_number(distributions["AGG"]) > number
    holds = ssip > cip > agg > 0 and 3.5 <= ligands < 4.0 and abs(number - 4.0) <= 0.5 and higher
    broken = stored["set"]["broken"] / stored["set"]["configurations"]
    ours = (
        f"SSIP {ssip:.0%}, CIP {cip:.0%}, AGG {agg:.0%}; {ligands:.2f} ligands per Li; CN {number:.2f}; "
        f"{broken:.0%} with broken molecules, left out"
    )
    return Finding(holds, ours, uncertainty=intervals_of(solvation["ion_pairs"]))


def li_o(stored: dict[str, Any]) -> Finding:
    """Judge g(r) of Li and O by its first maximum."""
    rdf = stored["rdf"]
    shell = rdf["shell"]
    if shell is None:
        return Finding(False, "no first shell stands out from the noise")
    r, g = np.asarray(rdf["r"]), np.asarray(rdf["g"])
    behind = r > shell["minimum"]
    low, high = experiment.LI_O_PEAK
    second = float(r[behind][np.argmax(g[behind])])
    ours = f"maxima at {shell['peak']:.2f} and {second:.2f} Å, {shell['coordination']:.1f} O in the first shell"
    return Finding(low <= shell["peak"] <= high, ours, "first at 1.90–2.04 Å, about 4 O")


def site_errors(stored: Mapping[str, Any]) -> Finding | None:
    """Judge force errors of the highest level without charges: largest on carbonyl C and P; shares on O and Li."""
    errors = IonPairErrors.from_dict(stored)
    if not errors.plain:
        return None
    name = errors.plain[-1]
    grouped = errors.kinds[name]
    by_site: dict[str, list[float]] = {}
    for (_, site), length in grouped.lengths.items():
        by_site.setdefault(site, []).append(length)
    lengths = {site: max(values) for site, values in by_site.items()}
    worst = sorted(lengths, key=lambda site: -lengths[site])[:2]
    shares = relative_errors(grouped)
    near = all(1 / _FACTOR <= shares[element] / value <= _FACTOR for element, value in _RELATIVE.items())
    text = " and ".join(f"{site} ({lengths[site]:.2f} eV/Å)" for site in worst)
    ours = f"{name}: mean error worst on {text}; {shares['O']:.0%} of the force on O at Li, {shares['Li']:.0%} on Li"
    return Finding(set(worst) == {"carbonyl C", "P"} and near, ours)


def relative_errors(grouped: "GroupedErrors") -> dict[str, float]:
    """Return rms force errors over rms forces, of O in the shell of Li ("O") and of Li ("Li"); NaN without atoms."""
    oxygen = [row for row in grouped.sites if row.name.endswith("O at Li")]
    lithium = [row for row in grouped.sites if row.species == "Li"]
    relative = {}
    for element, rows in (("O", oxygen), ("Li", lithium)):
        squares = [sum(row.atoms * getattr(row, name) ** 2 for row in rows) for name in ("rmse", "size")]
        relative[element] = float(np.sqrt(squares[0] / squares[1])) if rows else float("nan")
    return relative


def charged_errors(stored: Mapping[str, Any]) -> Finding | None:
    """Judge whether Fig. S5 can be drawn: errors with charges, force differences to MTP, and the charges."""
    errors = IonPairErrors.from_dict(stored)
    if not errors.charged:
        return None
    texts = []
    for name in errors.charged:
        charges = next(iter(errors.charges[name].values()))
        rows = errors.kinds[name].elements
        error = np.sqrt(sum(row.atoms * row.rmse**2 for row in rows) / sum(row.atoms for row in rows))
        of_elements = ", ".join(f"{symbol} {np.mean(values):+.2f}" for symbol, values in charges.items())
        texts.append(f"{name}: force error {error:.3f} eV/Å; charges {of_elements} e")
    complete = all(name in errors.differences for name in errors.charged)
    return Finding(complete, "; ".join(texts))


def _mean_number(distribution: dict[str, Any]) -> float:
    return sum(int(number) * value_of(distribution, number) for number in distribution)
