"""Force fields within molecules, fitted to the forces of a potential: inner potentials for multiple time steps.

Bonds and angles vibrate fastest, and thus limit the time step. The energy of a molecule is

    E = sum_k P_k(x_k) + sum_kl K_kl x_k x_l,  x_k = r_k - <r_k>

with the distances r of atoms that are one, two or three bonds apart. The P are polynomials of degree 4, of degree 6 for
bonds with hydrogen, whose lengths vary most. The couplings K act between distances that share an atom and are one or
two bonds long. Equivalent distances, those of
equivalent atoms of the same molecule, have the same parameters. As in class II force fields (Maple et al.), the
couplings are what makes the vibrations those of the potential. All parameters are linear, so that a least-squares fit
to forces (Ercolessi and Adams) takes less than a second. There are no forces between molecules.

References
----------
Maple et al., J. Comput. Chem. 15, 162 (1994); Ercolessi and Adams, Europhys. Lett. 26, 583 (1994).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import atomic_write, read_text
from electrolyte_ml.kernels.force_field import DEGREE, Terms, evaluate, measure, workspace
from electrolyte_ml.structures.graphs import BondGraph, members, neighbours
from electrolyte_ml.structures.topology import Topology

FARTHEST, COUPLED = 3, 2  # bonds between the atoms of a distance, and of a distance with couplings
# Å. Distances of equivalent atoms two bonds apart are of several types if their mean lengths differ by more, such as
# those of neighbouring and of opposite fluorines of PF6.
GAP = 0.3
# Highest power of all distances but bonds with hydrogen. With six, too many for a fit to 27 configurations, the energy
# of 286 atoms with hydrogens of 3 amu drifted by 0.3 to 0.6 meV/atom/ps at 3.5 fs, with four by less than 0.1.
COMMON_DEGREE = 4
RIDGE = 1e-6  # of the fit, relative to the mean square of each column
FORMAT = "electrolyte_ml force field within molecules, version 2"


@dataclass(frozen=True, eq=False)
class MolecularForceField:
    """Forces within molecules of several kinds.

    Attributes
    ----------
    molecules : tuple of (list of int, list of (int, int))
        Atomic numbers and bonds of each kind of molecule.
    sites : (T, 4) int64
        Kind of molecule, sites of the two atoms (`BondGraph.sites`, in order) and number of bonds between them, of each
        type of distance. Several types can have the same numbers.
    lengths : (T, 3) float64, Å
        Mean, shortest and longest length of each type in the fit.
    coefficients : (T, 6) float64, eV/Å^n
        Of the powers n = 1 to 6 of the deviation from the mean; n = 5 and 6 only for bonds with hydrogen.
    couplings : (Q, 3) int64
        Types of two distances that share an atom, and of the distance between their other atoms, -1 if it has none.
    constants : (Q,) float64, eV/Å^2
    """

    molecules: tuple[tuple[list[int], list[list[int]]], ...]
    sites: np.ndarray
    lengths: np.ndarray
    coefficients: np.ndarray
    couplings: np.ndarray
    constants: np.ndarray

    suffix = ".json"

    def terms(self, atoms: Atoms) -> Terms:
        """Return the terms of a system; its molecules are found by bond lengths.

        Raises
        ------
        InputError
            A molecule was not in the fit, is far from its shape there, or is bonded to its own periodic image.
        """
        topology = Topology.of(atoms)
        distances = _distances(topology, self._graphs)
        lengths = _lengths(distances.pair, topology.unwrapped)
        types = np.array([self._type(*row) for row in zip(distances.key, lengths, strict=True)], dtype=int)
        couplings = _couplings(distances, types)
        known = {key: number for number, key in enumerate(map(tuple, self.couplings.tolist()))}
        if set(couplings.key) - known.keys():
            raise InputError(
                "the shape of a molecule is unlike all in the fit of the force field within molecules: relax the "
                "start, or fit on it"
            )
        constants = self.constants[[known[key] for key in couplings.key]]
        return self._terms(distances, types, couplings, _shifts(topology, atoms, distances.pair), constants)

    @cached_property
    def _graphs(self) -> list[BondGraph]:
        return [BondGraph(np.array(numbers), np.array(bonds)) for numbers, bonds in self.molecules]

    def _terms(
        self, distances: _Distances, types: np.ndarray, couplings: _Couplings, shift: np.ndarray, constants: np.ndarray
    ) -> Terms:
        mean, shortest, longest = np.ascontiguousarray(self.lengths.T)
        return Terms(
            distances.pair, shift, types, mean, shortest, longest, self.coefficients, couplings.start, couplings.other,
            constants,
        )  # fmt: skip

    def _type(self, key: np.ndarray, length: float) -> int:
        """Return the type of a distance by its numbers and, if there are several, by its length."""
        same = np.flatnonzero((self.sites == key).all(axis=1))
        return int(same[np.argmin(np.abs(self.lengths[same, 0] - length))])

    def forces(self, atoms: Atoms) -> np.ndarray:
        """Return the forces (N, 3) eV/Å of a system.

        Raises
        ------
        InputError
            As for `terms`.
        """
        terms, forces = self.terms(atoms), np.empty((len(atoms), 3))
        evaluate(terms, atoms.positions, atoms.cell.array, workspace(terms), forces)
        return forces

    @cached_property
    def text(self) -> str:
        """Content of a file."""
        arrays = ("sites", "lengths", "coefficients", "couplings", "constants")
        content = {"format": FORMAT, "molecules": self.molecules}
        return json.dumps(content | {name: getattr(self, name).tolist() for name in arrays}) + "\n"

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the force field to a file."""
        atomic_write(path, self.text)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file of `save`.

        Raises
        ------
        InputError
            The content is not a force field within molecules; the message names the file.
        """
        try:
            content = json.loads(read_text(path))
            if content.pop("format") != FORMAT:
                raise InputError("it has another format")
            molecules = tuple((numbers, bonds) for numbers, bonds in content.pop("molecules"))
            arrays = {name: np.array(values) for name, values in content.items()}
            return cls(
                molecules=molecules, sites=arrays["sites"].reshape(-1, 4), lengths=arrays["lengths"].reshape(-1, 3),
                coefficients=arrays["coefficients"].reshape(-1, DEGREE),
                couplings=arrays["couplings"].astype(int).reshape(-1, 3), constants=arrays["constants"],
            )  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not a force field within molecules: {first_line(error)}") from error


def fit_force_field(frames: Sequence[Atoms], forces: Sequence[np.ndarray]) -> MolecularForceField:
    """Fit a force field within molecules to the forces of configurations of one system.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Molecules are those of the first configuration.
    forces : sequence of (N, 3) arrays, eV/Å

    Raises
    ------
    InputError
        The system has no bonds, or a molecule is bonded to its own periodic image.
    """
    topology = Topology.of(frames[0])
    graphs: list[BondGraph] = []
    distances = _distances(topology, graphs, new=True)
    if not len(distances.pair):
        raise InputError(
            "there are no bonds, and so no force field within molecules: a system without them needs no multiple time "
            "steps, or another inner potential"
        )
    whole = [topology.whole(frame) if frame.pbc.any() else frame.positions for frame in frames]
    lengths = np.array([_lengths(distances.pair, positions) for positions in whole])
    types, sites = _types(distances.key, lengths.mean(axis=0))
    ranges = [(own.mean(), own.min(), own.max()) for own in (lengths[:, types == k] for k in range(len(sites)))]
    couplings = _couplings(distances, types)
    keys, numbers = np.unique(np.array(couplings.key, dtype=int).reshape(-1, 3), axis=0, return_inverse=True)
    blank = MolecularForceField(
        tuple((graph.numbers.tolist(), graph.bonds.tolist()) for graph in graphs),
        sites, np.array(ranges), np.zeros((len(sites), DEGREE)), keys, np.zeros(len(keys)),
    )  # fmt: skip
    terms = blank._terms(distances, types, couplings, np.zeros((len(types), 3)), np.zeros(len(couplings.key)))
    light = (distances.key[:, 3] == 1) & (topology.numbers[distances.pair] == 1).any(axis=1)
    highest = np.where(np.isin(np.arange(len(sites)), types[light]), DEGREE, COMMON_DEGREE)
    parameters = _least_squares(terms, highest, numbers.ravel(), len(keys), whole, forces)
    coefficients, constants = np.split(parameters, [blank.coefficients.size])
    return replace(blank, coefficients=coefficients.reshape(-1, DEGREE), constants=constants)


class _Distances(NamedTuple):
    """Distances within the molecules of a system: atoms (D, 2) and, as in `MolecularForceField`, `sites` (D, 4)."""

    pair: np.ndarray
    key: np.ndarray


class _Couplings(NamedTuple):
    """Couplings: `start` and `other` of `Terms` and, as in `MolecularForceField.couplings`, the types of each one."""

    start: np.ndarray
    other: np.ndarray
    key: list[tuple[int, int, int]]


def _distances(topology: Topology, graphs: list[BondGraph], *, new: bool = False) -> _Distances:
    """Return all distances of atoms at most three bonds apart; with `new`, kinds of molecules are added to `graphs`."""
    bonded = neighbours(len(topology.labels), topology.bonds)
    kinds: dict[tuple[bytes, bytes], tuple[int, np.ndarray]] = {}
    pairs, keys = [], []
    for molecule, atoms in enumerate(members(topology.labels)):
        if len(atoms) == 1:
            continue
        if topology.endless[molecule]:
            raise InputError(
                f"{topology.place(int(atoms[0]))} is bonded to its own periodic image: there is no force field within "
                "molecules; use single steps or another inner potential"
            )
        local = {atom: number for number, atom in enumerate(atoms.tolist())}
        bonds = np.array([(local[a], local[b]) for a in local for b in bonded[a] if a < b])
        numbers = topology.numbers[atoms]
        content = numbers.tobytes(), bonds.tobytes()
        if content not in kinds:
            kinds[content] = _kind(BondGraph(numbers, bonds), graphs, new, topology.place(int(atoms[0])))
        kind, sites = kinds[content]
        for a in local:
            for b, separation in _near(bonded, a).items():
                if a < b:
                    pairs.append((a, b))
                    keys.append((kind, *sorted((sites[local[a]], sites[local[b]])), separation))
    return _Distances(np.array(pairs, dtype=int).reshape(-1, 2), np.array(keys, dtype=int).reshape(-1, 4))


def _kind(graph: BondGraph, graphs: list[BondGraph], new: bool, place: str) -> tuple[int, np.ndarray]:
    """Return the number of the kind of a molecule, and the site of each atom (n,)."""
    for number, known in enumerate(graphs):
        mapping = graph.mapping_to(known)
        if mapping is not None:
            return number, known.sites[mapping]
    if not new:
        raise InputError(f"the force field within molecules does not know the molecule of {place}")
    graphs.append(graph)
    return len(graphs) - 1, graph.sites


def _near(bonded: list[list[int]], atom: int) -> dict[int, int]:
    """Return the number of bonds to each atom within three bonds of an atom."""
    found, shell = {atom: 0}, [atom]
    for separation in range(1, FARTHEST + 1):
        shell = sorted({end for start in shell for end in bonded[start]} - found.keys())
        found |= dict.fromkeys(shell, separation)
    return found


def _lengths(pair: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the lengths (D,) Å of the distances in unbroken molecules."""
    return np.linalg.norm(positions[pair[:, 1]] - positions[pair[:, 0]], axis=1)


