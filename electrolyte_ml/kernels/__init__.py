"""Numba kernels: pure functions of arrays, one algorithm per file."""

import sys

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


use_checked_cache()
event.register("numba:compile", Notice())
