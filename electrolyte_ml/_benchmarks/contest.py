"""One number of the benchmark's table: what is called for it, and its times."""

from __future__ import annotations

from dataclasses import dataclass, field

from electrolyte_ml import __version__
from electrolyte_ml._benchmarks.cases import Call

OURS = f"electrolyte_ml {__version__}"
KERNEL = "kernel alone"


@dataclass
class Contest:
    """One number of the table: what is called, once a round.

    Attributes
    ----------
    error : float or None, eV/Å
        Root mean square error of the forces that the call gives, where it is an approximation.
    baseline : str or None
        Code whose time at the same place the time is divided by.
    note : str or None
        For the table.
    """

    task: str
    level: int | None
    atoms: int
    threads: int
    code: str
    call: Call
    flops: float | None = None
    steps: int = 1  # of one call
    error: float | None = None
    baseline: str | None = None
    note: str | None = None
    seconds: list[float] = field(default_factory=list)  # per call, one a round
