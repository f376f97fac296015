"""The command of the paper: ``reproduce``."""

from __future__ import annotations

import argparse

from electrolyte_ml.cli.parser import Subparsers, add_command


def add_parser(subparsers: Subparsers) -> None:
    """Add ``reproduce``."""
    parser = add_command(
        subparsers, "reproduce", run_reproduce, "run the notebooks and judge the claims", "reproduce --only 04"
    )
    parser.add_argument("--only", metavar="NN", help="run only the notebooks whose names begin so")
    parser.add_argument("--scale", help="quick (default), standard or paper")


def run_reproduce(args: argparse.Namespace) -> int:
    """Run the notebooks; 1 if one of them failed."""
    from electrolyte_ml.paper.reproduce import reproduce

    return 1 if reproduce(args.scale, args.only).failed else 0
