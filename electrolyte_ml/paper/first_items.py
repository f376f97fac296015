"""The first items of each stage of a scale, before the expensive rest: inputs, label, fit and trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ase import Atoms

from electrolyte_ml.active_learning.sections import LearningProtocol
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.protocols import label_store
from electrolyte_ml.paper.scales import Scale
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.reference import LabelError, Reference
from electrolyte_ml.structures import pack, parse_composition, species_of

_ITERATIONS, _STEPS = 2, 2  # of a first fit and of a first trajectory


@dataclass(frozen=True)
class FirstItem:
    """Stage of a scale, the configuration of its first label, and the protocol that labels, fits and explores."""

    stage: str
    cell: str
    density: float
    learning: LearningProtocol

    @cached_property
    def reference(self) -> Reference:
        """Reference of the label."""
        return self.learning.reference.make()

    @cached_property
    def configuration(self) -> Atoms:
        """Packed cell."""
        return pack(parse_composition(self.cell), self.density, seed=0)

    @contextmanager
    def naming_stage(self, scale: Scale) -> Iterator[None]:
        """Put the stage before the message of an `InputError` in the block."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.stage} of the {scale.name} scale: {error}") from None


def first_items(scale: Scale) -> list[FirstItem]:
    """Return the first item of each stage of a scale that has labels, in the order of the notebooks."""
    return list(_first_items(scale))


def _first_items(scale: Scale) -> Iterator[FirstItem]:
    pure = scale.pure_solvents
    yield FirstItem("pure solvents", pure.cells[0], pure.packing_densities[0][0], pure.learning)
    if (mixtures := scale.mixture_training) is not None:
        yield FirstItem("mixtures", mixtures.ends[-1], mixtures.densities[-1], mixtures.learning)
    if (ion_pairs := scale.ion_pair_training) is not None:
        yield FirstItem("ion pairs", ion_pairs.cells[0], ion_pairs.densities[0], ion_pairs.learning)
    if (correction := scale.correction) is not None:
        yield FirstItem("correction", correction.cells[0], correction.densities[0], correction.learning)


def require_references(scale: Scale) -> None:
    """Raise `InputError` with the stage if a program of a reference of the scale cannot be started."""
    _require(first_items(scale), scale)


def _require(items: Sequence[FirstItem], scale: Scale) -> None:
    for item in items:
        with item.naming_stage(scale):
            item.reference.require()


def prove_stages(scale: Scale) -> None:
    """Label the first configuration of each stage, fit the model of the stage to it, and run two steps of dynamics.

    All is computed by the executor in use, which this tests: programs, kernels and the folder of the labels. Before
    that, inputs are written for references that have a method ``write_inputs``, into ``first_items/`` of the scale's
    folder, and all programs are looked for. The labels are kept in the store of the scale.

    Raises
    ------
    InputError
        The program of a reference is not installed.
    ElectrolyteError
        A label failed; the message gives its stage.
    """
    items = first_items(scale)
    for item in items:
        with item.naming_stage(scale):
            _write_inputs(scale, item)
    _require(items, scale)
    store, labelled = label_store(scale), []
    for item in items:
        try:
            labelled.append(store.label(item.configuration, item.reference))
        except LabelError as error:
            raise ElectrolyteError(f"first label, {item.stage} ({item.cell}): {error}") from error
        energy = labelled[-1].get_potential_energy() / len(labelled[-1])
        print(f"First label, {item.stage} ({item.cell}): {item.reference.name}, {energy:.4f} eV/atom", flush=True)
    jobs = [(atoms, item.learning) for atoms, item in zip(labelled, items, strict=True)]
    sizes = map_progress(_fit_and_run, jobs, None, "first fits and trajectories")
    for item, size in zip(items, sizes, strict=True):
        print(f"First fit and trajectory, {item.stage} ({item.cell}): {item.learning.model.name}, {size} parameters")


def _write_inputs(scale: Scale, item: FirstItem) -> None:
    """Write the inputs of a label, if the reference has files of inputs."""
    if (write_inputs := getattr(item.reference, "write_inputs", None)) is not None:
        folder: Path = scale.directory / "first_items" / item.stage.replace(" ", "_")
        write_inputs(item.configuration, folder)
        print(f"Inputs of the first label, {item.stage} ({item.cell}): {folder}", flush=True)


def _fit_and_run(job: tuple[Atoms, LearningProtocol]) -> int:
    """Fit the model of a protocol to one label, run its exploration for two steps, and return the parameters' number.

    A potential of one label may send a molecule anywhere: how the run ends tells nothing.
    """
    from electrolyte_ml.dynamics import run_md
    from electrolyte_ml.training import train

    atoms, learning = job
    start = learning.model.random(species_of([atoms]))
    options = learning.fit.options(refit=False) | {"max_iterations": _ITERATIONS}
    potential = train([atoms], start, **options, progress=False).potential
    short = replace(learning.exploration, time_ps=_STEPS * learning.exploration.timestep_fs / 1000)
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    run_md(bare, potential, **short.options(), progress=False)
    return potential.n_parameters
