"""Check of the comment line of an extended XYZ frame against its atoms, before arrays are allocated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError

_PROPERTIES = re.compile(r'(?:^|\s)properties=(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def check_frame(lines: Sequence[str]) -> None:
    """Compare the number of columns in ``Properties`` with the line of the first atom.

    Parameters
    ----------
    lines
        Number of atoms, comment, and one line per atom.

    Raises
    ------
    InputError
        ``Properties`` is not a list of triples NAME:TYPE:COUNT, or has more columns than the atom.
    """
    match = _PROPERTIES.search(lines[1]) if len(lines) > 2 else None
    if match is None:
        return
    parts = (match[1] or match[2]).split(":")
    counts = [count for part in parts[2::3] if (count := count_in(part)) is not None]
    if 3 * len(counts) != len(parts):
        raise InputError(f"Properties={':'.join(parts)[:80]} is not a list of NAME:TYPE:COUNT")
    announced, there = sum(counts), len(lines[2].split())
    if announced > there:
        raise InputError(f"Properties has {announced} columns, but the first atom has {there}")
