"""Active learning: which configurations a potential does not know yet, and the loop that has them labelled."""

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.maxvol import MaxVolResult, maxvol

__all__ = ["ActiveSet", "MaxVolResult", "maxvol"]
