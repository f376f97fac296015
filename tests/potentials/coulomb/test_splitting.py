"""Which mesh is chosen; that it has the wanted accuracy is shown in `test_coulomb`."""

import math

import numpy as np
import pytest

from electrolyte_ml.potentials.coulomb.splitting import (
    MARGIN,
    ORDERS,
    choose_splitting,
    mesh_error,
    short_error,
)

CELL = np.array([[24.0, 0, 0], [3.0, 22.0, 0], [0, -4.0, 30.0]])
CHARGES = 0.3 * np.where(np.arange(1500) % 2, 1.0, -1.0)
MOMENTS = 0.09, 0.09**2
DENSITY = 1500 / np.linalg.det(CELL)


def estimate(splitting, lengths, cutoff=5.0):
    spacings = [length / size for length, size in zip(lengths, splitting.shape)]
    long = mesh_error(splitting.alpha, splitting.order, spacings, DENSITY, MOMENTS)
    return math.hypot(short_error(splitting.alpha, cutoff, DENSITY, MOMENTS), long)


@pytest.mark.parametrize("accuracy", [1e-5, 2e-4, 3e-3])
def test_the_estimated_error_is_the_wanted_one(accuracy):
    chosen = choose_splitting(CELL, CHARGES, accuracy, 5.0, None)
    lengths = np.linalg.norm(CELL, axis=1)
    assert accuracy / 2 < MARGIN * estimate(chosen, lengths) < accuracy
    coarser = chosen._replace(shape=tuple(int(0.85 * size) for size in chosen.shape))
    assert MARGIN * estimate(coarser, lengths) > accuracy
    # Points lie as far apart along each vector, but for sizes with fast transforms.
    spacings = lengths / chosen.shape
    assert spacings.max() < 1.15 * spacings.min()
    assert all(max_factor(size) <= 7 for size in chosen.shape)


def max_factor(n):
    factors = [k for k in range(2, n + 1) if n % k == 0 and all(k % j for j in range(2, k))]
    return max(factors)


def test_a_longer_cutoff_and_fewer_atoms_change_the_balance():
    """Higher orders have fewer points, and cost more for each atom."""
    near, far = (choose_splitting(CELL, CHARGES, 2e-4, cutoff, None) for cutoff in (5.0, 8.0))
    assert far.alpha < near.alpha and math.prod(far.shape) < math.prod(near.shape)
    thin = choose_splitting(CELL, CHARGES[:100], 2e-4, 5.0, None)
    assert thin.order == max(ORDERS) and thin.order >= near.order
    assert choose_splitting(CELL, CHARGES, 2e-4, 5.0, 0.7).alpha == 0.7


def test_single_large_charges_need_a_finer_mesh():
    """A charge acts on itself by its square: some large ones among small ones are worse than equal ones."""
    uneven = CHARGES * np.where(np.arange(1500) % 15 < 1, 3.0, 0.5)
    uneven *= math.sqrt(0.09 / (uneven**2).mean())
    assert math.prod(choose_splitting(CELL, uneven, 2e-4, 5.0, None).shape) >= math.prod(
        choose_splitting(CELL, CHARGES, 2e-4, 5.0, None).shape
    )
