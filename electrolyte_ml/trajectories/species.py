"""Species of an electrolyte: ions, solvents, and their donor atoms.

The ions and solvents of the library (:mod:`electrolyte_ml.structures.library`), and molecules that the user names, are
recognised by their bonds, independently of names in a file; isomers are distinguished. All other molecules must be
named by a :class:`Role`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_masses

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.donors import donor_kinds
from electrolyte_ml.structures.graphs import members
from electrolyte_ml.structures.library import MOLECULES, recognise
from electrolyte_ml.structures.molecules import Molecule

KINDS = {"cation": 1, "anion": -1, "solvent": 0}  # kind -> default charge of one molecule
Select = Callable[[str], np.ndarray]  # selection -> indices of atoms


@dataclass(frozen=True)
class Role:
    """Species defined by the user.

    Attributes
    ----------
    selection
        Selection of at least one atom of each molecule, see :meth:`Trajectory.select`: "resname FEC", "type 22",
        "formula C4H5N".
    kind
        "cation", "anion" or "solvent"; by default that of a known molecule with this name, otherwise "solvent".
    charge
        Charge of one molecule, e, scaled or not; by default that of a known molecule with this name and kind, otherwise
        1, -1 or 0 by kind.
    donors
        Kind of donor -> selection of atoms of the species, such as {"carbonyl": "name O1"}; empty for a molecule
        without donors. By default the donors are found from bonds (:data:`electrolyte_ml.structures.donors.RULES`).
    """

    selection: str
    kind: str | None = None
    charge: float | None = None
    donors: Mapping[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Species:
    """Species of a trajectory.

    Attributes
    ----------
    name, kind, charge, formula
        The kind is "cation", "anion" or "solvent", the charge is that of one molecule in e, the formula is Hill's.
    molecules
        (n,) indices of the molecules.
    atoms
        (n, size) indices of the atoms of each molecule.
    centres
        (n,) central atom of each molecule: the atom with the most bonds, and of several the heaviest (Li, P of PF6).
    donors
        Kind of donor -> atom indices.
    """

    name: str
    kind: str
    charge: float
    formula: str
    molecules: np.ndarray
    atoms: np.ndarray
    centres: np.ndarray
    donors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.molecules)


def find_species(
    numbers: np.ndarray,
    bonds: np.ndarray,
    molecule: np.ndarray,
    roles: Mapping[str, Role | str] | None = None,
    select: Select | None = None,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> dict[str, Species]:
    """Assign the molecules of a system to species, first by roles, then by their bonds.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.
    molecule
        (N,) molecule of each atom, counted from 0.
    roles
        Name -> role, or only its selection.
    select
        Function that returns the atoms of a selection; required for roles.
    own_molecules
        Molecules by name; they take precedence over the library.

    Returns
    -------
    dict of str to Species
        Cations, then anions, then solvents.

    Raises
    ------
    InputError
        A molecule is neither known nor named by a role; or a role selects no atom, molecules of another role, or
        molecules with different formulas.
    """
    system = _System(
        numbers, bonds, members(molecule), donor_kinds(numbers, bonds), {**MOLECULES, **(own_molecules or {})}
    )
    found: dict[str, Species] = {}
    owner: dict[int, str] = {}  # molecule -> species
    for name, given in (roles or {}).items():
        if select is None:
            raise InputError(f"{name}: a role needs atoms to select from")
        role = Role(given) if isinstance(given, str) else given
        chosen = np.unique(molecule[_selected(name, role.selection, select)])
        taken = [owner[m] for m in chosen.tolist() if m in owner]
        if taken:
            raise InputError(f"{name}: the selection {role.selection!r} includes molecules that belong to {taken[0]}")
        owner.update(dict.fromkeys(chosen.tolist(), name))
        donors = None
        if role.donors is not None:
            donors = {kind: _selected(f"{name}, {kind}", text, select) for kind, text in role.donors.items()}
        found[name] = _species(name, role, chosen, system, donors)
    recognised = _recognise(recognise(numbers, bonds, molecule, own_molecules), owner, system)
    for name, indices in recognised.items():
        found[name] = _species(name, Role(""), np.array(indices), system)
    order = list(KINDS)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1].kind)))


class _System(NamedTuple):
    """Data of all atoms: numbers (N,), bonds (n_bonds, 2), atoms of each molecule, kinds of donor (N,)."""

    numbers: np.ndarray
    bonds: np.ndarray
    members: list[np.ndarray]
    donor_kinds: np.ndarray
    known: Mapping[str, Molecule]

    def formula(self, molecule: int) -> str:
        return Atoms(numbers=self.numbers[self.members[molecule]]).get_chemical_formula("hill")


def _recognise(names: list[str | None], owner: Mapping[int, str], system: _System) -> dict[str, list[int]]:
    """Return name -> molecules for the known species, leaving out molecules that belong to a role."""
    named = set(owner.values())
    recognised: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if index in owner:
            continue
        if name is None:
            raise InputError(_unknown(index, system))
        if name in named:
            raise InputError(f"molecule {index + 1} is a {name}, but the role of {name} does not select it")
        recognised.setdefault(name, []).append(index)
    return recognised


def _species(
    name: str, role: Role, molecules: np.ndarray, system: _System, selected: Mapping[str, np.ndarray] | None = None
) -> Species:
    """Make a species; `selected` are the atoms, of any species, that the role selects as donors."""
    known = system.known.get(name)
    kind = role.kind or (known.role if known else "solvent")
    if kind not in KINDS:
        raise InputError(f"{name}: the kind must be one of {', '.join(KINDS)}, not {kind!r}")
    formulas = {system.formula(m) for m in molecules}
    if len(formulas) > 1:
        raise InputError(f"{name}: its molecules have different formulas: {', '.join(sorted(formulas))}")
    atoms = np.stack([system.members[m] for m in molecules])
    degree = np.bincount(system.bonds.ravel(), minlength=len(system.numbers))[atoms]
    heaviness = atomic_masses[system.numbers[atoms]] / 1000.0  # less than one bond
    centres = atoms[np.arange(len(atoms)), np.argmax(degree + heaviness, axis=1)]
    donors: dict[str, np.ndarray] = {}
    if selected is not None:
        for donor, chosen in selected.items():
            donors[donor] = np.intersect1d(chosen, atoms)
            if not donors[donor].size:
                text = (role.donors or {})[donor]
                raise InputError(f"{name}: {text!r} selects none of its atoms as {donor} donors")
    elif kind != "cation":
        own = atoms.ravel()
        of_atom = system.donor_kinds[own]
        donors = {str(k): np.sort(own[of_atom == k]) for k in np.unique(of_atom) if k}
    charge: float = known.charge if known and known.role == kind else KINDS[kind]
    if role.charge is not None:
        charge = role.charge
    return Species(name, kind, charge, formulas.pop(), molecules, atoms, centres, donors)


def _selected(name: str, selection: str, select: Select) -> np.ndarray:
    try:
        atoms = np.asarray(select(selection), dtype=int)
    except InputError:
        raise
    except Exception as error:  # MDAnalysis and ASE raise errors of many types for invalid selections
        raise InputError(f"{name}: cannot select {selection!r} ({' '.join(str(error).split())})") from error
    if not atoms.size:
        raise InputError(f"{name}: the selection {selection!r} finds no atom")
    return atoms


def _unknown(index: int, system: _System) -> str:
    formula = system.formula(index)
    alike = sum(system.formula(other) == formula for other in range(len(system.members)))
    first = system.members[index][0] + 1
    return (
        f"molecule {index + 1} ({formula}, {alike} with this formula, first atom {first}) is not one of "
        f"{', '.join(system.known)}: name it by its SMILES (--molecule X='SMILES') or by a role, X = 'formula "
        f"{formula}' (--solvent, --anion or --cation X='formula {formula}')"
    )
