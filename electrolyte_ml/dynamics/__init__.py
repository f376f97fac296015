"""What runs a potential: NVE, NVT and NPT with monitors, trajectories that MDAnalysis opens, and restarts."""

from electrolyte_ml.dynamics.monitors import (
    CellMonitor,
    ContactMonitor,
    DensityMonitor,
    GradeMonitor,
    MoleculeMonitor,
    Monitor,
    TemperatureMonitor,
)
from electrolyte_ml.dynamics.simulation import RunResult, run_md
from electrolyte_ml.dynamics.trajectory import read_trajectory

__all__ = [
    "CellMonitor",
    "ContactMonitor",
    "DensityMonitor",
    "GradeMonitor",
    "MoleculeMonitor",
    "Monitor",
    "RunResult",
    "TemperatureMonitor",
    "read_trajectory",
    "run_md",
]
