"""MLIP's text format of configurations (.cfg)."""

import os
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NoReturn

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write, read_text
from electrolyte_ml.structures.charge import with_charge

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
POSITION = ("cartes_x", "cartes_y", "cartes_z")
FORCE = ("fx", "fy", "fz")
# The format numbers the elements without naming them. The names are stored in a feature, which other readers ignore.
SPECIES_FEATURE = "species"


def read_cfg(path: str | os.PathLike, species: Sequence[str] | None = None) -> list[Atoms]:
    """Read all configurations of a .cfg file.

    Parameters
    ----------
    path
        File name.
    species
        Elements of the types 0, 1, ..., for files that do not name them. Names in the file, written by `write_cfg`,
        take precedence.

    Returns
    -------
    list of Atoms
        Energies (eV), forces (eV/Å) and stresses (eV/Å³, Voigt, ASE's sign: ``stress = -PlusStress / volume``) as a
        `SinglePointCalculator`. The axes with a row in the supercell are periodic. Features become strings in `info`
        (`read_configurations` converts the charge to a number), and further columns of the atoms become arrays.

    Raises
    ------
    InputError
        A line does not follow the format; the message names the file and the line.
    """
    reader = _Reader(str(path), read_text(path).splitlines(), species)
    configurations = []
    while (line := reader.next_filled()) is not None:
        if line != "BEGIN_CFG":
            reader.fail(f"expected BEGIN_CFG, found {line[:40]!r}")
        configurations.append(reader.configuration())
    return configurations


def write_cfg(path: str | os.PathLike, configurations: Iterable[Atoms], species: Sequence[str] | None = None) -> None:
    """Write configurations to a .cfg file, atomically.

    Parameters
    ----------
    path
        File name.
    configurations
        Energy, forces and stress (eV, eV/Å, eV/Å³) in the results of their calculators are written if present. Strings
        and numbers in `info`, including the total charge, become features.
    species
        Elements in the order of their types; by default all elements in alphabetical order. `read_cfg` reads this order
        from a feature of every configuration.

    Raises
    ------
    InputError
        An element is missing from `species`, a number is not finite, or the total charge is not a whole number.
    """
    configurations = list(configurations)
    if species is None:
        species = sorted(set(chain.from_iterable(atoms.symbols for atoms in configurations)))
    types = {atomic_numbers[symbol]: number for number, symbol in enumerate(species)}
    blocks = []
    for number, atoms in enumerate(configurations, start=1):
        unknown = set(atoms.symbols) - set(species)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise InputError(f"{path}: configuration {number} contains {names}, which is not in {' '.join(species)}")
        try:
            blocks.append(_format(with_charge(atoms, f"{path}: configuration {number}"), types, species))
        except FloatingPointError as error:
            raise InputError(f"{path}: configuration {number} has {error}") from None
    atomic_write(path, "".join(blocks))


def _format(atoms: Atoms, types: dict[int, int], species: Sequence[str]) -> str:
    results = atoms.calc.results if atoms.calc is not None else {}
    lines = ["BEGIN_CFG", " Size", f"    {len(atoms)}"]
    if atoms.pbc.any():
        lines += [" Supercell", *_rows(atoms.cell.array[atoms.pbc], "cell")]
    columns: tuple[str, ...] = POSITION
    table = _finite(atoms.positions, "position")
    if "forces" in results:
        columns, table = columns + FORCE, np.hstack([table, _finite(results["forces"], "force")])
    lines.append(" AtomData:  id type " + " ".join(columns))
    row = "    %d %d" + " %.16f" * len(columns)  # fixed point, because some readers cannot read exponents
    numbers = [types[z] for z in atoms.numbers]
    lines += [row % (k, t, *values) for k, (t, values) in enumerate(zip(numbers, table.tolist(), strict=True), 1)]
    if "energy" in results:
        lines += [" Energy", *_rows([[results["energy"]]], "energy")]
    if "stress" in results and atoms.pbc.all():
        plus_stress = -atoms.get_volume() * np.asarray(results["stress"], dtype=float)
        lines += [" PlusStress:  " + " ".join(VOIGT), *_rows([plus_stress], "stress")]
    for key, value in (atoms.info | {SPECIES_FEATURE: ",".join(species)}).items():
        # The format allows only keys of one word and values of one line.
        scalar = isinstance(value, (str, int, float, np.number, np.bool_))
        if scalar and len(str(key).split()) == 1 and len(text := str(value).strip().splitlines()) == 1:
            lines.append(f" Feature   {key}\t{text[0]}")
    return "\n".join([*lines, "END_CFG", "", ""])


def _rows(values: np.ndarray | Sequence, what: str) -> list[str]:
    return ["    " + " ".join(f"{value:.16f}" for value in row) for row in _finite(values, what)]


def _finite(values: np.ndarray | Sequence, what: str) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if not np.isfinite(array).all():
        raise FloatingPointError(f"a {what} that is not finite")
    return array


