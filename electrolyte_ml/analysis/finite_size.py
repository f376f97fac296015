"""Effect of the finite size of a periodic cell of any shape on self-diffusion coefficients.

A particle that moves in a periodic liquid interacts with its own images through the flow. Its self-diffusion
coefficient, averaged over the three directions, is smaller than that of the infinite liquid by

    D - D(cell) = k_B T / (6 pi eta) * xi(cell),

with xi the limit for r -> 0 of 1/r minus the same function of a lattice of images, 2.837297 / L for a cube of edge L.
In long cells xi is smaller and may be negative: D along the axis is then larger than in the infinite liquid.

References
----------
B. Dünweg, K. Kremer, J. Chem. Phys. 99, 6983 (1993). I.-C. Yeh, G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
G. Kikugawa, S. Ando, J. Suzuki, Y. Naruke, T. Nakano, T. Ohara, J. Chem. Phys. 142, 024503 (2015), for long cells.
"""

from __future__ import annotations

import numpy as np

from electrolyte_ml.errors import InputError

_DECAY = 40.0  # exponent at which the sum ends: exp(-40) is 4e-18
_WIDTH = 0.06  # width of the smeared force, in units of the shortest height of the cell


def lattice_constant(cell: np.ndarray) -> float:
    """Return xi of a cell, 1/Å; it is the same as for a point charge in a neutralising background.

    The forces on the liquid are smeared to Gaussians, so that the sum over the reciprocal lattice converges. The error
    of smearing is linear in the square of the width, apart from terms that vanish exponentially, and is removed by a
    second sum with another width.

    Parameters
    ----------
    cell
        (3, 3) Å, vectors as rows.

    Raises
    ------
    InputError
        The cell has no volume.
    """
    cell = np.asarray(cell, dtype=float)
    if cell.shape != (3, 3) or not np.isfinite(cell).all() or not abs(np.linalg.det(cell)) > 0:
        raise InputError(f"the correction for the size of the cell needs a cell with a volume, not {cell.tolist()}")
    height = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
    square = (_WIDTH * height) ** 2
    return 2.0 * _smeared(cell, square) - _smeared(cell, 2.0 * square)


def _smeared(cell: np.ndarray, square: float) -> float:
    """Return 1/r minus its sum over the lattice for Gaussian densities of this squared width, at r = 0."""
    reciprocal = 2.0 * np.pi * np.linalg.inv(cell).T
    longest = np.sqrt(_DECAY / square)
    counts = np.ceil(longest * np.linalg.norm(cell, axis=1) / (2.0 * np.pi)).astype(int)
    grid = np.meshgrid(*[np.arange(-n, n + 1) for n in counts], indexing="ij")
    k2 = ((np.stack(grid, axis=-1).reshape(-1, 3) @ reciprocal) ** 2).sum(axis=1)
    k2 = k2[(k2 > 0) & (k2 < longest**2)]
    lattice = 4.0 * np.pi / abs(np.linalg.det(cell)) * (np.exp(-square * k2) / k2).sum()
    return float(1.0 / np.sqrt(np.pi * square) - lattice)
