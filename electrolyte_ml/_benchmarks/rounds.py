"""Benchmark of this package's kernels, of motep's C engine and OpenMM if installed, and of the peak rate of a core.

All codes are timed in turn, round after round, so that a slow period of the machine affects them alike. A call on one
thread is timed by its processor time, which other programs on the machine affect less. Each call has atoms that have
moved a little, as in dynamics, so that no result can be reused from the last call. benchmarks/README.md explains how to
read the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml._benchmarks import cases, coulomb, motep_peer
from electrolyte_ml._benchmarks.cases import (
    CONFIGURATION,
    FORCES,
    GRADIENT,
    MD,
    MD_STEPS,
    MULTIPLE,
    NEIGHBOURS,
    OUTER_FS,
    ROWS,
    TASKS,
)
from electrolyte_ml._benchmarks.contest import KERNEL, OURS, Contest
from electrolyte_ml._benchmarks.machine import machine, most_memory, peak_gflops
from electrolyte_ml._benchmarks.pairs import energy_forces_flops, pair_memory
from electrolyte_ml.errors import InputError
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.threads import available, default_threads
from electrolyte_ml.warmup import warm_up

if TYPE_CHECKING:
    from ase import Atoms

ATOMS = (160, 1000, 4000, 32000)
PEER_ATOMS = 1000  # largest box for motep: larger ones take minutes and have the same time per atom
CONFIGURATIONS = 16  # in the training set that is divided among threads
MD_ATOMS = 4000  # largest box for dynamics
INNER_STEPS = 3  # of multiple time steps


def benchmark(
    levels: Sequence[int] = (12, 16, 20),
    atoms: Sequence[int] | None = None,
    *,
    threads: Sequence[int] | None = None,
    tasks: Sequence[str] = tuple(TASKS),
    charges: str | None = None,
    repeats: int = 7,
) -> dict[str, Any]:
    """Time the kernels, the other codes, and the multiply-adds of a core.

    Parameters
    ----------
    levels
        Levels of random potentials of H, C and O with a cutoff of 5 Å.
    atoms
        Sizes of the boxes, rounded to whole molecules: liquid EC, by default `ATOMS`, and for Coulomb sums a solution
        of LiPF6, by default `coulomb.ATOMS`.
    threads
        Numbers of threads of this package's kernels; 1 and all by default. Other codes and Coulomb sums run on one.
    tasks
        Keys of `cases.TASKS`.
    charges
        Kind of charge model, such as "qrd", with which forces, gradients and steps are timed, too.
    repeats
        Number of timed rounds; each code is called once per round, in turn.

    Returns
    -------
    dict
        ``machine``; ``peak_gflops``, the measured multiply-adds of one core; ``memory``; and ``rows``: task, level,
        atoms, threads, code, and the ``median``, ``low`` and ``high`` quartile in µs per atom per call, with ``gflops``
        and ``peak_share`` of the kernel alone, ``outside``, the share of a step outside the forces, ``error``, the root
        mean square error of the forces of a Coulomb sum in eV/Å, ``ratio`` to the time of the code ``baseline``, that
        without charges or with single time steps, and ``note``, the reason why another code is missing.

    Raises
    ------
    InputError
        There are more threads than this process may use, the task, level or kind of charges is unknown, or there is
        no level, size or repeat.
    """
    check_request(levels, ATOMS if atoms is None else atoms, tasks, repeats, charges)
    counts = sorted({1, available()} if threads is None else set(threads))
    if not counts or not 1 <= counts[0] <= counts[-1] <= available():
        raise InputError(f"{' '.join(map(str, counts))} threads: there are 1 to {available()} here")
    warm_up()
    boxes = [cases.liquid(n) for n in sorted(set(atoms or ATOMS))] if set(tasks) != {"coulomb"} else []
    contests = [contest for group in _groups(levels, boxes, counts, tasks, charges) for contest in group]
    if "coulomb" in tasks:
        for n in sorted(set(atoms or coulomb.ATOMS)):
            contests += coulomb.contests(cases.solution(n))
    peaks = []
    # The first round warms caches and is discarded.
    for round_ in progress_bar(range(repeats + 1), desc="rounds", unit=""):
        peaks.append(peak_gflops())
        for contest in contests:
            seconds = cases.seconds_per_call(contest.call, contest.threads)
            if round_:
                contest.seconds.append(seconds)
    peak = float(np.median(peaks))
    memory = {"most memory of this process": f"{most_memory() / 2**20:.0f} MiB"}
    if boxes:
        memory["pairs in memory"] = pair_memory(cases.given_pairs(cases.random_potential(2), boxes[0]))
    return {
        "machine": machine(),
        "unit": "µs/atom",
        "peak_gflops": peak,
        "memory": memory,
        "rows": _rows(contests, peak),
    }


def check_request(
    levels: Sequence[int], atoms: Sequence[int], tasks: Sequence[str], repeats: int, charges: str | None = None
) -> None:
    """Refuse a benchmark that cannot be run.

    Raises
    ------
    InputError
        A task, level or kind of charges is unknown, or there is no level, task, size or repeat.
    """
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        raise InputError(f"unknown task {' '.join(unknown) or '(none)'}: there are {', '.join(TASKS)}")
    if repeats < 1 or not levels or not atoms or min(atoms) < 1:
        raise InputError("a benchmark needs at least one level, one size and one repeat")
    for level in levels:
        cases.with_charges(cases.random_potential(level), charges)


def _rows(contests: list[Contest], peak: float) -> list[dict[str, Any]]:
    """Return the rows of the table: medians, quartiles and quantities derived from them."""
    rows: list[dict[str, Any]] = []
    for contest in contests:
        low, median, high = np.percentile(contest.seconds, [25, 50, 75]) / contest.atoms / contest.steps * 1e6
        row = {"task": contest.task, "level": contest.level, "atoms": contest.atoms, "threads": contest.threads,
               "code": contest.code, "median": median, "low": low, "high": high}  # fmt: skip
        if contest.flops is not None:
            row["gflops"] = contest.flops / np.median(contest.seconds) * 1e-9
            row["peak_share"] = row["gflops"] / (peak * contest.threads)
        if contest.error is not None:
            row["error"] = contest.error
        if contest.note is not None:
            row["note"] = contest.note
        rows.append(row)
    by_place = {(r["task"], r["level"], r["atoms"], r["threads"], r["code"]): r for r in rows}
    for row, contest in zip(rows, contests, strict=True):
        place = row["task"], row["level"], row["atoms"], row["threads"]
        if row["task"] == MD and row["code"] == OURS:
            row["outside"] = 1.0 - by_place[*place, KERNEL]["median"] / row["median"]
        if contest.baseline is not None:
            row["baseline"] = contest.baseline
            row["ratio"] = row["median"] / by_place[*place, contest.baseline]["median"]
    return rows


def _groups(
    levels: Sequence[int], boxes: list[Atoms], threads: list[int], tasks: Sequence[str], charges: str | None
) -> Iterator[Iterator[Contest]]:
    """Yield the rows of each task and level, with rows to be compared next to each other."""
    if "neighbours" in tasks:
        yield (Contest(NEIGHBOURS, None, len(box), 1, OURS, cases.neighbours_call(box)) for box in boxes)
    moving = [box for box in boxes if len(box) <= MD_ATOMS] if "md" in tasks else []
    at_rest = {kind: [cases.settled(box, kind) for box in moving] for kind in dict.fromkeys([None, charges])}
    for level in levels:
        if "forces" in tasks:
            yield _forces(level, boxes, threads, charges)
        if "gradient" in tasks:
            yield _gradients(level, threads, charges)
        if "rows" in tasks:
            yield _maxvol_rows(level, boxes)
        if "md" in tasks:
            yield _dynamics(level, at_rest)
            yield _multiple_steps(level, at_rest)


def _forces(level: int, boxes: list[Atoms], threads: list[int], charges: str | None) -> Iterator[Contest]:
    potential = cases.random_potential(level)
    for box in boxes:
        n, given = len(box), cases.given_pairs(potential, box)
        flops = energy_forces_flops(potential, given)
        for count in threads:
            yield Contest(FORCES, level, n, count, OURS, cases.forces_call(level, box, count))
            yield Contest(FORCES, level, n, count, KERNEL, partial(potential.evaluate, given, count), flops)
            if charges is not None:
                call = cases.forces_call(level, box, count, charges)
                yield Contest(FORCES, level, n, count, _with(charges), call, baseline=OURS)
        if n <= PEER_ATOMS and motep_peer.installed():
            yield Contest(FORCES, level, n, 1, motep_peer.name(), motep_peer.forces_call(level, box))


def _with(charges: str) -> str:
    """Return the name of a potential with charges in the table."""
    return f"with {charges}"


def _gradients(level: int, threads: list[int], charges: str | None) -> Iterator[Contest]:
    """Yield the rows of one configuration, which takes motep a second and more, and of a set divided among threads."""
    several = [cases.liquid(CONFIGURATION, seed) for seed in range(CONFIGURATIONS)]
    n = len(several[0])
    yield Contest(GRADIENT, level, n, 1, OURS, cases.gradient_call(level, several[:1], 1))
    if motep_peer.installed():
        yield Contest(GRADIENT, level, n, 1, motep_peer.name(), motep_peer.gradient_call(level, several[0]))
    if charges is not None:
        call = cases.gradient_call(level, several[:1], 1, charges)
        yield Contest(GRADIENT, level, n, 1, _with(charges), call, baseline=OURS)
    potential, n = cases.random_potential(level), sum(map(len, several))
    for count in threads:
        loss = cases.loss_of(potential, several, count)
        yield Contest(GRADIENT, level, n, count, OURS, cases.varying(loss, potential.parameters))
        yield Contest(GRADIENT, level, n, count, "loss alone", cases.varying(loss.residuals, potential.parameters))
        if charges is not None:
            call = cases.gradient_call(level, several, count, charges)
            yield Contest(GRADIENT, level, n, count, _with(charges), call, baseline=OURS)


def _maxvol_rows(level: int, boxes: list[Atoms]) -> Iterator[Contest]:
    for box in boxes:
        yield Contest(ROWS, level, len(box), default_threads(len(box)), OURS, cases.row_call(level, box))


def _dynamics(level: int, at_rest: dict[str | None, list[Atoms]]) -> Iterator[Contest]:
    """Yield the rows of a step of a run, and of the kernel alone on as many threads, for boxes by kind of charges."""
    potential = cases.repulsive(cases.random_potential(level))
    for charges, boxes in at_rest.items():
        for box in boxes:
            n, count, call = len(box), default_threads(len(box)), cases.steps_call(level, box, charges)
            if charges is not None:
                yield Contest(MD, level, n, count, _with(charges), call, steps=MD_STEPS, baseline=OURS)
                continue
            yield Contest(MD, level, n, count, OURS, call, steps=MD_STEPS)
            given = cases.given_pairs(potential, box)
            yield Contest(MD, level, n, count, KERNEL, partial(potential.evaluate, given, count))


def _multiple_steps(level: int, at_rest: dict[str | None, list[Atoms]]) -> Iterator[Contest]:
    """Yield the rows of a femtosecond of a run with single time steps and with multiple ones."""
    for charges, boxes in at_rest.items():
        model = "" if charges is None else f", {_with(charges)}"
        single = f"1 fs{model}"
        codes = {None: single, INNER_STEPS: f"{OUTER_FS:g} fs/{INNER_STEPS}{model}"}
        for box in boxes:
            for steps, code in codes.items():
                call, baseline = cases.multiple_steps_call(level, box, steps, charges), single if steps else None
                count = default_threads(len(box))
                yield Contest(MULTIPLE, level, len(box), count, code, call, steps=MD_STEPS, baseline=baseline)
