"""References from ASE calculators, given by name or as an object."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import ase
import numpy as np
from ase import Atoms
from ase.calculators import calculator as ase_calculators
from ase.calculators.calculator import Calculator, CalculatorSetupError
from ase.calculators.calculator import InputError as ASEInputError

from electrolyte_ml.errors import InputError
from electrolyte_ml.processes import end_processes_on_failure
from electrolyte_ml.reference.base import Reference, one_line
from electrolyte_ml.reference.contents import known_by_content
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.structures.charge import total_charge, with_charge

# Parameters of ASE's calculators that name files to be written.
_OUTPUTS = ("label", "directory", "txt", "logfile", "restart")


class ASEReference(Reference):
    """Reference from an ASE calculator.

    Files that its parameters name, such as one of an EAM potential, belong to it by what they contain.

    Parameters
    ----------
    calculator
        Any ASE calculator; files of external programs are written in a temporary folder.
    name
        Name of the level of theory in figures; by default the name of the calculator.
    version
        Version of the calculator; by default the version of ASE.
    charge_in_info
        Whether the calculator reads the total charge from ``atoms.info["charge"]``, as some machine-learnt potentials
        do. Other calculators can label charged configurations only if they have a parameter `charge`.
    **settings
        Data that identify the labels in addition to the parameters of the calculator, e.g. the hash of a model file. At
        least one is needed if the calculator has no parameters.

    Raises
    ------
    InputError
        Nothing identifies the labels of the calculator, or the settings cannot be written as JSON.
    """

    def __init__(
        self,
        calculator: Calculator,
        *,
        name: str | None = None,
        version: str | None = None,
        charge_in_info: bool = False,
        **settings: Any,
    ) -> None:
        kind = type(calculator)
        own = dict(getattr(calculator, "parameters", None) or {})
        if not own and not settings and kind.__module__.partition(".")[0] != "ase":
            raise InputError(
                f"{kind.__name__} has no parameters that identify its labels: give some, "
                f"e.g. reference.get(calculator, name='...', model='its file or hash')"
            )
        self.name = name or _name_of(calculator)
        self.version = version or f"ase {ase.__version__}"
        described = {"calculator": f"{kind.__module__}.{kind.__qualname__}", **own, **settings}
        contents: list[list[str]] = []
        self.settings = {}
        for key, value in described.items():
            plain = _plain(value, f"{self.name}: {key}")
            self.settings[key] = plain if key in _OUTPUTS else known_by_content(plain, contents)
        if contents:
            self.settings["contents"] = contents
        self._calculator = calculator
        has_parameter = "charge" in own or "charge" in (getattr(calculator, "default_parameters", None) or {})
        self._charge_is_parameter = has_parameter and not charge_in_info
        self._fixed_charge = own.get("charge") if self._charge_is_parameter else None
        self.charged_molecules = has_parameter or charge_in_info
        # tblite has no neutralising background: see `XTBReference`.
        self.charged_cells = self.charged_molecules and kind.__module__.partition(".")[0] != "tblite"
        if not self.charged_molecules:
            self.charge_advice = (
                "it has no parameter `charge`; set charge_in_info=True if it reads atoms.info['charge']"
            )

    @classmethod
    def by_name(cls, name: str, *, charge_in_info: bool = False, **settings: Any) -> ASEReference:
        """Return a reference from the name of an ASE calculator and its keywords; `charge_in_info` as for the class.

        Raises
        ------
        InputError
            The package of the calculator is missing, or it does not accept the keywords.
        """
        try:
            kind = ase_calculators.get_calculator_class(name)
            calculator = kind(**settings)
        except ImportError as error:
            raise InputError(f"the ASE calculator {name!r} cannot be loaded ({one_line(error)}): install it") from error
        except Exception as error:  # calculators raise exceptions of any type
            raise InputError(f"the ASE calculator {name!r} cannot be set up: {one_line(error)}") from error
        return cls(calculator, charge_in_info=charge_in_info)

    def check_charge(self, atoms: Atoms, where: str = "configuration") -> None:
        """Raise `InputError` for a total charge that the calculator does not support or was not set up for."""
        super().check_charge(atoms, where)
        charge = total_charge(atoms, where)
        if self._fixed_charge and charge != self._fixed_charge:
            raise InputError(f"{where}: its charge is {charge}, but {self.name} was set up with {self._fixed_charge}")

    def calculator(self, charge: int | None = None) -> Calculator:
        """Return the calculator, or a copy of it that is set up for a charge.

        Parameters
        ----------
        charge
            Total charge (e) of the configurations. With ``None`` the calculator is returned unchanged; `check` then
            tests whether it supports the charge of a configuration.

        Raises
        ------
        InputError
            The calculator does not support the charge, or cannot be copied.
        """
        if charge is None or charge == (self._fixed_charge or 0):
            return self._calculator
        self.check_charge(Atoms("X", info={"charge": charge}))
        if not self._charge_is_parameter:
            return self._calculator
        try:
            calculator = deepcopy(self._calculator)
        except Exception as error:  # objects of compiled libraries, for instance
            raise InputError(
                f"{self.name} cannot be copied for a charge of {charge:+d} e; give a calculator with it ({error})"
            ) from error
        calculator.set(charge=charge)
        return calculator

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        charge = total_charge(atoms)
        charged = with_charge(atoms).copy()
        charged.info["charge"] = charge
        if not self._charge_is_parameter or charge == (self._fixed_charge or 0):
            return compute_with(self._calculator, charged, self.name)
        self._calculator.set(charge=charge)
        try:
            return compute_with(self._calculator, charged, self.name)
        finally:
            self._calculator.set(charge=self._fixed_charge)


def compute_with(calculator: Calculator, atoms: Atoms, name: str) -> Label:
    """Label one configuration with an ASE calculator, with its files in a temporary folder.

    Programs started by the calculator are ended if the calculation fails or is interrupted.

    Raises
    ------
    InputError
        The calculator is not set up.
    LabelError
        The calculation fails.
    """
    work = atoms.copy()
    with tempfile.TemporaryDirectory(prefix="electrolyte-ml-") as folder, end_processes_on_failure():
        own_folder = getattr(calculator, "directory", None)
        if own_folder is not None:
            calculator.directory = folder
        try:
            if hasattr(calculator, "reset"):
                calculator.reset()  # a label must not depend on earlier labels
            work.calc = calculator
            energy = float(work.get_potential_energy())
            forces = np.array(work.get_forces(apply_constraint=False), dtype=float)
            has_stress = atoms.pbc.all() and "stress" in calculator.implemented_properties
            stress = np.array(work.get_stress(apply_constraint=False), dtype=float) if has_stress else None
        except (CalculatorSetupError, ASEInputError) as error:
            raise InputError(f"{name} is not set up: {one_line(error)}") from error
        except Exception as error:  # calculators raise exceptions of any type
            raise LabelError(f"{name}: {one_line(error)}") from error
        finally:
            if own_folder is not None:
                calculator.directory = own_folder
    return Label(energy, forces, stress)


def _name_of(calculator: Calculator) -> str:
    name = getattr(calculator, "name", None)
    return name if isinstance(name, str) and name else type(calculator).__name__


def _plain(value: Any, what: str) -> Any:
    """Convert a setting to JSON and back, so that equal settings have equal texts."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    try:
        return json.loads(json.dumps(value, sort_keys=True, default=_plain_leaf))
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} = {value!r} cannot be written as JSON to identify the labels ({error})") from None


def _plain_leaf(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no unique text")
