"""Reading of the active set that MLIP-3 stores after the potential in an ``.almtp`` file.

A line ``#MVS_v1.1`` ends the text of the potential. It is followed by five lines with the weights of the equations,
then "#" and, without a line end, the square matrix A and the transpose of its inverse, both row by row as little-endian
float64. Then follow lines with two numbers for each row: the configuration and the equation that it came from.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError

MARKER = b"#MVS_v1.1"
_WEIGHTS = ("energy_weight", "force_weight", "stress_weight", "site_en_weight", "weight_scaling")
_UNIT = 1e-6  # MaxVol starts from this multiple of the unit matrix
_SECTION_END = b"\n#\n"


class Selection(NamedTuple):
    """MaxVol matrix of the neighbourhoods in a training set.

    Attributes
    ----------
    matrix, inverse : (m, m)
        A, whose rows are derivatives of site energies by the parameters, and A^-1.
    active : (m,) bool
        Whether a row comes from the training set; the other rows are those of the initial unit matrix.
    configurations : (m,) int
        Number of the configuration that each row came from; -1 if unknown, and for initial rows.
    """

    matrix: np.ndarray
    inverse: np.ndarray
    active: np.ndarray
    configurations: np.ndarray


def has_selection(path: Path) -> bool:
    """Return whether a file contains an active set of MLIP-3."""
    return MARKER in path.read_bytes()


def read_selection(path: Path, size: int) -> Selection:
    """Read the active set of a file.

    Parameters
    ----------
    path
        An ``.almtp`` file.
    size
        Number of parameters of its potential.

    Raises
    ------
    InputError
        There is no active set, its rows are not neighbourhoods, or the section is incomplete or damaged. The message
        names the file.
    """
    _, found, section = path.read_bytes().partition(MARKER)
    if not found:
        raise InputError(f"{path} contains no active set of MLIP-3")
    *head, rest = section.lstrip(b"\r\n").split(b"\n", len(_WEIGHTS))
    weights = dict(_weight(path, line) for line in head)
    if tuple(weights) != _WEIGHTS or not rest.startswith(b"#"):
        raise InputError(f"{path}: the header of its active set is damaged")
    used = [name for name in _WEIGHTS[:4] if weights[name]]
    if used != ["site_en_weight"]:
        raise InputError(
            f"{path}: its active set was chosen with {', '.join(f'{name} {weights[name]:g}' for name in used)}; only "
            "sets of neighbourhoods (site_en_weight) can be read. Build one from the training set instead (--train)"
        )
    bytes_each = 8 * size**2
    matrices, tail = rest[1 : 1 + 2 * bytes_each], rest[1 + 2 * bytes_each :]
    if len(matrices) < 2 * bytes_each or not tail.startswith(_SECTION_END):
        raise InputError(f"{path}: its active set is incomplete, or is not for {size} parameters")
    matrix, transposed = np.frombuffer(matrices, "<f8").astype(float).reshape(2, size, size)
    if not np.allclose(matrix @ transposed.T, np.eye(size), atol=1e-3):
        raise InputError(f"{path} is damaged: the matrices of its active set are not the inverse of each other")
    active = (matrix != _UNIT * np.eye(size)).any(axis=1)
    configurations = np.where(active, _links(path, tail[len(_SECTION_END) :], size), -1)
    matrix /= weights["site_en_weight"]
    return Selection(matrix, np.linalg.inv(matrix), active, configurations)


def selection_content(selection: Selection) -> bytes:
    """Return what follows the text of a potential in a ``.almtp`` file: an active set of neighbourhoods.

    Rows that are not active are written as those of MLIP's own start: a small multiple of the unit matrix.
    """
    values = {"site_en_weight": 1, "weight_scaling": 2}
    head = "".join(f"{name} {values.get(name, 0)}\n" for name in _WEIGHTS)
    matrix = np.where(selection.active[:, None], selection.matrix, _UNIT * np.eye(len(selection.active)))
    matrices = (np.ascontiguousarray(part, "<f8").tobytes() for part in (matrix, np.linalg.inv(matrix).T))
    links = "".join(f"{configuration} 0\n" for configuration in selection.configurations)
    return MARKER + b"\n" + head.encode() + b"#" + b"".join(matrices) + _SECTION_END + links.encode()


def _weight(path: Path, line: bytes) -> tuple[str, float]:
    name, _, value = line.decode(errors="replace").partition(" ")
    try:
        return name, float(value)
    except ValueError:
        raise InputError(f"{path}: {name[:40]} of its active set is not a number: {value[:40]!r}") from None


def _links(path: Path, text: bytes, size: int) -> np.ndarray:
    """Return the number of the configuration of each row (m,), -1 if unknown."""
    lines = text.split(b"\n", size)[:size]
    try:
        return np.array([int(line.split()[0]) for line in lines if len(line.split()) == 2]).reshape(size)
    except ValueError:
        raise InputError(f"{path}: its active set does not name the configurations of all {size} rows") from None
