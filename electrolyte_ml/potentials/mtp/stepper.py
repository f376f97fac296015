"""Time steps of a moment tensor potential: many steps per compiled call, with atoms divided among threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels import dynamics, evaluation
from electrolyte_ml.kernels.arrays import Model, Neighbours, Sites, VerletArrays, Workspace
from electrolyte_ml.kernels.bins import place
from electrolyte_ml.kernels.energy_forces import energy_forces
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Stepper
from electrolyte_ml.structures.neighbours import OVERLAP, NeighbourList
from electrolyte_ml.threads import Team

if TYPE_CHECKING:
    from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential


class MtpStepper(Stepper):
    """Stepper with arrays that are reused by all evaluations.

    Attributes
    ----------
    model : Model
    work : Workspace
        Arrays that the kernels read and fill.
    """

    def __init__(self, potential: MomentTensorPotential, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)
        n, n_species = len(system.species), len(potential.species)
        self.team, self.model = Team(threads), potential.model
        self.positions, self.cell = np.empty((n, 3)), np.empty((3, 3))
        sites = Sites(
            energies=np.empty(n),
            virials=np.empty((n, 3, 3)),
            virial=np.empty((3, 3)),
            cuts=np.array([n * k // threads for k in range(threads + 1)]),
            pushes=np.empty((threads, n, 3)),
            closest=np.empty(threads),
        )
        nothing = np.empty(0, np.uint32)
        verlet = VerletArrays(
            listed=np.zeros((n, n_species + 1), np.int64),
            neighbour=nothing,
            owner=nothing,
            shift=np.zeros((0, 3), np.int32),
            placed=np.empty((0, 3)),
            origin=self.origin,
            stretch=self.stretch,
        )
        near = Neighbours(
            species=system.species,
            segment=np.empty((n, n_species + 1), np.int64),
            other=np.empty(0, np.int32),
            vector=np.empty((3, 0)),
        )
        self.work = Workspace(sites, verlet, near)
        # A kernel also exists as a copy inside kernels that call it. All calls use the version that is loaded first,
        # and the versions differ in the last bits. Loading it here makes results independent of earlier computations.
        energy_forces(0, 0, self.model, near, sites.energies, sites.pushes[0], sites.virials)

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Set a new neighbour list; the arrays that other threads use are reused if they are large enough."""
        super().renew(pairs, positions, cell)
        verlet = self.work.verlet
        if len(pairs.neighbour) > len(verlet.neighbour) or len(pairs.owner) > len(verlet.owner):
            verlet = self._enlarge(len(pairs.neighbour), len(pairs.owner))
        verlet.listed[:] = pairs.listed
        verlet.neighbour[: len(pairs.neighbour)] = pairs.neighbour
        verlet.owner[: len(pairs.owner)], verlet.owner[len(pairs.owner) :] = pairs.owner, 0
        verlet.shift[: len(pairs.shift)] = pairs.shift

    def _enlarge(self, n_pairs: int, n_placed: int) -> VerletArrays:
        """Allocate arrays for the given numbers of pairs, and of atoms with images, plus an eighth."""
        self.team.dismiss()
        n_pairs, n_placed = n_pairs + n_pairs // 8, n_placed + n_placed // 8
        sites, verlet, near = self.work
        verlet = verlet._replace(
            neighbour=np.zeros(n_pairs, np.uint32),
            owner=np.zeros(n_placed, np.uint32),
            shift=np.zeros((n_placed, 3), np.int32),
            placed=np.empty((n_placed, 3)),
        )
        near = near._replace(other=np.empty(n_pairs, np.int32), vector=np.empty((3, n_pairs)))
        self.work = Workspace(sites, verlet, near)
        return verlet

    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluate the potential with all threads."""
        verlet = self.work.verlet
        self._keep(positions, cell)
        place(positions, cell, verlet.owner, verlet.shift, verlet.placed)
        if evaluation.evaluate(*self._with_team()) < OVERLAP**2:
            raise self._overlap()
        sites = self.work.sites
        evaluation.collect(sites, forces)
        return float(sites.energies.sum()), sites.virial.copy()  # same order of summation as in `evaluate`

    def advance(
        self,
        ensemble: dynamics.Ensemble,
        draws: np.ndarray,
        particles: dynamics.Particles,
        limits: dynamics.Limits,
    ) -> tuple[int, int]:
        """Take several time steps in one compiled call."""
        status, steps = dynamics.advance(ensemble, draws, particles, limits, *self._with_team())
        self._keep(particles.positions, particles.cell)
        if status == dynamics.OVERLAP:
            status, self.failure = dynamics.FAILED, self._overlap()
        return status, steps

    def _keep(self, positions: np.ndarray, cell: np.ndarray) -> None:
        self.positions, self.cell = positions, cell

    def _with_team(self) -> tuple[Model, Workspace, np.ndarray]:
        """Start the other threads, and return the arguments of a kernel that evaluates with them."""
        self.team.assemble(evaluation.follow, self.model, self.work)
        return self.model, self.work, self.team.flags

    @property
    def energies(self) -> np.ndarray:
        """(N,) site energies, eV."""
        return self.work.sites.energies

    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation."""
        return Geometry(self.system, self.positions, self.cell, self.work.near, self.potential.cutoff)

    def _overlap(self) -> InputError:
        """Return an error that names the two nearest atoms."""
        near = self.work.near
        ranges = [slice(first, last) for first, last in near.segment[:, [0, -1]]]
        squares = [(near.vector[:, pairs] ** 2).sum(axis=0) for pairs in ranges]
        i = int(np.argmin([square.min(initial=np.inf) for square in squares]))
        j = near.other[ranges[i]][squares[i].argmin()]
        return InputError(f"atoms {i + 1} and {j + 1} overlap: {np.sqrt(squares[i].min()):.3f} Å apart")
