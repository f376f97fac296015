"""Look-up of molecules by name, file or SMILES, and of salts by the names of their ions."""

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

SMILES = "smiles:"  # prefix of a SMILES that is also a name
_SIMILAR = 0.6  # similarity above which a known name is suggested for an unknown one
_VERY_SIMILAR = 0.75  # the same for a text that may be a name or a SMILES
_ORGANIC = r"(?:Cl|Br|[BCNOPSFIbcnops])"  # elements that a SMILES writes without brackets
_PLAIN_SMILES = re.compile(rf"{_ORGANIC}(?:{_ORGANIC}|\d)*")
_NAME = re.compile(r"[A-Za-z][\w+-]*")
_SMILES_SIGNS = set("()[]=#@/\\.*")


def find_molecule(
    text: str, own_molecules: Mapping[str, Molecule] | None = None, charge: int | None = None
) -> Molecule:
    """Return the molecule for a name, a file or a SMILES.

    Parameters
    ----------
    text
        A name or full name of `own_molecules` or of the library; the name of an ``.xyz``, ``.mol`` or ``.sdf`` file; or
        a SMILES. A name of the library is never read as a SMILES: PC is propylene carbonate, "smiles:PC" is H2P-CH3. If
        a SMILES describes a molecule of the library, that molecule is returned, with its geometry.
    own_molecules
        Molecules by name; they take precedence over the library.
    charge
        Total charge stated by the user, e. Required for an ``.xyz`` file without a charge; otherwise it must agree.

    Raises
    ------
    InputError
        The name is unknown, the file or SMILES cannot be read, the charge differs from the stated one, or the text may
        be a name or a SMILES.
    OSError
        The file cannot be read.
    """
    if result := (own_molecules or {}).get(text) or MOLECULES.get(text):
        agreed_charge(charge, result.charge, text)
        return result
    known = _known(own_molecules)
    if result := next((body for body in known.values() if text.casefold() in _full_names(body)), None):
        agreed_charge(charge, result.charge, text)
        return result
    if is_molecule_file(text):
        return read_molecule(text, charge)
    if ions := salt_ions(text, own_molecules):
        raise InputError(f"{text} is a salt, not one molecule: name {' or '.join(ions)}")
    smiles = _smiles_in(text, own_molecules)
    named = (molecule for molecule in known.values() if describes(smiles, molecule))
    result = next(named, None) or replace(molecule_from_smiles(smiles), name=text)
    agreed_charge(charge, result.charge, text)
    return result


def name_molecule(name: str, text: str, charge: int | None = None) -> Molecule:
    """Return the molecule for a file, a SMILES or another name, under a new name.

    Raises
    ------
    InputError
        As for :func:`find_molecule`; or the new name belongs to a molecule or salt of the library, or is not allowed in
        a composition.
    """
    if name in MOLECULES or salt_ions(name):
        raise InputError(f"{name} is in the library already; choose another name")
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of a molecule: write letters, digits, '_', '-' and '+'")
    return replace(find_molecule(text, charge=charge), name=name)


def molecules_of_tables(tables: Mapping[str, Mapping[str, object]]) -> dict[str, Molecule]:
    """Return molecules by name from tables of settings such as ``{"MyEther": {"smiles": "CCOCC"}}``.

    Parameters
    ----------
    tables
        Name -> ``smiles`` or ``file``, and optionally ``charge`` (e).

    Raises
    ------
    InputError
        As for :func:`name_molecule`; or a table has other keys, or values of another type.
    """
    molecules = {}
    for name, table in tables.items():
        where = f"molecules.{name}"
        sources = [key for key in ("smiles", "file") if key in table]
        charge = table.get("charge")
        if len(sources) != 1 or set(table) - {*sources, "charge"}:
            raise InputError(f"{where} = {dict(table)!r}: write smiles or file, and optionally charge")
        if not isinstance(text := table[sources[0]], str) or not text:
            raise InputError(f"{where}.{sources[0]} = {text!r}: must be a text")
        if charge is not None and (isinstance(charge, bool) or not isinstance(charge, int)):
            raise InputError(f"{where}.charge = {charge!r}: must be a whole number")
        try:
            molecules[name] = name_molecule(name, SMILES + text if sources == ["smiles"] else text, charge)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    return molecules


