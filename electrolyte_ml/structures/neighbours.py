"""Pairs of atoms within a distance, for any cell: skewed, smaller than the distance, partly or not periodic."""

import numpy as np
from ase.geometry import complete_cell

from electrolyte_ml.errors import InputError


def periodic_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of atoms closer than the cutoff, each once, in time linear in the number of atoms.

    Real atoms are wrapped into the cell, surrounded by just those images that lie within the cutoff of it, and a
    k-d tree without any periodicity finds the rest: no minimum-image rule, so that several images of one atom, and
    an atom's own image, count as they should.

    Parameters
    ----------
    positions
        (N, 3) Å, wrapped or not.
    cell
        (3, 3) Å, vectors as rows; rows of non-periodic directions may be zero.
    pbc
        (3,) bool.
    cutoff
        Å.

    Returns
    -------
    i, j, shift : (M,), (M,), (M, 3) int
        Distance vectors are ``positions[j] + shift @ cell - positions[i]``; i <= j, and of the two ways to
        say that an atom meets its own image only one is given.

    Raises
    ------
    InputError
        Positions or cell are not finite, or a periodic cell has no volume.
    """
    from scipy.spatial import cKDTree

    positions = np.asarray(positions, dtype=float)
    pbc = np.asarray(pbc, dtype=bool)
    cell = np.asarray(cell, dtype=float)
    if not np.isfinite(positions).all():
        wrong = np.flatnonzero(~np.isfinite(positions).all(axis=1))[0]
        raise InputError(f"the position of atom {wrong + 1} is not finite")
    if not np.isfinite(cell).all():
        raise InputError("the cell is not finite")
    full_cell = complete_cell(np.where(pbc[:, None], cell, 0.0))
    lengths = np.linalg.norm(full_cell, axis=1)
    if not cell.any(axis=1)[pbc].all() or abs(np.linalg.det(full_cell)) < 1e-6 * lengths.prod():
        raise InputError("the periodic cell has no volume")

    inverse = np.linalg.inv(full_cell)
    fractional = positions @ inverse  # (N, 3)
    home = np.where(pbc, np.floor(fractional), 0).astype(int)  # (N, 3) the image in which each atom was given
    wrapped = fractional - home
    margin = cutoff * np.linalg.norm(inverse, axis=0) + 1e-9  # (3,) the cutoff in units of each height of the cell

    index = np.arange(len(positions))  # atom behind every image; (n_images,)
    image = np.zeros((len(positions), 3), dtype=int)
    for axis in np.flatnonzero(pbc):
        reach = int(np.ceil(margin[axis]))
        kept_index, kept_image = [], []
        for step in range(-reach, reach + 1):
            place = wrapped[index, axis] + step
            inside = (place >= -margin[axis]) & (place <= 1 + margin[axis])
            kept_index.append(index[inside])
            kept_image.append(image[inside] + step * np.eye(3, dtype=int)[axis])
        index, image = np.concatenate(kept_index), np.concatenate(kept_image)

    real = cKDTree(wrapped @ full_cell)
    images = cKDTree((wrapped[index] + image) @ full_cell)
    found = real.sparse_distance_matrix(images, cutoff, output_type="ndarray")
    i, j = found["i"], index[found["j"]]
    shift = image[found["j"]]
    # Every pair was found from both of its ends: keep i < j, and for own images the positive half space of shifts.
    first = np.select([shift[:, 0] != 0, shift[:, 1] != 0], [shift[:, 0], shift[:, 1]], shift[:, 2])
    once = (i < j) | ((i == j) & (first > 0))
    i, j, shift = i[once], j[once], shift[once]
    return i, j, shift + home[i] - home[j]
