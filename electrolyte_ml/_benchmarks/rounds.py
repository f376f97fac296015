"""The benchmark: this package's kernels, motep's C engine where it is installed, and the limit of a core.

Every code is timed in turn, round after round, so that a slow minute of the machine falls on all of them alike, and
what one thread does by its own processor time, so that other programs on the machine disturb it less. Each call gets
atoms that have moved a little, as in dynamics, so that no result can be remembered from the last call.
benchmarks/README.md explains how to read the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml import __version__
from electrolyte_ml._benchmarks import cases, peer
from electrolyte_ml._benchmarks.cases import CONFIGURATION, FORCES, GRADIENT, MD, MD_STEPS, NEIGHBOURS, ROWS, TASKS
from electrolyte_ml._benchmarks.machine import machine, most_memory, peak_gflops
from electrolyte_ml._benchmarks.pairs import energy_forces_flops, pair_memory
from electrolyte_ml.errors import InputError
from electrolyte_ml.threads import available, default_threads
from electrolyte_ml.warmup import warm_up

if TYPE_CHECKING:
    from ase import Atoms

PEER_ATOMS = 1000  # motep is timed on boxes of at most so many: larger ones show nothing new and take minutes
CONFIGURATIONS = 16  # in the training set that threads share
MD_ATOMS = 4000  # dynamics is timed on boxes of at most so many

OURS = f"electrolyte_ml {__version__}"
KERNEL = "kernel alone"


@dataclass
class Contest:
    """One number of the table: what is called, once a round."""

    task: str
    level: int | None
    atoms: int
    threads: int
    code: str
    call: cases.Call
    flops: float | None = None
    steps: int = 1  # of one call
    seconds: list[float] = field(default_factory=list)  # per call, one a round


def benchmark(
    levels: Sequence[int] = (12, 16, 20),
    atoms: Sequence[int] = (160, 1000, 4000, 32000),
    *,
    threads: Sequence[int] | None = None,
    tasks: Sequence[str] = tuple(TASKS),
    repeats: int = 7,
) -> dict[str, Any]:
    """Time the kernels, the peer, and the core.

    Parameters
    ----------
    levels
        Levels of random potentials of H, C and O with a cutoff of 5 Å.
    atoms
        Sizes of the boxes of liquid EC, rounded to whole molecules.
    threads
        Of this package's kernels; 1 and all by default. The peer has one.
    tasks
        Of `cases.TASKS`.
    repeats
        Timed rounds; each code is called once per round, in turn.

    Returns
    -------
    dict
        ``machine``; ``peak``, the measured multiply-adds of one core, and ``memory``; ``rows``: task, level, atoms,
        threads, code, and the ``median``, ``low`` and ``high`` quartile in µs per atom per call, with ``gflops`` and
        ``peak_share`` of the kernel alone, and ``outside``, the share of a step that is not force.

    Raises
    ------
    InputError
        More threads than this process may use, an unknown task, an impossible level, no level, size or repeat.
    """
    check_request(levels, atoms, tasks, repeats)
    counts = sorted({1, available()} if threads is None else set(threads))
    if not counts or not 1 <= counts[0] <= counts[-1] <= available():
        raise InputError(f"{' '.join(map(str, counts))} threads: there are 1 to {available()} here")
    from tqdm import tqdm

    warm_up()
    boxes = [cases.liquid(n) for n in sorted(set(atoms))]
    contests = [contest for group in _groups(levels, boxes, counts, tasks) for contest in group]
    peaks = []
    # The first round warms caches and is thrown away. Progress is shown on a terminal only.
    for round_ in tqdm(range(repeats + 1), desc="rounds", disable=None):
        peaks.append(peak_gflops())
        for contest in contests:
            seconds = cases.seconds_per_call(contest.call, contest.threads)
            if round_:
                contest.seconds.append(seconds)
    peak = float(np.median(peaks))
    return {
        "machine": machine(),
        "unit": "µs/atom",
        "peak_gflops": peak,
        "memory": {
            "pairs in memory": pair_memory(cases.given_pairs(cases.random_potential(2), boxes[0])),
            "most memory of this process": f"{most_memory() / 2**20:.0f} MiB",
        },
        "rows": _rows(contests, peak),
    }


def check_request(levels: Sequence[int], atoms: Sequence[int], tasks: Sequence[str], repeats: int) -> None:
    """Refuse a benchmark that cannot be run.

    Raises
    ------
    InputError
        An unknown task, an impossible level, no level, task, size or repeat.
    """
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        raise InputError(f"unknown task {' '.join(unknown) or '(none)'}: there are {', '.join(TASKS)}")
    if repeats < 1 or not levels or not atoms or min(atoms) < 1:
        raise InputError("a benchmark needs at least one level, one size and one repeat")
    for level in levels:
        cases.random_potential(level)


def _rows(contests: list[Contest], peak: float) -> list[dict[str, Any]]:
    """Medians and quartiles, and what follows from them."""
    rows: list[dict[str, Any]] = []
    for contest in contests:
        low, median, high = np.percentile(contest.seconds, [25, 50, 75]) / contest.atoms / contest.steps * 1e6
        row = {"task": contest.task, "level": contest.level, "atoms": contest.atoms, "threads": contest.threads,
               "code": contest.code, "median": median, "low": low, "high": high}  # fmt: skip
        if contest.flops is not None:
            row["gflops"] = contest.flops / np.median(contest.seconds) * 1e-9
            row["peak_share"] = row["gflops"] / (peak * contest.threads)
        rows.append(row)
    by_place = {(r["task"], r["level"], r["atoms"], r["threads"], r["code"]): r for r in rows}
    for row in rows:
        if row["task"] == MD and row["code"] != KERNEL:
            kernel = by_place[MD, row["level"], row["atoms"], row["threads"], KERNEL]
            row["outside"] = 1.0 - kernel["median"] / row["median"]
    return rows


def _groups(
    levels: Sequence[int], boxes: list[Atoms], threads: list[int], tasks: Sequence[str]
) -> Iterator[Iterator[Contest]]:
    """The contests of each task and level, those that are to be compared next to each other."""
    if "neighbours" in tasks:
        yield (Contest(NEIGHBOURS, None, len(box), 1, OURS, cases.neighbours_call(box)) for box in boxes)
    settled = [cases.settled(box) for box in boxes if len(box) <= MD_ATOMS] if "md" in tasks else []
    for level in levels:
        if "forces" in tasks:
            yield _forces(level, boxes, threads)
        if "gradient" in tasks:
            yield _gradients(level, threads)
        if "rows" in tasks:
            yield _maxvol_rows(level, boxes)
        if "md" in tasks:
            yield _dynamics(level, settled)


def _forces(level: int, boxes: list[Atoms], threads: list[int]) -> Iterator[Contest]:
    potential = cases.random_potential(level)
    for box in boxes:
        n, given = len(box), cases.given_pairs(potential, box)
        flops = energy_forces_flops(potential, given)
        for count in threads:
            yield Contest(FORCES, level, n, count, OURS, cases.forces_call(level, box, count))
            yield Contest(FORCES, level, n, count, KERNEL, partial(potential.evaluate, given, count), flops)
        if n <= PEER_ATOMS and peer.installed():
            yield Contest(FORCES, level, n, 1, peer.name(), peer.forces_call(level, box))


def _gradients(level: int, threads: list[int]) -> Iterator[Contest]:
    """One configuration, for which motep needs a second and more, and a set that threads share."""
    several = [cases.liquid(CONFIGURATION, seed) for seed in range(CONFIGURATIONS)]
    n = len(several[0])
    yield Contest(GRADIENT, level, n, 1, OURS, cases.gradient_call(level, several[:1], 1))
    if peer.installed():
        yield Contest(GRADIENT, level, n, 1, peer.name(), peer.gradient_call(level, several[0]))
    potential, n = cases.random_potential(level), sum(map(len, several))
    for count in threads:
        loss = cases.loss_of(potential, several, count)
        yield Contest(GRADIENT, level, n, count, OURS, partial(loss, potential.parameters))
        yield Contest(GRADIENT, level, n, count, "loss alone", partial(loss.residuals, potential.parameters))


def _maxvol_rows(level: int, boxes: list[Atoms]) -> Iterator[Contest]:
    for box in boxes:
        yield Contest(ROWS, level, len(box), default_threads(len(box)), OURS, cases.row_call(level, box))


def _dynamics(level: int, settled: list[Atoms]) -> Iterator[Contest]:
    """A step of a run, and the kernel alone on as many threads as the run takes."""
    potential = cases.repulsive(cases.random_potential(level))
    for box in settled:
        n, count, given = len(box), default_threads(len(box)), cases.given_pairs(potential, box)
        yield Contest(MD, level, n, count, OURS, cases.steps_call(level, box), steps=MD_STEPS)
        yield Contest(MD, level, n, count, KERNEL, partial(potential.evaluate, given, count))
