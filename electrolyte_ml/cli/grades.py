"""The command of extrapolation grades: ``grade``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import add_configurations, add_json, add_mode, add_potential, read
from electrolyte_ml.cli.parser import Subparsers, add_command


def add_parser(subparsers: Subparsers) -> None:
    """Add ``grade``."""
    parser = add_command(
        subparsers,
        "grade",
        run_grade,
        "extrapolation grades of configurations",
        "grade pot.mtp new.xyz --train set.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    parser.add_argument("--train", type=Path, required=True, metavar="SET", help="the potential's training set")
    add_mode(parser)
    add_json(parser)


def run_grade(args: argparse.Namespace) -> None:
    """Print the grade of every configuration."""
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import load

    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    training = read(args, args.train, potential.species)
    with about(args.train):
        active_set = ActiveSet.build(potential, training, mode=args.mode)
    grades = []
    for number, atoms in enumerate(configurations, start=1):
        with about(f"{args.data}, configuration {number}"):
            grades.append(active_set.grade(atoms))
    if args.json:
        print(json.dumps({"mode": args.mode, "grades": grades, "max": max(grades)}, indent=1))
        return
    print("configuration  grade")
    for index, grade in enumerate(grades):
        print(f"{index:13d}  {grade:.4g}")
