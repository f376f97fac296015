"""Bonds under any periodic boundary, from positions alone.

The stretch of a pair of atoms is their distance over the sum of their covalent radii (Cordero 2008). The metals of
salts (Li, Na, K, Mg, ...) coordinate but never bond. There are four limits:

- Below 1.4 (with H) or 1.3 (without) atoms are bonded if only the positions are known: C-H 1.50, C-C 1.98, C-O 1.85,
  P-F 2.13 Å. In liquids at up to 1200 K bonds reach 1.35 and 1.3, and other atoms come as near as 1.45 (H) and 1.3 to
  1.4.
- Beyond 1.6 a known bond is broken: C-H 1.71, C-C 2.43, C-O 2.27, P-F 2.62 Å.
- Below 1.2 a new bond is made: C-H 1.28, C-C 1.82, C-O 1.70, O-H 1.16 Å.
- Two atoms other than H that are bonded to the same third one are bonded to each other, in a ring of three, only below
  1.1: the S of TFSI and FSI, 2.8 Å apart on one N, come as near as 2.5 Å (1.2) in dynamics at 800 K.

The gap between broken and made is wider than vibrations: thermal amplitudes at 400 K are 0.08 Å for C-H (quantum, less
in classical dynamics) and 0.05 Å for C-O, and a break needs 0.6 and 0.9 Å.
"""

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from electrolyte_ml.structures.neighbours import periodic_pairs

BOND = 1.3
BOND_WITH_H = 1.4
BROKEN = 1.6
MADE = 1.2
IN_RING_OF_THREE = 1.1
NEVER_BONDED = np.array([atomic_numbers[s] for s in ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Zn")])


def bonds(atoms: Atoms) -> np.ndarray:
    """Return the bonded atoms i <= j, (n_bonds, 2)."""
    i, j, _ = bonded_pairs(atoms)
    return np.stack([i, j], axis=1)


def bonded_pairs(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonds from positions alone: i <= j and shift."""
    i, j, shift, stretch = close_pairs(atoms, max(BOND, BOND_WITH_H))
    with_h = (atoms.numbers[i] == 1) | (atoms.numbers[j] == 1)
    bonded = stretch < np.where(with_h, BOND_WITH_H, BOND)
    doubtful = bonded & ~with_h & (stretch > IN_RING_OF_THREE)
    certain = np.stack([i, j], axis=1)[bonded & ~doubtful]
    bonded[doubtful] = ~share_a_neighbour(i[doubtful], j[doubtful], certain)
    return i[bonded], j[bonded], shift[bonded]


def close_pairs(atoms: Atoms, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs below a stretch: i <= j, shift, and their own stretch."""
    radii = np.where(np.isin(atoms.numbers, NEVER_BONDED), 0.0, covalent_radii[atoms.numbers])
    longest = 2 * limit * radii.max(initial=0.1)
    i, j, shift = periodic_pairs(atoms.positions, atoms.cell.array, atoms.pbc, longest)
    distance = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell.array - atoms.positions[i], axis=1)
    covalent = np.where((radii[i] > 0) & (radii[j] > 0), radii[i] + radii[j], 1e-9)
    stretch = distance / covalent
    near = stretch < limit
    return i[near], j[near], shift[near], stretch[near]


def broken_lengths(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the length, Å, beyond which a bond between atoms of these numbers is broken."""
    return BROKEN * (covalent_radii[first] + covalent_radii[second])


def share_a_neighbour(i: np.ndarray, j: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Whether the atoms of each pair (i, j) are bonded to one third atom, given (n_bonds, 2) bonded pairs."""
    if not len(i):
        return np.zeros(0, dtype=bool)
    from scipy.sparse import csr_array

    size = int(max(index.max(initial=-1) for index in (i, j, bonds))) + 1
    starts, stops = np.r_[bonds, bonds[:, ::-1]].T
    bonded = csr_array((np.ones(len(starts)), (starts, stops)), shape=(size, size))
    return np.asarray(bonded[i].multiply(bonded[j]).sum(axis=1)).ravel() > 0
