"""Times of the kernels on this machine, beside motep's C engine where it is installed, and beside the core's own limit.

Every code is timed in turn, round after round, so that a slow minute of the machine falls on all of them alike, and
what one thread does by its own processor time, so that other programs on the machine disturb it less. Each call gets
atoms that have moved a little, as in dynamics, so that nothing can be remembered from the last call.
How to read the result is told in benchmarks/README.md.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.basis import check_level
from electrolyte_ml.threads import available
from electrolyte_ml.warmup import warm_up

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials.neighbourhoods import Neighbourhoods

SPECIES = ("H", "C", "O")
DENSITY = 1.3  # g/cm³, of liquid EC
MOVE = 0.001  # Å: less than any skin, so that neighbour lists live as they do in dynamics
TURN = 0.05  # s
PACKED = 1000  # atoms; larger boxes repeat one of at most so many
PEER_ATOMS = 1000  # motep is timed on boxes of at most so many: larger ones tell nothing new and take minutes
CONFIGURATION = 160  # atoms of a training configuration; motep's gradient is timed on one: it needs a second and more
CONFIGURATIONS = 16  # in the training set that threads share
MD_STEPS = 60  # of a timed stretch; a neighbour list lives for a dozen
MD_ATOMS = 4000  # dynamics is timed on boxes of at most so many
REPULSION = 0.3  # eV/Å^2, of the atoms of timed dynamics

FORCES = "energy, forces, stress"
GRADIENT = "loss and gradient"
ROWS = "MaxVol row"
MD = "NPT step"
NEIGHBOURS = "neighbour list"
TASKS = {"forces": FORCES, "gradient": GRADIENT, "rows": ROWS, "md": MD, "neighbours": NEIGHBOURS}
KERNEL = "kernel alone"


@dataclass
class _Contest:
    """One number of the table: what is called, once a round."""

    task: str
    level: int | None
    atoms: int
    threads: int
    code: str
    call: Callable[[], Any]  # may return a `_Span` itself; else all of the call counts
    flops: float | None = None
    steps: int = 1  # that one call does
    seconds: list[float] = field(default_factory=list)

    def run(self) -> float:
        """Mean seconds of as many calls as fill the time of a round's turn; short calls are not timed cold."""
        spent, calls = 0.0, 0
        while spent < TURN:
            start = _now()
            said = self.call()
            span = said if isinstance(said, _Span) else _now() - start
            spent += span.processor if self.threads == 1 else span.wall
            calls += 1
        return spent / calls


class _Span(NamedTuple):
    """Seconds, or two points in time to take the difference of."""

    wall: float
    processor: float  # of this thread

    def __sub__(self, start: _Span) -> _Span:
        return _Span(self.wall - start.wall, self.processor - start.processor)


def _now() -> _Span:
    return _Span(time.perf_counter(), time.thread_time())


