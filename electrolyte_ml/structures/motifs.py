"""Solvated ion pairs in periodic cells: solvent-separated pairs, contact pairs and aggregates (paper, section 2.3.1).

The radius of a shell is 1.25 times the sum of the radius of the cation (`CATION_RADII`) and the van der Waals radius of
the donor: 2.85 Å for Li and O, 2.79 for Li and F, 3.18 for Na and O, near the first minima of their radial distribution
functions. Donors are the atoms that :mod:`electrolyte_ml.structures.donors` finds from bonds.

:func:`pack_motif` packs a cell in which all cations have the same motif. :func:`ion_shells` finds the motif of each
cation of any cell from its positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

from electrolyte_ml.checks import whole
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.boxes import CATION_RADII, CONTACT, TARGET, edge_of, pack_once
from electrolyte_ml.structures.composition import molecules_of, require_charge, written
from electrolyte_ml.structures.donors import KINDS, donor_kinds
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.neighbours import periodic_pairs
from electrolyte_ml.structures.packing import FirstShells
from electrolyte_ml.structures.topology import Topology

Pairing = Literal["SSIP", "CIP", "AGG"]
PAIRINGS: tuple[Pairing, ...] = ("SSIP", "CIP", "AGG")
SHELL = 1.25  # radius of a shell in units of the sum of the radii
_CLEAR = 1.04 * SHELL  # donors outside a shell are packed beyond this distance
_ATTEMPTS = 20  # fresh random starts before a motif counts as impossible


@dataclass(frozen=True)
class IonShell:
    """First shell of a cation, and the cluster of ions that contains it.

    Attributes
    ----------
    cation : int
        Atom number of the cation.
    ligands : tuple of str
        Sorted names of the molecules in the shell (formulas of unknown molecules).
    donors : int
        Number of donor atoms in the shell.
    cluster : (int, int)
        Numbers of cations and anions in the cluster; ions in contact belong to one cluster.
    """

    cation: int
    ligands: tuple[str, ...]
    donors: int
    cluster: tuple[int, int]

    @property
    def pairing(self) -> Pairing:
        """Motif: no anion in the shell (SSIP), one cation with one anion (CIP), or a larger cluster (AGG)."""
        if not self.cluster[1]:
            return "SSIP"
        return "CIP" if self.cluster == (1, 1) else "AGG"


def shell_radius(cation: str, donor: str) -> float:
    """Return the radius (Å) of the shell of a cation for a donor, given their chemical symbols.

    Raises
    ------
    InputError
        The ionic radius of the cation is not known.
    """
    if cation not in CATION_RADII:
        raise InputError(f"the shell of {cation} is not known: radii are available for {', '.join(CATION_RADII)}")
    return float(SHELL * (CATION_RADII[cation] + vdw_radii[Atoms(donor).numbers[0]]))


def cation_contacts(atoms: Atoms, own_molecules: Mapping[str, Molecule] | None = None) -> np.ndarray:
    """Return the contacts of all monatomic cations of known radius with the donors in their shells.

    Parameters
    ----------
    atoms
        Periodic or not, wrapped or not.
    own_molecules
        Molecules by name; they take precedence over the library.

    Returns
    -------
    ndarray, (n_contacts, 2)
        Atom numbers of the cation and of the donor, each pair once.
    """
    return _Shells.of(atoms, own_molecules).contacts


def ion_shells(atoms: Atoms, own_molecules: Mapping[str, Molecule] | None = None) -> list[IonShell]:
    """Return the shell of each monatomic cation of known radius, in the order of the atoms.

    Parameters
    ----------
    atoms
        Periodic or not, wrapped or not.
    own_molecules
        Molecules by name; they take precedence over the library.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    topology, names, charges, cations, contacts = _Shells.of(atoms, own_molecules)
    molecule = topology.labels
    bound = contacts[charges[molecule[contacts[:, 1]]] < 0]
    count = len(charges)
    graph = coo_array((np.ones(len(bound), bool), (molecule[bound[:, 0]], molecule[bound[:, 1]])), shape=(count, count))
    cluster = connected_components(graph, directed=False)[1]
    is_ion = np.zeros(count, dtype=bool)
    is_ion[molecule[cations]] = True
    shells = []
    for cation in cations.tolist():
        donors = contacts[contacts[:, 0] == cation, 1]
        ligands = np.unique(molecule[donors])
        together = cluster == cluster[molecule[cation]]
        shells.append(
            IonShell(
                cation,
                tuple(sorted(names[k] or topology.formulas[k] for k in ligands)),
                len(donors),
                (int((together & is_ion).sum()), int((together & (charges < 0)).sum())),
            )
        )
    return shells


