"""Sites of molecules by coordination: donors in the shell of a cation are distinguished from those outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from electrolyte_ml.analysis.errors import AtomGroups, group_atoms
from electrolyte_ml.structures import Molecule
from electrolyte_ml.structures.motifs import cation_contacts

AT = " at "  # between the name of a site and the symbol of the cation that it coordinates


def group_coordinated(
    configurations: Sequence[Atoms], own_molecules: Mapping[str, Molecule] | None = None
) -> AtomGroups:
    """Find the molecules of configurations, and the site of each atom with its coordination.

    Parameters
    ----------
    configurations
        Configurations with atoms in any order, wrapped or not.
    own_molecules
        Molecules by name that are recognised before those of the library.

    Returns
    -------
    AtomGroups
        As from :func:`electrolyte_ml.analysis.group_atoms`, but donors in the shell of a cation
        (:func:`electrolyte_ml.structures.motifs.shell_radius`) have sites such as "carbonyl O at Li".

    Raises
    ------
    InputError
        There are no configurations.
    """
    groups = group_atoms(configurations, own_molecules)
    sites = groups.sites.astype(object)
    first = 0
    for atoms in configurations:
        for cation, donor in first + cation_contacts(atoms, own_molecules):
            if sites[donor] and not is_coordinated(sites[donor]):
                sites[donor] += f"{AT}{groups.elements[cation]}"
        first += len(atoms)
    return replace(groups, sites=np.array(sites.tolist()))


def is_coordinated(site: str) -> bool:
    """Return whether a site of `group_coordinated` is in the shell of a cation."""
    return AT in site
