"""Production runs for transport coefficients: annealing, equilibration, independent trajectories at the mean volume."""

from electrolyte_ml.lazy import attach

_HOME = {  # name -> module, imported on first use
    "ProductionSettings": "settings",
    "Cost": "cost",
    "estimate_cost": "cost",
    "produce": "workflow",
    "ConditionResult": "result",
    "ProductionResult": "result",
    "read_production": "result",
    "run_folders": "places",
}

__all__ = list(_HOME)
__getattr__, __dir__ = attach(__name__, _HOME)
