"""The command ``suggest``, which recommends a model and a number of labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from electrolyte_ml.cli.drawing import reference_of, save, scale_of
from electrolyte_ml.cli.messages import about, in_options
from electrolyte_ml.cli.options import (
    add_configurations,
    add_executor,
    add_json,
    count,
    on_executor,
    positive,
    read,
    whole,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.files import as_json_text, check_output_file, check_output_folder


def add_parser(subparsers: Subparsers) -> None:
    """Add ``suggest``."""
    parser = add_command(
        subparsers,
        "suggest",
        run_suggest,
        "recommend level, cutoff, weights and number of labels for a target error, from learning curves on your labels",
        "suggest set.xyz --target-force-error 0.1 --minutes 60 --figure learning_curve.png",
    )
    add_configurations(parser, labelled=True)
    parser.add_argument(
        "--target-force-error",
        type=positive,
        default=0.1,
        metavar="ERROR",
        help="target RMSE of force components on unseen configurations, eV/Å (default 0.1)",
    )
    parser.add_argument("--levels", nargs="+", type=whole, default=[8, 12, 16], help="levels (default 8 12 16)")
    parser.add_argument("--cutoffs", nargs="+", type=positive, default=[5.0], help="cutoffs, Å (default 5)")
    parser.add_argument(
        "--splits", type=count, default=3, help="number of splits, each with a fifth held out (default 3)"
    )
    parser.add_argument("--max-iterations", type=count, default=300, help="iterations of each fit (default 300)")
    parser.add_argument("--minutes", type=positive, default=30.0, help="approximate time for all fits (default 30)")
    parser.add_argument("--jobs", type=count, help="number of parallel fits (default: one per core)")
    add_executor(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the fits, from which an interrupted command is resumed (default: DATA_suggest)",
    )
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the learning curves")
    add_json(parser)


@on_executor
def run_suggest(args: argparse.Namespace) -> None:
    """Fit at several set sizes, and print the recommendation."""
    from electrolyte_ml.training import inspect_labels, suggest

    if args.figure:
        check_output_file(args.figure, (".png",))
    directory = args.output or Path(f"{args.data.stem}_suggest")
    check_output_folder(directory)
    configurations = read(args, args.data, None, labelled=True)
    for finding in inspect_labels(configurations):
        print(f"warning: {args.data}: {finding}", file=sys.stderr)
    with about(args.data), in_options(level="--levels", cutoff="--cutoffs"):
        suggestion = suggest(
            configurations,
            target_force_error=args.target_force_error,
            levels=args.levels,
            cutoffs=args.cutoffs,
            splits=args.splits,
            iterations=args.max_iterations,
            minutes=args.minutes,
            directory=directory,
            jobs=args.jobs,
        )
    print(as_json_text(suggestion.to_dict()) if args.json else suggestion)
    chosen = suggestion.chosen
    if chosen is not None and not args.json:
        w = suggestion.weights
        print(
            f"electrolyte-ml train {args.data} --level {chosen.model.level} --cutoff {chosen.model.cutoff:g} "
            f"--energy-weight {w.energy:g} --force-weight {w.force:g} --stress-weight {w.stress:g} -o pot.mtp"
        )
    if args.figure:
        from electrolyte_ml.figures import learning_curve

        figure = learning_curve(
            suggestion, reference=reference_of(configurations), scale=scale_of(args.data, configurations)
        )
        save(figure, args.figure, args.json)
