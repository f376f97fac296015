"""Opening of trajectories of any program."""

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

import numpy as np
from ase import Atoms, units

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
_TIME_UNITS = (1e-3, 1.0, 1e3, 1e-3 / units.fs)  # ps: fs, ps, ns, and the unit of ASE
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
    """Open a trajectory of any program.

    Parameters
    ----------
    files
        A file that MDAnalysis reads (XTC, TRR, DCD, NetCDF, LAMMPS dump, PDB, GRO, ...), an extended XYZ file, the
        folder of a run of :func:`electrolyte_ml.dynamics.run_md`, the parts of one run in order, ASE configurations, or
        an MDAnalysis universe.
    topology
        File or structure with the elements of the atoms, if the trajectory does not contain them: any topology that
        MDAnalysis reads, a LAMMPS data file, or a structure that ASE reads. Its bonds are used if they are complete;
        otherwise bonds are found from the first frame.
    roles
        Name of a species -> :class:`Role` or only its selection, for species that are not in the library
        (:data:`electrolyte_ml.structures.MOLECULES`).
    own_molecules
        Molecules by name (:func:`electrolyte_ml.structures.name_molecule`); they take precedence over the library.
    timestep_ps
        Time between frames; replaces the times in the file. The times of the parts of one run may then start from 0 in
        each part.
    cell
        Cell (Å) that replaces that of the file: one length, three lengths, three lengths and three angles (degrees), or
        a (3, 3) matrix.
    elements
        Type or name of an atom -> element, if neither elements nor masses are known: {"1": "C", "2": "H"}.
    lammps_units
        "metal" or "real", for the velocities of a LAMMPS dump that does not name its units, and for the times of a DCD
        file of LAMMPS.
    chosen
        Frames to open, such as ``slice(10, None)``; by default all.

    Returns
    -------
    Trajectory
        If the molecules change during the run, only the frames before the change.

    Warns
    -----
    TrajectoryWarning
        The molecules change; `timestep_ps` or `cell` differs from that in the file; or the file is truncated, so that
        only its complete frames are used. All complete frames of XTC, TRR, DCD, LAMMPS dumps and extended XYZ are read;
        of other formats those that MDAnalysis can read, and some formats raise an error.

    Raises
    ------
    InputError
        The file cannot be read or has no frame, no cell or no elements; molecules are neither known nor named by a
        role, or are bonded to their own images; or a parameter contradicts the file or would have no effect.
    """
    frames = open_frames(files, topology, elements=elements, lammps_units=lammps_units, counted=timestep_ps is not None)
    trajectory = Trajectory(
        frames, roles=roles, own_molecules=own_molecules, timestep_ps=timestep_ps, cell=cell, chosen=chosen
    )
    trajectory.hydrogen_mass = stated_hydrogen_mass(files, topology)
    if trajectory.cut_short:
        last = f", up to {trajectory.times_ps[-1]:g} ps" if trajectory.timestep_ps else ""
        warnings.warn(
            f"{trajectory.name}: {trajectory.cut_short}; the {trajectory.n_frames} complete frames before it are "
            f"used{last}",
            TrajectoryWarning,
            stacklevel=2,
        )
    if timestep_ps is not None and frames.n_frames > 1:
        _compare_times(trajectory, frames, timestep_ps)
    if cell is not None:
        _compare_cells(trajectory, frames.read(0).cell)
    return _without_change(trajectory)


def _compare_times(trajectory: Trajectory, frames: Frames, given: float) -> None:
    """Warn if the given time between frames differs from that in the file."""
    if frames.times_known:
        in_file = frames.read(1).time - frames.read(0).time
        agrees, stated = abs(in_file - given) <= 1e-3 * given, f"{in_file:g} ps"
    elif (step := frames.stated_step) is not None:
        agrees = any(abs(step * unit - given) <= 1e-3 * given for unit in _TIME_UNITS)
        stated = f"{step:g} in an unknown unit, neither fs nor ps nor ns,"
    else:
        return
    if not agrees:
        warnings.warn(
            f"{trajectory.name}: the time between frames is {stated} in the file; the given {given:g} ps is used",
            TrajectoryWarning,
            stacklevel=3,
        )


def _compare_cells(trajectory: Trajectory, in_file: np.ndarray | None) -> None:
    """Warn if the file has another cell, with a volume, than the one that was given."""
    used = trajectory.frame(0).cell
    if in_file is None or abs(np.linalg.det(in_file)) < 1e-6 * used.volume:
        return
    if np.abs(in_file - used.array).max() > 1e-3 * used.lengths().max():
        shown = " x ".join(f"{length:.4g}" for length in np.linalg.norm(in_file, axis=1))
        given = " x ".join(f"{length:.4g}" for length in used.lengths())
        warnings.warn(
            f"{trajectory.name}: the cell is {shown} Å in the file; the given one, {given} Å, is used",
            TrajectoryWarning,
            stacklevel=3,
        )


