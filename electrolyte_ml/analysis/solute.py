"""Conversion of any trajectory that this package opens to the `Solute` of solvation-analysis.

The package of Cohen and co-workers defines shells, coordination numbers and speciation as this package does, and adds
tables and plots. Two of its counts differ: `Networking.solute_status` counts clusters, not ions, and a ligand that
never occurs raises an error instead of counting 0. Ion pairs and networks are therefore counted by
:mod:`electrolyte_ml.analysis.solvation` and :mod:`electrolyte_ml.analysis.networks`.

References
----------
O. A. Cohen et al., J. Open Source Softw. 8, 5183 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.analysis.contacts import Cutoff
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory
from electrolyte_ml.trajectories.universes import plain_universe

if TYPE_CHECKING:
    from solvation_analysis.solute import Solute


def to_solute(
    trajectory: Trajectory,
    cutoffs: Mapping[str, Cutoff | float],
    *,
    cation: str | None = None,
    **options: Any,
) -> Solute:
    """Build the `Solute` of a trajectory; `.run()` analyses it.

    Parameters
    ----------
    trajectory
        All its frames are held in memory, in single precision; use a slice of a long trajectory.
    cutoffs
        Å, by species, for the species that become the solvents of the `Solute`; they must have donors.
    cation
        Name of the cation; needed if there are several.
    **options
        Further arguments of `Solute.from_atoms`, such as `analysis_classes`.

    Returns
    -------
    solvation_analysis.solute.Solute
        Its atoms are the cation and the donors, so that coordination is defined as in this package.

    Raises
    ------
    InputError
        solvation-analysis is not installed, or a cutoff is for a species without donors.
    """
    try:
        from solvation_analysis.solute import Solute
    except ImportError as error:
        raise InputError(f"solvation-analysis is needed for its Solute ({error})") from error
    from ase.cell import Cell
    from MDAnalysis.coordinates.memory import MemoryReader
    from MDAnalysis.lib.mdamath import triclinic_box

    ion = trajectory.only("cation", cation)
    positions, boxes = [], []
    for chunk in trajectory.chunks():
        for x, cell in zip(chunk.positions, chunk.cells):
            standard = np.asarray(Cell(cell).standard_form()[0])  # first vector along x, as MDAnalysis needs
            positions.append((x @ np.linalg.inv(cell) @ standard).astype(np.float32))
            boxes.append(triclinic_box(*standard))
    universe = plain_universe(trajectory.numbers, trajectory.molecule)
    universe.load_new(np.stack(positions), format=MemoryReader, order="fac", dimensions=np.array(boxes))
    solvents = {}
    for name in cutoffs:
        species = trajectory.roles.get(name)
        if species is None or not species.donors:
            raise InputError(f"{trajectory.name}: there are no donors of {name!r}")
        solvents[name] = universe.atoms[np.unique(np.concatenate(list(species.donors.values())))]
    radii = {name: float(c.value if isinstance(c, Cutoff) else c) for name, c in cutoffs.items()}
    return Solute.from_atoms(universe.atoms[ion.centres], solvents, radii=radii, skip_rdf=True, **options)