def benchmark(
    levels: Sequence[int] = (12, 16, 20),
    atoms: Sequence[int] = (160, 1000, 4000, 32000),
    threads: Sequence[int] | None = None,
    tasks: Sequence[str] = tuple(TASKS),
    *,
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
        Numbers of threads of our kernels; 1 and all by default. The peer has one.
    tasks
        Of `TASKS`.
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
    threads = sorted({1, available()} if threads is None else set(threads))
    if not threads or not 1 <= threads[0] <= threads[-1] <= available():
        raise InputError(f"{' '.join(map(str, threads))} threads: there are 1 to {available()} here")
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        raise InputError(f"unknown task {' '.join(unknown) or '(none)'}: there are {', '.join(TASKS)}")
    if repeats < 1 or not levels or not atoms or min(atoms) < 1:
        raise InputError("a benchmark needs at least one level, one size and one repeat")
    for level in levels:
        check_level(level)
    from tqdm import tqdm

    warm_up()
    boxes = [_liquid(n) for n in sorted(set(atoms))]
    contests = [contest for make in _makers(levels, boxes, threads, tasks) for contest in make]
    peaks = []
    # The first round warms caches and is thrown away. Progress is shown on a terminal only.
    for round_ in tqdm(range(repeats + 1), desc="rounds", disable=None):
        peaks.append(_peak())
        for contest in contests:
            seconds = contest.run()
            if round_:
                contest.seconds.append(seconds)
    peak = float(np.median(peaks))
    return {
        "machine": _machine(),
        "unit": "µs/atom",
        "peak_gflops": peak,
        "memory": _memory(boxes),
        "rows": _rows(contests, peak),
    }


def _rows(contests: list[_Contest], peak: float) -> list[dict[str, Any]]:
    rows = []
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


def format_benchmark(result: dict[str, Any]) -> str:
    """Return the table: median and quartiles in µs per atom per call, and how many times faster than motep."""
    rows, machine = result["rows"], result["machine"]
    peers = {(r["task"], r["level"], r["atoms"]): r["median"] for r in rows if r["code"].startswith("motep")}
    lines = [
        f"{machine['processor']}, {machine['cores']} cores; one core multiplies and adds {result['peak_gflops']:.1f} "
        f"GFlop/s; µs per atom and call",
        f"{'task':23}{'level':>6}{'atoms':>7}{'threads':>8}  {'code':22}{'median':>10}{'quartiles':>21}  remarks",
    ]
    for r in rows:
        remarks = []
        peer = peers.get((r["task"], r["level"], r["atoms"]))
        if peer is not None and not r["code"].startswith("motep"):
            remarks.append(f"{peer / r['median']:.1f} x motep")
        if "gflops" in r:
            remarks.append(f"{r['gflops']:.1f} GFlop/s, {100 * r['peak_share']:.0f} % of the peak")
        if "outside" in r:
            remarks.append(f"{100 * r['outside']:.0f} % outside the kernel")
        quartiles = f"{r['low']:.4g}–{r['high']:.4g}"
        level = "" if r["level"] is None else r["level"]
        lines.append(
            f"{r['task']:23}{level:>6}{r['atoms']:7d}{r['threads']:8d}  {r['code']:22}{r['median']:10.4g}"
            f"{quartiles:>21}  {', '.join(remarks)}".rstrip()
        )
    lines += [f"{name}: {value}" for name, value in result["memory"].items()]
    if not peers:
        lines.append("motep is not installed (the extra `crosscheck`) or was not asked for: no ratios")
    return "\n".join(lines)


# -- what is timed ----------------------------------------------------------------------------------------------------


def _makers(
    levels: Sequence[int], boxes: list[Atoms], threads: list[int], tasks: Sequence[str]
) -> Iterator[Iterator[_Contest]]:
    """The contests of each task and level, those that are to be compared next to each other."""
    if "neighbours" in tasks:
        yield _neighbour_contests(boxes)
    started = [_started(box) for box in boxes if len(box) <= MD_ATOMS] if "md" in tasks else []
    for level in levels:
        potential = MomentTensorPotential.random(level=level, species=SPECIES)
        if "forces" in tasks:
            yield _force_contests(level, potential, boxes, threads)
        if "gradient" in tasks:
            yield _gradient_contests(level, potential, threads)
        if "rows" in tasks:
            yield _row_contests(level, potential, boxes)
        if "md" in tasks:
            yield _md_contests(level, potential, started)


def _neighbour_contests(boxes: list[Atoms]) -> Iterator[_Contest]:
    potential = MomentTensorPotential.random(level=2, species=SPECIES)
    for box in boxes:
        yield _Contest(NEIGHBOURS, None, len(box), 1, _ours(), _moving(box, potential.neighbourhoods))


def _force_contests(
    level: int, potential: MomentTensorPotential, boxes: list[Atoms], threads: list[int]
) -> Iterator[_Contest]:
    for box in boxes:
        n = len(box)
        near = potential.neighbourhoods(box)
        flops = energy_forces_flops(potential, near)
        for count in threads:
            calculator = potential.calculator(threads=count)
            yield _Contest(FORCES, level, n, count, _ours(), _moving(box, calculator.calculate))
            yield _Contest(FORCES, level, n, count, KERNEL, partial(potential.evaluate, near, count), flops)
        if n <= PEER_ATOMS and find_spec("motep"):
            engine = _motep_engine(potential, "run")
            yield _Contest(FORCES, level, n, 1, _motep(), _moving(box, engine.calculate))


def _gradient_contests(level: int, potential: MomentTensorPotential, threads: list[int]) -> Iterator[_Contest]:
    parameters = potential.parameters
    several = [_liquid(CONFIGURATION, seed) for seed in range(CONFIGURATIONS)]
    loss = _loss(potential, several[:1], 1)
    n = len(several[0])
    yield _Contest(GRADIENT, level, n, 1, _ours(), partial(loss, parameters))
    if find_spec("motep"):
        yield _Contest(GRADIENT, level, n, 1, _motep(), _motep_gradient(potential, several[0]))
    for count in threads:
        loss = _loss(potential, several, count)
        n = sum(map(len, several))
        yield _Contest(GRADIENT, level, n, count, _ours(), partial(loss, parameters))
        yield _Contest(GRADIENT, level, n, count, "loss alone", partial(loss.residuals, parameters))


def _row_contests(level: int, potential: MomentTensorPotential, boxes: list[Atoms]) -> Iterator[_Contest]:
    for box in boxes:
        near = potential.neighbourhoods(box)
        yield _Contest(ROWS, level, len(box), 1, _ours(), partial(potential.energy_gradient, near))


def _md_contests(level: int, potential: MomentTensorPotential, started: list[Atoms]) -> Iterator[_Contest]:
    """A step of a run, and the kernel alone on as many threads as the run takes."""
    from electrolyte_ml.potentials.mtp import default_threads

    liquid = _repulsive(potential)
    for box in started:
        n = len(box)
        count = default_threads(n)
        yield _Contest(MD, level, n, count, _ours(), partial(_stretch, liquid, box), steps=MD_STEPS)
        yield _Contest(MD, level, n, count, KERNEL, partial(liquid.evaluate, liquid.neighbourhoods(box), count))


def _repulsive(potential: MomentTensorPotential) -> MomentTensorPotential:
    """The same work for a liquid that no dynamics breaks: pairs repel by REPULSION gap^2 ((1 - xi) / 2)^6."""
    from numpy.polynomial import Polynomial, chebyshev

    radial, moments = np.zeros_like(potential.radial), np.zeros_like(potential.moments)
    powers = Polynomial([0.5, -0.5]) ** 6
    radial[:, :, 0, :7] = REPULSION / potential.scaling * chebyshev.poly2cheb(powers.coef)
    moments[potential.basis.scalars == 0] = 1.0  # B = M(0, 0), the sum of f_0 over the neighbours
    return MomentTensorPotential(
        potential.basis, potential.species, radial, potential.shifts, moments, scaling=potential.scaling
    )


class _Clock:
    """A monitor that looks at the clock and stops nothing."""

    reason = "clock"
    every = MD_STEPS

    def __init__(self) -> None:
        self.times: list[_Span] = []

    def check(self, step: int, atoms: Atoms, results: dict[str, Any]) -> None:
        self.times.append(_now())


def _run(potential: MomentTensorPotential, box: Atoms, **options: Any) -> RunResult:
    """NPT in which the barostat works but the box stays as it is."""
    from electrolyte_ml.dynamics import run_md

    result = run_md(
        box, potential, time_ps=2e-3 * MD_STEPS, compressibility_per_bar=1e-15, progress=False, **options
    )  # fmt: skip
    if not result.completed:
        raise ElectrolyteError(f"the timed run ended early, {result.reason}: {result.detail}")
    return result


def _started(box: Atoms) -> Atoms:
    """The liquid of repulsive atoms, when the heat of its start has gone."""
    liquid = _repulsive(MomentTensorPotential.random(level=2, species=SPECIES))
    box = _run(liquid, box, relax=200).atoms
    for _ in range(5):
        box = _run(liquid, box).atoms
    return box


def _stretch(potential: MomentTensorPotential, box: Atoms) -> _Span:
    """Time of the second stretch of a run."""
    clock = _Clock()
    _run(potential, box, monitors=[clock])
    return clock.times[-1] - clock.times[-2]


def _moving(box: Atoms, function: Callable[[Atoms], Any]) -> Callable[[], _Span]:
    """The function's time on a box of its own that has moved a little."""
    own, moves = box.copy(), np.random.default_rng(0)

    def call() -> _Span:
        own.positions += moves.uniform(-MOVE, MOVE, own.positions.shape)
        start = _now()
        function(own)
        return _now() - start

    return call


def _loss(potential: MomentTensorPotential, configurations: list[Atoms], threads: int) -> Any:
    from electrolyte_ml.training.loss import Loss, TrainingSet, Weights

    labelled = [_labelled(atoms) for atoms in configurations]
    return Loss(potential, TrainingSet(labelled, potential), Weights(), threads)


def _labelled(atoms: Atoms) -> Atoms:
    """A copy with labels; which ones does not matter to the clock."""
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=0.0, forces=np.zeros((len(copy), 3)), stress=np.zeros(6))
    return copy


