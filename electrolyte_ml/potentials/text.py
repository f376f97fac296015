"""Text of the file of a potential: a header, then the text of each term.

Readers of MLIP's `.mtp` files do not accept the first line::

    electrolyte_ml potential 1
    reference = GFN1-xTB
    terms = 2
    term = mtp, 95 lines
    MTP
    ...
    term = zbl, 4 lines
    ...
    end
"""

from __future__ import annotations

from collections.abc import Sequence

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError

FORMAT = "electrolyte_ml potential"
HEADER = f"{FORMAT} 1"


def compose(terms: Sequence[tuple[str, str]], reference: str | None) -> str:
    """Return the content of a file.

    Parameters
    ----------
    terms
        Kind and text of each term.
    reference
        Level of theory that labelled the training data.

    Raises
    ------
    InputError
        The reference is not a single line.
    """
    if reference is not None and (reference != reference.strip() or len(reference.splitlines()) != 1):
        raise InputError(f"the reference {reference!r} must be one line, without spaces around it")
    lines = [HEADER, f"reference = {reference or ''}", f"terms = {len(terms)}"]
    for kind, text in terms:
        rows = text.rstrip("\n").split("\n")
        lines += [f"term = {kind}, {len(rows)} lines", *rows]
    return "\n".join([*lines, "end"]) + "\n"


def parse(content: str, source: str) -> tuple[list[tuple[str, int, str]], str | None]:
    """Read the content written by `compose`: kind, first line and text of each term, and the reference.

    Raises
    ------
    InputError
        The content cannot be read; the message names source and line.
    """
    lines = [line + "\n" for line in content.removesuffix("\n").split("\n")]
    number = 1
    if lines[0].rstrip() != HEADER:
        raise InputError(
            f"{source}, line 1: {lines[0].rstrip()[:60]!r} is not the supported version of the format, {HEADER!r}"
        )

    def value(key: str) -> str:
        nonlocal number
        number += 1
        if number > len(lines):
            raise InputError(f"{source}, line {number}: the file ends before '{key} = ...'")
        name, equals, rest = lines[number - 1].partition("=")
        if name.strip() != key or not equals:
            found = lines[number - 1].strip()[:40]
            raise InputError(f"{source}, line {number}: expected '{key} = ...', found {found!r}")
        return rest.strip()

    reference = value("reference") or None
    stated = value("terms")
    if not (count := count_in(stated)):
        raise InputError(f"{source}, line {number}: {stated[:40]!r} is not a number of terms")
    terms = []
    for _ in range(count):
        kind, _, size = value("term").partition(",")
        length = count_in(size.removesuffix("lines"))
        if length is None:
            raise InputError(f"{source}, line {number}: expected 'term = KIND, NUMBER lines'")
        text = lines[number : number + length]
        if len(text) < length:
            raise InputError(
                f"{source}, line {len(lines)}: the file ends in a term of kind {kind}, after {len(text)} of {length} "
                "lines"
            )
        terms.append((kind.strip(), number + 1, "".join(text)))
        number += length
    if "".join(lines[number:]).strip() != "end":
        raise InputError(f"{source}, line {number + 1}: expected 'end' and nothing after it")
    return terms, reference
