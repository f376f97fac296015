"""The command that makes structures: ``box``."""

from __future__ import annotations

import argparse

from electrolyte_ml.cli.options import add_output, add_seed, positive
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.files import check_output_file


def add_parser(subparsers: Subparsers) -> None:
    """Add ``box``."""
    parser = add_command(
        subparsers, "box", run_box, "pack molecules into a periodic box", "box EC=16 --density 1.3 -o box.xyz"
    )
    parser.add_argument("composition", nargs="+", metavar="NAME=COUNT", help="molecules: EC, EMC, Li, PF6, LiPF6")
    parser.add_argument("--density", type=positive, required=True, help="g/cm³")
    add_seed(parser, "of the packing")
    add_output(parser, "configuration to write")


def run_box(args: argparse.Namespace) -> None:
    """Pack a box and write it."""
    from electrolyte_ml.structures import density, pack, parse_composition, write_configurations

    check_output_file(args.output, (".xyz", ".extxyz", ".cfg"))
    box = pack(parse_composition(args.composition), args.density, seed=args.seed)
    write_configurations(args.output, [box])
    print(f"{len(box)} atoms in a cube of {box.cell.lengths()[0]:.3f} Å, {density(box):.4f} g/cm³: {args.output}")
