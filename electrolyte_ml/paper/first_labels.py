"""The first label of each stage of a scale, before the expensive rest: inputs of the reference, and the label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from electrolyte_ml.active_learning.sections import ReferenceSettings
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.protocols import label_store
from electrolyte_ml.paper.scales import Scale
from electrolyte_ml.reference import LabelError
from electrolyte_ml.structures import pack, parse_composition


@dataclass(frozen=True)
class FirstLabel:
    """Stage of a scale, and the configuration and reference of its first label."""

    stage: str
    cell: str
    density: float
    reference: ReferenceSettings

    def configuration(self) -> Atoms:
        """Return the packed cell."""
        return pack(parse_composition(self.cell), self.density, seed=0)


def first_labels(scale: Scale) -> list[FirstLabel]:
    """Return the first label of each stage of a scale that has labels, in the order of the notebooks."""
    return list(_first_labels(scale))


def _first_labels(scale: Scale) -> Iterator[FirstLabel]:
    pure = scale.pure_solvents
    yield FirstLabel("pure solvents", pure.cells[0], pure.packing_densities[0][0], scale.reference)
    if (mixtures := scale.mixture_training) is not None:
        yield FirstLabel("mixtures", mixtures.ends[-1], mixtures.densities[-1], mixtures.learning.reference)
    if (ion_pairs := scale.ion_pair_training) is not None:
        yield FirstLabel("ion pairs", ion_pairs.cells[0], ion_pairs.densities[0], ion_pairs.learning.reference)
    if (correction := scale.correction) is not None:
        yield FirstLabel("correction", correction.cells[0], correction.densities[0], correction.learning.reference)


def require_references(scale: Scale) -> None:
    """Check that the programs of all references of a scale can be started.

    Raises
    ------
    InputError
        The program of a reference is not installed; the message gives the stage that needs it.
    """
    for first in first_labels(scale):
        try:
            first.reference.make().require()
        except InputError as error:
            raise InputError(f"{first.stage} of the {scale.name} scale: {error}") from None


def prove_labels(scale: Scale) -> None:
    """Write the inputs of the first label of each stage, and compute these labels by the executor in use.

    Inputs are written for references that have a method ``write_inputs``, into ``first_labels/`` of the scale's folder.
    All programs are looked for before the first label is computed. The labels are kept in the store of the scale.

    Raises
    ------
    InputError
        The program of a reference is not installed.
    ElectrolyteError
        A label failed; the message gives its stage.
    """
    firsts = [(first, first.configuration(), first.reference.make()) for first in first_labels(scale)]
    for first, atoms, reference in firsts:
        if (write_inputs := getattr(reference, "write_inputs", None)) is not None:
            folder = _folder(scale, first)
            write_inputs(atoms, folder)
            print(f"Inputs of the first label, {first.stage} ({first.cell}): {folder}", flush=True)
    require_references(scale)
    store = label_store(scale)
    for first, atoms, reference in firsts:
        try:
            label = store.label(atoms, reference)
        except LabelError as error:
            raise ElectrolyteError(f"first label, {first.stage} ({first.cell}): {error}") from error
        energy = label.get_potential_energy() / len(atoms)
        print(f"First label, {first.stage} ({first.cell}): {reference.name}, {energy:.4f} eV/atom", flush=True)


def _folder(scale: Scale, first: FirstLabel) -> Path:
    return scale.directory / "first_labels" / first.stage.replace(" ", "_")
