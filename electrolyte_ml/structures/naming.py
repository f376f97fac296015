"""Molecules by name, file or SMILES, and salts by the names of their ions."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec

from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.molecule_files import is_molecule_file, read_molecule
from electrolyte_ml.structures.molecules import Molecule, agreed_charge
from electrolyte_ml.structures.smiles import INSTALL, describes, is_smiles, molecule_from_smiles

SMILES = "smiles:"  # before a SMILES that is also a name
_NEAR = 0.6  # similarity of two names above which one may be meant for the other
_VERY_NEAR = 0.75  # the same, of a name and a SMILES
_ORGANIC = r"(?:Cl|Br|[BCNOPSFIbcnops])"  # elements that a SMILES writes without brackets
_PLAIN_SMILES = re.compile(rf"{_ORGANIC}(?:{_ORGANIC}|\d)*")
_NAME = re.compile(r"[A-Za-z][\w+-]*")
_SMILES_SIGNS = set("()[]=#@/\\.*")


def find_molecule(
    text: str, own_molecules: Mapping[str, Molecule] | None = None, charge: int | None = None
) -> Molecule:
    """Return the molecule of a name, a file or a SMILES.

    Parameters
    ----------
    text
        A name or full name of `own_molecules` or of the library; the name of an ``.xyz``, ``.mol`` or ``.sdf`` file;
        or a SMILES. A name of the library is never read as a SMILES: PC is propylene carbonate, "smiles:PC" is
        H2P-CH3. A SMILES of a molecule of the library gives that one, with its geometry.
    own_molecules
        Molecules by name that come before those of the library.
    charge
        Stated by the user, e: needed for an ``.xyz`` file that does not hold it, compared otherwise.

    Raises
    ------
    InputError
        An unknown name, a file or SMILES that cannot be read, another charge than stated, or a text that may be
        meant as a name or as a SMILES.
    OSError
        The file cannot be read.
    """
    if found := (own_molecules or {}).get(text) or MOLECULES.get(text):
        agreed_charge(charge, found.charge, text)
        return found
    known = _known(own_molecules)
    if found := next((one for one in known.values() if text.casefold() in _full_names(one)), None):
        agreed_charge(charge, found.charge, text)
        return found
    if is_molecule_file(text):
        return read_molecule(text, charge)
    if ions := salt_ions(text, own_molecules):
        raise InputError(f"{text} is a salt, not one molecule: name {' or '.join(ions)}")
    smiles = _smiles_in(text, own_molecules)
    named = (molecule for molecule in known.values() if describes(smiles, molecule))
    found = next(named, None) or replace(molecule_from_smiles(smiles), name=text)
    agreed_charge(charge, found.charge, text)
    return found


def name_molecule(name: str, text: str, charge: int | None = None) -> Molecule:
    """Return the molecule of a file, a SMILES or another name, under a name of its own.

    Raises
    ------
    InputError
        As :func:`find_molecule`; or the name is that of a molecule or salt of the library, or cannot stand in a
        composition.
    """
    if name in MOLECULES or salt_ions(name):
        raise InputError(f"{name} is in the library already; choose another name")
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a molecule: write letters, digits, '_', '-' and '+'")
    return replace(find_molecule(text, charge=charge), name=name)


def molecules_of_tables(tables: Mapping[str, Mapping[str, object]]) -> dict[str, Molecule]:
    """Return molecules by name from tables of settings, as ``{"MyEther": {"smiles": "CCOCC"}}``.

    Parameters
    ----------
    tables
        Name -> ``smiles`` or ``file``, and perhaps ``charge`` (e).

    Raises
    ------
    InputError
        As :func:`name_molecule`; other keys, or values of another type.
    """
    found = {}
    for name, table in tables.items():
        where = f"molecules.{name}"
        sources = [key for key in ("smiles", "file") if key in table]
        charge = table.get("charge")
        if len(sources) != 1 or set(table) - {*sources, "charge"}:
            raise InputError(f"{where} = {dict(table)!r}: write smiles or file, and perhaps charge")
        if not isinstance(text := table[sources[0]], str) or not text:
            raise InputError(f"{where}.{sources[0]} = {text!r}: must be a text")
        if charge is not None and (isinstance(charge, bool) or not isinstance(charge, int)):
            raise InputError(f"{where}.charge = {charge!r}: must be a whole number")
        try:
            found[name] = name_molecule(name, SMILES + text if sources == ["smiles"] else text, charge)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    return found


def molecule(text: str) -> Atoms:
    """One molecule in vacuum.

    Parameters
    ----------
    text
        As :func:`find_molecule` takes it.

    Returns
    -------
    Atoms
        Non-periodic, centre of mass at the origin; `info` holds `name` and `charge` (e).

    Raises
    ------
    InputError
        As :func:`find_molecule`.
    """
    return find_molecule(text).atoms()


def salt_ions(name: str, own_molecules: Mapping[str, Molecule] | None = None) -> dict[str, int] | None:
    """Return the ions of a salt such as "LiPF6" or "Mg(TFSI)2", each with its number; None if it is no salt's name.

    Any cation may stand before any anion, both of `own_molecules` or of the library. A number is written in brackets.

    Raises
    ------
    InputError
        The charges of the ions do not cancel.
    """
    known = _known(own_molecules)
    if name in known:
        return None
    for cation, first, anion, second in _splits(name, known):
        charges = known[cation].charge, known[anion].charge
        if first * charges[0] + second * charges[1]:
            neutral = _salt_name(known[cation], known[anion])
            raise InputError(
                f"the charges of {name} do not cancel ({first} {cation} of {charges[0]:+d}, {second} {anion} of "
                f"{charges[1]:+d}): write {neutral}"
            )
        return {cation: first, anion: second}
    return None


def unknown_name(text: str, own_molecules: Mapping[str, Molecule] | None = None) -> str:
    """Return the message about a name that is neither a molecule's nor a salt's, with those near to it."""
    near = _near(text, own_molecules)
    if near:
        return f"no molecule or salt {text!r}; did you mean {' or '.join(near)}?"
    return (
        f"no molecule {text!r}; there are {', '.join(_known(own_molecules))}, their salts such as LiPF6, any SMILES, "
        "and files (.xyz, .mol, .sdf)"
    )


def _smiles_in(text: str, own_molecules: Mapping[str, Molecule] | None) -> str:
    """Return the SMILES that a text is, or raise the error that it is none."""
    if text.startswith(SMILES):
        return text.removeprefix(SMILES)
    plain = _PLAIN_SMILES.fullmatch(text) is not None
    if not plain and not _SMILES_SIGNS & set(text):
        raise InputError(unknown_name(text, own_molecules))
    if find_spec("rdkit") is None:
        raise InputError(f"no molecule {text!r}; to read it as a SMILES, install RDKit: {INSTALL}")
    if plain and (near := _near(text, own_molecules, _VERY_NEAR)):
        if not is_smiles(text):
            raise InputError(unknown_name(text, own_molecules))
        raise InputError(
            f"{text!r} is a SMILES and near to a name: write {SMILES}{text} for the SMILES, or {' or '.join(near)}"
        )
    return text


def _near(text: str, own_molecules: Mapping[str, Molecule] | None, cutoff: float = _NEAR) -> list[str]:
    """The three names most like a text, themselves or by their full names."""
    known = _known(own_molecules)
    meant = {_salt_name(*ions).casefold(): _salt_name(*ions) for ions in _pairs(known)}
    for name, molecule in known.items():
        meant |= {word: f"{name} ({molecule.full_name})" for word in _full_names(molecule)}
    meant |= {name.casefold(): name for name in known}
    words = difflib.get_close_matches(text.casefold(), meant, n=3, cutoff=cutoff)
    return list(dict.fromkeys(meant[word] for word in words))


def _full_names(molecule: Molecule) -> list[str]:
    return [word.casefold() for word in molecule.full_name.split(", ") if word]


def _known(own_molecules: Mapping[str, Molecule] | None) -> dict[str, Molecule]:
    return {**MOLECULES, **(own_molecules or {})}


def _salt_name(cation: Molecule, anion: Molecule) -> str:
    multiple = math.lcm(cation.charge, -anion.charge)
    parts = []
    for ion, count in ((cation, multiple // cation.charge), (anion, multiple // -anion.charge)):
        plain = ion.name if len(ion.symbols) == 1 else f"({ion.name})"
        parts.append(f"{plain}{count}" if count > 1 else ion.name)
    return "".join(parts)


def _splits(name: str, known: Mapping[str, Molecule]) -> Iterator[tuple[str, int, str, int]]:
    """Every way to read a name as a cation, its number, an anion, its number."""
    for cation, anion in _pairs(known):
        if match := re.fullmatch(_counted(cation) + _counted(anion), name):
            one, two = match.groups("")
            yield cation.name, int(one or 1), anion.name, int(two or 1)


def _pairs(known: Mapping[str, Molecule]) -> Iterator[tuple[Molecule, Molecule]]:
    """Every cation with every anion."""
    for cation in known.values():
        for anion in known.values():
            if cation.charge > 0 > anion.charge:
                yield cation, anion


def _counted(ion: Molecule) -> str:
    """Pattern of an ion and its number, the one group: Li2, PF6, (PF6)2."""
    name = re.escape(ion.name)
    return rf"{name}(\d*)" if len(ion.symbols) == 1 else rf"(?:{name}|\({name}\)(\d+))"
