"""What the comment line of an extended XYZ frame announces, compared with the frame before anything is allocated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError

_PROPERTIES = re.compile(r'(?:^|\s)properties=(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def check_frame(lines: Sequence[str]) -> None:
    """Compare the columns that a frame announces with those of its first atom.

    Parameters
    ----------
    lines
        Number of atoms, comment, and a line for each atom.

    Raises
    ------
    InputError
        ``Properties`` that are no triples NAME:TYPE:COUNT, or announce more columns than there are.
    """
    found = _PROPERTIES.search(lines[1]) if len(lines) > 2 else None
    if found is None:
        return
    parts = (found[1] or found[2]).split(":")
    counts = [count for part in parts[2::3] if (count := count_in(part)) is not None]
    if 3 * len(counts) != len(parts):
        raise InputError(f"Properties={':'.join(parts)[:80]} is no list of NAME:TYPE:COUNT")
    announced, there = sum(counts), len(lines[2].split())
    if announced > there:
        raise InputError(f"Properties announce {announced} columns, its first atom has {there}")
