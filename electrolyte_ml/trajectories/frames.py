"""Frames of any trajectory file, one at a time: MDAnalysis's formats, extended XYZ, and configurations in memory.

Every reader has `name`, `n_frames`, `cut_short` (what is wrong with the file's end, or ""), `numbers`, `masses`,
`bonds` (None when the file has none), `times_known`, `unwrapped` (whether its positions cross the cell's faces freely),
and `read(k)`. Random access keeps memory at one frame.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses, atomic_numbers

from electrolyte_ml.errors import InputError, first_line

if TYPE_CHECKING:
    from MDAnalysis import Universe

_ASE_SUFFIXES = (".xyz", ".extxyz", ".cif", ".vasp", ".poscar", ".traj")
_DATA_SUFFIXES = (".data", ".lmp", ".lammps", ".lammps-data")
_BONDED = ["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Sb", "I"]  # elements of molecules
GIVE_ELEMENTS = "name a topology (--topology) or the elements (elements=, --elements)"
_ATOM_STYLES = {
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "bond": "id resid type x y z",
    "angle": "id resid type x y z",
    "molecular": "id resid type x y z",
    "full": "id resid type charge x y z",
}


class Frame(NamedTuple):
    """One frame.

    Attributes
    ----------
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, vectors as rows, or None when the file has none.
    velocities
        (N, 3) Å/ps or None.
    time
        In ps when the reader's times are known; else whatever counts on with the frames, or NaN.
    """

    positions: np.ndarray
    cell: np.ndarray | None
    velocities: np.ndarray | None
    time: float


class Frames(Protocol):
    """What every reader has."""

    name: str
    n_frames: int
    cut_short: str
    numbers: np.ndarray
    masses: np.ndarray
    bonds: np.ndarray | None
    times_known: bool
    unwrapped: bool

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms, to select from."""


