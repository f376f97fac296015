"""Solvated ion pairs in periodic cells: solvent-separated pairs, contact pairs and aggregates (paper, section 2.3.1).

A shell ends at 1.25 times the sum of the radius of the cation (`CATION_RADII`) and the van der Waals radius of the
donor: 2.85 Å of Li and O, 2.79 of Li and F, 3.18 of Na and O, near the first minima of their radial distribution
functions. Donors are the atoms that :mod:`electrolyte_ml.structures.donors` finds from bonds.

:func:`pack_motif` packs a cell in which all cations are in one motif. :func:`ion_shells` finds the motif of each cation
of any cell from its positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

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
SHELL = 1.25  # end of a shell in units of the sum of the radii
_CLEAR = 1.04 * SHELL  # donors outside a shell are packed beyond it
_ATTEMPTS = 20  # fresh random starts before a motif counts as impossible


@dataclass(frozen=True)
class IonShell:
    """The first shell of a cation, and the cluster of ions that it is in.

    Attributes
    ----------
    cation : int
        Its atom.
    ligands : tuple of str
        Molecules in the shell by name (by formula where they are not known), sorted.
    donors : int
        Donor atoms in the shell.
    cluster : (int, int)
        Cations and anions of the cluster, which contacts of cations and anions join.
    """

    cation: int
    ligands: tuple[str, ...]
    donors: int
    cluster: tuple[int, int]

    @property
    def pairing(self) -> Pairing:
        """No anion in the shell (SSIP), a pair of one cation and one anion (CIP), or a larger cluster (AGG)."""
        if not self.cluster[1]:
            return "SSIP"
        return "CIP" if self.cluster == (1, 1) else "AGG"


def shell_radius(cation: str, donor: str) -> float:
    """Return where the shell of a cation ends for a donor, Å, given their chemical symbols.

    Raises
    ------
    InputError
        The ionic radius of the cation is not known.
    """
    if cation not in CATION_RADII:
        raise InputError(f"the shell of {cation} is not known: there are radii of {', '.join(CATION_RADII)}")
    return float(SHELL * (CATION_RADII[cation] + vdw_radii[Atoms(donor).numbers[0]]))


def cation_contacts(atoms: Atoms, own_molecules: Mapping[str, Molecule] | None = None) -> np.ndarray:
    """Return the donors in the shells of all cations of one atom whose radius is known.

    Parameters
    ----------
    atoms
        Periodic or not, wrapped or not.
    own_molecules
        Molecules by name that come before those of the library.

    Returns
    -------
    ndarray, (n_contacts, 2)
        Atoms: the cation and its donor, each pair once.
    """
    return _Shells.of(atoms, own_molecules).contacts


def ion_shells(atoms: Atoms, own_molecules: Mapping[str, Molecule] | None = None) -> list[IonShell]:
    """Return the shell of each cation of one atom whose radius is known, in the order of the atoms.

    Parameters
    ----------
    atoms
        Periodic or not, wrapped or not.
    own_molecules
        Molecules by name that come before those of the library.
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
    found = []
    for cation in cations.tolist():
        donors = contacts[contacts[:, 0] == cation, 1]
        ligands = np.unique(molecule[donors])
        together = cluster == cluster[molecule[cation]]
        found.append(
            IonShell(
                cation,
                tuple(sorted(names[k] or topology.formulas[k] for k in ligands)),
                len(donors),
                (int((together & is_ion).sum()), int((together & (charges < 0)).sum())),
            )
        )
    return found


