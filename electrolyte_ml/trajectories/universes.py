"""Frames read by MDAnalysis, and universes for the selection of atoms."""

from __future__ import annotations

import mmap
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.file_ends import ends_with_a_frame, last_line_is_whole
from electrolyte_ml.trajectories.frames import Frame, Identity, VelocitySeries
from electrolyte_ml.trajectories.identity import identify
from electrolyte_ml.trajectories.lammps import unit_factors
from electrolyte_ml.trajectories.trr import contents

if TYPE_CHECKING:
    from MDAnalysis import Universe


_AKMA_PS = 4.888821e-2  # CHARMM's unit of time in ps, the value of MDAnalysis
_OWN_TIMES = ("LAMMPS", "CP2K")  # programs that write DCD files with times in their own units


def import_mdanalysis() -> Any:
    """Import MDAnalysis without its warning about missing notebook widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import MDAnalysis
    return MDAnalysis


def charges_of(universe: Universe | None) -> np.ndarray | None:
    """Return the charges of the atoms, (N,) e; None if the universe has none or all are zero."""
    if universe is None or not hasattr(universe.atoms, "charges"):
        return None
    charges = np.asarray(universe.atoms.charges, dtype=float)
    return charges if charges.any() else None


def plain_universe(numbers: np.ndarray, molecule: np.ndarray) -> Universe:
    """Return a universe without coordinates, with symbols as name, type and element, and a residue per molecule.

    Parameters
    ----------
    numbers, molecule
        (N,) atomic number, and molecule of each atom, counted from 0.
    """
    symbols = [chemical_symbols[z] for z in numbers]
    n_molecules = int(molecule.max()) + 1
    universe = import_mdanalysis().Universe.empty(
        len(numbers), n_residues=n_molecules, atom_resindex=molecule, trajectory=False
    )
    for attribute in ("names", "types", "elements"):
        universe.add_TopologyAttr(attribute, symbols)
    universe.add_TopologyAttr("masses", atomic_masses[numbers])
    universe.add_TopologyAttr("resids", np.arange(1, n_molecules + 1))
    return universe


class UniverseFrames:
    """Frames of an MDAnalysis universe that have positions.

    Parameters
    ----------
    universe
        Universe with a trajectory.
    name
        Name for messages.
    elements
        Type or name of an atom -> element, if the topology does not contain it.
    structure
        Atoms with the elements, which replace those of the universe.
    lammps_units
        Units of the velocities of a LAMMPS dump; without them the velocities are left out. Units of the times of a DCD
        file of LAMMPS, whose header states them in the unit of LAMMPS instead of that of CHARMM.

    Raises
    ------
    InputError
        The element of an atom is unknown, or no complete frame can be read.
    """

    unwrapped = False
    stated_step: float | None = None

    def __init__(
        self,
        universe: Universe,
        name: str,
        elements: Mapping[str, str] | None = None,
        structure: Atoms | None = None,
        lammps_units: str | None = None,
    ) -> None:
        self._universe, self.name = universe, name
        self.hints: Mapping[str, str] = {}
        self._reader = universe.trajectory
        known = (
            identify(universe, name, elements)
            if structure is None
            else Identity(structure.numbers.copy(), structure.get_masses(), None, None)
        )
        self.numbers, self.masses, self.bonds = known.numbers, known.masses, known.bonds
        self.atomic_charges = charges_of(universe)
        count, self.cut_short = _whole_frames(self._reader, name)
        self._places: Sequence[int] = range(count)
        self.velocity_series: VelocitySeries | None = None
        if self._reader.format == "TRR":
            self._separate(count)
        self.n_frames = len(self._places)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timestep = self._reader[self._places[0]]
        self._box = _only_box(self._reader)
        self._velocity: float | None = 1.0
        self._counts = self._reader.format == "LAMMPSDUMP"  # the times are numbers of steps
        if self._counts:  # MDAnalysis does not convert its velocities
            self._velocity = unit_factors(lammps_units, name)[0]
            if self._velocity is None:
                self.hints = {"velocities": "give their units: lammps_units, --lammps-units"}
        self._time = 1.0
        self.times_known = not self._counts and ("time" in timestep.data or "dt" in timestep.data)
        if self._reader.format == "DCD" and (program := _own_times(self._reader)):
            unit = unit_factors(lammps_units, name)[1]
            self.times_known = unit is not None and program == "LAMMPS"
            self._time = (unit or 1.0) / _AKMA_PS
            hint = f"{program} writes times in its own unit, not in that of DCD files"
            if program == "LAMMPS":
                hint += "; give it: lammps_units=, --lammps-units"
            self.hints = {"times": hint}
        elif lammps_units is not None and not self._counts:
            raise InputError(f"{name} is not of LAMMPS: lammps_units=, --lammps-units would have no effect")

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        from MDAnalysis.lib.mdamath import triclinic_vectors

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timestep = self._reader[self._places[k]]
        box = self._box if timestep.dimensions is None else timestep.dimensions
        cell = None if box is None or not np.all(box[:3] > 0) else np.asarray(triclinic_vectors(box), float)
        velocities = None
        if timestep.has_velocities and self._velocity is not None:
            velocities = self._velocity * timestep.velocities.astype(float)
        time = self._time * float(timestep.time) if self.times_known or self._counts else np.nan
        return Frame(timestep.positions.astype(float), cell, velocities, time)

    def _separate(self, count: int) -> None:
        """Find the frames of a .trr file with positions; make a separate series of velocities in other frames."""
        with (
            open(self._reader.filename, "rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as file,
        ):
            has = contents(file)[:count]
        if has.all() or (not has[:, 1].any() and has[:, 0].all()):
            return
        if not has[:, 0].any():
            raise InputError(f"{self.name} has no positions")
        self._places = np.flatnonzero(has[:, 0]).tolist()
        moving = np.flatnonzero(has[:, 1])
        if (len(moving) and not has[has[:, 0], 1].all()) or len(moving) > len(self._places):
            self.velocity_series = Velocities(self._reader, moving.tolist())
            self.hints = {"velocities": f"only {len(moving)} of {count} frames contain them"}

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe of the file, or a plain universe if its atoms have neither types nor names."""
        atoms = self._universe.atoms
        if not hasattr(atoms, "types") and not hasattr(atoms, "names"):
            return plain_universe(self.numbers, molecule)
        if not hasattr(atoms, "elements"):
            self._universe.add_TopologyAttr("elements", [chemical_symbols[z] for z in self.numbers])
        return self._universe


