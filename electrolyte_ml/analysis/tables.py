"""Tables of estimates as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from electrolyte_ml.analysis.bootstrap import Estimate


def rows(title: str, values: Mapping[Any, Estimate]) -> Iterable[str]:
    """Yield the lines of a table: a title, then one line per estimate."""
    yield f"  {title}"
    for key, e in values.items():
        if e.value == e.value:
            error, low, high, less, more = map(_written, (e.error, *e.interval, *e.band))
            yield f"    {key!s:<24} {e.value:8.3f} ± {error}   {low} to {high}   {less} to {more}"
        else:
            yield f"    {key!s:<24} {'none':>8}"


def _written(x: float) -> str:
    """Return a number in seven columns; a question mark where it is not known."""
    return f"{x:7.3f}" if x == x else f"{'?':>7}"
