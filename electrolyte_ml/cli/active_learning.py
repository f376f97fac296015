"""Commands of active learning: ``active-learn``, ``mix`` and ``status``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from electrolyte_ml.cli.drawing import write_figure
from electrolyte_ml.cli.options import add_executor, add_seed, count, on_executor, positive
from electrolyte_ml.cli.parser import INCOMPLETE, Subparsers, add_command
from electrolyte_ml.cli.trust import add_trust, ask_for_trust
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file


def add_parser(subparsers: Subparsers) -> None:
    """Add ``active-learn``, ``mix`` and ``status``."""
    parser = add_command(
        subparsers,
        "active-learn",
        run_active_learn,
        "train a potential by active learning, or resume an interrupted run",
        "active-learn runs/ec",
    )
    parser.add_argument(
        "directory", nargs="?", type=Path, metavar="DIR", help="folder of the run, which contains settings.toml"
    )
    parser.add_argument(
        "--defaults", action="store_true", help="print a settings.toml for liquid EC with all settings, and exit"
    )
    add_trust(parser, "settings.toml")
    add_executor(parser)

    parser = add_command(
        subparsers,
        "mix",
        run_mix,
        "train one potential for all mixtures of liquids from their runs, or resume an interrupted run",
        "mix runs/ec runs/emc --between EC=16 EMC=8 --densities 1.25 0.95 -o runs/ec-emc",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folders of the runs of the liquids")
    parser.add_argument(
        "--between",
        nargs=2,
        required=True,
        metavar=("FIRST", "SECOND"),
        help="compositions of both ends, such as EC=16 and EMC=8; quote several names, such as 'EC=8 EMC=8'",
    )
    parser.add_argument(
        "--densities", nargs=2, type=positive, required=True, metavar="RHO", help="densities of both ends, g/cm³"
    )
    parser.add_argument(
        "--compositions",
        type=count,
        default=11,
        metavar="N",
        help="number of compositions from end to end (default 11)",
    )
    parser.add_argument(
        "--uniform",
        type=count,
        default=20,
        metavar="N",
        help="number of configurations for the preliminary fit, evenly spaced over all sets (default 20)",
    )
    parser.add_argument(
        "--level", type=count, help="level of the moment tensor potential (default: that of the first run)"
    )
    add_seed(parser, "seed of the initial parameters and the velocities")
    add_trust(parser, "the first run's settings")
    add_executor(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the new run and all its files"
    )

    parser = add_command(
        subparsers, "status", run_status, "show the progress of a run of active learning", "status runs/ec --html"
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--html", action="store_true", help="write the status page: status.html in the folder")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the timeline")


@on_executor
def run_active_learn(args: argparse.Namespace) -> int:
    """Run or resume active learning; return INCOMPLETE if it has not converged."""
    from electrolyte_ml.active_learning import ActiveLearningSettings, active_learn
    from electrolyte_ml.active_learning.records import SETTINGS

    if args.defaults:
        print(ActiveLearningSettings(composition=("EC=8",), density=(1.15, 1.25, 1.35)).to_toml(), end="")
        return 0
    if args.directory is None:
        raise InputError("name the folder with settings.toml; active-learn --defaults prints a first version of it")
    path = args.directory / SETTINGS
    ask_for_trust(path, ActiveLearningSettings.from_toml(path), args.directory, args.trust)
    result = active_learn(args.directory)
    print(result.message)
    print(f"Potential: {result.directory / f'potential{result.potential.suffix}'}")
    return 0 if result.converged else INCOMPLETE


@on_executor
def run_mix(args: argparse.Namespace) -> int:
    """Run or resume active learning of mixtures, and print the origins of its set.

    Returns INCOMPLETE if it has not converged.
    """
    from electrolyte_ml.active_learning import active_learn
    from electrolyte_ml.active_learning.mixing import Mixture, count_origins, mixing_line, mixture_settings

    first, second = (Mixture(*end) for end in zip(args.between, args.densities, strict=True))
    line = mixing_line(first, second, args.compositions)
    settings = mixture_settings(args.runs, line, uniform_configurations=args.uniform, seed=args.seed)
    if args.level is not None:
        settings = replace(settings, model=replace(settings.model, level=args.level))
    ask_for_trust(args.runs[0], settings, args.output, args.trust)
    result = active_learn(args.output, settings)
    print(result.message)
    for origin, kinds in count_origins(result.training_set, settings.own_molecules()).items():
        parts = ", ".join(f"{number} {name}" for name, number in kinds.items())
        print(f"{origin}: {sum(kinds.values())} configurations ({parts})")
    print(f"Potential: {result.directory / f'potential{result.potential.suffix}'}")
    return 0 if result.converged else INCOMPLETE


def run_status(args: argparse.Namespace) -> None:
    """Print the table of iterations, and bounds of the remaining time."""
    from electrolyte_ml.active_learning.page import read_run, remaining, write_page
    from electrolyte_ml.active_learning.status import StatusTable

    if args.figure:
        check_output_file(args.figure, (".png",))
    state = read_run(args.directory)
    print(StatusTable(state.rows))
    print(state.ended or f"Next: {state.doing}. {remaining(state)}")
    if args.html:
        print(f"Page: {write_page(args.directory)}")
    if args.figure:
        from electrolyte_ml.figures import learning_progress

        grades = state.settings.grades
        figure = learning_progress(
            state.rows,
            reference=state.reference,
            scale=f"level {state.settings.model.level}, {args.directory}",
            grade_save=grades.save_threshold,
            grade_break=grades.break_threshold,
        )
        write_figure(figure, args.figure)
        print(f"Figure: {args.figure}")
