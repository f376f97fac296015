"""References that label configurations (presets, ASE calculators, commands), and the store of their labels.

>>> from electrolyte_ml import reference
>>> gfn1 = reference.get()                                  # GFN1-xTB, the default
>>> dft = reference.get("cp2k-pbe-d3", cutoff=800)          # a preset with another cutoff
>>> pbe0 = reference.get("command:my_dft {input}.extxyz {output}.extxyz", name="PBE0")
"""

from __future__ import annotations

from electrolyte_ml.reference.base import Cost, Reference
from electrolyte_ml.reference.job_array import JobArray, collect_label_jobs, write_label_jobs
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.labels import Failure, LabelResult, LabelStore, label_file
from electrolyte_ml.reference.presets import DEFAULT, PRESETS, cost_of, get, preset_named
from electrolyte_ml.reference.relaxation import Relaxation, relax
from electrolyte_ml.reference.stored_calculator import StoredCalculator

__all__ = [
    "DEFAULT",
    "PRESETS",
    "Cost",
    "Failure",
    "JobArray",
    "Label",
    "LabelError",
    "LabelResult",
    "LabelStore",
    "Reference",
    "Relaxation",
    "StoredCalculator",
    "collect_label_jobs",
    "cost_of",
    "get",
    "label_file",
    "preset_named",
    "relax",
    "write_label_jobs",
]
