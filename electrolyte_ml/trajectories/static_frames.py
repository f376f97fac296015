"""Frames built with known shells, ion pairs and networks, for tests and lessons.

Real molecules are placed around Li so that the donors that are meant to coordinate are 2.0 Å away from it, and no
others are within 3.5 Å.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Molecule, molecule

BOND = 2.0  # Å from Li to a donor that coordinates
CLEAR = 3.5  # Å from Li within which there is no other donor
_CARBONYL, _ETHER = 1, 3  # oxygens of EC
# Towards the corners of a tetrahedron; the first along x.
_CORNERS = np.array(
    [
        [1, 0, 0],
        [-1 / 3, np.sqrt(8) / 3, 0],
        [-1 / 3, -np.sqrt(2) / 3, np.sqrt(6) / 3],
        [-1 / 3, -np.sqrt(2) / 3, -np.sqrt(6) / 3],
    ]
)


@dataclass(frozen=True, eq=False)
class KnownFrame:
    """A frame with its known solvation; each tuple has one entry per Li, in the order of the atoms.

    Attributes
    ----------
    atoms
        Periodic.
    pairing
        "SSIP", "CIP" or "AGG".
    coordination
        Donor atoms in the shell.
    network
        Cations in the network; 0 for those that are not solvent-separated.
    denticity
        Species and denticity -> how many such ligands all the cations have.
    """

    atoms: Atoms
    pairing: tuple[str, ...]
    coordination: tuple[int, ...]
    network: tuple[int, ...]
    denticity: Mapping[tuple[str, int], int]


def known_frames() -> dict[str, KnownFrame]:
    """Return one frame for every way in which Li can be coordinated.

    Returns
    -------
    dict of str to KnownFrame
        SSIP and CIP with mixed solvents, aggregates of two to four Li, a contact pair of one Li with two PF6, bidentate
        PF6 and EC, EC that bridges with both oxygens or with one, and networks of two to eight.
    """
    frames = {
        "SSIP": shell(["EC", "EC", "EMC", "EMC"]),
        "CIP": shell(["PF6", "EC", "EC", "EMC"]),
        "AGG, 1 Li + 2 PF6": shell(["PF6", "PF6", "EC", "EMC"]),
        "bidentate PF6": shell(["PF6"], donors=(1, 3)),
        "bidentate EC": shell(["EC"], donors=(_CARBONYL, _ETHER)),
        "EC bridges with one oxygen": bridge_of_one_atom(),
    }
    for n in (2, 3, 4):
        frames[f"AGG, {n} Li + {n - 1} PF6"] = aggregate(n)
    for n in range(2, 9):
        frames[f"network of {n}"] = network(n)
    return frames


def shell(ligands: Sequence[str], *, donors: Sequence[int] | None = None, side: float = 30.0) -> KnownFrame:
    """Put up to four ligands around one Li.

    Parameters
    ----------
    ligands
        Their names, such as "EC", "EMC", "PF6".
    donors
        Indices of the one or two atoms with which each coordinates; by default a carbonyl O, or the first donor.
    side
        Of the cubic cell, Å.

    Raises
    ------
    InputError
        If there are more than four.
    """
    if len(ligands) > len(_CORNERS):
        raise InputError(f"a shell has at most {len(_CORNERS)} ligands, not {len(ligands)}")
    atoms = molecule("Li")
    number = 0
    dentate: Counter[tuple[str, int]] = Counter()
    for direction, name in zip(_CORNERS, ligands):
        bound = donors or _first_donor(MOLECULES[name])
        atoms += _out_of_the_way(_beside(molecule(name), bound, direction), direction, atoms)
        number += len(bound)
        dentate[name, len(bound)] += 1
    anions = sum(MOLECULES[name].charge < 0 for name in ligands)
    pairing = ("SSIP", "CIP", "AGG")[min(anions, 2)]
    return _known(atoms, side, (pairing,), (number,), (1 if not anions else 0,), dentate)


def aggregate(n: int, *, side: float = 45.0) -> KnownFrame:
    """Put n Li in a row with a PF6 between each two of them, which coordinates both by opposite F."""
    anion = molecule("PF6")
    reach = abs(anion.positions[1, 0]) + BOND  # from P to Li
    atoms = Atoms()
    for k in range(n):
        atoms += Atoms("Li", [[2 * k * reach, 0, 0]])
    for k in range(n - 1):
        moved = anion.copy()
        moved.translate([(2 * k + 1) * reach, 0, 0])
        atoms += moved
    number = tuple(_neighbours_in_row(n))
    return _known(atoms, side, ("AGG",) * n, number, (0,) * n, {("PF6", 1): 2 * (n - 1)})


def network(n: int, *, side: float = 60.0) -> KnownFrame:
    """Put n Li in a row with an EC between each two, which coordinates one by its carbonyl and one by an ether O."""
    ec = molecule("EC")
    first, second = (ec.positions[k] + BOND * _unit(ec.positions[k]) for k in (_CARBONYL, _ETHER))
    ec.translate(-first)
    atoms = Atoms()
    for k in range(n):
        atoms += Atoms("Li", [k * (second - first)])
    for k in range(n - 1):
        moved = ec.copy()
        moved.translate(k * (second - first))
        atoms += moved
    number = tuple(_neighbours_in_row(n))
    return _known(atoms, side, ("SSIP",) * n, number, (n,) * n, {("EC", 1): 2 * (n - 1)})


def bridge_of_one_atom(*, side: float = 30.0) -> KnownFrame:
    """Put two Li beside the carbonyl oxygen of one EC, 60 degrees from its axis, above and below the ring."""
    ec = molecule("EC")
    oxygen = ec.positions[_CARBONYL]
    ends = [oxygen + BOND * np.array([0.5, 0.0, sign * np.sqrt(0.75)]) for sign in (1, -1)]
    atoms = Atoms("Li2", ends) + ec
    return _known(atoms, side, ("SSIP",) * 2, (1, 1), (2, 2), {("EC", 1): 2})


def displaced(frame: KnownFrame, shift: Sequence[float], *, cell: np.ndarray | None = None) -> KnownFrame:
    """Return the frame with all atoms moved and wrapped, perhaps into another cell; its solvation stays the same.

    Parameters
    ----------
    frame
        As it was built.
    shift
        Å.
    cell
        (3, 3) Å, another cell that holds it with room to spare.
    """
    atoms = frame.atoms.copy()
    if cell is not None:
        atoms.set_cell(cell)
    atoms.translate(shift)
    atoms.wrap()
    return KnownFrame(atoms, frame.pairing, frame.coordination, frame.network, frame.denticity)


def _first_donor(ligand: Molecule) -> tuple[int]:
    first = next(iter(ligand.donors.values()))
    return (ligand.donors.get("carbonyl", first)[0],)


def _known(
    atoms: Atoms,
    side: float,
    pairing: tuple[str, ...],
    coordination: tuple[int, ...],
    size: tuple[int, ...],
    denticity: Mapping[tuple[str, int], int],
) -> KnownFrame:
    atoms.info.clear()
    atoms.set_cell([side] * 3)
    atoms.pbc = True
    atoms.center()
    return KnownFrame(atoms, pairing, coordination, size, dict(denticity))


def _beside(atoms: Atoms, donors: Sequence[int], direction: np.ndarray) -> Atoms:
    """Put a molecule so that its donors are one bond away from the origin, the rest of it behind them."""
    ends = atoms.positions[list(donors)]
    middle = ends.mean(axis=0)
    inwards = atoms.get_center_of_mass() - middle
    apart = 0.0
    if len(ends) == 2:
        along = _unit(ends[1] - ends[0])
        inwards = inwards - (inwards @ along) * along  # both donors are as far from the origin
        apart = 0.5 * float(np.linalg.norm(ends[1] - ends[0]))
    atoms.translate(-middle)
    atoms.rotate(inwards, direction)
    atoms.translate(np.sqrt(BOND**2 - apart**2) * direction)
    return atoms


def _out_of_the_way(ligand: Atoms, axis: np.ndarray, others: Atoms) -> Atoms:
    """Turn a ligand about the axis through the cation to where it is furthest from what is there already."""
    best, furthest = ligand, -1.0
    for angle in range(0, 360, 15):
        turned = ligand.copy()
        turned.rotate(angle, axis)
        apart = np.linalg.norm(turned.positions[:, None] - others.positions[None, 1:], axis=2).min(initial=np.inf)
        if apart > furthest:
            best, furthest = turned, apart
    return best


def _neighbours_in_row(n: int) -> list[int]:
    return [(k > 0) + (k < n - 1) for k in range(n)]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
