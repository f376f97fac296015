"""What is read off trajectories."""

from electrolyte_ml.analysis.density import (
    DensityResult,
    EnsembleDensity,
    block_errors,
    ensemble_density,
    mean_density,
    mean_error,
)

__all__ = ["DensityResult", "EnsembleDensity", "block_errors", "ensemble_density", "mean_density", "mean_error"]
