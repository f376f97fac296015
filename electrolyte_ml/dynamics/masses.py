"""Heavy hydrogen: mass moved from heavy atoms to the hydrogens bonded to them, for longer time steps.

The fastest vibrations of an organic liquid are those of bonds with hydrogen; three times its mass slows them by nearly
sqrt(3). Averages over configurations (density, radial distribution functions, energies) do not depend on masses in
classical mechanics; diffusion, conductivity, viscosity and spectra do.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import LONGEST, close_pairs

_SAME = 1e-6  # amu


def heavy_hydrogen_masses(atoms: Atoms, hydrogen_mass: float) -> np.ndarray:
    """Return the masses (N,) in amu with every hydrogen at `hydrogen_mass` and the total mass unchanged.

    The difference is taken from the heavy atom that the hydrogen is bonded to: the nearest one, relative to the sum of
    the covalent radii, within the stretch at which a bond counts as broken (C-H 1.71 Å), so that neither vibrations nor
    hydrogen bonds matter. Hydrogens that already have the wanted mass are left unchanged, so that a second call
    changes nothing.

    Parameters
    ----------
    atoms
        A configuration under any boundary, with its masses.
    hydrogen_mass
        Mass of a hydrogen, amu, above its own of 1.008.

    Raises
    ------
    InputError
        Naming the atom: a hydrogen without a bonded heavy atom (H2, H+, a broken bond), a hydrogen that is already
        heavier than `hydrogen_mass`, or a heavy atom that would become lighter than its hydrogens.

    References
    ----------
    K. A. Feenstra, B. Hess, H. J. C. Berendsen, J. Comput. Chem. 20, 786 (1999).
    C. W. Hopkins et al., J. Chem. Theory Comput. 11, 1864 (2015).
    """
    masses = np.array(atoms.get_masses(), dtype=float)
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    missing = hydrogen_mass - masses[hydrogens]
    if (missing < -_SAME).any():
        atom = hydrogens[(missing < -_SAME).argmax()]
        raise InputError(
            f"a hydrogen mass of {hydrogen_mass:g} amu is below that of atom {atom + 1} (H), {masses[atom]:g} amu"
        )
    hydrogens = hydrogens[missing > _SAME]
    if not len(hydrogens):
        return masses
    donors = _bonded_heavy_atoms(atoms, hydrogens)
    moved = hydrogen_mass - masses[hydrogens]
    masses[hydrogens] = hydrogen_mass
    np.subtract.at(masses, donors, moved)
    light = donors[masses[donors] < hydrogen_mass - _SAME]
    if len(light):
        atom = light[0]
        raise InputError(
            f"hydrogens of {hydrogen_mass:g} amu would leave only {masses[atom]:.3g} amu for atom {atom + 1} "
            f"({atoms.symbols[atom]}), which they are bonded to: choose a smaller hydrogen mass"
        )
    return masses


def exchange_masses(atoms: Atoms, masses: np.ndarray) -> None:
    """Change the masses (N,) of atoms in amu, in place, at the same kinetic energy of each atom.

    Momenta scale with the square root of the mass: a Maxwell-Boltzmann distribution keeps its temperature.
    """
    before = atoms.get_masses()
    if np.array_equal(masses, before):
        return
    momenta = atoms.get_momenta() * np.sqrt(masses / before)[:, None]
    atoms.set_masses(masses)
    atoms.set_momenta(momenta)


def _bonded_heavy_atoms(atoms: Atoms, hydrogens: np.ndarray) -> np.ndarray:
    """Return the heavy atom of each hydrogen, (n,)."""
    i, j, _, stretch = close_pairs(atoms, LONGEST)
    first, second = np.r_[i, j], np.r_[j, i]
    stretch = np.r_[stretch, stretch]
    useful = (atoms.numbers[first] == 1) & (atoms.numbers[second] != 1)
    order = np.flatnonzero(useful)[np.argsort(-stretch[useful], kind="stable")]
    nearest = np.full(len(atoms), -1)
    nearest[first[order]] = second[order]  # the last assignment, the nearest atom, overwrites the others
    donors = nearest[hydrogens]
    if (donors < 0).any():
        atom = hydrogens[(donors < 0).argmax()]
        raise InputError(
            f"atom {atom + 1} (H) is bonded to no heavy atom that mass could be taken from: leave the hydrogen mass out"
        )
    return donors
