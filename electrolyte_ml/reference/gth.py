"""Goedecker-Teter-Hutter pseudopotentials for PBE: valence electrons, and the cutoff that each element needs."""

from __future__ import annotations

from ase import Atoms

# Valence electrons of the pseudopotentials; the DZVP-MOLOPT-SR basis sets are made for the same numbers. Na (9) and Mg
# (10) are left out, because their forces ripple with the grid: the force on a lone ion, a quarter of the grid's spacing
# away from a point of the grid on each axis, is 0.4 and 0.7 eV/Å at 1200 Ry instead of 0; for F it is 0.1 at 900 Ry.
VALENCES = {
    "H": 1,
    "Li": 3,
    "B": 3,
    "C": 4,
    "N": 5,
    "O": 6,
    "F": 7,
    "P": 5,
    "S": 6,
    "Cl": 7,
    "K": 9,
}
CUTOFF = 600  # Ry, of the elements without an entry below
HARD_CUTOFFS = {"F": 900}  # Ry


def cutoff_of(atoms: Atoms) -> int:
    """Return the cutoff of the density's plane waves (Ry) that the hardest element of a configuration needs.

    The forces of a cell with PF6 sum to 1.4 eV/Å at 600 Ry and to 0.1 to 0.3 at 900. The total energies of two cells
    with different cutoffs differ by more than their physics: give one cutoff for a set that mixes cells of both kinds.
    """
    return max((HARD_CUTOFFS.get(symbol, CUTOFF) for symbol in atoms.symbols), default=CUTOFF)
