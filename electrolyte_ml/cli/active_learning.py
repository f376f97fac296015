"""The command of active learning: ``active-learn``."""

from __future__ import annotations

import argparse
from pathlib import Path

from electrolyte_ml.cli.parser import Subparsers, add_command


def add_parser(subparsers: Subparsers) -> None:
    """Add ``active-learn``."""
    parser = add_command(
        subparsers,
        "active-learn",
        run_active_learn,
        "learn a potential actively, resuming where it was",
        "active-learn runs/ec",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder with settings.toml, which keeps everything")


def run_active_learn(args: argparse.Namespace) -> int:
    """Learn until the settings are met; 1 if they are not."""
    from electrolyte_ml.active_learning import active_learn

    result = active_learn(args.directory)
    print(result.message)
    print(f"Potential: {result.directory / f'potential{result.potential.suffix}'}")
    return 0 if result.converged else 1
