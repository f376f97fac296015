"""First shells, ligands and ion clusters of every cation in every frame, from its contacts.

A ligand coordinates a cation with one or more of its donor atoms; their number is its denticity. A cation without an
anion in its shell is solvent-separated (SSIP). Cations and anions that are bound to each other form a cluster: one of
each is a contact pair (CIP), any larger cluster an aggregate (AGG). Clusters are the connected components of the graph
whose edges are the cation-anion contacts, including those of further kinds of cation. Fractions count cations, not
clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from electrolyte_ml.analysis.contacts import Contacts
from electrolyte_ml.errors import InputError

PAIRING = ("SSIP", "CIP", "AGG")
SSIP, CIP, AGG = range(3)
_BASE = 16  # base of the codes: above the number of donors of one kind of a ligand, or of ligands in a shell
_DIGITS = 15  # of a code of 64 bits


class Pairs(NamedTuple):
    """Bound cations and anions, (n,) each: frame, index of the cation in its kind, molecule of the anion."""

    frame: np.ndarray
    cation: np.ndarray
    anion: np.ndarray

    @classmethod
    def of(cls, contacts: Contacts, anions: np.ndarray, shift: float = 0.0) -> Pairs:
        """Return the pairs of a run; the arguments are those of `Shells.of`."""
        donors = contacts.donors
        near = contacts.distance < donors.cutoff[contacts.donor] + shift
        near &= anions[donors.species[contacts.donor]]
        return cls(contacts.frame[near].astype(np.int64), contacts.ion[near], donors.molecule[contacts.donor[near]])


@dataclass(frozen=True, eq=False)
class Shells:
    """First shells of each cation in each frame of a run.

    Attributes
    ----------
    n_frames, n_ions
        Number of frames and of cations of the run.
    names, kinds, anions
        Species that could coordinate, kinds of donors, and a mask of the species that are anions, (n_species,).
    ligand_frame, ligand_ion, ligand_molecule, ligand_species
        (L,) one row for each ligand on each ion, sorted; `ligand_species` are indices into `names`.
    ligand_donors
        (L, n_kinds) number of donors of each kind with which the ligand coordinates.
    coordination
        (F, n_ions, n_species) number of donor atoms in the shell.
    ligands
        (F, n_ions, n_species) number of molecules in the shell.
    pairing
        (F, n_ions) 0 for SSIP, 1 for CIP, 2 for AGG.
    cluster_cations, cluster_anions
        (F, n_ions) number of cations and of anions in the cluster of the cation.
    contact_ligand, contact_donor, contact_kind
        (C,) for every contact: row of its ligand, index of its donor in the contacts' donors, and kind of donor.
    """

    n_frames: int
    n_ions: int
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    anions: np.ndarray
    ligand_frame: np.ndarray
    ligand_ion: np.ndarray
    ligand_molecule: np.ndarray
    ligand_species: np.ndarray
    ligand_donors: np.ndarray
    coordination: np.ndarray
    ligands: np.ndarray
    pairing: np.ndarray
    cluster_cations: np.ndarray
    cluster_anions: np.ndarray
    contact_ligand: np.ndarray
    contact_donor: np.ndarray
    contact_kind: np.ndarray

    @classmethod
    def of(cls, contacts: Contacts, anions: np.ndarray, shift: float = 0.0, others: Sequence[Pairs] = ()) -> Shells:
        """Count ligands and clusters.

        Parameters
        ----------
        contacts
            Contacts of a run.
        anions
            Mask of the donors' species that are anions, (n_species,).
        shift
            Change of every cutoff, Å; at most the band with which the contacts were found.
        others
            Pairs of the further kinds of cation, which belong to the clusters too.
        """
        donors = contacts.donors
        n_frames, n_ions, n_species = contacts.n_frames, len(contacts.cation), len(donors.names)
        near = contacts.distance < donors.cutoff[contacts.donor] + shift
        frame, ion, donor = contacts.frame[near], contacts.ion[near], contacts.donor[near]
        site = frame.astype(np.int64) * n_ions + ion  # one cation in one frame
        n_molecules = int(donors.molecule.max()) + 1
        key = site * n_molecules + donors.molecule[donor]
        key, first, ligand = np.unique(key, return_index=True, return_inverse=True)
        ligand_site, ligand_molecule = key // n_molecules, key % n_molecules
        ligand_species = donors.species[donor[first]]
        ligand_donors = np.zeros((len(key), len(donors.kinds)), dtype=np.int8)
        np.add.at(ligand_donors, (ligand, donors.kind[donor]), 1)

        def per_ion(sites: np.ndarray, species: np.ndarray) -> np.ndarray:
            flat = np.bincount(sites * n_species + species, minlength=n_frames * n_ions * n_species)
            return flat.reshape(n_frames, n_ions, n_species).astype(np.int16)

        bound = anions[ligand_species]
        own = Pairs(ligand_site[bound] // n_ions, ligand_site[bound] % n_ions, ligand_molecule[bound])
        pairing, cations, anions_ = _clusters([own, *others], n_frames, n_ions)
        return cls(
            n_frames=n_frames,
            n_ions=n_ions,
            names=donors.names,
            kinds=donors.kinds,
            anions=anions,
            ligand_frame=ligand_site // n_ions,
            ligand_ion=ligand_site % n_ions,
            ligand_molecule=ligand_molecule,
            ligand_species=ligand_species,
            ligand_donors=ligand_donors,
            coordination=per_ion(site, donors.species[donor]),
            ligands=per_ion(ligand_site, ligand_species),
            pairing=pairing,
            cluster_cations=cations,
            cluster_anions=anions_,
            contact_ligand=ligand,
            contact_donor=donor,
            contact_kind=donors.kind[donor],
        )

    def code(self, donors: np.ndarray) -> np.ndarray:
        """Return (L,) codes of sets of donors, given (L, n_kinds) counts; :meth:`donor_label` gives their names."""
        return _encoded(donors, self.kinds, "donors")

    def donor_label(self, code: int) -> str:
        """Return the donors of a code, such as "carbonyl" or "carbonyl+ether"."""
        return "+".join(kind for k, kind in enumerate(self.kinds) for _ in range(code // _BASE**k % _BASE))

    def shell_code(self) -> np.ndarray:
        """Return (F, n_ions) codes of the compositions of shells; :meth:`shell_label` gives their names."""
        return _encoded(self.ligands, self.names, "ligands")

    def shell_label(self, code: int) -> str:
        """Return the ligands of a code, such as "3 EC + 1 EMC"; "none" for an empty shell."""
        counts = [(code // _BASE**k % _BASE, name) for k, name in enumerate(self.names)]
        return " + ".join(f"{count} {name}" for count, name in counts if count) or "none"


def _encoded(counts: np.ndarray, names: Sequence[str], what: str) -> np.ndarray:
    """Return a code for each row of counts (..., n_names), as the digits of a number.

    Raises
    ------
    InputError
        A count or the number of names is too large for a code.
    """
    if counts.max(initial=0) >= _BASE:
        worst = names[int(counts.reshape(-1, len(names)).max(axis=0).argmax())]
        raise InputError(f"a shell has {counts.max()} {what} ({worst}), more than {_BASE - 1}: choose a shorter cutoff")
    if counts[..., _DIGITS:].any():
        raise InputError(f"{len(names)} kinds of {what} are more than {_DIGITS} that a shell can be counted by")
    return counts[..., :_DIGITS].astype(np.int64) @ _BASE ** np.arange(min(len(names), _DIGITS), dtype=np.int64)


def _clusters(kinds: Sequence[Pairs], n_frames: int, n_ions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairing, cations and anions of the cluster of every cation of the first kind, each (F, n_ions).

    Every bound ion in every frame is a node of the graph; cations of the first kind are nodes also without an anion.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_sites = n_frames * n_ions
    cation_nodes = [kinds[0].frame * n_ions + kinds[0].cation]
    size = n_sites
    for pairs in kinds[1:]:
        nodes, node = np.unique(
            pairs.frame * (int(pairs.cation.max(initial=0)) + 1) + pairs.cation, return_inverse=True
        )
        cation_nodes.append(size + node)
        size += len(nodes)
    n_cations = size
    frame, anion = (np.concatenate([getattr(pairs, name) for pairs in kinds]) for name in ("frame", "anion"))
    nodes, node = np.unique(frame * (int(anion.max(initial=0)) + 1) + anion, return_inverse=True)
    size += len(nodes)
    edges = coo_array((np.ones(len(node), bool), (np.concatenate(cation_nodes), n_cations + node)), shape=(size, size))
    n_components, label = connected_components(edges, directed=False)
    cations = np.bincount(label[:n_cations], minlength=n_components)[label[:n_sites]]
    anions = np.bincount(label[n_cations:], minlength=n_components)[label[:n_sites]]
    pairing = np.where(anions == 0, SSIP, np.where((anions == 1) & (cations == 1), CIP, AGG))
    shape = (n_frames, n_ions)
    return pairing.reshape(shape).astype(np.int8), cations.reshape(shape), anions.reshape(shape)
