"""Potentials on disk.

A moment tensor potential by itself is an MLIP `.mtp` file. Everything else is a text of our own, whose first line no
reader of `.mtp` files accepts::

    electrolyte_ml potential 1
    reference = GFN1-xTB
    terms = 2
    term = mtp, 95 lines
    MTP
    ...
    term = zbl, 4 lines
    ...
    end
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.potentials.interface import Potential
from electrolyte_ml.potentials.registry import kind, kinds
from electrolyte_ml.potentials.sum import Sum, total

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN = "electrolyte_ml potential"
HEADER = f"{OWN} 1"


def save(potential: Potential, path: str | Path) -> None:
    """Write a potential, atomically.

    Raises
    ------
    InputError
        If `load` would not bring back the same potential: a class, in a sum too, that is not registered.
    """
    for term in _terms(potential):
        name = type(term).__qualname__
        if term.kind not in kinds() or kind(term.kind).__qualname__ != name:
            raise InputError(
                f"{path}: {name} cannot be saved, for {term.kind!r} is not its name in the registry: give the class a "
                "`kind` of its own and register it"
            )
    atomic_write(path, to_text(potential))


def load(path: str | Path, species: Sequence[str] | None = None) -> Potential:
    """Load a potential from a file.

    Parameters
    ----------
    path : path
        A file of this package, or a `.mtp` file of MLIP, motep or LAMMPS.
    species : sequence of str, optional
        Chemical symbols in the file's order, for files that carry none.

    Raises
    ------
    InputError
        Naming the file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    named = tuple(species) if species else None
    first = text.partition("\n")[0].rstrip()
    if not first.startswith(OWN):
        return kind("mtp").from_text(text, str(path), named)
    if first != HEADER:
        raise InputError(f"{path}, line 1: {first[:60]!r} is another version of the format than {HEADER!r}")
    potential = _read_terms([line + "\n" for line in text.removesuffix("\n").split("\n")], str(path), named)
    if named and named != potential.species:
        raise InputError(f"{path}: the file's species are {' '.join(potential.species)}, not {' '.join(named)}")
    return potential


def to_text(potential: Potential) -> str:
    """Return the whole content of a potential's file."""
    if potential.standalone:
        return potential.to_text()
    terms = _terms(potential)
    lines = [HEADER, f"reference = {potential.reference or ''}", f"terms = {len(terms)}"]
    for term in terms:
        text = term.to_text().rstrip("\n")
        lines += [f"term = {term.kind}, {text.count(chr(10)) + 1} lines", text]
    return "\n".join([*lines, "end"]) + "\n"


def _terms(potential: Potential) -> tuple[Potential, ...]:
    return potential.terms if isinstance(potential, Sum) else (potential,)


def _read_terms(lines: list[str], source: str, species: tuple[str, ...] | None) -> Potential:
    """Read the terms of a file of our own.

    Raises
    ------
    InputError
        Naming the line.
    """
    number = 1

    def value(key: str) -> str:
        nonlocal number
        number += 1
        if number > len(lines):
            raise InputError(f"{source}, line {number}: the file ends before '{key} = ...'")
        name, equals, rest = lines[number - 1].partition("=")
        if name.strip() != key or not equals:
            found = lines[number - 1].strip()[:40]
            raise InputError(f"{source}, line {number}: expected '{key} = ...', found {found!r}")
        return rest.strip()

    reference = value("reference") or None
    count = value("terms")
    if not count.isdecimal() or int(count) < 1:
        raise InputError(f"{source}, line {number}: {count!r} is no number of terms")
    terms = []
    for _ in range(int(count)):
        name, _, size = (part.strip() for part in value("term").partition(","))
        length = size.removesuffix("lines").strip()
        if not length.isdecimal():
            raise InputError(f"{source}, line {number}: expected 'term = KIND, NUMBER lines'")
        try:
            model = kind(name)
        except InputError as error:
            raise InputError(f"{source}, line {number}: {error}") from None
        block = lines[number : number + int(length)]
        if len(block) < int(length):
            raise InputError(
                f"{source}, line {len(lines)}: the file ends in a term of kind {name}, after {len(block)} of "
                f"{length} lines"
            )
        place = f"{source}, term {name} from line {number + 1} on"
        terms.append(model.from_text("".join(block), place, species))
        number += int(length)
    if "".join(lines[number:]).strip() != "end":
        raise InputError(f"{source}, line {number + 1}: expected 'end' and nothing behind it")
    try:
        return total(terms).with_reference(reference)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
