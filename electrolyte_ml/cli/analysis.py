"""Commands that analyse trajectories: ``conductivity``, ``plan-conductivity`` and ``solvation``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.drawing import write_figure
from electrolyte_ml.cli.options import add_json, add_seed, fraction, pairs, positive, refuse_given
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.cli.trajectories import add_trajectories, chosen_cation, open_trajectories, read_ions_of, run_paths
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_file
from electrolyte_ml.units import PRESSURE_UNITS

if TYPE_CHECKING:
    from electrolyte_ml.analysis import TransportEstimate
    from electrolyte_ml.trajectories import IonTrajectory, Trajectory

FIGURES = (".png", ".pdf", ".svg")
_SAME_TEMPERATURE = 0.5  # K


def add_parser(subparsers: Subparsers) -> None:
    """Add ``conductivity``, ``plan-conductivity`` and ``solvation``."""
    parser = add_command(
        subparsers,
        "conductivity",
        run_conductivity,
        "measure the ionic conductivity of independent trajectories, by several methods",
        "conductivity run1.trr run2.trr --topology box.gro --temperature 300 --method all --figure sigma.png\n"
        "  electrolyte-ml conductivity nvt_run/ --temperature 300 --window 200 500 --json\n"
        "  electrolyte-ml conductivity runs/lipf6 --temperature 300  (of electrolyte-ml produce)",
    )
    add_trajectories(parser)
    parser.add_argument("--temperature", type=positive, required=True, help="temperature of the runs, K")
    parser.add_argument(
        "--method",
        nargs="+",
        default=["green-kubo", "einstein-helfand", "nernst-einstein", "onsager"],
        metavar="M",
        help="methods among green-kubo einstein-helfand nernst-einstein onsager (default: these four) stacie kinisi, "
        "or all",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=positive,
        metavar=("A", "B"),
        help="window of the plateau, ps (default: found from the data); the paper's: 200 500",
    )
    parser.add_argument(
        "--viscosity",
        type=positive,
        metavar="MPA_S",
        help="viscosity for the finite-size correction of Nernst-Einstein (default: from the runs' recorded pressure)",
    )
    parser.add_argument(
        "--pressure",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="tables of the pressure tensor, one per run at constant volume, to measure the viscosity: .xvg of gmx "
        "energy, or text whose header names Pxx Pyy Pzz Pyz Pxz Pxy",
    )
    parser.add_argument("--pressure-unit", choices=tuple(PRESSURE_UNITS), help="unit of --pressure (.xvg: bar)")
    parser.add_argument(
        "--pressure-interval",
        type=positive,
        metavar="PS",
        help="time between rows of --pressure, if the file does not contain it",
    )
    parser.add_argument(
        "--solvents", action="store_true", help="measure the diffusion of the solvents, too, from whole frames"
    )
    parser.add_argument("--unwrapped", action="store_true", help="the positions in the files are not wrapped")
    parser.add_argument(
        "--heavy-hydrogen",
        action="store_true",
        help="accept runs with heavy hydrogen (md --hydrogen-mass), once they agree with runs of normal masses",
    )
    add_json(parser)
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw sigma(t) with its plateau (.png, .pdf, .svg)")

    parser = add_command(
        subparsers,
        "plan-conductivity",
        run_plan_conductivity,
        "compute the length of runs for a target error of the conductivity, or the reverse",
        "plan-conductivity --tau 300 --error 0.1",
    )
    parser.add_argument(
        "--tau",
        type=positive,
        required=True,
        metavar="PS",
        help="upper limit of the integral; a + (b - a)/3 for a window a-b",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--error", type=fraction, help="target relative error, such as 0.1")
    target.add_argument("--time", type=positive, metavar="PS", help="total length of all runs, to compute the error")
    add_json(parser)

    parser = add_command(
        subparsers,
        "solvation",
        run_solvation,
        "analyse shells, ion pairs, residence times and networks in a trajectory",
        "solvation run.xtc --topology run.pdb --figure shells.png\n"
        "  electrolyte-ml solvation dump.lammpstrj --topology system.data --solvent 'BN=formula C4H7N' --json\n"
        "  electrolyte-ml solvation npt_run/  (of electrolyte-ml md)",
    )
    add_trajectories(parser)
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=[],
        metavar="NAME=Å",
        help="cutoffs of all species (default: the first minima of the RDFs)",
    )
    add_seed(parser, "seed of the bootstrap")
    add_json(parser)
    parser.add_argument("--figure", type=Path, metavar="PNG", help="figure to draw (.png, .pdf, .svg)")


def run_conductivity(args: argparse.Namespace) -> None:
    """Print the conductivity by every method, and draw the plateau."""
    from electrolyte_ml.analysis import measure_conductivity
    from electrolyte_ml.analysis.conductivity import METHODS

    if args.figure:
        check_output_file(args.figure, FIGURES)
    if args.viscosity and args.pressure:
        raise InputError("--viscosity and --pressure both give the viscosity: name one of them")
    for option in ("pressure_unit", "pressure_interval"):
        if getattr(args, option) and not args.pressure:
            raise InputError(f"--{option.replace('_', '-')} needs --pressure")
    methods = METHODS if args.method == ["all"] else tuple(args.method)
    if not (args.solvents or "nernst-einstein" in methods):
        refuse_given(args, ("viscosity", "pressure"), "--method nernst-einstein or --solvents, which it corrects")
    if args.window and args.window[0] >= args.window[1]:
        raise InputError(f"--window {args.window[0]:g} {args.window[1]:g}: the first time must be the smaller one")
    _check_temperature(args.temperature, list(_run_records(args)))
    runs = read_ions_of(args, progress=sys.stderr.isatty())
    _warn_of_heavy_hydrogen(runs, "diffusion and conductivity")
    viscosity, no_viscosity = _viscosity(args, runs[0].volume)
    result = measure_conductivity(
        runs,
        args.temperature,
        methods=methods,
        window_ps=(args.window[0], args.window[1]) if args.window else None,
        viscosity_mpa_s=viscosity.value if viscosity else args.viscosity,
    )
    if args.json:
        print(as_json_text(result.to_dict() | ({"viscosity": viscosity.to_dict()} if viscosity else {})))
    else:
        print(f"{len(runs)} x {runs[0].time_ps:g} ps of {_counted(runs[0].species)} at {args.temperature:g} K")
        print(result.report())
        if no_viscosity and "nernst-einstein" in result.estimates:
            print(f"no viscosity: {no_viscosity}")
        if viscosity:
            print(viscosity)
    if args.figure:
        from electrolyte_ml.figures import running_conductivity

        figure = running_conductivity(
            {name: estimate for name, estimate in result.estimates.items() if estimate.curve is not None},
            reference=", ".join(path.name for path in args.trajectories),
            scale=f"{len(runs)} x {runs[0].time_ps:g} ps, {args.temperature:g} K",
        )
        write_figure(figure, args.figure)
    if not result.estimates and (args.window or not result.bounds):
        raise InputError("no method gave a conductivity")


def _check_temperature(temperature: float, records: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    """Refuse a temperature that differs from the one recorded in the folder of a run."""
    for folder, run in records:
        recorded, end = run.get("temperature"), run.get("temperature_end")
        if run.get("ensemble") == "nve" or not isinstance(recorded, (int, float)):
            continue
        if end is not None:
            raise InputError(f"{folder}: the temperature changes from {recorded:g} to {end:g} K; it must be constant")
        if abs(recorded - temperature) > _SAME_TEMPERATURE:
            raise InputError(f"--temperature {temperature:g}: {folder} was run at {recorded:g} K")


def _run_records(args: argparse.Namespace) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield folder and recorded settings of every run that has them."""
    from electrolyte_ml.files import read_json

    for folder in run_paths(args):
        record = folder / "result.json"
        if folder.is_dir() and record.is_file():
            yield folder, read_json(record)


