"""The command of molecular dynamics: ``md``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.grades import read_active_set
from electrolyte_ml.cli.messages import about, in_options
from electrolyte_ml.cli.options import (
    add_charge_key,
    add_potential,
    add_rows,
    add_seed,
    count,
    number,
    positive,
    read,
    timestep,
    whole,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_folder

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import Monitor, RunResult

GRADE_EVERY = 50  # steps, unless --grade-every says otherwise
_FARTHEST = 3.0  # times or part of the density of the start, at which a liquid has boiled or collapsed
_ROWS_TO_JUDGE = 40  # of the log: with fewer a drift cannot be told from noise


def add_parser(subparsers: Subparsers) -> None:
    """Add ``md``."""
    parser = add_command(
        subparsers,
        "md",
        run_molecular_dynamics,
        "molecular dynamics with a potential",
        "md pot.mtp start.xyz --ensemble npt --temperature 300 --pressure 1 --time 10 -o run",
    )
    add_potential(parser)
    parser.add_argument(
        "start",
        type=Path,
        metavar="START",
        help="starting configuration (the last one of the file), or the folder of a run that has ended: its last "
        "configuration with cell and velocities",
    )
    add_charge_key(parser)
    parser.add_argument("--ensemble", choices=("nve", "nvt", "npt"), default="npt")
    parser.add_argument("--temperature", type=positive, default=300.0, help="K (default 300)")
    parser.add_argument("--pressure", type=number, default=1.01325, help="bar (default 1.01325)")
    parser.add_argument("--time", type=positive, required=True, help="ps")
    parser.add_argument("--timestep", type=timestep, default=1.0, help="fs, up to 10 (default 1)")
    parser.add_argument(
        "--frame-interval",
        type=positive,
        default=100.0,
        metavar="FS",
        help="between frames of the trajectory (default 100); 10 for Green-Kubo",
    )
    parser.add_argument("--threads", type=count, help="of the forces (default: by the number of atoms)")
    parser.add_argument(
        "--hydrogen-mass",
        type=positive,
        metavar="AMU",
        help="of all hydrogens, taken from the heavy atoms that they are bonded to: 3 allows --timestep 2; changes "
        "diffusion and conductivity, but no average over configurations (default: their own)",
    )
    parser.add_argument(
        "--precision", choices=("double", "mixed"), default="double", help="mixed: pairs in float32, 1.3 times faster"
    )
    parser.add_argument(
        "--train", type=Path, metavar="SET", help="training set of the grade: save above 2, stop above 10"
    )
    parser.add_argument(
        "--grade-every",
        type=count,
        metavar="STEPS",
        help="between two grades, each as slow as 1 to 3 steps, or 2 to 19 in mode neighbourhood "
        f"(default {GRADE_EVERY})",
    )
    add_rows(parser)
    parser.add_argument("--relax", type=whole, default=0, help="steps of minimisation before the run (default 0)")
    add_seed(parser, "of the velocities")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the run, which the same command resumes (default START_ENSEMBLE)",
    )


def run_molecular_dynamics(args: argparse.Namespace) -> int:
    """Run or resume a run, print its averages; 1 if a monitor stopped it."""
    from electrolyte_ml.dynamics import ContactMonitor, DensityMonitor, GradeMonitor, MoleculeMonitor, run_md
    from electrolyte_ml.potentials import System, load
    from electrolyte_ml.structures import density

    source = _last_configuration(args.start)
    directory = args.output or Path(f"{args.start.stem}_{args.ensemble}")
    check_output_folder(directory)
    for option in ("grade_every", "terms"):
        if getattr(args, option) and not args.train:
            raise InputError(f"--{option.replace('_', '-')} goes with --train, the training set of the grade")
    if 1000 * args.time < args.timestep:
        raise InputError(f"--time {args.time:g} ps is shorter than one step (--timestep {args.timestep:g} fs)")
    potential = load(args.potential, species=args.species)
    start = read(args, source, potential.species, index=-1)[0]
    with about(source):
        System.of(start, potential.species)  # refuses an unknown element or an impossible charge
    monitors: list[Monitor] = [MoleculeMonitor(start), ContactMonitor()]
    if args.ensemble == "npt" and start.pbc.all():
        given = density(start)
        monitors.append(DensityMonitor(given / _FARTHEST, given * _FARTHEST))
    if args.train:
        monitors.append(GradeMonitor(read_active_set(args, potential), every=args.grade_every or GRADE_EVERY))
    with in_options(
        pressure_bar="--pressure",
        timestep_fs="--timestep",
        time_ps="--time",
        hydrogen_mass="--hydrogen-mass",
        frame_interval_fs="--frame-interval",
    ):
        result = run_md(
            start,
            potential.with_precision(args.precision).calculator(threads=args.threads),
            ensemble=args.ensemble,
            temperature=args.temperature,
            pressure_bar=args.pressure,
            time_ps=args.time,
            timestep_fs=args.timestep,
            hydrogen_mass=args.hydrogen_mass,
            directory=directory,
            monitors=monitors,
            relax=args.relax,
            seed=args.seed,
            frame_interval_fs=args.frame_interval,
        )
    half = result.times_ps >= result.times_ps[-1] / 2
    print(
        f"{result.steps * args.timestep / 1000:g} ps: {result.reason}" + (f", {result.detail}" if result.detail else "")
    )
    print(
        f"second half: {result.temperatures[half].mean():.1f} K, density {result.densities[half].mean():.4f} g/cm³"
        f"{_drift(result) if args.ensemble == 'npt' else ''}"
    )
    if args.train:
        print(f"{len(result.saved)} configurations saved above grade 2")
    print(f"Trajectory: {result.directory}")
    return 0 if result.completed else 1


def _last_configuration(start: Path) -> Path:
    """Return the file of the starting configuration.

    Raises
    ------
    InputError
        A folder without the last configuration of a run.
    """
    if not start.is_dir():
        return start
    last = start / "last.xyz"
    if not last.is_file():
        raise InputError(f"{start} holds no last.xyz: it is no folder of a run, or its run has not ended")
    return last


def _drift(result: RunResult) -> str:
    """Say what the density was before, and whether it still drifts in the second half of a run."""
    from electrolyte_ml.analysis import mean_density

    half = result.times_ps[-1] / 2
    late = result.times_ps >= half
    if late.sum() < _ROWS_TO_JUDGE:
        return ""
    before = f" ({result.densities[~late].mean():.4f} in the first half)"
    found = mean_density((result.times_ps.tolist(), result.densities.tolist()), last_ps=half)
    if not found.drifts:
        return before
    return f"{before}, which drifts by {found.drift:+.2g} ± {found.drift_error:.1g} g/cm³ per ps: it is not at rest"
