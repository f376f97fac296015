"""Timed cases: boxes, potentials and calls, and the clock.

`against` runs this file as a script with another checkout of the package, which may be older. It therefore imports
nothing of this folder and uses only names that the other checkout has; only here are old names tried after new ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from electrolyte_ml.errors import ElectrolyteError
from electrolyte_ml.potentials import MomentTensorPotential

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.dynamics import MolecularForceField, RunResult
    from electrolyte_ml.kernels.force_field import Terms
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.potentials.charges import QRd
    from electrolyte_ml.training.loss import Loss

SPECIES = ("H", "C", "O")
DENSITY = 1.3  # g/cm³, of liquid EC
MOVE = 0.001  # Å: less than any skin, so that neighbour lists stay valid as in dynamics
CHANGE = 1e-9  # largest change of a parameter: a sum of terms would reuse predictions of unchanged terms
TURN = 0.05  # s, shortest time of a measurement
PACKED = 1000  # largest packed box, atoms; larger boxes repeat a smaller one
CONFIGURATION = 160  # atoms of a training configuration
MD_STEPS = 60  # steps of 1 fs of a timed stretch; a neighbour list is valid for about twelve
OUTER_FS = 3.0  # multiple time steps
REPULSION = 0.3  # eV/Å^2, of the atoms of timed dynamics

SOLUTION = {"LiPF6": 1, "EC": 3, "EMC": 7}
SOLUTION_ATOMS = 143  # of these molecules
SOLUTION_DENSITY = 1.2  # g/cm³
SOLUTION_PACKED = 8 * SOLUTION_ATOMS  # largest packed box, atoms; larger boxes repeat a smaller one
CHARGES = {"H": 0.08, "C": 0.25, "O": -0.4, "Li": 0.9, "P": 1.2, "F": -0.35}  # e, similar to those of force fields

FORCES = "energy, forces, stress"
GRADIENT = "loss and gradient"
ROWS = "MaxVol row"
MD = "NPT step"
MULTIPLE = "1 fs of NVT"
NEIGHBOURS = "neighbour list"
COULOMB = "Coulomb sum"
TASKS = {
    "forces": FORCES,
    "gradient": GRADIENT,
    "rows": ROWS,
    "md": MD,
    "neighbours": NEIGHBOURS,
    "coulomb": COULOMB,
}

# -- the clock --------------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """A point in time or a time span on two clocks, s."""

    wall: float
    processor: float  # of this thread

    def __sub__(self, start: Span) -> Span:
        return Span(self.wall - start.wall, self.processor - start.processor)


Call = Callable[[], Any]  # returns the `Span` to count; if it returns anything else, the whole call counts


def now() -> Span:
    """Return the present time."""
    return Span(time.perf_counter(), time.thread_time())


def seconds_per_call(call: Call, threads: int) -> float:
    """Return the mean time of a call, repeated for at least 0.05 s, so that short calls have warm caches.

    Parameters
    ----------
    call
        The call to time.
    threads
        Number of threads of the call: one thread is timed by its processor time, several by the wall clock.
    """
    spent, calls = 0.0, 0
    while spent < TURN:
        start = now()
        result = call()
        span = result if isinstance(result, Span) else now() - start
        spent += span.processor if threads == 1 else span.wall
        calls += 1
    return spent / calls


# -- boxes and potentials ---------------------------------------------------------------------------------------------


def liquid(n: int, seed: int = 0) -> Atoms:
    """Return liquid EC of about `n` atoms; a large box repeats a smaller one."""
    from electrolyte_ml.structures import pack

    repeats = _repeats(n, PACKED)
    return pack({"EC": max(1, round(n / 10 / np.prod(repeats)))}, DENSITY, seed=seed) * repeats


def solution(n: int, seed: int = 0) -> Atoms:
    """Return a solution of LiPF6 in EC and EMC of about `n` atoms; a large box repeats a smaller one."""
    from electrolyte_ml.structures import pack

    repeats = _repeats(n, SOLUTION_PACKED)
    units = max(1, round(n / SOLUTION_ATOMS / np.prod(repeats)))
    return pack({name: units * count for name, count in SOLUTION.items()}, SOLUTION_DENSITY, seed=seed) * repeats


def _repeats(n: int, largest: int) -> list[int]:
    """Return the repetitions along each axis of a box of at most `largest` atoms, for a box of `n` atoms."""
    repeats = [1, 1, 1]
    while n / np.prod(repeats) > largest:
        repeats[int(np.argmin(repeats))] *= 2
    return repeats


def charge_model() -> QRd:
    """Return a model whose charges in a `solution` are similar to those of force fields."""
    from electrolyte_ml.potentials.charges import QRd

    return QRd.from_values(tuple(CHARGES), CHARGES, dict.fromkeys(CHARGES, 1.0))


@cache
def random_potential(level: int) -> MomentTensorPotential:
    """Return a random potential of H, C and O with a cutoff of 5 Å."""
    return MomentTensorPotential.random(level=level, species=SPECIES)


def repulsive(potential: MomentTensorPotential) -> MomentTensorPotential:
    """Return the same model with repulsive parameters: dynamics cost the same, and the liquid is stable.

    Pairs repel by REPULSION gap^2 ((1 - xi) / 2)^6, the basis function M(0, 0) of one radial function.
    """
    from numpy.polynomial import Polynomial, chebyshev

    radial = np.zeros_like(potential.radial)
    radial[:, :, 0, :7] = REPULSION / potential.scaling * chebyshev.poly2cheb((Polynomial([0.5, -0.5]) ** 6).coef)
    moments = np.where(potential.basis.scalars == 0, 1.0, 0.0)
    return potential.with_parameters(np.concatenate([radial.ravel(), potential.shifts, moments]))


def with_charges(potential: MomentTensorPotential, charges: str | None) -> Potential:
    """Return the sum of a potential and random charges of a registered kind; without a kind, the potential itself."""
    if charges is None:
        return potential
    from electrolyte_ml.potentials import ModelSpec, Sum

    random_sum = ModelSpec(level=2, charges=charges).random(potential.species)
    assert isinstance(random_sum, Sum)
    return Sum((potential, random_sum.terms[1]))


def given_pairs(potential: Potential, atoms: Atoms) -> Any:
    """Return the checked configuration with its pairs within the cutoff, an argument of `evaluate` and of gradients."""
    try:
        return potential.geometry(atoms)  # type: ignore[attr-defined, unused-ignore]
    except AttributeError:
        return potential.neighbourhoods(atoms)  # type: ignore[attr-defined, unused-ignore]


def labelled(atoms: Atoms) -> Atoms:
    """Return a copy with arbitrary labels, which do not affect the time."""
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, energy=0.0, forces=np.zeros((len(copy), 3)), stress=np.zeros(6))
    return copy


def loss_of(potential: Potential, configurations: list[Atoms], threads: int) -> Loss:
    """Return the loss of configurations, computed on `threads` threads."""
    from electrolyte_ml.training import Loss, TrainingSet, Weights

    return Loss(potential, TrainingSet([labelled(atoms) for atoms in configurations], potential), Weights(), threads)


# -- calls ------------------------------------------------------------------------------------------------------------


def moving(box: Atoms, function: Callable[[Atoms], Any]) -> Call:
    """Return a call of the function on a copy of the box that has moved a little, as in dynamics."""
    own, moves = box.copy(), np.random.default_rng(0)

    def call() -> Span:
        own.positions += moves.uniform(-MOVE, MOVE, own.positions.shape)
        start = now()
        function(own)
        return now() - start

    return call


def varying(function: Callable[[np.ndarray], Any], parameters: np.ndarray) -> Call:
    """Return a call of the function with slightly different parameters each time, as in a fit."""
    changes = np.random.default_rng(0)

    def call() -> Span:
        changed = parameters + CHANGE * changes.uniform(-1.0, 1.0, parameters.shape)
        start = now()
        function(changed)
        return now() - start

    return call


def forces_call(level: int, box: Atoms, threads: int, charges: str | None = None) -> Call:
    """Return the call of one `calculate` of the calculator."""
    return moving(box, with_charges(random_potential(level), charges).calculator(threads=threads).calculate)


def coulomb_call(box: Atoms) -> Call:
    """Return the call of one `calculate` of charges alone, on one thread."""
    return moving(box, charge_model().calculator(threads=1).calculate)


def gradient_call(level: int, configurations: list[Atoms], threads: int, charges: str | None = None) -> Call:
    """Return the call for the loss with its derivative by all parameters."""
    potential = with_charges(random_potential(level), charges)
    return varying(loss_of(potential, configurations, threads), potential.parameters)


def row_call(level: int, box: Atoms) -> Call:
    """Return the call for the derivative of the energy by all parameters, from given pairs."""
    potential = random_potential(level)
    return partial(potential.energy_gradient, given_pairs(potential, box))


def neighbours_call(box: Atoms) -> Call:
    """Return the call of a search for all pairs within the cutoff."""
    return moving(box, partial(given_pairs, random_potential(2)))


def steps_call(level: int, box: Atoms, charges: str | None = None) -> Call:
    """Return the call of MD_STEPS steps of NPT dynamics from a box that is `settled` with the same charges."""
    return partial(_stretch, with_charges(repulsive(random_potential(level)), charges), box)


def multiple_steps_call(level: int, box: Atoms, inner_steps: int | None, charges: str | None = None) -> Call:
    """Return the call of MD_STEPS fs of NVT dynamics as in `steps_call`, with multiple or, for None, single steps.

    The inner potential has the terms of the molecules of liquid EC, with parameters of zero: the atoms of the box
    repel, and are no longer in molecules.
    """
    options: dict[str, Any] = {"ensemble": "nvt"}
    if inner_steps is not None:
        options |= {"timestep_fs": OUTER_FS, "inner": _inner(len(box)), "inner_steps": inner_steps}
    return partial(_stretch, with_charges(repulsive(random_potential(level)), charges), box, **options)


@cache
def _inner(n: int) -> MolecularForceField:
    """Return the force field of `multiple_steps_call` for `n` atoms."""
    from electrolyte_ml.dynamics import MolecularForceField, fit_force_field

    intact = liquid(n)
    terms = fit_force_field([intact], [np.zeros((n, 3))]).terms(intact)

    class Bound(MolecularForceField):
        """The terms of the intact liquid for any positions of its atoms."""

        def terms(self, atoms: Atoms) -> Terms:
            return terms

    none = np.zeros(0)
    return Bound((), none, none, none, none, none)


def settled(box: Atoms, charges: str | None = None) -> Atoms:
    """Return an equilibrated liquid of repulsive atoms, with charges or without."""
    potential = with_charges(repulsive(random_potential(2)), charges)
    box = _run(potential, box, relax=200).atoms
    for _ in range(5):
        box = _run(potential, box).atoms
    return box


class _Clock:
    """Monitor that records the time and never stops the run."""

    reason = "clock"

    def __init__(self, every: int) -> None:
        self.every = every
        self.times: list[Span] = []

    def check(self, *_: Any) -> None:
        self.times.append(now())


def _run(potential: Potential, box: Atoms, **options: Any) -> RunResult:
    """Run two stretches of dynamics, by default NPT with a barostat that does not change the box."""
    from electrolyte_ml.dynamics import run_md

    result = run_md(box, potential, time_ps=2e-3 * MD_STEPS, compressibility_per_bar=1e-15, progress=False, **options)
    if not result.completed:
        raise ElectrolyteError(f"the timed run ended early, {result.reason}: {result.detail}")
    return result


def _stretch(potential: Potential, box: Atoms, timestep_fs: float = 1.0, **options: Any) -> Span:
    """Return the time of the second stretch of a run."""
    clock = _Clock(round(MD_STEPS / timestep_fs))
    _run(potential, box, monitors=[clock], timestep_fs=timestep_fs, **options)
    return clock.times[-1] - clock.times[-2]


# -- the worker of `against` ------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A call that both checkouts time; `level` is None for a task without a potential."""

    task: str  # a key of `TASKS`
    level: int | None
    atoms: int
    charges: str | None = None


