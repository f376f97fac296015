"""What the figures of commands say of their data, and where they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure


def reference_of(configurations: Sequence[Atoms]) -> str:
    """Name what labelled the configurations, if they say it."""
    names = {str(atoms.info["reference"]) for atoms in configurations if "reference" in atoms.info}
    return ", ".join(sorted(names)) or "not stated in the file"


def scale_of(path: Path, configurations: Sequence[Atoms]) -> str:
    """Name the data of a figure."""
    return f"{path.name}, {len(configurations)} configurations"


def save(figure: Figure, path: Path, quiet: bool) -> None:
    """Write a figure as a PNG, and say so unless the command prints JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    if not quiet:
        print(f"Figure: {path}")