def _shifts(topology: Topology, atoms: Atoms, pair: np.ndarray) -> np.ndarray:
    """Return the cell vectors (D, 3) from the second atom of each distance to its image in the unbroken molecule."""
    images = np.rint((topology.unwrapped - atoms.positions) @ np.linalg.pinv(atoms.cell.array))
    return images[pair[:, 1]] - images[pair[:, 0]]


def _types(keys: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the type (D,) of each distance from its mean length, and the `sites` (T, 4) of the types."""
    types, sites = np.empty(len(keys), dtype=int), list[tuple[int, ...]]()
    for key, group in _groups(keys):
        order = group[np.argsort(means[group], kind="stable")]
        apart = np.diff(means[order], prepend=means[order[0]]) > GAP
        number = np.cumsum(apart) if key[-1] <= COUPLED else np.zeros(len(order), dtype=int)
        types[order] = len(sites) + number
        sites += [key] * (number[-1] + 1)
    return types, np.array(sites, dtype=int).reshape(-1, 4)


def _groups(keys: np.ndarray) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Return each different row with the numbers of its rows."""
    rows, number = np.unique(keys, axis=0, return_inverse=True)
    return [(tuple(row), np.flatnonzero(number.ravel() == k)) for k, row in enumerate(rows.tolist())]


def _couplings(distances: _Distances, types: np.ndarray) -> _Couplings:
    """Return the couplings of all distances that are one or two bonds long and share an atom."""
    between = {tuple(pair): number for number, pair in enumerate(distances.pair.tolist())}
    touching: dict[int, list[int]] = {}
    for number in np.flatnonzero(distances.key[:, 3] <= COUPLED).tolist():
        for atom in distances.pair[number].tolist():
            touching.setdefault(atom, []).append(number)
    coupled = []
    for atom, numbers in touching.items():
        for k, first in enumerate(numbers):
            for second in numbers[k + 1 :]:
                ends = sorted({*distances.pair[first].tolist(), *distances.pair[second].tolist()} - {atom})
                third = between.get(tuple(ends))
                low, high = sorted((int(types[first]), int(types[second])))
                coupled.append((first, second, (low, high, -1 if third is None else int(types[third]))))
    coupled.sort()
    start = np.searchsorted([first for first, _, _ in coupled], np.arange(len(types) + 1))
    other = np.array([second for _, second, _ in coupled], dtype=np.int32)
    return _Couplings(start, other, [key for _, _, key in coupled])


def _least_squares(
    terms: Terms,
    highest: np.ndarray,
    numbers: np.ndarray,
    n_constants: int,
    configurations: Sequence[np.ndarray],
    forces: Sequence[np.ndarray],
) -> np.ndarray:
    """Return coefficients (T * 6,) and constants (Q,) for which the forces of all configurations are nearest.

    Parameters
    ----------
    terms
        Terms with any parameters.
    highest : (T,)
        Highest power of each type; the coefficients of higher ones are zero.
    numbers : (M,)
        Number of the constant of each coupling.
    n_constants
    configurations : sequence of (N, 3), Å
        Positions with unbroken molecules.
    forces : sequence of (N, 3), eV/Å
    """
    first = terms.coefficients.size  # number of the first constant
    total = first + n_constants
    work, square, projection = workspace(terms), np.zeros((total, total)), np.zeros(total)
    distance, other = np.arange(len(terms.pair)), terms.other
    coupled = np.repeat(distance, np.diff(terms.start))
    for positions, expected in zip(configurations, forces, strict=True):
        measure(terms, positions, np.zeros((3, 3)), work)
        x = work.deviation
        derivatives = [
            (DEGREE * terms.type + n - 1, distance, n * x ** (n - 1) * (n <= highest[terms.type]))
            for n in range(1, DEGREE + 1)
        ]
        derivatives += [(first + numbers, coupled, x[other]), (first + numbers, other, x[coupled])]
        rows = np.zeros((total, len(positions), 3))  # forces per unit of each parameter
        for parameter, along, slope in derivatives:
            push = slope[:, None] * work.unit[along]
            np.add.at(rows, (parameter, terms.pair[along, 0]), push)
            np.subtract.at(rows, (parameter, terms.pair[along, 1]), push)
        flat = rows.reshape(total, -1)
        square += flat @ flat.T
        projection += flat @ np.asarray(expected).ravel()
    scale = np.sqrt(np.maximum(square.diagonal(), np.finfo(float).tiny))
    scaled = square / scale / scale[:, None] + RIDGE * np.eye(total)
    solution: np.ndarray = np.linalg.solve(scaled, projection / scale) / scale
    return solution
