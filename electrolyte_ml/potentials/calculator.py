"""ASE calculator of any potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.interface import Stepper, stress_of
from electrolyte_ml.structures.charge import total_charge
from electrolyte_ml.structures.neighbours import NeighbourList
from electrolyte_ml.structures.verlet import VerletList
from electrolyte_ml.threads import default_threads

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.potential import Potential

# Å. The total time for making and reading lists is nearly constant between 0.7 and 1.5 Å. For 1000 atoms of liquid EC
# at 300 K and a time step of 1 fs, a list is valid for 12 steps.
SKIN = 1.0


class PotentialCalculator(Calculator):
    """Energy, site energies, forces and stress of a potential for ASE.

    Parameters
    ----------
    potential : Potential
    skin : float, Å
        Skin of the Verlet list.
    threads : int, optional
        See `Potential.evaluate`.
    """

    implemented_properties = ["energy", "energies", "forces", "stress", "free_energy"]  # noqa: RUF012 - as ASE has it

    def __init__(self, potential: Potential, *, skin: float = SKIN, threads: int | None = None) -> None:
        super().__init__()
        if not 0 <= skin < np.inf:
            raise InputError(f"skin {skin} Å must not be negative")
        self.potential = potential
        self.threads = threads
        self.pairs = VerletList(potential.cutoff, skin)
        self._stepper: Stepper | None = None
        self._listed: NeighbourList | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the results are those of the potential: neither class nor instance overrides `calculate`."""
        return getattr(self.calculate, "__func__", None) is PotentialCalculator.calculate

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return the changes since the last call, including the total charge, which ASE does not compare."""
        changes = super().check_state(atoms, tol)
        kept: Atoms | None = self.atoms
        if kept is not None and not changes and total_charge(atoms) != total_charge(kept):
            changes.append("initial_charges")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute all properties and store them in `results`."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # set by ASE
        positions, cell = np.array(self.atoms.positions), np.array(self.atoms.cell)
        system = System.of(self.atoms, self.potential.species)
        if self.pairs.cutoff != self.potential.cutoff:
            self.pairs = VerletList(self.potential.cutoff, self.pairs.skin)
        pairs = self.pairs(positions, cell, system.pbc, system.species, len(system.symbols))
        stepper = self._stepper_for(system)
        if pairs is not self._listed:
            stepper.renew(pairs, positions, cell)
            self._listed = pairs
        forces = np.zeros((len(positions), 3))
        energy, virial = stepper.add(positions, cell, forces)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": np.array(stepper.energies),
            "forces": forces,
        }
        if stepper.charges is not None:
            self.results["charges"] = np.array(stepper.charges)
        if system.pbc.all():
            self.results["stress"] = stress_of(virial, abs(float(np.linalg.det(cell))))
        elif "stress" in properties:
            raise PropertyNotImplementedError("stress needs a cell that is periodic along all three axes")

    def forget_pairs(self) -> None:
        """Discard the neighbour list, so that later results are bitwise independent of when it was made.

        ASE's `reset` does not do this, because ASE calls it whenever atoms have moved.
        """
        self.pairs = VerletList(self.pairs.cutoff, self.pairs.skin)
        if self._stepper is not None:
            self._stepper.invalidate()

    def _stepper_for(self, system: System) -> Stepper:
        """Return the stepper of the last call, or a new one if the potential or system has changed."""
        kept = self._stepper
        if kept is None or kept.potential is not self.potential or not _same(kept.system, system):
            kept = self._stepper = self.potential.stepper(system, self.threads or default_threads(len(system.species)))
            self._listed = None
        return kept

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the stepper and its threads; a copy makes its own."""
        return self.__dict__ | {"_listed": None, "_stepper": None}


def _same(a: System, b: System) -> bool:
    """Return whether two systems are equal."""
    return (
        a.symbols == b.symbols
        and a.charge == b.charge
        and np.array_equal(a.species, b.species)
        and np.array_equal(a.pbc, b.pbc)
    )
