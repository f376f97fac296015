"""The command of molecular dynamics: ``md``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.grades import read_active_set
from electrolyte_ml.cli.messages import about, in_options
from electrolyte_ml.cli.options import (
    add_charge_key,
    add_json,
    add_potential,
    add_rows,
    add_seed,
    count,
    number,
    positive,
    read,
    refuse_given,
    timestep,
    whole,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_folder

if TYPE_CHECKING:
    from electrolyte_ml.analysis.density import DensityResult
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
    parser.add_argument(
        "--temperature",
        type=_temperatures,
        default=(300.0, None),
        metavar="T",
        help="K (default 300); 300:380 heats from 300 to 380 K during the run",
    )
    parser.add_argument("--pressure", type=number, default=1.01325, help="bar (default 1.01325)")
    parser.add_argument(
        "--anisotropic",
        action="store_true",
        help="at constant pressure, change the three lengths of an orthorhombic cell independently",
    )
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
    add_json(parser)


def run_molecular_dynamics(args: argparse.Namespace) -> int:
    """Run or resume a run, print its averages; 1 if a monitor stopped it."""
    from electrolyte_ml.dynamics import ContactMonitor, DensityMonitor, GradeMonitor, MoleculeMonitor, run_md
    from electrolyte_ml.potentials import System, load
    from electrolyte_ml.structures import density

    source = _last_configuration(args.start)
    directory = args.output or Path(f"{args.start.stem}_{args.ensemble}")
    check_output_folder(directory)
    if not args.train:
        refuse_given(args, ("grade_every", "mode", "terms"), "--train, the training set of the grade")
    if args.ensemble != "npt":
        refuse_given(args, ("pressure", "anisotropic"), "--ensemble npt")
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
        temperature_end="--temperature",
        ramp_ps="--time",
        anisotropic="--anisotropic",
    ):
        result = run_md(
            start,
            potential.with_precision(args.precision).calculator(threads=args.threads),
            ensemble=args.ensemble,
            temperature=args.temperature[0],
            temperature_end=args.temperature[1],
            pressure_bar=args.pressure,
            time_ps=args.time,
            timestep_fs=args.timestep,
            hydrogen_mass=args.hydrogen_mass,
            anisotropic=args.anisotropic,
            directory=directory,
            monitors=monitors,
            relax=args.relax,
            seed=args.seed,
            frame_interval_fs=args.frame_interval,
        )
    if args.json:
        print(as_json_text(_summary(result)))
        return 0 if result.completed else 1
    half = result.times_ps >= result.times_ps[-1] / 2
    print(
        f"{result.steps * args.timestep / 1000:g} ps: {result.reason}" + (f", {result.detail}" if result.detail else "")
    )
    print(
        f"second half: {result.temperatures[half].mean():.1f} K, density {result.densities[half].mean():.4f} g/cm³"
        f"{_drift(result) if _is_steady(result) else ''}"
    )
    if args.train:
        print(f"{len(result.saved)} configurations saved above grade 2")
        if worst := _least_certain(result):
            print(f"least certain: {worst}")
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


def _temperatures(text: str) -> tuple[float, float | None]:
    """A positive number, or two with a colon between them."""
    first, sign, last = text.partition(":")
    return positive(first), positive(last) if sign else None


_temperatures.__name__ = "temperature"  # argparse names the type: "invalid temperature value: 'x'"


def _is_steady(result: RunResult) -> bool:
    """Whether the density of a run should come to rest: constant pressure and temperature."""
    return result.settings["ensemble"] == "npt" and result.settings["temperature_end"] is None


def _drift(result: RunResult) -> str:
    """Say what the density was before, and whether it still drifts in the second half of a run."""
    from electrolyte_ml.analysis.density import FEWEST_INDEPENDENT

    late = result.times_ps >= result.times_ps[-1] / 2
    before = f" ({result.densities[~late].mean():.4f} in the first half)" if late.sum() >= _ROWS_TO_JUDGE else ""
    found = _second_half(result)
    if found is None:
        return f"{before}; too short to tell whether it drifts"
    if found.drifts:
        return f"{before}, which drifts by {found.drift:+.2g} ± {found.drift_error:.1g} g/cm³ per ps: it is not at rest"
    if found.n_independent >= FEWEST_INDEPENDENT:
        return before
    few = f"the second half holds {found.n_independent:.1f} independent values"
    if _moves(found):
        change = found.drift * (found.end_ps - found.begin_ps)
        return f"{before}, which drifts by {change:+.2g} g/cm³ in the second half: it is not at rest, though {few} only"
    return f"{before}; {few}, too few to tell whether it drifts"


def _moves(found: DensityResult) -> bool:
    """Whether the trend is more than half of the variance: of few independent values no test can tell more."""
    return abs(found.drift) * (found.end_ps - found.begin_ps) > 6.0**0.5 * found.sigma


def _drifts(found: DensityResult | None) -> bool | None:
    """Whether the density drifts; None where the second half holds too few values to tell."""
    from electrolyte_ml.analysis.density import FEWEST_INDEPENDENT

    if found is None:
        return None
    if found.n_independent >= FEWEST_INDEPENDENT:
        return found.drifts
    return True if found.drifts or _moves(found) else None


def _second_half(result: RunResult) -> DensityResult | None:
    """Return density and drift of the second half; None where it has too few rows."""
    from electrolyte_ml.analysis import mean_density

    half = result.times_ps[-1] / 2
    if (result.times_ps >= half).sum() < _ROWS_TO_JUDGE or not all(map(math.isfinite, result.densities)):
        return None
    return mean_density((result.times_ps.tolist(), result.densities.tolist()), last_ps=half)


def _least_certain(result: RunResult) -> str:
    """Return the atom of the highest grade among the saved configurations."""
    known = [(grade, atoms.info["least_certain"]) for _, grade, atoms in result.saved if "least_certain" in atoms.info]
    return f"{max(known)[1]}, grade {max(known)[0]:.3g}" if known else ""


def _summary(result: RunResult) -> dict[str, Any]:
    """Return how a run ended, and the averages of its second half, for JSON."""
    half = result.times_ps >= result.times_ps[-1] / 2
    summary: dict[str, Any] = {
        "reason": result.reason,
        "detail": result.detail,
        "time_ps": float(result.times_ps[-1]),
        "temperature_K": float(result.temperatures[half].mean()),
        "density_g_cm3": float(result.densities[half].mean()),
        "saved": len(result.saved),
        "least_certain": _least_certain(result) or None,
        "folder": str(result.directory),
    }
    if _is_steady(result):
        found = _second_half(result)
        summary["density_drifts"] = _drifts(found)
        summary["density_independent_values"] = None if found is None else found.n_independent
        summary["density_drift_g_cm3_ps"] = None if found is None else found.drift
        summary["density_drift_error_g_cm3_ps"] = None if found is None else found.drift_error
    return summary
