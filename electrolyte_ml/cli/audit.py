"""The command ``audit-reference``, which compares two references."""

from __future__ import annotations

import argparse
from pathlib import Path

from electrolyte_ml.cli.drawing import write_figure
from electrolyte_ml.cli.options import (
    add_configurations,
    add_json,
    add_own_molecules,
    add_seed,
    add_species,
    add_store,
    count,
    given_keys,
    on_executor,
    own_molecules,
)
from electrolyte_ml.cli.parser import Subparsers, add_command


def add_parser(subparsers: Subparsers) -> None:
    """Add ``audit-reference``."""
    parser = add_command(
        subparsers,
        "audit-reference",
        run_audit,
        "compare a reference with a better one on your configurations",
        "audit-reference liquid.extxyz --reference gfn1-xtb --against pyscf-pbe-d3 --count 10 -j 2",
    )
    add_configurations(parser)
    parser.add_argument("--reference", default="gfn1-xtb", metavar="A", help="reference to test (default gfn1-xtb)")
    parser.add_argument("--against", required=True, metavar="B", help="better reference: preset, calculator or command")
    parser.add_argument(
        "--count", type=count, default=20, help="number of configurations to label with both (default 20)"
    )
    add_seed(parser, "seed of the choice of configurations")
    add_store(parser)
    parser.add_argument("--no-binding", action="store_true", help="do not relax the ions with solvents and anions")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="figure to write (.png, .pdf, .svg)")
    add_own_molecules(parser)
    add_species(parser, "elements of a .cfg, in the order of its types")
    add_json(parser)


@on_executor
def run_audit(args: argparse.Namespace) -> None:
    """Compare two references and print, or draw, the differences."""
    from dataclasses import asdict

    from electrolyte_ml import reference
    from electrolyte_ml.analysis import audit_reference
    from electrolyte_ml.files import as_json_text, check_output_file
    from electrolyte_ml.reference import LabelStore
    from electrolyte_ml.structures import read_configurations

    if args.figure:
        check_output_file(args.figure, (".png", ".pdf", ".svg"))
    audit = audit_reference(
        read_configurations(args.data, species=args.species, **given_keys(args)),
        reference.get(args.reference),
        reference.get(args.against),
        LabelStore(args.store),
        count=args.count,
        seed=args.seed,
        jobs=args.jobs,
        bind=not args.no_binding,
        own_molecules=own_molecules(args.molecule),
    )
    print(as_json_text(asdict(audit)) if args.json else audit)
    if args.figure:
        from electrolyte_ml.figures import reference_audit

        write_figure(reference_audit(audit), args.figure)
        print(f"Figure: {args.figure}")
