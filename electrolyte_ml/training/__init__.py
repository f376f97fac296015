"""Training: loss, minimisation, ensembles, learning curves and inspection of labels."""

from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.ensemble import Ensemble, train_ensemble
from electrolyte_ml.training.fit import FitResult, train
from electrolyte_ml.training.inspection import inspect_labels
from electrolyte_ml.training.learning_curve import LearningCurve, Suggestion, suggest
from electrolyte_ml.training.linear import solve_linear
from electrolyte_ml.training.loss import Errors, Loss, Weights, evaluate_errors
from electrolyte_ml.training.power_law import PowerLaw
from electrolyte_ml.training.predictions import Predictions, predict
from electrolyte_ml.training.restraint import ChargeRestraint

__all__ = [
    "ChargeRestraint",
    "Ensemble",
    "Errors",
    "FitResult",
    "LearningCurve",
    "Loss",
    "PowerLaw",
    "Predictions",
    "Suggestion",
    "TrainingSet",
    "Weights",
    "evaluate_errors",
    "inspect_labels",
    "predict",
    "solve_linear",
    "suggest",
    "train",
    "train_ensemble",
]
