"""Base class of all references: name, identity in the label store, and labels."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols, covalent_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.label import ImpossibleLabelError, Label, LabelError, verify
from electrolyte_ml.structures.charge import bare_configuration, states_charge, total_charge

# Two atoms closer than this fraction of the sum of their covalent radii (or than the floor, in Å) count as an error of
# the input: hot molecules and hard collisions stay above 0.6, and electronic-structure codes become unreliable below
# 0.4.
_OVERLAP = 0.4
_OVERLAP_FLOOR = 0.4


@dataclass(frozen=True)
class Cost:
    """Processor time of one label: ``seconds * (n_atoms / 40) ** exponent`` on one core, fitted to measurements.

    Attributes
    ----------
    seconds
        Time of a label of 40 atoms.
    exponent
        Exponent of the growth with the number of atoms.
    """

    seconds: float
    exponent: float

    def __call__(self, n_atoms: int) -> float:
        """Return the time (s) on one core for a label of `n_atoms` atoms."""
        return float(self.seconds * (n_atoms / 40) ** self.exponent)


class Reference(ABC):
    """A level of theory that labels configurations with energy, forces and stress.

    Attributes
    ----------
    name
        Name of the level of theory in figures, e.g. "GFN1-xTB".
    version
        Program that computes the labels, with its version.
    settings
        All settings on which a label depends.
    elements
        Symbols of the supported elements; ``None`` if unknown.
    molecules, partial_cells
        Whether configurations can be labelled without periodic directions, and with one or two. All references label
        3D-periodic cells.
    charged_molecules, charged_cells
        Whether configurations with a total charge can be labelled: without periodic directions, and with some.
    charge_advice
        Advice at the end of the error message for an unsupported charge.
    cost
        Measured cost of a label of a cell; ``None`` if unknown.
    """

    name: str
    version: str
    settings: Mapping[str, Any]
    elements: frozenset[str] | None = None
    molecules: bool = True
    partial_cells: bool = True
    charged_molecules: bool = False
    charged_cells: bool = False
    charge_advice: str = ""
    cost: Cost | None = None
    # Settings of the second attempt after a failure: they converge more slowly, to the same result.
    safer: ClassVar[Mapping[str, Any]] = {}

    @property
    def key(self) -> dict[str, Any]:
        """Identity of the reference: all data, other than the configuration, on which its labels depend."""
        return {"reference": self.name, "version": self.version, "settings": dict(self.settings)}

    def settings_of(self, atoms: Atoms) -> Mapping[str, Any]:
        """Return the settings for one configuration, including those that depend on the configuration."""
        return self.settings

    def key_of(self, atoms: Atoms) -> dict[str, Any]:
        """Return `key` with the settings for one configuration: the identity of its label."""
        return self.key | {"settings": dict(self.settings_of(atoms))}

    def limits(self) -> str:
        """Return one line with the supported configurations and the cost of a label."""
        elements = "any element" if self.elements is None else _list_elements(self.elements)
        kinds = ["molecules"] * self.molecules + ["cells"]
        charged = ["molecules"] * (self.molecules and self.charged_molecules) + ["cells"] * self.charged_cells
        charges = f"charged {' and '.join(charged)}" if charged else "neutral only"
        if charged and len(charged) < len(kinds):
            charges += f", neutral {'cells' if 'molecules' in charged else 'molecules'}"
        cells = "periodic cells" if self.partial_cells else "3D-periodic cells"
        cost = "no measured cost" if self.cost is None else f"{duration(self.cost(40))} of one core for 40 atoms"
        shapes = f"molecules and {cells}" if self.molecules else cells
        return f"{self.name}: {shapes}; {charges}; {elements}; {cost}"

    @classmethod
    def cost_with(cls, *arguments: Any, **settings: Any) -> Cost | None:
        """Return `cost` with arguments of the class, without looking for its program."""
        return cls.cost

    def require(self) -> None:  # noqa: B027 - most references are ready once they exist
        """Raise `InputError` if the program cannot be started; called once before any label is computed."""

    def check(self, atoms: Atoms, where: str = "configuration") -> None:
        """Check that a configuration can be labelled, before any program runs.

        Parameters
        ----------
        atoms
            Configuration.
        where
            Name of the configuration in messages, e.g. "configuration 3"; configurations and atoms are counted from 1.

        Raises
        ------
        InputError
            Positions are not finite, atoms overlap, the cell has no volume, or the reference does not support the
            periodic directions, the total charge or an element.
        """
        check_configuration(atoms, where)
        if not self.molecules and not atoms.pbc.all():
            raise InputError(f"{where}: {self.name} labels 3D-periodic cells; put a molecule into a large box")
        if not self.partial_cells and atoms.pbc.any() and not atoms.pbc.all():
            raise InputError(
                f"{where}: {self.name} labels 3D-periodic cells and molecules, not pbc {atoms.pbc.tolist()}"
            )
        self.check_charge(atoms, where)
        if self.elements is not None:
            for index, symbol in enumerate(atoms.symbols):
                if symbol not in self.elements:
                    raise InputError(
                        f"{where}: atom {index + 1} is {symbol}, for which {self.name} has no parameters here"
                    )

    def check_charge(self, atoms: Atoms, where: str = "configuration") -> None:
        """Raise `InputError` for a total charge that the reference does not support."""
        charge = total_charge(atoms, where)
        periodic = bool(atoms.pbc.any())
        if charge and not (self.charged_cells if periodic else self.charged_molecules):
            kind = "cells" if periodic else "molecules"
            advice = f": {self.charge_advice}" if self.charge_advice else ""
            raise InputError(f"{where}: {self.name} labels neutral {kind}, not a charge of {charge:+d} e{advice}")

    def label(self, atoms: Atoms) -> Label:
        """Compute energy, forces and (for 3D-periodic cells) stress; if this fails, retry once with safer settings.

        A calculation that converged to an impossible label is not repeated: safer settings converge to the same one.

        Raises
        ------
        InputError
            The configuration or the installation is at fault.
        LabelError
            The calculation failed twice (once if there are no safer settings), or its label is impossible; the message
            gives the reason.
        """
        self.check(atoms)
        try:
            return verify(self._compute(atoms, {}), atoms)
        except ImpossibleLabelError:
            raise
        except LabelError as error:
            if not self.safer:
                raise
            first = error
        try:
            return replace(verify(self._compute(atoms, self.safer), atoms), attempts=2)
        except LabelError as second:
            raise LabelError(f"{first}; with safer settings: {second}") from second

    def calculator(self, charge: int | None = None) -> Calculator:
        """Return an ASE calculator for dynamics with this reference.

        Parameters
        ----------
        charge
            Total charge (e) of the configurations. By default the charge of each configuration is used; a configuration
            that states a different charge raises `InputError`.
        """
        return _LabelCalculator(self, charge)

    @abstractmethod
    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        """Compute one label with settings overridden by `safer`; raise `LabelError` on failure."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, version={self.version!r}, settings={dict(self.settings)!r})"


