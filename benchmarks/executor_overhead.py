"""How long an executor takes for an item that computes nothing, and until its first result.

    python benchmarks/executor_overhead.py local dask slurm MODULE:FUNCTION

Names are those of `--executor`. Settings of jobs come from `cluster.toml`, as for the commands.
"""

from __future__ import annotations

import sys
import time

from electrolyte_ml.executors import use_executor
from electrolyte_ml.parallel import map_progress

ITEMS, ROUNDS = 500, 5


def main(names: list[str]) -> None:
    """Print a row for each executor: time of the first result (s), and least time of an item (ms)."""
    print(f"{'executor':<24}{'first result, s':>16}{'item, ms':>10}")
    for name in names:
        begin = time.perf_counter()
        with use_executor(name):
            map_progress(abs, range(2), 2, progress=False)
            first, rounds = time.perf_counter() - begin, []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                map_progress(abs, range(ITEMS), 2, progress=False)
                rounds.append((time.perf_counter() - begin) / ITEMS)
        print(f"{name:<24}{first:>16.1f}{1e3 * min(rounds):>10.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["local"])
