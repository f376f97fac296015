"""Molecules, packed boxes, bonds under periodic boundaries, and files of configurations."""

from electrolyte_ml.structures.boxes import density, elements_of, pack, parse_composition
from electrolyte_ml.structures.configurations import read_configurations, write_configurations
from electrolyte_ml.structures.molecules import MOLECULES, Molecule, molecule
from electrolyte_ml.structures.topology import Topology, bonds, changes

__all__ = [
    "MOLECULES",
    "Molecule",
    "Topology",
    "bonds",
    "changes",
    "density",
    "elements_of",
    "molecule",
    "pack",
    "parse_composition",
    "read_configurations",
    "write_configurations",
]
