"""Verdicts from evidence: stored results, and numbers passed to the code that runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.claims.verdicts import NOT_RUN, NOT_RUN_AT_SCALE, Judge, Outcome, verdict
from electrolyte_ml.paper.places import shown_path
from electrolyte_ml.paper.results import load_result, result_path
from electrolyte_ml.paper.scales import Scale

SHOWN = "shown at the quick scale"


class Finding(NamedTuple):
    """Judgement of a claim from a stored result: whether it holds, our value, the measured one, our uncertainty."""

    holds: bool
    ours: str
    experiment: str = ""
    uncertainty: str = ""


COUNTED = "none: counted"


@dataclass(frozen=True)
class Evidence:
    """Numbers of our protocol as used by the code, and those of the paper.

    Attributes
    ----------
    source : str
        ``"handed to "`` and the name of the function that receives the numbers, without `electrolyte_ml`, or
        ``"object: "`` and the attribute that holds them.
    ours, paper : Mapping
        Name -> value here and in the paper. Only names in `paper` are compared.
    """

    source: str
    ours: Mapping[str, Any]
    paper: Mapping[str, Any]

    @property
    def differences(self) -> list[str]:
        """Numbers that differ from the paper's, in words."""
        return [
            f"{name}={self.ours.get(name, 'missing')} ({value} in the paper)"
            for name, value in self.paper.items()
            if name not in self.ours or self.ours[name] != value
        ]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={self.ours.get(name, 'missing')}" for name in self.paper)
        return f"{self.source}: {values}"


def paper_scale(scale: Scale) -> Scale:
    """Return the scale itself, with its chosen reference, if it is the paper's, else the paper scale."""
    return scale if scale.name == "paper" else scales.PAPER


def from_handed(evidence: Callable[[Scale], Iterable[Evidence]]) -> Judge:
    """Return a function that judges a protocol from the numbers that the paper scale passes to the code that runs."""

    def judge(scale: Scale) -> Outcome:
        try:
            items = list(evidence(paper_scale(scale)))
        except InputError as error:  # the reference is missing on this machine, for example
            return Outcome(NOT_RUN, str(error))
        wrong = list(dict.fromkeys(difference for item in items for difference in item.differences))
        judged_from = tuple(dict.fromkeys(str(item) for item in items))
        return Outcome(verdict(not wrong), "; ".join(wrong) or "the paper's numbers", judged_from=judged_from)

    return judge


def from_stored(name: str, judge: Callable[[dict[str, Any]], Finding | None]) -> Judge:
    """Return a function that judges a value or a trend from a stored result of the scale.

    At the quick scale the numbers are shown but not judged: its boxes are too small.

    Parameters
    ----------
    name
        Name of the stored result.
    judge
        Stored result -> finding, or None if the result lacks the subject of the claim.
    """

    def judged(scale: Scale) -> Outcome:
        stored = load_result(name, scale)
        finding = None if stored is None else judge(stored)
        if stored is None or finding is None:
            return Outcome(NOT_RUN_AT_SCALE)
        path = shown_path(result_path(name, scale))
        judged_from = (f"file: {path}, labels by {stored['reference']}",)
        if scale.name == "quick":
            ours = f"{finding.ours} ({SHOWN})"
            chosen = NOT_RUN_AT_SCALE
        else:
            ours, chosen = finding.ours, verdict(finding.holds)
        return Outcome(
            chosen, ours, finding.experiment, judged_from, finding.uncertainty, reference=stored["reference"]
        )

    return _if_complete(name, judged)


def shown(name: str, describe: Callable[[dict[str, Any]], str], uncertainty: str) -> Judge:
    """Return a function that shows a stored result and leaves the claim unjudged at every scale.

    It is for results that are related to a claim but are not its subject, such as charges for a claim on dynamics.

    Parameters
    ----------
    name
        Name of the stored result.
    describe
        Stored result -> our value in words.
    uncertainty
        Description of the uncertainty of that value.
    """

    def judged(scale: Scale) -> Outcome:
        stored = load_result(name, scale)
        if stored is None:
            return Outcome(NOT_RUN_AT_SCALE)
        path = shown_path(result_path(name, scale))
        source = f"file: {path}, labels by {stored['reference']}"
        text = f"{describe(stored)} (shown, not judged)"
        return Outcome(NOT_RUN_AT_SCALE, text, "", (source,), uncertainty, stored["reference"])

    return _if_complete(name, judged)


def _if_complete(name: str, judge: Judge) -> Judge:
    """Return a judge that says which value a stored result lacks, since another version of the package wrote it."""

    def judged(scale: Scale) -> Outcome:
        try:
            return judge(scale)
        except KeyError as error:
            path = shown_path(result_path(name, scale))
            missing = f"{path} lacks {error}: another version wrote it; delete it and run its notebook again"
            return Outcome(NOT_RUN_AT_SCALE, missing)

    return judged
