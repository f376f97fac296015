"""Library of molecules, and recognition of the molecules of a system by their bonds.

The library is a folder with one file per molecule in the format of :mod:`electrolyte_ml.structures.molecule_files`.
Geometries are the lowest conformers found with GFN1-xTB; the entry `made_by` of each file is the command that makes it.
To add a molecule, add its file to the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from electrolyte_ml.structures.graphs import BondGraph, members
from electrolyte_ml.structures.molecule_files import read_molecule
from electrolyte_ml.structures.molecules import Molecule


class Library(Mapping[str, Molecule]):
    """Molecules of a folder by name; each file is read when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.xyz"))}
        self._read: dict[str, Molecule] = {}

    def __getitem__(self, name: str) -> Molecule:
        if name not in self._read:
            self._read[name] = read_molecule(self._paths[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


MOLECULES: Mapping[str, Molecule] = Library(Path(__file__).parent)


def recognise(
    numbers: np.ndarray, bonds: np.ndarray, molecule: np.ndarray, own_molecules: Mapping[str, Molecule] | None = None
) -> list[str | None]:
    """Name the molecules of a system by their bonds.

    Parameters
    ----------
    numbers, molecule
        (N,) atomic number, and molecule of each atom, counted from 0.
    bonds
        (n_bonds, 2) bonded pairs.
    own_molecules
        Molecules by name; they take precedence over `MOLECULES`.

    Returns
    -------
    list of str or None
        Name of each molecule; None for a molecule that is neither in `own_molecules` nor in the library.
    """
    parts = members(molecule)
    place = np.zeros(len(numbers), dtype=int)  # index of each atom within its molecule
    for part in parts:
        place[part] = np.arange(len(part))
    pairs = np.reshape(bonds, (-1, 2)).astype(int)
    # Sort the bonds: molecules with the same atom order then have equal keys and are compared with the library once.
    local = np.sort(place[pairs], axis=1)
    order = np.lexsort((local[:, 1], local[:, 0], molecule[pairs[:, 0]]))
    local = local[order]
    ends = np.cumsum(np.bincount(molecule[pairs[:, 0]], minlength=len(parts)))
    known: dict[tuple[bytes, bytes], str | None] = {}
    names = []
    for part, own_bonds in zip(parts, np.split(local, ends[:-1])):
        key = numbers[part].tobytes(), own_bonds.tobytes()
        if key not in known:
            known[key] = _name(BondGraph(numbers[part], own_bonds), [own_molecules or {}, MOLECULES])
        names.append(known[key])
    return names


def _name(graph: BondGraph, collections: Sequence[Mapping[str, Molecule]]) -> str | None:
    for collection in collections:
        for name, candidate in collection.items():
            if candidate.graph.mapping_to(graph) is not None:
                return name
    return None
