"""One way into a trajectory, whatever wrote it: molecules, ions and donors named, frames streamed in chunks.

Nothing here holds more than a chunk of frames, so that memory does not grow with the length of a run.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.formula import Formula

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories.frames import Frame, Frames, open_frames
from electrolyte_ml.trajectories.species import Role, Species, find_species

if TYPE_CHECKING:
    from MDAnalysis import Universe

_CHUNK_BYTES = 16_000_000
_FARTHEST = 0.4  # of the cell, between two frames: a molecule that moves further may have moved the other way round


class Chunk(NamedTuple):
    """Some frames in a row.

    Attributes
    ----------
    positions
        (F, N, 3) Å.
    cells
        (F, 3, 3) Å, vectors as rows.
    velocities
        (F, N, 3) Å/ps or None.
    """

    positions: np.ndarray
    cells: np.ndarray
    velocities: np.ndarray | None


class Trajectory:
    """Frames of one run and what its atoms are; made by :func:`open_trajectory`.

    ``trajectory[100:]``, ``trajectory[::10]`` are trajectories of some of the frames, ``len(trajectory)`` is their
    number.

    Attributes
    ----------
    name : str
        The file, for messages.
    n_frames, n_atoms, n_molecules : int
    timestep_ps : float or None
        Between frames; None when neither the file nor the user says it.
    numbers, masses : (N,)
        Atomic numbers; amu.
    molecule : (N,) int
        Molecule of each atom, counted from 0.
    charges : (n_molecules,) int
        e: those of the ions' names, never a model's.
    roles : dict of str to Species
        Cations, anions, solvents by name.
    has_velocities : bool
    cut_short : str
        What is wrong with the end of the file; empty for a whole one.
    """

    def __init__(
        self,
        frames: Frames,
        *,
        roles: Mapping[str, Role | str] | None = None,
        timestep_ps: float | None = None,
        cell: Any = None,
    ) -> None:
        self.name = frames.name
        self.numbers, self.masses = frames.numbers, np.asarray(frames.masses, float)
        self.cut_short = frames.cut_short
        self._frames, self._cell = frames, _as_cell(cell)
        self._range = range(frames.n_frames)
        first = self._read(0)
        self.has_velocities = first.velocities is not None
        self._topology = self._find_molecules(first)
        self.molecule = self._topology.labels
        self._universe: Universe | None = None
        self.roles = self._find_roles(roles)
        self.charges = np.zeros(self.n_molecules, dtype=int)
        for species in self.roles.values():
            self.charges[species.molecules] = species.charge
        self._start, self._step, self._unit = self._find_times(first, timestep_ps)

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return len(self._range)

    def __len__(self) -> int:
        return len(self._range)

    @property
    def n_atoms(self) -> int:
        """How many atoms there are."""
        return len(self.numbers)

    @property
    def n_molecules(self) -> int:
        """How many molecules there are, ions among them."""
        return len(self._topology.formulas)

    @property
    def bonds(self) -> np.ndarray:
        """(n_bonds, 2) bonded atoms, of the file or found in its first frame."""
        return self._topology.bonds

    @property
    def timestep_ps(self) -> float | None:
        """Time between frames, ps; None when unknown."""
        if self._unit is None or self._step is None:
            return None
        return self._step * self._unit * self._range.step

    @property
    def times_ps(self) -> np.ndarray:
        """(n_frames,) ps.

        Raises
        ------
        InputError
            If the times are unknown.
        """
        step = self.require_times() if self.n_frames > 1 else 0.0
        return (self._start + (self._step or 0.0) * self._range.start) * (self._unit or 0.0) + step * np.arange(
            self.n_frames
        )

    def __getitem__(self, frames: slice) -> Trajectory:
        if not isinstance(frames, slice):
            raise TypeError("frames of a trajectory are chosen by a slice")
        chosen = self._range[frames]
        if not len(chosen) or chosen.step < 0:
            raise InputError(f"{self.name}: no frames are left of {self.n_frames}")
        other = object.__new__(Trajectory)
        other.__dict__.update(self.__dict__)
        other._range = chosen
        return other

    def __str__(self) -> str:
        names = ", ".join(f"{len(species)} {name}" for name, species in self.roles.items())
        step = f" every {self.timestep_ps:g} ps" if self.timestep_ps else ""
        return f"{self.name}: {self.n_frames} frames{step}, {self.n_atoms} atoms: {names}"

    def frame(self, k: int) -> Atoms:
        """Return frame k, counted from 0, as ASE's atoms."""
        frame = self._read(self._range[k])
        return Atoms(self.numbers, frame.positions, cell=frame.cell, pbc=True, masses=self.masses)

    def cluster(self, k: int, molecules: Sequence[int]) -> Atoms:
        """Return some molecules of frame k, counted from 0, in one piece, for drawing.

        Parameters
        ----------
        k
            The frame.
        molecules
            Counted from 0. Each stands at the image in which an ion of those before it, or it as an ion, is nearest.
        """
        whole = self.frame(k)
        whole.positions = self._topology.whole(whole)
        cell, inverse = whole.cell.array, np.linalg.inv(whole.cell.array)
        is_ion = np.isin(self.molecule, [m for s in self.roles.values() if s.kind == "cation" for m in s.molecules])
        left = [np.flatnonzero(self.molecule == m) for m in molecules]
        placed = left.pop(0)
        while left:
            best = (np.inf, 0, np.zeros(3))
            for index, atoms in enumerate(left):
                between = whole.positions[atoms][:, None] - whole.positions[placed][None]
                turns = np.rint(between @ inverse)
                apart = np.linalg.norm(between - turns @ cell, axis=2)
                apart = np.where(is_ion[atoms][:, None] != is_ion[placed], apart, apart + 1e3)
                i, j = np.unravel_index(np.argmin(apart), apart.shape)
                if apart[i, j] < best[0]:
                    best = (float(apart[i, j]), index, turns[i, j])
            atoms = left.pop(best[1])
            whole.positions[atoms] -= best[2] @ cell
            placed = np.r_[placed, atoms]
        chosen = whole[placed]
        chosen.pbc = False
        chosen.cell = None
        return chosen

    def chunks(self, size: int | None = None) -> Iterator[Chunk]:
        """Stream the frames.

        Parameters
        ----------
        size
            Frames in a chunk; by default some 16 MB of positions.

        Yields
        ------
        Chunk
            Positions, cells and velocities.

        Raises
        ------
        InputError
            A frame that cannot be read or has no cell, positions that are not finite, unequal time steps.
        """
        size = size or max(1, _CHUNK_BYTES // (24 * self.n_atoms))
        for begin in range(0, self.n_frames, size):
            frames = [self._read(k) for k in self._range[begin : begin + size]]
            for offset, frame in enumerate(frames):
                self._check_time(begin + offset, frame)
            velocities = np.stack([f.velocities for f in frames]) if self.has_velocities else None
            yield Chunk(np.stack([f.positions for f in frames]), np.stack([f.cell for f in frames]), velocities)

    def unwrapped(self, size: int | None = None, *, already: bool = False) -> Iterator[np.ndarray]:
        """Stream positions that no periodic boundary cuts: molecules whole, and every atom followed from the start.

        Parameters
        ----------
        size
            Frames in a chunk.
        already
            The positions of the file are unwrapped; only the molecules of the first frame are made whole. Dumps with
            unwrapped positions or image flags (xu, ix) say so themselves.

        Yields
        ------
        (F, N, 3) Å

        Raises
        ------
        InputError
            The cell changes, or frames are so far apart that an atom moves by more than 0.4 of the cell between
            two of them: which way it went cannot be known.
        """
        already = already or self._frames.unwrapped
        cell = self.require_constant_cell()
        inverse = np.linalg.inv(cell)
        first = Atoms(self.numbers, self._read(self._range[0]).positions, cell=cell, pbc=True)
        start = self._topology.whole(first)
        before: np.ndarray | None = None  # (N, 3) as read, fractional
        image = np.rint((start - first.positions) @ inverse)  # (N, 3) cells to add
        done = 0
        for chunk in self.chunks(size):
            positions = chunk.positions.copy()
            for k in range(len(positions)):
                if np.abs(chunk.cells[k] - cell).max() > 1e-4 * np.abs(cell).max():
                    raise InputError(self._changing_cell(done + k))
                fractional = positions[k] @ inverse
                if before is not None and not already:
                    moved = fractional - before
                    turns = np.rint(moved)
                    far = np.abs(moved - turns).max(axis=1)
                    if far.max() > _FARTHEST:
                        raise InputError(self._too_far(int(far.argmax()), done + k, float(far.max())))
                    image -= turns
                before = fractional
                positions[k] += image @ cell
            done += len(positions)
            yield positions

    def molecule_weights(self) -> Any:
        """(n_molecules, N) sparse matrix that turns values of atoms into those of centres of mass."""
        from scipy.sparse import csr_array

        total = np.bincount(self.molecule, weights=self.masses, minlength=self.n_molecules)
        share = self.masses / total[self.molecule]
        return csr_array((share, (self.molecule, np.arange(self.n_atoms))), shape=(self.n_molecules, self.n_atoms))

    def select(self, selection: str) -> np.ndarray:
        """Return the indices of the atoms that a selection finds.

        Parameters
        ----------
        selection
            MDAnalysis's, such as "resname EC and name O1", or "formula C3H4O3" for all molecules of that formula, which
            needs no names in the file.
        """
        word, _, formula = selection.strip().partition(" ")
        if word == "formula":
            wanted = Formula(formula.strip()).format("hill")
            alike = np.array([one == wanted for one in self._topology.formulas])
            return np.flatnonzero(alike[self.molecule])
        return np.asarray(self.universe().select_atoms(selection).indices)

    def universe(self) -> Universe:
        """Return the MDAnalysis universe to select from; it has coordinates only where MDAnalysis reads the file."""
        if self._universe is None:
            self._universe = self._frames.universe(self.molecule)
        return self._universe

    def require_constant_cell(self) -> np.ndarray:
        """Return the (3, 3) cell, Å, of a run at constant volume.

        Raises
        ------
        InputError
            If it changes between the first, the middle and the last frame.
        """
        first = self._read(self._range[0]).cell
        for k in (self.n_frames // 2, self.n_frames - 1):
            if np.abs(self._read(self._range[k]).cell - first).max() > 1e-4 * np.abs(first).max():
                raise InputError(self._changing_cell(k))
        return first

    def require_times(self) -> float:
        """Return the time between frames, ps.

        Raises
        ------
        InputError
            If it is unknown or there is only one frame.
        """
        self.require_frames(2)
        if self.timestep_ps is None:
            raise InputError(
                f"{self.name} does not say how far its frames are apart: give the time step between them "
                "(timestep_ps=, --timestep)"
            )
        return self.timestep_ps

    def require_frames(self, n: int) -> None:
        """Insist on so many frames.

        Raises
        ------
        InputError
            If there are fewer.
        """
        if self.n_frames < n:
            raise InputError(f"{self.name} has {self.n_frames} frame{'s' * (self.n_frames > 1)}, {n} are needed")

    def require_neutral(self) -> None:
        """Insist on charges that sum to zero.

        Raises
        ------
        InputError
            If they do not.
        """
        if self.charges.sum():
            counted = ", ".join(f"{len(s)} {name} of {s.charge:+d}" for name, s in self.roles.items() if s.charge)
            raise InputError(f"{self.name}: the charges sum to {self.charges.sum():+d} e, not to 0 ({counted})")

    def only(self, kind: str, name: str | None = None) -> Species:
        """Return the species of a kind: the one of that name, or the only one.

        Raises
        ------
        InputError
            If there is none, or several and no name.
        """
        found = {key: species for key, species in self.roles.items() if species.kind == kind}
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        if name in found:
            return found[name]
        have = ", ".join(self.roles)
        if name is not None:
            raise InputError(f"{self.name} has no {kind} {name!r}; there are {have}")
        what = "several" if found else "no"
        which = f": name one ({kind}=, --{kind})" if found else ""
        raise InputError(f"{self.name} has {what} {kind}s ({have}){which}")

    # -- how the above is found ----------------------------------------------------------------------------------------

    def _read(self, k: int) -> Frame:
        try:
            frame = self._frames.read(k)
        except InputError as error:
            raise InputError(f"{self.name}, frame {k + 1}: {error}") from error
        except Exception as error:
            raise InputError(
                f"{self.name}: frame {k + 1} cannot be read ({' '.join(str(error).split())}); {k} before it can"
            ) from error
        if self._cell is not None:
            frame = frame._replace(cell=self._cell)
        if frame.cell is None:
            raise InputError(f"{self.name}: frame {k + 1} has no cell: give its three lengths in Å (cell=, --cell)")
        if not np.isfinite(frame.positions).all():
            wrong = int(np.argmax(~np.isfinite(frame.positions).all(axis=1)))
            raise InputError(f"{self.name}, frame {k + 1}: the position of atom {wrong + 1} is not finite")
        if k and self.has_velocities and frame.velocities is None:
            raise InputError(f"{self.name}: frame {k + 1} has no velocities, frame 1 has")
        return frame

    def _find_molecules(self, frame: Frame) -> Topology:
        atoms = Atoms(self.numbers, frame.positions, cell=frame.cell, pbc=True)
        if self._frames.bonds is not None:
            return Topology.of_bonds(atoms, self._frames.bonds)
        topology = Topology.of(atoms)
        if topology.endless.any():
            index = int(topology.endless.argmax())
            raise InputError(
                f"{self.name}: molecule {index + 1} ({topology.formulas[index]}) of frame 1 is bonded to its own image"
            )
        return topology

    def _find_roles(self, roles: Mapping[str, Role | str] | None) -> dict[str, Species]:
        try:
            return find_species(self.numbers, self._topology.bonds, self.molecule, roles, self.select)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from error

    def _find_times(self, first: Frame, timestep_ps: float | None) -> tuple[float, float | None, float | None]:
        """Return the start and the step in the file's unit (NaN, None: it has none), and that unit in ps."""
        if timestep_ps is not None and not (np.isfinite(timestep_ps) and timestep_ps > 0):
            raise InputError(f"the time between frames must be a positive number of ps, not {timestep_ps}")
        n = len(self._range)
        if not np.isfinite(first.time):
            return 0.0, 1.0, timestep_ps
        if n == 1:
            return (
                (0.0, 1.0, timestep_ps)
                if timestep_ps
                else (first.time, None, 1.0 if self._frames.times_known else None)
            )
        step = self._read(1).time - first.time
        mean = (self._read(n - 1).time - first.time) / (n - 1)
        if step <= 0 or abs(mean - step) > 1e-3 * step + _rounding(first.time + (n - 1) * step):
            raise InputError(
                f"{self.name}: its frames are not evenly spaced in time ({step:g} between the first two, {mean:g} on "
                "average)"
            )
        if timestep_ps is not None:
            return first.time, mean, timestep_ps / mean
        return first.time, mean, 1.0 if self._frames.times_known else None

    def _check_time(self, k: int, frame: Frame) -> None:
        if not np.isfinite(frame.time) or self._step is None or self.n_frames < 2:
            return
        index = self._range[k]
        expected = self._start + index * self._step
        if abs(frame.time - expected) > 2e-3 * self._step * max(1, self._range.step) + _rounding(expected):
            raise InputError(
                f"{self.name}: its frames are not evenly spaced in time: frame {index + 1} is at {frame.time:g}, not "
                f"{expected:g}"
            )

    def _changing_cell(self, k: int) -> str:
        return (
            f"{self.name}: the cell of frame {self._range[k] + 1} is not that of frame {self._range[0] + 1}: in a cell "
            "that a barostat rescales, positions are moved with it, and displacements are not diffusion; run at "
            "constant volume"
        )

    def _too_far(self, atom: int, k: int, part: float) -> str:
        symbol = chemical_symbols[self.numbers[atom]]
        apart = f" ({self.timestep_ps:g} ps)" if self.timestep_ps else ""
        return (
            f"{self.name}: atom {symbol}{atom + 1} moves by {part:.2f} of the cell between frames "
            f"{self._range[k - 1] + 1} and {self._range[k] + 1}: they are too far apart{apart} to unwrap the positions"
        )


def open_trajectory(
    files: str | os.PathLike | Sequence[str | os.PathLike] | Sequence[Atoms] | Any,
    *,
    topology: str | os.PathLike | Atoms | None = None,
    roles: Mapping[str, Role | str] | None = None,
    timestep_ps: float | None = None,
    cell: Any = None,
    elements: Mapping[str, str] | None = None,
    lammps_units: str | None = None,
) -> Trajectory:
    """Open a trajectory of any code.

    Parameters
    ----------
    files
        A file that MDAnalysis reads (XTC, TRR, DCD, NetCDF, LAMMPS dump, PDB, GRO, ...), extended XYZ, the folder of
        a run of :func:`electrolyte_ml.dynamics.run_md`, the parts of one run in their order, configurations of ASE,
        or an MDAnalysis universe.
    topology
        What its atoms are where the file does not say: any topology that MDAnalysis reads, a LAMMPS data file, or a
        structure that ASE reads. Bonds are taken from it where it has them all, else found from the first frame.
    roles
        Name of a species -> :class:`Role`, or its selection alone, for what the package does not know
        (:data:`electrolyte_ml.trajectories.species.KNOWN`).
    timestep_ps
        Time between frames, in place of what the file says.
    cell
        Å: one length, three, three and three angles (degrees), or (3, 3), in place of the file's.
    elements
        Type or name of an atom -> its element, where neither elements nor masses are known: {"1": "C", "2": "H"}.
    lammps_units
        "metal" or "real", for the velocities of a LAMMPS dump that does not name its units.

    Returns
    -------
    Trajectory

    Warns
    -----
    UserWarning
        The file was cut short; what could be read is used.

    Raises
    ------
    InputError
        A file that cannot be read or has no frame, no cell, no elements, uneven times, molecules that neither a role
        names nor the package knows, or that are bonded to their own images.
    """
    frames = open_frames(files, topology, elements=elements, lammps_units=lammps_units)
    trajectory = Trajectory(frames, roles=roles, timestep_ps=timestep_ps, cell=cell)
    if trajectory.cut_short:
        last = f", up to {trajectory.times_ps[-1]:g} ps" if trajectory.timestep_ps else ""
        warnings.warn(
            f"{trajectory.name}: {trajectory.cut_short}; {trajectory.n_frames} whole frames before it are used{last}",
            stacklevel=2,
        )
    return trajectory


def _as_cell(cell: Any) -> np.ndarray | None:
    if cell is None:
        return None
    from ase.cell import Cell

    values = np.asarray(cell, dtype=float)
    try:
        matrix = np.asarray(Cell.new(np.full(3, values) if values.ndim == 0 else values))
    except ValueError:
        raise InputError(f"a cell is one length, three, three and three angles or (3, 3), not {cell!r}") from None
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        raise InputError(f"a cell needs a volume, {cell!r} has none")
    return matrix


def _rounding(time: float) -> float:
    """Error of a time that was written in single precision."""
    return 4.0 * float(np.finfo(np.float32).eps) * abs(time)