def molecule(text: str) -> Atoms:
    """Return one molecule in vacuum.

    Parameters
    ----------
    text
        As for :func:`find_molecule`.

    Returns
    -------
    Atoms
        Non-periodic, centre of mass at the origin; `info` holds `name` and `charge` (e).

    Raises
    ------
    InputError
        As for :func:`find_molecule`.
    """
    return find_molecule(text).atoms()


def salt_ions(name: str, own_molecules: Mapping[str, Molecule] | None = None) -> dict[str, int] | None:
    """Return the ions of a salt such as "LiPF6" or "Mg(TFSI)2" with their numbers, or None for any other name.

    Any cation may precede any anion, both from `own_molecules` or the library. An ion of several atoms that occurs more
    than once is written in parentheses.

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
    """Return the error message for a name that is neither a molecule nor a salt, with similar names."""
    near = _similar_names(text, own_molecules)
    if near:
        return f"no molecule or salt {text!r}; did you mean {' or '.join(near)}?"
    return (
        f"no molecule {text!r}; there are {', '.join(_known(own_molecules))}, their salts such as LiPF6, any SMILES, "
        "and files (.xyz, .mol, .sdf)"
    )


def _smiles_in(text: str, own_molecules: Mapping[str, Molecule] | None) -> str:
    """Return the SMILES in a text; raise `InputError` if it is not a SMILES."""
    if text.startswith(SMILES):
        return text.removeprefix(SMILES)
    plain = _PLAIN_SMILES.fullmatch(text) is not None
    if not plain and not _SMILES_SIGNS & set(text):
        raise InputError(unknown_name(text, own_molecules))
    if find_spec("rdkit") is None:
        raise InputError(f"no molecule {text!r}; to read it as a SMILES, install RDKit: {INSTALL}")
    if plain and (near := _similar_names(text, own_molecules, _VERY_SIMILAR)):
        if not is_smiles(text):
            raise InputError(unknown_name(text, own_molecules))
        raise InputError(
            f"{text!r} is a SMILES and resembles a name: write {SMILES}{text} for the SMILES, or {' or '.join(near)}"
        )
    return text


def _similar_names(text: str, own_molecules: Mapping[str, Molecule] | None, cutoff: float = _SIMILAR) -> list[str]:
    """Return up to three known names that resemble a text, compared by name and full name."""
    known = _known(own_molecules)
    suggestions = {_salt_name(*ions).casefold(): _salt_name(*ions) for ions in _pairs(known)}
    for name, molecule in known.items():
        suggestions |= {word: f"{name} ({molecule.full_name})" for word in _full_names(molecule)}
    suggestions |= {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(text.casefold(), suggestions, n=3, cutoff=cutoff)
    return list(dict.fromkeys(suggestions[word] for word in matches))


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
    """Yield every way to read a name as a cation, its number, an anion and its number."""
    for cation, anion in _pairs(known):
        if match := re.fullmatch(_counted(cation) + _counted(anion), name):
            n_cations, n_anions = match.groups("")
            yield cation.name, int(n_cations or 1), anion.name, int(n_anions or 1)


def _pairs(known: Mapping[str, Molecule]) -> Iterator[tuple[Molecule, Molecule]]:
    """Yield every pair of a cation and an anion."""
    for cation in known.values():
        for anion in known.values():
            if cation.charge > 0 > anion.charge:
                yield cation, anion


def _counted(ion: Molecule) -> str:
    """Return the pattern of an ion and its number, such as Li2, PF6, (PF6)2; the number is its only group."""
    name = re.escape(ion.name)
    return rf"{name}(\d*)" if len(ion.symbols) == 1 else rf"(?:{name}|\({name}\)(\d+))"
