"""The command ``md``, which runs molecular dynamics."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.grades import read_active_set
from electrolyte_ml.cli.messages import about, in_options
from electrolyte_ml.cli.options import (
    add_charge_key,
    add_executor,
    add_json,
    add_potential,
    add_rows,
    add_seed,
    add_training_set,
    count,
    number,
    on_executor,
    positive,
    read,
    refuse_given,
    timestep,
    whole,
)
from electrolyte_ml.cli.parser import INCOMPLETE, Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_folder

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.analysis.density import DensityResult
    from electrolyte_ml.dynamics import MolecularForceField, Monitor, RunResult
    from electrolyte_ml.potentials import Potential

GRADE_EVERY = 50  # steps, the default of --grade-every
_FARTHEST = 3.0  # factor from the density of the start beyond which a liquid has boiled or collapsed
_LONGEST_FS, _LONGEST_HEAVY_FS = 1.5, 3.0  # time steps above which a failed run may be due to them
_HOTTEST = 1e4  # K above the temperature of the thermostat: the run has exploded
_MEANS = ("temperature_K", "density_g_cm3", "energy_eV_atom")  # averages over replicas
_ROWS_TO_JUDGE = 40  # smallest number of rows of the log in which a drift can be distinguished from noise


def add_parser(subparsers: Subparsers) -> None:
    """Add ``md``."""
    parser = add_command(
        subparsers,
        "md",
        run_molecular_dynamics,
        "run molecular dynamics with a potential",
        "md pot.mtp start.xyz --ensemble npt --temperature 300 --pressure 1 --time 10 -o run\n"
        "  electrolyte-ml md pot.mtp run --ensemble nvt --timestep 3 --inner auto --replicas 4 --time 1000 -o runs",
    )
    add_potential(parser)
    parser.add_argument(
        "start",
        type=Path,
        metavar="START",
        help="file whose last configuration is the start, or folder of a run that has ended, whose last configuration "
        "is the start, with cell and velocities",
    )
    add_charge_key(parser)
    parser.add_argument(
        "--ensemble", choices=("nve", "nvt", "npt"), default="npt", help="ensemble of the run (default npt)"
    )
    parser.add_argument(
        "--temperature",
        type=_temperatures,
        default=(300.0, None),
        metavar="T",
        help="temperature, K (default 300); 300:380 heats from 300 to 380 K during the run",
    )
    parser.add_argument("--pressure", type=number, default=1.01325, help="pressure, bar (default 1.01325)")
    parser.add_argument(
        "--anisotropic",
        action="store_true",
        help="at constant pressure, change the three lengths of an orthorhombic cell independently",
    )
    parser.add_argument("--time", type=positive, required=True, help="length of the run, ps")
    parser.add_argument("--timestep", type=timestep, default=1.0, help="time step, fs, up to 10 (default 1)")
    parser.add_argument(
        "--frame-interval",
        type=positive,
        default=100.0,
        metavar="FS",
        help="time between frames of the trajectory (default 100); 10 for Green-Kubo",
    )
    parser.add_argument(
        "--threads", type=count, help="number of threads for the forces (default: by the number of atoms)"
    )
    parser.add_argument(
        "--hydrogen-mass",
        type=positive,
        metavar="AMU",
        help="mass of all hydrogens, moved from the heavy atoms that they are bonded to: 3 allows --timestep 2; it "
        "changes diffusion and conductivity, but not averages over configurations (default: their own)",
    )
    parser.add_argument(
        "--inner",
        metavar="auto|FILE",
        help="multiple time steps: cheap forces move the atoms within each --timestep of 3 fs, or of 3.5 fs with "
        "--hydrogen-mass 3; auto first fits a force field within the molecules to the potential on this system",
    )
    parser.add_argument(
        "--inner-steps",
        type=count,
        metavar="N",
        help="number of inner steps in one --timestep (default: as many as make them at most 1 fs long)",
    )
    parser.add_argument(
        "--replicas",
        type=count,
        metavar="N",
        help="run N independent replicas, with velocities and noise of the seeds --seed, --seed + 1, ..., in folders "
        "replica_1, replica_2, ... of the output",
    )
    parser.add_argument("--jobs", type=count, help="number of replicas at a time (default: one per core)")
    add_executor(parser)
    parser.add_argument(
        "--precision",
        choices=("double", "mixed"),
        default="double",
        help="precision (default double); mixed: pairs in float32, 1.3 times faster",
    )
    add_training_set(
        parser, "training set for extrapolation grades, which save configurations above 2 and stop the run above 10"
    )
    parser.add_argument(
        "--grade-every",
        type=count,
        metavar="STEPS",
        help="steps between two grades; a grade takes as long as 1 to 3 steps, or 2 to 19 in mode neighbourhood "
        f"(default {GRADE_EVERY})",
    )
    add_rows(parser)
    parser.add_argument(
        "--relax",
        type=whole,
        default=0,
        help="number of minimisation steps before the run, for packed starts; molecules that overlap are first moved "
        "apart (default 0)",
    )
    add_seed(parser, "seed of the velocities")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the run, which the same command resumes (default: START_ENSEMBLE)",
    )
    add_json(parser)


@on_executor
def run_molecular_dynamics(args: argparse.Namespace) -> int:
    """Run or resume dynamics, and print averages; return INCOMPLETE if the run ended early."""
    from electrolyte_ml.dynamics import (
        ContactMonitor,
        DensityMonitor,
        EnergyMonitor,
        GradeMonitor,
        MoleculeMonitor,
        TemperatureMonitor,
        run_md,
        run_replicas,
    )
    from electrolyte_ml.dynamics.approach import APPROACH
    from electrolyte_ml.dynamics.trajectory import standard_rotation
    from electrolyte_ml.potentials import System, load
    from electrolyte_ml.structures import density, find_overlap

    source = _last_configuration(args.start)
    directory = args.output or Path(f"{args.start.stem}_{args.ensemble}")
    check_output_folder(directory)
    if not args.train:
        refuse_given(args, ("grade_every", "mode", "terms"), "--train, the training set of the grade")
    if args.ensemble != "npt":
        refuse_given(args, ("pressure", "anisotropic"), "--ensemble npt")
    if not args.inner:
        refuse_given(args, ("inner_steps",), "--inner")
    if not args.replicas:
        refuse_given(args, ("jobs", "executor"), "--replicas")
    elif args.threads:
        raise InputError("--replicas runs each replica on one thread: leave --threads out")
    if 1000 * args.time < args.timestep:
        raise InputError(f"--time {args.time:g} ps is shorter than one step (--timestep {args.timestep:g} fs)")
    potential = load(args.potential, species=args.species)
    start = read(args, source, potential.species, index=-1)[0]
    with about(source):
        System.of(start, potential.species)  # refuses an unknown element or an impossible charge
        standard_rotation(start)  # refuses a left-handed cell
    if not args.relax and (contact := find_overlap(start)):
        remark = f"{contact}, closer than in any liquid: --relax 50 moves the molecules apart before the run"
        print(f"warning: {source}: {remark}", file=sys.stderr)
    hottest = _HOTTEST + max(filter(None, args.temperature))
    monitors: list[Monitor] = [MoleculeMonitor(start), ContactMonitor(), TemperatureMonitor(hottest)]
    if args.inner and args.ensemble != "npt":
        monitors.insert(0, EnergyMonitor())
    if args.ensemble == "npt" and start.pbc.all():
        initial = density(start)
        monitors.append(DensityMonitor(initial / _FARTHEST, initial * _FARTHEST))
    if args.train:
        monitors.append(GradeMonitor(read_active_set(args, potential), every=args.grade_every or GRADE_EVERY))
    potential = potential.with_precision(args.precision)
    with in_options(
        pressure_bar="--pressure",
        timestep_fs="--timestep",
        time_ps="--time",
        hydrogen_mass="--hydrogen-mass",
        frame_interval_fs="--frame-interval",
        temperature_end="--temperature",
        ramp_ps="--time",
        anisotropic="--anisotropic",
        inner="--inner",
        inner_steps="--inner-steps",
    ):
        options: dict[str, Any] = {
            "ensemble": args.ensemble,
            "temperature": args.temperature[0],
            "temperature_end": args.temperature[1],
            "pressure_bar": args.pressure,
            "time_ps": args.time,
            "timestep_fs": args.timestep,
            "hydrogen_mass": args.hydrogen_mass,
            "anisotropic": args.anisotropic,
            "inner": _inner_potential(args, potential, start, directory) if args.inner else None,
            "inner_steps": args.inner_steps,
            "monitors": monitors,
            "relax": args.relax,
            "seed": args.seed,
            "frame_interval_fs": args.frame_interval,
            "directory": directory,
        }
        if args.replicas:
            results = run_replicas(start, potential, replicas=args.replicas, jobs=args.jobs, **options)
            return _report_replicas(args, results, directory)
        result = run_md(start, potential.calculator(threads=args.threads), **options)
    if args.json:
        print(as_json_text(_summary(result)))
        return 0 if result.completed else INCOMPLETE
    half = result.times_ps >= result.times_ps[-1] / 2
    print(
        f"{result.steps * args.timestep / 1000:g} ps: {result.reason}" + (f", {result.detail}" if result.detail else "")
    )
    print(
        f"second half: {result.temperatures[half].mean():.1f} K, density {result.densities[half].mean():.4f} g/cm³"
        f"{_drift(result) if _is_steady(result) else ''}"
    )
    if result.repeated_steps:
        share = result.repeated_steps / result.steps
        print(f"{result.repeated_steps} of {result.steps} steps ({share:.2%}) were repeated with single steps")
    if remark := _of_time_step(result):
        print(f"warning: {remark}", file=sys.stderr)
    if args.train:
        print(f"{len(result.saved)} configurations saved above grade 2")
        if worst := _least_certain(result):
            print(f"least certain: {worst}")
    print(f"Trajectory: {result.directory}")
    if (directory / APPROACH).exists():
        print(f"Before the end: {directory / APPROACH}")
    return 0 if result.completed else INCOMPLETE


def _inner_potential(
    args: argparse.Namespace, potential: Potential, start: Atoms, directory: Path
) -> MolecularForceField | Potential:
    """Return the inner potential, after a test of its forces and of the energy on the system of the run.

    Everything is kept in the folder ``distillation`` of the run, so that a run that resumes repeats nothing.
    """
    from electrolyte_ml.dynamics import assess, check_drift, distil, load_inner, sample

    folder, shown = directory / "distillation", not args.json
    given = None if args.inner == "auto" else load_inner(args.inner, args.species)
    temperature = max(filter(None, args.temperature))
    frames = sample(
        potential, start, temperature=temperature, relax=args.relax, seed=args.seed, directory=folder / "sample",
    )  # fmt: skip
    distilled = distil(potential, frames, directory=folder) if given is None else assess(given, potential, frames)
    if shown:
        print(distilled, flush=True)
    multiple, single = check_drift(
        potential,
        distilled.inner,
        frames[-1],
        ensemble=args.ensemble,
        temperature=temperature,
        timestep_fs=args.timestep,
        inner_steps=args.inner_steps,
        hydrogen_mass=args.hydrogen_mass,
        directory=folder,
    )
    if shown:
        print(f"drift of the energy: {multiple:+.3f} meV/atom/ps, {single:+.3f} with single time steps", flush=True)
    return distilled.inner


def _report_replicas(args: argparse.Namespace, results: Sequence[RunResult], directory: Path) -> int:
    """Print the averages of all replicas and of those that are complete; return INCOMPLETE if any ended early."""
    from electrolyte_ml.dynamics import mean_and_error

    summaries = [_summary(result) for result in results]
    complete = [summary for summary, result in zip(summaries, results, strict=True) if result.completed]
    means = {name: mean_and_error([summary[name] for summary in complete]) for name in _MEANS} if complete else {}
    if args.json:
        table = {name: {"mean": mean, "standard_error": error} for name, (mean, error) in means.items()}
        print(as_json_text({"replicas": summaries, "completed": len(complete), **table}))
    else:
        print("replica    time/ps  temperature/K  density/(g/cm³)  energy/(eV/atom)")
        for number, summary in enumerate(summaries, start=1):
            values = [summary[name] for name in _MEANS]
            print(f"{number:7d} {summary['time_ps']:10.4g} {values[0]:14.1f} {values[1]:16.4f} {values[2]:17.5f}")
        for name, index in (("mean", 0), ("error", 1)) if complete else ():
            values = [means[key][index] for key in _MEANS]
            print(f"{name:>7s} {'':10s} {values[0]:14.1f} {values[1]:16.4f} {values[2]:17.5f}")
        print(f"second halves; mean and standard error over {len(complete)} completed replicas: {directory}")
    for number, result in enumerate(results, start=1):
        if not result.completed:
            print(f"error: replica {number}: {result.reason}, {result.detail}", file=sys.stderr)
    return 0 if len(complete) == len(results) else INCOMPLETE


def _last_configuration(start: Path) -> Path:
    """Return the file of the starting configuration.

    Raises
    ------
    InputError
        The folder has no last configuration of a run.
    """
    if not start.is_dir():
        return start
    last = start / "last.xyz"
    if not last.is_file():
        raise InputError(
            f"{start} holds no last.xyz: it is not the folder of a run, or the run has not ended or has exploded"
        )
    return last


def _temperatures(text: str) -> tuple[float, float | None]:
    """Return the temperatures of a positive number, or of two with a colon between them."""
    first, sign, last = text.partition(":")
    return positive(first), positive(last) if sign else None


_temperatures.__name__ = "temperature"  # argparse names the type: "invalid temperature value: 'x'"


def _of_time_step(result: RunResult) -> str:
    """Return a remark on a time step that is too long; empty if nothing suggests it."""
    from electrolyte_ml.dynamics.results import LARGEST_DRIFT

    step, heavy = result.settings["timestep_fs"], result.settings["hydrogen_mass"]
    if not result.completed and step > (_LONGEST_FS if heavy is None else _LONGEST_HEAVY_FS):
        of_what = "hydrogens" if heavy is None else f"hydrogens of {heavy:g} amu"
        return f"a time step of {step:g} fs is long for {of_what}: try a shorter one (--timestep, --hydrogen-mass 3)"
    if result.completed and abs(drift := result.energy_drift) > LARGEST_DRIFT:
        return (
            f"the conserved energy drifts by {drift:+.2g} meV/atom per ps: the time step of {step:g} fs is too long, "
            "or the potential is not smooth"
        )
    return ""


def _is_steady(result: RunResult) -> bool:
    """Return whether the density should equilibrate: at constant pressure and temperature."""
    return result.settings["ensemble"] == "npt" and result.settings["temperature_end"] is None


def _drift(result: RunResult) -> str:
    """Return a remark on the density of the first half, and on its drift in the second half of a run."""
    from electrolyte_ml.analysis.density import FEWEST_INDEPENDENT

    late = result.times_ps >= result.times_ps[-1] / 2
    first = f" ({result.densities[~late].mean():.4f} in the first half)" if late.sum() >= _ROWS_TO_JUDGE else ""
    half = _second_half(result)
    if half is None:
        return f"{first}; too short to detect a drift"
    if half.drifts:
        rate = f"{half.drift:+.2g} ± {half.drift_error:.1g} g/cm³ per ps"
        return f"{first}, which drifts by {rate}: not equilibrated"
    if half.n_independent >= FEWEST_INDEPENDENT:
        return first
    values = f"{half.n_independent:.1f} independent values"
    if _moves(half):
        change = half.drift * (half.end_ps - half.begin_ps)
        return f"{first}, which drifts by {change:+.2g} g/cm³ in the second half ({values}): not equilibrated"
    return f"{first}; {values} in the second half are too few to detect a drift"


def _moves(half: DensityResult) -> bool:
    """Return whether the trend is more than half of the variance; few independent values allow no better test."""
    return abs(half.drift) * (half.end_ps - half.begin_ps) > 6.0**0.5 * half.sigma


def _drifts(half: DensityResult | None) -> bool | None:
    """Return whether the density drifts; None if the second half holds too few values to decide."""
    from electrolyte_ml.analysis.density import FEWEST_INDEPENDENT

    if half is None:
        return None
    if half.n_independent >= FEWEST_INDEPENDENT:
        return half.drifts
    return True if half.drifts or _moves(half) else None


def _second_half(result: RunResult) -> DensityResult | None:
    """Return density and drift of the second half; None if it has too few rows."""
    from electrolyte_ml.analysis import mean_density

    half = result.times_ps[-1] / 2
    if (result.times_ps >= half).sum() < _ROWS_TO_JUDGE or not all(map(math.isfinite, result.densities)):
        return None
    return mean_density((result.times_ps.tolist(), result.densities.tolist()), last_ps=half)


def _least_certain(result: RunResult) -> str:
    """Return the atom of the highest grade among the saved configurations; empty if single atoms are not graded."""
    graded = [(grade, atoms.info["least_certain"]) for _, grade, atoms in result.saved if "least_certain" in atoms.info]
    return f"{max(graded)[1]}, grade {max(graded)[0]:.3g}" if graded else ""


def _summary(result: RunResult) -> dict[str, Any]:
    """Return the end of a run and the averages of its second half, for JSON."""
    late = result.times_ps >= result.times_ps[-1] / 2
    summary: dict[str, Any] = {
        "reason": result.reason,
        "detail": result.detail,
        "time_ps": float(result.times_ps[-1]),
        "temperature_K": float(result.temperatures[late].mean()),
        "density_g_cm3": float(result.densities[late].mean()),
        "energy_drift_meV_atom_ps": result.energy_drift if math.isfinite(result.energy_drift) else None,
        "energy_eV_atom": float(result.energies[late].mean()) / len(result.atoms),
        "repeated_steps": result.repeated_steps,
        "saved": len(result.saved),
        "least_certain": _least_certain(result) or None,
        "folder": str(result.directory),
    }
    if _is_steady(result):
        half = _second_half(result)
        summary["density_drifts"] = _drifts(half)
        summary["density_independent_values"] = None if half is None else half.n_independent
        summary["density_drift_g_cm3_ps"] = None if half is None else half.drift
        summary["density_drift_error_g_cm3_ps"] = None if half is None else half.drift_error
    return summary
