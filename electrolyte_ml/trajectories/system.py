"""Atoms, molecules and species of a trajectory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.formula import Formula

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories.species import Role, Species, find_species

if TYPE_CHECKING:
    from MDAnalysis import Universe


class System:
    """Atoms whose molecules are assigned to species.

    Parameters
    ----------
    name
        For messages.
    numbers, masses
        (N,) atomic numbers; amu.
    topology
        Bonds and molecules.
    make_universe
        Builds the MDAnalysis universe to select from, given the (N,) molecule of each atom.
    roles, own_molecules
        As of :func:`electrolyte_ml.trajectories.open_trajectory`.

    Attributes
    ----------
    name : str
    topology : Topology
    numbers, masses : (N,)
    molecule : (N,) int
        Molecule of each atom, counted from 0.
    charges : (n_molecules,) int
        e, of the species of the molecules; not the charges of a model.
    roles : dict of str to Species
        Cations, anions, solvents by name.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.trajectories.species.find_species`.
    """

    def __init__(
        self,
        name: str,
        numbers: np.ndarray,
        masses: np.ndarray,
        topology: Topology,
        make_universe: Callable[[np.ndarray], Universe],
        roles: Mapping[str, Role | str] | None = None,
        own_molecules: Mapping[str, Molecule] | None = None,
    ) -> None:
        self.name, self.numbers, self.masses = name, numbers, masses
        self.topology, self.molecule = topology, topology.labels
        self._make_universe = make_universe
        self._universe: Universe | None = None
        try:
            self.roles = find_species(numbers, topology.bonds, self.molecule, roles, self.select, own_molecules)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        self.charges = np.zeros(self.n_molecules)
        for species in self.roles.values():
            self.charges[species.molecules] = species.charge

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def n_molecules(self) -> int:
        """Number of molecules, ions included."""
        return len(self.topology.formulas)

    @property
    def bonds(self) -> np.ndarray:
        """(n_bonds, 2) bonded atoms, given with the atoms or found from their positions."""
        return self.topology.bonds

    def molecule_weights(self) -> Any:
        """(n_molecules, N) sparse matrix that turns values of atoms into those of centres of mass."""
        from scipy.sparse import csr_array

        total = np.bincount(self.molecule, weights=self.masses, minlength=self.n_molecules)
        share = self.masses / total[self.molecule]
        return csr_array((share, (self.molecule, np.arange(self.n_atoms))), shape=(self.n_molecules, self.n_atoms))

    def select(self, selection: str) -> np.ndarray:
        """Return the indices of the atoms of a selection.

        Parameters
        ----------
        selection
            In MDAnalysis's language, such as "resname EC and name O1", or "formula C3H4O3" for all molecules of that
            formula, which needs no names in the file.
        """
        word, _, formula = selection.strip().partition(" ")
        if word == "formula":
            wanted = Formula(formula.strip()).format("hill")
            alike = np.array([found == wanted for found in self.topology.formulas])
            return np.flatnonzero(alike[self.molecule])
        return np.asarray(self.universe().select_atoms(selection).indices)

    def universe(self) -> Universe:
        """Return the MDAnalysis universe to select from; it has coordinates only where MDAnalysis reads the file."""
        if self._universe is None:
            self._universe = self._make_universe(self.molecule)
        return self._universe

    def only(self, kind: str, name: str | None = None) -> Species:
        """Return the species of a kind: the one of that name, or the only one.

        Raises
        ------
        InputError
            If there is none, or several and no name.
        """
        found = {key: species for key, species in self.roles.items() if species.kind == kind}
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        if name in found:
            return found[name]
        have = ", ".join(self.roles)
        if name is not None:
            raise InputError(f"{self.name} has no {kind} {name!r}; there are {have}")
        count = "several" if found else "no"
        which = f": name one ({kind}=, --{kind})" if found else ""
        raise InputError(f"{self.name} has {count} {kind}s ({have}){which}")

    def require_neutral(self) -> None:
        """Check that the charges sum to zero.

        Raises
        ------
        InputError
            If they do not.
        """
        if abs(self.charges.sum()) > 1e-6:
            counted = ", ".join(f"{len(s)} {name} of {s.charge:+g}" for name, s in self.roles.items() if s.charge)
            raise InputError(f"{self.name}: the charges sum to {self.charges.sum():+g} e, not to 0 ({counted})")
