"""One function a figure: each takes results, computes nothing else, and returns a matplotlib figure."""

from electrolyte_ml.figures.fig1 import density_comparison, density_trace, energy_density
from electrolyte_ml.figures.learning import learning_progress, training_history

__all__ = ["density_comparison", "density_trace", "energy_density", "learning_progress", "training_history"]