class _Shells(NamedTuple):
    """Molecules of a configuration, its cations, and (n_contacts, 2) the pairs of a cation and a donor in its shell."""

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
        contacts = np.unique(np.stack([i[near], j[near]], axis=1), axis=0)  # each donor once, whatever its images
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
    """Pack a cubic periodic cell all of whose cations are in one motif.

    Each cation has as many donors in its shell, of different molecules. In an SSIP all are of solvents. In a CIP one is
    of an anion, which touches no other cation. In an AGG two cations and two anions are a cluster: one anion joins both
    cations, the other touches one of them. Solvents coordinate by the kind of donor that comes first in
    :data:`~electrolyte_ml.structures.donors.RULES`, carbonyl before ether O. Which molecules and donors these are is
    drawn at random. Contacts within the cell are those of :func:`electrolyte_ml.structures.pack`, and the motif is
    checked by `ion_shells`.

    Parameters
    ----------
    kind
        "SSIP", "CIP" or "AGG".
    composition
        Name -> number of molecules, as `pack` takes it. An AGG has all of them twice.
    density
        g/cm³.
    seed
        The same seed gives the same cell.
    donors
        In the shell of each cation.
    own_molecules
        Molecules by name that come before those of the library.

    Returns
    -------
    Atoms
        As of `pack`; ``info["motif"]`` is the kind.

    Raises
    ------
    InputError
        Another kind; no cation of one atom with a known radius, no anion or solvent with donors, too few of them; a
        total charge; a density at which no such cell is found.
    """
    if kind not in PAIRINGS:
        raise InputError(f"the kind of a motif must be one of {', '.join(PAIRINGS)}, not {kind!r}")
    whole = {name: 2 * count if kind == "AGG" else count for name, count in composition.items()}
    molecules = molecules_of(whole, own_molecules)
    require_charge(whole, 0, own_molecules)
    ions = _Parts.of(kind, molecules, donors, f"{kind} of {written(whole)}")
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
        f"no {kind} of {written(whole)} with {donors} donors around each cation was found at {density:g} g/cm³ in "
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
    """Pack several cells of one motif, no two alike; parameters and errors are those of `pack_motif`."""
    return [
        pack_motif(kind, composition, density, 1000 * seed + k, donors=donors, own_molecules=own_molecules)
        for k in range(count)
    ]


def _is_motif(cell: Atoms, kind: Pairing, donors: int, own_molecules: Mapping[str, Molecule] | None) -> bool:
    """Return whether all cations are in a motif, each with so many donors of different molecules."""
    cluster = {"SSIP": (1, 0), "CIP": (1, 1), "AGG": (2, 2)}[kind]
    shells = ion_shells(cell, own_molecules)
    return all(shell.cluster == cluster and shell.donors == len(shell.ligands) == donors for shell in shells)


@dataclass(frozen=True)
class _Parts:
    """The molecules of a cell by what they do in a motif, each as the numbers of its first and its donor atoms.

    Attributes
    ----------
    cations : list of int
        Atoms.
    anions, solvents : list of ndarray
        Of each molecule that has donors, the preferred ones.
    all_donors : ndarray
        Donor atoms of all molecules.
    """

    cations: list[int]
    anions: list[np.ndarray]
    solvents: list[np.ndarray]
    all_donors: np.ndarray

    @classmethod
    def of(cls, kind: Pairing, molecules: Sequence[Molecule], donors: int, what: str) -> _Parts:
        """Sort the molecules; raise `InputError`, which begins with `what`, if they cannot make the motif."""
        found: dict[str, list[np.ndarray]] = {"anion": [], "solvent": []}
        cations, every, first = [], [np.empty(0, dtype=int)], 0
        for body in molecules:
            if body.role == "cation":
                if body.formula not in CATION_RADII:
                    raise InputError(f"{what}: {body.name} is no cation of one atom with a known radius")
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
                f"{what}: {needed} solvent molecules have to coordinate, and {len(self.solvents)} with donors are "
                "there: take more of them, or fewer donors"
            )

    def draw_contacts(self, kind: Pairing, donors: int, rng: np.random.Generator) -> np.ndarray:
        """(M, 2) cation and donor that are to touch, each donor of another molecule unless it joins two cations."""
        contacts: list[tuple[int, int]] = []
        if kind == "CIP":
            anions = rng.permutation(len(self.anions))
            contacts = [(c, int(rng.choice(self.anions[k]))) for c, k in zip(self.cations, anions)]
        elif kind == "AGG":
            anions = rng.permutation(len(self.anions))
            for k in range(0, len(self.cations), 2):
                one, other = self.cations[k : k + 2]
                joining = self.anions[anions[k]]
                ends = rng.choice(joining, 2, replace=len(joining) == 1)
                contacts += [(one, int(ends[0])), (other, int(ends[1]))]
                contacts.append((other, int(rng.choice(self.anions[anions[k + 1]]))))
        free = iter(rng.permutation(len(self.solvents)))
        for cation in self.cations:
            for _ in range(donors - sum(c == cation for c, _ in contacts)):
                contacts.append((cation, int(rng.choice(self.solvents[next(free)]))))
        return np.array(contacts)
