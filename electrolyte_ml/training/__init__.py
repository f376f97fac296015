"""Training: the loss, its minimisation, and ensembles of potentials."""

from .ensemble import Ensemble, train_ensemble
from .fit import FitResult, train
from .linear import solve_linear
from .loss import Errors, Loss, TrainingSet, Weights, evaluate_errors
from .predictions import Predictions, predict

__all__ = [
    "Ensemble",
    "Errors",
    "FitResult",
    "Loss",
    "Predictions",
    "TrainingSet",
    "Weights",
    "evaluate_errors",
    "predict",
    "solve_linear",
    "train",
    "train_ensemble",
]
