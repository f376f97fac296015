"""The claims as the report shows them: rows by section of the paper, and in a few sentences what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from electrolyte_ml.paper.claims import NOT_REPRODUCED, NOT_RUN, REPRODUCED, JudgedClaim
from electrolyte_ml.paper.report.sections import PLACES, SECTIONS, Place

_JUDGED = (REPRODUCED, NOT_REPRODUCED)


@dataclass(frozen=True)
class Result:
    """One verdict on a claim, in the words of the table.

    Attributes
    ----------
    verdict, ours, uncertainty, measured, scale, reference : str
    sources : tuple of str
        What it is judged from.
    """

    verdict: str
    ours: str
    uncertainty: str
    measured: str
    scale: str
    reference: str
    sources: tuple[str, ...]

    @property
    def mark(self) -> str:
        """Class of the verdict: ``good``, ``bad`` or ``open``."""
        return {REPRODUCED: "good", NOT_REPRODUCED: "bad"}.get(self.verdict, "open")


@dataclass(frozen=True)
class Row:
    """A claim with its verdict in this run, and that from the shipped results if it is another one.

    Attributes
    ----------
    judged : JudgedClaim
        The claim as it stands: judged in this run, else from the shipped results, else not judged.
    results : tuple of Result
        One or two.
    place : Place
    """

    judged: JudgedClaim
    results: tuple[Result, ...]
    place: Place

    @property
    def has_evidence(self) -> bool:
        """Whether anything was computed for the claim."""
        return any(result.sources for result in self.results)


@dataclass(frozen=True)
class Section:
    """Claims of a section of the paper.

    Attributes
    ----------
    number, title : str
    rows : tuple of Row
    """

    number: str
    title: str
    rows: tuple[Row, ...]

    def count(self, verdict: str | None) -> int:
        """Return the number of claims with a verdict, or of those without one."""
        return sum(_stands(row) == verdict for row in self.rows)


def sections_of(judged: Sequence[JudgedClaim], shipped: Sequence[JudgedClaim] | None) -> list[Section]:
    """Group claims by section of the paper.

    Parameters
    ----------
    judged
        The claims at the scale of the run.
    shipped
        The same claims judged from the results that come with the source tree.
    """
    others = {} if shipped is None else {other.claim.label: other for other in shipped}
    rows = [_row(this, others.get(this.claim.label)) for this in judged]
    return [
        Section(number, title, members)
        for number, title in SECTIONS.items()
        if (members := tuple(row for row in rows if row.place.section == number))
    ]


def _row(this: JudgedClaim, other: JudgedClaim | None) -> Row:
    results, stands = [_result(this)], this
    if other is not None and other.outcome != this.outcome and other.outcome.judged_from:
        results.append(_result(other))
        if this.outcome.verdict not in _JUDGED:
            stands = other
    return Row(stands, tuple(results), PLACES[this.claim.label])


def _result(judged: JudgedClaim) -> Result:
    outcome, kind = judged.outcome, judged.claim.kind
    scale, reference = judged.scale, outcome.reference
    uncertainty = outcome.uncertainty or ("not estimated" if outcome.ours else "")
    if kind in ("exact", "protocol"):
        scale = {"exact": "any", "protocol": "paper (its settings)"}[kind]
        reference, uncertainty = "needs no labels", {"exact": "none: counted", "protocol": "none: settings"}[kind]
    elif not outcome.judged_from:
        reference = ""
    return Result(outcome.verdict, outcome.ours, uncertainty, outcome.experiment, scale, reference, outcome.judged_from)


def _stands(row: Row) -> str | None:
    verdict = row.judged.outcome.verdict
    return verdict if verdict in _JUDGED else None


@dataclass(frozen=True)
class Part:
    """A sentence of the summary.

    Attributes
    ----------
    text : str
    rows : tuple of Row
        Claims that it speaks of.
    values : bool
        Whether it gives their values, too.
    """

    text: str
    rows: tuple[Row, ...] = ()
    values: bool = False


def summarise(sections: Sequence[Section], scale: str) -> list[Part]:
    """Say what was reproduced, what not, and why the rest was not judged.

    Parameters
    ----------
    sections
        All claims.
    scale
        Name of the scale of the run.
    """
    rows = [row for section in sections for row in section.rows]
    by = {verdict: [row for row in rows if _stands(row) == verdict] for verdict in (*_JUDGED, None)}
    claims = len({row.judged.claim.number for row in rows})
    parts = [
        Part(
            f"The paper's {claims} claims are judged in {len(rows)} parts: {len(by[REPRODUCED])} reproduced, "
            f"{len(by[NOT_REPRODUCED])} not reproduced, {len(by[None])} not judged."
        )
    ]
    for kind, name in _KINDS.items():
        members = [row for row in rows if _kind(row) == kind]
        good = [row for row in members if _stands(row) == REPRODUCED]
        parts.append(Part(f"Of {len(members)} {name}, {len(good)} {_are(good)} reproduced", tuple(good)))
    if by[NOT_REPRODUCED]:
        parts.append(Part("Not reproduced:", tuple(by[NOT_REPRODUCED]), values=True))
    absent: list[Row] = []
    weak: list[Row] = []
    missing: list[Row] = []
    for row in by[None]:
        if row.judged.outcome.verdict == NOT_RUN:
            missing.append(row)
        else:
            (weak if row.has_evidence else absent).append(row)
    if absent:
        why = f"{_are(absent)} not judged because no result is stored, which only a larger scale than {scale} computes"
        parts.append(Part(f"{len(absent)} {why}", tuple(absent)))
    if weak:
        why = (
            "although numbers are shown: their boxes or runs are too small for the claim, or they bear on it indirectly"
        )
        parts.append(Part(f"{len(weak)} {_are(weak)} not judged {why}", tuple(weak)))
    if missing:
        why = "not judged because something is missing on this machine"
        parts.append(Part(f"{len(missing)} {_are(missing)} {why}:", tuple(missing), values=True))
    if taken := [row for row in rows if row.judged.scale != scale and _stands(row)]:
        origin = f"on results of the {taken[0].judged.scale} scale that come with the package, not on this run"
        parts.append(
            Part(f"{len(taken)} {'verdict rests' if len(taken) == 1 else 'verdicts rest'} {origin}", tuple(taken))
        )
    return parts


_KINDS = {
    "exact": "numbers that an object counts",
    "protocol": "protocols, which are the settings that the paper scale hands to the code",
    "": "values, trends, figures and tables, which are judged from stored results",
}


def _kind(row: Row) -> str:
    kind = row.judged.claim.kind
    return kind if kind in _KINDS else ""


def _are(rows: Sequence[Row]) -> str:
    return "is" if len(rows) == 1 else "are"
