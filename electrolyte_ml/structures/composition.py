"""Compositions: molecules and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.molecules import Molecule, signed
from electrolyte_ml.structures.naming import find_molecule, salt_ions

_MOST = 1_000_000  # most molecules of one kind, ten times more than in the largest simulated boxes


def parse_composition(
    parts: str | Iterable[str], own_molecules: Mapping[str, Molecule] | None = None
) -> dict[str, int]:
    """Read a composition such as ``["EC=16", "EMC=2", "LiPF6=1"]`` or ``"EC=16 C1COC(=O)O1=2"``.

    Parameters
    ----------
    parts
        Parts NAME=COUNT, split at the last "=". NAME is the name of a molecule, a salt or a file, or a SMILES, see
        :func:`electrolyte_ml.structures.naming.find_molecule`.
    own_molecules
        Molecules by name; they take precedence over the library.

    Returns
    -------
    dict
        Name -> number of molecules, in the order given.

    Raises
    ------
    InputError
        A part is not NAME=COUNT, its name is unknown or repeated, or its count is not a whole number.
    """
    composition: dict[str, int] = {}
    for part in parts.split() if isinstance(parts, str) else parts:
        name, _, text = part.rpartition("=")
        if not text.isdecimal() or not name:
            raise InputError(f"cannot read {part[:80]!r} as a composition; write NAME=COUNT, such as EC=16")
        count = count_in(text)
        if count is None or count > _MOST:
            raise InputError(f"{name[:40]}={text[:20]}: at most {_MOST} molecules of a kind are possible")
        if name in composition:
            raise InputError(f"{name} is given twice in the composition")
        composition[name] = count
    molecules_of(composition, own_molecules)
    return composition


def molecules_of(composition: Mapping[str, int], own_molecules: Mapping[str, Molecule] | None = None) -> list[Molecule]:
    """Return every molecule of a composition; for a salt all cations, then all anions.

    Raises
    ------
    InputError
        A molecule is unknown, a count is negative or not a whole number, or there is no molecule.
    """
    molecules: list[Molecule] = []
    for name, count in composition.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"the number of {name} must be an integer of 0 or more, got {count!r}")
        for part, times in (salt_ions(name, own_molecules) or {name: 1}).items():
            molecules += [find_molecule(part, own_molecules)] * (times * int(count))
    if not molecules:
        raise InputError("the composition is empty")
    return molecules


def atoms_in(cell: str) -> int:
    """Return the number of atoms of a composition such as "EC=35 EMC=15".

    Raises
    ------
    InputError
        As for `parse_composition`.
    """
    return sum(len(molecule.symbols) for molecule in molecules_of(parse_composition(cell)))


def require_charge(
    composition: Mapping[str, int], charge: int = 0, own_molecules: Mapping[str, Molecule] | None = None
) -> None:
    """Check the total charge of a composition.

    Raises
    ------
    InputError
        The sum of the charges of its molecules differs from `charge`.
    """
    totals: dict[str, int] = {}
    for molecule in molecules_of(composition, own_molecules):
        if molecule.charge:
            totals[molecule.name] = totals.get(molecule.name, 0) + molecule.charge
    if (total := sum(totals.values())) != charge:
        ions = ", ".join(f"{name} {part:+d}" for name, part in totals.items()) or "no ions"
        raise InputError(
            f"{written(composition)}: the charges sum to {signed(total)} e ({ions}), not to {signed(charge)}: change "
            f"the numbers of ions, or state the total charge, {total}"
        )


def elements_of(composition: Mapping[str, int], own_molecules: Mapping[str, Molecule] | None = None) -> set[str]:
    """Return the chemical symbols in a composition."""
    return {symbol for molecule in set(molecules_of(composition, own_molecules)) for symbol in molecule.symbols}


def written(composition: Mapping[str, int]) -> str:
    """Return a composition as text, such as "EC=16 LiPF6=1"."""
    return " ".join(f"{name}={count}" for name, count in composition.items())
