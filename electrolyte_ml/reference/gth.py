"""Goedecker-Teter-Hutter pseudopotentials for PBE: valence electrons and plane-wave cutoffs of the elements."""

from __future__ import annotations

from ase import Atoms

# Valence electrons of the pseudopotentials; the DZVP-MOLOPT-SR basis sets are made for the same numbers. Na (9) and Mg
# (10) are left out, because their forces depend on the position relative to the grid: the force on a single ion that is
# displaced from a grid point by a quarter of the grid spacing along each axis should be 0, but is 0.4 and 0.7 eV/Å at
# 1200 Ry; for F it is 0.1 at 900 Ry.
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
CUTOFF = 600  # Ry, for elements without an entry below
HARD_CUTOFFS = {"F": 1200}  # Ry


def cutoff_of(atoms: Atoms) -> int:
    """Return the plane-wave cutoff of the density (Ry) for a configuration: the largest of its elements.

    The forces of a cell with LiPF6 sum to 1.4 eV/Å at 600 Ry, to 0.2 to 0.3 at 900, and to 0.03 to 0.06 at 1200. At
    900 Ry CP2K and PySCF differ by 0.035 eV/Å (root mean square of the components, 0.08 on F), at 1200 Ry by 0.008
    (0.02 on F). Total energies with different cutoffs cannot be compared: set one cutoff for a data set that mixes
    cells with and without such elements.
    """
    return max((HARD_CUTOFFS.get(symbol, CUTOFF) for symbol in atoms.symbols), default=CUTOFF)
