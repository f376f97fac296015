"""Trajectories as GROMACS .trr files of independent frames, each appended in one write.

MDAnalysis, GROMACS, VMD, OVITO and MDTraj read them with box, times and velocities. No frame depends on an earlier one:
a killed run leaves whole frames (at most the last one is cut), and a resumed run cuts the file at the stored length
and appends, with the same bytes as a run that was not interrupted. The elements are in a .pdb file beside it.

A .trr box is read as three lengths and three angles. Cells are therefore written in their standard orientation
(first vector along x, second in the xy plane), and positions and velocities are rotated with them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ase import Atoms, units

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories.remarks import hydrogen_mass_remark
from electrolyte_ml.trajectories.trr import decode, encode, is_trr

_PER_PS = 1000.0 * units.fs  # Å/ps of one Å per ASE time unit


def standard_rotation(atoms: Atoms) -> np.ndarray:
    """Return the (3, 3) matrix Q that rotates row vectors, x Q, such that the cell becomes lower triangular.

    Raises
    ------
    InputError
        If the cell is left-handed: no rotation makes it lower triangular with a positive diagonal.
    """
    if atoms.cell.rank < 3:
        return np.eye(3)
    if np.linalg.det(atoms.cell.array) < 0:
        raise InputError("the cell is left-handed (negative volume): swap two of its vectors")
    if np.array_equal(atoms.cell.array, np.tril(atoms.cell.array)) and (np.diag(atoms.cell.array) > 0).all():
        return np.eye(3)
    return np.asarray(atoms.cell.standard_form()[1]).T


def encode_frame(atoms: Atoms, step: int, time_ps: float, rotation: np.ndarray) -> bytes:
    """Return one frame, rotated by `rotation`."""
    velocities = atoms.get_velocities() @ rotation * _PER_PS
    return encode(atoms.positions @ rotation, velocities, atoms.cell.array @ rotation, step, time_ps)


def decode_frames(content: bytes, template: Atoms) -> list[Atoms]:
    """Return the whole frames in `content`, without a last frame that a killed run left incomplete."""
    charge = bare_configuration(template).info
    frames = []
    for step, time_ps, cell, positions, velocities in zip(*decode(content, len(template))):
        frame = Atoms(
            template.numbers,
            positions=positions,
            cell=cell,
            pbc=template.pbc,
            masses=template.get_masses(),
            info=charge | {"step": int(step), "time_ps": round(float(time_ps), 6)},
        )
        frame.set_velocities(velocities / _PER_PS)
        frames.append(frame)
    return frames


def read_trajectory(path: str | os.PathLike[str], template: Atoms) -> list[Atoms]:
    """Read a trajectory that :func:`electrolyte_ml.dynamics.run_md` wrote.

    Parameters
    ----------
    path
        The .trr file.
    template
        Atoms in the order of the file, with their elements, masses and boundary conditions.

    Returns
    -------
    list of Atoms
        Frames with velocities, and with `step` and `time_ps` in their `info`.

    Raises
    ------
    InputError
        If the file is not a .trr file or has another number of atoms.
    """
    content = Path(path).read_bytes()
    if not is_trr(content):
        raise InputError(f"{path} is not a .trr trajectory")
    try:
        return decode_frames(content, template)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def encode_topology(atoms: Atoms, rotation: np.ndarray, hydrogen_mass: float | None = None) -> str:
    """Return the .pdb text for a .trr: elements, box and start, with one residue per molecule.

    A changed mass of hydrogen (amu) is written as a remark, since readers take masses from the elements.
    """
    topology = Topology.of(atoms)
    # A residue name has at most three letters.
    names = [name[:3] if name in MOLECULES else "MOL" for name in topology.names]
    lines = [] if hydrogen_mass is None else [hydrogen_mass_remark(hydrogen_mass)]
    if atoms.cell.rank == 3:
        lengths, angles = np.split(atoms.cell.cellpar(), 2)
        lines.append("CRYST1" + "".join(f"{x:9.3f}" for x in lengths) + "".join(f"{x:7.2f}" for x in angles) + " P 1")
    for index, (symbol, (x, y, z)) in enumerate(zip(atoms.get_chemical_symbols(), atoms.positions @ rotation)):
        owner = topology.labels[index]
        serial, residue = (index + 1) % 100_000, (owner + 1) % 10_000  # the columns hold no more digits
        lines.append(
            f"HETATM{serial:5d} {symbol:>2s}   {names[owner]:3s}  {residue:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {symbol.upper():>2s}"
        )
    return "\n".join([*lines, "END", ""])
