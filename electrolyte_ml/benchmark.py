"""Times of the kernels on this machine, beside motep's C engine where it is installed.

Every code is timed in turn, round after round, so that a slow minute of the machine falls on all of them alike. Each
call gets atoms that have moved a little, as in dynamics, so that nothing can be remembered from the last call.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.warmup import warm_up

if TYPE_CHECKING:
    from ase import Atoms

SPECIES = ("H", "C", "O")
DENSITY = 1.3  # g/cm³, of liquid EC
MOVE = 0.001  # Å: less than any skin, so that neighbour lists live as they do in dynamics
TRAINING_MOLECULES = 4  # motep's training engine needs seconds per hundred atoms

DYNAMICS = "energy, forces, stress"
ROWS = "MaxVol row"
GRADIENT = "loss and gradient"

Timed = Callable[["Atoms"], Any]


def benchmark(
    levels: Sequence[int] = (8, 12, 16, 20), *, molecules: int = 100, repeats: int = 7, threads: int = 1
) -> dict[str, Any]:
    """Time energy + forces + stress, MaxVol rows, and loss + gradient at several levels.

    Parameters
    ----------
    levels
        Levels of random potentials of H, C and O with a cutoff of 5 Å.
    molecules
        EC molecules in the packed box for energies and forces; training tasks use a box of 4.
    repeats
        Timed rounds; each code is called once per round, in turn.
    threads
        Threads of our kernels for energies, forces and loss; all else, and the peer, has one.

    Returns
    -------
    dict
        ``machine``, ``atoms``, ``threads``, and ``rows``: level, task, code, and the ``median``, ``low`` and ``high``
        quartile in µs per atom per call.

    Raises
    ------
    InputError
        More threads than this process may use, no level, or no repeat.
    """
    import numba

    from electrolyte_ml.structures import pack

    if not 1 <= threads <= numba.config.NUMBA_NUM_THREADS:
        raise InputError(f"{threads} threads: there are 1 to {numba.config.NUMBA_NUM_THREADS} here")
    if repeats < 1 or not levels:
        raise InputError("a benchmark needs at least one level and one repeat")
    boxes = {
        DYNAMICS: pack({"EC": molecules}, DENSITY),
        ROWS: pack({"EC": TRAINING_MOLECULES}, DENSITY),
        GRADIENT: pack({"EC": TRAINING_MOLECULES}, DENSITY),
    }
    warm_up()
    contests = []  # (level, task, code, function, box)
    for level in levels:
        potential = MomentTensorPotential.random(level=level, species=SPECIES)
        for task, entrants in _entrants(potential, boxes[GRADIENT], threads).items():
            contests += [(level, task, code, function, boxes[task].copy()) for code, function in entrants.items()]
    moves = np.random.default_rng(0)
    times: list[list[float]] = [[] for _ in contests]
    usual = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        for round_ in range(repeats + 1):  # the first one warms caches and is thrown away
            for record, (_, _, _, function, box) in zip(times, contests):
                box.positions += moves.uniform(-MOVE, MOVE, box.positions.shape)
                seconds = _seconds(function, box)
                if round_:
                    record.append(seconds / len(box) * 1e6)
    finally:
        numba.set_num_threads(usual)
    rows = []
    for record, (level, task, code, _, _) in zip(times, contests):
        low, median, high = np.percentile(record, [25, 50, 75])
        rows.append({"level": level, "task": task, "code": code, "median": median, "low": low, "high": high})
    atoms = {task: len(box) for task, box in boxes.items()}
    return {"machine": _machine(), "unit": "µs/atom", "atoms": atoms, "threads": threads, "rows": rows}


def format_benchmark(result: dict[str, Any]) -> str:
    """Return the table of a benchmark: median and quartiles, µs per atom per call, and the ratio to ours."""
    ours = {(row["level"], row["task"]): row["median"] for row in result["rows"] if row["code"] == _ours()}
    sizes = ", ".join(f"{task}: {count} atoms" for task, count in result["atoms"].items())
    lines = [
        f"{result['machine']['processor']}, {result['threads']} thread(s); {sizes}",
        f"{'task':24}{'level':>6}  {'code':24}{'µs/atom':>10}{'quartiles':>20}{'ratio':>8}",
    ]
    for row in sorted(result["rows"], key=lambda row: (row["task"], row["level"])):
        quartiles = f"{row['low']:.4g}–{row['high']:.4g}"
        ratio = row["median"] / ours[row["level"], row["task"]]
        lines.append(
            f"{row['task']:24}{row['level']:6d}  {row['code']:24}{row['median']:10.4g}{quartiles:>20}{ratio:8.2f}"
        )
    return "\n".join(lines)


def _entrants(
    potential: MomentTensorPotential, training_box: Atoms, threads: int, peers: bool = True
) -> dict[str, dict[str, Timed]]:
    """What is timed: by task, then by code."""
    from electrolyte_ml.training.loss import Loss, TrainingSet, Weights

    calculator = potential.calculator(threads=threads)
    labelled = _labelled(training_box)
    loss = Loss(potential, TrainingSet([labelled], potential), Weights(), threads)
    parameters = potential.parameters

    def dynamics(atoms: Atoms) -> None:
        calculator.calculate(atoms, ["energy", "forces", "stress"])

    tasks: dict[str, dict[str, Timed]] = {
        DYNAMICS: {_ours(): dynamics},
        ROWS: {_ours(): potential.energy_gradient},
        GRADIENT: {_ours(): lambda atoms: loss(parameters)},
    }
    if peers and find_spec("motep"):
        for task, function in _motep(potential, labelled).items():
            tasks[task][f"motep {version('motep')} (C)"] = function
    return tasks


def _labelled(atoms: Atoms) -> Atoms:
    """A copy with labels; which ones does not matter to the clock."""
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=0.0, forces=np.zeros((len(copy), 3)), stress=np.zeros(6))
    return copy


def _motep(potential: MomentTensorPotential, labelled: Atoms) -> dict[str, Timed]:
    """The same three tasks; its MaxVol rows come with the derivatives of the forces, for want of a cheaper call."""
    from ase.data import atomic_numbers
    from motep.calculator import make_mtp_engine
    from motep.io.mlip.mtp import read_mtp
    from motep.loss import LossFunction, LossSetting

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "potential.mtp"
        potential.save(path)
        data = read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in potential.species]
    run = make_mtp_engine("cext")(data, mode="run")
    train = make_mtp_engine("cext")(data, mode="train")
    loss = LossFunction([labelled], data, LossSetting(stress_weight=0.0), engine="cext")
    parameters = data.parameters

    def rows(atoms: Atoms) -> None:
        train.calculate(atoms)
        train.jac_energy(atoms)

    def gradient(atoms: Atoms) -> None:
        loss(parameters)
        loss.jac(parameters)

    return {DYNAMICS: run.calculate, ROWS: rows, GRADIENT: gradient}


def _seconds(function: Timed, atoms: Atoms) -> float:
    start = time.perf_counter()
    function(atoms)
    return time.perf_counter() - start


def _ours() -> str:
    from electrolyte_ml import __version__

    return f"electrolyte_ml {__version__}"


def _machine() -> dict[str, str]:
    import numba

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = models[0] if models else processor
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
    }
