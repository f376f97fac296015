"""Training set of LiPF6 in EC and EMC: active learning of ion pairs, then of aggregates (section 2.3.1).

Cells of solvent-separated and contact pairs are packed and relaxed with the reference, and short reference dynamics
from each of them give labelled configurations. A first run of active learning inherits these and other sets, and
explores from the cells. A second run does the same for aggregates: it continues the first one, whose potential MaxVol
uses to select among the dynamics of aggregates.

Ions are rare in these cells: a label of 143 atoms has one Li and one P. Hot reference dynamics in small cells that
consist of a salt and one or two molecules of solvent have as many in a label of 30 atoms. The first run inherits these
dynamics as well, and also explores from their ends.

A scale may have the set of an earlier run of the pairs, which had not converged, and the dynamics of its aggregates.
The first run then inherits that set alone, and both explore from the same configurations as the earlier ones, so that
no label is computed again.

Potentials with charges had holes: configurations of too low energy, into which long trajectories fell. A third run
explores from all these cells, hot and partly compressed, where trajectories find holes sooner.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from ase import Atoms

from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.sections import InheritanceSettings, SeedingSettings
from electrolyte_ml.active_learning.seeding import packed_starts, run_walkers
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.mixtures import mixtures_source
from electrolyte_ml.paper.places import shipped_file
from electrolyte_ml.paper.protocols import digest, label_store, placeless
from electrolyte_ml.paper.scales import HotCells, IonPairTraining, Scale
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.reference import relax
from electrolyte_ml.structures import (
    at_volume,
    pack_motif,
    parse_composition,
    read_configurations,
    write_configurations,
)
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.motifs import Pairing

MotifStage = Literal["pairs", "aggregates"]
Stage = Literal["pairs", "aggregates", "hot"]
STAGES: dict[MotifStage, tuple[Pairing, ...]] = {"pairs": ("SSIP", "CIP"), "aggregates": ("AGG",)}
SMALL_DYNAMICS = "small_dynamics"  # name of a file of reference dynamics, as "pairs_dynamics" is of a stage's
_TRIES = 3  # number of packed cells that are tried until one keeps its motif in the relaxation


class IonPairs(NamedTuple):
    """Results of the stages; that of the hot stage is None if the scale has none for the potential."""

    pairs: ActiveLearningResult
    aggregates: ActiveLearningResult
    hot: ActiveLearningResult | None = None

    @property
    def last(self) -> ActiveLearningResult:
        """Result of the last stage, which has the whole training set."""
        return self.hot or self.aggregates


def motif_cells(scale: Scale, stage: MotifStage, *, progress: bool = True) -> Path:
    """Pack and relax the cells of a stage, unless the file of the cells exists.

    Returns
    -------
    Path
        File of the cells, with `motif` in their info.

    Raises
    ------
    InputError
        The scale does not learn ion pairs, or a cell cannot be packed.
    ElectrolyteError
        None of three cells of a motif keeps it when it is relaxed.
    """
    path = _starts(scale) / f"{stage}_motifs.extxyz"
    if not path.exists():
        training = _training(scale)
        jobs = [(kind, number) for kind in STAGES[stage] for number in range(training.count[kind])]
        earlier = training.earlier if stage == "pairs" else training.earlier_aggregates
        if earlier is not None:
            cells = _earlier_steps(shipped_file(earlier), f"{stage}_dynamics", len(jobs), 0)
            for cell, (kind, _) in zip(cells, jobs, strict=True):
                cell.info["motif"] = kind
        else:
            cells = map_progress(
                partial(_relaxed_motif, scale=scale), jobs, None, f"{stage}, relaxations", progress=progress
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_configurations(path, cells)
    return path


def _earlier_steps(path: Path, dynamics: str, count: int, place: int) -> list[Atoms]:
    """Return one configuration of each trajectory of reference dynamics from the set of an earlier run.

    Parameters
    ----------
    path
        File of the set.
    dynamics
        Name of the file of the dynamics, without its suffix.
    count
        Number of the trajectories.
    place
        0 for the first configuration of each, -1 for the last.
    """
    origin = re.compile(rf"{dynamics}/(\d+)/(\d+)$")
    steps: dict[int, dict[int, Atoms]] = {}  # number of the trajectory -> step -> configuration
    for atoms in read_configurations(path):
        if found := origin.search(str(atoms.info.get("parent"))):
            number, step = map(int, found.groups())
            steps.setdefault(number, {})[step] = atoms
    if sorted(steps) != list(range(count)):
        raise InputError(f"{path}: has {len(steps)} trajectories of {dynamics}, but the scale has {count}")
    return [bare_configuration(steps[number][sorted(steps[number])[place]]) for number in range(count)]


def _relaxed_motif(job: tuple[Pairing, int], scale: Scale) -> Atoms:
    """Return a relaxed cell of a motif, by its kind and number."""
    kind, number = job
    training, reference = _training(scale), _training(scale).learning.reference.make()
    place = number % len(training.cells)
    composition = parse_composition(training.cells[place])
    for attempt in range(_TRIES):
        packed = pack_motif(kind, composition, training.densities[place], 1000 * attempt + number)
        relaxation = relax(
            packed,
            reference,
            label_store(scale),
            fmax=training.relaxation_force,
            steps=training.relaxation_steps,
        )
        if relaxation.kept:
            return relaxation.atoms
    raise ElectrolyteError(
        f"none of {_TRIES} cells of {training.cells[place]} stays {kind} when {reference.name} relaxes it: {relaxation}"
    )


def motif_dynamics(scale: Scale, stage: MotifStage, *, progress: bool = True) -> Path:
    """Run reference dynamics from the cells of a stage, unless the file of the dynamics exists.

    Returns
    -------
    Path
        File of the labelled configurations of all steps, trajectory after trajectory.

    Raises
    ------
    ElectrolyteError
        A label failed: incomplete sets are refused. Otherwise as for `motif_cells`.
    """
    path = _dynamics(scale, stage)
    if not path.exists():
        starts = read_configurations(motif_cells(scale, stage, progress=progress))
        _write_dynamics(path, starts, _training(scale).learning.seeding, scale, progress)
    return path


def small_dynamics(scale: Scale, *, progress: bool = True) -> Path:
    """Run reference dynamics from packed small cells rich in salt, unless the file of the dynamics exists.

    Returns
    -------
    Path
        File of the labelled configurations of all steps, trajectory after trajectory.

    Raises
    ------
    InputError
        The scale does not learn ion pairs or has no such cells, or a cell cannot be packed.
    ElectrolyteError
        A label failed: incomplete sets are refused.
    """
    path = _starts(scale) / f"{SMALL_DYNAMICS}.extxyz"
    if not path.exists():
        small = _training(scale).small
        if small is None:
            raise InputError(f"the {scale.name} scale has no small cells of ion pairs")
        starts = packed_starts(small.cells, small.densities, small.seeding.trajectories, small.seeding.seed)
        _write_dynamics(path, starts, small.seeding, scale, progress)
    return path


def _write_dynamics(
    path: Path, starts: Sequence[Atoms], seeding: SeedingSettings, scale: Scale, progress: bool
) -> None:
    """Run reference dynamics from each start, and write the labelled configurations with their origin."""
    reference = _training(scale).learning.reference.make()
    walkers = run_walkers(starts, reference, label_store(scale), seeding, jobs=None, progress=progress)
    if failures := [walker.failure for walker in walkers if walker.failure]:
        raise ElectrolyteError(f"a trajectory of {path.stem} was not labelled: {failures[0]}")
    for number, walker in enumerate(walkers):
        for step, atoms in enumerate(walker.samples):
            atoms.info["parent"] = f"{number}/{step}"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_configurations(path, [atoms for walker in walkers for atoms in walker.samples])


def exploration_starts(scale: Scale, stage: Stage, *, progress: bool = True) -> Path:
    """Write the starts of the exploration of a stage, unless their file exists.

    These are the cells of the motifs and, for pairs, the ends of the dynamics in small cells. The hot stage has the
    cells of both stages, compressed by its factors in turn.

    Returns
    -------
    Path
        File of the starts.

    Raises
    ------
    InputError, ElectrolyteError
        As for `motif_cells` and `small_dynamics`.
    """
    path = _starts_file(scale, stage)
    if not path.exists():
        training = _training(scale)
        of = tuple(STAGES) if stage == "hot" else (stage,)
        starts = [cell for each in of for cell in read_configurations(motif_cells(scale, each, progress=progress))]
        if stage == "hot":
            factors = _hot(scale).compressions
            starts = [at_volume(cell, cell.get_volume() / factors[k % len(factors)]) for k, cell in enumerate(starts)]
        if stage == "pairs" and training.small is not None:
            count = training.small.seeding.trajectories
            if training.earlier is not None:
                starts += _earlier_steps(shipped_file(training.earlier), SMALL_DYNAMICS, count, -1)
            else:
                steps = read_configurations(small_dynamics(scale, progress=progress))
                length = len(steps) // count
                starts += [bare_configuration(atoms) for atoms in steps[length - 1 :: length]]
        write_configurations(path, starts)
    return path


def ion_pair_training(
    scale: Scale, stage: Stage = "pairs", *, charges: str | None = None, seed: int = 0
) -> ActiveLearningSettings:
    """Return the settings of a stage; `learn_ion_pairs` makes its cells and dynamics first.

    Parameters
    ----------
    scale
        Scale that learns ion pairs.
    stage
        "pairs"; "aggregates", which continues the run of the pairs; or "hot", which continues that of the aggregates.
    charges
        Model of the charges to add, such as "qrd"; grades then include the parameters of the charges.
    seed
        Seed of the potential's parameters and the trajectories' velocities.

    Raises
    ------
    InputError
        The scale does not learn ion pairs.
    """
    training = _training(scale)
    learning = training.learning
    exploration = _hot(scale).exploration if stage == "hot" else learning.exploration
    count = sum(training.count[kind] for kind in (training.count if stage == "hot" else STAGES[stage]))
    if stage == "pairs":
        inheritance = InheritanceSettings(tuple(map(str, _inherited(scale))), training.uniform_configurations)
        count += 0 if training.small is None else training.small.seeding.trajectories
    else:
        before: Stage = "pairs" if stage == "aggregates" else "aggregates"
        sets = [_dynamics(scale, stage)] if stage == "aggregates" else map(shipped_file, _hot(scale).sets)
        inheritance = InheritanceSettings(
            tuple(map(str, sets)), run=str(ion_pair_run(scale, before, charges=charges, seed=seed))
        )
    return ActiveLearningSettings.following(
        replace(
            learning,
            model=replace(learning.model, charges=charges),
            exploration=replace(exploration, trajectories=count),
            inheritance=inheritance,
        ),
        start=str(_starts_file(scale, stage)),
        seed=seed,
        labels=str(label_store(scale).directory),
    )


def ion_pair_run(scale: Scale, stage: Stage, *, charges: str | None = None, seed: int = 0) -> Path:
    """Return the folder of the run of a stage, which depends on its settings."""
    settings = ion_pair_training(scale, stage, charges=charges, seed=seed)
    return scale.directory / "ion_pairs" / f"{stage}_{digest(placeless(settings))}"


def learn_ion_pairs(
    scale: Scale,
    *,
    charges: str | None = None,
    seed: int = 0,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> IonPairs:
    """Learn ion pairs, then aggregates, then hot cells if the scale has this stage; or resume an interrupted run.

    A stage follows also if the one before has used up its iterations without convergence: see `converged` of its
    result.

    Parameters
    ----------
    scale, charges, seed
        As for `ion_pair_training`. If the scale inherits the set of its mixtures, the mixtures must be learnt first.
    on_iteration
        Function called after each iteration with the present state.
    progress
        Whether to print the status table as it grows.

    Raises
    ------
    InputError, ElectrolyteError
        As for `motif_cells`, `motif_dynamics` and `active_learn`.
    """
    results = []
    hot, stages = _training(scale).hot, list[Stage](STAGES)
    for stage in (*stages, "hot") if hot and charges in hot.charges else stages:
        if stage == "aggregates" or (stage == "pairs" and _training(scale).earlier is None):
            motif_dynamics(scale, stage, progress=progress)
        exploration_starts(scale, stage, progress=progress)
        directory = ion_pair_run(scale, stage, charges=charges, seed=seed)
        settings = ion_pair_training(scale, stage, charges=charges, seed=seed)
        results.append(active_learn(directory, settings, on_iteration=on_iteration, progress=progress))
    return IonPairs(*results)


def _inherited(scale: Scale) -> list[Path]:
    """Return the files or folders of the sets that the pairs inherit."""
    training = _training(scale)
    if training.earlier is not None:
        return [shipped_file(training.earlier)]
    return [
        *([mixtures_source(scale)] if training.mixtures else []),
        *map(shipped_file, training.sets),
        _dynamics(scale, "pairs"),
        *([] if training.small is None else [_starts(scale) / f"{SMALL_DYNAMICS}.extxyz"]),
    ]


def _dynamics(scale: Scale, stage: MotifStage) -> Path:
    """Return the file of the dynamics of a stage; those of the aggregates may ship."""
    earlier = _training(scale).earlier_aggregates
    if stage == "aggregates" and earlier is not None:
        return shipped_file(earlier)
    return _starts(scale) / f"{stage}_dynamics.extxyz"


def _starts(scale: Scale) -> Path:
    """Return the folder of the cells and their dynamics, which all models and seeds share."""
    training = _training(scale)
    learning = training.learning
    content = json.dumps(
        [
            dict(training.count),
            training.cells,
            training.densities,
            training.relaxation_force,
            training.relaxation_steps,
            asdict(learning.reference),
            asdict(learning.seeding),
            None if training.small is None else asdict(training.small),
        ]
    )
    name = hashlib.blake2b(content.encode(), digest_size=4).hexdigest()
    return scale.directory / "ion_pairs" / f"starts_{name}"


def _starts_file(scale: Scale, stage: Stage) -> Path:
    """Return the file of the starts of a stage; that of the hot stage depends on its compressions."""
    factors = _hot(scale).compressions if stage == "hot" else ()
    return _starts(scale) / f"{'_'.join([stage, *(f'{factor:g}' for factor in factors)])}_starts.extxyz"


def _hot(scale: Scale) -> HotCells:
    hot = _training(scale).hot
    if hot is None:
        raise InputError(f"the {scale.name} scale does not learn ion pairs in hot cells")
    return hot


def _training(scale: Scale) -> IonPairTraining:
    if scale.ion_pair_training is None:
        raise InputError(f"the {scale.name} scale does not learn ion pairs")
    return scale.ion_pair_training
