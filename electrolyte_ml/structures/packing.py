"""Rigid molecules: packing in a cubic periodic box, by compression of a dilute box under a soft repulsion.

If first shells are given, a soft attraction draws their donors to the centres, and other donors are kept away.
"""

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.structures.neighbours import periodic_pairs

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

START = 1.5  # edge of the dilute box in units of the final edge: at 30 % of the density molecules do not interlock yet
STEPS = 6  # number of boxes, from the dilute to the final one
ITERATIONS = 30  # of the minimiser in each box but the last, enough to remove the worst overlaps
FINAL_ITERATIONS = 500
# A jam can be detected early: boxes that could be packed had a repulsion of at most 0.003 per molecule after 100
# iterations.
JAM_ITERATIONS = 100
JAM = 0.008
SKIN = 1.0  # Å
ARM = 1.5  # Å, about the radius of gyration of EC: converts an angle to a length comparable to a shift
CATIONS_APART = 3.5  # Å, between small cations, which have no electrons to keep them apart; in liquids 3.1 or more
TOUCH = 1.03  # largest distance of a donor in contact with its centre, in units of the sum of the radii


def reach_of(radii: np.ndarray, cations: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the distances (M,) Å below which pairs (i, j) of atoms of different molecules repel.

    Parameters
    ----------
    radii, cations
        Of all atoms, (N,): Å, and whether an atom is a monatomic cation.
    i, j
        (M,) atoms of each pair.
    """
    return np.where(cations[i] & cations[j], CATIONS_APART, radii[i] + radii[j])


@dataclass(frozen=True)
class FirstShells:
    """First shells of some atoms, to be formed by packing.

    Attributes
    ----------
    contacts
        (M, 2) centre and donor, of different molecules, that must touch.
    donors
        (D,) all atoms that could be in a shell.
    clearance
        Smallest distance between a centre and a donor outside its shell, in units of the sum of the radii.
    """

    contacts: np.ndarray
    donors: np.ndarray
    clearance: float


@dataclass(frozen=True)
class RigidBodies:
    """Rigid molecules.

    Attributes
    ----------
    shape
        (N, 3) Å, positions of the atoms relative to the centre of their molecule.
    radii
        (N,) Å; atoms of different molecules repel below the sum of their radii.
    first
        (n_bodies,) index of the first atom of each molecule.
    cations
        (N,) whether an atom is a monatomic cation; two of them repel below `CATIONS_APART`.
    shells
        First shells to be formed, if any.
    """

    shape: np.ndarray
    radii: np.ndarray
    first: np.ndarray
    cations: np.ndarray
    shells: FirstShells | None = None

    @property
    def body(self) -> np.ndarray:
        """(N,) molecule of each atom."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.first, append=len(self.shape)))

    def pack(self, edge: float, rng: np.random.Generator) -> np.ndarray:
        """Return positions (N, 3) Å of the unbroken molecules in a cubic box with an edge in Å.

        Overlaps may remain; `closest_contact` measures them.
        """
        from scipy.spatial.transform import Rotation

        edges = edge * np.linspace(START, 1.0, STEPS)
        centres = rng.random((len(self.first), 3)) * edges[0]  # (n_bodies, 3) Å
        turns = Rotation.random(len(self.first), rng=rng).as_matrix()  # (n_bodies, 3, 3)
        arms = np.einsum("nij,nj->ni", turns[self.body], self.shape)  # (N, 3) Å
        if self.shells is not None:
            self._gather(centres, arms, self.shells.contacts, rng)
        for previous, current in zip(edges[:1].tolist() + edges[:-1].tolist(), edges, strict=True):
            centres *= current / previous
            iterations = ITERATIONS if current > edge else FINAL_ITERATIONS
            centres, arms = self.push_apart(centres, arms, np.eye(3) * current, iterations)
        return centres[self.body] + arms

    def _gather(self, centres: np.ndarray, arms: np.ndarray, contacts: np.ndarray, rng: np.random.Generator) -> None:
        """Move the centres of molecules that must touch, so that they start next to each other."""
        body = self.body
        placed: set[int] = set()
        for pair in contacts.tolist():
            fixed, moved = pair if body[pair[0]] in placed or body[pair[1]] not in placed else reversed(pair)
            if body[moved] not in placed:
                away = rng.normal(size=3)
                apart = self.radii[fixed] + self.radii[moved] + np.linalg.norm(arms[moved])
                centres[body[moved]] = centres[body[fixed]] + arms[fixed] + apart * away / np.linalg.norm(away)
            placed |= {body[fixed], body[moved]}

    def closest_contact(self, positions: np.ndarray, cell: np.ndarray) -> float:
        """Return the smallest distance between molecules, including images, in units of their reach."""
        i, j, offset = self._contacts(positions, cell, 0.0)
        distance = np.linalg.norm(positions[j] + offset - positions[i], axis=1)
        return float((distance / reach_of(self.radii, self.cations, i, j)).min(initial=np.inf))

    def _contacts(
        self, positions: np.ndarray, cell: np.ndarray, skin: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pairs (i, j) of atoms of different molecules or images, and the offset (M, 3) Å of j."""
        body = self.body
        pbc = (cell != 0).any(axis=1)
        longest = max(2 * self.radii.max(), CATIONS_APART * (self.cations.sum() > 1))
        i, j, shift = periodic_pairs(positions, cell, pbc, longest + skin)
        apart = (body[i] != body[j]) | shift.any(axis=1)
        return i[apart], j[apart], shift[apart] @ cell

    def push_apart(
        self, centres: np.ndarray, arms: np.ndarray, cell: np.ndarray, iterations: int = FINAL_ITERATIONS
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minimise the repulsion over shifts and rotations of all molecules.

        Parameters
        ----------
        centres
            (n_bodies, 3) Å.
        arms
            (N, 3) Å, positions of the atoms relative to the centre of their molecule.
        cell
            (3, 3) Å, with zero vectors along axes that are not periodic.
        iterations
            Largest number of iterations.

        Returns
        -------
        centres, arms
            After the minimisation.
        """
        from scipy.optimize import minimize
        from scipy.spatial.transform import Rotation

        body = self.body
        repulsion = _Repulsion(self, cell)

        def place(moves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            shifts, turns = moves.reshape(2, -1, 3)  # both Å
            matrices = Rotation.from_rotvec(turns / ARM).as_matrix()
            return centres + shifts, np.einsum("nij,nj->ni", matrices[body], arms), turns / ARM

        def objective(moves: np.ndarray) -> tuple[float, np.ndarray]:
            moved_centres, moved_arms, turns = place(moves)
            energy, gradient = repulsion(moved_centres[body] + moved_arms)
            torque = np.add.reduceat(np.cross(moved_arms, gradient), self.first, axis=0)
            along_turns = np.einsum("nij,ni->nj", _left_jacobian(turns), torque) / ARM
            along_shifts = np.add.reduceat(gradient, self.first, axis=0)
            return energy, np.concatenate([along_shifts.ravel(), along_turns.ravel()])

        iteration = count(1)

        def stop_at_jam(intermediate_result: "OptimizeResult") -> None:
            if next(iteration) >= JAM_ITERATIONS and intermediate_result.fun > JAM * len(self.first):
                raise StopIteration

        result = minimize(
            objective,
            np.zeros(6 * len(self.first)),
            jac=True,
            method="L-BFGS-B",
            callback=stop_at_jam,
            options={"maxiter": iterations, "ftol": 1e-12, "gtol": 1e-5},
        )
        return place(result.x)[:2]


class _Repulsion:
    """Repulsion Σ (1 - r/d)² over all contacts with r < d, plus the attraction of donors to their centres.

    d is the sum of the radii, multiplied by the clearance between a centre and a donor outside its shell. The list of
    pairs has a skin and is rebuilt when an atom has moved by half of it.
    """

    def __init__(self, bodies: RigidBodies, cell: np.ndarray) -> None:
        self._bodies, self._cell, self._shells = bodies, cell, bodies.shells
        self._widest = 1.0 if bodies.shells is None else bodies.shells.clearance
        self._listed_at: np.ndarray | None = None

    def __call__(self, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the energy (dimensionless) and its gradient (N, 3), 1/Å."""
        if self._listed_at is None or ((positions - self._listed_at) ** 2).sum(axis=1).max() > (SKIN / 2) ** 2:
            self._list(positions)
        vectors = positions[self._j] - positions[self._i] + self._offset  # (M, 3) Å
        squares = np.einsum("ij,ij->i", vectors, vectors)
        touching = np.flatnonzero(squares < self._reach**2)
        i, j, reach, vectors = self._i[touching], self._j[touching], self._reach[touching], vectors[touching]
        distances = np.sqrt(squares[touching]) + 1e-9  # avoids 0/0 for coinciding atoms
        overlap = 1 - distances / reach
        pull = (2 * overlap / (reach * distances))[:, None] * vectors  # (M, 3) gradient at i; that at j is its negative
        n = len(positions)
        gradient = np.stack([np.bincount(i, pull[:, k], n) - np.bincount(j, pull[:, k], n) for k in range(3)], axis=1)
        return float(overlap @ overlap) + self._draw_together(positions, gradient), gradient

    def _draw_together(self, positions: np.ndarray, gradient: np.ndarray) -> float:
        """Return Σ (r/d - TOUCH)² over the contacts of shells with r > TOUCH d, and add its gradient."""
        if self._shells is None:
            return 0.0
        centre, donor = self._shells.contacts.T
        vectors = positions[donor] - positions[centre]
        vectors -= np.rint(vectors @ np.linalg.inv(self._cell)) @ self._cell
        distances, reach = np.linalg.norm(vectors, axis=1), self._bodies.radii[centre] + self._bodies.radii[donor]
        excess = np.maximum(distances / reach - TOUCH, 0.0)
        pull = (2 * excess / (reach * distances))[:, None] * vectors
        np.add.at(gradient, donor, pull)
        np.add.at(gradient, centre, -pull)
        return float(excess @ excess)

    def _list(self, positions: np.ndarray) -> None:
        radii = self._bodies.radii
        i, j, offset = self._bodies._contacts(positions, self._cell, SKIN + 2 * radii.max() * (self._widest - 1.0))
        reach = reach_of(radii, self._bodies.cations, i, j)
        if self._shells is not None:
            reach[self._kept_apart(i, j)] *= self._shells.clearance
        # The list was made for the longest reach; most pairs have a shorter one.
        near = np.linalg.norm(positions[j] + offset - positions[i], axis=1) < reach + SKIN
        self._i, self._j, self._offset, self._reach = i[near], j[near], offset[near], reach[near]
        self._listed_at = positions

    def _kept_apart(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return whether each pair consists of a centre and a donor outside its shell."""
        assert self._shells is not None
        count, (centre, donor) = len(self._bodies.shape), self._shells.contacts.T
        is_centre, is_donor = np.zeros((2, count), dtype=bool)
        is_centre[centre], is_donor[self._shells.donors] = True, True
        touching = np.concatenate([centre * count + donor, donor * count + centre])
        mixed = (is_centre[i] & is_donor[j]) | (is_centre[j] & is_donor[i])
        return np.asarray(mixed & ~np.isin(i * count + j, touching))


def _left_jacobian(turns: np.ndarray) -> np.ndarray:
    """Return the left Jacobian (n, 3, 3) of rotations: small rotation per small change of a rotation vector (n, 3)."""
    angle = np.linalg.norm(turns, axis=1)[:, None, None]
    cross = np.cross(np.eye(3), turns[:, None, :]).transpose(0, 2, 1)  # cross[n] @ v = turns[n] x v
    half = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos a)/a²
    with np.errstate(invalid="ignore", divide="ignore"):
        third = np.where(angle > 1e-3, (angle - np.sin(angle)) / angle**3, 1 / 6)
    return np.eye(3) + half * cross + third * cross @ cross
