"""The first training set: dynamics with the reference itself, each step a label that is kept (paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from ase import Atoms, units

from electrolyte_ml.active_learning.sections import SeedingSettings
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.reference import LabelError, LabelStore, Reference
from electrolyte_ml.structures import Molecule, pack, parse_composition, read_configurations
from electrolyte_ml.structures.charge import total_charge

# 1/fs. A thermostat on every atom: a global one would leave the bonds of packed, rigid molecules cold for picoseconds.
_FRICTION = {"nvt": 0.02, "nve": 0.0}


@dataclass
class Walker:
    """The state of a seeding trajectory: plain data that is sent to other processes.

    Attributes
    ----------
    atoms : Atoms
        With momenta.
    rng : numpy.random.Generator
        Of the thermostat; its state makes the trajectory reproducible.
    samples : list of Atoms
        Labelled configurations taken so far.
    failure : str or None
        Why the reference failed.
    """

    atoms: Atoms
    rng: np.random.Generator
    samples: list[Atoms] = field(default_factory=list)
    failure: str | None = None


def packed_starts(
    compositions: Sequence[str],
    densities: Sequence[float],
    count: int,
    seed: int,
    *,
    charge: int = 0,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> list[Atoms]:
    """Pack `count` boxes, no two alike, taking compositions and densities (g/cm³) in turn.

    The charge (e) is that of each box; own molecules by name come before those of the library.
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


def seeding_starts(settings: ActiveLearningSettings, reference: Reference, source: str) -> list[Atoms]:
    """Return one start for each seeding trajectory, read from the file or packed, and checked by the reference.

    Parameters
    ----------
    settings, reference
    source
        The settings' file, for messages.

    Raises
    ------
    InputError
        A box cannot be packed, the reference cannot label it, or it is not periodic.
    """
    count = settings.seeding.trajectories
    if settings.start is not None:
        given = read_configurations(settings.start)
        starts = [given[k] for k in np.arange(count) * max(1, len(given) // count) % len(given)]
    else:
        try:
            starts = packed_starts(
                settings.composition,
                settings.density,
                count,
                settings.seeding.seed,
                charge=settings.charge,
                own_molecules=settings.own_molecules(),
            )
        except InputError as error:
            raise InputError(f"{source}: density: {error}") from error
    for k, atoms in enumerate(starts):
        reference.check(atoms, f"start of seeding trajectory {k}")
        if not atoms.pbc.all():
            raise InputError(f"start of seeding trajectory {k}: the cell must be periodic in all directions")
    return starts


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

    Every force is looked up in the store first and put there once computed, so that a run that was killed retraces
    its way without computing a label twice.

    Parameters
    ----------
    starts : sequence of Atoms
        One trajectory each.
    reference, store
    seeding : SeedingSettings
        Of the trajectories; its seed is that of velocities and thermostat, with the index of the trajectory.
    jobs : int or None
        Trajectories run at once.

    Returns
    -------
    list of Walker
        In the order of `starts`. One whose label failed has its reason, and the samples it took before.
    """
    from tqdm import tqdm

    walkers = [
        _start(atoms, seeding.temperature, np.random.default_rng([seeding.seed, k])) for k, atoms in enumerate(starts)
    ]
    share = [len(part) for part in np.array_split(np.arange(seeding.configurations), len(starts))]
    # Segments end where samples are taken; the last one of the longest share is the last of all.
    stops = [np.rint(np.linspace(0, seeding.steps, n + 1)).astype(int) for n in share]
    advance = partial(_advance, reference=reference, store=store, seeding=seeding)
    total = seeding.steps * len(starts)
    with tqdm(total=total, desc="seeding, steps", disable=not progress, smoothing=0.1) as bar:
        for segment in range(max(share)):
            moving = [k for k, walker in enumerate(walkers) if walker.failure is None and segment < share[k]]
            lengths = [int(stops[k][segment + 1] - stops[k][segment]) for k in moving]
            moved = map_progress(
                advance, [(walkers[k], n) for k, n in zip(moving, lengths, strict=True)], jobs, progress=False
            )
            for k, walker in zip(moving, moved, strict=True):
                walkers[k] = walker
            bar.update(sum(lengths))
    return walkers


def bare_copy(atoms: Atoms) -> Atoms:
    """Return a copy of what makes a configuration: atoms, cell and total charge, which is noted unless it is zero."""
    charge = total_charge(atoms)
    info = {"charge": charge} if charge else {}
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=info)


def _start(atoms: Atoms, temperature: float, rng: np.random.Generator) -> Walker:
    """Give the atoms velocities.

    Packed molecules are at their minimum: half of the kinetic energy soon becomes potential energy, hence twice the
    temperature.
    """
    atoms = bare_copy(atoms)
    masses = atoms.get_masses()[:, None]
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(2 * units.kB * temperature * masses)
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)
    return Walker(atoms, rng)


def _advance(task: tuple[Walker, int], reference: Reference, store: LabelStore, seeding: SeedingSettings) -> Walker:
    """Advance a walker by some steps of Langevin dynamics (BAOAB) and take a sample at their end.

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
        labelled = _label(atoms, reference, store)
        for _ in range(steps):
            momenta += 0.5 * dt * labelled.get_forces()
            atoms.positions += 0.5 * dt * momenta / masses
            momenta = decay * momenta + noise * rng.normal(size=momenta.shape)
            atoms.positions += 0.5 * dt * momenta / masses
            labelled = _label(atoms, reference, store)
            momenta += 0.5 * dt * labelled.get_forces()
    except (LabelError, InputError) as error:  # no convergence, or colliding atoms
        walker.failure = str(error)
        return walker
    atoms.set_momenta(momenta)
    del labelled.arrays["momenta"]
    walker.samples.append(labelled)
    return walker


def _label(atoms: Atoms, reference: Reference, store: LabelStore) -> Atoms:
    """Return a labelled copy, from the store if it is there."""
    result = store.label_all([atoms], reference, progress=False)
    labelled = result.labelled[0]
    if labelled is None:
        raise LabelError(result.failed[0].reason)
    return labelled
