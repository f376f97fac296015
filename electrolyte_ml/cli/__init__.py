"""The command ``electrolyte-ml``: one file a family of commands, each a thin face of public functions."""

from electrolyte_ml.cli.entry import build_parser, main

__all__ = ["build_parser", "main"]