class _Shells(NamedTuple):
    """Molecules and cations of a configuration, and the pairs (n_contacts, 2) of a cation and a donor in its shell."""

    topology: Topology
    names: list[str | None]
    charges: np.ndarray
    cations: np.ndarray
    contacts: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, own_molecules: Mapping[str, Molecule] | None) -> _Shells:
        topology = Topology.of(atoms)
        known = {**MOLECULES, **(own_molecules or {})}
        names = topology.known(own_molecules)
        charges = np.array([known[name].charge if name else 0 for name in names])
        kinds = donor_kinds(atoms.numbers, topology.bonds)
        symbols, molecule = np.array(atoms.get_chemical_symbols()), topology.labels
        size = np.bincount(molecule)[molecule]
        cations = np.flatnonzero((charges[molecule] > 0) & (size == 1) & np.isin(symbols, list(CATION_RADII)))
        radius = vdw_radii[atoms.numbers]
        radius[cations] = [CATION_RADII[symbol] for symbol in symbols[cations]]
        i, j, shift = periodic_pairs(
            atoms.positions, atoms.cell.array, atoms.pbc, 2 * SHELL * float(radius.max(initial=1.0))
        )
        i, j, shift = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([shift, -shift])
        distance = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell.array - atoms.positions[i], axis=1)
        is_cation = np.isin(np.arange(len(atoms)), cations)
        near = is_cation[i] & (kinds[j] != "") & ~is_cation[j] & (distance < SHELL * (radius[i] + radius[j]))
        contacts = np.unique(np.stack([i[near], j[near]], axis=1), axis=0)  # count a donor once for all its images
        return cls(topology, names, charges, cations, contacts)


