"""Molecules that overlap, as in boxes that were packed at random with a small tolerance, and how to move them apart.

Packmol's usual tolerance is 2.0 Å between any two atoms. In a liquid two heavy atoms of different molecules do not come
that close, and no training set of a liquid has such contacts: a potential extrapolates there, and may let the atoms
collapse.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, vdw_radii

from electrolyte_ml.structures.boxes import CATION_RADII, TARGET
from electrolyte_ml.structures.graphs import members
from electrolyte_ml.structures.neighbours import periodic_pairs
from electrolyte_ml.structures.packing import RigidBodies
from electrolyte_ml.structures.topology import Topology

# In units of the sum of the van der Waals radii. The closest contact between heavy atoms is 0.79 or longer in 540 boxes
# of liquid EC, EMC and LiPF6 at 300 K, and 0.65 to 0.70 in boxes of such molecules by Packmol with 2.0 Å.
OVERLAP = 0.75


def find_overlap(atoms: Atoms) -> str | None:
    """Describe the closest contact between heavy atoms of different molecules, if no liquid has such a contact.

    Hydrogens are left out, which come closer in hydrogen bonds, and so are monatomic cations.

    Parameters
    ----------
    atoms
        Molecules with unbroken bonds, under any periodic boundary conditions.

    Returns
    -------
    str or None
        Such as "C12 of EC (molecule 2) and O45 of EMC (molecule 5) are 2.10 Å apart"; None if the closest contact is
        longer than 0.75 times the sum of the van der Waals radii.

    Raises
    ------
    InputError
        Positions or cell are not finite, or a periodic cell has no volume.
    """
    topology = Topology.of(atoms)
    radii = _radii(topology)
    heavy = np.flatnonzero((atoms.numbers > 1) & (radii == vdw_radii[atoms.numbers]))
    if len(heavy) == 0:
        return None
    first, second, shift = periodic_pairs(
        atoms.positions[heavy], atoms.cell.array, atoms.pbc, 2.0 * OVERLAP * radii[heavy].max()
    )
    i, j = heavy[first], heavy[second]
    distances = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell.array - atoms.positions[i], axis=1)
    ratios = np.where(topology.labels[i] != topology.labels[j], distances / (radii[i] + radii[j]), np.inf)
    if ratios.min(initial=np.inf) >= OVERLAP:
        return None
    worst = int(ratios.argmin())
    return f"{topology.place(int(i[worst]))} and {topology.place(int(j[worst]))} are {distances[worst]:.2f} Å apart"


def separate(atoms: Atoms) -> Atoms:
    """Move molecules apart as rigid bodies, as far as a packed box has them (:func:`~electrolyte_ml.pack`).

    A soft repulsion below 0.93 times the sum of the van der Waals radii is minimised. Molecules keep their shapes,
    their periodic images and the order of their atoms.

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
    bodies = RigidBodies(shape=arms, radii=TARGET * _radii(topology)[order], first=first)
    centres, arms = bodies.push_apart(centres, arms, np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))
    separated.positions[order] += centres[body] + arms - positions
    return separated


def _radii(topology: Topology) -> np.ndarray:
    """Return the radii (N,) Å of all atoms: van der Waals radii, or the radius of a monatomic cation."""
    radii = vdw_radii[topology.numbers].copy()
    for symbol, radius in CATION_RADII.items():
        alone = np.array([formula == symbol for formula in topology.formulas])
        radii[alone[topology.labels] & (topology.numbers == atomic_numbers[symbol])] = radius
    return radii
