"""Commands about this machine: ``benchmark`` and ``warmup``."""

from __future__ import annotations

import argparse
from pathlib import Path

from electrolyte_ml.cli.options import add_json, add_output, count, whole
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_file


def add_parser(subparsers: Subparsers) -> None:
    """Add ``benchmark`` and ``warmup``."""
    parser = add_command(
        subparsers,
        "benchmark",
        run_benchmark,
        "time the kernels on this machine",
        "benchmark --levels 16 --atoms 1000 --tasks forces\n"
        "  electrolyte-ml benchmark --against ../old_checkout --repeats 15",
    )
    parser.add_argument("--levels", nargs="+", type=whole, default=[12, 16, 20], help="levels (default 12 16 20)")
    parser.add_argument(
        "--atoms",
        nargs="+",
        type=count,
        help="numbers of atoms (default 160 1000 4000 32000; 160 1000 with --against; 1144 4576 for coulomb)",
    )
    parser.add_argument(
        "--threads", nargs="+", type=count, help="numbers of threads (default: 1 and all; 1 with --against)"
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        default=["forces", "gradient", "rows", "md", "neighbours", "coulomb"],
        help="tasks among forces gradient rows md neighbours coulomb (default: all)",
    )
    parser.add_argument(
        "--charges", metavar="NAME", help="model of the charges, qrd: time forces, gradient and md with it, too"
    )
    parser.add_argument("--repeats", type=count, default=7, help="number of measurements of each task (default 7)")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="other checkout: time both codes in alternation, and print the ratios",
    )
    add_json(parser, "print JSON instead of the table")
    add_output(parser, "JSON file to write as well", required=False)

    add_command(subparsers, "warmup", run_warmup, "compile every kernel, once for all later runs", "warmup")


def run_benchmark(args: argparse.Namespace) -> None:
    """Time the kernels and print the table."""
    from electrolyte_ml._benchmarks.against import compare, format_comparison
    from electrolyte_ml._benchmarks.rounds import benchmark
    from electrolyte_ml._benchmarks.table import format_benchmark
    from electrolyte_ml.files import atomic_write

    if args.output:
        check_output_file(args.output)
    choices = {"tasks": args.tasks, "charges": args.charges, "repeats": args.repeats}
    if args.against is None:
        result = benchmark(args.levels, args.atoms, threads=args.threads, **choices)
        table = format_benchmark(result)
    else:
        if args.threads is not None and len(args.threads) > 1:
            raise InputError("--threads takes a single number with --against")
        threads = args.threads[0] if args.threads else 1
        result = compare(args.against, args.levels, args.atoms, threads=threads, **choices)
        table = format_comparison(result)
    text = as_json_text(result)
    if args.output:
        atomic_write(args.output, text + "\n")
    print(text if args.json else table)


def run_warmup(args: argparse.Namespace) -> None:
    """Compile the kernels."""
    from electrolyte_ml.warmup import warm_up

    print("Compiling the kernels that are not yet in the cache", flush=True)
    print(f"Ready after {warm_up():.1f} s")
