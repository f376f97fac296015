"""Molecules that overlap, as in boxes that were packed at random with a small tolerance, and how to move them apart.

Packmol's usual tolerance is 2.0 Å between any two atoms. In a liquid two heavy atoms of different molecules do not come
that close, and no training set of a liquid has such contacts: a potential extrapolates there, and may let the atoms
collapse.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

from electrolyte_ml.structures.boxes import CATION_RADII, TARGET
from electrolyte_ml.structures.graphs import members
from electrolyte_ml.structures.neighbours import periodic_pairs
from electrolyte_ml.structures.packing import CATIONS_APART, RigidBodies, reach_of
from electrolyte_ml.structures.topology import Topology

# In units of the sum of the van der Waals radii. The closest contact between heavy atoms is 0.79 or longer in 540 boxes
# of liquid EC, EMC and LiPF6 at 300 K, and 0.65 to 0.70 in boxes of such molecules by Packmol with 2.0 Å.
OVERLAP = 0.75


def find_overlap(atoms: Atoms) -> str | None:
    """Describe the closest contact between heavy atoms of different molecules, if no liquid has such a contact.

    Hydrogens are left out, which come closer in hydrogen bonds, and so are monatomic cations, but two cations count.

    Parameters
    ----------
    atoms
        Molecules with unbroken bonds, under any periodic boundary conditions.

    Returns
    -------
    str or None
        Such as "C12 of EC (molecule 2) and O45 of EMC (molecule 5) are 2.10 Å apart"; None if the closest contact is
        longer than 0.75 times the sum of the van der Waals radii, and than 2.6 Å for two cations.

    Raises
    ------
    InputError
        Positions or cell are not finite, or a periodic cell has no volume.
    """
    topology = Topology.of(atoms)
    radii, cations = _sizes(topology)
    heavy = np.flatnonzero(atoms.numbers > 1)
    longest = OVERLAP * max(2.0 * radii.max(initial=0.0), CATIONS_APART)
    first, second, shift = periodic_pairs(atoms.positions[heavy], atoms.cell.array, atoms.pbc, longest)
    i, j = heavy[first], heavy[second]
    counted = (topology.labels[i] != topology.labels[j]) & (cations[i] == cations[j])
    i, j, shift = i[counted], j[counted], shift[counted]
    distances = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell.array - atoms.positions[i], axis=1)
    ratios = distances / reach_of(radii, cations, i, j)
    if ratios.min(initial=np.inf) >= OVERLAP:
        return None
    worst = int(ratios.argmin())
    return f"{topology.place(int(i[worst]))} and {topology.place(int(j[worst]))} are {distances[worst]:.2f} Å apart"


def separate(atoms: Atoms) -> Atoms:
    """Move molecules apart as rigid bodies, as far as a packed box has them (:func:`~electrolyte_ml.pack`).

    A soft repulsion below 0.93 times the sum of the van der Waals radii, and below 3.5 Å between two cations, is
    minimised. Molecules keep their shapes, their periodic images and the order of their atoms.

    Parameters
    ----------
    atoms
        Molecules with unbroken bonds, under any periodic boundary conditions.

    Returns
    -------
    Atoms
        Copy with other positions; an unchanged copy if a molecule is bonded to its own image and cannot move as a body.

    Raises
    ------
    InputError
        As for `find_overlap`.
    """
    topology, separated = Topology.of(atoms), atoms.copy()
    if topology.endless.any():
        return separated
    molecules = members(topology.labels)
    order, sizes = np.concatenate(molecules), np.array([len(molecule) for molecule in molecules])
    body, first = np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes) - sizes
    positions = topology.unwrapped[order]
    centres = np.add.reduceat(positions, first, axis=0) / sizes[:, None]
    arms = positions - centres[body]
    radii, cations = _sizes(topology)
    bodies = RigidBodies(shape=arms, radii=TARGET * radii[order], first=first, cations=cations[order])
    centres, arms = bodies.push_apart(centres, arms, np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))
    separated.positions[order] += centres[body] + arms - positions
    return separated


def _sizes(topology: Topology) -> tuple[np.ndarray, np.ndarray]:
    """Return the radius (Å) of each atom, and whether it is a monatomic cation with a radius of its own, (N,) each."""
    radii, cations = vdw_radii[topology.numbers].copy(), np.zeros(len(topology.numbers), dtype=bool)
    for symbol, radius in CATION_RADII.items():
        alone = np.array([formula == symbol for formula in topology.formulas])[topology.labels]
        radii[alone], cations[alone] = radius, True
    return radii, cations