def open_frames(
    files: Any,
    topology: Any = None,
    *,
    elements: Mapping[str, str] | None = None,
    lammps_units: str | None = None,
) -> Frames:
    """Open whatever holds frames; the parameters are those of `open_trajectory`."""
    if isinstance(files, Atoms):
        files = [files]
    if hasattr(files, "trajectory") and hasattr(files, "select_atoms"):
        return UniverseFrames(files, "universe", elements, lammps_units=lammps_units)
    if isinstance(files, Sequence) and not isinstance(files, str) and files and isinstance(files[0], Atoms):
        return AtomsFrames(files)
    if isinstance(files, (str, os.PathLike)):
        files = [files]
    paths = [Path(path) for path in files]
    if not paths:
        raise InputError("there is no trajectory to open")
    if len(paths) > 1:
        return JoinedFrames(
            [open_frames(path, topology, elements=elements, lammps_units=lammps_units) for path in paths]
        )
    path = paths[0]
    if path.is_dir():
        topology = topology or path / "topology.pdb"
        path = path / "trajectory.trr"
    for needed in (path, topology):
        if isinstance(needed, (str, os.PathLike)) and not Path(needed).is_file():
            raise InputError(f"{needed}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    if path.suffix in (".xyz", ".extxyz"):
        return ExtxyzFrames(path)
    return _open_with_mdanalysis(path, topology, elements, lammps_units)


class AtomsFrames:
    """Configurations in memory; `info["time_ps"]` is the time where there is one."""

    unwrapped = False

    def __init__(self, configurations: Sequence[Atoms], name: str = "the configurations") -> None:
        first = configurations[0]
        self.name, self.n_frames, self.cut_short = name, len(configurations), ""
        self.numbers, self.masses, self.bonds = first.numbers.copy(), first.get_masses(), None
        self.times_known = "time_ps" in first.info
        self._get = configurations.__getitem__

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        atoms = self._get(k)
        if not np.array_equal(atoms.numbers, self.numbers):
            raise InputError("its atoms are not those of frame 1 in the same order")
        if atoms.cell.rank == 3 and not atoms.pbc.all():
            raise InputError("it is not periodic in all three directions")
        velocities = atoms.get_velocities() * 1000.0 * units.fs if atoms.has("momenta") else None
        cell = atoms.cell.array.copy() if atoms.cell.rank == 3 else None
        return Frame(atoms.positions, cell, velocities, float(atoms.info.get("time_ps", np.nan)))

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms, to select from: element, name, type, resname, resid."""
        return plain_universe(self.numbers, molecule)


class ExtxyzFrames(AtomsFrames):
    """Extended XYZ; frames are found once, by counting lines, and read when they are wanted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: list[tuple[int, int]] = []
        with open(path, "rb") as stream:
            cut = ""
            while True:
                start = stream.tell()
                line = stream.readline()
                if not line:
                    break
                if not line.strip():
                    continue
                if not line.strip().isdigit():
                    raise InputError(f"{path}: frame {len(self._offsets) + 1} does not begin with a number of atoms")
                lines = [stream.readline() for _ in range(int(line) + 1)]
                if not lines[-1].endswith(b"\n") and not _is_whole(lines):
                    cut = "the file ends within a frame"
                    break
                self._offsets.append((start, stream.tell()))
        if not self._offsets:
            raise InputError(f"{path}: the file ends before its first frame does")
        first = self._parse(0)
        self._get = self._parse
        self.name, self.n_frames, self.cut_short = str(path), len(self._offsets), cut
        self.numbers, self.masses, self.bonds = first.numbers.copy(), first.get_masses(), None
        self.times_known = "time_ps" in first.info

    def _parse(self, k: int) -> Atoms:
        from ase.io.extxyz import read_extxyz

        start, end = self._offsets[k]
        with open(self._path, "rb") as stream:
            stream.seek(start)
            text = stream.read(end - start).decode()
        return next(read_extxyz(StringIO(text), 0))


class UniverseFrames:
    """Anything that MDAnalysis reads."""

    unwrapped = False

    def __init__(
        self,
        universe: Universe,
        name: str,
        elements: Mapping[str, str] | None = None,
        structure: Atoms | None = None,
        lammps_units: str | None = None,
    ) -> None:
        self._universe, self.name = universe, name
        self._reader = universe.trajectory
        if structure is not None:
            self.numbers, self.masses, self.bonds = structure.numbers.copy(), structure.get_masses(), None
        else:
            known = _identify(universe, name, elements)
            self.numbers, self.masses, self.bonds = known.numbers, known.masses, known.bonds
        self.n_frames, self.cut_short = _whole_frames(self._reader, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timestep = self._reader[0]
        self._box = _only_box(self._reader)
        self._velocity: float | None = 1.0
        if self._reader.format == "LAMMPSDUMP":  # whose velocities MDAnalysis hands on in whatever unit they are
            from electrolyte_ml.trajectories.dump import VELOCITY_AND_TIME

            self._velocity = VELOCITY_AND_TIME[lammps_units][0] if lammps_units else None
        self.times_known = "time" in timestep.data or "dt" in timestep.data

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        from MDAnalysis.lib.mdamath import triclinic_vectors

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timestep = self._reader[k]
        box = self._box if timestep.dimensions is None else timestep.dimensions
        cell = None if box is None or not np.all(box[:3] > 0) else np.asarray(triclinic_vectors(box), float)
        velocities = None
        if timestep.has_velocities and self._velocity is not None:
            velocities = self._velocity * timestep.velocities.astype(float)
        time = float(timestep.time) if self.times_known else np.nan
        return Frame(timestep.positions.astype(float), cell, velocities, time)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe that reads the file; `molecule` is not needed where the file names residues."""
        if hasattr(self._universe.atoms, "types") or hasattr(self._universe.atoms, "names"):
            if not hasattr(self._universe.atoms, "elements"):
                from ase.data import chemical_symbols

                self._universe.add_TopologyAttr("elements", [chemical_symbols[z] for z in self.numbers])
            return self._universe
        return plain_universe(self.numbers, molecule)


class JoinedFrames:
    """Parts of one run, one after the other; a part may begin with the frame at which the one before it ends."""

    unwrapped = False

    def __init__(self, parts: Sequence[Frames]) -> None:
        first = parts[0]
        for part in parts:
            if not np.array_equal(part.numbers, first.numbers):
                raise InputError(f"{part.name} does not hold the atoms of {first.name}")
        self.name = f"{first.name} and {len(parts) - 1} more"
        self.numbers, self.masses, self.bonds = first.numbers, first.masses, first.bonds
        self.times_known = all(part.times_known for part in parts)
        self.cut_short = next((f"{part.name}: {part.cut_short}" for part in parts if part.cut_short), "")
        self._frames: list[tuple[Frames, int]] = []
        last = -np.inf
        for part in parts:
            start, end = part.read(0).time, part.read(part.n_frames - 1).time
            if start < last:
                raise InputError(f"{part.name} begins at {start:g}, before the part in front of it ends at {last:g}")
            self._frames.extend((part, k) for k in range(int(start == last), part.n_frames))
            last = end
        self.n_frames = len(self._frames)
        self._first = first

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        part, own = self._frames[k]
        return part.read(own)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe of the first part, to select from."""
        return self._first.universe(molecule)


class Identity(NamedTuple):
    """What the atoms of a trajectory are.

    Attributes
    ----------
    numbers, masses
        (N,) atomic numbers, amu.
    bonds
        (n_bonds, 2) or None when they are not known.
    universe
        To select from; None when nothing but the elements is known.
    """

    numbers: np.ndarray
    masses: np.ndarray
    bonds: np.ndarray | None
    universe: Universe | None


def numbers_of(symbols: Sequence[str], name: str) -> np.ndarray:
    """Return the atomic numbers of chemical symbols.

    Raises
    ------
    InputError
        One that is none, with the name of the file and the atom.
    """
    for index, symbol in enumerate(symbols):
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(f"{name}: atom {index + 1} is of no known element ({symbol!r}): {GIVE_ELEMENTS}")
    return np.array([atomic_numbers[symbol] for symbol in symbols])


def plain_universe(numbers: np.ndarray, molecule: np.ndarray) -> Universe:
    """Return a universe without coordinates; name, type and element are the chemical symbol, a residue a molecule."""
    from ase.data import chemical_symbols

    mda = _mdanalysis()
    symbols = [chemical_symbols[z] for z in numbers]
    n_molecules = int(molecule.max()) + 1
    universe = mda.Universe.empty(len(numbers), n_residues=n_molecules, atom_resindex=molecule, trajectory=False)
    for attribute in ("names", "types", "elements"):
        universe.add_TopologyAttr(attribute, symbols)
    universe.add_TopologyAttr("masses", atomic_masses[numbers])
    universe.add_TopologyAttr("resids", np.arange(1, n_molecules + 1))
    return universe


def _open_with_mdanalysis(
    path: Path, topology: Any, elements: Mapping[str, str] | None, lammps_units: str | None
) -> Frames:
    mda = _mdanalysis()
    structure = topology if isinstance(topology, Atoms) else None
    if structure is None and topology is not None and Path(topology).suffix in _ASE_SUFFIXES:
        structure = _read_structure(topology)
    options: dict[str, Any] = {"to_guess": ()}
    if structure is None and topology is not None and Path(topology).suffix in _DATA_SUFFIXES:
        options |= {"topology_format": "DATA", "atom_style": _atom_style(Path(topology))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if _is_dump(path) or (_is_netcdf(path) and topology is not None):
                known = None
                if structure is not None:
                    known = Identity(structure.numbers, structure.get_masses(), None, None)
                elif topology is not None:
                    known = _identify(mda.Universe(str(topology), **options), str(topology), elements)
                if _is_netcdf(path):
                    from electrolyte_ml.trajectories.netcdf import NetcdfFrames

                    return NetcdfFrames(path, known)
                from electrolyte_ml.trajectories.dump import DumpFrames

                return DumpFrames(path, known, elements, lammps_units)
            if structure is not None:
                universe = mda.Universe.empty(len(structure))
                universe.load_new(str(path))
            elif topology is not None:
                universe = mda.Universe(str(topology), str(path), **options)
            else:
                universe = mda.Universe(str(path), **options)
        except InputError:
            raise
        except Exception as error:
            _forget(error)
            if topology is None and path.suffix in (".xtc", ".trr", ".dcd", ".nc", ".ncdf"):
                raise InputError(f"{path} holds positions only: name the file of its topology (--topology)") from error
            if _has_one_frame(path):
                raise InputError(f"{path}: the file ends within frame 2, only the first is whole") from error
            beside = f" with {topology}" if isinstance(topology, (str, os.PathLike)) else ""
            raise InputError(f"{path}{beside} cannot be read ({first_line(error)})") from error
    if not hasattr(universe, "trajectory"):
        raise InputError(f"{path} has no positions")
    return UniverseFrames(universe, str(path), elements, structure)


def _forget(error: BaseException) -> None:
    """Let readers that could not be opened die here: MDAnalysis's destructors then fail, and Python prints it."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
    finally:
        sys.unraisablehook = hook


def _mdanalysis() -> Any:
    """Import MDAnalysis, without what its progress bars have to say of a notebook that lacks widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import MDAnalysis
    return MDAnalysis


def _whole_frames(reader: Any, name: str) -> tuple[int, str]:
    """Return how many frames can be read, and what is wrong with the file's end."""
    if reader.format == "GRO":
        with open(reader.filename) as stream:
            if sum(1 for line in stream if line.strip()) > reader.n_atoms + 3:
                raise InputError(
                    f"{name}: of several frames in one .gro only the first could be read; write them as XTC"
                )
    if reader.format == "TRZ":  # which counts none at all in a file that was cut short
        size = os.path.getsize(reader.filename) - reader._headerdtype.itemsize
        reader._cache["n_frames"] = size // reader._dtype.itemsize
    count = int(reader.n_frames)
    cut = ""
    while count:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader[count - 1]
            rest = _remainder(reader, count)
            if rest >= 0:
                break
        except Exception:  # each format has its own errors for a file that ends too early
            pass
        cut = f"the file ends within frame {count}"
        count -= 1
    if not count:
        raise InputError(f"{name}: the file ends before its first frame does")
    return count, cut or (f"the file ends within frame {count + 1}" if rest > 0 else "")


def _has_one_frame(path: Path) -> bool:
    """Whether a file that MDAnalysis does not open is one of GROMACS's whose first frame is whole."""
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


def _only_box(reader: Any) -> np.ndarray | None:
    """Return lengths and angles of the one cell that a PDB file names above all its models, which MDAnalysis misses."""
    if "PDB" not in reader.format or reader.n_frames == 1:
        return None
    with open(reader.filename) as stream:
        cells = {line[6:54] for line in stream if line.startswith("CRYST1")}
    return np.array(cells.pop().split(), dtype=np.float32) if len(cells) == 1 else None


def _remainder(reader: Any, count: int) -> int:
    """Return the bytes behind the last frame, which has just been read: some readers say nothing of a frame cut short.

    Below zero if that frame itself lacks some, and its last number may be half of one.
    """
    size = os.path.getsize(reader.filename) if isinstance(reader.filename, (str, os.PathLike)) else 0
    if reader.format in ("DCD", "LAMMPS"):
        file = reader._file
        return size - file._header_size - file._firstframesize - (count - 1) * file._framesize
    if reader.format in ("XTC", "TRR"):
        return size - reader._xdr._bytes_tell()
    if reader.format == "TRZ":
        return size - reader._headerdtype.itemsize - count * reader._dtype.itemsize
    if "MDCRD" in reader.format:  # ten numbers of eight places in a line, and three for the box
        with open(reader.filename, "rb") as stream:
            stream.seek(reader._offsets[count - 1])
            end = 2 if stream.readline().endswith(b"\r\n") else 1
        numbers, lines = 3 * (reader.n_atoms + reader.periodic), reader.lines_per_frame + reader.periodic
        rest = size - reader._offsets[count - 1] - 8 * numbers - end * lines
        return 0 if -end <= rest < 0 else rest  # whole but for the end of the last line
    if "TXYZ" in reader.format or reader.format == "HISTORY":
        with open(reader.filename, "rb") as stream:
            stream.seek(-1, os.SEEK_END)
            ended = stream.read() == b"\n"
        begun = [*reader._offsets, size][count]  # the frame after it, or the end
        return size - begun if begun < size else -(not ended)
    if "PDB" in reader.format and count == reader.n_frames:  # whose coordinates end at column 54
        with open(reader.filename, "rb") as stream:
            stream.seek(max(0, size - 100))
            last = stream.read().rpartition(b"\n")[2]
        return -1 if last.startswith((b"ATOM", b"HETATM")) and len(last) < 54 else 0
    return 0


def _identify(universe: Universe, name: str, elements: Mapping[str, str] | None) -> Identity:
    """Say what atoms are: by element, by mass, or by the names of the atoms, in this order."""
    atoms = universe.atoms
    masses = np.asarray(atoms.masses, float) if hasattr(atoms, "masses") else None
    if masses is not None and not (masses > 0).all():
        masses = None
    if elements is not None:
        labels = [str(t) for t in (atoms.types if hasattr(atoms, "types") else atoms.names)]
        numbers = numbers_of([str(elements.get(label, label)) for label in labels], name)
    elif hasattr(atoms, "elements") and all(str(e).strip() for e in atoms.elements):
        numbers = numbers_of([str(e).strip().capitalize() for e in atoms.elements], name)
    elif masses is not None:
        numbers = np.abs(atomic_masses[None, 1:] - masses[:, None]).argmin(axis=1) + 1
        off = np.abs(atomic_masses[numbers] - masses)
        if (off > 0.1).any():
            wrong = int(np.argmax(off > 0.1))
            raise InputError(f"{name}: no element has the mass of atom {wrong + 1}, {masses[wrong]:g}: {GIVE_ELEMENTS}")
    elif hasattr(atoms, "names"):
        numbers = numbers_of(_elements_of_names(atoms), name)
    else:
        raise InputError(f"{name}: nothing says what element an atom is: {GIVE_ELEMENTS}")
    if masses is None:
        masses = atomic_masses[numbers]
    return Identity(numbers, masses, _bonds(universe, numbers), universe)


def _elements_of_names(atoms: Any) -> list[str]:
    """Guess elements from the names of atoms: "LI1", "CT2", "O03"; a metal's only for a residue of one atom."""
    from MDAnalysis.guesser.default_guesser import DefaultGuesser

    guess = DefaultGuesser(None).guess_atom_element
    _, index, size = np.unique(atoms.resindices, return_inverse=True, return_counts=True)
    elements = []
    for label, alone in zip(atoms.names, size[index] == 1):
        letters = str(label).strip("0123456789+-*'\"")
        element = str(guess(letters)).capitalize()
        elements.append(element if alone or element in _BONDED else letters[:1].upper())  # "CS" of a solvent is carbon
    return elements


def _bonds(universe: Universe, numbers: np.ndarray) -> np.ndarray | None:
    """Return the file's bonds if they can be all: every atom but those of Li and the like has one."""
    if not hasattr(universe, "bonds") or not len(universe.bonds):
        return None
    bonds = np.asarray(universe.bonds.indices, dtype=int)
    alone = np.setdiff1d(np.arange(len(numbers)), bonds)
    lonely = np.isin(numbers[alone], [atomic_numbers[s] for s in ("H", "B", "C", "N", "O", "P", "S")])
    return None if lonely.any() else bonds


def _is_dump(path: Path) -> bool:
    with open(path, "rb") as stream:
        head = stream.read(32)
    return head.startswith((b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME\n"))


def _is_netcdf(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(4) in (b"CDF\1", b"CDF\2", b"CDF\5")


def _read_structure(path: str | os.PathLike) -> Atoms:
    from ase.io import read

    try:
        atoms = read(os.fspath(path), index=0, do_not_split_by_at_sign=True)
    except Exception as error:
        raise InputError(f"{path} cannot be read ({first_line(error)})") from error
    return atoms[0] if isinstance(atoms, list) else atoms


def _atom_style(path: Path) -> str:
    """Return the columns of a data file's atoms, by the style it names behind "Atoms"; "full" if it names none."""
    with open(path) as stream:
        for line in stream:
            if line.startswith("Atoms"):
                style = line.partition("#")[2].strip() or "full"
                if style not in _ATOM_STYLES:
                    raise InputError(f"{path}: atoms of style {style!r}; known are {', '.join(_ATOM_STYLES)}")
                return _ATOM_STYLES[style]
    raise InputError(f"{path}: a LAMMPS data file without atoms")


def _is_whole(lines: Sequence[bytes]) -> bool:
    """Whether the last line, which no line end closes, has the columns of the one before it, and the last its decimals.

    Of a number that was cut the rest can be read, too.
    """
    before, last = lines[-2].split(), lines[-1].split()
    if not last or len(lines) < 3:  # a single atom has nothing to be compared to
        return bool(last)
    return len(last) == len(before) and len(last[-1].partition(b".")[2]) == len(before[-1].partition(b".")[2])
