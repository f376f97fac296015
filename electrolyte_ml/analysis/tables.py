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
            low, high = e.interval
            yield (
                f"    {key!s:<24} {e.value:8.3f} ± {e.error:7.3f}   {low:7.3f} to {high:7.3f}   "
                f"{e.band[0]:7.3f} to {e.band[1]:7.3f}"
            )
        else:
            yield f"    {key!s:<24} {'none':>8}"
