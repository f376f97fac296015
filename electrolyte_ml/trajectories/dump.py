"""LAMMPS dumps: atoms in any order, any box, with or without the lines that name units and times.

The places of the frames are found by one fast search; a frame is read when it is wanted, its atoms sorted by id.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_masses

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import GIVE_ELEMENTS, Frame, Identity, numbers_of, plain_universe

if TYPE_CHECKING:
    from MDAnalysis import Universe

VELOCITY_AND_TIME = {"metal": (1.0, 1.0), "real": (1000.0, 0.001)}  # Å/ps and ps of LAMMPS's units of velocity and time
_UNWRAPPED = (("xu", "yu", "zu"), ("xsu", "ysu", "zsu"))
_POSITIONS = (*_UNWRAPPED, ("x", "y", "z"), ("xs", "ys", "zs"))  # the first that a dump has are read
_IMAGES = ("ix", "iy", "iz")
_START = b"ITEM: TIMESTEP"


class DumpFrames:
    """A LAMMPS dump of atoms.

    Parameters
    ----------
    path
        The file.
    identity
        What its atoms are, in the order of their ids; None when the dump says it itself.
    elements
        Type -> element, for a dump without a topology.
    units
        "metal" or "real", where the dump does not name them. Without either, velocities and times are unknown.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity | None,
        elements: Mapping[str, str] | None = None,
        units: str | None = None,
    ) -> None:
        self.name, self.cut_short = str(path), ""
        with open(path, "rb") as stream:
            self._content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._starts = []
        at = self._content.find(_START)
        while at >= 0:
            self._starts.append(at)
            at = self._content.find(_START, at + 1)
        if not self._starts:
            raise InputError(f"{path} is not a LAMMPS dump of atoms")
        named = self._content[: self._starts[0]].decode(errors="replace").split()
        units = named[2] if named[:2] == ["ITEM:", "UNITS"] and len(named) > 2 else units
        if units is not None and units not in VELOCITY_AND_TIME:
            raise InputError(f"{path}: LAMMPS units must be one of {', '.join(VELOCITY_AND_TIME)}, not {units!r}")
        self._velocity, self._time = VELOCITY_AND_TIME[units] if units else (None, None)
        self.n_frames = len(self._starts)
        try:
            self._table(self.n_frames - 1)
        except InputError as error:
            self.cut_short = f"the file ends within frame {self.n_frames}"
            self.n_frames -= 1
            if not self.n_frames:
                raise InputError(f"{path}: {error}") from error
        columns, table, _ = self._table(0)
        if "id" not in columns:
            raise InputError(f"{path}: its atoms have no id, and LAMMPS changes their order from frame to frame")
        self.unwrapped = any(set(names) <= set(columns) for names in (*_UNWRAPPED, _IMAGES))
        self._ids = np.sort(table[:, columns.index("id")].astype(np.int64))
        if identity is None:
            identity = self._identify(columns, table, elements)
        if len(identity.numbers) != len(self._ids):
            raise InputError(f"{path} holds {len(self._ids)} atoms, its topology {len(identity.numbers)}")
        self._universe = identity.universe
        self.numbers, self.masses, self.bonds = identity.numbers, identity.masses, identity.bonds
        self.times_known = self._time is not None and self._item_time(0) is not None

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        columns, table, header = self._table(k)
        index = table[:, columns.index("id")].astype(np.int64)
        order = np.argsort(index)
        if not np.array_equal(index[order], self._ids):
            raise InputError("its atoms are not those of frame 1")
        table = table[order]
        cell, origin = _box(header)
        for names in _POSITIONS:
            if set(names) <= set(columns):
                break
        else:
            raise InputError("it has no positions")
        positions = self._values(columns, table, names)
        if "s" in names[0]:
            positions = positions @ cell + origin
        if names not in _UNWRAPPED and set(_IMAGES) <= set(columns):
            positions += self._values(columns, table, _IMAGES) @ cell
        velocities = None
        if self._velocity is not None and {"vx", "vy", "vz"} <= set(columns):
            velocities = self._velocity * self._values(columns, table, ("vx", "vy", "vz"))
        time = self._time * self._item_time(k) if self.times_known else float(header[1])
        return Frame(positions, cell, velocities, time)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return a universe of the same atoms, to select from: that of the topology where there is one."""
        return self._universe or plain_universe(self.numbers, molecule)

    def _table(self, k: int) -> tuple[list[str], np.ndarray, list[str]]:
        """Return the names of the columns, the (N, columns) words of a frame, and the lines above them."""
        end = self._starts[k + 1] if k + 1 < len(self._starts) else len(self._content)
        text = self._content[self._starts[k] : end].decode(errors="replace")
        head, _, body = text.partition("ITEM: ATOMS")
        header, lines = head.splitlines(), body.splitlines()
        try:
            count = int(header[3])
        except (IndexError, ValueError):
            raise InputError("the file ends before the frame does") from None
        columns = lines[0].split() if lines else []
        words = " ".join(lines[1 : count + 1]).split()
        whole = text.endswith("\n") or end < len(self._content)  # the last word may be half of a number
        if not columns or len(words) != count * len(columns) or not whole:
            raise InputError("the file ends before the frame does")
        return columns, np.array(words).reshape(count, len(columns)), header

    @staticmethod
    def _values(columns: list[str], table: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        try:
            return table[:, [columns.index(name) for name in names]].astype(float)
        except ValueError:
            raise InputError(f"not all of {', '.join(names)} are numbers") from None

    def _item_time(self, k: int) -> float | None:
        """Return the time that stands above a frame, in LAMMPS's unit."""
        before = self._content[max(0, self._starts[k] - 80) : self._starts[k]].decode(errors="replace")
        _, found, value = before.rpartition("ITEM: TIME\n")
        return float(value) if found else None

    def _identify(self, columns: list[str], table: np.ndarray, elements: Mapping[str, str] | None) -> Identity:
        table = table[np.argsort(table[:, columns.index("id")].astype(np.int64))]
        if elements is not None and "type" in columns:
            labels = table[:, columns.index("type")].tolist()
            given = {str(key): value for key, value in elements.items()}
            missing = sorted(set(labels) - set(given))
            if missing:
                raise InputError(f"{self.name}: no element is given for type {missing[0]!r}")
            symbols = [given[label] for label in labels]
        elif "element" in columns:
            symbols = table[:, columns.index("element")].tolist()
        else:
            raise InputError(f"{self.name}: nothing says what element an atom is: {GIVE_ELEMENTS}")
        numbers = numbers_of(symbols, self.name)
        return Identity(numbers, atomic_masses[numbers], None, None)


def _box(header: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and origin from the lines above the atoms."""
    at = next((k for k, line in enumerate(header) if line.startswith("ITEM: BOX BOUNDS")), None)
    try:
        words = header[at].split()[3:]
        rows = np.array([[float(x) for x in line.split()] for line in header[at + 1 : at + 4]])
    except (TypeError, ValueError):
        raise InputError("its box cannot be read") from None
    if any(flag != "pp" for flag in words[-3:]):
        raise InputError(f"its box is not periodic in all three directions ({' '.join(words[-3:])})")
    if "abc" in words:  # general triclinic: three vectors and, in the last column, the origin
        return rows[:, :3], rows[:, 3]
    xy, xz, yz = rows[:, 2] if rows.shape[1] == 3 else (0.0, 0.0, 0.0)
    low, high = rows[:, 0].copy(), rows[:, 1].copy()
    low[:2] -= [min(0.0, xy, xz, xy + xz), min(0.0, yz)]
    high[:2] -= [max(0.0, xy, xz, xy + xz), max(0.0, yz)]
    a, b, c = high - low
    return np.array([[a, 0.0, 0.0], [xy, b, 0.0], [xz, yz, c]]), low
