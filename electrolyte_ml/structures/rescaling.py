"""Configurations at another volume, with molecules that keep their shapes."""

from __future__ import annotations

from ase import Atoms

from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.boxes import density as density_of
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.topology import Topology


def at_density(atoms: Atoms, density: float) -> Atoms:
    """Return a configuration at another density: cell and centres of mass are scaled, molecules stay rigid.

    Parameters
    ----------
    atoms
        Configuration, periodic in three directions, wrapped or not. Only what determines its energy is kept.
    density
        g/cm³.

    Raises
    ------
    InputError
        The density is not positive, the configuration is not periodic in three directions, or a molecule is bonded to
        its own image.
    """
    factor = (density_of(atoms) / number("density", density, "g/cm³")) ** (1 / 3)
    topology = Topology.of(atoms)
    if topology.endless.any():
        raise InputError("a molecule is bonded to its own image: it cannot keep its shape at another density")
    scaled = bare_configuration(atoms)
    scaled.set_cell(factor * atoms.cell.array)
    scaled.positions = topology.unwrapped + (factor - 1) * topology.centres(atoms.get_masses())[topology.labels]
    return scaled


def at_volume(atoms: Atoms, volume: float) -> Atoms:
    """Return a configuration at another volume (Å³), as :func:`at_density` does."""
    return at_density(atoms, density_of(atoms) * atoms.get_volume() / number("volume", volume, "Å³"))
