"""Numba kernels: pure functions over arrays, one algorithm a file."""

import sys

from numba.core import event


class Notice(event.Listener):
    """Says, once a process, why a first call takes long; what is found on disk is not compiled and not mentioned."""

    said = False

    def on_start(self, event):
        """Speak up before the first of our functions is compiled."""
        if not Notice.said and event.data["dispatcher"].py_func.__module__.startswith(__name__):
            Notice.said = True
            print(
                "Compiling kernels; they are kept on disk, so this minute is spent once "
                "(`electrolyte-ml warmup` spends it ahead)",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def on_end(self, event):
        """Say nothing."""


event.register("numba:compile", Notice())
