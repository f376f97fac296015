"""Checks of single values: each returns the value or raises an `InputError` that names it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from electrolyte_ml.errors import InputError


def number(name: str, value: Any, unit: str = "", *, least: float | None = None, most: float = math.inf) -> float:
    """Return a finite number.

    Parameters
    ----------
    name
        Name of the value, for the message.
    value
        Anything that `float` accepts, except a bool.
    unit
        Unit of the value, for the message.
    least
        The smallest value allowed, ``-math.inf`` for any; by default the number must be positive.
    most
        The largest value allowed.

    Raises
    ------
    InputError
        Not a number, not finite, too small or too large.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, not {value!r}") from None
    allowed = result > 0 if least is None else result >= least
    if not (math.isfinite(result) and allowed):
        wanted = "positive" if least is None else f"{least:g} or more" if result < least else "finite"
        raise InputError(f"{name} must be {wanted}, not {value} {unit}".rstrip())
    if result > most:
        raise InputError(f"{name} must be {most:g} or less, not {value} {unit}".rstrip())
    return result


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """Return a whole number that is not below `least`.

    Raises
    ------
    InputError
        Not a whole number, or too small.
    """
    import numbers

    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}")
    return int(value)


def count_in(text: str | bytes) -> int | None:
    """Return the count that a text of digits states, or None where it is none, or too long to be one (12 digits)."""
    digits = text.strip()
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) <= 12 else None


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """Return a value that is one of the choices.

    Raises
    ------
    InputError
        It is none of them; the message names them.
    """
    if value not in choices:
        raise InputError(f"no {name} {value!r}; there are {', '.join(choices)}")
    return value
