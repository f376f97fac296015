"""Commands of active learning: ``active-learn`` and ``status``."""

from __future__ import annotations

import argparse
from pathlib import Path

from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.files import check_output_file


def add_parser(subparsers: Subparsers) -> None:
    """Add ``active-learn`` and ``status``."""
    parser = add_command(
        subparsers,
        "active-learn",
        run_active_learn,
        "learn a potential actively, resuming where it was",
        "active-learn runs/ec",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder with settings.toml, which keeps everything")

    parser = add_command(
        subparsers, "status", run_status, "how far a run of active learning has come", "status runs/ec --html"
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--html", action="store_true", help="write the status page anew: status.html in the folder")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the timeline")


def run_active_learn(args: argparse.Namespace) -> int:
    """Learn until the settings are met; 1 if they are not."""
    from electrolyte_ml.active_learning import active_learn

    result = active_learn(args.directory)
    print(result.message)
    print(f"Potential: {result.directory / f'potential{result.potential.suffix}'}")
    return 0 if result.converged else 1


def run_status(args: argparse.Namespace) -> None:
    """Print the table of iterations and what is known of the rest."""
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
        figure.savefig(args.figure, dpi=150)
        print(f"Figure: {args.figure}")
