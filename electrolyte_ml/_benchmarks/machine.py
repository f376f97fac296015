"""Properties of this machine: processor, multiply-adds of a core, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

import numpy as np

from electrolyte_ml._benchmarks.cases import now


def machine() -> dict[str, str]:
    """Return the processor, its cores, and the versions that affect the speed of compiled code."""
    import numba

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = models[0] if models else processor
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
    }


def peak_gflops() -> float:
    """Return the GFlop/s of multiply-adds of one core, each counted as two operations: the best of three short runs."""
    from electrolyte_ml._benchmarks.multiply_add import FLOPS, multiply_add

    turns, best = 200_000, np.inf
    multiply_add(1, 0.999, 1e-3, np.zeros(1))
    for _ in range(3):
        start = now()
        multiply_add(turns, 0.999, 1e-3, np.zeros(1))
        best = min(best, (now() - start).processor)
    return float(FLOPS * turns / best * 1e-9)


def most_memory() -> int:
    """Return the largest memory that this process has used, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