def _liquid(n: int, seed: int = 0) -> Atoms:
    """Liquid EC of about n atoms; a large box repeats a smaller one."""
    from electrolyte_ml.structures import pack

    repeats = [1, 1, 1]
    while n / np.prod(repeats) > PACKED:
        repeats[int(np.argmin(repeats))] *= 2
    return pack({"EC": max(1, round(n / 10 / np.prod(repeats)))}, DENSITY, seed=seed) * repeats


# -- the peer ---------------------------------------------------------------------------------------------------------


def _motep_data(potential: MomentTensorPotential) -> Any:
    """The potential as motep has it, through a file."""
    from ase.data import atomic_numbers
    from motep.io.mlip.mtp import read_mtp

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "potential.mtp"
        potential.save(path)
        data = read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in potential.species]
    return data


def _motep_engine(potential: MomentTensorPotential, mode: str) -> Any:
    from motep.calculator import make_mtp_engine

    return make_mtp_engine("cext")(_motep_data(potential), mode=mode)


def _motep_gradient(potential: MomentTensorPotential, atoms: Atoms) -> Callable[[], None]:
    from motep.loss import LossFunction, LossSetting

    data = _motep_data(potential)
    loss = LossFunction([_labelled(atoms)], data, LossSetting(stress_weight=0.0), engine="cext")
    parameters = data.parameters

    def call() -> None:
        loss(parameters)
        loss.jac(parameters)

    return call


