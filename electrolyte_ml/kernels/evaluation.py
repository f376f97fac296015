"""Energy, forces and virial from a Verlet list: each thread gathers the pairs of its share of the atoms and uses them.

Each share gathers the pairs within the cutoff for a block of atoms, then runs `energy_forces` on it: the vectors are
still in the cache. A thread's atoms push their neighbours in other shares, so each thread sums forces of its own, which
`collect` adds up in the order of the threads: the same bits for the same number of them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from .energy_forces import energy_forces
from .neighbours import gather_pairs
from .team import COUNT, LEAVE, LINE, PATIENCE, heard, say, wait_for

# Atoms whose pairs are gathered at a time: they are still in the second cache when their forces are computed, which
# saves a twentieth of a step of 1000 atoms at level 16.
BLOCK = 192


class Model(NamedTuple):
    """A moment tensor potential as `energy_forces` takes it."""

    graph: NamedTuple
    linear: np.ndarray
    quad: np.ndarray
    radial: np.ndarray
    shifts: np.ndarray
    low: float
    high: float
    scaling: float


class Sites(NamedTuple):
    """What an evaluation reads and fills beside the particles.

    Attributes
    ----------
    species : (N,) int64
    energies, virials : (N,), (N, 3, 3) float64, eV
    virial : (3, 3) float64, eV
        The sum of `virials`.
    cuts : (threads + 1,) int64
        Thread k computes the atoms cuts[k]:cuts[k + 1].
    pushes : (threads, N, 3) float64, eV/Å
        The forces that each thread's atoms exert.
    """

    species: np.ndarray
    energies: np.ndarray
    virials: np.ndarray
    virial: np.ndarray
    cuts: np.ndarray
    pushes: np.ndarray


class Pairs(NamedTuple):
    """A Verlet list, and the pairs within the cutoff now.

    Attributes
    ----------
    listed, neighbour, owner, shift
        From `neighbour_list`, made with cutoff + skin; there may be room behind them.
    placed : (M, 3) float64, Å
        From `place`, for the positions now.
    origin : (N, 3) float64, Å
        The positions for which the list was made.
    stretch : (1,) float64
        Factor by which lengths have grown since; NaN where there is no list.
    segment, index, vector
        As in `energy_forces`; those of atom i stand from place listed[i, 0] on.
    """

    listed: np.ndarray
    neighbour: np.ndarray
    owner: np.ndarray
    shift: np.ndarray
    placed: np.ndarray
    origin: np.ndarray
    stretch: np.ndarray
    segment: np.ndarray
    index: np.ndarray
    vector: np.ndarray


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate_share(thread, model, sites, pairs):
    """One thread's atoms of an evaluation: their energies and virials, and the forces they exert.

    Returns
    -------
    square : float, Å^2
        The smallest squared distance.
    """
    begin, end, pushes = sites.cuts[thread], sites.cuts[thread + 1], sites.pushes[thread]
    for i in range(pushes.shape[0]):
        pushes[i, 0], pushes[i, 1], pushes[i, 2] = 0.0, 0.0, 0.0
    closest = np.inf
    for first in range(begin, end, BLOCK):
        last = min(end, first + BLOCK)
        for i in range(first, last):
            for a in range(3):
                for b in range(3):
                    sites.virials[i, a, b] = 0.0
            _, square = gather_pairs(
                i, pairs.listed[i, 0], pairs.placed, pairs.owner, pairs.listed, pairs.neighbour, model.high,
                pairs.segment, pairs.index, pairs.vector,
            )  # fmt: skip
            closest = min(closest, square)
        energy_forces(
            first, last, model.graph, model.linear, model.quad, model.radial, model.shifts, model.low, model.high,
            model.scaling, sites.species, pairs.segment, pairs.index, pairs.vector, sites.energies, pushes,
            sites.virials,
        )  # fmt: skip
    return closest


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate(model, sites, pairs, closest, words):
    """One evaluation: the leader's part, which is all of it where nobody follows.

    Parameters
    ----------
    model : Model
    sites : Sites
    pairs : Pairs
        With `placed` for the positions now.
    closest : (threads,) float64, Å^2
        Takes the smallest squared distance that each thread has met.
    words : (8 threads,) int64
        See `team`.

    Returns
    -------
    square : float, Å^2
        The smallest squared distance.
    """
    words[COUNT] += 1
    turn = words[COUNT]
    for thread in range(len(closest)):
        closest[thread] = np.nan
    say(words, 0, turn)
    nearest = closest[0] = evaluate_share(np.int64(0), model, sites, pairs)
    for thread in range(1, len(closest)):
        wait_for(words, thread, turn, 0)
        if np.isnan(closest[thread]):  # it has left before this turn
            closest[thread] = evaluate_share(thread, model, sites, pairs)
        nearest = min(nearest, closest[thread])
    return nearest


@njit(cache=True, error_model="numpy", nogil=True)
def follow(thread, model, sites, pairs, closest, words):
    """Any other thread's part of one evaluation after the other, until the leader leaves or lets it wait."""
    turn = 1
    while wait_for(words, 0, turn, PATIENCE):
        if heard(words, 0) >= LEAVE:
            return
        closest[thread] = evaluate_share(thread, model, sites, pairs)
        say(words, LINE * thread, turn)
        turn += 1


@njit(cache=True, error_model="numpy")
def collect(sites, forces):
    """Add up what the shares have left: into `sites.virial` and `forces` (N, 3); returns the energy."""
    energy = 0.0
    for a in range(3):
        for b in range(3):
            sites.virial[a, b] = 0.0
    for i in range(len(sites.energies)):
        energy += sites.energies[i]
        for a in range(3):
            for b in range(3):
                sites.virial[a, b] += sites.virials[i, a, b]
            total = sites.pushes[0, i, a]
            for thread in range(1, sites.pushes.shape[0]):
                total += sites.pushes[thread, i, a]
            forces[i, a] = total
    return energy
