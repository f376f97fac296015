"""Cost of a scale before it is run: labels, fits, dynamics, and hours of this machine for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from electrolyte_ml.active_learning.sections import ROUND, FitSettings, LearningProtocol, MDRun
from electrolyte_ml.paper.places import shipped_file
from electrolyte_ml.paper.scales import (
    Conductivity,
    CorrectionTraining,
    DensityRun,
    IntermolecularErrors,
    IonPairTraining,
    MixtureDensity,
    MixtureTraining,
    Scale,
)
from electrolyte_ml.paper.validation import validation_cells, validation_kinds
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.production.cost import OUTER_STEP
from electrolyte_ml.production.settings import OUTER_FS
from electrolyte_ml.reference.base import duration
from electrolyte_ml.structures import Molecule, parse_composition, read_configurations
from electrolyte_ml.structures.composition import atoms_in, molecules_of, written

# The labels of a loop are not known before it has run. Pure EC at the standard scale (383 parameters) ended after 9
# iterations with 101 labels in addition to its seeding; these numbers are used for every loop.
EXPECTED_ITERATIONS = 9
LABELS_PER_PARAMETER = 101 / 383


@dataclass(frozen=True)
class Speed:
    """Speed of one core of this machine.

    Attributes
    ----------
    step : callable
        Model -> time of one step of NPT dynamics per atom, s.
    gradient : callable
        Model -> time of the loss and its gradient per atom of the training set, s.
    """

    step: Callable[[ModelSpec], float]
    gradient: Callable[[ModelSpec], float]


@dataclass(frozen=True)
class Stage:
    """Cost of one stage of a scale.

    Attributes
    ----------
    name : str
    labels : int
        Number of labels.
    fits : int
        Number of fits, including refits of a loop.
    time_ns : float
        Total length of the dynamics.
    label_hours, fit_hours, dynamics_hours : float
        Hours of one core.
    expected : bool
        Whether the stage includes a loop, so that its numbers are estimates.
    """

    name: str
    labels: int
    fits: int
    time_ns: float
    label_hours: float
    fit_hours: float
    dynamics_hours: float
    expected: bool

    @property
    def hours(self) -> float:
        """Total hours of one core."""
        return self.label_hours + self.fit_hours + self.dynamics_hours


class _Counter:
    """Sum of the labels, fits and dynamics of a stage."""

    def __init__(self, scale: Scale, speed: Speed) -> None:
        self.scale, self.speed = scale, speed
        self.cost = scale.reference.cost
        self.labels = self.fits = 0
        self.time_ps = self.label_seconds = self.fit_seconds = self.dynamics_seconds = 0.0
        self.expected = False

    def label(self, count: int, atoms: float) -> None:
        self.labels += count
        if self.cost is not None:
            self.label_seconds += count * self.cost(round(atoms))

    def fit(self, model: ModelSpec, iterations: int, atoms: float) -> None:
        """Count a fit to a set with `atoms` atoms in all."""
        self.fits += 1
        self.fit_seconds += iterations * atoms * self.speed.gradient(model)

    def run(self, model: ModelSpec, run: MDRun, atoms: float, count: int = 1) -> None:
        self.time_ps += count * run.time_ps
        self.dynamics_seconds += count * run.steps * atoms * self.speed.step(model)

    def density(self, model: ModelSpec, density: DensityRun, cell: str) -> None:
        for run in (density.heating, density.run):
            if run is not None:
                self.run(model, run, atoms_in(cell))

    def learn(self, learning: LearningProtocol, cells: Sequence[str], inherited: int = 0) -> int:
        """Count a loop of active learning, and return the expected size of its set.

        Parameters
        ----------
        learning
            Protocol of the loop.
        cells
            Cells of the exploration.
        inherited
            Number of inherited configurations, which replace the seeding; 0 for a seeding.
        """
        self.expected = True
        model, seeding = learning.model, learning.seeding
        atoms = sum(map(atoms_in, cells)) / len(cells)
        size = inherited
        if not inherited:
            trajectories = seeding.trajectories or ROUND
            size = seeding.configurations or seeding.steps * trajectories
            self.label(seeding.steps * trajectories, atoms_in(cells[0]))
        species = sorted({symbol for cell in cells for molecule in _molecules(cell) for symbol in molecule.symbols})
        new_labels = round(LABELS_PER_PARAMETER * model.random(tuple(species), 0).n_parameters)
        self.label(new_labels, atoms)
        self.fit(model, learning.fit.iterations, size * atoms)
        for _ in range(EXPECTED_ITERATIONS):
            self.fit(model, learning.fit.refit_iterations, (size + new_labels) * atoms)
            self.run(model, learning.exploration, atoms, learning.exploration.trajectories)
        return size + new_labels

    def stage(self, name: str) -> Stage:
        return Stage(
            name,
            self.labels,
            self.fits,
            self.time_ps / 1000,
            label_hours=self.label_seconds / 3600,
            fit_hours=self.fit_seconds / 3600,
            dynamics_hours=self.dynamics_seconds / 3600,
            expected=self.expected,
        )


def _molecules(cell: str) -> list[Molecule]:
    return molecules_of(parse_composition(cell))


def plan(scale: Scale, speed: Speed) -> list[Stage]:
    """Return the expensive stages of a scale, in the order of the notebooks.

    Results of earlier runs in the scale's folder are not subtracted.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.paper.scales.SCALES`.
    speed
        Speed of this machine.
    """
    return list(_stages(scale, speed))


def _stages(scale: Scale, speed: Speed) -> Iterator[Stage]:
    pure, training, density = scale.pure_solvents, scale.mixture_training, scale.mixture_density
    counter, sizes = _Counter(scale, speed), []
    for place, cell in enumerate(pure.cells):
        for _ in pure.seeds:
            sizes.append(counter.learn(pure.learning, (cell, *pure.larger_cells[place : place + 1])))
            counter.density(pure.learning.model, pure.density, pure.density.cells[place])
    yield counter.stage("pure solvents")
    if training is not None:
        counter = _Counter(scale, speed)
        size = counter.learn(training.learning, training.ends, inherited=sizes[0])
        yield counter.stage("mixtures, learning")
        atoms = size * sum(map(atoms_in, training.ends)) / len(training.ends)
        if density is not None:
            yield _densities(_Counter(scale, speed), density, atoms)
            if scale.intermolecular_errors is not None:
                yield _errors(_Counter(scale, speed), training, density, scale.intermolecular_errors, atoms)
    if scale.ion_pair_training is not None:
        stage, atoms = _ion_pairs(_Counter(scale, speed), scale.ion_pair_training)
        yield stage
        if (correction := scale.correction) is not None:
            yield _correction(_Counter(scale.with_reference(correction.learning.reference), speed), correction)
        if scale.conductivity is not None:
            yield _conductivity(_Counter(scale, speed), scale, scale.conductivity, atoms)


def _densities(counter: _Counter, density: MixtureDensity, atoms: float) -> Stage:
    """Count fits to a set with `atoms` atoms in all, and the density runs of each fit."""
    _fits(counter, density.kinds, density.seeds, density.fit, atoms)
    for kind, _, cell in product(density.kinds, density.seeds, density.density.cells):
        counter.density(kind, density.density, cell)
    return counter.stage("mixtures, densities")


def _errors(
    counter: _Counter, training: MixtureTraining, density: MixtureDensity, errors: IntermolecularErrors, atoms: float
) -> Stage:
    """Count the validation sets, labels of their single molecules, and fits of kinds that have no density runs."""
    further = [kind for kind in validation_kinds(counter.scale) if kind not in density.kinds]
    _fits(counter, further, errors.seeds, density.fit, atoms)
    for cell in validation_cells(errors):
        counter.run(training.learning.model, errors.sampling, atoms_in(cell))
        counter.label(errors.configurations, atoms_in(cell))
        for molecule in _molecules(cell):
            counter.label(errors.configurations, len(molecule.symbols))
    return counter.stage("mixtures, errors")


def _ion_pairs(counter: _Counter, training: IonPairTraining) -> tuple[Stage, float]:
    """Count relaxations (at most) and dynamics with the reference unless a set has them, all loops, the validation.

    Pairs, aggregates and, if there are any, hot cells are learnt without and with charges. The expected number of atoms
    in the last set is returned, too.
    """
    pairs, hot = training.cells, training.hot
    larger = tuple(written({name: 2 * n for name, n in parse_composition(cell).items()}) for cell in pairs)
    inherited = []  # numbers of configurations for pairs and for aggregates
    for cells, motifs in ((pairs, training.separated_pairs + training.contact_pairs), (larger, training.aggregates)):
        atoms = sum(map(atoms_in, cells)) / len(cells)
        earlier = training.earlier if cells is pairs else training.earlier_aggregates
        if earlier is not None:
            size = len(read_configurations(shipped_file(earlier)))
        else:
            counter.label(motifs * (training.relaxation_steps + training.learning.seeding.steps), atoms)
            size = motifs * training.learning.seeding.steps
            if cells is pairs and training.small is not None:
                labels = training.small.seeding.trajectories * training.small.seeding.steps
                counter.label(labels, sum(map(atoms_in, training.small.cells)) / len(training.small.cells))
                size += labels
        inherited.append(size)
    for charges in (None, "qrd"):
        learning = replace(training.learning, model=replace(training.learning.model, charges=charges))
        size = 0
        for cells, more in zip((pairs, larger), inherited, strict=True):
            size = counter.learn(learning, cells, inherited=size + more)
        if hot and charges in hot.charges:
            size += sum(len(read_configurations(shipped_file(name))) for name in hot.sets)
            count = sum(training.count.values())
            exploration = replace(hot.exploration, trajectories=count)
            size = counter.learn(replace(learning, exploration=exploration), (*pairs, *larger), inherited=size)
    counter.run(training.learning.model, training.rdf, atoms_in(training.rdf_cell))
    for cell in pairs:
        counter.run(training.learning.model, training.validation, atoms_in(cell))
    atoms = sum(map(atoms_in, pairs)) / len(pairs)
    counter.label(training.validation_configurations, atoms)
    return counter.stage("ion pairs"), size * atoms


def _correction(counter: _Counter, training: CorrectionTraining) -> Stage:
    """Count the loop, whose first set is inherited."""
    counter.learn(training.learning, training.cells, inherited=1)
    return counter.stage("correction")


def _conductivity(counter: _Counter, scale: Scale, protocol: Conductivity, atoms_of_set: float) -> Stage:
    """Count equilibration and production of every cell and temperature, without and with charges, and corrected.

    Further members are fits to the whole set from other random parameters.
    """
    assert scale.ion_pair_training is not None  # whose potentials run
    model = scale.ion_pair_training.learning.model
    kinds = [
        (replace(model, charges=charges), runs, protocol.members)
        for charges, runs in ((None, protocol.mtp), ("qrd", protocol.qrd))
    ]
    if protocol.members > 1 and scale.mixture_density is not None:
        fit, seeds = scale.mixture_density.fit, scale.mixture_density.seeds
        _fits(counter, [kind for kind, *_ in kinds], seeds, fit, atoms_of_set)
    if scale.correction is not None:
        kinds.append((model, protocol.mtp, 1))
    for kind, runs, members in kinds:
        jobs = [(member, cell) for member in range(members) for cell in protocol.cells_of(member)]
        for member, cell in jobs:
            atoms, conditions = atoms_in(cell), len(protocol.temperatures_of(cell, member))
            slow, fast = protocol.equilibration_timestep_fs, 1.0
            if protocol.multiple_steps:  # an outer step takes longer than a single one
                slow = fast = OUTER_FS / OUTER_STEP
            for time_ps, timestep_fs, count in (
                *((stage[2], slow, protocol.boxes) for stage in protocol.annealing),
                (runs.equilibration_ps, slow, runs.trajectories * conditions),
                (runs.time_ps, fast, runs.trajectories * conditions),
            ):
                run = MDRun("npt", temperature=300.0, time_ps=time_ps, timestep_fs=timestep_fs)
                counter.run(kind, run, atoms, count)
    return counter.stage("conductivity")


def _fits(
    counter: _Counter, kinds: Sequence[ModelSpec], seeds: Sequence[int], settings: FitSettings, atoms: float
) -> None:
    for kind, _ in product(kinds, seeds):
        counter.fit(kind, settings.iterations, atoms)


def format_plan(stages: Sequence[Stage], scale: Scale, cores: int) -> str:
    """Return the plan as a table, with notes on its assumptions."""
    counts = f"{'stage':<22}{'labels':>8}{'fits':>6}{'ns':>8}"
    head = f"{counts}   core hours: {'labels':>8}{'fits':>8}{'dynamics':>10}{'all':>8}"
    rows = [
        f"{stage.name:<22}{stage.labels:>8}{stage.fits:>6}{stage.time_ns:>8.3g}{'':15}"
        f"{stage.label_hours:>8.1f}{stage.fit_hours:>8.1f}{stage.dynamics_hours:>10.1f}{stage.hours:>8.1f}"
        for stage in stages
    ]
    total = sum(stage.hours for stage in stages)
    lines = [f"Estimated cost of the {scale.name} scale on this machine, without earlier results:", head, *rows]
    lines.append(
        f"Total: {duration(3600 * total)} of one core, about {duration(3600 * total / cores)} on {cores} cores."
    )
    if scale.reference.cost is None:
        lines.append(f"The hours of the labels are missing: {scale.reference.name} has no measured cost.")
    if any(stage.expected for stage in stages):
        lines.append(
            f"The number of labels of active learning is not known in advance; each loop is counted with "
            f"{EXPECTED_ITERATIONS} iterations and {LABELS_PER_PARAMETER:.2f} labels per parameter, as for pure EC."
        )
    lines.append(f"The run can be stopped and resumed at any time; results in {scale.directory} are reused.")
    return "\n".join(lines)
