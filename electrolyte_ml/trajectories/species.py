"""Which molecules an electrolyte is made of: ions, solvents, and the donor atoms with which they coordinate.

The commonest ions and solvents (:data:`KNOWN`) are recognised by their bonds, whatever they are called in a file; an
isomer is not taken for one of them. Any other molecule is named by a :class:`Role`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.molecules import MOLECULES

KINDS = {"cation": 1, "anion": -1, "solvent": 0}  # and the charge of one of them unless a role says otherwise
# Name -> charge, heavy atoms, bonds among them (two hexadecimal indices each), and how many H are on each.
_GRAPHS = {
    "DMC": (0, "C O O O C C", "01 02 03 24 35", "000033"),
    "DEC": (0, "C O O O C C C C", "01 02 03 24 35 46 57", "00002233"),
    "PC": (0, "C O O O C C C", "01 02 03 24 35 45 46", "0000123"),
    "FEC": (0, "C O O O C C F", "01 02 03 24 35 45 46", "0000120"),
    "VC": (0, "C O O O C C", "01 02 03 24 35 45", "000011"),
    "DME": (0, "C O C C O C", "01 12 23 34 45", "302203"),
    "DOL": (0, "C O C C O", "01 12 23 34 40", "20220"),
    "Na": (1, "Na", "", "0"),
    "K": (1, "K", "", "0"),
    "BF4": (-1, "B F F F F", "01 02 03 04", "00000"),
    "ClO4": (-1, "Cl O O O O", "01 02 03 04", "00000"),
    "FSI": (-1, "N S S O O O O F F", "01 02 13 14 25 26 17 28", "000000000"),
    "TFSI": (-1, "N S S O O O O C C F F F F F F", "01 02 13 14 25 26 17 28 79 7a 7b 8c 8d 8e", "0" * 15),
}
_CHARGES = {name: m.charge for name, m in MOLECULES.items()} | {name: graph[0] for name, graph in _GRAPHS.items()}
KNOWN = tuple(_CHARGES)
_ROUNDS = 6  # of colouring: two atoms are alike when their surroundings are, so many bonds away


@dataclass(frozen=True)
class Role:
    """What a user says of one species.

    Attributes
    ----------
    selection
        Of at least one atom of each of its molecules, as :meth:`Trajectory.select` takes it: "resname FEC", "type 22",
        "formula C4H5N".
    kind
        "cation", "anion" or "solvent"; by default that of a known molecule of this name, else "solvent".
    charge
        Of one molecule, e; by default 1, -1 or 0 after the kind.
    donors
        Kind of donor -> selection among the atoms of the species, such as {"carbonyl": "name O1"}; empty for a
        molecule that never coordinates. By default the bonds decide (:func:`donor_kinds`).
    """

    selection: str
    kind: str | None = None
    charge: int | None = None
    donors: Mapping[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Species:
    """One species of a trajectory.

    Attributes
    ----------
    name, kind, charge, formula
        Kind is "cation", "anion" or "solvent", the charge that of one molecule in e, the formula Hill's.
    molecules
        (n,) indices of its molecules.
    atoms
        (n, size) indices of their atoms.
    centres
        (n,) the atom with the most bonds of each molecule, the heaviest among several: Li, P of PF6.
    donors
        Kind of donor -> atom indices.
    """

    name: str
    kind: str
    charge: int
    formula: str
    molecules: np.ndarray
    atoms: np.ndarray
    centres: np.ndarray
    donors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.molecules)


def donor_kinds(numbers: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Say which atoms can coordinate a cation, from their bonds alone.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.

    Returns
    -------
    (N,) str
        For O "carbonyl" (on one C), "sulfonyl" (on one S), "phosphoryl" (on one P), "hydroxyl" (with H), "oxide" (on
        one of another element), "ether" (between two); for N "nitrile" (on one atom) or "amine"; for F "fluoride" (on
        P, B, As, Sb; F on carbon hardly coordinates); "" for any other atom.
    """
    kinds = np.full(len(numbers), "", dtype="<U10")
    neighbours = _neighbours(len(numbers), bonds)
    on_one = {"C": "carbonyl", "S": "sulfonyl", "P": "phosphoryl"}
    for atom in np.flatnonzero(np.isin(numbers, (7, 8, 9))):
        beside = [chemical_symbols[numbers[other]] for other in neighbours[atom]]
        symbol = chemical_symbols[numbers[atom]]
        if symbol == "O":
            if "H" in beside:
                kinds[atom] = "hydroxyl"
            else:
                kinds[atom] = on_one.get(beside[0], "oxide") if len(beside) == 1 else "ether"
        elif symbol == "N":
            kinds[atom] = "nitrile" if len(beside) == 1 else "amine"
        elif set(beside) & {"P", "B", "As", "Sb"}:
            kinds[atom] = "fluoride"
    return kinds


