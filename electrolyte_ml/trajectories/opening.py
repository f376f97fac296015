"""Opening of trajectories of any code."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import traceback
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.files import COMPRESSED, decompress_to
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.trajectories.configurations import AtomsFrames
from electrolyte_ml.trajectories.dump import DumpFrames, is_dump
from electrolyte_ml.trajectories.extxyz import open_extxyz
from electrolyte_ml.trajectories.file_ends import damaged_xtc_frame
from electrolyte_ml.trajectories.frames import Frames, Identity
from electrolyte_ml.trajectories.identity import identify
from electrolyte_ml.trajectories.joined import JoinedFrames
from electrolyte_ml.trajectories.lammps import atom_columns
from electrolyte_ml.trajectories.reader_errors import reason
from electrolyte_ml.trajectories.remarks import stated_hydrogen_mass
from electrolyte_ml.trajectories.species import Role
from electrolyte_ml.trajectories.trajectory import Trajectory
from electrolyte_ml.trajectories.trr import contents
from electrolyte_ml.trajectories.universes import UniverseFrames, Velocities, import_mdanalysis

if TYPE_CHECKING:
    from MDAnalysis import Universe

_ASE_SUFFIXES = (".xyz", ".extxyz", ".cif", ".vasp", ".poscar", ".traj")
_DATA_SUFFIXES = (".data", ".lmp", ".lammps", ".lammps-data")
_POSITIONS_ONLY = (".xtc", ".trr", ".dcd", ".nc", ".ncdf")


def open_trajectory(
    files: str | os.PathLike | Sequence[str | os.PathLike] | Sequence[Atoms] | Any,
    *,
    topology: str | os.PathLike | Atoms | None = None,
    roles: Mapping[str, Role | str] | None = None,
    own_molecules: Mapping[str, Molecule] | None = None,
    timestep_ps: float | None = None,
    cell: Any = None,
    elements: Mapping[str, str] | None = None,
    lammps_units: str | None = None,
    chosen: slice = slice(None),
) -> Trajectory:
    """Open a trajectory of any code.

    Parameters
    ----------
    files
        A file that MDAnalysis reads (XTC, TRR, DCD, NetCDF, LAMMPS dump, PDB, GRO, ...), extended XYZ, the folder of
        a run of :func:`electrolyte_ml.dynamics.run_md`, the parts of one run in their order, configurations of ASE,
        or an MDAnalysis universe.
    topology
        Gives the elements of the atoms where the file does not: any topology that MDAnalysis reads, a LAMMPS data
        file, or a structure that ASE reads. Bonds are taken from it if they are complete, else found from the first
        of the frames.
    roles
        Name of a species -> :class:`Role`, or its selection alone, for species that the package does not know
        (:data:`electrolyte_ml.structures.MOLECULES`).
    own_molecules
        Molecules by name (:func:`electrolyte_ml.structures.name_molecule`) that are recognised before those of the
        library.
    timestep_ps
        Time between frames, in place of the file's. Parts of one run may then count their times from their own starts.
    cell
        Å: one length, three, three and three angles (degrees), or (3, 3), in place of the file's.
    elements
        Type or name of an atom -> its element, where neither elements nor masses are known: {"1": "C", "2": "H"}.
    lammps_units
        "metal" or "real", for the velocities of a LAMMPS dump that does not name its units, and for the times of a DCD
        file of LAMMPS.
    chosen
        The frames to open, such as ``slice(10, None)``; all by default.

    Returns
    -------
    Trajectory
        If the molecules change during the run, its frames before the change.

    Warns
    -----
    TrajectoryWarning
        The molecules change; `timestep_ps` is not that of the file; or the file was cut short: its whole frames are
        used. Of XTC, TRR, DCD, LAMMPS dumps and extended XYZ every whole
        frame is read; of other formats those that MDAnalysis can read, and some formats are refused.

    Raises
    ------
    InputError
        A file that cannot be read or has no frame, no cell, no elements, molecules that are neither named by a role nor
        known, or that are bonded to their own images.
    """
    frames = open_frames(files, topology, elements=elements, lammps_units=lammps_units, counted=timestep_ps is not None)
    trajectory = Trajectory(
        frames, roles=roles, own_molecules=own_molecules, timestep_ps=timestep_ps, cell=cell, chosen=chosen
    )
    trajectory.hydrogen_mass = stated_hydrogen_mass(files, topology)
    if trajectory.cut_short:
        last = f", up to {trajectory.times_ps[-1]:g} ps" if trajectory.timestep_ps else ""
        warnings.warn(
            f"{trajectory.name}: {trajectory.cut_short}; {trajectory.n_frames} whole frames before it are used{last}",
            TrajectoryWarning,
            stacklevel=2,
        )
    if timestep_ps is not None and frames.times_known and frames.n_frames > 1:
        _compare_times(trajectory, frames.read(1).time - frames.read(0).time, timestep_ps)
    return _without_change(trajectory)


def _compare_times(trajectory: Trajectory, in_file: float, given: float) -> None:
    """Warn of a time between frames that is not that of the file."""
    if abs(in_file - given) > 1e-3 * given:
        warnings.warn(
            f"{trajectory.name}: the file has a frame every {in_file:g} ps; the {given:g} ps that are given are used",
            TrajectoryWarning,
            stacklevel=3,
        )


def _without_change(trajectory: Trajectory) -> Trajectory:
    """Return the frames before the molecules change, with a warning if they do."""
    change = trajectory.first_change()
    if change is None:
        return trajectory
    number = trajectory.number_of(change.frame)
    warnings.warn(
        f"{trajectory.name}: molecules change in frame {number}: {change.what}; the {change.frame} frames before it "
        f"are used. To read the others, begin there (--begin {number - 1})",
        TrajectoryWarning,
        stacklevel=3,
    )
    return trajectory[: change.frame]


def open_frames(
    files: Any,
    topology: str | os.PathLike | Atoms | None = None,
    *,
    elements: Mapping[str, str] | None = None,
    lammps_units: str | None = None,
    counted: bool = False,
) -> Frames:
    """Return a reader of the frames; the parameters and errors are those of :func:`open_trajectory`.

    `counted` is that of :class:`electrolyte_ml.trajectories.joined.JoinedFrames`.
    """
    if isinstance(files, Atoms):
        files = [files]
    if hasattr(files, "trajectory") and hasattr(files, "select_atoms"):
        return UniverseFrames(files, "universe", elements, lammps_units=lammps_units)
    if isinstance(files, Sequence) and not isinstance(files, str) and files and isinstance(files[0], Atoms):
        return AtomsFrames(files)
    paths = [Path(files)] if isinstance(files, (str, os.PathLike)) else [Path(path) for path in files]
    if not paths:
        raise InputError("there is no trajectory to open")
    if len(paths) > 1:
        return JoinedFrames(
            [open_frames(path, topology, elements=elements, lammps_units=lammps_units) for path in paths], counted
        )
    path = paths[0]
    if path.suffix in COMPRESSED and path.is_file():
        return _open_compressed(path, topology, elements, lammps_units)
    if path.is_dir():
        topology = topology or path / "topology.pdb"
        path = path / "trajectory.trr"
    for needed in (path, topology):
        if isinstance(needed, (str, os.PathLike)) and not Path(needed).is_file():
            raise InputError(f"{needed}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    if path.suffix in (".xyz", ".extxyz"):
        return open_extxyz(path)
    structure = _structure_of(topology)
    given = None if isinstance(topology, Atoms) else topology
    if is_dump(path):
        identity = _identity_of(given, structure, elements)
        with _naming_errors(path):
            return DumpFrames(path, identity, elements, lammps_units)
    if path.suffix == ".xtc" and (number := damaged_xtc_frame(path)):
        raise InputError(f"{path} is damaged: frame {number} is not an XTC frame of its atoms")
    if path.suffix == ".trr" and (found := _only_velocities(path)):
        return _frames_of_velocities(path, topology, found, elements)
    universe = _universe_of(path, given, structure)
    with _naming_errors(path):
        return UniverseFrames(universe, str(path), elements, structure, lammps_units)


@contextmanager
def _naming_errors(path: Path) -> Iterator[None]:
    """Turn any other error of a reader into an `InputError` that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each format has its own errors
        raise InputError(f"{path} cannot be read ({reason(error, path)})") from error


