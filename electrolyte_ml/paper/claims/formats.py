"""Formats of the judged claims: text and HTML."""

import html
import textwrap
from collections.abc import Sequence

from electrolyte_ml.paper.claims.verdicts import NOT_REPRODUCED, JudgedClaim

TABLE_CLASS = "claims"
COLUMNS = ("#", "where", "paper", "kind", "ours", "experiment", "verdict", "judged from")


def format_claims(
    judged: Sequence[JudgedClaim], width: int = 118, *, shipped: Sequence[JudgedClaim] | None = None
) -> str:
    """Return the claims as text: a line with number, verdict, place and claim, and below it values and evidence.

    Parameters
    ----------
    judged
        Judged claims of one scale.
    width
        Number of characters of a line.
    shipped
        The same claims, judged from the results in the source tree.
    """
    others = {} if shipped is None else {j.claim.label: j for j in shipped}
    verdicts = max(len(j.outcome.verdict) for j in judged)
    places = max(len(j.claim.where) for j in judged)
    indent = " " * (8 + verdicts + places)
    lines = [f"Claims of the paper at the {judged[0].scale} scale, labels by {judged[0].reference}", ""]
    for j in judged:
        head = f"{j.claim.label:<4}{j.outcome.verdict:<{verdicts}}  {j.claim.where:<{places}}  "
        lines += textwrap.wrap(head + j.claim.paper, width, subsequent_indent=indent)
        details = [("ours", j.outcome.ours), ("experiment", j.outcome.experiment)]
        details += [("judged from", source) for source in j.outcome.judged_from]
        if (other := others.get(j.claim.label)) and other.outcome != j.outcome:
            result = "; ".join(filter(None, (other.outcome.verdict, other.outcome.ours, *other.outcome.judged_from)))
            details.append((f"shipped, {other.scale} scale", result))
        for name, text in details:
            if text:
                lines += textwrap.wrap(f"{name}: {text}", width, initial_indent=indent, subsequent_indent=indent + "  ")
    return "\n".join(lines)


def claims_html(judged: Sequence[JudgedClaim], *, shipped: Sequence[JudgedClaim] | None = None) -> str:
    """Return the claims as an HTML table, with two further columns for judgements from the shipped results."""
    others = {} if shipped is None else {j.claim.label: j for j in shipped}
    columns = COLUMNS + ((f"shipped, {shipped[0].scale} scale", "judged from") if shipped else ())
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = []
    for j in judged:
        claim, outcome, other = j.claim, j.outcome, others.get(j.claim.label)
        measured = outcome.experiment or (other.outcome.experiment if other else "")  # the same for both
        cells = (claim.label, claim.where, claim.paper, claim.kind, outcome.ours, measured)
        row = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        style = ' class="bad"' if outcome.verdict == NOT_REPRODUCED else ""
        sources = "<br>".join(map(html.escape, outcome.judged_from))
        row += f"<td{style}>{html.escape(outcome.verdict)}</td><td>{sources}</td>"
        if other:
            style = ' class="bad"' if other.outcome.verdict == NOT_REPRODUCED else ""
            text = ": ".join(filter(None, (other.outcome.verdict, other.outcome.ours)))
            sources = "<br>".join(map(html.escape, other.outcome.judged_from))
            row += f"<td{style}>{html.escape(text)}</td><td>{sources}</td>"
        rows.append(f"<tr>{row}</tr>")
    head = f"<thead><tr>{head}</tr></thead>"
    return f'<table class="{TABLE_CLASS}">{head}<tbody>{"".join(rows)}</tbody></table>'
