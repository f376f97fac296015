"""Changes of molecules during a run: broken bonds in any frame, and lasting changes of bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import broken_lengths, overfull
from electrolyte_ml.structures.topology import Topology, changed_bonds, describe_bonds

_COMPARED = 100  # number of frames that are compared, evenly spaced


class Change(NamedTuple):
    """First frame with other molecules, counted from 0, and a description of the change."""

    frame: int
    what: str


def first_change(
    topology: Topology, frame: Callable[[int], Atoms], n_frames: int, bonds_found: bool, allowed: float = 0.0
) -> Change | None:
    """Return the first frame with other molecules than the first one.

    Parameters
    ----------
    topology
        Topology of the first frame.
    frame
        Function that returns the atoms of a frame, counted from 0.
    n_frames
        Number of frames of the run.
    bonds_found
        Whether the bonds were found from positions. New bonds are detected only in this case, because a file may not
        list all bonds.
    allowed
        As for `check_bonds`.
    """

    def change(k: int) -> str | None:
        try:
            atoms = frame(k)
            return difference(atoms)
        except InputError:
            return None  # the error is raised later, when all frames are read

    def difference(atoms: Atoms) -> str | None:
        if not bonds_found:
            broken = check_bonds(topology, atoms.positions[None], atoms.cell.array[None], allowed)
            return None if broken is None else broken[1]
        broken_bonds, made = changed_bonds(topology, atoms)
        if len(made):
            made = made[~_overfull(topology, broken_bonds, made)]
        description = describe_bonds(topology, broken_bonds, made)
        return None if description is None else description + _renamed(topology, atoms)

    good = 0
    for k in np.unique(np.linspace(0, n_frames - 1, _COMPARED).astype(int)[1:]).tolist():
        if change(k) is None or change(min(k + 1, n_frames - 1)) is None:  # ignore a contact in a single frame
            good = k
            continue
        while k - good > 1:
            middle = (good + k) // 2
            good, k = (middle, k) if change(middle) is None else (good, middle)
        return Change(k, str(change(k)))
    return None


def check_bonds(
    topology: Topology, positions: np.ndarray, cells: np.ndarray, allowed: float = 0.0
) -> tuple[int, str] | None:
    """Return the first frame of a chunk with a broken bond, counted from 0, and a description; None if there is none.

    Parameters
    ----------
    topology
        Topology with the bonds. Bonds between two hydrogens, as in rigid models of water, are ignored.
    positions, cells
        (F, N, 3) and (F, 3, 3) Å.
    allowed
        Fraction of the bonds of a frame that may be too long, for a cell that is not exactly known.
    """
    i, j = topology.bonds[(topology.numbers[topology.bonds] != 1).any(axis=1)].T
    if not len(i):
        return None
    apart = positions[:, j] - positions[:, i]
    apart -= np.rint(apart @ np.linalg.inv(cells)) @ cells
    length = np.sqrt(np.einsum("fbc,fbc->fb", apart, apart))
    broken = length > broken_lengths(topology.numbers[i], topology.numbers[j])
    wrong = broken.mean(axis=1) > allowed
    if not wrong.any():
        return None
    frame = int(wrong.argmax())
    bond = int(broken[frame].argmax())
    molecule = int(topology.labels[i[bond]])
    return frame, (
        f"the bond {topology.name(int(i[bond]))}-{topology.name(int(j[bond]))} of molecule {molecule + 1} "
        f"({topology.names[molecule]}) is {length[frame, bond]:.2f} Å long"
    )


def _overfull(topology: Topology, broken: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Return whether each new bond, (n,), would exceed the valence of one of its atoms: it is then only a contact."""
    n = len(topology.numbers)
    kept = topology.bonds[~np.isin(topology.bonds @ [n, 1], broken @ [n, 1])]
    return overfull(topology.numbers, np.concatenate([kept, made]))[made].any(axis=1)


def _renamed(before: Topology, atoms: Atoms) -> str:
    """Describe the change of molecules, such as " (PF6 becomes F, F5P)"."""
    old, new = Counter(before.names), Counter(Topology.of(atoms).names)
    gone, come = (
        ", ".join(f"{n} {name}" if n > 1 else name for name, n in left.items()) for left in (old - new, new - old)
    )
    return f" ({gone} becomes {come})" if gone and come else ""
