"""Label of one configuration, and the checks of every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.units import Hartree

from electrolyte_ml.errors import ElectrolyteError

# eV/Å, length of the sum of all forces, which is zero without an external field. A grid of the density that is too
# coarse leads to a net force: for PBE of LiPF6 in EC and EMC 1.4 eV/Å at 600 Ry, 0.2 to 0.3 at 900 Ry, 0.06 at 1200.
LARGEST_NET_FORCE = 0.5
# Larger values are in another unit, or the calculation has failed. Atoms at 0.4 of their bond length repel each other
# with some hundred eV/Å; 0.5 eV/Å³ is 80 GPa.
_LARGEST_FORCE = 1000.0  # eV/Å, of one atom
_LARGEST_STRESS = 0.5  # eV/Å³, of one component
_HIGHEST_ENERGY = 1000.0  # eV per atom, relative to separate nuclei and electrons
# The Thomas-Fermi energy of an atom, -0.7687 Z^(7/3) hartree, lies below the exact one for every element.
_THOMAS_FERMI = 0.7687


class LabelError(ElectrolyteError):
    """Failure of a reference for a valid configuration: no convergence, a crash, an impossible label."""


class ImpossibleLabelError(LabelError):
    """A finite label that no configuration has; another way to the same self-consistent state gives it again."""


@dataclass(frozen=True)
class Label:
    """Energy, forces and stress of one configuration by a reference.

    Attributes
    ----------
    energy
        eV
    forces
        (n_atoms, 3) eV/Å
    stress
        (6,) eV/Å³ in Voigt order xx yy zz yz xz xy, tension positive; ``None`` without a stress (for a cluster).
    attempts
        1, or 2 if only the safer settings converged.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    attempts: int = 1


def net_force(forces: np.ndarray) -> float:
    """Return the length of the sum of forces (n_atoms, 3), in the unit of the forces."""
    return float(np.linalg.norm(np.sum(forces, axis=0)))


def verify(label: Label, atoms: Atoms) -> Label:
    """Check that a label is complete, finite and physically possible, and return it.

    Parameters
    ----------
    label
        Label computed by the reference.
    atoms
        Configuration of the label.

    Raises
    ------
    LabelError
        A number is missing or not finite.
    ImpossibleLabelError
        The sum of the forces exceeds `LARGEST_NET_FORCE`; or a force, a stress or the energy is impossibly large in
        units of eV and Å.
    """
    if not np.isfinite(label.energy):
        raise LabelError(f"the energy is {label.energy}")
    if np.shape(label.forces) != (len(atoms), 3):
        raise LabelError(f"forces of shape {np.shape(label.forces)} for {len(atoms)} atoms")
    bad = np.flatnonzero(~np.isfinite(label.forces).all(axis=1))
    if len(bad):
        raise LabelError(f"the force on atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) is not finite")
    if label.stress is not None:
        if np.shape(label.stress) != (6,):
            raise LabelError(f"a stress of shape {np.shape(label.stress)}")
        if not np.isfinite(label.stress).all():
            raise LabelError("the stress is not finite")
    _verify_sizes(label, atoms)
    return label


def _verify_sizes(label: Label, atoms: Atoms) -> None:
    unit = "is it in another unit than"
    lowest = -_THOMAS_FERMI * Hartree * np.sum(atoms.numbers ** (7 / 3))
    if not lowest <= label.energy <= _HIGHEST_ENERGY * len(atoms):
        raise ImpossibleLabelError(
            f"the energy of {label.energy:.6g} eV is impossible for {atoms.get_chemical_formula()}: {unit} eV?"
        )
    sizes = np.linalg.norm(label.forces, axis=1)  # (n_atoms,) eV/Å
    worst = int(sizes.argmax())
    if sizes[worst] > _LARGEST_FORCE:
        raise ImpossibleLabelError(
            f"the force of {sizes[worst]:.4g} eV/Å on atom {worst + 1} ({atoms.symbols[worst]}) is above "
            f"{_LARGEST_FORCE:g}: {unit} eV/Å?"
        )
    if (total := net_force(label.forces)) > LARGEST_NET_FORCE:
        raise ImpossibleLabelError(
            f"the forces sum to {total:.2f} eV/Å, above {LARGEST_NET_FORCE:g}: without an external field the sum is 0; "
            f"a grid may be too coarse"
        )
    if label.stress is not None and (largest := np.abs(label.stress).max()) > _LARGEST_STRESS:
        raise ImpossibleLabelError(
            f"the stress of {largest:.4g} eV/Å³ is above {_LARGEST_STRESS:g} (80 GPa): {unit} eV/Å³?"
        )
