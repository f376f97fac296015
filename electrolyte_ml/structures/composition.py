"""Compositions: which molecules, and how many of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.molecules import Molecule, signed
from electrolyte_ml.structures.naming import find_molecule, salt_ions

_MOST = 1_000_000  # molecules of one kind: ten times the largest box that anybody simulates


def parse_composition(
    parts: str | Iterable[str], own_molecules: Mapping[str, Molecule] | None = None
) -> dict[str, int]:
    """Read a composition such as ``["EC=16", "EMC=2", "LiPF6=1"]`` or ``"EC=16 C1COC(=O)O1=2"``.

    Parameters
    ----------
    parts
        NAME=COUNT each, split at the last "=". A name is that of a molecule, a salt, a SMILES or a file, as
        :func:`electrolyte_ml.structures.naming.find_molecule` takes it.
    own_molecules
        Molecules by name that come before those of the library.

    Returns
    -------
    dict
        Name -> number of molecules, in the order given.

    Raises
    ------
    InputError
        A part is not NAME=COUNT, names an unknown or repeated species, or its count is not an integer.
    """
    composition: dict[str, int] = {}
    for part in parts.split() if isinstance(parts, str) else parts:
        name, _, text = part.rpartition("=")
        if not text.isdecimal() or not name:
            raise InputError(f"cannot read {part[:80]!r} as a composition; write NAME=COUNT, such as EC=16")
        count = count_in(text)
        if count is None or count > _MOST:
            raise InputError(f"{name[:40]}={text[:20]}: at most {_MOST} molecules of a kind can be asked for")
        if name in composition:
            raise InputError(f"{name} is given twice in the composition")
        composition[name] = count
    molecules_of(composition, own_molecules)
    return composition


def molecules_of(composition: Mapping[str, int], own_molecules: Mapping[str, Molecule] | None = None) -> list[Molecule]:
    """Return the molecules of a composition one by one; of a salt all its cations, then all its anions.

    Raises
    ------
    InputError
        An unknown molecule, a count that is no whole number from 0, or no molecule at all.
    """
    found: list[Molecule] = []
    for name, count in composition.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"the number of {name} must be an integer of 0 or more, got {count!r}")
        for part, times in (salt_ions(name, own_molecules) or {name: 1}).items():
            found += [find_molecule(part, own_molecules)] * (times * int(count))
    if not found:
        raise InputError("the composition is empty")
    return found


def atoms_in(cell: str) -> int:
    """Return the number of atoms of a composition such as "EC=35 EMC=15".

    Raises
    ------
    InputError
        As of `parse_composition`.
    """
    return sum(len(molecule.symbols) for molecule in molecules_of(parse_composition(cell)))


def require_charge(
    composition: Mapping[str, int], charge: int = 0, own_molecules: Mapping[str, Molecule] | None = None
) -> None:
    """Check the total charge of a composition.

    Raises
    ------
    InputError
        The charges of its molecules sum to another one.
    """
    totals: dict[str, int] = {}
    for molecule in molecules_of(composition, own_molecules):
        if molecule.charge:
            totals[molecule.name] = totals.get(molecule.name, 0) + molecule.charge
    if (total := sum(totals.values())) != charge:
        ions = ", ".join(f"{name} {part:+d}" for name, part in totals.items()) or "no ions"
        raise InputError(
            f"{written(composition)}: the charges sum to {signed(total)} e ({ions}), not to {signed(charge)}: change "
            f"the numbers of ions, or state the total charge (--charge {total})"
        )


def elements_of(composition: Mapping[str, int], own_molecules: Mapping[str, Molecule] | None = None) -> set[str]:
    """Chemical symbols in a composition."""
    return {symbol for molecule in set(molecules_of(composition, own_molecules)) for symbol in molecule.symbols}


def written(composition: Mapping[str, int]) -> str:
    """Return a composition as it is typed: "EC=16 LiPF6=1"."""
    return " ".join(f"{name}={count}" for name, count in composition.items())