class _Reader:
    """Lines of a file, and the current position."""

    def __init__(self, path: str, lines: list[str], species: Sequence[str] | None) -> None:
        self.path, self.lines, self.species = path, lines, species
        self.at = 0  # number of lines read so far

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        raise InputError(f"{self.path}, line {self.at if line is None else line}: {message}") from None

    def next_filled(self) -> str | None:
        """Return the next line that is not empty, stripped; None at the end of the file."""
        while self.at < len(self.lines):
            self.at += 1
            if line := self.lines[self.at - 1].strip():
                return line
        return None

    def numbers(self, count: int, what: str) -> np.ndarray:
        """Return `count` numbers on the next line."""
        return self.table(1, count, what)[0]

    def table(self, rows: int, columns: int, what: str) -> np.ndarray:
        """Return (rows, columns) numbers on the next lines."""
        words = [line.split() for line in self.lines[self.at : self.at + rows]]
        if len(words) == rows and all(len(row) == columns for row in words):
            try:
                values = np.array(list(map(float, chain.from_iterable(words)))).reshape(rows, columns)
            except ValueError:
                values = np.full((1, 1), np.nan)
            if np.isfinite(values).all():
                self.at += rows
                return values
        # One of the lines is faulty: find the first one for the message.
        for row in words:
            self.at += 1
            if len(row) != columns:
                self.fail(f"{what} needs {columns} columns, found {len(row)}")
            for word in row:
                if not _is_finite_number(word):
                    self.fail(f"{what} holds {word!r} instead of a finite number")
        self.fail(f"the file ends inside {what}")

    def configuration(self) -> Atoms:
        """Return one configuration, whose BEGIN_CFG has been read."""
        begin = self.at
        size: int | None = None
        cell: list[np.ndarray] = []
        columns: dict[str, np.ndarray] = {}
        results: dict[str, float | np.ndarray] = {}
        features: dict[str, str] = {}
        plus_stress: np.ndarray | None = None
        atom_line = 0
        while True:
            line = self.next_filled()
            if line is None:
                self.fail(f"the file ends inside the configuration that begins in line {begin}: END_CFG is missing")
            key, *rest = line.split()
            if key == "END_CFG":
                break
            elif key == "BEGIN_CFG":
                self.fail(f"END_CFG of the configuration that begins in line {begin} is missing")
            elif key == "Size":
                size = self._size()
            elif key == "Supercell":
                while len(cell) < 3 and self._next_is_number():
                    cell.append(self.numbers(3, "Supercell"))
            elif key == "AtomData:":
                if size is None:
                    self.fail("AtomData without a Size before it")
                missing = [name for name in ("id", "type", *POSITION) if name not in rest]
                if missing:
                    self.fail(f"AtomData has no column {', '.join(missing)}")
                atom_line = self.at + 1
                columns = dict(zip(rest, self.table(size, len(rest), "AtomData").T, strict=True))
            elif key == "Energy":
                results["energy"] = float(self.numbers(1, "Energy")[0])
            elif key == "PlusStress:":
                if sorted(rest) != sorted(VOIGT):
                    self.fail(f"PlusStress must name {' '.join(VOIGT)}, found {' '.join(rest)}")
                plus_stress = self.numbers(6, "PlusStress")[[rest.index(name) for name in VOIGT]]
            elif key == "Stress:":
                self.fail('"Stress:" has the opposite sign of "PlusStress:" and is not accepted; convert the file')
            elif key == "Feature":
                name, value = [*line.split(maxsplit=2)[1:], "", ""][:2]
                features[name] = value
            else:
                self.fail(f"unknown section {key!r}")
        if not columns:
            self.fail(f"the configuration that begins in line {begin} has no {'Size' if size is None else 'AtomData'}")
        elements = self._elements(columns, features.pop(SPECIES_FEATURE, None), atom_line)
        atoms = Atoms(elements, np.stack([columns[name] for name in POSITION], axis=1), info=features)
        atoms.set_cell([*cell, *np.zeros((3 - len(cell), 3))])
        atoms.pbc = [axis < len(cell) for axis in range(3)]
        if cell and np.linalg.matrix_rank(cell) < len(cell):
            self.fail(f"the supercell of the configuration that begins in line {begin} has no volume")
        if plus_stress is not None:
            if len(cell) < 3:
                self.fail("PlusStress needs a Supercell of three vectors")
            results["stress"] = -plus_stress / atoms.get_volume()
        if all(name in columns for name in FORCE):
            results["forces"] = np.stack([columns[name] for name in FORCE], axis=1)
        for name in columns.keys() - {"id", "type", *POSITION, *FORCE}:
            atoms.set_array(name, columns[name])
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        return atoms

    def _size(self) -> int:
        size = self.numbers(1, "Size")[0]
        if size < 1 or size != int(size):
            self.fail(f"Size must be a positive whole number, found {size:g}")
        return int(size)

    def _next_is_number(self) -> bool:
        words = self.lines[self.at].split() if self.at < len(self.lines) else []
        return bool(words) and words[0][0] in "+-.0123456789nN"

    def _elements(self, columns: dict[str, np.ndarray], named: str | None, first_line: int) -> np.ndarray:
        ids, types = columns["id"], columns["type"]
        wrong = np.flatnonzero(ids != np.arange(1, len(ids) + 1))
        if wrong.size:
            self.fail(f"ids must run 1, 2, 3, ..., found {ids[wrong[0]]:g}", first_line + wrong[0])
        species = named.split(",") if named else self.species
        if species is None:
            self.fail("the file numbers its elements without naming them; give them in order, such as --species H C O")
        unknown = [symbol for symbol in species if symbol not in atomic_numbers]
        if unknown:
            self.fail(f"{unknown[0]!r} is not an element")
        wrong = np.flatnonzero((types < 0) | (types >= len(species)) | (types != np.floor(types)))
        if wrong.size:
            self.fail(f"type {types[wrong[0]]:g} has no element in {' '.join(species)}", first_line + wrong[0])
        return np.array([atomic_numbers[symbol] for symbol in species])[types.astype(int)]


def _is_finite_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
