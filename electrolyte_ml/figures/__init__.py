"""One function a figure: each takes results, computes nothing else, and returns a matplotlib figure."""

from electrolyte_ml.figures.conductivity import (
    conductivity_methods,
    conductivity_temperature,
    interval_coverage,
    running_conductivity,
)
from electrolyte_ml.figures.fig1 import density_comparison, density_trace, energy_density
from electrolyte_ml.figures.grades import grade_trace, maxvol_plane
from electrolyte_ml.figures.learning import learning_progress, training_history
from electrolyte_ml.figures.model import basis_growth, parity, radial_functions

__all__ = [
    "basis_growth",
    "conductivity_methods",
    "conductivity_temperature",
    "density_comparison",
    "density_trace",
    "energy_density",
    "grade_trace",
    "interval_coverage",
    "learning_progress",
    "maxvol_plane",
    "parity",
    "radial_functions",
    "running_conductivity",
    "training_history",
]
