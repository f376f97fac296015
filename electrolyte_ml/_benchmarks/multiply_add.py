"""Peak rate of multiply-adds of a core, the upper limit of the flops of all kernels.

The kernel runs twelve independent chains of x <- x m + k in registers. These are more than the latency of a fused
multiply-add times the number of its execution units, so that no unit waits: 24 LANES flops per iteration, no memory.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import FAST, LANES, spread, total

FLOPS = 24 * LANES  # of one iteration


# Not cached on disk: numba would not notice a change of the lanes.
@njit(error_model="numpy", fastmath=FAST)
def multiply_add(turns, m, k, zero):  # noqa: ANN001, ANN202
    """Return the sum of the chains after `turns` iterations, in the precision of the array `zero`, for its timing."""
    a, b, c, d = spread(0.1 * m, zero), spread(0.2 * m, zero), spread(0.3 * m, zero), spread(0.4 * m, zero)
    e, f, g, h = spread(0.5 * m, zero), spread(0.6 * m, zero), spread(0.7 * m, zero), spread(0.8 * m, zero)
    p, q, r, s = spread(0.9 * m, zero), spread(1.1 * m, zero), spread(1.2 * m, zero), spread(1.3 * m, zero)
    for _ in range(turns):
        a, b, c, d = a * m + k, b * m + k, c * m + k, d * m + k
        e, f, g, h = e * m + k, f * m + k, g * m + k, h * m + k
        p, q, r, s = p * m + k, q * m + k, r * m + k, s * m + k
    return total(a + b + c + d + e + f + g + h + p + q + r + s)
