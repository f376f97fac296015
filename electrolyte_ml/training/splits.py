"""Groups of related configurations, and splits that keep each group on one side.

Errors on held-out configurations are representative only if no related configuration is in the training set. Two
configurations are related if they belong to the same trajectory, or if their atoms are displaced by a short distance
only, like the first frames of a trajectory and its start. The relation is transitive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

# Å, root mean square displacement of all atoms. In training sets from active learning (80 atoms of EC), the nearest
# related configurations are 0.07 to 1.6 Å apart; independently packed boxes are 4 to 6 Å apart.
NEAR = 1.0
FEWEST_GROUPS = 4  # with fewer groups, only one or two trajectories could be held out
_BLOCKS = 8  # number of blocks of configurations if there are too few groups
_HELD_OUT = 0.2  # smallest fraction of held-out configurations


@dataclass(frozen=True)
class Groups:
    """Groups of related configurations.

    Attributes
    ----------
    labels : (K,) int64
        Group of each configuration.
    independent : bool
        Whether no configuration is related to one in another group. If there are too few such groups, the groups are
        blocks of configurations in the order of the file, and errors on a held-out block are too small.
    """

    labels: np.ndarray
    independent: bool

    def __len__(self) -> int:
        return int(self.labels.max()) + 1

    def __str__(self) -> str:
        if self.independent:
            return f"{len(self)} groups of related configurations (one trajectory, or within {NEAR:g} Å)"
        return (
            f"nearly all configurations are related: {len(self)} blocks in the order of the file are used as groups; "
            "errors on unseen configurations will be larger than those given here"
        )


def find_groups(configurations: Sequence[Atoms], near: float = NEAR) -> Groups:
    """Group related configurations.

    Parameters
    ----------
    configurations
        Configurations of one trajectory have the same entry `trajectory` in ``info``, or the same `parent` up to its
        last "/", as written by active learning ("iteration_003/trajectory_04/120"). Atoms are compared in their order.
    near
        Root mean square displacement (Å) below which two configurations of the same atoms are related. Scaled
        coordinates are compared in periodic cells, otherwise positions after the best superposition.

    Raises
    ------
    InputError
        There are fewer than eight configurations.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(configurations)
    if count < _BLOCKS:
        raise InputError(f"{count} configurations are too few to hold some out: at least {_BLOCKS} are needed")
    pairs: list[tuple[int, int]] = []
    first: dict[object, int] = {}
    alike: dict[bytes, list[int]] = {}
    for k, atoms in enumerate(configurations):
        trajectory = _trajectory(atoms)
        if trajectory is not None:
            pairs.append((first.setdefault(trajectory, k), k))
        alike.setdefault(atoms.numbers.tobytes() + atoms.pbc.tobytes(), []).append(k)
    for numbers in alike.values():
        members = [configurations[k] for k in numbers]
        displacements = _scaled_displacements if members[0].pbc.any() else _superposed_displacements
        pairs += [(numbers[i], numbers[j]) for i, row in displacements(members) for j in np.flatnonzero(row < near)]
    i, j = np.array(pairs, int).reshape(-1, 2).T
    n_groups, labels = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(count, count)), directed=False)
    largest = np.bincount(labels).max()
    if n_groups >= FEWEST_GROUPS and largest <= (1 - _HELD_OUT) * count:
        return Groups(labels.astype(np.int64), True)
    return Groups(np.arange(count) * _BLOCKS // count, False)


def hold_out(groups: Groups, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out randomly chosen groups with at least a fifth of the configurations.

    Groups with which more than two fifths would be held out are skipped.

    Returns
    -------
    train, held_out : (n,) int64
        Numbers of configurations. `train` is in random order, so that its first entries form nested random subsets;
        `held_out` is in ascending order.
    """
    rng = np.random.default_rng([seed, len(groups.labels)])
    sizes = np.bincount(groups.labels)
    least = _HELD_OUT * len(groups.labels)
    chosen: list[int] = []
    total = 0
    for group in rng.permutation(len(sizes)):
        if total >= least:
            break
        if total + sizes[group] <= 2 * least:
            chosen.append(int(group))
            total += int(sizes[group])
    held_out = np.isin(groups.labels, chosen)
    return rng.permutation(np.flatnonzero(~held_out)), np.flatnonzero(held_out)


def _trajectory(atoms: Atoms) -> object | None:
    """Return the name of the trajectory of a configuration, or None if it is not stated."""
    if "trajectory" in atoms.info:
        return str(atoms.info["trajectory"])
    trajectory, slash, _ = str(atoms.info.get("parent", "")).rpartition("/")
    return trajectory if slash else None


def _scaled_displacements(members: Sequence[Atoms]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield i and the root mean square displacements (i,) Å between configuration i and all earlier ones.

    Differences of scaled coordinates are converted to lengths by the mean of the two cells.
    """
    # Cell vectors of non-periodic directions may be zero: they are completed for the scaling.
    cells = np.array([atoms.cell.complete().array for atoms in members])
    scaled = np.array([atoms.get_scaled_positions(wrap=False) for atoms in members])
    periodic = members[0].pbc
    for i in range(1, len(members)):
        between = scaled[:i] - scaled[i]
        between -= np.where(periodic, np.rint(between), 0.0)
        vectors = between @ ((cells[:i] + cells[i]) / 2)
        yield i, np.sqrt((vectors**2).sum(axis=2).mean(axis=1))


def _superposed_displacements(members: Sequence[Atoms]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the same as `_scaled_displacements`, after the best translation and rotation (Kabsch)."""
    centred = np.array([atoms.positions - atoms.positions.mean(axis=0) for atoms in members])
    squares = (centred**2).sum(axis=(1, 2))
    for i in range(1, len(members)):
        product = np.einsum("na,knb->kab", centred[i], centred[:i])
        values = np.linalg.svd(product, compute_uv=False)
        values[:, 2] *= np.sign(np.linalg.det(product))
        rest = squares[i] + squares[:i] - 2 * values.sum(axis=1)
        yield i, np.sqrt(np.maximum(rest, 0.0) / len(centred[i]))
