"""Commands for models: ``new`` and ``info``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from electrolyte_ml.cli.options import (
    POTENTIAL,
    WRITTEN,
    add_charges,
    add_json,
    add_level,
    add_model,
    add_output,
    add_radial_basis_size,
    add_species,
    model_spec,
    refuse_given,
    warn_of_suffix,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_file


def add_parser(subparsers: Subparsers) -> None:
    """Add ``new`` and ``info``."""
    parser = add_command(
        subparsers,
        "new",
        run_new,
        "write a potential with random parameters",
        "new --level 16 --species H C O --seed 0 -o random.mtp",
    )
    add_model(parser, species_required=True)
    add_output(parser, WRITTEN)

    parser = add_command(
        subparsers,
        "info",
        run_info,
        "describe a potential or a level; without arguments list the potentials of the package",
        "info --level 16 --species H C O",
    )
    parser.add_argument("potential", nargs="?", type=Path, metavar="POT", help=POTENTIAL)
    add_level(parser)
    add_species(parser, "chemical symbols, in the order of the file")
    add_radial_basis_size(parser)
    add_charges(parser)
    add_json(parser)


def run_new(args: argparse.Namespace) -> None:
    """Write a random potential."""
    check_output_file(args.output)
    potential = model_spec(args).random(args.species, args.seed)
    potential.save(args.output)
    print(f"level {args.level}, {potential.n_parameters} random parameters: {args.output}")
    warn_of_suffix(args.output, potential)


def run_info(args: argparse.Namespace) -> None:
    """Print the properties of a potential's file, or of the model that the options describe."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.potentials.mlip3 import has_selection, read_selection
    from electrolyte_ml.potentials.shipped import shipped_potentials

    if args.potential is None and args.level is None:
        refuse_given(args, ("species", "radial_basis_size", "charges"), "--level")
        known = shipped_potentials()
        plain = [{name: str(v) if isinstance(v, Path) else v for name, v in vars(one).items()} for one in known]
        print(as_json_text(plain) if args.json else known)
        return
    if args.potential is not None and args.level is not None:
        raise InputError("info needs either a potential or --level with --species, not both")
    if args.potential is not None:
        potential = load(args.potential, species=args.species)
        facts = potential.facts()
        if args.potential.is_file() and has_selection(args.potential):
            active = read_selection(args.potential, potential.n_parameters).active
            facts["active_set"] = f"{int(active.sum())} neighbourhoods, for a rank of at most {len(active)}"
    elif args.species:
        facts = model_spec(args).random(args.species).facts()
        for part in (facts, *facts.get("terms", ())):
            for name in ("cutoff", "min_distance", "scaling", "reference"):  # known only for a file
                part.pop(name, None)
    else:
        raise InputError("--level needs --species, for example --species H C O")
    if args.json:
        print(as_json_text(facts))
        return
    _print(facts)


def _print(facts: dict[str, Any], indent: str = "") -> None:
    """Print a line for each property; properties of the terms of a sum are indented below it."""
    for name, value in facts.items():
        if name == "terms":
            for term in value:
                print(f"{indent}term")
                _print({name: fact for name, fact in term.items() if name != "reference" or fact}, indent + "  ")
            continue
        lines = _lines(value)
        print(f"{indent}{name.replace('_', ' '):<20} {lines[0]}")
        for line in lines[1:]:
            print(f"{indent}{'':<20} {line}")


def _lines(value: Any) -> list[str]:
    """Return a property as lines of text: words of a list in one line, sentences in a line each."""
    if not isinstance(value, list):
        return ["unknown" if value is None else str(value)]
    if not value:
        return ["none"]
    words = [str(item) for item in value]
    return words if any(" " in word for word in words) else [" ".join(words)]
