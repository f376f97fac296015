"""Frames with known shells, ion pairs and networks, for tests and teaching.

Real molecules are placed around Li so that the coordinating donors are 2.0 Å away from it, and no other donors are
within 3.5 Å.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Molecule, molecule

BOND = 2.0  # Å, distance from Li to a coordinating donor
CLEAR = 3.5  # Å, smallest distance from Li to any other donor
_CARBONYL, _ETHER = 1, 3  # indices of two oxygens of EC
# Directions to the corners of a tetrahedron; the first is along x.
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
    """Frame with its known solvation; each tuple has one entry per Li, in the order of the atoms.

    Attributes
    ----------
    atoms
        Periodic configuration.
    pairing
        "SSIP", "CIP" or "AGG".
    coordination
        Number of donor atoms in the shell.
    network
        Number of cations in the network; 0 for cations that are not solvent-separated.
    denticity
        Species and denticity -> number of such ligands of all cations.
    """

    atoms: Atoms
    pairing: tuple[str, ...]
    coordination: tuple[int, ...]
    network: tuple[int, ...]
    denticity: Mapping[tuple[str, int], int]


def known_frames() -> dict[str, KnownFrame]:
    """Return one frame for each kind of Li coordination.

    Returns
    -------
    dict of str to KnownFrame
        SSIP and CIP with mixed solvents, aggregates of two to four Li, an aggregate of one Li with two PF6, bidentate
        PF6 and EC, EC that bridges two Li by one oxygen, and networks of two to eight Li, in which EC bridges by two
        oxygens.
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
        Names of the ligands, such as "EC", "EMC", "PF6".
    donors
        Indices of the one or two coordinating atoms of each ligand; by default a carbonyl O, or the first donor.
    side
        Edge of the cubic cell, Å.

    Raises
    ------
    InputError
        There are more than four ligands.
    """
    if len(ligands) > len(_CORNERS):
        raise InputError(f"a shell has at most {len(_CORNERS)} ligands, not {len(ligands)}")
    atoms = molecule("Li")
    number = 0
    dentate: Counter[tuple[str, int]] = Counter()
    for direction, name in zip(_CORNERS, ligands):
        bound = donors or _first_donor(MOLECULES[name])
        atoms += _turned_away(_bonded_along(molecule(name), bound, direction), direction, atoms)
        number += len(bound)
        dentate[name, len(bound)] += 1
    anions = sum(MOLECULES[name].charge < 0 for name in ligands)
    pairing = ("SSIP", "CIP", "AGG")[min(anions, 2)]
    return _known(atoms, side, (pairing,), (number,), (1 if not anions else 0,), dentate)


def aggregate(n: int, *, side: float = 45.0) -> KnownFrame:
    """Put n Li in a row, with a PF6 between neighbours that coordinates both by opposite F atoms."""
    anion = molecule("PF6")
    reach = abs(anion.positions[1, 0]) + BOND  # Å, distance from P to Li
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
    """Put n Li in a row, with an EC between neighbours that coordinates one by carbonyl O and the other by ether O."""
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
    """Put two Li next to the carbonyl oxygen of one EC, 60 degrees from its axis, above and below the ring."""
    ec = molecule("EC")
    oxygen = ec.positions[_CARBONYL]
    ends = [oxygen + BOND * np.array([0.5, 0.0, sign * np.sqrt(0.75)]) for sign in (1, -1)]
    atoms = Atoms("Li2", ends) + ec
    return _known(atoms, side, ("SSIP",) * 2, (1, 1), (2, 2), {("EC", 1): 2})


def displaced(frame: KnownFrame, shift: Sequence[float], *, cell: np.ndarray | None = None) -> KnownFrame:
    """Return the frame with all atoms shifted and wrapped, optionally into another cell; its solvation is unchanged.

    Parameters
    ----------
    frame
        Frame as returned by the functions above.
    shift
        Shift, Å.
    cell
        (3, 3) Å, another cell that is large enough for all atoms.
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


def _bonded_along(atoms: Atoms, donors: Sequence[int], direction: np.ndarray) -> Atoms:
    """Place a molecule with its donors at the bond distance from the origin, and its other atoms farther away."""
    ends = atoms.positions[list(donors)]
    middle = ends.mean(axis=0)
    inwards = atoms.get_center_of_mass() - middle
    apart = 0.0
    if len(ends) == 2:
        along = _unit(ends[1] - ends[0])
        inwards = inwards - (inwards @ along) * along  # both donors get the same distance from the origin
        apart = 0.5 * float(np.linalg.norm(ends[1] - ends[0]))
    atoms.translate(-middle)
    atoms.rotate(inwards, direction)
    atoms.translate(np.sqrt(BOND**2 - apart**2) * direction)
    return atoms


def _turned_away(ligand: Atoms, axis: np.ndarray, others: Atoms) -> Atoms:
    """Rotate a ligand about an axis through the cation so that it is farthest from the other atoms."""
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
