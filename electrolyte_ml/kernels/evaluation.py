"""Energy, forces and virial from a Verlet list, with the atoms divided among threads.

A thread gathers the pairs within the cutoff for a block of its atoms, then runs `energy_forces` on that block while the
vectors are still in the cache. The atoms of a thread exert forces on atoms of other threads, so each thread sums forces
in an array of its own; `collect` adds these arrays in a fixed order. The same number of threads therefore gives bitwise
identical results.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.energy_forces import energy_forces
from electrolyte_ml.kernels.near_pairs import gather_pairs
from electrolyte_ml.kernels.team import DETACHED, LINE, PATIENCE, TURN, load_acquire, store_release, wait_for

# Atoms whose pairs are gathered at a time: the pairs are still in the L2 cache when the forces are computed, which
# saves 5 % of a step of 1000 atoms at level 16.
BLOCK = 192


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate_range(thread, model, work):
    """Compute the energies and virials of the atoms of one thread, and the forces that they exert.

    Returns
    -------
    square : float, Å^2
        The smallest squared distance.
    """
    sites, verlet, near = work.sites, work.verlet, work.near
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
            _, square = gather_pairs(i, verlet.listed[i, 0], verlet, model.high, near)
            closest = min(closest, square)
        energy_forces(first, last, model, near, sites.energies, pushes, sites.virials)
    return closest


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate(model, work, flags):
    """Evaluate all atoms: the leader computes its own range, and every range whose thread has left.

    Parameters
    ----------
    model : Model
    work : Workspace
        `verlet.placed` must belong to the present positions.
    flags : (8 threads,) int64
        See `team`.

    Returns
    -------
    square : float, Å^2
        The smallest squared distance.
    """
    closest = work.sites.closest
    flags[TURN] += 1
    turn = flags[TURN]
    for thread in range(len(closest)):
        closest[thread] = np.nan
    store_release(flags, 0, turn)
    nearest = closest[0] = evaluate_range(np.int64(0), model, work)
    for thread in range(1, len(closest)):
        wait_for(flags, thread, turn, 0)
        if np.isnan(closest[thread]):  # the thread left before this turn
            closest[thread] = evaluate_range(thread, model, work)
        nearest = min(nearest, closest[thread])
    return nearest


@njit(cache=True, error_model="numpy", nogil=True)
def follow(thread, model, work, flags):
    """Evaluate the range of one thread every turn, until the leader detaches or no turn comes for a while."""
    turn = 1
    while wait_for(flags, 0, turn, PATIENCE):
        if load_acquire(flags, 0) >= DETACHED:
            return
        work.sites.closest[thread] = evaluate_range(thread, model, work)
        store_release(flags, LINE * thread, turn)
        turn += 1


@njit(cache=True, error_model="numpy")
def collect(sites, forces):
    """Add the results of all threads to `forces` (N, 3), set `sites.virial`, and return the energy."""
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
            forces[i, a] += total
    return energy
