"""Checks before a run: of the start, and of a directory that may hold another run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.dynamics.monitors import Monitor
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.charge import total_charge


def check_start(atoms: Atoms, ensemble: str) -> None:
    """Refuse a start that cannot be run.

    Raises
    ------
    InputError
        The start is not valid; the message names the fault and the atom.
    """
    if len(atoms) < 2:
        raise InputError(f"a run needs at least two atoms, not {len(atoms)}")
    for name, values in (("position", atoms.positions), ("momentum", atoms.get_momenta())):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise InputError(f"the {name} of atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) is not finite")
    masses = atoms.get_masses()
    bad = np.flatnonzero(~(masses > 0))
    if bad.size:
        raise InputError(
            f"atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) has mass {masses[bad[0]]}; masses must be positive"
        )
    total_charge(atoms, "the start")
    if atoms.constraints:
        raise InputError("the start has constraints, which no ensemble supports; remove them")
    if not np.isfinite(atoms.cell.array).all():
        raise InputError("the cell is not finite")
    lengths = atoms.cell.lengths()
    if atoms.pbc.any() and (
        (lengths[atoms.pbc] < 1e-3).any() or (atoms.pbc.all() and atoms.cell.volume < 1e-6 * lengths.prod())
    ):
        raise InputError("the cell has no volume, or no vector along a periodic direction")
    if ensemble == "npt" and not atoms.pbc.all():
        raise InputError("constant pressure needs a cell that is periodic in all three directions")


def check_orthorhombic(atoms: Atoms, ensemble: str) -> None:
    """Refuse an anisotropic run that is not at constant pressure, or whose cell vectors are not along x, y and z.

    Raises
    ------
    InputError
        The ensemble or the cell does not allow it; the message says which.
    """
    if ensemble != "npt":
        raise InputError(f"anisotropic changes of the cell need constant pressure, npt, not {ensemble}")
    cell = atoms.cell.array
    if np.abs(cell - np.diag(np.diag(cell))).max() > 1e-9 * np.abs(cell).max() or (np.diag(cell) <= 0).any():
        raise InputError("anisotropic changes of the cell need an orthorhombic cell with its vectors along x, y and z")


POTENTIAL = ("potential", "precision")  # settings that describe the forces
_ROWS = ("positions", "momenta", "forces", "start_positions")
_META = {"step": int, "saved": int, "reason": str, "detail": str, "settings": dict, "lengths": dict}


def check_restart(directory: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Refuse a restart file with missing or impossible content.

    Raises
    ------
    InputError
        Naming the file and its first fault.
    """
    path = directory / "restart.npz"
    n_atoms = len(arrays["numbers"]) if np.ndim(arrays.get("numbers", 0)) else 0
    shapes: dict[str, tuple[int, ...]] = {"cell": (3, 3), "start_cell": (3, 3), "pbc": (3,)}
    shapes.update(numbers=(n_atoms,), masses=(n_atoms,), scalars=np.shape(arrays.get("scalars", 0)))
    shapes.update((name, (n_atoms, 3)) for name in _ROWS)
    # A run that has exploded ends with numbers that are not finite.
    free = ("positions", "momenta", "forces", "scalars", "cell") if meta.get("reason") not in ("", "completed") else ()
    for name, shape in shapes.items():
        values = arrays.get(name)
        if (
            values is None
            or values.shape != shape
            or values.dtype.kind not in "bif"
            or not (name in free or np.isfinite(values).all())
        ):
            raise InputError(f"{path} is damaged: no {name} of {n_atoms} atoms")
    for name, kind in _META.items():
        if type(meta.get(name)) is not kind:
            raise InputError(f"{path} is damaged: no {name}")
    counts = (meta["step"], meta["saved"], meta.get("repeated_steps", 0), *meta["lengths"].values())
    if any(type(count) is not int or count < 0 for count in counts):
        raise InputError(f"{path} is damaged: a negative count")


def check_monitors(directory: Path, meta: dict[str, Any], monitors: Sequence[Monitor]) -> None:
    """Refuse the result of a run that has ended without the check of a monitor.

    Raises
    ------
    InputError
        Naming the check.
    """
    known = meta.get("monitors")  # absent in files of older versions
    missing = [] if known is None else [monitor.reason for monitor in monitors if monitor.reason not in known]
    if missing:
        raise InputError(
            f"{directory} holds a run that has ended and was not checked by a monitor ({', '.join(missing)}); choose "
            "another directory or delete it"
        )


def check_same_run(
    directory: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any], atoms: Atoms, settings: dict[str, Any]
) -> None:
    """Refuse to continue a run with other settings or another start.

    Raises
    ------
    InputError
        Naming the difference.
    """
    for name, value in settings.items():
        if name in POTENTIAL and name not in meta["settings"]:
            continue  # absent in files of older versions
        if name == "potential" and meta["settings"][name] != value:
            raise InputError(f"{directory} was started with another potential; choose another directory or delete it")
        if meta["settings"].get(name) != value:
            raise InputError(
                f"{directory} holds a run with {name} = {meta['settings'].get(name)}, not {value}; "
                "choose another directory or delete it"
            )
    charge = meta.get("info", {}).get("charge", 0)  # absent in files of older versions
    if charge != total_charge(atoms):
        raise InputError(
            f"{directory} holds a run of total charge {charge}, not {total_charge(atoms)}; "
            "choose another directory or delete it"
        )
    same = np.array_equal(arrays["numbers"], atoms.numbers) and np.array_equal(arrays["pbc"], atoms.pbc)
    # A start that was read from a text file may differ in the last digits.
    if (
        not same
        or not np.allclose(arrays["start_positions"], atoms.positions, atol=1e-4)
        or not np.allclose(arrays["start_cell"], atoms.cell.array, atol=1e-4)
    ):
        raise InputError(f"{directory} holds a run from another start; choose another directory or delete it")
