"""Files of one molecule: ``.xyz`` with its charge, and MDL's ``.mol`` and ``.sdf``.

An ``.xyz`` file is in the extended XYZ format. Its second line holds ``charge`` (e), and optionally ``bonds`` (such as
"1-2 1-3", counted from 1), ``full_name``, ``smiles``, ``geometry`` and ``made_by``. Without ``bonds``, the bonds are
found from the positions. `write_molecule` writes all entries; the library of the package consists of such files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.structures.bonding import bonds as bonds_of_positions
from electrolyte_ml.structures.charge import states_charge, total_charge
from electrolyte_ml.structures.configurations import read_configurations
from electrolyte_ml.structures.graphs import BondGraph
from electrolyte_ml.structures.molecules import Molecule, agreed_charge
from electrolyte_ml.structures.smiles import read_mdl

XYZ = (".xyz", ".extxyz")
MDL = (".mol", ".sdf")
SUFFIXES = (*XYZ, *MDL)
_NOTES = ("full_name", "smiles", "geometry", "made_by")


def is_molecule_file(text: str) -> bool:
    """Return whether a text is the name of a molecule file, by its suffix."""
    return Path(text).suffix.lower() in SUFFIXES


def read_molecule(path: str | os.PathLike, charge: int | None = None) -> Molecule:
    """Read a molecule from a file; the molecule is named after the file, without the suffix.

    Parameters
    ----------
    path
        ``.xyz``, ``.mol`` or ``.sdf``. The last two are read by RDKit; they must contain all hydrogens and positions in
        three dimensions.
    charge
        Total charge in e, required if the file has none. A ``.mol`` or ``.sdf`` file has one: the sum of its formal
        charges.

    Raises
    ------
    InputError
        The suffix is unknown; there is no charge, or it differs from that of the file; the file holds several
        molecules; or its bonds differ from those found from the positions.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() in XYZ:
        return _read_xyz(path, charge)
    if path.suffix.lower() in MDL:
        return read_mdl(path, charge)
    raise InputError(f"{path}: a molecule is read from {', '.join(SUFFIXES)}")


def write_molecule(path: str | os.PathLike, molecule: Molecule) -> None:
    """Write a molecule as extended XYZ with its charge, bonds and notes.

    Raises
    ------
    InputError
        The suffix is not ``.xyz`` or ``.extxyz``, or a note holds a quotation mark or a line break.
    """
    path = Path(path)
    if path.suffix.lower() not in XYZ:
        raise InputError(f"{path}: a molecule is written to {' or '.join(XYZ)}")
    entries = [f"charge={molecule.charge}"]
    notes = {"bonds": " ".join(f"{i + 1}-{j + 1}" for i, j in molecule.bonds)}
    notes |= {key: getattr(molecule, key) for key in _NOTES}
    for key, value in notes.items():
        if set('"\n') & set(value):
            raise InputError(f"{path}: {key} = {value!r} cannot be written in the second line of an .xyz file")
        if value:
            escaped = value.replace("\\", "\\\\")
            entries.append(f'{key}="{escaped}"')
    lines = [str(len(molecule.symbols)), "Properties=species:S:1:pos:R:3 " + " ".join(entries)]
    for symbol, position in zip(molecule.symbols, molecule.positions):
        lines.append(f"{symbol:2s}" + "".join(f" {x + 0.0:9.4f}" for x in position.round(4)))
    atomic_write(path, "\n".join([*lines, ""]))


def _read_xyz(path: Path, charge: int | None) -> Molecule:
    configurations = read_configurations(path)
    if len(configurations) > 1:
        raise InputError(f"{path} holds {len(configurations)} configurations; a molecule file holds one")
    atoms = configurations[0]
    if states_charge(atoms):
        charge = agreed_charge(charge, total_charge(atoms), str(path))
    if charge is None:
        raise InputError(
            f"{path} does not state the charge: write charge=0 in its second line "
            f"(electrolyte-ml molecule {path.name} --charge 0 -o NEW.xyz does so)"
        )
    alone = Atoms(atoms.numbers, atoms.positions)
    try:
        found = [(i, j) for i, j in sorted(bonds_of_positions(alone).tolist())]
    except InputError as error:  # positions that cannot be searched
        raise InputError(f"{path}: {error}") from None
    bonds = _bonds(path, atoms.info["bonds"], found) if atoms.info.get("bonds") else found
    if not BondGraph(atoms.numbers, np.array(bonds)).is_connected():
        raise InputError(f"{path}: its atoms are not bonded into one molecule")
    notes = {key: str(atoms.info[key]) for key in _NOTES if key in atoms.info}
    return Molecule(path.stem, charge, tuple(atoms.symbols), atoms.positions, tuple(bonds), **notes)


def _bonds(path: Path, text: object, found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the bonds of the file in their order, checked against those `found` from the positions."""
    try:
        pairs = [tuple(sorted(int(end) - 1 for end in pair.split("-"))) for pair in str(text).split()]
        bonds = [(i, j) for i, j in pairs]
    except ValueError:
        raise InputError(f"{path}: cannot read bonds={str(text)!r}; write pairs of atoms such as '1-2 1-3'") from None
    if different := sorted(set(bonds) ^ set(found)):
        i, j = different[0]
        has, lacks = ("bonds", "positions") if (i, j) in bonds else ("positions", "bonds")
        raise InputError(f"{path}: atoms {i + 1} and {j + 1} are bonded according to its {has}, not to its {lacks}")
    return bonds