class _LabelCalculator(Calculator):
    """ASE calculator for a reference that does not provide one."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 - ASE's own declaration

    def __init__(self, reference: Reference, charge: int | None) -> None:
        super().__init__()
        self.reference = reference
        self.charge = charge

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return the changes since the last calculation, including ``info["charge"]``, which ASE ignores."""
        changes = super().check_state(atoms, tol)
        return changes + charge_changes(self.atoms, atoms)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # set by ASE
        charged = bare_configuration(self.atoms)
        charged.info["charge"] = charge_in_dynamics(self.atoms, self.charge)
        label = self.reference.label(charged)
        self.results = {"energy": label.energy, "free_energy": label.energy, "forces": label.forces}
        if label.stress is not None:
            self.results["stress"] = label.stress


def charge_in_dynamics(atoms: Atoms, given: int | None) -> int:
    """Return the total charge (e) that a calculator for dynamics uses for a configuration.

    Raises
    ------
    InputError
        The configuration states a charge that differs from the one `given` to the calculator.
    """
    charge = total_charge(atoms)
    if given is None or charge == given:
        return charge
    if states_charge(atoms):
        raise InputError(f"the configuration has a charge of {charge:+d} e, its calculator was made for {given:+d} e")
    return given


def charge_changes(before: Atoms | None, after: Atoms) -> list[str]:
    """Return a list with ASE's name for a change of the total charge; empty without a change."""
    changed = before is not None and total_charge(before) != total_charge(after)
    return ["initial_charges"] if changed else []


