"""Configurations at another volume, with molecules that keep their shapes."""

from __future__ import annotations

from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.units import DENSITY_UNIT


def at_volume(atoms: Atoms, volume: float) -> Atoms:
    """Return a configuration at another volume: cell and centres of mass are scaled, molecules stay rigid.

    Parameters
    ----------
    atoms
        Configuration, periodic in three directions, wrapped or not. Only what determines its energy is kept.
    volume
        Å³.

    Raises
    ------
    InputError
        A molecule is bonded to its own image.
    """
    factor = (volume / atoms.get_volume()) ** (1 / 3)
    topology = Topology.of(atoms)
    if topology.endless.any():
        raise InputError("a molecule is bonded to its own image: it cannot keep its shape at another volume")
    scaled = bare_configuration(atoms)
    scaled.set_cell(factor * atoms.cell.array)
    scaled.positions = topology.unwrapped + (factor - 1) * topology.centres(atoms.get_masses())[topology.labels]
    return scaled


def at_density(atoms: Atoms, density: float) -> Atoms:
    """Return a configuration at another density (g/cm³), as :func:`at_volume` does."""
    return at_volume(atoms, float(atoms.get_masses().sum()) * DENSITY_UNIT / density)
