"""Options that open trajectories, shared by the commands that analyse them."""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.messages import one_line
from electrolyte_ml.cli.options import add_own_molecules, count, own_molecules, pairs, positive, whole
from electrolyte_ml.errors import InputError, TrajectoryWarning

if TYPE_CHECKING:
    from electrolyte_ml.structures import Molecule
    from electrolyte_ml.trajectories import IonTrajectory, Role, Trajectory


def add_trajectories(parser: argparse.ArgumentParser) -> None:
    """Add options for the files of the runs, the identity of their atoms, and the frames to read."""
    parser.add_argument(
        "trajectories",
        nargs="+",
        type=Path,
        metavar="TRAJ",
        help="runs of one system, each a file or the folder of a run; or the folder of a production or of one of its "
        "temperatures, with all completed trajectories",
    )
    parser.add_argument(
        "--join",
        action="store_true",
        help="all TRAJ are consecutive parts of one run (with --timestep if the times of each part start anew)",
    )
    parser.add_argument("--topology", type=Path, metavar="T", help="file with the elements or bonds of the atoms")
    parser.add_argument(
        "--cation",
        nargs="+",
        default=[],
        metavar="NAME[=SELECTION]",
        help="cations that are not recognised; the shells of the first one are analysed (selections of MDAnalysis, or "
        "'formula C4H8O3')",
    )
    parser.add_argument("--li", metavar="SELECTION", help="abbreviation of --cation Li=SELECTION")
    parser.add_argument(
        "--anion", nargs="+", default=[], metavar="NAME=SELECTION", help="anions that are not recognised"
    )
    parser.add_argument(
        "--solvent", nargs="+", default=[], metavar="NAME=SELECTION", help="solvents that are not recognised"
    )
    add_own_molecules(parser)
    parser.add_argument(
        "--charge",
        nargs="+",
        default=[],
        metavar="NAME=Q",
        help="charges of ions, e, such as Mg=2 (default: 1 and -1, or those of the library); scaled ones for the "
        "conductivity, such as Li=0.8 PF6=-0.8",
    )
    parser.add_argument(
        "--donor",
        nargs="+",
        default=[],
        metavar="NAME:KIND=SELECTION",
        help="donor atoms of these species (default: from their bonds)",
    )
    parser.add_argument(
        "--timestep",
        nargs="+",
        type=positive,
        metavar="PS",
        help="time between frames, if the file does not contain it: one for all runs, or one for each",
    )
    parser.add_argument(
        "--cell", nargs="+", type=positive, metavar="Å", help="lengths (and angles) of the cell, if not in the file"
    )
    parser.add_argument("--elements", nargs="+", default=[], metavar="TYPE=X", help="element of each type of atom")
    parser.add_argument(
        "--lammps-units",
        choices=("metal", "real"),
        help="units of the velocities of a LAMMPS dump, and of the times of a DCD file of LAMMPS",
    )
    parser.add_argument("--begin", type=whole, default=0, metavar="N", help="leave out the first N frames (default 0)")
    parser.add_argument("--end", type=count, metavar="N", help="read only the first N frames")
    parser.add_argument("--stride", type=count, default=1, metavar="N", help="take every N-th frame (default 1)")


def open_trajectories(args: argparse.Namespace) -> list[Trajectory]:
    """Open the chosen frames of every run; a truncated file is a warning on standard error."""
    (roles, unused), own = _roles(args), own_molecules(args.molecule)
    if unused:
        name = next(iter(unused))
        raise InputError(f"--charge {name}: name the species with --cation, --anion or --solvent as well")
    runs = [_open(parts, args, roles, own, step) for parts, step in _runs(args)]
    if len(args.timestep or ()) == 1:
        check_counts([(run.name, run.ps_per_count) for run in runs])
    return runs


def read_ions_of(args: argparse.Namespace, *, progress: bool) -> list[IonTrajectory]:
    """Read the ions of every run, from the compact record if there is one and solvents are not needed."""
    from electrolyte_ml.trajectories import has_ion_record, read_ion_record, read_ions

    (roles, scaled), own, heavy = _roles(args), own_molecules(args.molecule), args.heavy_hydrogen
    runs = []
    for parts, step in _runs(args):
        if len(parts) == 1 and has_ion_record(parts[0]) and not (roles or args.topology or args.solvents):
            record = read_ion_record(parts[0], heavy_hydrogen=heavy)[args.begin : args.end : args.stride]
            runs.append(record.with_charges(scaled))
            continue
        run = _open(parts, args, roles, own, step)
        options = {"already_unwrapped": args.unwrapped, "heavy_hydrogen": heavy}
        options |= {"solvents": args.solvents, "charges": scaled}
        runs.append(read_ions(run, **options, progress=progress))
    if len(args.timestep or ()) == 1:
        check_counts([(run.name, run.count_ps) for run in runs])
    return runs


