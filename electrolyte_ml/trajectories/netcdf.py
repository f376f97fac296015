"""NetCDF trajectories as AMBER and LAMMPS write them, of a file that was cut short the whole frames too.

The library that usually reads them maps as many frames as the header counts and fails where the file holds fewer; here
the header is parsed, and the frames that are there are mapped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from ase.cell import Cell

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, Identity, plain_universe

if TYPE_CHECKING:
    from MDAnalysis import Universe

_TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8", 7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8"}
_UNITS = {  # in ours: ps, Å, Å/ps
    "time": {"picosecond": 1.0, "femtosecond": 1e-3, "nanosecond": 1e3},
    "coordinates": {"angstrom": 1.0},
    "cell_lengths": {"angstrom": 1.0},
    "velocities": {"angstrom/picosecond": 1.0, "angstrom/femtosecond": 1e3},
}


class NetcdfFrames:
    """A NetCDF file of AMBER's convention (https://ambermd.org/netcdf/nctraj.xhtml), classic or with 64-bit offsets.

    Parameters
    ----------
    path
        The file.
    identity
        What its atoms are.
    """

    unwrapped = False

    def __init__(self, path: Path, identity: Identity) -> None:
        self.name, self.cut_short = str(path), ""
        with open(path, "rb") as stream:
            try:
                counted, variables = _read_header(stream)
            except (IndexError, KeyError, ValueError) as error:
                raise InputError(f"{path}: the header of this NetCDF file cannot be read; is it cut short?") from error
        records = [variable for variable in variables.values() if variable.is_record]
        if "coordinates" not in variables or not variables["coordinates"].is_record:
            raise InputError(f"{path} is no trajectory of AMBER's NetCDF convention: it has no frames of coordinates")
        self._factors = {name: self._factor(name, variable) for name, variable in variables.items()}
        begin = min(variable.begin for variable in records)
        layout = np.dtype(
            {
                "names": [variable.name for variable in records],
                "formats": [(_TYPES[variable.type], variable.shape) for variable in records],
                "offsets": [variable.begin - begin for variable in records],
                "itemsize": sum(variable.size for variable in records),
            }
        )
        there = (os.path.getsize(path) - begin) // layout.itemsize
        self.n_frames = there if counted is None else min(there, counted)
        if self.n_frames < 1:
            raise InputError(f"{path}: the file ends before its first frame does")
        if counted is not None and there < counted:
            self.cut_short = f"the file ends within frame {there + 1} of {counted}"
        self._frames = np.memmap(path, layout, "r", begin, (self.n_frames,))
        n_atoms = self._frames["coordinates"].shape[1]
        if len(identity.numbers) != n_atoms:
            raise InputError(f"{path} holds {n_atoms} atoms, its topology {len(identity.numbers)}")
        self._universe = identity.universe
        self.numbers, self.masses, self.bonds = identity.numbers, identity.masses, identity.bonds
        self._has = set(layout.names)
        self.times_known = "time" in self._has

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        cell, velocities = None, None
        if "cell_lengths" in self._has:
            parameters = np.r_[self._values("cell_lengths", k), self._values("cell_angles", k)]
            cell = np.asarray(Cell.fromcellpar(parameters)) if (parameters > 0).all() else None
        order = np.argsort(self._frames["id"][k]) if "id" in self._has else slice(None)  # LAMMPS writes them mixed
        if "velocities" in self._has:
            velocities = self._values("velocities", k)[order]
        time = float(self._values("time", k)) if self.times_known else np.nan
        return Frame(self._values("coordinates", k)[order], cell, velocities, time)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return a universe of the same atoms, to select from: that of the topology where there is one."""
        return self._universe or plain_universe(self.numbers, molecule)

    def _values(self, name: str, k: int) -> np.ndarray:
        return self._frames[name][k].astype(float) * self._factors[name]

    def _factor(self, name: str, variable: Variable) -> float:
        """Return what turns the numbers of a variable into ours."""
        unit = variable.unit.lower()
        known = _UNITS.get(name, {unit: 1.0})
        if unit not in known:
            raise InputError(f"{self.name}: the unit of its {name} is {unit!r}, not {' or '.join(known)}")
        return known[unit] * variable.scale


class Variable(NamedTuple):
    """One variable of the header.

    Attributes
    ----------
    name, unit : str
    scale : float
        What its numbers are to be multiplied by.
    is_record : bool
        Whether each frame has one.
    shape : tuple of int
        In one frame.
    type : int
    begin : int
        Where the first stands.
    """

    name: str
    unit: str
    scale: float
    is_record: bool
    shape: tuple[int, ...]
    type: int
    begin: int

    @property
    def size(self) -> int:
        """Bytes that each takes: whole words of four."""
        size = np.dtype((_TYPES[self.type], self.shape)).itemsize
        return size + -size % 4


def _read_header(stream: BinaryIO) -> tuple[int | None, dict[str, Variable]]:
    """Return the number of frames that the header counts (None: it leaves that open) and the variables."""
    version = stream.read(4)[3]
    count, offset = ">i8" if version == 5 else ">i4", ">i4" if version == 1 else ">i8"

    def number(kind: str = count) -> int:
        return int(np.frombuffer(stream.read(np.dtype(kind).itemsize), kind)[0])

    def padded(size: int) -> bytes:
        content = stream.read(size + -size % 4)
        if len(content) < size:
            raise ValueError("the file ends within its header")
        return content[:size]

    def items() -> range:
        number(">i4")  # what they are, which their place in the header says already
        return range(number())

    def attributes() -> dict[str, np.ndarray]:
        found = {}
        for _ in items():
            name, kind = padded(number()).decode(), np.dtype(_TYPES[number(">i4")])
            found[name] = np.frombuffer(padded(number() * kind.itemsize), kind)
        return found

    frames = number()
    lengths = []
    for _ in items():
        padded(number())
        lengths.append(number())
    attributes()
    variables = {}
    for _ in items():
        name = padded(number()).decode()
        shape = [lengths[number()] for _ in range(number())]
        told = attributes()
        kind, _, begin = number(">i4"), number(), number(offset)  # the size, which follows from the shape
        variables[name] = Variable(
            name=name,
            unit=b"".join(told.get("units", np.array([], "S1"))).decode(),
            scale=float(told["scale_factor"][0]) if "scale_factor" in told else 1.0,
            is_record=bool(shape) and shape[0] == 0,
            shape=tuple(shape[1:]),
            type=kind,
            begin=begin,
        )
    return (None if frames < 0 else frames), variables
