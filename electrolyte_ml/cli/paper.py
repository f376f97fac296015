"""The command ``reproduce``, which runs the notebooks of the paper."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from electrolyte_ml.cli.options import add_executor, chosen_executor
from electrolyte_ml.cli.parser import Subparsers, add_command

if TYPE_CHECKING:
    from electrolyte_ml._benchmarks.cases import Call
    from electrolyte_ml.paper.plan import Speed
    from electrolyte_ml.paper.scales import Scale
    from electrolyte_ml.potentials.spec import ModelSpec

_TIMED_ATOMS = 480  # atoms of the box whose dynamics are timed


def add_parser(subparsers: Subparsers) -> None:
    """Add ``reproduce``."""
    parser = add_command(
        subparsers, "reproduce", run_reproduce, "run the notebooks and judge the claims", "reproduce --only 04"
    )
    parser.add_argument("--only", metavar="NN", help="run only notebooks whose names begin with NN")
    parser.add_argument("--scale", help="scale of the runs: quick (default), standard or paper")
    add_executor(parser)
    parser.add_argument("--plan", action="store_true", help="only print the estimated time on this machine")


def run_reproduce(args: argparse.Namespace) -> int:
    """Print the estimated time, compute first items, and run the notebooks; return 1 if one of them failed.

    Programs of the references are looked for before all else, since without them the notebooks would fail one after
    the other. The first items of each stage are then computed if an executor is named, which they test, and at the
    paper scale.
    """
    from electrolyte_ml.paper.first_items import prove_stages, require_references
    from electrolyte_ml.paper.reproduce import reproduce
    from electrolyte_ml.paper.scales import scale

    chosen = scale(args.scale)
    if args.plan or args.only is None:
        print(_plan(chosen), flush=True)
    if args.plan:
        return 0
    if args.only is None:
        if args.executor is not None or chosen.name == "paper":
            with chosen_executor(args):
                prove_stages(chosen)
        else:
            require_references(chosen)
    return 1 if reproduce(args.scale, args.only, args.executor).failed else 0


def _plan(scale: Scale) -> str:
    from electrolyte_ml.paper.plan import format_plan, plan
    from electrolyte_ml.threads import available

    return format_plan(plan(scale, _speed()), scale, available())


def _speed() -> Speed:
    """Return functions that time the kernels on this machine, each kind of model once."""
    from functools import cache

    from electrolyte_ml._benchmarks import cases
    from electrolyte_ml.paper.plan import Speed

    box = cache(lambda charges: cases.settled(cases.liquid(_TIMED_ATOMS), charges))

    @cache
    def step(model: ModelSpec) -> float:
        start = box(model.charges)
        return _seconds(cases.steps_call(model.level, start, model.charges)) / (cases.MD_STEPS * len(start))

    @cache
    def gradient(model: ModelSpec) -> float:
        configurations = [cases.liquid(cases.CONFIGURATION)]
        return _seconds(cases.gradient_call(model.level, configurations, 1, model.charges)) / cases.CONFIGURATION

    return Speed(step, gradient)


def _seconds(call: Call) -> float:
    """Return the time of a call on one core, s, after a first call that loads the kernels."""
    from electrolyte_ml._benchmarks.cases import seconds_per_call

    call()
    return seconds_per_call(call, 1)
