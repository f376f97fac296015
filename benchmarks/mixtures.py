"""Labelled liquids of several compositions: what `charges.py` learns and what it is tested on.

    python benchmarks/mixtures.py solvents -o solvents.extxyz
    python benchmarks/mixtures.py salt -o salt.extxyz

Every trajectory starts from a packed box of its own, at one of three densities and three temperatures. Those with salt
are short dynamics with the reference (GFN1-xTB) itself. For the solvents, such dynamics only give a first potential. A
potential without charges then runs longer dynamics in rounds, until most trajectories complete: the labelled frames
improve it. The frames of a last round are the set, of those trajectories whose molecules stayed whole. Each frame has
in its info its `composition` and its `part`: "train", "held out" (other trajectories of the same compositions) or
"unseen" (compositions that are not trained on).

Labels and potentials are kept in a folder (`--labels`): the same command after an interrupt computes none twice.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ase import Atoms

from electrolyte_ml import reference
from electrolyte_ml.active_learning.sections import SeedingSettings
from electrolyte_ml.active_learning.seeding import packed_starts, sample_dynamics
from electrolyte_ml.dynamics import MoleculeMonitor, TemperatureMonitor, run_md
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import ModelSpec, Potential, load
from electrolyte_ml.reference import LabelStore, Reference
from electrolyte_ml.structures import (
    Topology,
    changes,
    elements_of,
    parse_composition,
    read_configurations,
    write_configurations,
)
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.training import train

DENSITY_FACTORS = (0.85, 0.95, 1.05)
TEMPERATURES = (300.0, 450.0, 600.0)  # K
HELD_OUT = 4  # every fourth trajectory of a composition is held out
FRAME_FS = 10.0  # between two frames of a trajectory
ENOUGH = 0.8  # of the trajectories must complete before longer ones are run
MOST_ROUNDS = 8  # of one length
LOOK = 10  # steps between two looks at the molecules

Runner = Callable[[Sequence[Atoms]], list[list[Atoms]]]  # boxes -> labelled frames of each trajectory


@dataclass(frozen=True)
class ReferenceDynamics:
    """Trajectories run by the reference itself: each step costs a label.

    Attributes
    ----------
    time_ps
        Length of a trajectory.
    frames
        Taken from each trajectory, uniformly in time.
    """

    time_ps: float
    frames: int

    def runner(self, mixture: Mixture, label: Labeller, given: Sequence[Atoms]) -> Runner:
        """Return what runs trajectories from boxes; nothing is learnt before."""

        def run(boxes: Sequence[Atoms]) -> list[list[Atoms]]:
            found: list[list[Atoms]] = [[] for _ in boxes]
            for temperature in sorted({temperature_of(k) for k in range(len(boxes))}):
                chosen = [k for k in range(len(boxes)) if temperature_of(k) == temperature]
                dynamics = SeedingSettings(
                    temperature=temperature,
                    time_ps=self.time_ps,
                    trajectories=len(chosen),
                    configurations=self.frames * len(chosen),
                )
                walkers = sample_dynamics(
                    [boxes[k] for k in chosen], label.reference, label.store, dynamics, jobs=label.jobs
                )
                for k, walker in zip(chosen, walkers, strict=True):
                    if walker.failure is not None:
                        print(f"trajectory {k} of {len(boxes)} is left out: {walker.failure}")
                    elif any(changes(Topology.of(boxes[k]), frame) for frame in walker.samples):
                        print(f"trajectory {k} of {len(boxes)} is left out: its molecules changed")
                    else:
                        found[k] = walker.samples
            return found

        return run


@dataclass(frozen=True)
class PotentialDynamics:
    """Trajectories run by a potential that first learns in rounds of such dynamics.

    Attributes
    ----------
    seeds, seeding
        Compositions with densities, and dynamics, of the first trajectories, with the reference; small cells will do.
    first_trajectories
        For each composition, in each of the rounds in which the potential learns.
    level, iterations
        Of the potential.
    times_ps
        Length of the trajectories; the last is that of the set's own.
    """

    seeds: Mapping[str, float]
    seeding: SeedingSettings
    first_trajectories: int = 6
    level: int = 10
    iterations: int = 150
    times_ps: tuple[float, ...] = (1.0, 5.0)

    def runner(self, mixture: Mixture, label: Labeller, given: Sequence[Atoms]) -> Runner:
        """Learn the potential, also from the labelled configurations given; return what runs trajectories with it."""
        boxes = starts(self.seeds, self.seeding.trajectories // len(self.seeds), seed=1)
        walkers = sample_dynamics(boxes, label.reference, label.store, self.seeding, jobs=label.jobs)
        known = [*given, *(atoms for walker in walkers for atoms in walker.samples)]
        *early, last = self.times_ps
        number = 0
        for time_ps in early:
            for _ in range(MOST_ROUNDS):
                boxes = starts(mixture.seen, self.first_trajectories, seed=10 + number)
                completed, runs = sampled(boxes, self.fitted(known, mixture, label), time_ps, label, broken=True)
                known += [atoms for run in runs for atoms in run]
                number += 1
                if completed >= ENOUGH:
                    break
        potential = self.fitted(known, mixture, label)
        return lambda boxes: sampled(boxes, potential, last, label)[1]

    def fitted(self, known: Sequence[Atoms], mixture: Mixture, label: Labeller) -> Potential:
        """Return the potential of the frames known so far, from the folder of the labels if it was fitted before."""
        spec = ModelSpec(level=self.level, repulsion="zbl")
        digest = hashlib.blake2b(repr((spec, self.iterations)).encode(), digest_size=16)
        for atoms in known:
            digest.update(atoms.positions.tobytes() + atoms.get_forces().tobytes())
        file = label.store.directory / f"{digest.hexdigest()}.pot"
        if not file.exists():
            start = spec.random(mixture.species)
            train(known, start, max_iterations=self.iterations, threads=1).potential.save(file)
        return load(file)


@dataclass(frozen=True)
class Mixture:
    """The compositions of a set with their densities in g/cm³, and how they are sampled.

    Attributes
    ----------
    seen, unseen
        Composition -> density of the liquid near 300 K.
    trajectories, unseen_trajectories
        Of which frames are taken, for each composition.
    dynamics
        How they are run.
    """

    seen: Mapping[str, float]
    unseen: Mapping[str, float]
    trajectories: int
    unseen_trajectories: int
    dynamics: ReferenceDynamics | PotentialDynamics

    @property
    def species(self) -> list[str]:
        """Chemical symbols, sorted."""
        return sorted(set().union(*(elements_of(parse_composition(name)) for name in self.seen)))


MIXTURES = {
    "solvents": Mixture(
        seen={"EC=4": 1.32, "EC=2 EMC=2": 1.15, "EC=1 EMC=3": 1.07},
        unseen={"EC=3 EMC=1": 1.23, "EMC=4": 1.0},
        trajectories=20,
        unseen_trajectories=8,
        dynamics=PotentialDynamics(
            seeds={"EC=4": 1.32, "EC=2 EMC=2": 1.15, "EC=1 EMC=3": 1.07},
            seeding=SeedingSettings(time_ps=0.016, trajectories=9, configurations=72),
        ),
    ),
    "salt": Mixture(
        seen={"EC=4 LiPF6=1": 1.4, "EC=2 EMC=2 LiPF6=1": 1.27, "EC=2 EMC=1 LiPF6=1": 1.35, "EC=2 EMC=2": 1.15},
        unseen={"EC=3 EMC=1 LiPF6=1": 1.34, "EC=1 EMC=1 LiPF6=1": 1.4},
        trajectories=9,
        unseen_trajectories=9,
        dynamics=ReferenceDynamics(time_ps=0.045, frames=3),
    ),
}


def temperature_of(number: int) -> float:
    """Return the temperature in K of a trajectory by its number: densities change first, then temperatures."""
    return TEMPERATURES[number // len(DENSITY_FACTORS) % len(TEMPERATURES)]


def starts(compositions: Mapping[str, float], count: int, seed: int) -> list[Atoms]:
    """Pack `count` boxes of each composition, one composition after the other, with densities in turn."""
    boxes = []
    for k, (name, density) in enumerate(compositions.items()):
        boxes += packed_starts([name], [factor * density for factor in DENSITY_FACTORS], count, 100 * seed + k)
    return boxes


def frames(start: tuple[int, Atoms], potential: Potential, time_ps: float) -> tuple[str, list[Atoms]]:
    """Run one trajectory: how it ended, and its middle and last frame or, if it broke, the last frame before."""
    number, atoms = start
    temperature = temperature_of(number)
    result = run_md(
        atoms,
        potential,
        ensemble="nvt",
        temperature=temperature,
        time_ps=time_ps,
        frame_interval_fs=FRAME_FS,
        # Without a minimisation: a young potential has holes, into which that would lead.
        monitors=[MoleculeMonitor(atoms, every=LOOK), TemperatureMonitor(maximum=4 * temperature)],
        seed=number,
        progress=False,
    )
    found = result.frames()
    if result.completed:
        return result.reason, [bare_configuration(found[len(found) // 2]), bare_configuration(found[-1])]
    intact = [frame for frame in found if 0 < frame.info["step"] <= result.steps - LOOK]
    return result.reason, [bare_configuration(frame) for frame in intact[-1:]]


def sampled(
    boxes: Sequence[Atoms], potential: Potential, time_ps: float, label: Labeller, *, broken: bool = False
) -> tuple[float, list[list[Atoms]]]:
    """Run a trajectory from each box and label its frames, of those that broke only if asked.

    Returns
    -------
    completed : float
        Fraction of the trajectories that reached their end.
    frames : list of list of Atoms
        Labelled frames of each trajectory.
    """
    runs = map_progress(
        partial(frames, potential=potential, time_ps=time_ps),
        list(enumerate(boxes)),
        label.jobs,
        f"dynamics, {time_ps:g} ps each",
    )
    ends = Counter(reason for reason, _ in runs)
    print(f"trajectories of {time_ps:g} ps:", dict(ends), flush=True)
    taken = [found if reason == "completed" or broken else [] for reason, found in runs]
    labelled = iter(label([frame for found in taken for frame in found]))
    kept = [[frame for frame in (next(labelled) for _ in found) if frame is not None] for found in taken]
    return ends["completed"] / len(runs), kept


@dataclass(frozen=True)
class Labeller:
    """Labels configurations with a reference, from a store where it has them."""

    reference: Reference
    store: LabelStore
    jobs: int

    def __call__(self, configurations: Sequence[Atoms]) -> list[Atoms | None]:
        """Return labelled copies; None where the reference failed."""
        result = self.store.label_all(configurations, self.reference, self.jobs)
        if result.failed:
            print(f"{len(result.failed)} labels failed, the first because {result.failed[0].reason}")
        return result.labelled


def make(mixture: Mixture, label: Labeller, given: Sequence[Atoms] = ()) -> list[Atoms]:
    """Return the labelled set of a mixture.

    Parameters
    ----------
    mixture
    label
    given
        Labelled configurations from which a potential that runs the dynamics learns, too.

    Returns
    -------
    list of Atoms
        With `composition` and `part` in their info.
    """
    run = mixture.dynamics.runner(mixture, label, given)
    made: list[Atoms] = []
    for part, compositions, count, seed in (
        ("seen", mixture.seen, mixture.trajectories, 3),
        ("unseen", mixture.unseen, mixture.unseen_trajectories, 4),
    ):
        runs = run(starts(compositions, count, seed))
        names = [name for name in compositions for _ in range(count)]
        for number, (name, frames) in enumerate(zip(names, runs, strict=True)):
            held_out = number % HELD_OUT == HELD_OUT - 1
            for atoms in frames:
                atoms.info["composition"] = name
                atoms.info["part"] = part if part == "unseen" else "held out" if held_out else "train"
            made += frames
    return made


def main() -> None:
    """Read the arguments, make the set, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixture", choices=MIXTURES)
    parser.add_argument("-o", "--output", type=Path, required=True, help="extended XYZ")
    parser.add_argument(
        "--known", type=Path, nargs="+", default=[], help="labelled files for the potential of the solvents"
    )
    parser.add_argument("--labels", type=Path, default=Path("labels"), help="folder of the labels")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    label = Labeller(reference.get(), LabelStore(options.labels), options.jobs)
    given = [atoms for path in options.known for atoms in read_configurations(path, labelled=True)]
    configurations = make(MIXTURES[options.mixture], label, given)
    write_configurations(options.output, configurations)
    print(f"{options.output}: {len(configurations)} configurations")


if __name__ == "__main__":
    main()
