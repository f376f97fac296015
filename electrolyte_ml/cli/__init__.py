"""The command ``electrolyte-ml``, with one file per family of commands that call public functions."""

from electrolyte_ml.cli.entry import build_parser, main

__all__ = ["build_parser", "main"]
