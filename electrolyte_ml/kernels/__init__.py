"""Numba kernels: pure functions over arrays, one algorithm a file."""

import sys

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


use_checked_cache()
event.register("numba:compile", Notice())
