"""One row of the benchmark's table: the timed call and its times."""

from __future__ import annotations

from dataclasses import dataclass, field

from electrolyte_ml import __version__
from electrolyte_ml._benchmarks.cases import Call

OURS = f"electrolyte_ml {__version__}"
KERNEL = "kernel alone"


@dataclass
class Contest:
    """One row of the table, whose call is timed once per round.

    Attributes
    ----------
    error : float or None, eV/Å
        Root mean square error of the forces of the call, if they are an approximation.
    baseline : str or None
        Code of another row of the same task, level, atoms and threads; the ratio to its time is shown.
    note : str or None
        Remark for the table.
    """

    task: str
    level: int | None
    atoms: int
    threads: int
    code: str
    call: Call
    flops: float | None = None
    steps: int = 1  # time steps of one call
    error: float | None = None
    baseline: str | None = None
    note: str | None = None
    seconds: list[float] = field(default_factory=list)  # per call, one entry per round
