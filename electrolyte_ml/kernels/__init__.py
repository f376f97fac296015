"""Numba kernels: pure functions over arrays, one algorithm a file."""

import contextlib
import sys
from pathlib import Path

from numba.core import event

from electrolyte_ml.kernels.cache import use_checked_cache


class Notice(event.Listener):
    """A message, once a process, that explains a long first call; kernels found on disk are not compiled."""

    shown = False

    def on_start(self, event):
        """Print the message before the first kernel is compiled."""
        if not Notice.shown and (event.data["dispatcher"].py_func.__module__ or "").startswith(__name__):
            Notice.shown = True
            print(
                "Compiling kernels; they are kept on disk, so this minute is spent once "
                "(`electrolyte-ml warmup` spends it ahead)",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def on_end(self, event):
        """Do nothing."""


def forget_stale(folder: Path) -> None:
    """Remove compiled kernels that are older than any source in a folder.

    numba compares each with the file of its own source, not with those of the kernels that it calls: after an update of
    one file alone, the others would go on calling what that file held before.
    """
    newest = max(source.stat().st_mtime_ns for source in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        # Another process may be about the same; a folder that cannot be written to holds no cache.
        with contextlib.suppress(OSError):
            if index.stat().st_mtime_ns < newest:
                index.unlink()


forget_stale(Path(__file__).parent)
use_checked_cache()
event.register("numba:compile", Notice())
