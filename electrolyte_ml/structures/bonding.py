"""Bonds from positions alone, under any periodic boundary conditions.

The stretch of a pair of atoms is their distance divided by the sum of their covalent radii (Cordero 2008). The metals
of salts (Li, Na, K, Mg, ...) coordinate but never bond. Four limits of the stretch depend on the pair of elements:

- Below 1.4 (with H) or 1.3 (without), atoms are bonded if only the positions are known: C-H 1.50, C-C 1.98, C-O 1.85,
  P-F 2.13 Å. In liquids at up to 1200 K, bonds reach 1.35 (with H) and 1.3 (without); the closest atoms without a bond
  are at 1.45 (with H) and at 1.3 to 1.4 (without).
- Beyond 1.6 (with H) or 1.45 (without), a known bond is broken: C-H 1.71, C-C 2.20, C-O 2.06, P-F 2.38 Å.
- Below 1.2, a new bond is made: C-H 1.28, C-C 1.82, C-O 1.70, O-H 1.16 Å.
- Two atoms other than H that are bonded to the same third atom are bonded to each other (a ring of three) only below
  1.2 (two of C, N, O, F), 1.15 (one of them with a heavier atom) or 1.1 (two heavier atoms). The S atoms on the N of
  TFSI and FSI, 2.8 Å apart, come as near as 2.5 Å (1.2) in dynamics at 800 K, and a C-C bond of a cyclopropane reaches
  1.75 Å (1.15).

An atom forms at most as many bonds as its valence allows; of further pairs, those beyond 1.2 are contacts, the longest
first. The H of an O-H that points to an iodide, 2.35 Å away, is therefore bonded to the O only.

The gap between the limits of broken and made bonds exceeds vibrations: thermal amplitudes at 400 K are 0.08 Å for C-H
(quantum, smaller in classical dynamics) and 0.05 Å for C-O, but a bond must be stretched by 0.6 Å to count as broken.
"""

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from electrolyte_ml.structures.neighbours import periodic_pairs

MADE = 1.2
LONGEST = 1.6  # largest of all limits
NEVER_BONDED = np.array([atomic_numbers[s] for s in ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Zn")])
_BOND, _BOND_WITH_H = 1.3, 1.4
_BROKEN, _BROKEN_WITH_H = 1.45, 1.6
_RING_OF_THREE = (1.2, 1.15, 1.1)  # indexed by the number of atoms heavier than F
# B has five neighbours B and one H in the cages of closo-borates.
_VALENCES = {"H": 1, "B": 6, "C": 4, "N": 4, "O": 3, "F": 1, "Si": 6, "P": 6, "S": 6, "Cl": 4, "Br": 4}
_MOST_BONDS = np.full(len(covalent_radii), 12)
for _symbol, _most in _VALENCES.items():
    _MOST_BONDS[atomic_numbers[_symbol]] = _most


def bonds(atoms: Atoms) -> np.ndarray:
    """Return the bonded pairs of atoms, (n_bonds, 2), i <= j."""
    i, j, _ = bonded_pairs(atoms)
    return np.stack([i, j], axis=1)


def bonded_pairs(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bonds from positions alone: atoms i <= j and the shift of j in cell vectors."""
    i, j, shift, stretch = close_pairs(atoms, _BOND_WITH_H)
    first, second = atoms.numbers[i], atoms.numbers[j]
    with_h = (first == 1) | (second == 1)
    bonded = stretch < np.where(with_h, _BOND_WITH_H, _BOND)
    doubtful = bonded & ~with_h & (stretch > ring_limits(first, second))
    certain = np.stack([i, j], axis=1)[bonded & ~doubtful]
    bonded[doubtful] = ~share_a_neighbour(i[doubtful], j[doubtful], certain)
    i, j, shift, stretch = i[bonded], j[bonded], shift[bonded], stretch[bonded]
    kept = ~((stretch > MADE) & _beyond_valence(i, j, stretch, atoms.numbers))
    return i[kept], j[kept], shift[kept]


def ring_limits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the stretch below which two atoms (atomic numbers) form a ring of three with a common neighbour."""
    return np.array(_RING_OF_THREE)[(first > 9).astype(int) + (second > 9)]


def broken_limits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the stretch beyond which a bond between two atoms (atomic numbers) is broken."""
    return np.where((first == 1) | (second == 1), _BROKEN_WITH_H, _BROKEN)


def overfull(numbers: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Return whether each atom, (N,), has more of the bonds, (n_bonds, 2), than its valence allows."""
    return np.bincount(bonds.ravel(), minlength=len(numbers)) > _MOST_BONDS[numbers]


def _beyond_valence(i: np.ndarray, j: np.ndarray, stretch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return whether one of the atoms of each bond, (n_bonds,), has as many shorter bonds as its valence allows."""
    atom, length = np.r_[i, j], np.r_[stretch, stretch]
    order = np.lexsort((length, atom))
    starts = np.searchsorted(atom[order], atom[order])
    rank = np.empty(len(atom), dtype=int)
    rank[order] = np.arange(len(atom)) - starts
    return (rank >= _MOST_BONDS[numbers[atom]]).reshape(2, -1).any(axis=0)


def close_pairs(atoms: Atoms, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs below a stretch: atoms i <= j, the shift of j in cell vectors, and the stretch."""
    radii = np.where(np.isin(atoms.numbers, NEVER_BONDED), 0.0, covalent_radii[atoms.numbers])
    longest = 2 * limit * radii.max(initial=0.1)
    i, j, shift = periodic_pairs(atoms.positions, atoms.cell.array, atoms.pbc, longest)
    distance = np.linalg.norm(atoms.positions[j] + shift @ atoms.cell.array - atoms.positions[i], axis=1)
    covalent = np.where((radii[i] > 0) & (radii[j] > 0), radii[i] + radii[j], 1e-9)
    stretch = distance / covalent
    near = stretch < limit
    return i[near], j[near], shift[near], stretch[near]


def broken_lengths(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the length (Å) beyond which a bond between two atoms (atomic numbers) is broken."""
    return broken_limits(first, second) * (covalent_radii[first] + covalent_radii[second])


def share_a_neighbour(i: np.ndarray, j: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Return whether the atoms of each pair (i, j) have a common bonded atom, given (n_bonds, 2) bonded pairs."""
    if not len(i):
        return np.zeros(0, dtype=bool)
    from scipy.sparse import csr_array

    size = int(max(index.max(initial=-1) for index in (i, j, bonds))) + 1
    starts, stops = np.r_[bonds, bonds[:, ::-1]].T
    bonded = csr_array((np.ones(len(starts)), (starts, stops)), shape=(size, size))
    return np.asarray(bonded[i].multiply(bonded[j]).sum(axis=1)).ravel() > 0
