"""Labels of the figures of commands, and writing of figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.files import atomic_write

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure


def reference_of(configurations: Sequence[Atoms]) -> str:
    """Return the names of the references in the configurations' info, for a figure."""
    names = {str(atoms.info["reference"]) for atoms in configurations if "reference" in atoms.info}
    return ", ".join(sorted(names)) or "not stated in the file"


def scale_of(path: Path, configurations: Sequence[Atoms]) -> str:
    """Return the name of the data of a figure."""
    return f"{path.name}, {len(configurations)} configurations"


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's suffix."""
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format=path.suffix[1:] or "png")
    atomic_write(path, content.getvalue())


def save(figure: Figure, path: Path, quiet: bool) -> None:
    """Write a figure, and print its path unless `quiet`."""
    write_figure(figure, path)
    if not quiet:
        print(f"Figure: {path}")