def check_configuration(atoms: Atoms, where: str = "configuration") -> None:
    """Check that a configuration is physically possible, independently of the reference.

    Raises
    ------
    InputError
        There are no atoms; positions are not finite; an element is unknown; a periodic direction has no cell vector, or
        the cell is flat; two atoms (or an atom and its image) overlap; the total charge is not a whole number.
    """
    if len(atoms) == 0:
        raise InputError(f"{where}: no atoms")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise InputError(f"{where}: the position of atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) is not finite")
    unknown = np.flatnonzero(atoms.numbers < 1)
    if len(unknown):
        raise InputError(f"{where}: atom {unknown[0] + 1} has no element")
    _check_cell(atoms, where)
    _check_overlap(atoms, where)
    total_charge(atoms, where)


def electron_count(atoms: Atoms) -> int:
    """Return the number of electrons in all shells of a configuration."""
    return int(atoms.numbers.sum()) - total_charge(atoms)


def _check_cell(atoms: Atoms, where: str) -> None:
    cell = atoms.cell.array  # (3, 3) Å, rows are the vectors
    if not np.isfinite(cell).all():
        raise InputError(f"{where}: the cell is not finite")
    for direction in np.flatnonzero(atoms.pbc):
        if not cell[direction].any():
            raise InputError(f"{where}: periodic along cell vector {direction + 1}, which is zero")
    lengths = np.linalg.norm(cell, axis=1)
    if atoms.pbc.all() and abs(np.linalg.det(cell)) < 1e-6 * lengths.prod():
        raise InputError(f"{where}: the cell vectors lie in a plane")


def _check_overlap(atoms: Atoms, where: str) -> None:
    cell = atoms.cell.complete().array
    inverse = np.linalg.inv(cell)
    widths = 1.0 / np.linalg.norm(inverse, axis=0)  # (3,) Å between opposite faces
    for direction in np.flatnonzero(atoms.pbc & (widths < 2 * _OVERLAP_FLOOR)):
        raise InputError(f"{where}: the cell is only {widths[direction]:.2g} Å wide across cell vector {direction + 1}")
    radii = covalent_radii[atoms.numbers]
    fractional = atoms.positions @ inverse
    for start in range(0, len(atoms), 256):  # blocks limit the memory for large boxes
        rows = slice(start, start + 256)
        difference = fractional[rows, None] - fractional[None]  # (rows, n_atoms, 3)
        # Rounding finds the nearest image for distances below half the width of the cell.
        difference -= np.round(difference) * atoms.pbc
        distance = np.linalg.norm(difference @ cell, axis=2)
        distance[np.arange(len(distance)), np.arange(start, start + len(distance))] = np.inf
        limit = np.maximum(_OVERLAP * (radii[rows, None] + radii[None]), _OVERLAP_FLOOR)
        close = np.argwhere(distance < limit)
        if len(close):
            row, second = close[0]
            pair = " and ".join(f"{index + 1} ({atoms.symbols[index]})" for index in (start + row, second))
            raise InputError(f"{where}: atoms {pair} overlap, {distance[row, second]:.3f} Å apart")


def require_known_settings(given: Mapping[str, Any], known: Mapping[str, Any], name: str) -> None:
    """Check that all settings exist, so that a misspelt one is not ignored, and that they are positive numbers.

    Raises
    ------
    InputError
        A setting does not exist, or is not a positive number.
    """
    for setting, value in given.items():
        if setting not in known:
            raise InputError(f"{name} has no setting {setting!r}; it has {', '.join(sorted(known)) or 'none'}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not np.isfinite(value) or value <= 0:
            raise InputError(f"{name}: {setting} must be a positive number, not {value!r}")


def duration(seconds: float) -> str:
    """Return a time as text with two digits, such as ``"35 s"``, ``"1.5 min"`` or ``"12 h"``."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds)} s"


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def one_line(error: BaseException | str) -> str:
    """Return the text of an error as one line."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text or type(error).__name__


def _list_elements(elements: frozenset[str]) -> str:
    """Return element symbols by atomic number; for more than twenty without a gap, only the first and the last."""
    numbers = sorted(chemical_symbols.index(symbol) for symbol in elements)
    if len(numbers) > 20 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{chemical_symbols[numbers[0]]} to {chemical_symbols[numbers[-1]]}"
    return " ".join(chemical_symbols[number] for number in numbers)


def symbols_of(numbers: range) -> frozenset[str]:
    """Return the chemical symbols of a range of atomic numbers."""
    return frozenset(chemical_symbols[number] for number in numbers)
