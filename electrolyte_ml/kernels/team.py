"""Threads that take the same steps together without going to sleep in between.

A leader does what is serial, says when a turn begins, does its own part and waits for those of the others. To wake a
thread takes 50 to 200 µs, a turn of a thousand atoms a millisecond: so the others watch for the next turn, and only
leave when it has not come for some milliseconds. What one has written before it says something, the others see once
they have heard it. `words` (8 threads,) int64 has a cache line for each thread: the turn that the leader has begun, or
the last one that the thread has finished. The leader counts its turns in the place after its word.
"""

import platform
import sys

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 8  # int64 numbers in a cache line
COUNT = 1
LEAVE = np.int64(2**62)  # of the leader: there are no more turns; of another: it does nothing any more
PATIENCE = 100_000  # looks, of some 20 ns each, for a turn that does not come
POLITE = 1_000  # looks after which a core is offered to whoever else wants it

_yield = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


def _place(context, builder, kinds, values):
    array = context.make_array(kinds[0])(context, builder, values[0])
    return builder.gep(array.data, [context.cast(builder, values[1], kinds[1], types.intp)])


@intrinsic
def heard(typing, words, place):
    """words[place], and with it all that its writer had written before."""

    def generate(context, builder, signature, values):
        return builder.load_atomic(_place(context, builder, signature.args, values), "acquire", 8)

    return types.int64(words, place), generate


@intrinsic
def say(typing, words, place, value):
    """Set words[place], to be heard after all that the caller has written before."""

    def generate(context, builder, signature, values):
        number = context.cast(builder, values[2], signature.args[2], types.int64)
        builder.store_atomic(number, _place(context, builder, signature.args, values), "release", 8)
        return context.get_dummy_value()

    return types.none(words, place, value), generate


@intrinsic
def breathe(typing):
    """A moment's rest for a core, whose other half, if it has two, goes on the faster."""

    def generate(context, builder, signature, values):
        if platform.machine() in ("x86_64", "AMD64"):
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, pause, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), generate


if config.DISABLE_JIT:
    import time

    def heard(words, place):  # noqa: D103
        return words[place]

    def say(words, place, value):  # noqa: D103
        words[place] = value

    def breathe():  # noqa: D103
        pass

    def _yield():
        time.sleep(0)


@njit(cache=True, error_model="numpy")
def wait_for(words, thread, turn, patience):
    """Whether a thread says at least `turn` before so many looks; without end for a patience of 0."""
    looks = 0
    while heard(words, LINE * thread) < turn:
        looks += 1
        if looks == patience:
            return False
        if looks % POLITE == 0:
            _yield()
        breathe()
    return True


@njit(cache=True, error_model="numpy")
def leave(words, thread):
    """Let nobody wait for a thread any more."""
    say(words, LINE * thread, LEAVE)
