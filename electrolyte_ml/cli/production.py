"""The command ``produce``, which runs productions."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.messages import in_options
from electrolyte_ml.cli.options import add_executor, add_json, count, on_executor, positive, timestep, whole
from electrolyte_ml.cli.parser import INCOMPLETE, Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_folder

if TYPE_CHECKING:
    from electrolyte_ml.production import ProductionSettings

# Options, and the dotted names of the settings that they replace.
_SETTINGS = {
    "potential": "potential",
    "composition": "composition",
    "density": "density",
    "start": "start",
    "temperature": "temperatures",
    "trajectories": "trajectories.count",
    "time": "trajectories.time_ps",
    "timestep": "trajectories.timestep_fs",
    "equilibration": "equilibration.time_ps",
    "fixed_density": "equilibration.densities",
    "boxes": "equilibration.boxes",
    "active_set": "grades.active_set",
    "seed": "seed",
    "jobs": "jobs",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add ``produce``."""
    parser = add_command(
        subparsers,
        "produce",
        run_produce,
        "run annealing, equilibration and independent trajectories, and measure the conductivity; or resume it",
        "produce runs/lipf6 --potential pot.mtp --composition 'EC=24 EMC=56 LiPF6=8' --density 1.1 --temperature 300\n"
        "  electrolyte-ml produce runs/lipf6  (resumes, or starts with the settings.toml in the folder)",
    )
    parser.add_argument(
        "directory",
        type=Path,
        metavar="DIR",
        help="folder of the production; the options replace values of its settings.toml",
    )
    parser.add_argument("--potential", metavar="POT", help="potential: a file, or the name of one of the package")
    parser.add_argument("--composition", metavar="BOX", help="molecules of the box, such as 'EC=24 EMC=56 LiPF6=8'")
    parser.add_argument("--density", type=positive, metavar="RHO", help="density of the packed box, g/cm³")
    parser.add_argument(
        "--fixed-density",
        nargs="+",
        type=positive,
        metavar="RHO",
        help="density of all runs, in place of constant pressure, g/cm³: one for all temperatures or one for each",
    )
    parser.add_argument("--start", metavar="FILE", help="configurations to anneal in place of packed boxes")
    parser.add_argument(
        "--temperature", nargs="+", type=positive, metavar="T", help="one or more temperatures, K (default 300)"
    )
    parser.add_argument(
        "--trajectories", type=count, metavar="N", help="number of trajectories at each temperature (default 10)"
    )
    parser.add_argument("--time", type=positive, metavar="PS", help="length of each trajectory (default 1000)")
    parser.add_argument("--timestep", type=timestep, metavar="FS", help="time step of the trajectories (default 1)")
    parser.add_argument(
        "--multiple-steps",
        action="store_true",
        help="multiple time steps of 3 fs, or of --timestep: more than twice as fast",
    )
    parser.add_argument(
        "--equilibration",
        type=positive,
        metavar="PS",
        help="length of the equilibration at constant pressure before each trajectory (default 200)",
    )
    parser.add_argument(
        "--boxes", type=count, metavar="N", help="number of boxes, packed and annealed independently (default 1)"
    )
    parser.add_argument(
        "--active-set", metavar="FILE", help="active_set.npz, or training set, for the grades (default: no grades)"
    )
    parser.add_argument("--seed", type=whole, help="seed of packing, velocities and thermostats (default 0)")
    parser.add_argument("-j", "--jobs", type=count, help="number of parallel trajectories (default: one per core)")
    add_executor(parser)
    parser.add_argument("--plan", action="store_true", help="only print the estimated cost")
    add_json(parser, "print the results as JSON")


@on_executor
def run_produce(args: argparse.Namespace) -> int:
    """Run or resume a production and print its results; return INCOMPLETE if a trajectory ended early."""
    from electrolyte_ml.production import produce
    from electrolyte_ml.production.workflow import cost_of, prepare

    check_output_folder(args.directory)
    settings = _settings(args)
    if args.plan:
        print(cost_of(prepare(args.directory, settings)))
        return 0
    result = produce(args.directory, settings)
    print(as_json_text(result.to_dict()) if args.json else result)
    print(f"Production: {args.directory}", file=sys.stderr)
    return 0 if result.completed else INCOMPLETE


def _settings(args: argparse.Namespace) -> ProductionSettings | None:
    """Return the settings of the folder with those of the options; None if there are no options."""
    from electrolyte_ml.production.places import SETTINGS
    from electrolyte_ml.production.settings import OUTER_FS, ProductionSettings

    given = {name: getattr(args, option) for option, name in _SETTINGS.items() if getattr(args, option) is not None}
    path = args.directory / SETTINGS
    if not given and not args.multiple_steps:
        return None
    if args.multiple_steps:
        given.pop("trajectories.timestep_fs", None)  # intervals become multiples of it below
    names = {name.rpartition(".")[2]: f"--{option.replace('_', '-')}" for option, name in _SETTINGS.items()}
    names["time_ps"] = "--time or --equilibration"
    if path.exists():
        settings = _replaced(ProductionSettings.from_toml(path), given)
        return settings.with_multiple_steps(args.timestep or OUTER_FS) if args.multiple_steps else settings
    if "potential" not in given:
        raise InputError(f"--potential must be given, since there is no {path}")
    with in_options(**names):
        outer = {name: value for name, value in given.items() if "." not in name}
        settings = _replaced(ProductionSettings(**_values(outer)), {k: v for k, v in given.items() if "." in k})
        return settings.with_multiple_steps(args.timestep or OUTER_FS) if args.multiple_steps else settings


def _replaced(settings: ProductionSettings, given: dict[str, Any]) -> ProductionSettings:
    """Replace settings by their dotted names."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, {})[key] = value
    changed = _values(sections.pop("", {}))
    changed |= {name: replace(getattr(settings, name), **values) for name, values in sections.items()}
    return replace(settings, **changed)


def _values(given: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
