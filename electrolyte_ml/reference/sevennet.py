"""SevenNet-l3i5 with D3(0): a machine-learnt surrogate of PBE-D3(0)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from electrolyte_ml.reference.base import Cost, Reference, one_line, require_known_settings, symbols_of
from electrolyte_ml.reference.dispersion import add_dispersion
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.packages import load, versions

_INSTALL = "pip install '.[sevennet]' in the source tree (sevenn, dftd3 and torch; 6 GB with CUDA)"
_MODEL = "7net-l3i5"


class SevenNetReference(Reference):
    """SevenNet-l3i5 [1]_, trained on PBE energies, forces and stresses of crystals, with zero-damped D3 dispersion.

    The model has no total charge: only neutral configurations are labelled. The weights are part of the package. Each
    process loads them once, in a few seconds, and needs 3 GB for 160 atoms: choose the number of jobs by the memory.

    Raises
    ------
    InputError
        sevenn or dftd3 is not installed, or a setting is given (there are none).

    References
    ----------
    .. [1] Y. Park, J. Kim, S. Hwang, S. Han, J. Chem. Theory Comput. 20, 4857 (2024).
    """

    name = "SevenNet-l3i5 + D3(0), a PBE-D3(0) surrogate"
    elements = symbols_of(range(1, 90))
    charge_advice = "its model has no total charge; add counter-ions"
    cost = Cost(1.9, 0.9)

    def __init__(self, **settings: float) -> None:
        require_known_settings(settings, {}, self.name)
        self.settings: Mapping[str, Any] = {"model": _MODEL}
        self.version = versions(("sevenn", "dftd3"), "SevenNet-l3i5", _INSTALL)

    def require(self) -> None:
        """Raise `InputError` if sevenn or dftd3 cannot be imported."""
        _model()
        load("dftd3", _INSTALL)

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        model = _model()
        try:
            model.calculate(atoms)
        except Exception as error:  # torch raises exceptions of any type
            raise LabelError(f"SevenNet-l3i5: {one_line(error)}") from error
        results = model.results
        stress = np.array(results["stress"], dtype=float) if atoms.pbc.all() else None
        label = Label(float(results["energy"]), np.array(results["forces"], dtype=float), stress)
        return add_dispersion(label, atoms, _INSTALL)


@cache
def _model() -> Calculator:
    """Return the calculator of the model, which is loaded once per process."""
    module = load("sevenn.calculator", _INSTALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hide warnings about accelerators that are not installed
        calculator: Calculator = module.SevenNetCalculator(_MODEL)
    return calculator
