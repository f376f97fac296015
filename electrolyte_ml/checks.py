"""Checks of single values; each returns the value or raises an `InputError` that names it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from electrolyte_ml.errors import InputError


def number(name: str, value: Any, unit: str = "", *, least: float | None = None, most: float = math.inf) -> float:
    """Return the value as a finite number.

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
        The value is not a number, not finite, too small or too large.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be a number, not {value!r}") from None
    allowed = result > 0 if least is None else result >= least
    if not (math.isfinite(result) and allowed):
        wanted = "positive" if least is None else f"{least:g} or more" if result < least else "finite"
        raise InputError(f"{name} must be {wanted}, not {value} {unit}".rstrip())
    if result > most:
        raise InputError(f"{name} must be {most:g} or less, not {value} {unit}".rstrip())
    return result


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """Return the value as a whole number of at least `least`.

    Raises
    ------
    InputError
        The value is not a whole number, or too small.
    """
    import numbers

    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}")
    return int(value)


def count_in(text: str | bytes) -> int | None:
    """Return the whole number that a text of at most 12 digits states, or None for any other text."""
    digits = text.strip()
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) <= 12 else None


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """Return the value if it is one of the choices.

    Raises
    ------
    InputError
        The value is not one of the choices, which the message lists.
    """
    if value not in choices:
        raise InputError(f"no {name} {value!r}; there are {', '.join(choices)}")
    return value