def check_counts(counts: Sequence[tuple[str, float | None]]) -> None:
    """Refuse one time between frames for files with different numbers of steps between frames.

    Parameters
    ----------
    counts
        Name of each run, and length of one of its steps, ps; None if the file does not count steps.

    Raises
    ------
    InputError
        Two runs differ; the message names them.
    """
    counted = [(name, value) for name, value in counts if value is not None]
    for name, value in counted[1:]:
        first, expected = counted[0]
        if abs(value - expected) > 1e-3 * expected:
            ratio = expected / value
            raise InputError(
                f"--timestep: {name} counts {ratio:.4g} times as many steps between its frames as {first}; give one "
                "time for each file, in their order"
            )


def _runs(args: argparse.Namespace) -> list[tuple[list[Path], float | None]]:
    """Return the parts of each run (one, or all with ``--join``), and its time between frames or None."""
    paths = run_paths(args)
    steps = _timesteps(args, len(paths))
    if not args.join:
        return [([path], step) for path, step in zip(paths, steps)]
    if len(set(steps)) > 1:
        raise InputError(
            f"--timestep: frames every {' and '.join(f'{step:g}' for step in steps if step)} ps cannot be joined"
        )
    return [(paths, steps[0])]


def _timesteps(args: argparse.Namespace, n: int) -> Sequence[float | None]:
    """Return the time between frames of each run, None if it is not given."""
    times = args.timestep or [None]
    if len(times) == 1:
        return times * n
    if len(times) != n:
        raise InputError(f"--timestep: {len(times)} times are given for {n} runs")
    return list(times)


def run_paths(args: argparse.Namespace) -> list[Path]:
    """Return the runs that are named; for a production, all its completed trajectories."""
    from electrolyte_ml.production import run_folders

    paths: list[Path] = []
    for path in args.trajectories:
        folders = run_folders(path, getattr(args, "temperature", None))
        paths += [path] if folders is None else folders
    return paths


def _open(
    parts: list[Path],
    args: argparse.Namespace,
    roles: dict[str, Role],
    own: Mapping[str, Molecule],
    timestep: float | None,
) -> Trajectory:
    """Open the chosen frames of one run from its parts."""
    from electrolyte_ml.trajectories import open_trajectory

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrajectoryWarning)
        run = open_trajectory(
            parts if len(parts) > 1 else parts[0],
            topology=args.topology,
            roles=roles,
            own_molecules=own,
            timestep_ps=timestep,
            cell=args.cell[0] if args.cell and len(args.cell) == 1 else args.cell,
            elements=pairs(args.elements, "--elements") or None,
            lammps_units=args.lammps_units,
            chosen=slice(args.begin, args.end, args.stride),
        )
    for warning in caught:
        if issubclass(warning.category, TrajectoryWarning):
            print(f"warning: {one_line(warning.message)}", file=sys.stderr)
    return run


def chosen_cation(args: argparse.Namespace) -> str | None:
    """Return the name of the cation whose shells are analysed, or None for the only one in the system."""
    if args.li:
        return "Li"
    return args.cation[0].partition("=")[0] if args.cation else None


def _roles(args: argparse.Namespace) -> tuple[dict[str, Role], dict[str, float]]:
    """Return species by name (``--cation --li --anion --solvent --charge --donor``), and charges of other species."""
    from electrolyte_ml.trajectories import Role

    donors: dict[str, dict[str, str]] = {}
    for key, selection in pairs(args.donor, "--donor").items():
        name, sign, kind = key.partition(":")
        if not sign:
            raise InputError(f"--donor {key}={selection}: write NAME:KIND=SELECTION")
        donors.setdefault(name, {})[kind] = selection
    charges = {name: _charge(value, f"--charge {name}") for name, value in pairs(args.charge, "--charge").items()}
    cations = ([f"Li={args.li}"] if args.li else []) + [item for item in args.cation if "=" in item]
    roles: dict[str, Role] = {}
    for option, kind, items in (
        ("--cation", "cation", cations),
        ("--anion", "anion", args.anion),
        ("--solvent", "solvent", args.solvent),
    ):
        for name, selection in pairs(items, option).items():
            if name in roles:
                raise InputError(f"{option} {name}={selection}: {name} is named twice")
            roles[name] = Role(selection, kind=kind, charge=charges.pop(name, None), donors=donors.pop(name, None))
    if donors:
        raise InputError(f"--donor {next(iter(donors))}: name the species with --cation, --anion or --solvent as well")
    return roles, charges


def _charge(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{option}={text}: not a number")
    return value