def _motep() -> str:
    return f"motep {version('motep')} (C)"


# -- the limit --------------------------------------------------------------------------------------------------------


def energy_forces_flops(potential: MomentTensorPotential, near: Neighbourhoods) -> float:
    """Additions, multiplications, divisions and roots of one evaluation, as the kernels are written.

    Padding, indices and loads do not count, nor does what another way of computing the same would need.
    """
    graph, (_, _, n_radial, size) = potential.graph, potential.radial.shape
    n_sums, groups, terms = len(graph.sum_node), len(graph.slope_mu), len(graph.slope_monomial)
    geometry = 10
    radial = 5 + 2 * size + n_radial * (4 * size + 6)
    moments = 2 * (graph.n_powers - 1) + int(graph.column_powers.sum()) + len(graph.column_x) + 2 * n_sums
    forces = graph.n_lower - 4 + 6 * terms + 14 * groups + 2 * len(graph.constant_mu) + 15
    sums = 18 + 3  # of force and virial of the central atom, and the reaction
    products = 3 * len(graph.forward_left) + 3 * len(graph.reverse_other) + 2 * len(graph.quad_other)
    nodes = 4 * graph.n_nodes + 5 * len(graph.trace) + 3 * terms
    return float(
        len(near.index) * (geometry + radial + moments + forces + sums) + len(near.species) * (products + nodes)
    )


def _peak() -> float:
    """Multiply-adds of one core, GFlop/s, each counted as two; the best of three short runs."""
    from electrolyte_ml.kernels.peak import FLOPS, multiply_add

    turns, best = 200_000, np.inf
    multiply_add(1, 0.999, 1e-3, np.zeros(1))
    for _ in range(3):
        start = _now()
        multiply_add(turns, 0.999, 1e-3, np.zeros(1))
        best = min(best, (_now() - start).processor)
    return FLOPS * turns / best * 1e-9


def _memory(boxes: list[Atoms]) -> dict[str, str]:
    """What pairs take, and the most that this process has held."""
    potential = MomentTensorPotential.random(level=2, species=SPECIES)
    near = potential.neighbourhoods(boxes[0])
    size = sum(array.nbytes for array in (near.species, near.segment, near.index, near.vector))
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {
        "pairs in memory": f"{size / len(boxes[0]):.0f} bytes/atom ({len(near.index) / len(boxes[0]):.0f} neighbours)",
        "most memory of this process": f"{peak / 2**20:.0f} MiB",
    }


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
