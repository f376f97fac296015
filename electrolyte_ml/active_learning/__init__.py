"""Active learning: extrapolation grades, selection of configurations, and the loop of exploration and labelling."""

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.choice import choose
from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.maxvol import MaxVolResult, maxvol
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.active_learning.status import IterationStatus, StatusTable

__all__ = [
    "ActiveLearningResult",
    "ActiveLearningSettings",
    "ActiveSet",
    "IterationStatus",
    "MaxVolResult",
    "StatusTable",
    "active_learn",
    "choose",
    "maxvol",
]
