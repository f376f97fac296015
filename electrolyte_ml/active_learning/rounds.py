"""Seeding in rounds: reference dynamics until new trajectories have no neighbourhood of a high grade.

Every step of the dynamics is labelled, so MaxVol selects among all steps, for each species in the columns of dE/dtheta
that belong to this species alone. The second half of a round is graded relative to all trajectories before it: the
grades of an exploration in its first steps are thus estimated within the seeding.

An example: a level-8 potential of six species, with 97 parameters of Li, and cells of one LiPF6, whose trajectories
give 16 labels each. The highest grade of Li in six further trajectories, after a number of trajectories::

    trajectories       4      8     12     16     20
    1 fs per label   2e5   1200    140     40    480
    3 fs per label   9e5    650     19     33     50

With as many rows as parameters, grades are thus still near 1000, although the rank has nearly its final value: three
times as many rows are needed, or fewer with longer time steps. In such cells Li has no neighbour Li, and its rank does
not exceed 80.

The criterion is strict. For "EC=2 EMC=2 LiPF6=2", 16 trajectories (240 labels, hydrogens of 3 amu, steps of 2 fs) give
Li rank 97 and P rank 93 of 97 at level 8. The last four have grades up to 410 relative to the others, and six
exploring trajectories with a potential fitted to them (40 iterations) met grades of 9 to 48.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.active_set import Mode
from electrolyte_ml.active_learning.maxvol import MaxVolResult, maxvol
from electrolyte_ml.active_learning.ranks import SpeciesBlocks
from electrolyte_ml.active_learning.sections import SeedingSettings
from electrolyte_ml.active_learning.seeding import Start, Walker, even_steps, run_walkers
from electrolyte_ml.reference import LabelStore, Reference

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

FAR = 100.0  # grade in the second half of a round above which the seeding continues


@dataclass(frozen=True)
class Seeds:
    """Result of a seeding.

    Attributes
    ----------
    chosen : list of Atoms
        Labelled configurations for the training set, with `parent` in ``info``, and `rich_cell` if the cell is not one
        of the settings.
    labels : int
        Number of labelled steps, from which `chosen` were selected.
    failures : list of str
        Trajectories that a failed label ended, with the reasons.
    stops : Counter
        Reason -> number of trajectories.
    ranks : dict of str to (int, int)
        By species: rank of its own parameters over all steps, and the largest possible.
    grades : dict of str to float
        By species: highest grade in the last trajectories relative to the others.
    """

    chosen: list[Atoms]
    labels: int
    failures: list[str]
    stops: Counter[str]
    ranks: dict[str, tuple[int, int]]
    grades: dict[str, float]

    def shortage(self, seeding: SeedingSettings) -> str:
        """Return a message on species that the seeding does not cover, with advice; empty if it covers all."""
        far = {name: grade for name, grade in self.grades.items() if grade > FAR}
        if not far:
            return ""
        species = ", ".join(
            f"{name} (rank {self.ranks[name][0]} of {self.ranks[name][1]}, grades up to {grade:.2g})"
            for name, grade in sorted(far.items(), key=lambda item: -item[1])
        )
        more = (
            f"set seeding.trajectories above {seeding.most_trajectories}"
            if not seeding.trajectories
            else f"leave out seeding.trajectories = {seeding.trajectories}, or raise it"
        )
        return (
            f"The seeding ends before it covers {species}: {more}, lengthen seeding.time_ps, or add small cells with "
            "more of these species to composition."
        )


def seed_in_rounds(
    starts: Iterable[Sequence[Start]],
    potential: Potential,
    mode: Mode,
    reference: Reference,
    store: LabelStore,
    seeding: SeedingSettings,
    *,
    jobs: int | None,
    progress: bool = True,
) -> Seeds:
    """Run the rounds of a seeding until grades in the last trajectories are below `FAR`, or no start is left.

    Parameters
    ----------
    starts
        The starts of each round.
    potential
        Potential whose derivatives are the rows; its parameters may have any values.
    mode
        Whether the rows belong to atoms or to configurations, as in `ActiveSet`.
    reference, store, seeding, jobs, progress
        As for :func:`~electrolyte_ml.active_learning.seeding.run_walkers`.
    """
    pool = _Pool(potential, mode)
    walkers: list[Walker] = []
    cells: list[str | None] = []
    grades: dict[str, float] = {}
    for round_ in starts:
        boxes = [start.atoms for start in round_]
        new = run_walkers(boxes, reference, store, seeding, jobs=jobs, first=len(walkers), progress=progress)
        half = (len(new) + 1) // 2
        pool.add(len(walkers), new[:half])
        last = new[half:]
        grades = pool.grades(last) if last else {}
        pool.add(len(walkers) + half, last)
        walkers += new
        cells += [start.rich_cell for start in round_]
        if progress and grades:
            worst = max(grades, key=lambda name: grades[name])
            print(
                f"{len(walkers)} seeding trajectories; the last are graded up to {grades[worst]:.3g} ({worst}) by the "
                "others",
                flush=True,
            )
        if not seeding.trajectories and all(grade <= FAR for grade in grades.values()):
            break
    chosen = []
    for k, n in _choose(pool.owners(), walkers, seeding):
        atoms = walkers[k].samples[n]
        atoms.info["parent"] = f"seeding/{k}/{n}"
        if cells[k] is not None:
            atoms.info["rich_cell"] = cells[k]
        chosen.append(atoms)
    return Seeds(
        chosen,
        sum(len(walker.samples) for walker in walkers),
        [f"seeding trajectory {k}: {walker.failure}" for k, walker in enumerate(walkers) if walker.failure],
        Counter("label failed" if walker.failure else "completed" for walker in walkers),
        pool.ranks(),
        grades,
    )


def _choose(
    owners: Counter[tuple[int, int]], walkers: Sequence[Walker], seeding: SeedingSettings
) -> list[tuple[int, int]]:
    """Return trajectory and step of the configurations of the training set.

    Configurations with rows in MaxVol's matrix are taken, those with most rows first, up to the number in the settings.
    If they are fewer than that number, or than half of all steps if it is 0, further configurations are spread evenly
    over the remaining steps of all trajectories.
    """
    steps = [(k, n) for k, walker in enumerate(walkers) for n in range(len(walker.samples))]
    count = min(seeding.configurations or (len(steps) + 1) // 2, len(steps))
    ranked = sorted(owners, key=lambda place: (-owners[place], place))
    chosen = set(ranked[:count] if seeding.configurations else ranked)
    rest = [place for place in steps if place not in chosen]
    missing = count - len(chosen)
    if missing > 0:
        chosen |= {rest[n] for n in even_steps(len(rest), missing)}
    return sorted(chosen)


class _Pool:
    """MaxVol's rows of all trajectories so far for each species, and the configurations that they belong to."""

    def __init__(self, potential: Potential, mode: Mode) -> None:
        self._potential, self._mode = potential, mode
        self._blocks = SpeciesBlocks.of(potential)
        self._rows = {name: np.empty((0, len(columns))) for name, columns in self._blocks.columns.items()}
        self._places: dict[str, list[tuple[int, int]]] = {name: [] for name in self._rows}
        self._results: dict[str, MaxVolResult] = {}

    def add(self, first: int, walkers: Sequence[Walker]) -> None:
        """Add trajectories, numbered from `first`."""
        for k, walker in enumerate(walkers, start=first):
            for name, (rows, steps) in self._rows_of([walker]).items():
                pool = np.concatenate([self._rows[name], rows])
                if not len(pool):
                    continue
                places = self._places[name] + [(k, int(step)) for step in steps]
                result = maxvol(pool)
                self._results[name] = result
                self._rows[name] = pool[result.selected]
                self._places[name] = [places[row] for row in result.selected]

    def grades(self, walkers: Sequence[Walker]) -> dict[str, float]:
        """Return the highest grade of each species in trajectories that have not been added yet."""
        return {
            name: float(self._results[name].grades(rows).max()) if name in self._results else np.inf
            for name, (rows, _) in self._rows_of(walkers).items()
            if len(rows)
        }

    def ranks(self) -> dict[str, tuple[int, int]]:
        """Return the rank of each species' own parameters, and the largest possible."""
        return {name: (len(rows), self._blocks.attainable[name]) for name, rows in self._rows.items()}

    def owners(self) -> Counter[tuple[int, int]]:
        """Return the number of rows in MaxVol's matrices of each configuration (trajectory, step)."""
        return Counter(place for places in self._places.values() for place in places)

    def _rows_of(self, walkers: Sequence[Walker]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return, by species, the rows of all steps in its columns (n, c), and the step of each row (n,)."""
        rows_of: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in self._rows}
        whole = self._mode == "configuration"
        gradient = self._potential.energy_gradient if whole else self._potential.site_energy_gradients
        for walker in walkers:
            for step, atoms in enumerate(walker.samples):
                rows = np.atleast_2d(gradient(atoms))
                for name, columns in self._blocks.columns.items():
                    own = rows[:, columns]
                    own = own[np.any(own != 0.0, axis=1)]
                    rows_of[name].append((own, np.full(len(own), step)))
        return {
            name: (np.concatenate([rows for rows, _ in parts]), np.concatenate([steps for _, steps in parts]))
            for name, parts in rows_of.items()
            if parts
        }
