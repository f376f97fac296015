"""The command ``train``, which fits a potential."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import (
    WRITTEN,
    add_configurations,
    add_model,
    add_output,
    count,
    model_spec,
    not_negative,
    pairs,
    positive,
    read,
    warn_of_suffix,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from electrolyte_ml.training import ChargeRestraint


def add_parser(subparsers: Subparsers) -> None:
    """Add ``train``."""
    parser = add_command(
        subparsers,
        "train",
        run_train,
        "train a potential on labelled configurations",
        "train set.xyz --level 16 -o pot.mtp",
    )
    add_configurations(parser, labelled=True)
    add_model(parser)
    parser.add_argument(
        "--start",
        type=Path,
        metavar="POT",
        help="potential from which the fit starts; if it is untrained, from random parameters of its model",
    )
    parser.add_argument("--energy-weight", type=not_negative, default=1.0, help="w_e of the loss (default 1)")
    parser.add_argument("--force-weight", type=not_negative, default=0.01, help="w_f of the loss (default 0.01)")
    parser.add_argument("--stress-weight", type=not_negative, default=0.0, help="w_s of the loss (default 0)")
    parser.add_argument("--method", choices=("default", "paper"), default="default", help="method of minimisation")
    parser.add_argument("--max-iterations", type=count, help="largest number of iterations")
    parser.add_argument(
        "--starts", type=count, default=1, help="number of random starts, of which the best is continued (default 1)"
    )
    parser.add_argument(
        "--charge-restraint",
        nargs="+",
        metavar="X=CHARGE",
        help="weak restraint of mean charges of species to values in e, such as Li=1 P=1.2 (default: none)",
    )
    parser.add_argument(
        "--charge-restraint-weight", type=positive, help="weight of the restraint, eV²/e² (default 0.01)"
    )
    parser.add_argument("--checkpoint", type=Path, help="file from which an interrupted fit is resumed")
    add_output(parser, WRITTEN)


def run_train(args: argparse.Namespace) -> None:
    """Fit a potential, write it and print its errors on the training set."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.structures import species_of
    from electrolyte_ml.training import inspect_labels, train

    check_output_file(args.output)
    if args.checkpoint:
        check_output_file(args.checkpoint)
    if not (args.energy_weight or args.force_weight or args.stress_weight):
        raise InputError("--energy-weight, --force-weight and --stress-weight are all 0: there is nothing to fit")
    configurations = read(args, args.data, args.species, labelled=True)
    _check_stresses(args, configurations)
    for finding in inspect_labels(configurations):
        print(f"warning: {args.data}: {finding}", file=sys.stderr)
    if args.start:
        for option in ("charges", "charge_form", "charge_width", "repulsion", "on_top_of"):
            if getattr(args, option) is not None:
                raise InputError(f"--{option.replace('_', '-')} needs a random start, without --start")
        for option in ("level", "cutoff", "min_distance", "radial_basis_size"):
            if getattr(args, option) != args.parser.get_default(option):
                raise InputError(f"--{option.replace('_', '-')} is fixed by --start {args.start}: leave it out")
        start = load(args.start, species=args.species, seed=args.seed)
    else:
        start = model_spec(args).random(args.species or species_of(configurations), args.seed)
    restraint = _restraint(args)
    if restraint is not None and not start.uses_charge:
        raise InputError("--charge-restraint needs a model of the charges: --charges qrd")
    limits = {} if args.max_iterations is None else {"max_iterations": args.max_iterations}
    with about(args.data):
        result = train(
            configurations,
            start,
            energy_weight=args.energy_weight,
            force_weight=args.force_weight,
            stress_weight=args.stress_weight,
            method=args.method,
            starts=args.starts,
            charge_restraint=restraint,
            checkpoint=args.checkpoint,
            **limits,
        )
    result.save(args.output)
    print(f"{len(configurations)} configurations, {start.n_parameters} parameters: {result.message}")
    print(result.errors)
    print(f"Potential: {args.output}")
    warn_of_suffix(args.output, result.potential)
    for caveat in result.potential.caveats():
        print(f"warning: {caveat}", file=sys.stderr)


def _check_stresses(args: argparse.Namespace, configurations: Sequence[Atoms]) -> None:
    """Refuse a weight of stresses if no configuration has a stress."""
    if not args.stress_weight or any("stress" in atoms.calc.results for atoms in configurations if atoms.calc):
        return
    unread = sorted({name for atoms in configurations for name in atoms.info if "stress" in name or "virial" in name})
    hint = f"; is it {' or '.join(map(repr, unread))} (--stress-key)?" if unread else ""
    raise InputError(f"{args.data}: --stress-weight {args.stress_weight:g} has no effect: no stress was read{hint}")


def _restraint(args: argparse.Namespace) -> ChargeRestraint | None:
    """Return the charge restraint that the options describe."""
    from electrolyte_ml.training import ChargeRestraint

    if args.charge_restraint is None:
        if args.charge_restraint_weight is not None:
            raise InputError("--charge-restraint-weight needs --charge-restraint")
        return None
    charges = {}
    for symbol, text in pairs(args.charge_restraint, "--charge-restraint").items():
        try:
            charges[symbol] = float(text)
        except ValueError:
            raise InputError(f"--charge-restraint {symbol}={text}: {text!r} is not a number") from None
    weight = {} if args.charge_restraint_weight is None else {"weight": args.charge_restraint_weight}
    return ChargeRestraint(charges, **weight)
