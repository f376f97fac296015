"""The command ``electrolyte-ml``: each subcommand is a thin face of one public function."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from electrolyte_ml.errors import ElectrolyteError, InputError

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

    from electrolyte_ml.potentials import MomentTensorPotential
    from electrolyte_ml.training import Errors
    from electrolyte_ml.trajectories import Trajectory


class _Parser(argparse.ArgumentParser):
    """Says a usage error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


class _Commands:
    """The subcommands: how each is called and what it does, side by side."""

    def __init__(self) -> None:
        self.parser = _Parser(
            prog="electrolyte-ml",
            description="Moment tensor potentials of battery electrolytes, learnt actively from real labels.",
            epilog="example: electrolyte-ml reproduce --only 04",
        )
        self.parser.add_argument("--version", action="version", version=_version())
        self._add = self.parser.add_subparsers(dest="command", metavar="COMMAND", required=True).add_parser

    def add(self, name: str, run: Callable[[argparse.Namespace], int | None], summary: str, example: str) -> _Parser:
        parser = self._add(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example:\n  electrolyte-ml {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        parser.set_defaults(run=run, parser=parser)
        return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns
    -------
    int
        0, 1 after an error, 2 for a command line that cannot be understood, 130 when interrupted.
    """
    try:
        args, unknown = build_parser().parse_known_args(arguments)
        if unknown:  # said by the command, whose --help is the one to see
            args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone (`| head`): nothing to say, and nobody to hear it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ElectrolyteError, OSError, MemoryError) as error:
        if args.debug:
            traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 1
    except Exception as error:  # a fault of ours: still one line, and how to see more
        if args.debug:
            traceback.print_exc()
        hint = "" if args.debug else " (a fault of electrolyte-ml; --debug shows where)"
        print(f"error: {type(error).__name__}: {_one_line(error)}{hint}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    commands = _Commands()

    parser = commands.add("reproduce", _reproduce, "run the notebooks and judge the claims", "reproduce --only 04")
    parser.add_argument("--only", metavar="NN", help="run only the notebooks whose names begin so")
    parser.add_argument("--scale", help="quick (default), standard or paper")

    parser = commands.add(
        "train", _train, "train a potential on labelled configurations", "train set.xyz --level 16 -o pot.mtp"
    )
    _add_data(parser)
    _add_model(parser)
    parser.add_argument("--start", type=Path, metavar="POT", help="start from this potential instead of random numbers")
    parser.add_argument("--energy-weight", type=_not_negative, default=1.0, help="w_e of the loss (default 1)")
    parser.add_argument("--force-weight", type=_not_negative, default=0.01, help="w_f of the loss (default 0.01)")
    parser.add_argument("--stress-weight", type=_not_negative, default=0.0, help="w_s of the loss (default 0)")
    parser.add_argument("--method", choices=("default", "paper"), default="default", help="how the loss is minimised")
    parser.add_argument("--max-iterations", type=_count, help="stop the optimiser after so many iterations")
    parser.add_argument("--checkpoint", type=Path, help="file from which an interrupted fit goes on")
    _add_output(parser, "potential to write (.mtp)")

    parser = commands.add(
        "evaluate", _evaluate, "errors of a potential on labelled configurations", "evaluate pot.mtp test.xyz --json"
    )
    _add_potential(parser)
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = commands.add(
        "grade", _grade, "extrapolation grades of configurations", "grade pot.mtp new.xyz --train set.xyz"
    )
    _add_potential(parser)
    parser.add_argument("data", type=Path, metavar="DATA", help="configurations (.xyz, .extxyz, .cfg)")
    parser.add_argument("--train", type=Path, required=True, metavar="SET", help="the potential's training set")
    _add_mode(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = commands.add(
        "md",
        _md,
        "molecular dynamics with a potential",
        "md pot.mtp start.xyz --ensemble npt --temperature 300 --pressure 1 --time 10 -o run",
    )
    _add_potential(parser)
    parser.add_argument("start", type=Path, metavar="START", help="starting configuration (the last one of the file)")
    parser.add_argument("--ensemble", choices=("nve", "nvt", "npt"), default="npt")
    parser.add_argument("--temperature", type=_positive, default=300.0, help="K (default 300)")
    parser.add_argument("--pressure", type=_number, default=1.01325, help="bar (default 1.01325)")
    parser.add_argument("--time", type=_positive, required=True, help="ps")
    parser.add_argument("--timestep", type=_timestep, default=1.0, help="fs, up to 10 (default 1)")
    parser.add_argument(
        "--precision", choices=("double", "mixed"), default="double", help="mixed: pairs in float32, 1.3 times faster"
    )
    parser.add_argument(
        "--train", type=Path, metavar="SET", help="watch the grade against this training set, every tenth step"
    )
    _add_mode(parser)
    parser.add_argument("--relax", type=_whole, default=0, help="steps of minimisation before the run (default 0)")
    parser.add_argument("--seed", type=_whole, default=0, help="of the velocities (default 0)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the run, which the same command resumes (default START_ENSEMBLE)",
    )

    parser = commands.add(
        "active-learn", _active_learn, "learn a potential actively, resuming where it was", "active-learn runs/ec"
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder with settings.toml, which keeps everything")

    parser = commands.add(
        "label", _label, "label configurations with a reference", "label in.xyz --reference gfn1-xtb -j 2 -o out.xyz"
    )
    parser.add_argument("data", type=Path, metavar="IN", help="configurations (.xyz, .extxyz, .cfg)")
    parser.add_argument("--reference", default="gfn1-xtb", help="preset, ASE calculator or command (default gfn1-xtb)")
    parser.add_argument("-j", "--jobs", type=_count, default=1, help="labels computed at once (default 1)")
    parser.add_argument("--store", type=Path, default=Path("labels"), help="folder of all labels (default labels/)")
    parser.add_argument("--retry", action="store_true", help="try again what failed in an earlier call")
    parser.add_argument("--species", nargs="+", metavar="X", help="elements of a .cfg, in the order of its types")
    _add_output(parser, "labelled configurations (default IN.labelled.extxyz)", required=False)

    parser = commands.add("box", _box, "pack molecules into a periodic box", "box EC=16 --density 1.3 -o box.xyz")
    parser.add_argument("composition", nargs="+", metavar="NAME=COUNT", help="molecules: EC, EMC, Li, PF6, LiPF6")
    parser.add_argument("--density", type=_positive, required=True, help="g/cm³")
    parser.add_argument("--seed", type=_whole, default=0, help="of the packing (default 0)")
    _add_output(parser, "configuration to write")

    parser = commands.add(
        "new", _new, "write a potential with random parameters", "new --level 16 --species H C O --seed 0 -o random.mtp"
    )
    _add_model(parser, species_required=True)
    _add_output(parser, "potential to write (.mtp)")

    parser = commands.add("info", _info, "what a potential or a level consists of", "info --level 16 --species H C O")
    parser.add_argument("potential", nargs="?", type=Path, metavar="POT", help="potential (.mtp)")
    parser.add_argument("--level", type=_whole, help="even number from 2")
    parser.add_argument("--species", nargs="+", metavar="X", help="chemical symbols, in the file's order")
    parser.add_argument("--radial-basis-size", type=_count, default=8)
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = commands.add(
        "conductivity",
        _conductivity,
        "ionic conductivity of independent trajectories, by several methods",
        "conductivity run1.trr run2.trr --topology box.gro --temperature 300 --method all --figure sigma.png\n"
        "  electrolyte-ml conductivity nvt_run/ --temperature 300 --window 200 500 --json",
    )
    _add_trajectories(parser)
    parser.add_argument("--temperature", type=_positive, required=True, help="K")
    parser.add_argument(
        "--method",
        nargs="+",
        default=["green-kubo", "einstein-helfand", "nernst-einstein", "onsager"],
        metavar="M",
        help="green-kubo einstein-helfand nernst-einstein onsager (default: these) stacie kinisi, or all",
    )
    parser.add_argument(
        "--window", nargs=2, type=_positive, metavar=("A", "B"), help="plateau, ps (default: found); the paper: 200 500"
    )
    parser.add_argument("--viscosity", type=_positive, metavar="MPA_S", help="for the correction of Nernst-Einstein")
    parser.add_argument("--unwrapped", action="store_true", help="positions cross the cell's faces freely")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw sigma(t) with its plateau (.png, .pdf, .svg)")

    parser = commands.add(
        "plan-conductivity",
        _plan_conductivity,
        "how long to run for a wanted error of a conductivity",
        "plan-conductivity --tau 300 --error 0.1",
    )
    parser.add_argument(
        "--tau", type=_positive, required=True, metavar="PS", help="end of the integral; a + (b - a)/3 of a window a-b"
    )
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--error", type=_fraction, help="relative error that is wanted, such as 0.1")
    wanted.add_argument("--time", type=_positive, metavar="PS", help="length of all runs, whose error is wanted")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = commands.add(
        "solvation",
        _solvation,
        "shells, ion pairs, residence times and networks in a trajectory",
        "solvation run.xtc --topology run.pdb --figure shells.png\n"
        "  electrolyte-ml solvation dump.lammpstrj --topology system.data --solvent 'BN=formula C4H7N' --json\n"
        "  electrolyte-ml solvation npt_run/  (of electrolyte-ml md)",
    )
    _add_trajectories(parser)
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=[],
        metavar="NAME=Å",
        help="of all species (default: the first minima of the RDFs)",
    )
    parser.add_argument("--seed", type=_whole, default=0, help="of the bootstrap (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="figure to draw (.png, .pdf, .svg)")

    parser = commands.add(
        "benchmark", _benchmark, "time the kernels here", "benchmark --levels 16 --atoms 1000 --tasks forces"
    )
    parser.add_argument("--levels", nargs="+", type=_whole, default=[12, 16, 20], help="default 12 16 20")
    parser.add_argument(
        "--atoms", nargs="+", type=_count, default=[160, 1000, 4000, 32000], help="default 160 1000 4000 32000"
    )
    parser.add_argument("--threads", nargs="+", type=_count, help="of our kernels (default: 1 and all)")
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        default=["forces", "gradient", "rows", "md", "neighbours"],
        help="of forces gradient rows md neighbours (default: all)",
    )
    parser.add_argument("--repeats", type=_count, default=7, help="rounds of the interleaved measurement (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    _add_output(parser, "JSON file to write beside what is printed", required=False)

    commands.add("warmup", _warmup, "compile every kernel, once for all later runs", "warmup")
    return commands.parser


# -- arguments that several commands share ----------------------------------------------------------------------------


def _add_potential(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("potential", type=Path, metavar="POT", help="potential (.mtp)")
    parser.add_argument("--species", nargs="+", metavar="X", help="chemical symbols, for files that carry none")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DATA", help="labelled configurations (.xyz, .extxyz, .cfg)")
    parser.add_argument("--energy-key", help="name of the energy in the file, if not ASE's")
    parser.add_argument("--forces-key", help="name of the forces in the file, if not ASE's")
    parser.add_argument("--stress-key", help="name of the stress in the file, if not ASE's")


def _add_model(parser: argparse.ArgumentParser, species_required: bool = False) -> None:
    parser.add_argument("--level", type=_whole, default=16, help="even number from 2 (default 16)")
    parser.add_argument(
        "--species",
        nargs="+",
        metavar="X",
        required=species_required,
        help="chemical symbols" + ("" if species_required else " (default: those of the data, by atomic number)"),
    )
    parser.add_argument("--cutoff", type=_positive, default=5.0, help="Å (default 5)")
    parser.add_argument("--min-distance", type=_not_negative, default=0.9, help="Å (default 0.9)")
    parser.add_argument("--radial-basis-size", type=_count, default=8, help="Chebyshev polynomials (default 8)")
    parser.add_argument("--seed", type=_whole, default=0, help="of the random parameters (default 0)")


def _add_trajectories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trajectories",
        nargs="+",
        type=Path,
        metavar="TRAJ",
        help="runs of one system, each a file or the folder of a run",
    )
    parser.add_argument("--topology", type=Path, metavar="T", help="file that says what the atoms are")
    parser.add_argument(
        "--cation",
        nargs="+",
        default=[],
        metavar="NAME[=SELECTION]",
        help="cations that are not known; the first one is the one whose shells are read (selections are MDAnalysis's, "
        "or 'formula C4H8O3')",
    )
    parser.add_argument("--li", metavar="SELECTION", help="short for --cation Li=SELECTION")
    parser.add_argument("--anion", nargs="+", default=[], metavar="NAME=SELECTION", help="anions not known")
    parser.add_argument("--solvent", nargs="+", default=[], metavar="NAME=SELECTION", help="solvents not known")
    parser.add_argument(
        "--charge", nargs="+", default=[], metavar="NAME=Q", help="of one such ion, e (default 1 and -1), as Mg=2"
    )
    parser.add_argument(
        "--donor",
        nargs="+",
        default=[],
        metavar="NAME:KIND=SELECTION",
        help="donors of these (default: by their bonds)",
    )
    parser.add_argument("--timestep", type=_positive, metavar="PS", help="between frames, if the file does not say it")
    parser.add_argument(
        "--cell", nargs="+", type=_positive, metavar="Å", help="lengths (and angles), if not in the file"
    )
    parser.add_argument("--elements", nargs="+", default=[], metavar="TYPE=X", help="element of each type of atom")
    parser.add_argument("--lammps-units", choices=("metal", "real"), help="of the velocities of a LAMMPS dump")
    parser.add_argument("--begin", type=_whole, default=0, metavar="N", help="leave out the first N frames (default 0)")
    parser.add_argument("--end", type=_count, metavar="N", help="leave out what comes after the first N frames")
    parser.add_argument("--stride", type=_count, default=1, metavar="N", help="take every N-th frame (default 1)")


def _add_mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=("configuration", "neighbourhood"),
        default="configuration",
        help="grade of the configuration as a whole (default) or of its worst atom",
    )


def _add_output(parser: argparse.ArgumentParser, help: str, required: bool = True) -> None:
    parser.add_argument("-o", "--output", type=Path, required=required, metavar="FILE", help=help)


def _number(text: str) -> float:
    value = float(text)
    if value - value != 0.0:  # NaN and infinity
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _timestep(text: str) -> float:
    value = _positive(text)
    if value > 10.0:
        raise argparse.ArgumentTypeError(f"{text!r} is above 10 fs, in which a bond with hydrogen vibrates once")
    return value


def _fraction(text: str) -> float:
    value = _number(text)
    if not 1e-4 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction between 0.0001 and 1")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return value


for _type in (_number, _positive, _timestep, _fraction, _not_negative):
    _type.__name__ = "number"  # argparse names the type when float() or int() refuses: "invalid number value: 'x'"
for _type in (_whole, _count):
    _type.__name__ = "whole number"


# -- commands ---------------------------------------------------------------------------------------------------------


def _reproduce(args: argparse.Namespace) -> int:
    from electrolyte_ml.reproduce import reproduce

    return 1 if reproduce(args.scale, args.only).failed else 0


def _train(args: argparse.Namespace) -> None:
    from electrolyte_ml.potentials import MomentTensorPotential, load
    from electrolyte_ml.training import train

    _check_output(args.output)
    if args.checkpoint:
        _check_output(args.checkpoint)
    if not (args.energy_weight or args.force_weight or args.stress_weight):
        raise InputError("--energy-weight, --force-weight and --stress-weight are all 0: there is nothing to fit")
    configurations = _read_labelled(args, args.species)
    if args.start:
        start = load(args.start, species=args.species)
    else:
        start = MomentTensorPotential.random(
            level=args.level,
            species=tuple(args.species or _species_of(configurations)),
            cutoff=args.cutoff,
            seed=args.seed,
            min_distance=args.min_distance,
            radial_basis_size=args.radial_basis_size,
        )
    limits = {} if args.max_iterations is None else {"max_iterations": args.max_iterations}
    with _about(args.data):
        result = train(
            configurations,
            start,
            energy_weight=args.energy_weight,
            force_weight=args.force_weight,
            stress_weight=args.stress_weight,
            method=args.method,
            checkpoint=args.checkpoint,
            **limits,
        )
    result.potential.save(args.output)
    print(f"{len(configurations)} configurations, {start.n_parameters} parameters: {result.message}")
    print(result.errors)
    print(f"Potential: {args.output}")


def _evaluate(args: argparse.Namespace) -> None:
    from electrolyte_ml.potentials import load
    from electrolyte_ml.training import evaluate_errors

    potential = load(args.potential, species=args.species)
    configurations = _read_labelled(args, potential.species)
    with _about(args.data):
        errors = evaluate_errors(potential, configurations)
    print(json.dumps(_errors_dict(errors), indent=1) if args.json else errors)


def _grade(args: argparse.Namespace) -> None:
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import load
    from electrolyte_ml.structures import read_configurations

    potential = load(args.potential, species=args.species)
    configurations = read_configurations(args.data, species=potential.species)
    training = read_configurations(args.train, species=potential.species)
    with _about(args.train):
        active_set = ActiveSet.build(potential, training, mode=args.mode)
    grades = []
    for number, atoms in enumerate(configurations, start=1):
        with _about(f"{args.data}, configuration {number}"):
            grades.append(active_set.grade(atoms))
    if args.json:
        print(json.dumps({"mode": args.mode, "grades": grades, "max": max(grades)}, indent=1))
        return
    print("configuration  grade")
    for index, grade in enumerate(grades):
        print(f"{index:13d}  {grade:.4g}")


def _md(args: argparse.Namespace) -> int:
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.dynamics import ContactMonitor, GradeMonitor, MoleculeMonitor, run_md
    from electrolyte_ml.potentials import load
    from electrolyte_ml.potentials.neighbourhoods import species_indices
    from electrolyte_ml.structures import read_configurations

    directory = args.output or Path(f"{args.start.stem}_{args.ensemble}")
    _check_folder(directory)
    if 1000 * args.time < args.timestep:
        raise InputError(f"--time {args.time:g} ps is shorter than one step (--timestep {args.timestep:g} fs)")
    potential = load(args.potential, species=args.species)
    start = read_configurations(args.start, species=potential.species, index=-1)[0]
    with _about(args.start):
        species_indices(start, potential.species)
    monitors = [MoleculeMonitor(start), ContactMonitor()]
    if args.train:
        training = read_configurations(args.train, species=potential.species)
        with _about(args.train):
            active_set = ActiveSet.build(potential, training, mode=args.mode)
        monitors.append(GradeMonitor(active_set, every=10))
    with _in_options(pressure_bar="--pressure", timestep_fs="--timestep", time_ps="--time"):
        result = run_md(
            start,
            potential.with_precision(args.precision),
            ensemble=args.ensemble,
            temperature=args.temperature,
            pressure_bar=args.pressure,
            time_ps=args.time,
            timestep_fs=args.timestep,
            directory=directory,
            monitors=monitors,
            relax=args.relax,
            seed=args.seed,
        )
    half = result.times_ps >= result.times_ps[-1] / 2
    print(
        f"{result.steps * args.timestep / 1000:g} ps: {result.reason}" + (f", {result.detail}" if result.detail else "")
    )
    print(f"second half: {result.temperatures[half].mean():.1f} K, density {result.densities[half].mean():.4f} g/cm³")
    if args.train:
        print(f"{len(result.saved)} configurations saved above grade 2")
    print(f"Trajectory: {result.directory}")
    return 0 if result.completed else 1


def _active_learn(args: argparse.Namespace) -> int:
    from electrolyte_ml.active_learning import active_learn

    result = active_learn(args.directory)
    print(result.message)
    print(f"Potential: {result.directory / 'potential.mtp'}")
    return 0 if result.converged else 1


def _label(args: argparse.Namespace) -> int:
    from electrolyte_ml.reference import label_file

    output, result = label_file(
        args.data, args.output, args.reference, args.jobs, args.store, species=args.species, retry_failed=args.retry
    )
    print(f"{result.computed} computed, {result.reused} reused, {len(result.failed)} failed")
    for failure in result.failed:
        print(f"configuration {failure.index + 1}: {failure.reason}", file=sys.stderr)
    if len(result.failed) < len(result.labelled):
        print(f"Labels: {output}")
    return 1 if result.failed else 0


def _box(args: argparse.Namespace) -> None:
    from electrolyte_ml.structures import density, pack, parse_composition, write_configurations

    _check_output(args.output, (".xyz", ".extxyz", ".cfg"))
    box = pack(parse_composition(args.composition), args.density, seed=args.seed)
    write_configurations(args.output, [box])
    print(f"{len(box)} atoms in a cube of {box.cell.lengths()[0]:.3f} Å, {density(box):.4f} g/cm³: {args.output}")


def _new(args: argparse.Namespace) -> None:
    from electrolyte_ml.potentials import MomentTensorPotential

    _check_output(args.output)
    potential = MomentTensorPotential.random(
        level=args.level,
        species=tuple(args.species),
        cutoff=args.cutoff,
        seed=args.seed,
        min_distance=args.min_distance,
        radial_basis_size=args.radial_basis_size,
    )
    potential.save(args.output)
    print(f"level {args.level}, {potential.n_parameters} random parameters: {args.output}")


def _info(args: argparse.Namespace) -> None:
    from electrolyte_ml.potentials import MomentTensorPotential, load

    if (args.potential is None) == (args.level is None):
        raise InputError("info takes either a potential's file or --level with --species")
    if args.potential is not None:
        potential = load(args.potential, species=args.species)
    elif args.species:
        potential = MomentTensorPotential.random(
            level=args.level, species=tuple(args.species), radial_basis_size=args.radial_basis_size
        )
    else:
        raise InputError("--level needs --species, for example --species H C O")
    facts = _describe(potential)
    if args.potential is None:  # what only a file can tell
        for name in ("cutoff", "min_distance", "scaling", "reference"):
            del facts[name]
    if args.json:
        print(json.dumps(facts, indent=1))
    else:
        for name, value in facts.items():
            shown = " ".join(value) if isinstance(value, list) else value
            print(f"{name.replace('_', ' '):<20} {'unknown' if shown is None else shown}")


def _conductivity(args: argparse.Namespace) -> None:
    from electrolyte_ml.analysis import measure_conductivity
    from electrolyte_ml.analysis.conductivity import METHODS
    from electrolyte_ml.trajectories import read_ions

    if args.figure:
        _check_output(args.figure, (".png", ".pdf", ".svg"))
    methods = METHODS if args.method == ["all"] else tuple(args.method)
    if args.window and args.window[0] >= args.window[1]:
        raise InputError(f"--window {args.window[0]:g} {args.window[1]:g}: it must begin before it ends")
    trajectories = _open_trajectories(args)
    runs = [read_ions(one, already_unwrapped=args.unwrapped, progress=sys.stderr.isatty()) for one in trajectories]
    window = tuple(args.window) if args.window else None
    result = measure_conductivity(
        runs, args.temperature, methods=methods, window_ps=window, viscosity_mpa_s=args.viscosity
    )
    if args.json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(f"{len(runs)} x {runs[0].time_ps:g} ps of {_counted(runs[0].species)} at {args.temperature:g} K")
        print(result.report())
    if args.figure:
        from electrolyte_ml.figures import running_conductivity

        curves = {name: one for name, one in result.estimates.items() if one.curve is not None}
        figure = running_conductivity(
            curves,
            reference=", ".join(path.name for path in args.trajectories),
            scale=f"{len(runs)} x {runs[0].time_ps:g} ps, {args.temperature:g} K",
        )
        _save(figure, args.figure)
    if not result.estimates:
        raise InputError("no method gave a conductivity")


def _plan_conductivity(args: argparse.Namespace) -> None:
    from electrolyte_ml.analysis import expected_error, needed_time

    time_ps = args.time or needed_time(args.tau, args.error)
    error = expected_error(args.tau, time_ps)
    if args.json:
        print(json.dumps({"tau_ps": args.tau, "total_ps": time_ps, "relative_error": error}, indent=1))
        return
    print(f"{time_ps / 1000:.4g} ns in all give an error of {error:.1%} (one standard error) for tau = {args.tau:g} ps")
    print("Runs of at least ten tau each, from independent starts, show by their scatter whether that holds.")


def _solvation(args: argparse.Namespace) -> None:
    from electrolyte_ml.analysis import analyse_networks, analyse_solvation, find_shells

    if args.figure:
        _check_output(args.figure, (".png", ".pdf", ".svg"))
    cutoffs = {}
    for name, value in _pairs(args.cutoff, "--cutoff").items():
        try:
            cutoffs[name] = float(value)
        except ValueError:
            raise InputError(f"--cutoff {name}={value}: not a distance in Å") from None
    runs = _open_trajectories(args)
    cation = "Li" if args.li else args.cation[0].partition("=")[0] if args.cation else None
    shells = find_shells(runs, cation=cation, cutoffs=cutoffs or None, seed=args.seed, progress=sys.stderr.isatty())
    result = analyse_solvation(runs, shells=shells)
    networks = analyse_networks(runs, shells=shells)
    if args.figure:
        from electrolyte_ml.figures import solvation_overview

        names = ", ".join(str(path) for path in args.trajectories)
        frames = f"{result.n_frames} frames, {result.n_ions} {result.cation}"
        _save(solvation_overview(result, networks, reference=names, scale=frames), args.figure)
    if args.json:
        print(json.dumps({"solvation": result.to_dict(), "networks": networks.to_dict()}, indent=1))
        return
    print(result)
    print()
    print(networks)
    if args.figure:
        print(f"\nFigure: {args.figure}")


def _benchmark(args: argparse.Namespace) -> None:
    from electrolyte_ml.benchmark import benchmark, format_benchmark
    from electrolyte_ml.files import atomic_write

    if args.output:
        _check_output(args.output)
    result = benchmark(args.levels, args.atoms, args.threads, args.tasks, repeats=args.repeats)
    text = json.dumps(result, indent=1)
    if args.output:
        atomic_write(args.output, text + "\n")
    print(text if args.json else format_benchmark(result))


def _warmup(args: argparse.Namespace) -> None:
    from electrolyte_ml.warmup import warm_up

    print("Compiling the kernels that are not on disk yet", flush=True)
    print(f"Ready after {warm_up():.1f} s")


# -- helpers ----------------------------------------------------------------------------------------------------------


def _version() -> str:
    from electrolyte_ml import __version__

    return f"electrolyte-ml {__version__}"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory; use a smaller box, a lower level or fewer jobs"
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _about(what: object) -> Iterator[None]:
    """Let an error in the input say which file it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


@contextmanager
def _in_options(**options: str) -> Iterator[None]:
    """Let an error speak of options where the function behind the command speaks of its parameters."""
    try:
        yield
    except InputError as error:
        said = re.sub(r"\w+", lambda word: options.get(word[0], word[0]), str(error))
        raise InputError(said) from error


def _check_folder(path: Path) -> None:
    """Refuse, before any work, a path at which no folder is and none can be made."""
    if path.is_dir():
        return
    if path.exists():
        raise InputError(f"{path} is not a folder: name one to write to")
    _check_output(path)


def _check_output(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse, before any work, a path at which the result could not be written."""
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{path}: the name must end in {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file to write")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: {path} cannot be written")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} is not writable: {path} cannot be written")


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _integer(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option}={text}: not a whole number") from None


def _pairs(items: Sequence[str], option: str) -> dict[str, str]:
    """Split NAME=VALUE."""
    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not (name and sign and value):
            raise InputError(f"{option} {item}: write NAME=VALUE")
        found[name] = value
    return found


def _open_trajectories(args: argparse.Namespace) -> list[Trajectory]:
    import warnings

    from electrolyte_ml.trajectories import Role, open_trajectory

    donors: dict[str, dict[str, str]] = {}
    for key, selection in _pairs(args.donor, "--donor").items():
        name, sign, kind = key.partition(":")
        if not sign:
            raise InputError(f"--donor {key}={selection}: write NAME:KIND=SELECTION")
        donors.setdefault(name, {})[kind] = selection
    charges = {name: _integer(value, f"--charge {name}") for name, value in _pairs(args.charge, "--charge").items()}
    cations = ([f"Li={args.li}"] if args.li else []) + [item for item in args.cation if "=" in item]
    roles = {}
    for option, kind, items in (
        ("--cation", "cation", cations),
        ("--anion", "anion", args.anion),
        ("--solvent", "solvent", args.solvent),
    ):
        for name, selection in _pairs(items, option).items():
            if name in roles:
                raise InputError(f"{option} {name}={selection}: {name} is named twice")
            roles[name] = Role(selection, kind=kind, charge=charges.pop(name, None), donors=donors.pop(name, None))
    for option, left in (("--donor", donors), ("--charge", charges)):
        if left:
            raise InputError(f"{option} {next(iter(left))}: name the species by --cation, --anion or --solvent as well")
    runs = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        for path in args.trajectories:
            run = open_trajectory(
                path,
                topology=args.topology,
                roles=roles,
                timestep_ps=args.timestep,
                cell=args.cell[0] if args.cell and len(args.cell) == 1 else args.cell,
                elements=_pairs(args.elements, "--elements") or None,
                lammps_units=args.lammps_units,
            )
            runs.append(run[args.begin : args.end : args.stride])
    for warning in said:
        if "whole frames" in str(warning.message):
            print(f"warning: {_one_line(warning.message)}", file=sys.stderr)
    return runs


def _read_labelled(args: argparse.Namespace, species: Sequence[str] | None) -> list[Atoms]:
    from electrolyte_ml.structures import read_configurations

    return read_configurations(
        args.data,
        species=species,
        energy_key=args.energy_key,
        forces_key=args.forces_key,
        stress_key=args.stress_key,
        labelled=True,
    )


def _species_of(configurations: Sequence[Atoms]) -> list[str]:
    """The elements of a set, by atomic number."""
    from ase.data import chemical_symbols

    return [chemical_symbols[z] for z in sorted({int(z) for atoms in configurations for z in atoms.numbers})]


def _counted(names: Sequence[str]) -> str:
    """Such as "8 Li, 8 PF6"."""
    from collections import Counter

    return ", ".join(f"{count} {name}" for name, count in Counter(str(name) for name in names).items())


def _describe(potential: MomentTensorPotential) -> dict[str, Any]:
    return {
        "level": potential.level,
        "species": list(potential.species),
        "basis_functions": len(potential.moments),
        "radial_functions": potential.radial.shape[2],
        "radial_basis_size": potential.radial_basis_size,
        "parameters": potential.n_parameters,
        "cutoff": potential.cutoff,
        "min_distance": potential.min_distance,
        "scaling": potential.scaling,
        "reference": potential.reference,
    }


def _errors_dict(errors: Errors) -> dict[str, float | int | None]:
    """Without NaN, which JSON does not have: nothing was labelled with what is None."""
    return {name: None if value != value else value for name, value in asdict(errors).items()}
