"""The first training set: dynamics with the reference itself, each step a label that is kept (paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from ase import Atoms, units

from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.reference import LabelError, LabelStore, Reference
from electrolyte_ml.structures import pack, parse_composition

# A thermostat on every atom: a global one would leave the bonds of packed, rigid molecules cold for picoseconds.
_FRICTION_PER_FS = 0.02


@dataclass
class Walker:
    """One seeding trajectory on its way; plain data that travels between processes.

    Attributes
    ----------
    atoms : Atoms
        With momenta.
    rng : numpy.random.Generator
        Of the thermostat: the same walker always takes the same way.
    samples : list of Atoms
        Labelled configurations taken so far.
    failure : str or None
        Why the reference could not go on.
    """

    atoms: Atoms
    rng: np.random.Generator
    samples: list[Atoms] = field(default_factory=list)
    failure: str | None = None


def packed_starts(compositions: Sequence[str], densities: Sequence[float], count: int, seed: int) -> list[Atoms]:
    """Pack `count` boxes, no two alike, taking compositions and densities (g/cm³) in turn."""
    return [
        pack(
            parse_composition(compositions[k % len(compositions)]),
            densities[k % len(densities)],
            seed=1000 * seed + k,
        )
        for k in range(count)
    ]


def sample_dynamics(
    starts: Sequence[Atoms],
    reference: Reference,
    store: LabelStore,
    *,
    temperature: float,
    timestep_fs: float,
    steps: int,
    configurations: int,
    seed: int,
    jobs: int | None,
    progress: bool = True,
) -> list[Walker]:
    """Run NVT dynamics with the reference from each start, and sample it uniformly in time.

    Every force is looked up in the store first and put there once computed, so that a run that was killed retraces
    its way without computing a label twice.

    Parameters
    ----------
    starts : sequence of Atoms
        One trajectory each.
    temperature : float
        K.
    timestep_fs, steps
        Of each trajectory.
    configurations : int
        To be sampled from all trajectories together.
    seed : int
        Of velocities and thermostat; with the index of the trajectory.
    jobs : int or None
        Trajectories run at once.

    Returns
    -------
    list of Walker
        In the order of `starts`. One whose label failed has its reason, and the samples it took before.
    """
    from tqdm import tqdm

    walkers = [_start(atoms, temperature, np.random.default_rng([seed, k])) for k, atoms in enumerate(starts)]
    share = [len(part) for part in np.array_split(np.arange(configurations), len(starts))]
    # Segments end where samples are taken; the last one of the longest share is the last of all.
    stops = [np.rint(np.linspace(0, steps, n + 1)).astype(int) for n in share]
    with tqdm(total=steps * len(starts), desc="seeding, steps", disable=not progress, smoothing=0.1) as bar:
        for segment in range(max(share)):
            moving = [k for k, walker in enumerate(walkers) if walker.failure is None and segment < share[k]]
            lengths = [int(stops[k][segment + 1] - stops[k][segment]) for k in moving]
            advance = partial(
                _advance, reference=reference, store=store, temperature=temperature, timestep_fs=timestep_fs
            )
            moved = map_progress(
                advance, [(walkers[k], n) for k, n in zip(moving, lengths, strict=True)], jobs, progress=False
            )
            for k, walker in zip(moving, moved, strict=True):
                walkers[k] = walker
            bar.update(sum(lengths))
    return walkers


def _start(atoms: Atoms, temperature: float, rng: np.random.Generator) -> Walker:
    """Give the atoms velocities.

    Packed molecules are at their minimum: half of the kinetic energy soon becomes potential energy, hence twice the
    temperature.
    """
    atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=_charge(atoms))
    masses = atoms.get_masses()[:, None]
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(2 * units.kB * temperature * masses)
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)
    return Walker(atoms, rng)


def _charge(atoms: Atoms) -> dict[str, float]:
    return {"charge": atoms.info["charge"]} if "charge" in atoms.info else {}


def _advance(
    task: tuple[Walker, int], reference: Reference, store: LabelStore, temperature: float, timestep_fs: float
) -> Walker:
    """Advance a walker by some steps of Langevin dynamics (BAOAB) and take a sample at their end."""
    walker, steps = task
    atoms, rng = walker.atoms, walker.rng
    dt = timestep_fs * units.fs
    masses = atoms.get_masses()[:, None]  # (N, 1) amu
    decay = np.exp(-_FRICTION_PER_FS * timestep_fs)
    noise = np.sqrt((1 - decay**2) * masses * units.kB * temperature)
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
    except (LabelError, InputError) as error:  # no convergence, or atoms that have flown into each other
        walker.failure = str(error)
        return walker
    atoms.set_momenta(momenta)
    del labelled.arrays["momenta"]
    walker.samples.append(labelled)
    return walker


def _label(atoms: Atoms, reference: Reference, store: LabelStore) -> Atoms:
    """Return a labelled copy, from the store if it is there."""
    result = store.label_all([atoms], reference, progress=False)
    if result.failed:
        raise LabelError(result.failed[0].reason)
    return result.labelled[0]