def find_species(
    numbers: np.ndarray,
    bonds: np.ndarray,
    molecule: np.ndarray,
    roles: Mapping[str, Role | str] | None = None,
    select: Callable[[str], np.ndarray] | None = None,
) -> dict[str, Species]:
    """Name the molecules of a system: those of the roles first, the rest by their bonds.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.
    molecule
        (N,) molecule of each atom, counted from 0.
    roles
        Name -> role, or its selection alone.
    select
        Returns the atoms of a selection string.

    Returns
    -------
    dict of str to Species
        Cations, anions, solvents.

    Raises
    ------
    InputError
        A molecule that no role names and that is not known, or a role that selects nothing, what another has, or
        molecules of different formulas.
    """
    prints = _fingerprints(numbers, bonds, molecule)
    members = _members(molecule)
    kinds = donor_kinds(numbers, bonds)
    owner: dict[int, str] = {}
    found: dict[str, Species] = {}
    for name, given in (roles or {}).items():
        role = Role(given) if isinstance(given, str) else given
        if select is None:
            raise InputError(f"{name}: nothing here can be selected from")
        chosen = np.unique(molecule[_selected(name, role.selection, select)])
        taken = [owner[m] for m in chosen.tolist() if m in owner]
        if taken:
            raise InputError(f"{name}: the selection {role.selection!r} takes molecules that {taken[0]} has already")
        owner.update(dict.fromkeys(chosen.tolist(), name))
        found[name] = _species(name, role, chosen, members, numbers, bonds, kinds, select)
    known = _known()
    guessed: dict[str, list[int]] = {}
    for index, print_ in enumerate(prints):
        if index in owner:
            continue
        if print_ not in known:
            raise InputError(_unknown(index, members, numbers, prints))
        if known[print_] in found:
            raise InputError(
                f"molecule {index + 1} is a {known[print_]} that the role of {known[print_]} does not select"
            )
        guessed.setdefault(known[print_], []).append(index)
    for name, indices in guessed.items():
        found[name] = _species(name, Role(""), np.array(indices), members, numbers, bonds, kinds, None)
    order = list(KINDS)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1].kind)))


def _species(
    name: str,
    role: Role,
    molecules: np.ndarray,
    members: list[np.ndarray],
    numbers: np.ndarray,
    bonds: np.ndarray,
    kinds: np.ndarray,
    select: Callable[[str], np.ndarray] | None,
) -> Species:
    kind = role.kind or _known_kind(name)
    if kind not in KINDS:
        raise InputError(f"{name}: the kind must be one of {', '.join(KINDS)}, not {kind!r}")
    formulas = {_formula(numbers[members[m]]) for m in molecules}
    if len(formulas) > 1:
        raise InputError(f"{name}: its molecules are not of one formula but {', '.join(sorted(formulas))}")
    atoms = np.stack([members[m] for m in molecules])
    degree = np.bincount(bonds.ravel(), minlength=len(numbers))[atoms]
    centres = atoms[np.arange(len(atoms)), np.argmax(degree + atomic_masses[numbers[atoms]] / 1000.0, axis=1)]
    donors: dict[str, np.ndarray] = {}
    if role.donors is None:
        if kind != "cation":
            own = atoms.ravel()
            donors = {str(k): np.sort(own[kinds[own] == k]) for k in np.unique(kinds[own]) if k}
    else:
        for donor, selection in role.donors.items():
            donors[donor] = np.intersect1d(_selected(f"{name}, {donor}", selection, select), atoms)
            if not donors[donor].size:
                raise InputError(f"{name}: no atom of it is a {donor} donor by {selection!r}")
    charge = KINDS[kind] if role.charge is None else int(role.charge)
    return Species(name, kind, charge, formulas.pop(), molecules, atoms, centres, donors)


