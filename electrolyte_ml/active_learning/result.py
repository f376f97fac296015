"""Result of an active-learning run: the state after its last iteration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.status import StatusTable
from electrolyte_ml.structures import density

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential


@dataclass(frozen=True)
class ActiveLearningResult:
    """State of a run; a notebook displays its status table.

    Attributes
    ----------
    directory : Path
    converged : bool
        Whether the last iterations met nothing new: no trajectory saved a configuration or ended early.
    message : str
        State of the run in words.
    status : StatusTable
        One row per iteration.
    potential : Potential
    active_set : ActiveSet
    training_set : list of Atoms
        Labelled configurations, in the order in which they were added; ``info`` has `iteration`, `parent` (trajectory
        and step), `reference`, `label_hash`, `charge` unless it is zero and, except in the seeding, `grade`.
    """

    directory: Path
    converged: bool
    message: str
    status: StatusTable
    potential: Potential
    active_set: ActiveSet
    training_set: list[Atoms]

    def energy_density(self) -> dict[str, np.ndarray]:
        """Return the energy-density diagram of the training set (paper, Fig. 1b).

        Returns
        -------
        dict of ndarray, each (n,)
            ``index``, ``iteration`` (for the colours), ``density`` in g/cm³, ``energy`` in eV/atom.
        """
        return {
            "index": np.arange(len(self.training_set)),
            "iteration": np.array([atoms.info["iteration"] for atoms in self.training_set]),
            "density": np.array([density(atoms) for atoms in self.training_set]),
            "energy": np.array([atoms.get_potential_energy() / len(atoms) for atoms in self.training_set]),
        }

    def _repr_html_(self) -> str:
        return f"{self.status._repr_html_()}<p>{self.message}</p>"