def _without_change(trajectory: Trajectory) -> Trajectory:
    """Return the frames before the first change of molecules, with a warning if there is one."""
    change = trajectory.first_change()
    if change is None:
        return trajectory
    number = trajectory.number_of(change.frame)
    warnings.warn(
        f"{trajectory.name}: molecules change in frame {number}: {change.what}; the {change.frame} frames before it "
        f"are used. To read the later ones, start there (--begin {number - 1})",
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
        _refuse_unused("the configurations", "they have elements", topology, elements, lammps_units)
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
        _refuse_unused(str(path), "the file names its elements", topology, elements, lammps_units)
        return open_extxyz(path)
    structure = _structure_of(topology)
    if structure is not None:
        _refuse_unused(str(path), "the topology names them", elements=elements)
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


def _refuse_unused(
    name: str,
    reason: str,
    topology: Any = None,
    elements: Mapping[str, str] | None = None,
    lammps_units: str | None = None,
) -> None:
    """Raise an error for the first option that was given but has no effect."""
    for option, value in (("topology", topology), ("elements", elements), ("lammps_units", lammps_units)):
        if value is not None:
            words = f"{option}=, --{option.replace('_', '-')}"
            raise InputError(f"{name}: {words} would have no effect, because {reason}: leave it out")


@contextmanager
def _naming_errors(path: Path) -> Iterator[None]:
    """Convert other errors of a reader to an `InputError` that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each format raises its own errors
        raise InputError(f"{path} cannot be read ({reason(error, path)})") from error


def _open_compressed(
    path: Path,
    topology: str | os.PathLike | Atoms | None,
    elements: Mapping[str, str] | None,
    lammps_units: str | None,
) -> Frames:
    """Return a reader of a compressed trajectory, which is decompressed to a temporary file for random access."""
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
    """Return the number of frames of a .trr file if all contain velocities and none positions; otherwise 0."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            has = contents(content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    return len(has) if len(has) and has[:, 1].all() and not has[:, 0].any() else 0


def _frames_of_velocities(
    path: Path, topology: str | os.PathLike | Atoms | None, count: int, elements: Mapping[str, str] | None
) -> Frames:
    """Return the single frame of the topology, with the velocities of a .trr file without positions."""
    if topology is None:
        raise InputError(f"{path} contains only velocities: name a file with the positions of its atoms (--topology)")
    frames = open_frames(topology, elements=elements)
    frames.name = str(path)
    universe = import_mdanalysis().Universe.empty(len(frames.numbers))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            universe.load_new(str(path))
        frames.velocity_series = Velocities(universe.trajectory, range(count), alone=True)
    except Exception as error:  # MDAnalysis raises errors of many types
        _discard_readers(error)
        raise InputError(f"{path} with {topology} cannot be read ({reason(error, path)})") from error
    return frames


def _structure_of(topology: str | os.PathLike | Atoms | None) -> Atoms | None:
    """Return the topology as atoms if it is an ASE structure or a file that ASE reads; otherwise None."""
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
    """Return elements, masses and bonds from the topology of a dump; None without a topology."""
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
            raise InputError(f"{path} contains only positions: name the file of its topology (--topology)") from error
        if _has_one_frame(path):
            raise InputError(f"{path}: the file ends within frame 2; only the first is complete") from error
        with_topology = f" with {topology}" if topology is not None else ""
        seems_truncated = isinstance(error, (IndexError, EOFError)) or (options and isinstance(error, ValueError))
        hint = "; it may be truncated" if seems_truncated else ""
        raise InputError(f"{path}{with_topology} cannot be read ({reason(error, path)}){hint}") from error
    if not hasattr(universe, "trajectory"):
        raise InputError(f"{path} has no positions")
    return universe


def _make_universe(*files: str, **options: Any) -> Universe:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_mdanalysis().Universe(*files, to_guess=(), **options)


def _check_topology(topology: str | os.PathLike, options: Mapping[str, str]) -> None:
    """Raise `InputError` if the topology cannot be read, so that the message does not name the trajectory."""
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
    """Destroy readers that failed to open, without Python's messages about errors in MDAnalysis destructors."""
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
    """Return whether a file that MDAnalysis cannot open is an XTC or TRR file with a complete first frame."""
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
