"""Molecules, packed boxes, bonds under periodic boundary conditions, and files of configurations."""

from electrolyte_ml.structures.bonding import bonds
from electrolyte_ml.structures.boxes import density, pack
from electrolyte_ml.structures.composition import elements_of, parse_composition
from electrolyte_ml.structures.configurations import read_configurations, species_of, write_configurations
from electrolyte_ml.structures.description import describe
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.molecule_files import read_molecule, write_molecule
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.motifs import ion_shells, pack_motif, pack_motifs
from electrolyte_ml.structures.naming import find_molecule, molecule, molecules_of_tables, name_molecule
from electrolyte_ml.structures.rescaling import at_density, at_volume
from electrolyte_ml.structures.separation import find_overlap, separate
from electrolyte_ml.structures.topology import Topology, changes

__all__ = [
    "MOLECULES",
    "Molecule",
    "Topology",
    "at_density",
    "at_volume",
    "bonds",
    "changes",
    "density",
    "describe",
    "elements_of",
    "find_molecule",
    "find_overlap",
    "ion_shells",
    "molecule",
    "molecules_of_tables",
    "name_molecule",
    "pack",
    "pack_motif",
    "pack_motifs",
    "parse_composition",
    "read_configurations",
    "read_molecule",
    "separate",
    "species_of",
    "write_configurations",
    "write_molecule",
]
