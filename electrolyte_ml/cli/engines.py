"""The command that writes input for other programs: ``export``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.messages import in_options
from electrolyte_ml.cli.options import add_potential, positive
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_folder

if TYPE_CHECKING:
    from electrolyte_ml.production import ProductionSettings


def add_parser(subparsers: Subparsers) -> None:
    """Add ``export``."""
    parser = add_command(
        subparsers,
        "export",
        run_export,
        "write a production as input of LAMMPS: potential, data file and scripts",
        "export pot.pot --to lammps -o deck/ --start box.xyz --temperature 300 350",
    )
    add_potential(parser)
    parser.add_argument("--to", choices=("lammps",), required=True, help="program")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--start", type=Path, metavar="FILE", help="configurations to anneal (the last ones)")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings.toml of produce: stages, lengths, intervals (default: those of produce)",
    )
    parser.add_argument("--temperature", nargs="+", type=positive, metavar="T", help="one or several, K (default 300)")
    parser.add_argument(
        "--active-set", metavar="FILE", help="active_set.npz, or training set, of grades (mtp/extrapolation)"
    )


def run_export(args: argparse.Namespace) -> None:
    """Write the input and say what is in it."""
    from electrolyte_ml.bridges import write_lammps
    from electrolyte_ml.potentials import load

    check_output_folder(args.output)
    potential = load(args.potential, species=args.species)
    files = write_lammps(args.output, _settings(args), potential)
    print(f"{args.output}: {', '.join(file.name for file in files)}")


def _settings(args: argparse.Namespace) -> ProductionSettings:
    """Return the settings of the file, or the default ones, with those that options give."""
    from electrolyte_ml.production import ProductionSettings

    if args.settings is None and args.start is None:
        raise InputError("name the box (--start), or settings with a start or a composition (--settings)")
    with in_options(start="--start", temperatures="--temperature", active_set="--active-set"):
        if args.settings is None:
            settings = ProductionSettings(potential=str(args.potential), start=str(args.start))
        else:
            settings = ProductionSettings.from_toml(args.settings)
            if args.start is not None:
                settings = replace(settings, start=str(args.start), composition=None, density=None)
        if args.temperature is not None:
            settings = replace(settings, temperatures=tuple(args.temperature))
        if args.active_set is not None:
            settings = replace(settings, grades=replace(settings.grades, active_set=args.active_set))
    return settings