def _selected(name: str, selection: str, select: Callable[[str], np.ndarray] | None) -> np.ndarray:
    try:
        atoms = np.asarray(select(selection), dtype=int)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name}: cannot select {selection!r} ({' '.join(str(error).split())})") from error
    if not atoms.size:
        raise InputError(f"{name}: the selection {selection!r} finds no atom")
    return atoms


def _unknown(index: int, members: list[np.ndarray], numbers: np.ndarray, prints: list) -> str:
    formula = _formula(numbers[members[index]])
    alike = sum(other == prints[index] for other in prints)
    first = members[index][0] + 1
    return (
        f"molecule {index + 1} ({formula}, {alike} alike, its first atom is {first}) is not one of {', '.join(KNOWN)}: "
        f"name it by a role, X = 'formula {formula}' (--solvent, --anion or --cation X='formula {formula}')"
    )


def _known_kind(name: str) -> str:
    return next(kind for kind, sign in KINDS.items() if sign == _CHARGES.get(name, 0))


def _formula(numbers: np.ndarray) -> str:
    return Atoms(numbers=numbers).get_chemical_formula("hill")


def _members(molecule: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(molecule, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(molecule[order])) + 1)


def _neighbours(count: int, bonds: np.ndarray) -> list[list[int]]:
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for i, j in np.asarray(bonds).tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    return neighbours


def _fingerprints(numbers: np.ndarray, bonds: np.ndarray, molecule: np.ndarray) -> list[tuple[int, ...]]:
    """Weisfeiler and Leman's colours of each molecule's atoms: equal for equal graphs, whatever the atoms' order."""
    neighbours = _neighbours(len(numbers), bonds)
    colours = [hash((int(z),)) for z in numbers]
    for _ in range(_ROUNDS):
        colours = [hash((colours[i], *sorted(colours[j] for j in beside))) for i, beside in enumerate(neighbours)]
    return [tuple(sorted(colours[i] for i in atoms)) for atoms in _members(molecule)]


@cache
def _known() -> dict[tuple[int, ...], str]:
    """Return the name of every fingerprint that is recognised."""
    prints = {}
    for name in KNOWN:
        symbols, bonds = _graph(name)
        numbers = np.array([atomic_numbers[s] for s in symbols])
        prints[_fingerprints(numbers, bonds, np.zeros(len(numbers), int))[0]] = name
    return prints


def _graph(name: str) -> tuple[list[str], np.ndarray]:
    """Return the elements of a known molecule's atoms and its (n_bonds, 2) bonds."""
    if name in MOLECULES:
        return list(MOLECULES[name].symbols), np.array(MOLECULES[name].bonds, dtype=int).reshape(-1, 2)
    _, heavy, bonded, hydrogens = _GRAPHS[name]
    symbols = heavy.split()
    bonds = [(int(pair[0], 16), int(pair[1], 16)) for pair in bonded.split()]
    for atom, count in enumerate(hydrogens):
        bonds += [(atom, len(symbols) + k) for k in range(int(count))]
        symbols += ["H"] * int(count)
    return symbols, np.array(bonds, dtype=int).reshape(-1, 2)