def pack_motif(
    kind: Pairing,
    composition: Mapping[str, int],
    density: float,
    seed: int = 0,
    *,
    donors: int = 4,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Atoms:
    """Pack a cubic periodic cell in which all cations have the same motif.

    Each cation has the same number of donors in its shell, all from different molecules. In an SSIP all are solvents.
    In a CIP one is an anion, which touches no other cation. In an AGG two cations and two anions form a cluster: one
    anion joins both cations, the other touches one of them. Solvents coordinate through the kind of donor that comes
    first in :data:`~electrolyte_ml.structures.donors.RULES`, carbonyl before ether O. The molecules and donors are
    drawn at random. Distances between molecules obey the limits of :func:`electrolyte_ml.structures.pack`; `ion_shells`
    checks the motif.

    Parameters
    ----------
    kind
        "SSIP", "CIP" or "AGG".
    composition
        Name -> number of molecules, as for `pack`. For an AGG all numbers are doubled.
    density
        g/cm³.
    seed
        The same seed gives the same cell.
    donors
        Number of donors in the shell of each cation.
    own_molecules
        Molecules by name; they take precedence over the library.

    Returns
    -------
    Atoms
        As for `pack`; ``info["motif"]`` is the kind.

    Raises
    ------
    InputError
        The kind is unknown; there is no monatomic cation of known radius; anions or solvents with donors are missing or
        too few; the total charge is not zero; or no such cell is found at the density.
    """
    if kind not in PAIRINGS:
        raise InputError(f"the kind of a motif must be one of {', '.join(PAIRINGS)}, not {kind!r}")
    donors, seed = whole("donors", donors, least=0), whole("seed", seed, least=0)
    content = {name: 2 * count if kind == "AGG" else count for name, count in composition.items()}
    molecules = molecules_of(content, own_molecules)
    require_charge(content, 0, own_molecules)
    ions = _Parts.of(kind, molecules, donors, f"{kind} of {written(content)}")
    edge = edge_of(molecules, density)
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        contacts = ions.draw_contacts(kind, donors, rng)
        shells = FirstShells(contacts, ions.all_donors, _CLEAR / TARGET)
        cell, closest = pack_once(molecules, edge, rng, shells)
        if closest >= CONTACT and _is_motif(cell, kind, donors, own_molecules):
            cell.info |= {"charge": 0, "motif": kind}
            return cell
    raise InputError(
        f"no {kind} of {written(content)} with {donors} donors around each cation was found at {density:g} g/cm³ in "
        f"{_ATTEMPTS} attempts: lower the density, or take more molecules or fewer donors"
    )


def pack_motifs(
    kind: Pairing,
    composition: Mapping[str, int],
    density: float,
    count: int,
    seed: int = 0,
    *,
    donors: int = 4,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> list[Atoms]:
    """Pack several different cells of one motif; parameters and errors are those of `pack_motif`."""
    return [
        pack_motif(kind, composition, density, 1000 * seed + k, donors=donors, own_molecules=own_molecules)
        for k in range(count)
    ]


def _is_motif(cell: Atoms, kind: Pairing, donors: int, own_molecules: Mapping[str, Molecule] | None) -> bool:
    """Return whether all cations have the motif, each with `donors` donors of different molecules."""
    cluster = {"SSIP": (1, 0), "CIP": (1, 1), "AGG": (2, 2)}[kind]
    shells = ion_shells(cell, own_molecules)
    return all(shell.cluster == cluster and shell.donors == len(shell.ligands) == donors for shell in shells)


@dataclass(frozen=True)
class _Parts:
    """Molecules of a cell by their role in a motif.

    Attributes
    ----------
    cations : list of int
        Atom numbers of the cations.
    anions, solvents : list of ndarray
        Atom numbers of the preferred donors of each molecule that has donors.
    all_donors : ndarray
        Donor atoms of all molecules.
    """

    cations: list[int]
    anions: list[np.ndarray]
    solvents: list[np.ndarray]
    all_donors: np.ndarray

    @classmethod
    def of(cls, kind: Pairing, molecules: Sequence[Molecule], donors: int, what: str) -> _Parts:
        """Sort the molecules; raise `InputError`, beginning with `what`, if they cannot form the motif."""
        found: dict[str, list[np.ndarray]] = {"anion": [], "solvent": []}
        cations, every, first = [], [np.empty(0, dtype=int)], 0
        for body in molecules:
            if body.role == "cation":
                if body.formula not in CATION_RADII:
                    raise InputError(f"{what}: {body.name} is not a monatomic cation with a known radius")
                cations.append(first)
            elif body.donors:
                preferred = min(body.donors, key=KINDS.index)
                found[body.role].append(first + np.array(body.donors[preferred]))
                every += [first + np.array(atoms) for atoms in body.donors.values()]
            first += len(body.symbols)
        parts = cls(cations, found["anion"], found["solvent"], np.concatenate(every))
        parts._check(kind, donors, what)
        return parts

    def _check(self, kind: Pairing, donors: int, what: str) -> None:
        if not self.cations:
            raise InputError(f"{what}: there is no cation")
        if not self.anions:
            raise InputError(f"{what}: there is no anion with donors")
        least = 2 if kind == "AGG" else 1
        if donors < least:
            raise InputError(f"{what}: a cation needs at least {least} donors, not {donors}")
        if kind != "SSIP" and len(self.anions) < len(self.cations):
            raise InputError(f"{what}: there are fewer anions with donors than cations")
        bound = {"SSIP": 0.0, "CIP": 1.0, "AGG": 1.5}[kind]  # donors of anions for each cation
        needed = round(len(self.cations) * (donors - bound))
        if len(self.solvents) < needed:
            raise InputError(
                f"{what}: {needed} solvent molecules with donors are needed, but there are {len(self.solvents)}: take "
                "more of them, or fewer donors"
            )

    def draw_contacts(self, kind: Pairing, donors: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the contacts, (M, 2) cation and donor, from different molecules except for an anion that joins two."""
        contacts: list[tuple[int, int]] = []
        if kind == "CIP":
            anions = rng.permutation(len(self.anions))
            contacts = [(c, int(rng.choice(self.anions[k]))) for c, k in zip(self.cations, anions)]
        elif kind == "AGG":
            anions = rng.permutation(len(self.anions))
            for k in range(0, len(self.cations), 2):
                first, second = self.cations[k : k + 2]
                joining = self.anions[anions[k]]
                ends = rng.choice(joining, 2, replace=len(joining) == 1)
                contacts += [(first, int(ends[0])), (second, int(ends[1]))]
                contacts.append((second, int(rng.choice(self.anions[anions[k + 1]]))))
        free = iter(rng.permutation(len(self.solvents)))
        for cation in self.cations:
            for _ in range(donors - sum(c == cation for c, _ in contacts)):
                contacts.append((cation, int(rng.choice(self.solvents[next(free)]))))
        return np.array(contacts)
