"""Synchronisation of a team of threads by spinning on flags.

In each turn (one evaluation) the leader does the serial part, announces the turn, computes its own range of atoms and
waits for the other threads. To wake a sleeping thread takes 50 to 200 µs, but a turn of a thousand atoms only about a
millisecond; the other threads therefore spin until the next turn, and leave if none comes for some milliseconds. All
data that a thread wrote before it stored a flag are visible to a thread that has loaded this flag.

`flags` (8 threads,) int64 has one cache line per thread. The first number of a line is the current turn (leader) or the
last finished turn (other threads). The second number of the leader's line counts its turns.
"""

import platform
import sys

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 8  # int64 numbers in a cache line
TURN = 1  # index of the leader's count of turns
DETACHED = np.int64(2**62)  # flag of a leader that has no more turns, or of a thread that has left
PATIENCE = 100_000  # loads, of some 20 ns each, without a new turn
YIELD_EVERY = 1_000  # loads after which the core is offered to other threads

_yield = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


def _address(context, builder, kinds, values):
    array = context.make_array(kinds[0])(context, builder, values[0])
    return builder.gep(array.data, [context.cast(builder, values[1], kinds[1], types.intp)])


@intrinsic
def load_acquire(typing, flags, place):
    """Read flags[place]; all data that its writer stored before the flag are then visible."""

    def generate(context, builder, signature, values):
        return builder.load_atomic(_address(context, builder, signature.args, values), "acquire", 8)

    return types.int64(flags, place), generate


@intrinsic
def store_release(typing, flags, place, value):
    """Set flags[place] after all earlier writes of the caller."""

    def generate(context, builder, signature, values):
        number = context.cast(builder, values[2], signature.args[2], types.int64)
        builder.store_atomic(number, _address(context, builder, signature.args, values), "release", 8)
        return context.get_dummy_value()

    return types.none(flags, place, value), generate


@intrinsic
def spin_pause(typing):
    """Spin-wait hint (x86 `pause`): frees the sibling hyper-thread."""

    def generate(context, builder, signature, values):
        if platform.machine() in ("x86_64", "AMD64"):
            pause = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, pause, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), generate


if config.DISABLE_JIT:
    import time

    def load_acquire(flags, place):  # noqa: D103
        return flags[place]

    def store_release(flags, place, value):  # noqa: D103
        flags[place] = value

    def spin_pause():  # noqa: D103
        pass

    def _yield():
        time.sleep(0)


@njit(cache=True, error_model="numpy")
def wait_for(flags, thread, turn, patience):
    """Wait until the flag of a thread reaches `turn`; return False after `patience` loads (0: no limit)."""
    loads = 0
    while load_acquire(flags, LINE * thread) < turn:
        loads += 1
        if loads == patience:
            return False
        if loads % YIELD_EVERY == 0:
            _yield()
        spin_pause()
    return True


@njit(cache=True, error_model="numpy")
def detach(flags, thread):
    """Mark a thread as detached, so that no other thread waits for it."""
    store_release(flags, LINE * thread, DETACHED)