def _whole_frames(reader: Any, name: str) -> tuple[int, str]:
    """Return the number of complete frames, and a description of a truncated last frame or ""."""
    if reader.format == "GRO":
        with open(reader.filename, errors="replace") as stream:
            if sum(1 for line in stream if line.strip()) > reader.n_atoms + 3:
                raise InputError(
                    f"{name} contains several frames, but only the first of a .gro file can be read; use XTC"
                )
    is_file = isinstance(reader.filename, (str, os.PathLike))
    counted = count = int(reader.n_frames)
    if is_file and not last_line_is_whole(reader.filename, reader.format):
        count -= 1
    while count and not _can_read(reader, count - 1):
        count -= 1
    if not count:
        raise InputError(f"{name}: no complete frame can be read; the file may be truncated")
    if count == counted and (not is_file or ends_with_a_frame(reader.filename, reader.format, count)):
        return count, ""
    return count, f"the file ends within frame {count + 1}"


def _can_read(reader: Any, k: int) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader[k]
    except Exception:  # each format raises its own errors for a truncated file
        return False
    return True


def _only_box(reader: Any) -> np.ndarray | None:
    """Return lengths and angles of the only cell of a PDB file, which MDAnalysis assigns only to the first model."""
    if "PDB" not in reader.format or reader.n_frames == 1:
        return None
    with open(reader.filename, errors="replace") as stream:
        cells = {line[6:54] for line in stream if line.startswith("CRYST1")}
    return np.array(cells.pop().split(), dtype=np.float32) if len(cells) == 1 else None


class Velocities:
    """Velocities of some frames of a GROMACS trajectory.

    Parameters
    ----------
    reader
        Reader of MDAnalysis.
    places
        Frames with velocities, counted from 0.
    alone
        Whether no frame has positions.
    """

    def __init__(self, reader: Any, places: Sequence[int], *, alone: bool = False) -> None:
        self._reader, self._places, self.alone = reader, places, alone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.times_ps = np.array([float(reader[k].time) for k in places])

    def read(self, k: int) -> np.ndarray:
        """Return the k-th velocities, counted from 0, (N, 3) Å/ps."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self._reader[self._places[k]].velocities, dtype=float)


def _own_times(reader: Any) -> str:
    """Return the program that wrote a DCD file if it uses its own unit of time; otherwise an empty text."""
    with open(reader.filename, "rb") as stream:
        header = stream.read(512)
    return next((name for name in _OWN_TIMES if name.encode() in header), "")
