"""Commands of extrapolation grades: ``grade`` and ``select``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import (
    add_configurations,
    add_json,
    add_output,
    add_potential,
    add_rows,
    count,
    number,
    read,
)
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
        "choose the configurations that are worth a label, by MaxVol",
        "select pot.mtp new.xyz --train set.xyz -o chosen.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    _add_training_set(parser, required=False)
    parser.add_argument(
        "--count", type=count, help="choose so many, one after the other that of the largest grade (default: all new)"
    )
    parser.add_argument(
        "--threshold", type=number, help="growth of MaxVol's volume worth a label (default 1.001), without --count"
    )
    add_output(parser, "chosen configurations (.xyz, .cfg)")


def _add_training_set(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add what `read_active_set` needs."""
    none = "" if required else " (default: none is known)"
    parser.add_argument("--train", type=Path, required=required, metavar="SET", help=f"the training set{none}")
    add_rows(parser)


def read_active_set(args: argparse.Namespace, potential: Potential) -> ActiveSet:
    """Build the active set of the training set that the options name."""
    from electrolyte_ml.active_learning.active_set import ActiveSet

    _check_terms(args, potential)
    training = read(args, args.train, potential.species)
    with about(args.train):
        return ActiveSet.build(potential, training, mode=args.mode, terms=args.terms)


def _check_terms(args: argparse.Namespace, potential: Potential) -> None:
    """Refuse ``--terms`` that the potential has not."""
    from electrolyte_ml.active_learning.active_set import part_graded

    with about("--terms"):
        part_graded(potential, args.terms)


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
    from electrolyte_ml.active_learning.active_set import ActiveSet
    from electrolyte_ml.active_learning.choice import choose
    from electrolyte_ml.potentials import load
    from electrolyte_ml.structures import write_configurations

    check_output_file(args.output)
    if args.threshold is not None and args.count is not None:
        raise InputError("--threshold goes without --count")
    threshold = 1.001 if args.threshold is None else args.threshold
    if not threshold > 1:
        raise InputError(f"--threshold {threshold:g}: must be above 1")
    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    _check_terms(args, potential)
    known = read_active_set(args, potential) if args.train else None
    with about(args.data):
        if args.count is not None:
            chosen = choose(potential, configurations, args.count, args.mode, terms=args.terms, known=known)
        elif known is not None:
            chosen = known.select(configurations, threshold)
        else:
            chosen = ActiveSet.build(potential, configurations, args.mode, threshold=threshold, terms=args.terms).active
    if not len(chosen):
        print(f"none of {len(configurations)} configurations is new to {args.train}")
        return
    write_configurations(args.output, [configurations[k] for k in chosen])
    print(f"{len(chosen)} of {len(configurations)} configurations, {', '.join(map(str, chosen))}: {args.output}")
