"""Moment tensor potentials of battery electrolytes, trained by active learning on quantum-mechanical labels.

To use a potential as an ASE calculator::

    import electrolyte_ml as eml
    potential = eml.load("ec.mtp")
    atoms.calc = potential.calculator()

Everything below is imported on first use, so that importing the package costs milliseconds.
"""

from electrolyte_ml.lazy import attach

__version__ = "0.1.0"

_HOME = {
    "MomentTensorPotential": "potentials",
    "ModelSpec": "potentials",
    "Potential": "potentials",
    "Sum": "potentials",
    "load": "potentials",
    "potentials": "",
    "train": "training",
    "train_ensemble": "training",
    "evaluate_errors": "training",
    "suggest": "training",
    "ActiveSet": "active_learning",
    "active_learn": "active_learning",
    "run_md": "dynamics",
    "produce": "production",
    "ProductionSettings": "production",
    "pack": "structures",
    "molecule": "structures",
    "read_configurations": "structures",
    "write_configurations": "structures",
    "use_executor": "executors",
    "InputError": "errors",
    "ElectrolyteError": "errors",
}

__all__ = ["__version__", *_HOME]
__getattr__, __dir__ = attach(__name__, _HOME)
