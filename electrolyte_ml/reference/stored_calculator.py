"""ASE calculator of a reference that keeps all results in a label store."""

from __future__ import annotations

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from electrolyte_ml.reference.base import Reference
from electrolyte_ml.reference.labels import LabelStore


class StoredCalculator(Calculator):
    """Calculator that reads labels from a store, and computes and stores the missing ones.

    Results are energy, forces and, if the reference computes it, stress.

    Parameters
    ----------
    reference, store
    """

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - ASE's own declaration

    def __init__(self, reference: Reference, store: LabelStore) -> None:
        super().__init__()
        self.reference, self.store = reference, store

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Read the label from the store, or compute it.

        Raises
        ------
        LabelError
            The reference failed, now or in an earlier call.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # set by ASE
        labelled = self.store.label(self.atoms, self.reference)
        assert labelled.calc is not None  # set by the store
        self.results = dict(labelled.calc.results)
