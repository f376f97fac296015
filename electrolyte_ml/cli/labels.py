"""The command ``label``, which labels configurations."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from electrolyte_ml.cli.options import (
    add_configurations,
    add_output,
    add_reference_settings,
    add_species,
    add_store,
    count,
    given_keys,
    on_executor,
    reference_settings,
    refuse_given,
)
from electrolyte_ml.cli.parser import INCOMPLETE, Subparsers, add_command


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
    batch = parser.add_mutually_exclusive_group()
    batch.add_argument(
        "--write-jobs",
        type=Path,
        metavar="DIR",
        help="compute nothing; write a job array of SLURM and PBS for the missing labels into a new folder",
    )
    batch.add_argument(
        "--collect",
        type=Path,
        metavar="DIR",
        help="compute nothing; take the labels of a job array into the store, and name those that are missing",
    )
    parser.add_argument(
        "--chunk", type=count, default=20, metavar="N", help="number of labels of a job of --write-jobs (default 20)"
    )


@on_executor
def run_label(args: argparse.Namespace) -> int:
    """Label configurations that are not in the store yet, or write or collect jobs.

    Returns INCOMPLETE if a label failed.
    """
    from electrolyte_ml.reference import collect_label_jobs, label_file, write_label_jobs

    data = {"species": args.species, **given_keys(args)}
    options = {"settings": reference_settings(args), "retry_failed": args.retry, **data}
    if args.write_jobs is None:
        refuse_given(args, ("chunk",), "--write-jobs")
    else:
        refuse_given(args, ("output", "executor"), "a call without --write-jobs")
        print(
            write_label_jobs(
                args.data, args.write_jobs, args.reference, args.jobs, args.store, chunk=args.chunk, **options
            )
        )
        return 0
    if args.collect is None:
        output, result = label_file(args.data, args.output, args.reference, args.jobs, args.store, **options)
    else:
        # The folder knows the reference.
        refuse_given(args, ("reference", "set", "jobs", "executor", "retry"), "a call without --collect")
        output, result = collect_label_jobs(args.data, args.collect, args.output, args.store, **data)
    print(f"{result.computed} computed, {result.reused} reused, {len(result.failed)} failed")
    for failure in result.failed:
        print(f"configuration {failure.index + 1}: {failure.reason}", file=sys.stderr)
    if len(result.failed) < len(result.labelled):
        print(f"Largest sum of the forces of a label (0 if exact): {result.largest_net_force:.2g} eV/Å")
        print(f"Labels: {output}")
    return INCOMPLETE if result.failed else 0
