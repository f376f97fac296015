"""Seeding: dynamics with the reference, whose labelled steps give the first training set (paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from ase import Atoms, units

from electrolyte_ml.active_learning.cells import pack_rich, rich_cells
from electrolyte_ml.active_learning.sections import ROUND, SeedingSettings
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.dynamics.masses import heavy_hydrogen_masses
from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.reference import LabelError, LabelStore, Reference
from electrolyte_ml.structures import Molecule, pack, parse_composition, read_configurations
from electrolyte_ml.structures.charge import bare_configuration

# 1/fs, of a Langevin thermostat: with a global one the bonds of packed, rigid molecules stay cold for picoseconds.
_FRICTION = {"nvt": 0.02, "nve": 0.0}
_SEGMENTS = 20  # number of parts of a trajectory, after each of which the progress line is updated


@dataclass
class Walker:
    """State of a seeding trajectory, as plain data that can be sent to other processes.

    Attributes
    ----------
    atoms : Atoms
        Configuration with momenta, and with the masses of the dynamics.
    rng : numpy.random.Generator
        Random numbers of the thermostat; their state makes the trajectory reproducible.
    samples : list of Atoms
        Labelled configurations so far, one at the end of each step.
    failure : str or None
        Reason why the reference failed; None if it has not.
    """

    atoms: Atoms
    rng: np.random.Generator
    samples: list[Atoms] = field(default_factory=list)
    failure: str | None = None

    def bare(self) -> Walker:
        """Return the state without the samples, for another process."""
        return Walker(self.atoms, self.rng)

    def take(self, later: Walker) -> None:
        """Take the state of a later walker that continued from this one, and append its samples."""
        self.atoms, self.rng, self.failure = later.atoms, later.rng, later.failure
        self.samples += later.samples


@dataclass(frozen=True)
class Start:
    """Start of a seeding trajectory.

    Attributes
    ----------
    atoms : Atoms
    rich_cell : str or None
        Composition of a small rich cell; None for a composition of the settings.
    """

    atoms: Atoms
    rich_cell: str | None = None


def packed_starts(
    compositions: Sequence[str],
    densities: Sequence[float],
    count: int,
    seed: int,
    *,
    charge: int = 0,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> list[Atoms]:
    """Pack `count` different boxes with compositions and densities (g/cm³) in turn.

    `charge` (e) is the charge of each box; `own_molecules` have precedence over those of the library.
    """
    return [
        pack(
            parse_composition(compositions[k % len(compositions)], own_molecules),
            densities[k % len(densities)],
            seed=1000 * seed + k,
            charge=charge,
            own_molecules=own_molecules,
        )
        for k in range(count)
    ]


def seeding_starts(settings: ActiveLearningSettings, reference: Reference, source: str) -> Iterator[list[Start]]:
    """Yield the starts of each round of the seeding, read from the file or packed, and checked by the reference.

    If the settings give a number of trajectories there is one round, of the compositions of the settings alone.
    Otherwise small cells that are rich in rare elements alternate with them
    (:mod:`electrolyte_ml.active_learning.cells`), and each round has all cells. If the first set is inherited there is
    no seeding: the starts are those of the exploration, a box of each composition or all configurations of the file.

    Parameters
    ----------
    settings, reference
        Settings and reference of the run.
    source
        Name of the settings' file, for messages.

    Raises
    ------
    InputError
        A box cannot be packed, the reference cannot label it, or it is not periodic.
    """
    cells = _cells(settings)
    configurations = None if settings.start is None else read_configurations(settings.start)
    if settings.inheritance.paths:
        most = size = len(cells if configurations is None else configurations)
    else:
        most = settings.seeding.most_trajectories
        size = settings.seeding.trajectories or max(ROUND, len(cells))
    make = _packed_start(settings, cells, source) if configurations is None else _read_start(configurations, size)
    for first in range(0, most, size):
        starts = [make(k) for k in range(first, min(first + size, most))]
        for k, start in enumerate(starts, start=first):
            reference.check(start.atoms, f"start of seeding trajectory {k}")
            if not start.atoms.pbc.all():
                raise InputError(f"start of seeding trajectory {k}: the cell must be periodic in all directions")
        yield starts


def _read_start(configurations: Sequence[Atoms], size: int) -> Callable[[int], Start]:
    """Return a function that returns the start of the k-th trajectory, evenly spaced within rounds of a size."""
    spacing = max(1, len(configurations) // size)
    return lambda k: Start(configurations[(k * spacing + k // size) % len(configurations)])


def _cells(settings: ActiveLearningSettings) -> list[tuple[str, str | None]]:
    """Return the compositions of the settings, and rich cells, each with the composition that it is derived from."""
    own = settings.own_molecules()
    cells: list[tuple[str, str | None]] = [(name, None) for name in settings.composition]
    if not (settings.seeding.trajectories or settings.charge or settings.inheritance.paths):
        known = set(settings.composition)
        for name in settings.composition:
            new = [cell for cell in rich_cells(name, own) if cell not in known]
            cells += [(cell, name) for cell in new]
            known.update(new)
    return cells


def _packed_start(
    settings: ActiveLearningSettings, cells: Sequence[tuple[str, str | None]], source: str
) -> Callable[[int], Start]:
    """Return a function that packs the start of the k-th trajectory, with cells and densities in turn."""
    own, seed = settings.own_molecules(), settings.seeding.seed

    def make(k: int) -> Start:
        cell, like = cells[k % len(cells)]
        # With rich cells the densities are shifted from round to round, so that each cell gets all of them.
        turn = k if len(cells) == len(settings.composition) else k + k // len(cells)
        density = settings.density[turn % len(settings.density)]
        try:
            if like is not None:
                return Start(pack_rich(cell, like, density, 1000 * seed + k, own_molecules=own), cell)
            counts = parse_composition(cell, own)
            return Start(pack(counts, density, 1000 * seed + k, charge=settings.charge, own_molecules=own))
        except InputError as error:
            hint = "" if like is None else " (a small cell of the seeding: seeding.trajectories leaves them out)"
            raise InputError(f"{source}: density: {error}{hint}") from error

    return make


def run_walkers(
    starts: Sequence[Atoms],
    reference: Reference,
    store: LabelStore,
    seeding: SeedingSettings,
    *,
    jobs: int | None,
    first: int = 0,
    progress: bool = True,
) -> list[Walker]:
    """Run dynamics with the reference from each start, and keep the configuration of every step.

    Every label is looked up in the store, and computed and stored only if it is missing: a killed run repeats its
    trajectories without computing a label twice.

    Parameters
    ----------
    starts : sequence of Atoms
        Starts of the trajectories.
    reference, store
        Reference and store of the labels.
    seeding : SeedingSettings
        Settings of the trajectories; velocities and thermostat depend on its seed and on the trajectory's number.
    jobs : int or None
        Number of parallel trajectories.
    first : int
        Number of the first of these trajectories.
    progress : bool
        Whether to show a progress line.

    Returns
    -------
    list of Walker
        In the order of `starts`, with a sample per step. After a failed label, a walker has its reason and no further
        samples.

    Raises
    ------
    InputError
        A start cannot have the mass of hydrogen in the settings.
    """
    walkers = [
        _start(atoms, seeding, np.random.default_rng([seeding.seed, k]), f"start of seeding trajectory {k}")
        for k, atoms in enumerate(starts, start=first)
    ]
    advance = partial(_advance, reference=reference, store=store, seeding=seeding)
    # The segments are only for the progress line.
    lengths = [len(part) for part in np.array_split(np.arange(seeding.steps), min(seeding.steps, _SEGMENTS))]
    with progress_bar(total=seeding.steps * len(starts), desc="seeding, steps", shown=progress, smoothing=0.1) as bar:
        for length in lengths:
            moving = [walker for walker in walkers if walker.failure is None]
            moved = map_progress(advance, [(walker.bare(), length) for walker in moving], jobs, progress=False)
            for walker, after in zip(moving, moved, strict=True):
                walker.take(after)
            bar.update(length * len(moving))
    return walkers


def sample_dynamics(
    starts: Sequence[Atoms],
    reference: Reference,
    store: LabelStore,
    seeding: SeedingSettings,
    *,
    jobs: int | None,
    progress: bool = True,
) -> list[Walker]:
    """Run dynamics with the reference from each start, and sample it uniformly in time.

    Parameters and errors are those of `run_walkers`; each walker keeps its share of `seeding.configurations`.

    Raises
    ------
    InputError
        The number of configurations is not set.
    """
    if not seeding.configurations:
        raise InputError("a uniform sample needs the number of its configurations")
    walkers = run_walkers(starts, reference, store, seeding, jobs=jobs, progress=progress)
    for walker, share in zip(walkers, np.array_split(np.arange(seeding.configurations), len(starts)), strict=True):
        walker.samples = [walker.samples[k] for k in even_steps(seeding.steps, len(share)) if k < len(walker.samples)]
    return walkers


def even_steps(steps: int, count: int) -> list[int]:
    """Return `count` evenly spaced steps among 0, 1, ..., `steps` - 1, including the last one."""
    return [int(step) - 1 for step in np.rint(np.linspace(0, steps, count + 1))[1:]]


def _start(atoms: Atoms, seeding: SeedingSettings, rng: np.random.Generator, name: str) -> Walker:
    """Return a walker with masses and random velocities at twice the temperature.

    Packed molecules are at their minimum: half of the kinetic energy soon becomes potential energy.
    """
    atoms = bare_configuration(atoms)
    if seeding.hydrogen_mass is not None:
        try:
            atoms.set_masses(heavy_hydrogen_masses(atoms, seeding.hydrogen_mass))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    masses = atoms.get_masses()[:, None]
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(2 * units.kB * seeding.temperature * masses)
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)
    return Walker(atoms, rng)


def _advance(task: tuple[Walker, int], reference: Reference, store: LabelStore, seeding: SeedingSettings) -> Walker:
    """Advance a walker by some steps of Langevin dynamics (BAOAB), with a sample at the end of each.

    Without friction, in NVE, the steps are those of velocity Verlet.
    """
    walker, steps = task
    atoms, rng = walker.atoms, walker.rng
    dt = seeding.timestep_fs * units.fs
    masses = atoms.get_masses()[:, None]  # (N, 1) amu
    decay = np.exp(-_FRICTION[seeding.ensemble] * seeding.timestep_fs)
    noise = np.sqrt((1 - decay**2) * masses * units.kB * seeding.temperature)
    momenta = atoms.get_momenta()
    try:
        labelled = store.label(bare_configuration(atoms), reference)
        for _ in range(steps):
            momenta += 0.5 * dt * labelled.get_forces()
            atoms.positions += 0.5 * dt * momenta / masses
            momenta = decay * momenta + noise * rng.normal(size=momenta.shape)
            atoms.positions += 0.5 * dt * momenta / masses
            labelled = store.label(bare_configuration(atoms), reference)
            momenta += 0.5 * dt * labelled.get_forces()
            walker.samples.append(labelled)
    except (LabelError, InputError) as error:  # no convergence, or colliding atoms
        walker.failure = str(error)
        return walker
    atoms.set_momenta(momenta)
    return walker
