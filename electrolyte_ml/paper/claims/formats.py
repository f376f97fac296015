"""The judged claims as text and as HTML."""

import html
import textwrap
from collections.abc import Sequence

from electrolyte_ml.paper.claims.verdicts import NOT_REPRODUCED, JudgedClaim

COLUMNS = ("#", "where", "paper", "kind", "ours", "experiment", "verdict", "judged from")


def format_claims(judged: Sequence[JudgedClaim], width: int = 118) -> str:
    """Return the claims as text: a line with number, verdict, place and claim, and below it values and evidence.

    Parameters
    ----------
    judged
        Of one scale.
    width
        Characters in a line.
    """
    verdicts = max(len(j.outcome.verdict) for j in judged)
    places = max(len(j.claim.where) for j in judged)
    indent = " " * (8 + verdicts + places)
    lines = [f"Claims of the paper at the {judged[0].scale} scale, labels by {judged[0].reference}", ""]
    for j in judged:
        head = f"{j.claim.label:<4}{j.outcome.verdict:<{verdicts}}  {j.claim.where:<{places}}  "
        lines += textwrap.wrap(head + j.claim.paper, width, subsequent_indent=indent)
        details = [("ours", j.outcome.ours), ("experiment", j.outcome.experiment)]
        details += [("judged from", source) for source in j.outcome.judged_from]
        for name, text in details:
            if text:
                lines += textwrap.wrap(f"{name}: {text}", width, initial_indent=indent, subsequent_indent=indent + "  ")
    return "\n".join(lines)


def claims_html(judged: Sequence[JudgedClaim]) -> str:
    """Return the claims as an HTML table."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    rows = []
    for j in judged:
        claim, outcome = j.claim, j.outcome
        cells = (claim.label, claim.where, claim.paper, claim.kind, outcome.ours, outcome.experiment)
        row = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        style = ' class="bad"' if outcome.verdict == NOT_REPRODUCED else ""
        sources = "<br>".join(map(html.escape, outcome.judged_from))
        rows.append(f"<tr>{row}<td{style}>{html.escape(outcome.verdict)}</td><td>{sources}</td></tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"
