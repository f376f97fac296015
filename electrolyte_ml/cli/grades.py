"""Commands for extrapolation grades: ``grade`` and ``select``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import (
    add_configurations,
    add_json,
    add_output,
    add_potential,
    add_rows,
    add_training_set,
    count,
    number,
    read,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_file

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.active_learning.active_set import Mode
    from electrolyte_ml.potentials import Potential


_HUGE = 1e3  # grade caused by a direction without any row in the active set, not by an unusual configuration


def add_parser(subparsers: Subparsers) -> None:
    """Add ``grade`` and ``select``."""
    parser = add_command(
        subparsers,
        "grade",
        run_grade,
        "compute extrapolation grades of configurations",
        "grade pot.mtp new.xyz --train set.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    _add_graded_by(parser, "the active set in the potential's file or beside it")
    add_json(parser)

    parser = add_command(
        subparsers,
        "select",
        run_select,
        "select configurations to label, by MaxVol",
        "select pot.mtp new.xyz --train set.xyz -o chosen.xyz",
    )
    add_potential(parser)
    add_configurations(parser)
    _add_graded_by(parser, "none")
    parser.add_argument(
        "--count",
        type=count,
        help="number of configurations, each of the largest grade relative to those before (default: all new ones)",
    )
    parser.add_argument(
        "--threshold",
        type=number,
        help="smallest growth of MaxVol's volume by a selected configuration (default 1.001), without --count",
    )
    add_output(parser, "selected configurations (.xyz, .cfg)")


def _add_graded_by(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options of `find_active_set`; `default` is the help's text on the default training set."""
    add_training_set(parser, f"training set (default: {default})")
    add_rows(parser)


def read_active_set(args: argparse.Namespace, potential: Potential) -> ActiveSet:
    """Return the active set of the training set of ``--train``."""
    from electrolyte_ml.active_learning.active_set import ActiveSet

    _check_terms(args, potential)
    training = read(args, args.train, potential.species)
    with about(args.train):
        return ActiveSet.build(potential, training, mode=mode_of(args), terms=args.terms)


def find_active_set(args: argparse.Namespace, potential: Potential, path: Path) -> ActiveSet | None:
    """Return the active set of the training set of ``--train``, else the one stored with the potential, or None.

    The latter is in the potential's file (MLIP-3's ``.almtp``), or in ``active_set.npz`` beside it.

    Raises
    ------
    InputError
        The stored set cannot be read, belongs to another potential, or has another mode or other terms than the
        options.
    """
    from electrolyte_ml.active_learning.active_set import ActiveSet
    from electrolyte_ml.active_learning.records import ACTIVE_SET
    from electrolyte_ml.potentials.mlip3 import has_selection

    if args.train is not None:
        return read_active_set(args, potential)
    beside = path.with_name(ACTIVE_SET)
    holder = path if path.is_file() and has_selection(path) else beside if beside.exists() else None
    if holder is None:
        return None
    stored = ActiveSet.load(holder, potential)
    for option, value, own in (("--mode", args.mode, stored.mode), ("--terms", tuple(args.terms), stored.terms)):
        if value and value != own:
            raise InputError(f"{holder}: its rows are not those of {option}; name the training set with --train")
    return stored


def mode_of(args: argparse.Namespace) -> Mode:
    """Return the mode of ``--mode``, by default that of active learning."""
    from electrolyte_ml.active_learning.sections import GradeSettings

    return args.mode or GradeSettings().mode


def _check_terms(args: argparse.Namespace, potential: Potential) -> None:
    """Refuse ``--terms`` that the potential lacks."""
    from electrolyte_ml.active_learning.active_set import part_graded

    with about("--terms"):
        part_graded(potential, args.terms)


def run_grade(args: argparse.Namespace) -> None:
    """Print the grade of every configuration."""
    import numpy as np

    from electrolyte_ml.potentials import load
    from electrolyte_ml.potentials.shipped import is_shipped
    from electrolyte_ml.potentials.sum import named_terms

    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    active_set = find_active_set(args, potential, args.potential)
    if active_set is None:
        named = f" {args.potential}" if is_shipped(str(args.potential)) else ""
        raise InputError(f"{args.potential} has no active set: name its training set (--train{named})")
    grades, places = [], []
    for index, atoms in enumerate(configurations, start=1):
        with about(f"{args.data}, configuration {index}"):
            grades.append(active_set.grade(atoms))
            if not np.isfinite(grades[-1]):
                raise InputError("its grade is not finite: are atoms on top of each other?")
            places.append(_least_certain(active_set, atoms))
    terms = list(active_set.terms or named_terms(potential))
    ranks = active_set.ranks()
    if args.json:
        values = {"mode": active_set.mode, "terms": terms, "ranks": ranks, "grades": grades, "max": max(grades)}
        print(as_json_text(values | {"least_certain": places}))
        return
    print(f"grades of mode {active_set.mode}, rows of {', '.join(terms)}")
    for term, (rank, most) in ranks.items():
        print(f"the training set spans {rank} of {most} directions of {term}")
    if max(grades) > _HUGE and any(rank < most for rank, most in ranks.values()):
        print(
            "warning: these grades are large because the training set spans too few directions, not because the "
            "configurations are unusual: it is too small for grades",
            file=sys.stderr,
        )
    print("configuration  grade" + ("      least certain" if places[0] else ""))
    for index, (grade, place) in enumerate(zip(grades, places), start=1):
        where = "" if place is None else "{element}{atom} of {molecule} (molecule {number})".format(**place)
        print(f"{index:13d}  {grade:<10.4g} {where}".rstrip())


def _least_certain(active_set: ActiveSet, atoms: Atoms) -> dict[str, Any] | None:
    """Return the atom of the highest grade with its molecule, both counted from 1; None if atoms are not graded."""
    from electrolyte_ml.structures import Topology

    worst = active_set.least_certain(atoms)
    if worst is None:
        return None
    atom, grade = worst
    topology = Topology.of(atoms)
    molecule = int(topology.labels[atom])
    symbol, name = str(atoms.symbols[atom]), topology.names[molecule]
    return {"atom": atom + 1, "element": symbol, "molecule": name, "number": molecule + 1, "grade": grade}


def run_select(args: argparse.Namespace) -> None:
    """Select configurations to label, and write them."""
    from electrolyte_ml.active_learning.active_set import ActiveSet
    from electrolyte_ml.active_learning.choice import choose
    from electrolyte_ml.potentials import load
    from electrolyte_ml.structures import write_configurations

    check_output_file(args.output)
    if args.threshold is not None and args.count is not None:
        raise InputError("--threshold and --count exclude each other")
    threshold = 1.001 if args.threshold is None else args.threshold
    if not threshold > 1:
        raise InputError(f"--threshold {threshold:g}: must be above 1")
    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species)
    _check_terms(args, potential)
    known = read_active_set(args, potential) if args.train else None
    with about(args.data):
        if args.count is not None:
            chosen = choose(potential, configurations, args.count, mode_of(args), terms=args.terms, known=known)
        elif known is not None:
            chosen = known.select(configurations, threshold)
        else:
            chosen = ActiveSet.build(
                potential, configurations, mode_of(args), threshold=threshold, terms=args.terms
            ).active
    if not len(chosen):
        print(f"none of {len(configurations)} configurations is new to {args.train}")
        return
    write_configurations(args.output, [configurations[k] for k in chosen])
    print(
        f"{len(chosen)} of {len(configurations)} configurations, {', '.join(str(k + 1) for k in chosen)}: {args.output}"
    )
