"""Where the source tree is, and where runs leave their results."""

from __future__ import annotations

import os
from pathlib import Path


def checkout() -> Path | None:
    """Return the root of the source tree this package runs from, or None when it was installed from a wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def results_root() -> Path:
    """Return the folder of everything that runs leave behind.

    It is ``ELECTROLYTE_ML_RESULTS`` where that is set, ``results/`` of the source tree where there is one, and else
    ``results/`` of the current folder.
    """
    named = os.environ.get("ELECTROLYTE_ML_RESULTS")
    return Path(named).resolve() if named else (checkout() or Path.cwd()) / "results"


def shipped_results() -> Path | None:
    """Return the folder of the results that come with the source tree, or None without one."""
    root = checkout()
    return None if root is None else root / "data" / "results"


def shown_path(path: Path) -> str:
    """Return a file's path below the folder of results, or below the source tree if it comes with that."""
    for folder in (results_root(), checkout()):
        if folder is not None and path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return str(path)
