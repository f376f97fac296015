"""Numba kernels: pure functions of arrays, one algorithm per file."""

import contextlib
import sys
from pathlib import Path

from numba.core import event

from electrolyte_ml.kernels.cache import use_checked_cache


class Notice(event.Listener):
    """Message that explains a slow first call, printed once per process and only if a kernel must be compiled."""

    shown = False

    def on_start(self, event):
        """Print the message before the first kernel is compiled."""
        if not Notice.shown and (event.data["dispatcher"].py_func.__module__ or "").startswith(__name__):
            Notice.shown = True
            print(
                "Compiling kernels: this takes about a minute, once; later runs load them from disk "
                "(`electrolyte-ml warmup` compiles them in advance)",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def on_end(self, event):
        """Do nothing."""


def forget_stale(folder: Path) -> None:
    """Remove compiled kernels that are older than any source in a folder.

    numba compares a compiled kernel only with its own source file, not with those of the kernels that it calls: after
    an update of one file, kernels in other files would still call the old version.
    """
    newest = max(source.stat().st_mtime_ns for source in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        # Another process may be removing the same files; a read-only folder holds no cache.
        with contextlib.suppress(OSError):
            if index.stat().st_mtime_ns < newest:
                index.unlink()


forget_stale(Path(__file__).parent)
use_checked_cache()
event.register("numba:compile", Notice())
