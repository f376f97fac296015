"""Commands that judge a potential and advise on the next one: ``evaluate`` and ``suggest``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.grades import read_active_set
from electrolyte_ml.cli.messages import about, in_options
from electrolyte_ml.cli.options import (
    add_configurations,
    add_json,
    add_own_molecules,
    add_potential,
    add_rows,
    count,
    own_molecules,
    positive,
    read,
    whole,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file, check_output_folder

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import Potential


def add_parser(subparsers: Subparsers) -> None:
    """Add ``evaluate`` and ``suggest``."""
    parser = add_command(
        subparsers,
        "evaluate",
        run_evaluate,
        "errors of a potential on labelled configurations",
        "evaluate pot.mtp test.xyz --sites --figure errors.png",
    )
    add_potential(parser)
    add_configurations(parser, labelled=True)
    parser.add_argument("--sites", action="store_true", help="print force errors by element, molecule and site")
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="PATH",
        help="draw parity by element, errors by site and, with an active set, errors against grades: a folder, or the "
        "name of the first PNG, which the others extend",
    )
    parser.add_argument(
        "--train",
        type=Path,
        metavar="SET",
        help="the potential's training set, for grades (default: active_set.npz beside the potential, if it is there)",
    )
    add_rows(parser)
    add_own_molecules(parser)
    add_json(parser)

    parser = add_command(
        subparsers,
        "suggest",
        run_suggest,
        "level, cutoff, weights and number of labels for a wanted error, from a learning curve on your labels",
        "suggest set.xyz --target-force-error 0.1 --minutes 60 --figure learning_curve.png",
    )
    add_configurations(parser, labelled=True)
    parser.add_argument(
        "--target-force-error",
        type=positive,
        default=0.1,
        metavar="ERROR",
        help="wanted RMSE of force components on unseen configurations, eV/Å (default 0.1)",
    )
    parser.add_argument("--levels", nargs="+", type=whole, default=[8, 12, 16], help="default 8 12 16")
    parser.add_argument("--cutoffs", nargs="+", type=positive, default=[5.0], help="Å (default 5)")
    parser.add_argument("--splits", type=count, default=3, help="ways to hold a fifth out (default 3)")
    parser.add_argument("--max-iterations", type=count, default=300, help="of each fit (default 300)")
    parser.add_argument("--minutes", type=positive, default=30.0, help="time for fits, about (default 30)")
    parser.add_argument("--jobs", type=count, help="fits at once (default: one per core)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the fits, with which the command goes on where it was (default: DATA_suggest)",
    )
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw the learning curves")
    add_json(parser)


def run_evaluate(args: argparse.Namespace) -> None:
    """Print the errors of a potential, and draw them."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.training import evaluate_errors

    paths = _figure_paths(args.figure)
    if not paths:
        for option in ("train", "terms"):
            if getattr(args, option):
                raise InputError(f"--{option} is for the grades that --figure draws")
    if args.molecule and not (args.sites or paths):
        raise InputError("--molecule goes with --sites or --figure")
    potential = load(args.potential, species=args.species)
    configurations = read(args, args.data, potential.species, labelled=True)
    with about(args.data):
        errors = evaluate_errors(potential, configurations)
        printed: dict[str, Any] = {
            name: None if value != value else value for name, value in asdict(errors).items()
        }  # JSON has no NaN, which says that no configuration has that label
        if not args.json:
            print(errors)
        if args.sites or paths:
            _print_and_draw(args, potential, configurations, paths, printed)
    if args.json:
        print(json.dumps(printed, indent=1))


def _print_and_draw(
    args: argparse.Namespace,
    potential: Potential,
    configurations: Sequence[Atoms],
    paths: dict[str, Path],
    printed: dict[str, Any],
) -> None:
    """Print errors by group, or add them to what is printed as JSON, and draw the figures."""
    from electrolyte_ml.analysis import group_atoms, group_errors
    from electrolyte_ml.training import predict

    predictions = predict(potential, configurations)
    groups = group_atoms(configurations, own_molecules(args.molecule))
    grouped = group_errors(groups, predictions.reference_forces, predictions.forces, len(configurations))
    if args.sites:
        if args.json:
            printed["groups"] = {
                kind: [{**asdict(row), "spread": None} for row in getattr(grouped, kind)]
                for kind in ("elements", "species", "sites")
            } | {name: dict(getattr(grouped, name)) for name in ("molecules", "unrecognised")}
        else:
            print(grouped)
    if not paths:
        return
    from electrolyte_ml.figures import grade_errors, parity_by_element, site_errors

    reference, scale = _reference(configurations), _scale(args.data, configurations)
    compositions = [atoms.symbols.formula.reduce()[0].format("hill") for atoms in configurations]
    _save(
        parity_by_element(predictions, groups.elements, compositions, reference=reference, scale=scale),
        paths["parity"],
        args.json,
    )
    _save(site_errors(grouped, reference=reference, scale=scale), paths["sites"], args.json)
    active_set = _active_set(args, potential)
    if active_set is not None:
        squares = ((predictions.forces - predictions.reference_forces) ** 2).mean(axis=1)  # (n,)
        grades, errors, of = _graded(active_set, configurations, squares)
        _save(grade_errors(grades, errors, of=of, reference=reference, scale=scale), paths["grades"], args.json)


