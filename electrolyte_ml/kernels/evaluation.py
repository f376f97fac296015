"""Energy, forces and virial from a Verlet list, the atoms shared by threads.

A thread gathers the pairs within the cutoff for a block of its atoms, then runs `energy_forces` on that block while the
vectors are still in the cache. Atoms of one thread exert forces on neighbours in the ranges of others, so each thread
sums forces of its own; `collect` adds them in the order of the threads. The same number of threads therefore gives the
same bits.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.energy_forces import energy_forces
from electrolyte_ml.kernels.near_pairs import gather_pairs
from electrolyte_ml.kernels.team import DETACHED, LINE, PATIENCE, TURN, load_acquire, store_release, wait_for

# Atoms whose pairs are gathered at a time: they are still in the second cache when their forces are computed, which
# saves a twentieth of a step of 1000 atoms at level 16.
BLOCK = 192


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate_range(thread, model, work):
    """Evaluate the atoms of one thread: their energies and virials, and the forces that they exert.

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
    """Evaluate all atoms: the leader's range, and every range that no other thread takes.

    Parameters
    ----------
    model : Model
    work : Workspace
        With `verlet.placed` for the present positions.
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
        if np.isnan(closest[thread]):  # the thread had left before this turn
            closest[thread] = evaluate_range(thread, model, work)
        nearest = min(nearest, closest[thread])
    return nearest


@njit(cache=True, error_model="numpy", nogil=True)
def follow(thread, model, work, flags):
    """Evaluate the range of one thread, turn after turn, until the leader detaches or no turn comes for a while."""
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
