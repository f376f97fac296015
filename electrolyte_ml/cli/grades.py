"""Commands of extrapolation grades: ``grade`` and ``select``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import add_configurations, add_json, add_output, add_potential, add_rows, number, read
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file

if TYPE_CHECKING:
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import Potential


def add_parser(subparsers: Subparsers) -> None:
    """Add ``grade`` and ``select``."""
    parser = add_command(
        subparsers,
        "grade",
        run_grade,
        "extrapolation grades of configurations",
        "grade pot.mtp new.xyz --train set.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    _add_training_set(parser)
    add_json(parser)

    parser = add_command(
        subparsers,
        "select",
        run_select,
        "choose the configurations that MaxVol would add to a training set",
        "select pot.mtp new.xyz --train set.xyz -o chosen.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    _add_training_set(parser)
    parser.add_argument(
        "--threshold",
        type=number,
        default=1.001,
        help="growth of MaxVol's volume worth a label (default 1.001)",
    )
    add_output(parser, "chosen configurations (.xyz, .cfg)")


def _add_training_set(parser: argparse.ArgumentParser) -> None:
    """Add what `read_active_set` needs."""
    parser.add_argument("--train", type=Path, required=True, metavar="SET", help="the potential's training set")
    add_rows(parser)


def read_active_set(args: argparse.Namespace, potential: Potential) -> ActiveSet:
    """Build the active set of the training set that the options name."""
    from electrolyte_ml.active_learning.active_set import ActiveSet, part_graded

    with about("--terms"):
        part_graded(potential, args.terms)
    training = read(args, args.train, potential.species)
    with about(args.train):
        return ActiveSet.build(potential, training, mode=args.mode, terms=args.terms)


def run_grade(args: argparse.Namespace) -> None:
    """Print the grade of every configuration."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.potentials.sum import named_terms

    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    active_set = read_active_set(args, potential)
    grades = []
    for index, atoms in enumerate(configurations, start=1):
        with about(f"{args.data}, configuration {index}"):
            grades.append(active_set.grade(atoms))
    terms = list(active_set.terms or named_terms(potential))
    if args.json:
        print(json.dumps({"mode": args.mode, "terms": terms, "grades": grades, "max": max(grades)}, indent=1))
        return
    print(f"grades of mode {args.mode}, rows of {', '.join(terms)}")
    print("configuration  grade")
    for index, grade in enumerate(grades):
        print(f"{index:13d}  {grade:.4g}")


def run_select(args: argparse.Namespace) -> None:
    """Write the configurations that are worth a label."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.structures import write_configurations

    check_output_file(args.output)
    if not args.threshold > 1:
        raise InputError(f"--threshold {args.threshold:g}: must be above 1")
    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    active_set = read_active_set(args, potential)
    with about(args.data):
        chosen = active_set.select(configurations, args.threshold)
    if not len(chosen):
        print(f"none of {len(configurations)} configurations is new to {args.train}")
        return
    write_configurations(args.output, [configurations[k] for k in chosen])
    print(f"{len(chosen)} of {len(configurations)} configurations, {', '.join(map(str, chosen))}: {args.output}")