def _viscosity(args: argparse.Namespace, volume: float) -> tuple[TransportEstimate | None, str]:
    """Return the viscosity from --pressure or from pressures that all runs have recorded, or None and the reason."""
    from electrolyte_ml.analysis import run_viscosity
    from electrolyte_ml.production.result import measured_viscosity
    from electrolyte_ml.trajectories import read_stress_table

    if args.viscosity:
        return None, ""
    if not args.pressure:
        if args.join:
            return None, "the recorded pressures of parts of one run are not read (--pressure reads a table)"
        return measured_viscosity(run_paths(args), args.temperature)
    options = {"unit": args.pressure_unit, "interval_ps": args.pressure_interval}
    tables = [read_stress_table(path, volume, **options) for path in args.pressure]
    return run_viscosity(tables, args.temperature), ""


def run_plan_conductivity(args: argparse.Namespace) -> None:
    """Print the error of the conductivity for a length of the runs, or the reverse."""
    from electrolyte_ml.analysis import expected_error, needed_time

    time_ps = args.time or needed_time(args.tau, args.error)
    error = expected_error(args.tau, time_ps)
    if error > 1.0:
        raise InputError(
            f"--time {time_ps:g} ps is too short for tau = {args.tau:g} ps: sqrt(4 tau / 3 T) holds for runs much "
            f"longer than tau; below {4 * args.tau / 3:g} ps it exceeds 100 % and means nothing"
        )
    if args.json:
        print(as_json_text({"tau_ps": args.tau, "total_ps": time_ps, "relative_error": error}))
        return
    print(f"{time_ps / 1000:.4g} ns in all give an error of {error:.1%} (one standard error) for tau = {args.tau:g} ps")
    print("Check this error by the scatter of runs of at least ten tau each, from independent starts.")


