"""Any ASE calculator as a reference, by name or as an object."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any

import ase
import numpy as np
from ase import Atoms
from ase.calculators import calculator as ase_calculators
from ase.calculators.calculator import Calculator, CalculatorSetupError
from ase.calculators.calculator import InputError as ASEInputError

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Label, LabelError, Reference, one_line


class ASEReference(Reference):
    """A reference that asks an ASE calculator.

    Parameters
    ----------
    calculator
        Any ASE calculator; programs that write files do so in a temporary folder.
    name
        What figures call it; the calculator's own name by default.
    version
        What tells one state of the calculator from another; ASE's version by default.
    **settings
        What identifies the labels besides the calculator's own parameters, e.g. the model file's hash. Needed where
        the calculator has no parameters.

    Raises
    ------
    InputError
        If nothing identifies the calculator's labels, or the settings cannot be written down.
    """

    def __init__(
        self, calculator: Calculator, *, name: str | None = None, version: str | None = None, **settings: Any
    ) -> None:
        kind = type(calculator)
        own = dict(getattr(calculator, "parameters", None) or {})
        if not own and not settings and kind.__module__.partition(".")[0] != "ase":
            raise InputError(
                f"{kind.__name__} has no parameters that tell its labels from another's: "
                f"say what does, e.g. reference.get(calculator, name='...', model='its file or hash')"
            )
        self.name = name or _name_of(calculator)
        self.version = version or f"ase {ase.__version__}"
        described = {"calculator": f"{kind.__module__}.{kind.__qualname__}", **own, **settings}
        self.settings = {key: _plain(value, f"{self.name}: {key}") for key, value in described.items()}
        self._calculator = calculator

    @classmethod
    def by_name(cls, name: str, **settings: Any) -> ASEReference:
        """Return a reference from the name of an ASE calculator and its keywords.

        Raises
        ------
        InputError
            If its package is missing or it refuses the keywords.
        """
        try:
            kind = ase_calculators.get_calculator_class(name)
            calculator = kind(**settings)
        except ImportError as error:
            raise InputError(f"the ASE calculator {name!r} cannot be loaded ({one_line(error)}): install it") from error
        except Exception as error:  # each calculator refuses in its own way
            raise InputError(f"the ASE calculator {name!r} cannot be set up: {one_line(error)}") from error
        return cls(calculator)

    def calculator(self, charge: int = 0) -> Calculator:
        """Return the calculator itself; the charge is its own affair."""
        return self._calculator

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        return compute_with(self._calculator, atoms, self.name)


def compute_with(calculator: Calculator, atoms: Atoms, name: str) -> Label:
    """Label one configuration with an ASE calculator, its files in a temporary folder.

    Raises
    ------
    InputError
        If the calculator is not set up.
    LabelError
        If the calculation fails.
    """
    work = atoms.copy()
    with tempfile.TemporaryDirectory(prefix="electrolyte-ml-") as folder:
        own_folder = getattr(calculator, "directory", None)
        if own_folder is not None:
            calculator.directory = folder
        try:
            if hasattr(calculator, "reset"):
                calculator.reset()  # a label may not depend on what was labelled before it
            work.calc = calculator
            energy = float(work.get_potential_energy())
            forces = np.array(work.get_forces(apply_constraint=False), dtype=float)
            has_stress = atoms.pbc.all() and "stress" in calculator.implemented_properties
            stress = np.array(work.get_stress(apply_constraint=False), dtype=float) if has_stress else None
        except (CalculatorSetupError, ASEInputError) as error:
            raise InputError(f"{name} is not set up: {one_line(error)}") from error
        except Exception as error:  # calculators fail in any way they like
            raise LabelError(f"{name}: {one_line(error)}") from error
        finally:
            if own_folder is not None:
                calculator.directory = own_folder
    return Label(energy, forces, stress)


def _name_of(calculator: Calculator) -> str:
    name = getattr(calculator, "name", None)
    return name if isinstance(name, str) and name else type(calculator).__name__


def _plain(value: Any, what: str) -> Any:
    """Return a setting as JSON would give it back, so that the same settings always look the same."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    try:
        return json.loads(json.dumps(value, sort_keys=True, default=_plain_leaf))
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} = {value!r} cannot be written down to identify the labels ({error})") from None


def _plain_leaf(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no fixed text")
