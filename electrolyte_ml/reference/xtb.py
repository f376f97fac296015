"""GFN1- and GFN2-xTB through tblite."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError

from electrolyte_ml.reference.base import (
    Cost,
    Reference,
    charge_changes,
    charge_in_dynamics,
    one_line,
    require_known_settings,
    symbols_of,
)
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.packages import load, versions
from electrolyte_ml.structures.charge import total_charge

_INSTALL = "pip install tblite"
_COSTS = {"GFN1-xTB": Cost(0.7, 1.8), "GFN2-xTB": Cost(3.5, 1.2)}


class XTBReference(Reference):
    """Extended tight binding [1]_ [2]_ with analytical forces and stress, one thread per process.

    Charged molecules are supported, charged periodic cells are not: tblite sums their Coulomb energy without a
    neutralising background, so that the energy depends on the choice among equivalent cells. One Li+ in a cube of 12 Å
    and eight in a cube of 24 Å, the same crystal, differ by 0.45 eV per ion (tblite 0.8, both methods).

    Parameters
    ----------
    method
        "GFN1-xTB" or "GFN2-xTB".
    **settings
        Settings that replace the defaults: ``accuracy`` (1.0), ``electronic_temperature`` (300 K), ``max_iterations``
        (250).

    Raises
    ------
    InputError
        tblite is not installed, or a setting does not exist.

    References
    ----------
    .. [1] S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017).
    .. [2] C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).
    """

    elements = symbols_of(range(1, 87))
    partial_cells = False
    charged_molecules = True
    charge_advice = "its energy would depend on the choice of the cell; add counter-ions, or label a cluster"
    # Smaller mixing steps lead to the same state; a higher electronic temperature would change the result.
    safer: ClassVar[Mapping[str, Any]] = {"mixer_damping": 0.1, "max_iterations": 500}

    def __init__(self, method: str, **settings: float) -> None:
        defaults = {"accuracy": 1.0, "electronic_temperature": 300.0, "max_iterations": 250}
        require_known_settings(settings, defaults, method)
        self.name = method
        self.settings = defaults | settings
        self.version = versions(("tblite",), method, _INSTALL)
        self.cost = self.cost_with(method)

    @classmethod
    def cost_with(cls, method: str, **settings: Any) -> Cost:
        """Return the cost with one of both methods."""
        return _COSTS[method]

    def require(self) -> None:
        """Raise `InputError` if tblite cannot be imported."""
        _tblite()

    def calculator(self, charge: int | None = None) -> Calculator:
        """Return the ASE calculator of tblite, which starts each step from the charges of the last one.

        Parameters
        ----------
        charge
            As for `Reference.calculator`.
        """
        return _dynamics_class()(self, charge)

    def _parameters(self) -> dict[str, Any]:
        return {"method": self.name, "verbosity": 0, **self.settings}

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        # A new calculator for each label, because a label must not depend on earlier ones.
        calculator = _tblite().TBLite(**self._parameters(), charge=total_charge(atoms))
        calculator.set(**safer)
        try:
            calculator.calculate(atoms)
        except (CalculatorError, RuntimeError) as error:
            raise LabelError(f"{self.name}: {one_line(error)}") from error
        results = calculator.results
        return Label(float(results["energy"]), results["forces"], results.get("stress"))


@cache
def _dynamics_class() -> type[Calculator]:
    """Return the class of tblite calculators that read the charge from the configuration."""
    base: Any = _tblite().TBLite

    class XTBCalculator(base):
        def __init__(self, reference: XTBReference, charge: int | None) -> None:
            super().__init__(**reference._parameters())
            self._reference, self._given = reference, charge

        def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
            return super().check_state(atoms, tol) + charge_changes(self.atoms, atoms)

        def calculate(self, atoms: Atoms | None = None, *arguments: Any, **keywords: Any) -> None:
            atoms = self.atoms if atoms is None else atoms
            self._reference.check_charge(atoms)
            charge = charge_in_dynamics(atoms, self._given)
            if self.parameters.charge != charge:
                self.set(charge=charge)
            super().calculate(atoms, *arguments, **keywords)

    return XTBCalculator


def _tblite() -> ModuleType:
    return load("tblite.ase", _INSTALL)
