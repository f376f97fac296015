"""Molecules of the first frame, and explanations if they cannot be named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import close_pairs
from electrolyte_ml.structures.topology import Topology, changes
from electrolyte_ml.trajectories.checked import CheckedFrames
from electrolyte_ml.trajectories.reactions import check_bonds

_TRIED = 20  # number of further frames that are tried if the molecules of the first cannot be named
_MANY = 50  # number of atoms from which a liquid should span its cell
_SPANNED = 0.93  # smallest span of the atoms of a liquid, as a fraction of the cell
INEXACT = 0.01  # fraction of the bonds of a file that may be too long, for a cell that is not exactly known
_OVERLAP = 0.65  # distance divided by the sum of the covalent radii below which atoms overlap; bonds are longer


def molecules_of_frame(frames: CheckedFrames, index: int) -> Topology:
    """Return the molecules from the bonds of the file, or from the positions of one frame if the file has no bonds.

    Raises
    ------
    InputError
        A molecule is bonded to its own image, or bonds of the file do not agree with the positions.
    """
    frame, reader = frames.read(index), frames.reader
    atoms = Atoms(reader.numbers, frame.positions, cell=frame.cell, pbc=True)
    if reader.bonds is not None:
        topology = Topology.of_bonds(atoms, reader.bonds)
        broken = check_bonds(topology, atoms.positions[None], atoms.cell.array[None], INEXACT)
        if broken is not None:
            raise InputError(
                f"{frames.name}: frame {index + 1} does not fit the bonds of its topology: {broken[1]}; check the "
                "order of the atoms and the cell"
            )
        return topology
    try:
        topology = Topology.of(atoms)
    except InputError as error:
        raise InputError(f"{frames.name}, frame {index + 1}: {error}") from error
    if topology.endless.any():
        molecule = int(topology.endless.argmax())
        raise InputError(
            f"{frames.name}: molecule {molecule + 1} ({topology.formulas[molecule]}) of frame {index + 1} is bonded to "
            "its own image"
        )
    return topology


def explain_first_frame(
    error: InputError, frames: CheckedFrames, chosen: range, assign: Callable[[int], None]
) -> InputError:
    """Add an explanation to the error of the first frame: an overlap, a wrong cell, or a later frame that is valid.

    Parameters
    ----------
    error
        Error of the naming of its molecules.
    frames
        All frames of the file.
    chosen
        Indices of the chosen frames.
    assign
        Function that finds and names the molecules of the frame at an index, or raises InputError.
    """
    first = frames.read(chosen[0])
    atoms = Atoms(frames.reader.numbers, first.positions, cell=first.cell, pbc=True)
    try:
        overlap = _overlap(atoms)
    except InputError:  # a neighbour search is not possible, as stated by the error
        return error
    for index in chosen[1:][:_TRIED] if frames.reader.bonds is None else ():
        try:
            assign(index)
        except InputError:
            continue
        topology = molecules_of_frame(frames, index)
        difference = overlap or _more_bonds(topology, atoms) or changes(topology, atoms) or "its bonds differ"
        return InputError(
            f"{frames.name}: frame {chosen[0] + 1}, from which the molecules are found, differs from later ones: "
            f"{difference}; in frame {index + 1} every molecule is known: begin there (--begin {index})"
        )
    doubt = _cell_in_doubt(atoms) or overlap
    return InputError(f"{error}; in frame {chosen[0] + 1} {doubt}") if doubt else error


def _overlap(atoms: Atoms) -> str:
    """Describe the closest two atoms if they are closer than any bond; otherwise return an empty text."""
    i, j, shift, stretch = close_pairs(atoms, _OVERLAP)
    if not len(i):
        return ""
    k = int(stretch.argmin())
    distance = float(np.linalg.norm(atoms.positions[j[k]] + shift[k] @ atoms.cell.array - atoms.positions[i[k]]))
    symbols = atoms.get_chemical_symbols()
    more = f", and {len(i) - 1} more such pairs" if len(i) > 1 else ""
    return f"atoms {symbols[i[k]]}{i[k] + 1} and {symbols[j[k]]}{j[k] + 1} overlap ({distance:.2f} Å apart{more})"


def _cell_in_doubt(atoms: Atoms) -> str:
    """Describe why the cell does not agree with the positions; return an empty text if it may be right."""
    i, j, shift, _ = close_pairs(atoms, _OVERLAP)
    apart = atoms.positions[j] - atoms.positions[i]
    if len(i) > 2 and (np.linalg.norm(apart, axis=1) > np.linalg.norm(apart + shift @ atoms.cell.array, axis=1)).all():
        return f"{len(i)} pairs of atoms overlap, all of them across the faces of the cell: check the cell"
    span = np.ptp(atoms.cell.scaled_positions(atoms.positions), axis=0)
    axis = int(span.argmin())
    if len(atoms) >= _MANY and span[axis] < _SPANNED:
        return f"the atoms span only {span[axis]:.0%} of the cell along its vector {'abc'[axis]}: check the cell"
    return ""


def _more_bonds(topology: Topology, atoms: Atoms) -> str:
    """Describe a bond of the atoms that the molecules of another frame do not have; empty if there is none."""
    own, n = Topology.of(atoms), len(atoms)
    extra = np.setdiff1d(own.bonds @ [n, 1], topology.bonds @ [n, 1])
    if not len(extra):
        return ""
    i, j = divmod(int(extra[0]), n)
    distance = atoms.get_distance(i, j, mic=True)
    return f"{own.name(i)} and {own.name(j)} of two molecules are {distance:.2f} Å apart, as if they were bonded"
