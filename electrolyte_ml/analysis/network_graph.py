"""Graph of solvent-separated cations and the solvent molecules that bridge them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electrolyte_ml.analysis.residence import Bonds
from electrolyte_ml.analysis.shells import SSIP, Shells


@dataclass(frozen=True, eq=False)
class NetworkGraph:
    """The networks of one run.

    Attributes
    ----------
    shells
        Shells of the run.
    size, network
        (F, n_ions) number of cations in the network of each cation, 0 if the cation is not solvent-separated; index of
        the network, counted over all frames.
    frame, molecule, ion, species
        (B,) one row per bridging molecule and cation that it coordinates, sorted by frame and molecule.
    bridge
        (B,) index of the bridging molecule, counted over all frames.
    donors
        (n_bridges,) code of all donor atoms through which a molecule bridges (:meth:`Shells.donor_label`).
    """

    shells: Shells
    size: np.ndarray
    network: np.ndarray
    frame: np.ndarray
    molecule: np.ndarray
    ion: np.ndarray
    species: np.ndarray
    bridge: np.ndarray
    donors: np.ndarray

    @classmethod
    def of(cls, s: Shells) -> NetworkGraph:
        """Find the networks as connected components of cations and the molecules that bridge them."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        separated = s.pairing == SSIP
        rows = np.flatnonzero(separated[s.ligand_frame, s.ligand_ion] & ~s.anions[s.ligand_species])
        n_molecules = int(s.ligand_molecule.max(initial=0)) + 1
        key = s.ligand_frame[rows] * n_molecules + s.ligand_molecule[rows]
        order = np.argsort(key, kind="stable")
        rows, key = rows[order], key[order]
        _, group, n_cations = np.unique(key, return_inverse=True, return_counts=True)
        rows = rows[n_cations[group] > 1]
        _, bridge = np.unique(s.ligand_frame[rows] * n_molecules + s.ligand_molecule[rows], return_inverse=True)
        frame, ion = s.ligand_frame[rows], s.ligand_ion[rows]
        n_sites, n_bridges = s.n_frames * s.n_ions, int(bridge.max(initial=-1)) + 1
        site = frame * s.n_ions + ion
        total = n_sites + n_bridges
        edges = coo_array((np.ones(len(site), bool), (site, n_sites + bridge)), shape=(total, total))
        n_components, label = connected_components(edges, directed=False)
        label = label[:n_sites]
        size = np.where(separated.ravel(), np.bincount(label, minlength=n_components)[label], 0)
        # A donor that coordinates two cations is counted once.
        bridge_of_ligand = np.full(len(s.ligand_frame), -1)
        bridge_of_ligand[rows] = bridge
        through = bridge_of_ligand[s.contact_ligand]
        atoms = np.unique(np.stack([through, s.contact_donor, s.contact_kind], axis=1)[through >= 0], axis=0)
        kinds = np.zeros((n_bridges, len(s.kinds)), dtype=np.int64)
        np.add.at(kinds, (atoms[:, 0], atoms[:, 2]), 1)
        shape = (s.n_frames, s.n_ions)
        return cls(
            s,
            size.reshape(shape),
            label.reshape(shape),
            frame,
            s.ligand_molecule[rows],
            ion,
            s.ligand_species[rows],
            bridge,
            s.code(kinds),
        )


def links(g: NetworkGraph) -> Bonds:
    """Return the pairs of cations that share a solvent molecule, as bonds."""
    n_ions = g.shells.n_ions
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for step in range(1, n_ions):
        both = g.bridge[step:] == g.bridge[:-step]
        if not both.any():
            break
        ends = np.sort(np.stack([g.ion[step:][both], g.ion[:-step][both]], axis=1), axis=1)
        pairs.append(np.stack([ends[:, 0] * n_ions + ends[:, 1], g.frame[step:][both]], axis=1))
    bond, frame = np.unique(np.concatenate(pairs), axis=0).T
    return Bonds(bond, frame, max(n_ions * (n_ions - 1) // 2, 1), g.shells.n_frames)


def networks_over_time(g: NetworkGraph) -> Bonds:
    """Return the networks of two or more cations as bonds; networks of the same cations are the same bond."""
    n_ions = g.shells.n_ions
    rng = np.random.default_rng(0)
    frame, ion = np.nonzero(g.size > 1)
    network, first, index = np.unique(g.network[frame, ion], return_index=True, return_inverse=True)
    # The sum of random numbers of its cations identifies a set; two sets have the same sum with probability 1e-19.
    sum_of_set = np.zeros(len(network), dtype=np.uint64)
    np.add.at(sum_of_set, index, rng.integers(0, 2**63, n_ions, dtype=np.uint64)[ion])
    _, bond = np.unique(sum_of_set, return_inverse=True)
    return Bonds(bond, frame[first], 2 ** min(n_ions, 62), g.shells.n_frames)
