"""Molecular dynamics: NVE, NVT and NPT with monitors, restarts, and trajectories that MDAnalysis opens."""

from electrolyte_ml.dynamics.distillation import Distillation, assess, check_drift, distil, load_inner, sample
from electrolyte_ml.dynamics.force_field import MolecularForceField, fit_force_field
from electrolyte_ml.dynamics.monitors import (
    CellMonitor,
    ContactMonitor,
    DensityMonitor,
    EnergyMonitor,
    GradeMonitor,
    MoleculeMonitor,
    Monitor,
    TemperatureMonitor,
    Verdict,
)
from electrolyte_ml.dynamics.recorders import IonRecorder, Recorder, StressRecorder
from electrolyte_ml.dynamics.replicas import mean_and_error, run_replicas
from electrolyte_ml.dynamics.results import RunResult
from electrolyte_ml.dynamics.simulation import run_md
from electrolyte_ml.dynamics.trajectory import read_trajectory

__all__ = [
    "CellMonitor",
    "ContactMonitor",
    "DensityMonitor",
    "Distillation",
    "EnergyMonitor",
    "GradeMonitor",
    "IonRecorder",
    "MolecularForceField",
    "MoleculeMonitor",
    "Monitor",
    "Recorder",
    "RunResult",
    "StressRecorder",
    "TemperatureMonitor",
    "Verdict",
    "assess",
    "check_drift",
    "distil",
    "fit_force_field",
    "load_inner",
    "mean_and_error",
    "read_trajectory",
    "run_md",
    "run_replicas",
    "sample",
]
