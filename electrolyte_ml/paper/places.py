"""Folders of the source tree and of the results of runs."""

from __future__ import annotations

import os
from pathlib import Path

from electrolyte_ml.errors import InputError


def checkout() -> Path | None:
    """Return the root of the source tree that the package runs from, or None if it was installed from a wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def shipped_file(name: str) -> Path:
    """Return the path of a file in ``data`` of the source tree.

    Raises
    ------
    InputError
        There is no source tree.
    """
    root = checkout()
    if root is None:
        raise InputError(f"{name} is part of the source tree: run this in a clone of it")
    return root / "data" / name


def results_root() -> Path:
    """Return the folder of all results of runs.

    It is the value of ``ELECTROLYTE_ML_RESULTS`` if that is set, else ``results/`` of the source tree, or of the
    current folder without a source tree.
    """
    value = os.environ.get("ELECTROLYTE_ML_RESULTS")
    return Path(value).resolve() if value else (checkout() or Path.cwd()) / "results"


def shipped_results() -> Path | None:
    """Return the folder of the results in the source tree, or None without one."""
    root = checkout()
    return None if root is None else root / "data" / "results"


def shown_path(path: Path) -> str:
    """Return a file's path relative to the folder of results or to the source tree, or the whole path."""
    for folder in (results_root(), checkout()):
        if folder is not None and path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return str(path)