@cache
def _box(n: int, at_rest: bool = False, charges: str | None = None) -> Atoms:
    return settled(liquid(n), charges) if at_rest else liquid(n)


@cache
def _make(case: Case, threads: int) -> tuple[Call, int]:
    """Return a call, and the number of atoms times steps that its time is divided by."""
    task, level, n, charges = case
    if task == "coulomb":
        box = solution(n)
        return coulomb_call(box), len(box)
    box = _box(n, True, charges) if task == "md" else _box(n)
    if level is None:
        return neighbours_call(box), len(box)
    if task == "md":
        return steps_call(level, box, charges), len(box) * MD_STEPS
    if task == "gradient":
        return gradient_call(level, [box], threads, charges), len(box)
    return forces_call(level, box, threads, charges) if task == "forces" else row_call(level, box), len(box)


def serve(threads: int) -> None:
    """Answer each case on standard input, a JSON line, with its µs per atom on standard output."""
    import electrolyte_ml

    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        print(json.dumps({"package": electrolyte_ml.__file__}), file=answers, flush=True)
        for line in sys.stdin:
            try:
                call, atom_steps = _make(Case(*json.loads(line)), threads)
                answer: dict[str, Any] = {"time": 1e6 * seconds_per_call(call, threads) / atom_steps}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
