"""Runs of the notebooks at any scale, with the labels stored for that scale."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.sections import MDRun
from electrolyte_ml.active_learning.seeding import Walker, packed_starts, sample_dynamics
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.scales import DensityRun, Scale
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import Potential
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.structures import pack, parse_composition, species_of

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials.spec import ChargeForm
    from electrolyte_ml.training import FitResult

RELAX = 50  # steps of minimisation: packed molecules touch at 0.9 of their van der Waals distance


def pure_solvent(
    scale: Scale, solvent: str, *, seed: int = 0, labels: str | os.PathLike[str] | None = None
) -> ActiveLearningSettings:
    """Return the settings for learning a pure solvent (section 2.1) at a scale.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.paper.scales.SCALES`.
    solvent
        Name of the molecule, ``"EC"`` or ``"EMC"``.
    seed, labels
        As in `ActiveLearningSettings`.

    Raises
    ------
    InputError
        The scale has no cell of this solvent.
    """
    protocol, place = scale.pure_solvents, _place(scale, solvent)
    larger = protocol.larger_cells[place : place + 1]
    exploration = replace(protocol.learning.exploration, larger_boxes=larger)
    return ActiveLearningSettings.following(
        replace(protocol.learning, exploration=exploration),
        composition=protocol.cells[place],
        density=protocol.packing_densities[place],
        seed=seed,
        labels=None if labels is None else str(labels),
    )


def label_store(scale: Scale) -> references.LabelStore:
    """Return the store of all labels of a scale, which the notebooks share."""
    return references.LabelStore(scale.directory / "labels")


def reference_of(scale: Scale) -> references.Reference:
    """Return the reference that labels the data of a scale."""
    return scale.reference.make()


def tour_seeding(scale: Scale, *, progress: bool = True) -> list[Walker]:
    """Run the short reference dynamics for the training set of the small potential of notebooks 00, 02 and 03.

    Returns
    -------
    list of Walker
        A walker for each packing density; `samples` are its labelled configurations in the order of time.
    """
    tour, seeding = scale.tour, scale.tour.seeding
    starts = packed_starts([tour.cell], tour.packing_densities, seeding.trajectories, seeding.seed)
    return sample_dynamics(starts, reference_of(scale), label_store(scale), seeding, jobs=None, progress=progress)


def charge_sets(scale: Scale, *, progress: bool = True) -> tuple[list[Atoms], list[Atoms]]:
    """Run the short reference dynamics of droplets for the fits of charges of notebook 07.

    Returns
    -------
    trained, planned : list of Atoms
        Labelled configurations of the composition of the training set, and of another composition.

    Raises
    ------
    ElectrolyteError
        A label failed: incomplete sets are refused.
    """
    study = scale.charges
    reference, store = study.reference.make(), label_store(scale)
    seeding, count = study.seeding, study.seeding.trajectories
    share = max(1, seeding.configurations // (2 * count))
    other = replace(seeding, time_ps=seeding.time_ps / 2, trajectories=1, configurations=share, seed=seeding.seed + 1)
    sets = []
    for ligands, settings in ((study.trained, seeding), (study.planned, other)):
        starts = [_droplet(ligands)] * settings.trajectories
        walkers = sample_dynamics(starts, reference, store, settings, jobs=None, progress=progress)
        if failures := [walker.failure for walker in walkers if walker.failure]:
            raise ElectrolyteError(f"a droplet of {' '.join(ligands)} was not labelled: {failures[0]}")
        sets.append([atoms for walker in walkers for atoms in walker.samples])
    return sets[0], sets[1]


def _droplet(ligands: Sequence[str]) -> Atoms:
    """Return Li and its ligands in vacuum."""
    from electrolyte_ml.trajectories.static_frames import shell

    atoms = shell(ligands).atoms
    return Atoms(atoms.numbers, atoms.positions)


def charge_fits(
    scale: Scale, configurations: Sequence[Atoms], form: ChargeForm, *, progress: bool = True
) -> dict[int, FitResult]:
    """Fit a potential with charges from each random start of the study.

    Parameters
    ----------
    scale
        Scale whose study of charges defines model, seeds and fit.
    configurations
        The training set.
    form
        "raw" for starts as in the paper, "positive" for ours. Both start from the same moment tensor potentials.
    progress
        Whether to show a progress line.

    Returns
    -------
    dict
        Seed -> fit; the last term of its potential is the model of the charges.
    """
    from electrolyte_ml.training import train

    study = scale.charges
    options = study.fit.options(refit=False)
    model, species = replace(study.model, charges="qrd", charge_form=form), species_of(configurations)
    fits = {}
    for seed in progress_bar(study.seeds, desc=f"fits from {form} starts", unit="", shown=progress):
        fits[seed] = train(configurations, model.random(species, seed), **options, progress=False)
    return fits


def learn_pure_solvent(
    scale: Scale,
    solvent: str,
    *,
    seed: int | None = None,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Learn a pure solvent from a random potential (section 2.1), or resume an interrupted run.

    Parameters
    ----------
    scale, solvent
        As for `pure_solvent`; labels are kept in the scale's store.
    seed
        Seed of the potential's parameters and the trajectories' velocities, by default the scale's first seed. The
        seeding is the same for all seeds.
    on_iteration
        Function called after each iteration with the present state.
    progress
        Whether to print the status table as it grows.
    """
    seed = scale.pure_solvents.seeds[0] if seed is None else seed
    settings = pure_solvent(scale, solvent, seed=seed, labels=label_store(scale).directory)
    directory = solvent_run(scale, solvent, seed)
    return active_learn(directory, settings, on_iteration=on_iteration, progress=progress)


def solvent_run(scale: Scale, solvent: str, seed: int) -> Path:
    """Return the folder of the run of `learn_pure_solvent`, which depends on its settings."""
    return scale.directory / "pure_solvents" / f"{solvent}_seed{seed}_{digest(pure_solvent(scale, solvent, seed=seed))}"


def placeless(settings: ActiveLearningSettings) -> ActiveLearningSettings:
    """Return the settings with names in place of paths, for a folder name that does not depend on locations."""
    inheritance, model = settings.inheritance, settings.model
    start, run, base = (path and Path(path).name for path in (settings.start, inheritance.run, model.on_top_of))
    return replace(
        settings,
        labels=None,
        start=start,
        model=replace(model, on_top_of=base),
        inheritance=replace(inheritance, sets=tuple(Path(path).name for path in inheritance.sets), run=run),
    )


def digest(settings: ActiveLearningSettings) -> str:
    """Return a short hash of the settings of a run."""
    return hashlib.blake2b(settings.to_toml().encode(), digest_size=4).hexdigest()


def solvents(scale: Scale) -> list[str]:
    """Return the names of the pure solvents of a scale."""
    return [cell.partition("=")[0] for cell in scale.pure_solvents.cells]


def density_runs(
    scale: Scale, solvent: str, potentials: Sequence[Potential], *, progress: bool = True
) -> list[RunResult]:
    """Run the density protocol (Fig. 1a) with each potential from the same packed box, in parallel.

    The runs are kept with the scale's results, under the potential's fingerprint; completed runs are reused.

    Returns
    -------
    list of RunResult
        Runs in the order of the potentials, some of which may have ended early (see `reason`). If the heating ended
        early, its result is returned.

    Raises
    ------
    InputError
        The scale has no cell of this solvent.
    """
    place = _place(scale, solvent)
    density = scale.pure_solvents.density
    return map_progress(
        partial(
            density_run,
            scale=scale,
            protocol=density,
            cell=density.cells[place],
            packing_density=float(np.mean(scale.pure_solvents.packing_densities[place])),
        ),
        potentials,
        None,
        f"{solvent}, density runs",
        progress=progress,
    )


def density_run(
    potential: Potential,
    scale: Scale,
    protocol: DensityRun,
    cell: str,
    packing_density: float,
    folder: str = "density",
) -> RunResult:
    """Run a potential in a packed box, after a heating if the protocol has one; completed runs are reused.

    Parameters
    ----------
    potential
        The potential.
    scale
        Scale among whose results the run is kept, under the potential's fingerprint.
    protocol
        Protocol of the run.
    cell
        Composition, one of the protocol's.
    packing_density
        g/cm³.
    folder
        Name of a folder in the scale's directory.

    Returns
    -------
    RunResult
        Result of the run, or of the heating if that ended early.
    """
    packed = pack(parse_composition(cell), packing_density)
    directory = scale.directory / folder / _folder(cell, potential)
    if protocol.heating is None:
        return watched_run(packed, potential, protocol.run, packed, directory, relax=RELAX)
    heated = watched_run(packed, potential, protocol.heating, packed, directory / "heating", relax=RELAX)
    if not heated.completed:
        return heated
    start = heated.atoms
    start.set_momenta(np.zeros_like(start.positions))  # new ones are drawn at the temperature of the run
    return watched_run(start, potential, protocol.run, packed, directory, relax=0)


def electrolyte_density(scale: Scale, start: Atoms, potential: Potential) -> RunResult:
    """Run the density protocol of notebook 20 with a potential; a completed run is reused.

    Parameters
    ----------
    scale
        Scale among whose results the run is kept.
    start
        Configuration of a liquid in the cell of the protocol.
    potential
        The potential.
    """
    protocol = scale.electrolyte
    directory = scale.directory / "density" / _folder(protocol.cell, potential)
    return watched_run(start, potential, protocol.density.run, start, directory, relax=0)


def _folder(cell: str, potential: Potential) -> str:
    """Return the name of the folder of a run."""
    return f"{cell.replace('=', '').replace(' ', '_')}_{potential.fingerprint[:12]}"


def watched_run(
    start: Atoms, potential: Potential, run: MDRun, molecules: Atoms, directory: Path, relax: int
) -> RunResult:
    """Run dynamics that end if a molecule breaks or the temperature rises fourfold; a completed run is reused.

    Parameters
    ----------
    start, potential, run
        Start, potential and settings of the run.
    molecules
        Configuration with the molecules that must stay whole.
    directory
        Folder of the run.
    relax
        Largest number of minimisation steps before the run.
    """
    from electrolyte_ml.dynamics import MoleculeMonitor, TemperatureMonitor, run_md

    return run_md(
        start,
        potential,
        **run.options(),
        directory=directory,
        monitors=[MoleculeMonitor(molecules), TemperatureMonitor(maximum=4 * run.temperature)],
        relax=relax,
        # Each potential has its own seed: with the same noise volumes would be correlated, and their spread too small.
        seed=int(potential.fingerprint[:8], 16),
        progress=False,
    )


def _place(scale: Scale, solvent: str) -> int:
    names = solvents(scale)
    if solvent not in names:
        raise InputError(f"the {scale.name} scale learns {' and '.join(names)}, not {solvent!r}")
    return names.index(solvent)
