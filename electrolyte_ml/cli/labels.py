"""The command ``label``, which labels configurations."""

from __future__ import annotations

import argparse
import sys

from electrolyte_ml.cli.options import (
    add_configurations,
    add_output,
    add_reference_settings,
    add_species,
    add_store,
    given_keys,
    on_executor,
    reference_settings,
)
from electrolyte_ml.cli.parser import Subparsers, add_command


def add_parser(subparsers: Subparsers) -> None:
    """Add ``label``."""
    parser = add_command(
        subparsers,
        "label",
        run_label,
        "label configurations with a reference",
        "label in.xyz --reference gfn1-xtb -j 2 -o out.xyz",
    )
    add_configurations(parser, metavar="IN")
    parser.add_argument("--reference", default="gfn1-xtb", help="preset, ASE calculator or command (default gfn1-xtb)")
    add_reference_settings(parser)
    add_store(parser)
    parser.add_argument("--retry", action="store_true", help="retry labels that failed in an earlier call")
    add_species(parser, "elements of a .cfg, in the order of its types")
    add_output(parser, "labelled configurations (default IN.labelled.extxyz)", required=False)


@on_executor
def run_label(args: argparse.Namespace) -> int:
    """Label configurations that are not in the store yet; return 1 if a label failed."""
    from electrolyte_ml.reference import label_file

    output, result = label_file(
        args.data,
        args.output,
        args.reference,
        args.jobs,
        args.store,
        settings=reference_settings(args),
        species=args.species,
        retry_failed=args.retry,
        **given_keys(args),
    )
    print(f"{result.computed} computed, {result.reused} reused, {len(result.failed)} failed")
    for failure in result.failed:
        print(f"configuration {failure.index + 1}: {failure.reason}", file=sys.stderr)
    if len(result.failed) < len(result.labelled):
        print(f"Largest sum of the forces of a label (0 if exact): {result.largest_net_force:.2g} eV/Å")
        print(f"Labels: {output}")
    return 1 if result.failed else 0