def _graded(active_set: ActiveSet, configurations: Sequence[Atoms], squares: Any) -> tuple[Any, Any, str]:
    """Grades and rms force errors of atoms, or of configurations, and which of the two they are of."""
    import numpy as np

    if active_set.mode == "neighbourhood":
        grades = np.concatenate([active_set.grades(atoms) for atoms in configurations])
        return grades, np.sqrt(squares), "atom"
    ends = np.cumsum([len(atoms) for atoms in configurations])[:-1]
    errors = np.array([np.sqrt(part.mean()) for part in np.split(squares, ends)])
    return np.array([active_set.grade(atoms) for atoms in configurations]), errors, "configuration"


def _active_set(args: argparse.Namespace, potential: Potential) -> ActiveSet | None:
    """The active set of the training set given, or the one beside the potential; None without either."""
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.active_learning.records import ACTIVE_SET

    if args.train is not None:
        return read_active_set(args, potential)
    path = args.potential.with_name(ACTIVE_SET)
    if not path.exists():
        return None
    try:
        return ActiveSet.load(path, potential)
    except InputError as error:  # nobody has asked for it
        print(f"warning: no grades are drawn: {error}", file=sys.stderr)
        return None


def _figure_paths(path: Path | None) -> dict[str, Path]:
    """Return the file of each figure: in a folder, or beside the one named."""
    if path is None:
        return {}
    names = ("parity", "sites", "grades")
    if path.suffix == ".png":
        paths = {name: path if name == "parity" else path.with_name(f"{path.stem}_{name}.png") for name in names}
        for file in paths.values():
            check_output_file(file)
        return paths
    if path.suffix:
        raise InputError(f"--figure {path}: name a folder or a PNG")
    check_output_folder(path)
    return {name: path / f"{name}.png" for name in names}


def run_suggest(args: argparse.Namespace) -> None:
    """Fit at several set sizes, and print what the errors suggest."""
    from electrolyte_ml.training import suggest

    if args.figure:
        check_output_file(args.figure, (".png",))
    directory = args.output or Path(f"{args.data.stem}_suggest")
    check_output_folder(directory)
    configurations = read(args, args.data, None, labelled=True)
    with about(args.data), in_options(level="--levels", cutoff="--cutoffs"):
        suggestion = suggest(
            configurations,
            target_force_error=args.target_force_error,
            levels=args.levels,
            cutoffs=args.cutoffs,
            splits=args.splits,
            iterations=args.max_iterations,
            minutes=args.minutes,
            directory=directory,
            jobs=args.jobs,
        )
    print(json.dumps(suggestion.to_dict(), indent=1) if args.json else suggestion)
    chosen = suggestion.chosen
    if chosen is not None and not args.json:
        w = suggestion.weights
        print(
            f"electrolyte-ml train {args.data} --level {chosen.model.level} --cutoff {chosen.model.cutoff:g} "
            f"--energy-weight {w.energy:g} --force-weight {w.force:g} --stress-weight {w.stress:g} -o pot.mtp"
        )
    if args.figure:
        from electrolyte_ml.figures import learning_curve

        figure = learning_curve(
            suggestion, reference=_reference(configurations), scale=_scale(args.data, configurations)
        )
        _save(figure, args.figure, args.json)


def _reference(configurations: Sequence[Atoms]) -> str:
    """Name what labelled the configurations, if they say it."""
    names = {str(atoms.info["reference"]) for atoms in configurations if "reference" in atoms.info}
    return ", ".join(sorted(names)) or "not stated in the file"


def _scale(path: Path, configurations: Sequence[Atoms]) -> str:
    """Name the data of a figure."""
    return f"{path.name}, {len(configurations)} configurations"


def _save(figure: Figure, path: Path, quiet: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    if not quiet:
        print(f"Figure: {path}")
