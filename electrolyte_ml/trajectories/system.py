"""System of a trajectory: atoms, molecules and species."""

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
    """Atoms with molecules that are assigned to species.

    Parameters
    ----------
    name
        Name for messages.
    numbers, masses
        (N,) atomic numbers; masses in amu.
    topology
        Bonds and molecules.
    make_universe
        Function that makes the MDAnalysis universe for selections from the (N,) molecule of each atom.
    roles, own_molecules
        As for :func:`electrolyte_ml.trajectories.open_trajectory`.

    Attributes
    ----------
    name : str
    topology : Topology
    numbers, masses : (N,)
    molecule : (N,) int
        Molecule of each atom, counted from 0.
    charges : (n_molecules,) int
        Charge of each molecule, e, from its species; not the charges of a model.
    roles : dict of str to Species
        Cations, anions and solvents by name.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.trajectories.species.find_species`.
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
        """Number of molecules, including ions."""
        return len(self.topology.formulas)

    @property
    def bonds(self) -> np.ndarray:
        """(n_bonds, 2) bonded atoms, given in the file or found from the positions."""
        return self.topology.bonds

    def molecule_weights(self) -> Any:
        """Return the sparse matrix (n_molecules, N) that converts values of atoms to values of centres of mass."""
        from scipy.sparse import csr_array

        total = np.bincount(self.molecule, weights=self.masses, minlength=self.n_molecules)
        share = self.masses / total[self.molecule]
        return csr_array((share, (self.molecule, np.arange(self.n_atoms))), shape=(self.n_molecules, self.n_atoms))

    def select(self, selection: str) -> np.ndarray:
        """Return the indices of the atoms of a selection.

        Parameters
        ----------
        selection
            Selection in the language of MDAnalysis, such as "resname EC and name O1", or "formula C3H4O3" for all
            molecules with a formula, which works without names in the file.
        """
        word, _, formula = selection.strip().partition(" ")
        if word == "formula":
            wanted = Formula(formula.strip()).format("hill")
            has_formula = np.array([formula == wanted for formula in self.topology.formulas])
            return np.flatnonzero(has_formula[self.molecule])
        return np.asarray(self.universe().select_atoms(selection).indices)

    def universe(self) -> Universe:
        """Return the MDAnalysis universe for selections; it has coordinates only if MDAnalysis reads the file."""
        if self._universe is None:
            self._universe = self._make_universe(self.molecule)
        return self._universe

    def only(self, kind: str, name: str | None = None) -> Species:
        """Return the species of a kind with a name, or the only species of the kind.

        Raises
        ------
        InputError
            There is no such species, or there are several and no name is given.
        """
        candidates = {key: species for key, species in self.roles.items() if species.kind == kind}
        if name is None and len(candidates) == 1:
            return next(iter(candidates.values()))
        if name in candidates:
            return candidates[name]
        have = ", ".join(self.roles)
        if name is not None:
            raise InputError(f"{self.name} has no {kind} {name!r}; there are {have}")
        count = "several" if candidates else "no"
        advice = f": name one ({kind}=, --{kind})" if candidates else ""
        raise InputError(f"{self.name} has {count} {kind}s ({have}){advice}")

    def require_neutral(self, charges: np.ndarray | None = None) -> None:
        """Check that the sum of the charges is zero.

        Parameters
        ----------
        charges
            (n_molecules,) e, by default `charges` of the system; molecules of one species have one charge.

        Raises
        ------
        InputError
            The sum is not zero.
        """
        charges = self.charges if charges is None else charges
        if abs(charges.sum()) > 1e-6:
            each = {name: charges[species.molecules[0]] for name, species in self.roles.items()}
            counted = ", ".join(f"{len(self.roles[name])} {name} of {q:+g}" for name, q in each.items() if q)
            raise InputError(f"{self.name}: the charges sum to {charges.sum():+g} e, not to 0 ({counted})")
