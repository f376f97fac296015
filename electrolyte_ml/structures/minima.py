"""Search for the lowest conformer of a molecule with any calculator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import bonds
from electrolyte_ml.structures.molecules import Molecule

COARSE = 0.05  # eV/Å, force limit of the first minimisation, of all conformers
FINE = 5e-4  # eV/Å, force limit of the second minimisation, of the lowest conformers
NEAR = 0.05  # eV, energy above the lowest up to which conformers are minimised again
STEPS = 2000  # most steps of a minimisation


def lowest_conformer(molecule: Molecule, starts: Sequence[np.ndarray], calculator: Calculator, level: str) -> Molecule:
    """Return a molecule at its lowest minimum, with the axes of inertia along x, y and z.

    All starting geometries are minimised to 0.05 eV/Å, and those within 0.05 eV of the lowest then to 5e-4 eV/Å.

    Parameters
    ----------
    molecule
        Molecule with its charge.
    starts
        Starting geometries, (N, 3) Å each.
    calculator
        Calculator that reads the total charge from ``info["charge"]``.
    level
        Name of the level of theory, for the entry `geometry` of the molecule.

    Raises
    ------
    InputError
        No start leads to a minimum with the bonds of the molecule.
    """
    coarse = [found for start in starts if (found := _minimise(molecule, start, calculator, COARSE))]
    lowest = min((energy for energy, _ in coarse), default=0.0)
    near = [positions for energy, positions in coarse if energy < lowest + NEAR]
    fine = [found for start in near if (found := _minimise(molecule, start, calculator, FINE))]
    if not fine:
        raise InputError(
            f"{molecule.name}: none of {len(starts)} geometries leads to a minimum of {level} with its bonds"
        )
    _, positions = min(fine, key=lambda found: found[0])
    geometry = f"lowest of {len(starts)} conformers, {level}" if len(starts) > 1 else f"{level} minimum"
    return replace(molecule, positions=on_principal_axes(molecule, positions), geometry=geometry)


def on_principal_axes(molecule: Molecule, positions: np.ndarray) -> np.ndarray:
    """Rotate positions (N, 3) Å so that the moments of inertia about x, y and z ascend; chirality is kept."""
    atoms = Atoms(molecule.symbols, positions)
    centred = atoms.positions - atoms.get_center_of_mass()
    masses = atoms.get_masses()
    _, axes = np.linalg.eigh(-np.einsum("n,ni,nj->ij", masses, centred, centred))  # columns, longest extent first
    for axis in axes.T[:2]:
        furthest = np.argmax(np.abs(centred @ axis).round(3))
        axis *= np.sign(centred[furthest] @ axis) or 1.0
    axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
    return np.asarray(centred @ axes)


def _minimise(
    molecule: Molecule, start: np.ndarray, calculator: Calculator, fmax: float
) -> tuple[float, np.ndarray] | None:
    """Return energy (eV) and positions (N, 3) Å of a minimum; None if it is not reached or has other bonds."""
    from ase.optimize import BFGS

    atoms = molecule.atoms()
    atoms.positions = start
    atoms.calc = calculator
    if len(atoms) > 1 and not BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=fmax, steps=STEPS):
        return None
    found = set(map(tuple, bonds(Atoms(atoms.numbers, atoms.positions)).tolist()))
    return (float(atoms.get_potential_energy()), atoms.positions.copy()) if found == set(molecule.bonds) else None
