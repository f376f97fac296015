"""Frames of LAMMPS dumps: atoms in any order, any box, with or without lines for units and times.

One search finds the positions of the frames in the file; each frame is read on demand, with its atoms sorted by id.
"""

from __future__ import annotations

import mmap
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.data import atomic_masses

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, Identity, VelocitySeries
from electrolyte_ml.trajectories.identity import GIVE_ELEMENTS, numbers_of
from electrolyte_ml.trajectories.lammps import unit_factors
from electrolyte_ml.trajectories.universes import charges_of, plain_universe

if TYPE_CHECKING:
    from MDAnalysis import Universe

_UNWRAPPED = (("xu", "yu", "zu"), ("xsu", "ysu", "zsu"))
_POSITIONS = (*_UNWRAPPED, ("x", "y", "z"), ("xs", "ys", "zs"))  # the first of these in a dump are read
_IMAGES = ("ix", "iy", "iz")
_STARTS = (b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME\n")  # possible first lines of a dump


def is_dump(path: Path) -> bool:
    """Return whether a file begins like a LAMMPS dump."""
    with open(path, "rb") as stream:
        return stream.read(32).removeprefix(BOM_UTF8).startswith(_STARTS)


class DumpFrames:
    """Frames of a LAMMPS dump of atoms.

    Parameters
    ----------
    path
        File name.
    identity
        Elements of the atoms in the order of their ids; None if the dump contains them.
    elements
        Type -> element, for a dump without a topology.
    units
        "metal" or "real", if the dump does not name its units. If they are not known, velocities and times are unknown.

    Raises
    ------
    InputError
        The file contains no complete frame, atoms have no ids or unknown elements, or the units are not supported.
    """

    velocity_series: VelocitySeries | None = None
    stated_step: float | None = None

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
        self._starts = _find_all(self._content, b"ITEM: TIMESTEP")
        if not self._starts:
            raise InputError(f"{path} is not a LAMMPS dump of atoms")
        head = self._content[: self._starts[0]].removeprefix(BOM_UTF8).decode(errors="replace").split()
        named = head[2] if head[:2] == ["ITEM:", "UNITS"] and len(head) > 2 else units
        if units not in (None, named):
            raise InputError(f"{path} states units {named}, not {units}: leave out lammps_units (--lammps-units)")
        self._velocity, self._time = unit_factors(named, self.name)
        self.n_frames = len(self._starts)
        try:
            self._table(self.n_frames - 1)
        except InputError as error:
            self.cut_short = f"the file ends within frame {self.n_frames}"
            self.n_frames -= 1
            if not self.n_frames:
                raise InputError(f"{path}: {error}") from error
        try:
            first = self._table(0)
            self._ids = np.sort(first.ids()) if "id" in first.columns else np.zeros(0, int)
        except InputError as error:
            raise InputError(f"{path}, frame 1: {error}") from error
        if "id" not in first.columns:
            raise InputError(f"{path}: its atoms have no id, but their order changes from frame to frame in LAMMPS")
        self.unwrapped = any(first.has(*names) for names in (*_UNWRAPPED, _IMAGES))
        identity = identity or self._identify(first, elements)
        if len(identity.numbers) != len(self._ids):
            raise InputError(f"{path} contains {len(self._ids)} atoms, but its topology {len(identity.numbers)}")
        self._universe = identity.universe
        self.atomic_charges = charges_of(identity.universe)
        if first.has("q"):
            self.atomic_charges = first.values("q")[np.argsort(first.ids()), 0]
        self.numbers, self.masses, self.bonds = identity.numbers, identity.masses, identity.bonds
        self.hints: Mapping[str, str] = {}
        if self._velocity is None and first.has("vx", "vy", "vz"):
            self.hints = {"velocities": "give their units: lammps_units, --lammps-units"}
        self.times_known = self._time is not None and self._item_time(0) is not None

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0.

        Raises
        ------
        InputError
            The atoms are not those of frame 1, there are no positions, or the box is not periodic.
        """
        table = self._table(k)
        ids = table.ids()
        order = np.argsort(ids)
        if not np.array_equal(ids[order], self._ids):
            raise InputError("its atoms are not those of frame 1")
        cell, origin = _box(table.header)
        names = next((names for names in _POSITIONS if table.has(*names)), None)
        if names is None:
            raise InputError("it has no positions")
        positions = table.values(*names)[order]
        if "s" in names[0]:
            positions = positions @ cell + origin
        if names not in _UNWRAPPED and table.has(*_IMAGES):
            positions += table.values(*_IMAGES)[order] @ cell
        velocities = None
        if self._velocity is not None and table.has("vx", "vy", "vz"):
            velocities = self._velocity * table.values("vx", "vy", "vz")[order]
        time = self._item_time(k) if self.times_known else None
        if time is None or self._time is None:
            return Frame(positions, cell, velocities, float(table.header[1]))  # number of the step
        return Frame(positions, cell, velocities, self._time * time)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe of the topology, or a plain universe of the same atoms without a topology."""
        return self._universe or plain_universe(self.numbers, molecule)

    def _table(self, k: int) -> _Table:
        end = self._starts[k + 1] if k + 1 < len(self._starts) else len(self._content)
        text = self._content[self._starts[k] : end].decode(errors="replace")
        head, _, body = text.partition("ITEM: ATOMS")
        header, lines = head.splitlines(), body.splitlines()
        try:
            count = int(header[3])
        except (IndexError, ValueError):
            raise InputError("the file ends within the frame") from None
        columns = lines[0].split() if lines else []
        words = " ".join(lines[1 : count + 1]).split()
        whole = text.endswith("\n") or end < len(self._content)  # otherwise the last number may be incomplete
        if not columns or len(words) != count * len(columns) or not whole:
            raise InputError("the file ends within the frame")
        return _Table(columns, np.array(words).reshape(count, len(columns)), header)

    def _item_time(self, k: int) -> float | None:
        """Return the time stated before a frame, in the unit of LAMMPS; None if there is none."""
        before = self._content[max(0, self._starts[k] - 80) : self._starts[k]].decode(errors="replace")
        _, found, value = before.rpartition("ITEM: TIME\n")
        try:
            return float(value) if found else None
        except ValueError:
            raise InputError(f"{self.name}: the time of frame {k + 1} is not a number") from None

    def _identify(self, table: _Table, elements: Mapping[str, str] | None) -> Identity:
        order = np.argsort(table.ids())
        if elements is not None and "type" in table.columns:
            labels = table.words[order, table.columns.index("type")].tolist()
            given = {str(key): value for key, value in elements.items()}
            missing = sorted(set(labels) - set(given))
            if missing:
                raise InputError(f"{self.name}: no element is given for type {missing[0]!r}")
            symbols = [given[label] for label in labels]
        elif elements is not None:
            raise InputError(f"{self.name} has no types, so that elements=, --elements would have no effect")
        elif "element" in table.columns:
            symbols = table.words[order, table.columns.index("element")].tolist()
        else:
            raise InputError(f"{self.name} does not state the elements of its atoms: {GIVE_ELEMENTS}")
        numbers = numbers_of(symbols, self.name)
        return Identity(numbers, atomic_masses[numbers], None, None)


class _Table(NamedTuple):
    """Atoms of one frame.

    Attributes
    ----------
    columns
        Names of the columns.
    words
        (N, columns) str, in the order of the file.
    header
        Lines before the atoms.
    """

    columns: list[str]
    words: np.ndarray
    header: list[str]

    def has(self, *names: str) -> bool:
        """Return whether the table has all these columns."""
        return set(names) <= set(self.columns)

    def ids(self) -> np.ndarray:
        """Return the ids, (N,) int."""
        try:
            return self.words[:, self.columns.index("id")].astype(np.int64)
        except (ValueError, OverflowError):
            raise InputError("not all values of id are whole numbers") from None

    def values(self, *names: str) -> np.ndarray:
        """Return the values of columns, (N, names) float."""
        try:
            return self.words[:, [self.columns.index(name) for name in names]].astype(float)
        except ValueError:
            raise InputError(f"not all values of {', '.join(names)} are numbers") from None


def _find_all(content: mmap.mmap, pattern: bytes) -> list[int]:
    places = []
    at = content.find(pattern)
    while at >= 0:
        places.append(at)
        at = content.find(pattern, at + 1)
    return places


def _box(header: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return cell (3, 3) and origin (3,), Å, from the lines before the atoms."""
    at = next((k for k, line in enumerate(header) if line.startswith("ITEM: BOX BOUNDS")), len(header))
    try:
        rows = np.array([[float(x) for x in line.split()] for line in header[at + 1 : at + 4]])
    except ValueError:
        rows = np.zeros((0, 0))
    if len(rows) != 3:
        raise InputError("its box cannot be read")
    words = header[at].split()[3:]
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
