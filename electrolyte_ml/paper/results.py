"""Stored results of runs: small JSON files beside the labels, from which the claims are judged."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from electrolyte_ml.files import atomic_write, read_json
from electrolyte_ml.paper.scales import Scale, shipped


def result_path(name: str, scale: Scale) -> Path:
    """Return the file of a result, ``results/<scale>/<name>.json``."""
    return scale.directory / f"{name}.json"


def save_result(name: str, values: dict[str, Any], scale: Scale) -> None:
    """Store a result as a JSON file, atomically.

    Parameters
    ----------
    name
        Name of the result, for example ``"pure_solvents"``; an older result of this name is replaced.
    values
        Numbers, strings, lists and dictionaries of them; NumPy arrays and numbers are converted.
    scale
        Scale at which the result was computed.
    """
    text = json.dumps(values, indent=1, default=_plain)
    atomic_write(result_path(name, scale), text + "\n")


def load_result(name: str, scale: Scale) -> dict[str, Any] | None:
    """Return a stored result, or None if the scale has none of this name.

    Raises
    ------
    InputError
        The file is not JSON.
    """
    path = result_path(name, scale)
    try:
        return read_json(path)
    except FileNotFoundError:
        return None


def shipped_result(name: str, scale: str) -> dict[str, Any] | None:
    """Return a result of a scale in the source tree, or None if there is none of this name."""
    chosen = shipped(scale)
    return None if chosen is None else load_result(name, chosen)


def with_result(name: str, scale: Scale) -> Scale:
    """Return the scale that has a result of this name: this one, otherwise the same with the results that ship.

    A scale that ships nothing is returned as it is, without the result.
    """
    if result_path(name, scale).exists():
        return scale
    return shipped(scale.name) or scale


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a result cannot hold a {type(value).__name__}")
