"""Effect of charges on errors: potentials with and without charges at equal level and equal number of parameters.

References
----------
The paper's second question for the mixtures (section 2.2, Fig. 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.analysis.intermolecular import PARTS
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.validation import CHARGED, ValidationErrors

if TYPE_CHECKING:
    from electrolyte_ml.analysis import PartError

_SIGNIFICANT = 2.0  # significant difference, in standard errors of the mean over the seeds
QUANTITIES = tuple((part, what) for part in PARTS for what in ("energies", "forces"))


@dataclass(frozen=True)
class Comparison:
    """One error of a kind of potential, without and with charges.

    Attributes
    ----------
    part, what : str
        Part of the error, such as "intermolecular", and quantity, "energies" or "forces".
    plain, charged : float, meV/atom or eV/Å
        Means over the seeds, without and with charges.
    noise : float
        Standard error of their difference, from the spread over the seeds; NaN for one seed.
    """

    part: str
    what: str
    plain: float
    charged: float
    noise: float

    @property
    def change(self) -> float:
        """Relative change of the error with charges."""
        return self.charged / self.plain - 1.0

    @property
    def verdict(self) -> str:
        """Verdict on the error with charges: "smaller", "larger", or "within the spread" if it is not significant."""
        if not abs(self.charged - self.plain) > _SIGNIFICANT * self.noise:
            return "within the spread"
        return "smaller" if self.charged < self.plain else "larger"


def at_equal_level(errors: ValidationErrors, kind: str) -> list[Comparison]:
    """Compare a kind without charges with the same level with charges, over all compositions."""
    plain, charged = (errors.kinds[name].overall.parts for name in (kind, kind + CHARGED))
    comparisons = []
    for part, what in QUANTITIES:
        without, with_charges = (np.array(getattr(parts[part], what)) for parts in (plain, charged))
        noise = np.hypot(_standard_error(without), _standard_error(with_charges))
        comparisons.append(Comparison(part, what, float(without.mean()), float(with_charges.mean()), float(noise)))
    return comparisons


def equivalent_parameters(errors: ValidationErrors, kind: str, part: str, what: str) -> float | None:
    """Return the number of parameters at which a potential without charges has the error of `kind`, by interpolation.

    Between neighbouring levels the logarithm of the error is taken as linear in that of the number of parameters.

    Returns
    -------
    float or None
        None outside the range of the levels that were run.
    """
    names = errors.plain
    numbers = np.log([errors.parameters[name] for name in names])
    values = np.log([_mean(errors.kinds[name].overall.parts[part], what) for name in names])
    target = np.log(_mean(errors.kinds[kind].overall.parts[part], what))
    for k in range(len(names) - 1):
        low, high = sorted((values[k], values[k + 1]))
        if low <= target <= high and low < high:
            share = (target - values[k]) / (values[k + 1] - values[k])
            return float(np.exp(numbers[k] + share * (numbers[k + 1] - numbers[k])))
    return None


def charge_gain(errors: ValidationErrors) -> str:
    """Describe the effect of charges on the errors at equal level and at equal number of parameters.

    Raises
    ------
    InputError
        No level was run both without and with charges.
    """
    pairs = [name for name in errors.plain if name + CHARGED in errors.kinds]
    if not pairs:
        raise InputError("no level was run both without and with charges")
    lines, verdicts = [], []
    for name in pairs:
        comparisons = at_equal_level(errors, name)
        verdicts += [row.verdict for row in comparisons]
        numbers = errors.parameters[name], errors.parameters[name + CHARGED]
        lines.append(f"{name} against {name}{CHARGED} ({numbers[0]} and {numbers[1]} parameters):")
        for row in comparisons:
            unit, digits = ("meV/atom", 2) if row.what == "energies" else ("eV/Å", 4)
            lines.append(
                f"  {row.part:<14} {row.what:<9} {row.plain:.{digits}f} → {row.charged:.{digits}f} {unit:<9}"
                f"{row.change:+7.1%}  {row.verdict}"
            )
    smaller, larger = (verdicts.count(word) for word in ("smaller", "larger"))
    unclear = len(verdicts) - smaller - larger
    seeds = sorted({kind.potentials for kind in errors.kinds.values()})
    lines.append(
        f"At equal level, of {len(verdicts)} errors charges make {smaller} smaller and {larger} larger; "
        f"{unclear} change by less than two standard errors of {' or '.join(map(str, seeds))} seeds"
        + (f" (chance alone passes that in {_by_chance(min(seeds)):.0%})." if min(seeds) > 1 else ".")
    )
    extra = {errors.parameters[name + CHARGED] - errors.parameters[name] for name in pairs}
    lines.append(
        f"At equal number of parameters the answer is nearly the same, since charges add only "
        f"{' or '.join(map(str, sorted(extra)))}."
    )
    lines += _sizes(errors, pairs)
    if smaller > larger and smaller > unclear:
        lines.append("So charges buy accuracy here: most errors are smaller with them, beyond the seeds' spread.")
    elif larger > smaller and larger > unclear:
        lines.append("So charges cost accuracy here: most errors are larger with them, beyond the seeds' spread.")
    else:
        clear = [
            f"the {row.part} {row.what} of {name} ({row.change:+.0%})"
            for name in pairs
            for row in at_equal_level(errors, name)
            if row.verdict != "within the spread"
        ]
        lines.append(
            "So charges buy no accuracy that our seeds could tell from chance in most errors"
            + (f"; exceptions: {', '.join(clear)}." if clear else ".")
        )
    return "\n".join(lines)


def _sizes(errors: ValidationErrors, pairs: list[str]) -> list[str]:
    """Describe, for each kind with charges, the size of an equally accurate potential without charges."""
    if len(errors.plain) < 2:
        return ["One level was run: how many parameters without charges would do as well is not known."]
    lines = []
    for name in pairs:
        kind = name + CHARGED
        texts = []
        for part, what in QUANTITIES:
            number = equivalent_parameters(errors, kind, part, what)
            if number is not None:
                texts.append(f"{number:.0f} for {part} {what}")
        rest = len(QUANTITIES) - len(texts)
        outside = f"{rest} of {len(QUANTITIES)} errors lie outside the levels that were run" if rest else ""
        lines.append(
            f"{kind} ({errors.parameters[kind]}) is as accurate as a potential without charges of "
            + "; ".join(filter(None, [", ".join(texts), outside]))
            + "."
            if texts
            else f"All errors of {kind} lie outside those of the levels without charges: no equal size is interpolated."
        )
    return lines


def _by_chance(seeds: int) -> float:
    """Return the probability that two equal means over `seeds` seeds differ by `_SIGNIFICANT` standard errors."""
    from scipy.stats import t

    return float(2 * t.sf(_SIGNIFICANT, 2 * seeds - 2))


def _mean(error: PartError, what: str) -> float:
    return float(np.mean(getattr(error, what)))


def _standard_error(values: np.ndarray) -> float:
    """Return the standard error of a mean, NaN for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
