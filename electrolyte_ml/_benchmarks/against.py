"""Comparison with another checkout of the package: the same calls in alternation, each checkout in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import electrolyte_ml
from electrolyte_ml._benchmarks import cases, coulomb
from electrolyte_ml._benchmarks.cases import CONFIGURATION, TASKS, Case
from electrolyte_ml._benchmarks.machine import machine
from electrolyte_ml._benchmarks.rounds import check_request
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.threads import available

ATOMS = (160, 1000)


def compare(
    other: str | os.PathLike,
    levels: Sequence[int] = (12, 16, 20),
    atoms: Sequence[int] | None = None,
    *,
    threads: int = 1,
    tasks: Sequence[str] = tuple(TASKS),
    charges: str | None = None,
    repeats: int = 7,
) -> dict[str, Any]:
    """Time this code and another checkout in alternation.

    Parameters
    ----------
    other
        Folder that holds the other `electrolyte_ml`, as in PYTHONPATH.
    levels, tasks
        As for `rounds.benchmark`.
    atoms
        Sizes of the boxes, by default 160 and 1000, and 1144 and 4576 for Coulomb sums; the gradient of the loss is
        timed for one configuration of 160 atoms.
    threads
        Number of threads of each process. One thread is timed by its processor time, several by the wall clock.
    charges
        Kind of charge model that is added to the potentials of forces, gradients and steps.
    repeats
        Number of timed rounds; both checkouts run each case once per round, and take turns in running first.

    Returns
    -------
    dict
        ``machine``, ``threads``, the folders ``this`` and ``other``, and ``rows``: task, level, requested atoms, the
        medians ``this`` and ``other`` in µs per atom per call, and ``ratio``, ``low`` and ``high``: median and
        quartiles over the rounds of this code's time divided by the other's.

    Raises
    ------
    InputError
        The folder holds no package, or `rounds.benchmark` would refuse the request.
    ElectrolyteError
        One of the checkouts cannot run a case.
    """
    check_request(levels, ATOMS if atoms is None else atoms, tasks, repeats, charges)
    if not 1 <= threads <= available():
        raise InputError(f"{threads} threads: there are 1 to {available()} here")
    ours, theirs = Path(electrolyte_ml.__file__).resolve().parents[1], Path(other).resolve()
    if not (theirs / "electrolyte_ml" / "__init__.py").is_file():
        raise InputError(f"{other}: no package electrolyte_ml in this folder")
    requests = _cases(levels, atoms, tasks, charges)
    times = np.empty((repeats + 1, len(requests), 2))  # µs per atom, this code and the other
    with _worker(ours, threads) as this, _worker(theirs, threads) as that:
        sides = [(0, this), (1, that)]
        for round_ in progress_bar(range(repeats + 1), desc="rounds", unit=""):
            for number, case in enumerate(requests):
                for side, measure in sides if round_ % 2 else sides[::-1]:
                    times[round_, number, side] = measure(case)
    rows = [_row(case, times[1:, number]) for number, case in enumerate(requests)]  # the first round warms caches
    return {"machine": machine(), "threads": threads, "this": str(ours), "other": str(theirs), "rows": rows}


def format_comparison(result: dict[str, Any]) -> str:
    """Return the table: medians in µs per atom per call, and the ratios with their quartiles."""
    lines = [
        f"{result['machine']['processor']}, threads: {result['threads']}; µs per atom and call",
        f"this:  {result['this']}",
        f"other: {result['other']}",
        f"{'task':28}{'level':>6}{'atoms':>7}{'this':>10}{'other':>10}{'this/other':>12}{'quartiles':>15}",
    ]
    for row in result["rows"]:
        level = "" if row["level"] is None else row["level"]
        quartiles = f"{row['low']:.3f}–{row['high']:.3f}"
        lines.append(
            f"{row['task']:28}{level:>6}{row['atoms']:7d}{row['this']:10.4g}{row['other']:10.4g}{row['ratio']:12.3f}"
            f"{quartiles:>15}"
        )
    return "\n".join(lines)


def _cases(levels: Sequence[int], atoms: Sequence[int] | None, tasks: Sequence[str], charges: str | None) -> list[Case]:
    sizes = sorted(set(atoms or ATOMS))
    requests = [Case("neighbours", None, n) for n in sizes if "neighbours" in tasks]
    for level in levels:
        requests += [Case(task, level, n, charges) for task in ("forces", "md") if task in tasks for n in sizes]
        requests += [Case("rows", level, n) for n in sizes if "rows" in tasks]
        requests += [Case("gradient", level, CONFIGURATION, charges)] if "gradient" in tasks else []
    return requests + [Case("coulomb", None, n) for n in sorted(set(atoms or coulomb.ATOMS)) if "coulomb" in tasks]


def _row(case: Case, times: np.ndarray) -> dict[str, Any]:
    """Return the comparison of one case from its times (rounds, 2), µs per atom."""
    low, ratio, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
    this, other = np.median(times, axis=0)
    name = TASKS[case.task] if case.charges is None else f"{TASKS[case.task]}, {case.charges}"
    return {"task": name, "level": case.level, "atoms": case.atoms, "this": float(this),
            "other": float(other), "ratio": float(ratio), "low": float(low), "high": float(high)}  # fmt: skip


@contextmanager
def _worker(folder: Path, threads: int) -> Iterator[Callable[[Case], float]]:
    """Start a process with the package of a folder, and yield the function that times a case in it, µs per atom."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-P", cases.__file__, str(threads)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path, "NUMBA_NUM_THREADS": str(threads)},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def answer() -> dict[str, Any]:
            line = answers.readline()
            if not line:
                raise ElectrolyteError(f"{folder}: the process that runs its code ended with code {process.wait()}")
            return dict(json.loads(line))

        def measure(case: Case) -> float:
            try:
                requests.write(json.dumps(case).encode() + b"\n")
            except BrokenPipeError:
                pass  # the process has ended; `answer` reports it
            result = answer()
            if "error" in result:
                raise ElectrolyteError(f"{folder}: {' '.join(map(str, case))}: {result['error']}")
            return float(result["time"])

        try:
            package = answer()["package"]
            if Path(package).resolve().parents[1] != folder:
                raise ElectrolyteError(f"{folder}: its process has imported {package} instead")
            yield measure
        finally:
            process.kill()
