"""Reading of trajectories of any program: frames, molecules and species, ions."""

from electrolyte_ml.lazy import attach

_HOME = {  # name -> module, imported on first use
    "IonTrajectory": "ions",
    "read_ions": "ions",
    "has_ion_record": "ion_record",
    "read_ion_record": "ion_record",
    "StressRecord": "stress_record",
    "has_stress_record": "stress_record",
    "read_stress_record": "stress_record",
    "read_stress_table": "stress_table",
    "Role": "species",
    "Species": "species",
    "Chunk": "trajectory",
    "Trajectory": "trajectory",
    "open_trajectory": "opening",
}

__all__ = list(_HOME)
__getattr__, __dir__ = attach(__name__, _HOME)
