"""Molecules: elements, geometry, bonds, charge, and derived properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.donors import donor_kinds
from electrolyte_ml.structures.graphs import BondGraph


@dataclass(frozen=True, eq=False)
class Molecule:
    """Molecule or ion of an electrolyte.

    Attributes
    ----------
    name
        Name such as "EC", "Li" (the cation) or "PF6" (the anion), or the SMILES of a molecule without a name.
    charge
        Total charge in e.
    symbols
        Element of every atom.
    positions
        (N, 3) Å, read-only, centre of mass at the origin.
    bonds
        Bonded pairs (i, j), i < j.
    full_name
        Full name such as "ethylene carbonate"; several names are separated by ", ".
    smiles
        SMILES, if known.
    geometry
        Origin of the positions, such as "lowest of 20 conformers, GFN1-xTB".
    made_by
        Command that makes the file of the molecule.
    """

    name: str
    charge: int
    symbols: tuple[str, ...]
    positions: np.ndarray
    bonds: tuple[tuple[int, int], ...]
    full_name: str = ""
    smiles: str = ""
    geometry: str = ""
    made_by: str = ""

    def __post_init__(self) -> None:
        positions = self.positions - Atoms(self.symbols, self.positions).get_center_of_mass()
        positions.flags.writeable = False
        object.__setattr__(self, "positions", positions)

    def atoms(self) -> Atoms:
        """Return the molecule in vacuum; `info` holds its name and charge."""
        return Atoms(self.symbols, self.positions, info={"name": self.name, "charge": self.charge})

    @cached_property
    def numbers(self) -> np.ndarray:
        """(N,) atomic numbers."""
        return np.array([atomic_numbers[symbol] for symbol in self.symbols])

    @cached_property
    def graph(self) -> BondGraph:
        """Elements and bonds, for comparison with other molecules."""
        return BondGraph(self.numbers, np.array(self.bonds))

    @cached_property
    def formula(self) -> str:
        """Hill formula without the charge."""
        return str(Atoms(self.symbols).get_chemical_formula("hill"))

    @cached_property
    def mass(self) -> float:
        """Mass in amu."""
        return float(self.atoms().get_masses().sum())

    @property
    def role(self) -> str:
        """Role by charge: "cation", "anion" or "solvent"."""
        return "cation" if self.charge > 0 else "anion" if self.charge < 0 else "solvent"

    @cached_property
    def donors(self) -> Mapping[str, tuple[int, ...]]:
        """Kind of donor (`electrolyte_ml.structures.donors.RULES`) -> indices of its atoms; empty for a cation."""
        kinds: dict[str, tuple[int, ...]] = {}
        if self.role != "cation":
            for atom, kind in enumerate(donor_kinds(self.numbers, np.reshape(self.bonds, (-1, 2))).tolist()):
                if kind:
                    kinds[kind] = (*kinds.get(kind, ()), atom)
        return MappingProxyType(kinds)


def agreed_charge(stated: int | None, found: int, source: str) -> int:
    """Return the charge found in `source`; raise `InputError` if it differs from a stated charge."""
    if stated is not None and stated != found:
        raise InputError(f"{source} has charge {signed(found)}, not {signed(stated)}")
    return found


def signed(charge: int) -> str:
    """Return a charge with its sign: "+1", "-1", "0"."""
    return f"{charge:+d}" if charge else "0"