def run_solvation(args: argparse.Namespace) -> None:
    """Print shells, residence times and networks, and draw them."""
    from electrolyte_ml.analysis import analyse_networks, analyse_solvation, find_shells

    if args.figure:
        check_output_file(args.figure, FIGURES)
    cutoffs = _cutoffs(args.cutoff)
    runs = open_trajectories(args)
    _warn_of_heavy_hydrogen(runs, "residence times")
    shells = find_shells(
        runs, cation=chosen_cation(args), cutoffs=cutoffs or None, seed=args.seed, progress=sys.stderr.isatty()
    )
    result = analyse_solvation(runs, shells=shells)
    networks = analyse_networks(runs, shells=shells)
    if args.figure:
        from electrolyte_ml.figures import solvation_overview

        names = ", ".join(str(path) for path in args.trajectories)
        frames = f"{result.n_frames} frames, {result.n_ions} {result.cation}"
        write_figure(solvation_overview(result, networks, reference=names, scale=frames), args.figure)
    if args.json:
        print(as_json_text({"solvation": result.to_dict(), "networks": networks.to_dict()}))
        return
    print(result)
    print()
    print(networks)
    if args.figure:
        print(f"\nFigure: {args.figure}")


def _cutoffs(items: Sequence[str]) -> dict[str, float]:
    """Return the cutoffs (Å) of ``--cutoff`` by name."""
    cutoffs = {}
    for name, value in pairs(items, "--cutoff").items():
        try:
            cutoffs[name] = float(value)
        except ValueError:
            raise InputError(f"--cutoff {name}={value}: not a distance in Å") from None
    return cutoffs


def _warn_of_heavy_hydrogen(runs: Sequence[Trajectory] | Sequence[IonTrajectory], quantities: str) -> None:
    """Print one line on standard error if hydrogens of a run have another mass than their own."""
    masses = {run.hydrogen_mass for run in runs if run.hydrogen_mass is not None}
    if masses:
        text = " and ".join(f"{mass:g}" for mass in sorted(masses))
        print(
            f"warning: hydrogens have {text} amu in these runs: {quantities} are those of the liquid only if runs of "
            "normal masses agree",
            file=sys.stderr,
        )


def _counted(names: Sequence[str]) -> str:
    """Return the names with their counts, such as "8 Li, 8 PF6"."""
    return ", ".join(f"{count} {name}" for name, count in Counter(str(name) for name in names).items())
