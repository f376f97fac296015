"""Moment tensor potentials of battery electrolytes, learnt actively from quantum-mechanical labels.

The common thing takes three lines::

    import electrolyte_ml as eml
    potential = eml.load("ec.mtp")
    atoms.calc = potential.calculator()

Everything below is imported on first use, so that importing the package costs milliseconds.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "MomentTensorPotential": "potentials",
    "ModelSpec": "potentials",
    "Potential": "potentials",
    "Sum": "potentials",
    "load": "potentials",
    "train": "training",
    "train_ensemble": "training",
    "evaluate_errors": "training",
    "ActiveSet": "active_learning",
    "active_learn": "active_learning",
    "run_md": "dynamics",
    "pack": "structures",
    "molecule": "structures",
    "read_configurations": "structures",
    "write_configurations": "structures",
    "InputError": "errors",
    "ElectrolyteError": "errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Import a public name from its module the first time somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