def _open_compressed(
    path: Path,
    topology: str | os.PathLike | Atoms | None,
    elements: Mapping[str, str] | None,
    lammps_units: str | None,
) -> Frames:
    """Return a reader of a compressed trajectory: frames are read in any order from a temporary file."""
    folder = tempfile.TemporaryDirectory(prefix="electrolyte-ml-")
    plain = Path(folder.name) / path.stem
    decompress_to(path, plain)
    try:
        frames = open_frames(plain, topology, elements=elements, lammps_units=lammps_units)
    except InputError as error:
        raise InputError(str(error).replace(str(plain), str(path))) from error
    frames.name = str(path)
    frames.cut_short = frames.cut_short.replace(str(plain), str(path))
    weakref.finalize(frames, folder.cleanup)
    return frames


def _only_velocities(path: Path) -> int:
    """Return how many frames a .trr has, if all of them hold velocities and none positions; else 0."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            has = contents(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return len(has) if len(has) and has[:, 1].all() and not has[:, 0].any() else 0


def _frames_of_velocities(
    path: Path, topology: str | os.PathLike | Atoms | None, count: int, elements: Mapping[str, str] | None
) -> Frames:
    """Return the one frame of the topology, with the velocities of a .trr that holds no positions."""
    if topology is None:
        raise InputError(f"{path} holds velocities only: name a file with the positions of its atoms (--topology)")
    frames = open_frames(topology, elements=elements)
    frames.name = str(path)
    universe = import_mdanalysis().Universe.empty(len(frames.numbers))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            universe.load_new(str(path))
        frames.velocity_series = Velocities(universe.trajectory, range(count), alone=True)
    except Exception as error:  # MDAnalysis has errors of its own
        _discard_readers(error)
        raise InputError(f"{path} with {topology} cannot be read ({reason(error, path)})") from error
    return frames


def _structure_of(topology: str | os.PathLike | Atoms | None) -> Atoms | None:
    """Return the topology as atoms if it is a structure of ASE, or in a file that ASE reads."""
    if topology is None or isinstance(topology, Atoms):
        return topology
    if Path(topology).suffix not in _ASE_SUFFIXES:
        return None
    from ase.io import read

    try:
        atoms = read(os.fspath(topology), index=0, do_not_split_by_at_sign=True)
    except Exception as error:  # each format has its own errors
        raise InputError(f"{topology} cannot be read ({reason(error, topology)})") from error
    return atoms[0] if isinstance(atoms, list) else atoms


def _identity_of(
    topology: str | os.PathLike | None, structure: Atoms | None, elements: Mapping[str, str] | None
) -> Identity | None:
    """Return the elements, masses and bonds that the topology of a dump gives; None without a topology."""
    if structure is not None:
        return Identity(structure.numbers, structure.get_masses(), None, None)
    if topology is None:
        return None
    try:
        universe = _make_universe(str(topology), **_topology_options(topology))
    except Exception as error:  # each format has its own errors
        _discard_readers(error)
        raise InputError(f"{topology} cannot be read ({reason(error, topology)})") from error
    return identify(universe, str(topology), elements)


def _universe_of(path: Path, topology: str | os.PathLike | None, structure: Atoms | None) -> Universe:
    """Return the universe of a trajectory and its topology."""
    options = {"format": "NCDF"} if _is_netcdf(path) else {}
    topology_options = {} if topology is None else _topology_options(topology)
    if topology is not None and structure is None:
        _check_topology(topology, topology_options)
    try:
        if structure is not None:
            universe = import_mdanalysis().Universe.empty(len(structure))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                universe.load_new(str(path), **options)
        elif topology is not None:
            universe = _make_universe(str(topology), str(path), **topology_options, **options)
        else:
            universe = _make_universe(str(path), **options)
    except Exception as error:  # each format has its own errors
        _discard_readers(error)
        if topology is None and structure is None and path.suffix in _POSITIONS_ONLY:
            raise InputError(f"{path} holds positions only: name the file of its topology (--topology)") from error
        if _has_one_frame(path):
            raise InputError(f"{path}: the file ends within frame 2, only the first is whole") from error
        beside = f" with {topology}" if topology is not None else ""
        of_a_rest = isinstance(error, (IndexError, EOFError)) or (options and isinstance(error, ValueError))
        hint = "; was it cut short?" if of_a_rest else ""
        raise InputError(f"{path}{beside} cannot be read ({reason(error, path)}){hint}") from error
    if not hasattr(universe, "trajectory"):
        raise InputError(f"{path} has no positions")
    return universe


def _make_universe(*files: str, **options: Any) -> Universe:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_mdanalysis().Universe(*files, to_guess=(), **options)


def _check_topology(topology: str | os.PathLike, options: Mapping[str, str]) -> None:
    """Raise InputError if the topology cannot be read by itself: else the trajectory would be blamed."""
    from MDAnalysis.core._get_readers import get_parser_for

    kind = options.get("topology_format")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = get_parser_for(str(topology), format=kind)
            with parser(str(topology)) as opened:
                opened.parse(**{key: value for key, value in options.items() if key != "topology_format"})
    except Exception as error:  # each format has its own errors
        raise InputError(f"{topology} cannot be read ({reason(error, topology)})") from error


def _topology_options(topology: str | os.PathLike) -> dict[str, str]:
    path = Path(topology)
    return {"topology_format": "DATA", "atom_style": atom_columns(path)} if path.suffix in _DATA_SUFFIXES else {}


def _discard_readers(error: BaseException | None) -> None:
    """Destroy readers that could not be opened: the destructors of MDAnalysis fail, which Python would print later."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            while error is not None:
                traceback.clear_frames(error.__traceback__)
                error = error.__cause__ or error.__context__
    finally:
        sys.unraisablehook = hook


def _has_one_frame(path: Path) -> bool:
    """Whether a file that MDAnalysis does not open is an XTC or TRR whose first frame is whole."""
    from MDAnalysis.lib.formats import libmdaxdr

    kinds = {".xtc": libmdaxdr.XTCFile, ".trr": libmdaxdr.TRRFile}
    if path.suffix not in kinds:
        return False
    try:
        with kinds[path.suffix](str(path)) as file:
            file.read()
    except (OSError, StopIteration):
        return False
    return True


def _is_netcdf(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(4) in (b"CDF\1", b"CDF\2", b"CDF\5")
