"""Trajectories with named molecules, ions and donors, from any program.

Frames are streamed in chunks: the memory does not grow with the length of a run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.topology import changes
from electrolyte_ml.trajectories.checked import CheckedFrames, PeriodicFrame
from electrolyte_ml.trajectories.clusters import gather
from electrolyte_ml.trajectories.first_frames import INEXACT, explain_first_frame, molecules_of_frame
from electrolyte_ml.trajectories.frames import Frames
from electrolyte_ml.trajectories.reactions import Change, check_bonds, first_change
from electrolyte_ml.trajectories.species import Role
from electrolyte_ml.trajectories.system import System
from electrolyte_ml.trajectories.times import FrameTimes
from electrolyte_ml.trajectories.unwrapping import FARTHEST, Unwrapper

_CHUNK_BYTES = 16_000_000
_ALL = slice(None)
_SAME_CELL = 1e-4  # relative change of a cell that is ignored


class Chunk(NamedTuple):
    """Consecutive frames.

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


class Trajectory(System):
    """Frames of one run and the species of its atoms; made by :func:`electrolyte_ml.trajectories.open_trajectory`.

    ``trajectory[100:]`` and ``trajectory[::10]`` are trajectories of some of the frames; ``len(trajectory)`` is the
    number of frames. The molecules are found from the first frame.

    Parameters
    ----------
    frames
        Reader of the file.
    roles, own_molecules, timestep_ps, cell, chosen
        As for :func:`electrolyte_ml.trajectories.open_trajectory`.

    Attributes
    ----------
    has_velocities : bool
        Whether every frame has velocities.
    velocity_series
        Velocities at other times than the positions, see :class:`electrolyte_ml.trajectories.frames.Frames`.
    cut_short : str
        Description of the frame in which the file ends; empty for a complete file.
    hydrogen_mass : float or None, amu
        Mass of the hydrogens in the dynamics, if the run states that it is not the natural one; `masses` are those of
        the elements.

    Raises
    ------
    InputError
        As for :func:`electrolyte_ml.trajectories.open_trajectory`.
    """

    hydrogen_mass: float | None = None

    def __init__(
        self,
        frames: Frames,
        *,
        roles: Mapping[str, Role | str] | None = None,
        own_molecules: Mapping[str, Molecule] | None = None,
        timestep_ps: float | None = None,
        cell: Any = None,
        chosen: slice = _ALL,
    ) -> None:
        self._frames = CheckedFrames(frames, cell)
        self._given_step, self._roles, self._own = timestep_ps, roles, own_molecules
        self.cut_short, self.velocity_series = frames.cut_short, frames.velocity_series
        self._choose(_some_of(range(frames.n_frames), chosen, frames.name))
        self._name_molecules()

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self._range)

    def __len__(self) -> int:
        return len(self._range)

    @property
    def timestep_ps(self) -> float | None:
        """Time between frames, ps; None if unknown."""
        return self._times.step_ps

    @property
    def ps_per_count(self) -> float | None:
        """Length of one count of the file, ps, if the file counts steps and the time between frames was given."""
        return None if self._given_step is None or not self._times.in_file else self._times.unit_ps

    @property
    def hints(self) -> Mapping[str, str]:
        """Reasons why "times" or "velocities" are not known, if the reader of the file gives them."""
        return self._frames.reader.hints

    @property
    def stated_charges(self) -> dict[str, float]:
        """Mean sum of the atomic charges of each species, e, if the file has such charges; otherwise empty."""
        if (charges := self._frames.reader.atomic_charges) is None:
            return {}
        sums = np.bincount(self.molecule, weights=charges, minlength=self.n_molecules)
        return {name: float(sums[species.molecules].mean()) for name, species in self.roles.items()}

    @property
    def uneven(self) -> str:
        """Description of a frame that is not at its expected time; empty if frames read so far are evenly spaced."""
        return self._times.uneven

    @property
    def times_ps(self) -> np.ndarray:
        """(n_frames,) ps.

        Raises
        ------
        InputError
            The times are unknown.
        """
        if self.n_frames > 1:
            self.require_times()
        return self._times.of_frames(self.n_frames)

    def __getitem__(self, frames: slice) -> Trajectory:
        if not isinstance(frames, slice):
            raise TypeError("frames of a trajectory are chosen by a slice")
        chosen = _some_of(self._range, frames, self.name)
        part = object.__new__(Trajectory)
        part.__dict__.update(self.__dict__)
        part._choose(chosen)
        if chosen[0] != self._range[0] and self._frames.reader.bonds is None:
            first = part._read(0)
            atoms = Atoms(self.numbers, first.positions, cell=first.cell, pbc=True)
            if changes(self.topology, atoms) is not None:
                part._name_molecules()
        return part

    def number_of(self, k: int) -> int:
        """Return the number of frame k in the file, counted from 1."""
        return self._range[k] + 1

    def first_change(self) -> Change | None:
        """Return the first frame with other molecules than the first one, from a sample of frames.

        About 100 frames are compared, and the change is then located by bisection. A lasting change is found, but a
        temporary one between two of these frames may be missed. `chunks` raises an error for a frame with a broken
        bond.
        """
        return first_change(self.topology, self._atoms, self.n_frames, self._frames.reader.bonds is None, self._allowed)

    def __str__(self) -> str:
        names = ", ".join(f"{len(species)} {name}" for name, species in self.roles.items())
        step = f" every {self.timestep_ps:g} ps" if self.timestep_ps else ""
        return f"{self.name}: {self.n_frames} frames{step}, {self.n_atoms} atoms: {names}"

    # -- frames --------------------------------------------------------------------------------------------------------

    def frame(self, k: int) -> Atoms:
        """Return frame k, counted from 0, as ASE atoms."""
        atoms = self._atoms(k)
        atoms.set_masses(self.masses)
        return atoms

    def cluster(self, k: int, molecules: Sequence[int]) -> Atoms:
        """Return some molecules of a frame as a connected cluster, for drawing.

        Parameters
        ----------
        k
            Frame, counted from 0.
        molecules
            Molecules, counted from 0. Each is moved to the image that is nearest to the molecules placed before it;
            distances between a cation and another molecule have priority.
        """
        whole = self.frame(k)
        whole.positions = self.topology.whole(whole)
        cations = [m for s in self.roles.values() if s.kind == "cation" for m in s.molecules]
        return gather(whole, self.molecule, np.isin(self.molecule, cations), molecules)

    def chunks(self, size: int | None = None) -> Iterator[Chunk]:
        """Stream the frames.

        Parameters
        ----------
        size
            Number of frames in a chunk; by default about 16 MB of positions.

        Yields
        ------
        Chunk
            Positions, cells and velocities.

        Raises
        ------
        InputError
            A frame cannot be read, has no cell, lacks the velocities that others have, or contains positions that are
            not finite or a broken bond; or the file contains only velocities.
        """
        if self.velocity_series is not None and self.velocity_series.alone:
            raise InputError(f"{self.name} contains only velocities: none of its frames has positions")
        size = size or max(1, _CHUNK_BYTES // (24 * self.n_atoms))
        for begin in range(0, self.n_frames, size):
            frames = [self._read(k) for k in range(begin, min(begin + size, self.n_frames))]
            for k, frame in enumerate(frames, begin):
                self._times.check(k, self._range[k], frame.time)
                if self.has_velocities and frame.velocities is None:
                    raise InputError(
                        f"{self.name}: frame {self._range[k] + 1} has no velocities, but the first frames have them"
                    )
            velocities = None
            if self.has_velocities:
                velocities = np.stack([frame.velocities for frame in frames if frame.velocities is not None])
            chunk = Chunk(np.stack([f.positions for f in frames]), np.stack([f.cell for f in frames]), velocities)
            self._check_bonds(begin, chunk)
            yield chunk

    def unwrapped(self, size: int | None = None, *, already: bool = False) -> Iterator[np.ndarray]:
        """Stream unwrapped positions, with unbroken molecules and each atom followed from the first frame.

        Parameters
        ----------
        size
            Number of frames in a chunk.
        already
            Whether the positions in the file are unwrapped; then only the molecules of the first frame are joined. Not
            needed for dumps with unwrapped positions or image flags (xu, ix), which are recognised.

        Yields
        ------
        (F, N, 3) Å

        Raises
        ------
        InputError
            The cell changes; positions that should be unwrapped are not; or a molecule, or an atom relative to its
            molecule, moves by more than 0.4 of the cell between two frames, so that the direction is ambiguous.
        """
        cell = self.require_constant_cell()
        first = Atoms(self.numbers, self._read(0).positions, cell=cell, pbc=True)
        already = already or self._frames.reader.unwrapped
        labels = self.topology.labels
        unwrapper = Unwrapper(cell, first.positions, self.topology.whole(first), labels, already=already)
        done = 0
        for chunk in self.chunks(size):
            positions = np.empty_like(chunk.positions)
            for row, (wrapped, own_cell) in enumerate(zip(chunk.positions, chunk.cells)):
                self._check_cell(done, own_cell, cell)
                positions[row], moved = unwrapper.follow(wrapped)
                if unwrapper.jumps:
                    raise InputError(
                        f"{self.name}: its positions should be unwrapped, but they are wrapped: all are within one "
                        f"cell, and in frame {self._range[done] + 1} an atom jumps across it; leave out "
                        "--unwrapped (already_unwrapped=False)"
                    )
                if moved.max() > FARTHEST:
                    raise InputError(self._too_far(int(moved.argmax()), done, float(moved.max())))
                done += 1
            yield positions

    # -- requirements --------------------------------------------------------------------------------------------------

    def require_constant_cell(self) -> np.ndarray:
        """Return the (3, 3) cell, Å, of a run at constant volume.

        Raises
        ------
        InputError
            The cell changes between the first, the middle and the last frame.
        """
        first = self._read(0).cell
        for k in (self.n_frames // 2, self.n_frames - 1):
            self._check_cell(k, self._read(k).cell, first)
        return first

    def require_times(self) -> float:
        """Return the time between frames, ps.

        Raises
        ------
        InputError
            The time is unknown or differs between frames read so far, or there is only one frame.
        """
        self.require_frames(2)
        if self.uneven:
            raise InputError(
                f"{self.name}: its frames are not evenly spaced in time ({self.uneven}), as needed for diffusion, "
                "conductivity and residence times; analyses that do not depend on times are possible"
            )
        if self.timestep_ps is None:
            hint = f" ({self.hints['times']})" if "times" in self.hints else ""
            raise InputError(
                f"{self.name} does not contain the times of its frames{hint}: give the time between them "
                "(timestep_ps=, --timestep)"
            )
        return self.timestep_ps

    def require_frames(self, n: int) -> None:
        """Check that there are at least n frames.

        Raises
        ------
        InputError
            There are fewer frames.
        """
        if self.n_frames < n:
            raise InputError(f"{self.name} has {self.n_frames} frame{'s' * (self.n_frames > 1)}, but {n} are needed")

    # -- helpers -------------------------------------------------------------------------------------------------------

    def _read(self, k: int) -> PeriodicFrame:
        return self._frames.read(self._range[k])

    def _atoms(self, k: int) -> Atoms:
        frame = self._read(k)
        return Atoms(self.numbers, frame.positions, cell=frame.cell, pbc=True)

    def _choose(self, chosen: range) -> None:
        """Select frames of the file; find their times, and whether they have velocities."""
        self._range = chosen
        ends = {chosen[0], chosen[min(1, len(chosen) - 1)], chosen[-1]}
        self.has_velocities = all(self._frames.read(k).velocities is not None for k in ends)
        self._times = FrameTimes.of(self._frames, chosen, self._given_step)

    def _name_molecules(self) -> None:
        """Find the molecules of the first frame and name them."""
        reader = self._frames.reader

        def assign(index: int) -> None:
            topology = molecules_of_frame(self._frames, index)
            masses = np.asarray(reader.masses, float)
            super(Trajectory, self).__init__(
                reader.name, reader.numbers, masses, topology, reader.universe, self._roles, self._own
            )

        try:
            assign(self._range[0])
        except InputError as error:
            raise explain_first_frame(error, self._frames, self._range, assign) from error
        first = self._frames.read(self._range[0])
        inexact = check_bonds(self.topology, first.positions[None], first.cell[None])
        # If a few bonds of the file are too long in the first frame, the same number, with a margin, is allowed in all.
        self._allowed = 0.0 if inexact is None else 2 * INEXACT
        if inexact is not None:
            warnings.warn(
                f"{self.name}: some bonds of the topology are too long in frame {self._range[0] + 1} ({inexact[1]}): "
                f"check the cell. Molecules count as broken only if more than {2 * INEXACT:.0%} of all bonds are",
                TrajectoryWarning,
                stacklevel=4,
            )

    def _check_bonds(self, begin: int, chunk: Chunk) -> None:
        broken = check_bonds(self.topology, chunk.positions, chunk.cells, self._allowed)
        if broken is not None:
            k, description = broken
            index = self._range[begin + k]
            raise InputError(
                f"{self.name}: in frame {index + 1} the molecules are not those of frame {self._range[0] + 1}: "
                f"{description}; end before it (--end {index}) or begin after it (--begin {index + 1})"
            )

    def _check_cell(self, k: int, cell: np.ndarray, first: np.ndarray) -> None:
        if np.abs(cell - first).max() > _SAME_CELL * np.abs(first).max():
            raise InputError(
                f"{self.name}: the cell of frame {self._range[k] + 1} is not that of frame {self._range[0] + 1}: a "
                "barostat rescales the positions with the cell, and these displacements are not diffusion; use a run "
                "at constant volume"
            )

    def _too_far(self, atom: int, k: int, part: float) -> str:
        symbol = chemical_symbols[self.numbers[atom]]
        apart = f" ({self.timestep_ps:g} ps)" if self.timestep_ps else ""
        return (
            f"{self.name}: atom {symbol}{atom + 1} or its molecule moves by {part:.2f} of the cell between frames "
            f"{self._range[k - 1] + 1} and {self._range[k] + 1}: they are too far apart{apart} to unwrap the positions"
        )


def _some_of(frames: range, chosen: slice, name: str) -> range:
    some = frames[chosen]
    if not len(some) or some.step < 0:
        raise InputError(f"{name}: none of its {len(frames)} frames is selected")
    return some
