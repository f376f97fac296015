"""Relaxation of positions and cell by a reference, with a check of the molecules and ion pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Reference
from electrolyte_ml.reference.labels import LabelStore
from electrolyte_ml.reference.stored_calculator import StoredCalculator
from electrolyte_ml.structures import Molecule, Topology, changes, density
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.motifs import IonShell, ion_shells


@dataclass(frozen=True)
class Relaxation:
    """Result of a relaxation.

    Attributes
    ----------
    atoms : Atoms
        Relaxed configuration without a calculator, with the `info` of the start.
    energy : float
        eV.
    largest_force : float
        Largest force on an atom, eV/Å; if the cell is relaxed, including the gradient by the cell.
    steps : int
    converged : bool
        Whether the largest force is below the limit.
    changes : str or None
        Description of broken and made bonds.
    before, after : list of IonShell
        Shell of each cation.
    """

    atoms: Atoms
    energy: float
    largest_force: float
    steps: int
    converged: bool
    changes: str | None
    before: list[IonShell]
    after: list[IonShell]

    @property
    def kept(self) -> bool:
        """Whether no bond changed and the cluster of every cation has the same numbers of ions as before."""
        return self.changes is None and [s.cluster for s in self.before] == [s.cluster for s in self.after]

    def __str__(self) -> str:
        state = "converged" if self.converged else "not converged"
        pairs = ", ".join(f"{shell.pairing} with {shell.donors} donors" for shell in self.after)
        volume = f"{density(self.atoms):.4f} g/cm³, " if self.atoms.pbc.all() else ""
        outcome = self.changes or ("the motif is kept" if self.kept else "the motif has changed")
        return (
            f"{state} after {self.steps} steps, largest force {self.largest_force:.3f} eV/Å, "
            f"{volume}{pairs or 'no cation'}: {outcome}"
        )


def relax(
    atoms: Atoms,
    reference: Reference,
    store: LabelStore,
    *,
    fmax: float = 0.05,
    steps: int = 200,
    cell: bool = True,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Relaxation:
    """Minimise the energy of a configuration by a reference.

    Parameters
    ----------
    atoms
        Configuration, with `charge` in its `info` unless it is neutral.
    reference
    store
        Store for the labels of all steps: after an interrupt, the same call computes no label twice.
    fmax
        Limit for the largest force at convergence, eV/Å.
    steps
        Largest number of steps.
    cell
        Relax the cell as well, at zero pressure.
    own_molecules
        Molecules by name; they take precedence over the library.

    Raises
    ------
    InputError
        The reference cannot label the configuration, or gives no stress, which a relaxation of the cell needs.
    LabelError
        The reference failed during the relaxation.
    """
    from ase.filters import UnitCellFilter
    from ase.optimize import BFGS

    reference.check(atoms)
    moving = bare_configuration(atoms)
    calculator = StoredCalculator(reference, store)
    moving.calc = calculator
    if cell:
        if not atoms.pbc.all():
            raise InputError("only a cell that is periodic in all three directions can be relaxed")
        moving.get_forces()
        if "stress" not in calculator.results:
            raise InputError(f"{reference.name} gives no stress, which a relaxation of the cell needs")
    target: Any = UnitCellFilter(moving) if cell else moving
    optimiser = BFGS(target, logfile=None, maxstep=0.1)
    converged = bool(optimiser.run(fmax=fmax, steps=steps))
    relaxed = atoms.copy()
    relaxed.set_cell(moving.cell)
    relaxed.positions = moving.positions
    return Relaxation(
        relaxed,
        float(moving.get_potential_energy()),
        float(np.linalg.norm(target.get_forces(), axis=1).max()),
        optimiser.nsteps,
        converged,
        changes(Topology.of(atoms), relaxed),
        ion_shells(atoms, own_molecules),
        ion_shells(relaxed, own_molecules),
    )
