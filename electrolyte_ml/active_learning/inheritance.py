"""The first training set of a mixture, out of the sets that were learnt for its parts (paper, section S1).

The sets are put together. A potential is fitted to some configurations, evenly spaced over all of them, and MaxVol
chooses with it among the others; both together are the first training set.

A run that goes on from other starts (section 2.3.1) has its whole training set in place of the evenly spaced
configurations, and its own potential in place of the one fitted to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.records import load_potential, once, save_fit, save_potential
from electrolyte_ml.active_learning.seeding import even_steps
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import Reference
from electrolyte_ml.structures import read_configurations, species_of

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

TRAINING_SET = "training_set.xyz"  # of a run


@dataclass(frozen=True)
class Inherited:
    """What was taken from the sets of others.

    Attributes
    ----------
    chosen : list of Atoms
        Labelled; ``info`` has `inherited`, the name of the set, and `parent`, which begins with it.
    available : int
        Configurations of all sets together.
    uniform : int
        Of the chosen, those that are evenly spaced, or of the run that goes on; MaxVol took the others.
    potential : Potential
        Fitted to these.
    """

    chosen: list[Atoms]
    available: int
    uniform: int
    potential: Potential

    @property
    def counts(self) -> Mapping[str, int]:
        """Chosen configurations of each set."""
        return Counter(atoms.info["inherited"] for atoms in self.chosen)


def read_sets(paths: Sequence[str], species: Sequence[str], reference: Reference) -> list[Atoms]:
    """Read the labelled configurations of several sets, one after the other.

    Parameters
    ----------
    paths
        Folders of runs of active learning, or files of labelled configurations.
    species
        That the sets may have.
    reference
        That must have labelled them, where the file says what has.

    Raises
    ------
    InputError
        A set is missing or empty, has other species, or was labelled by another reference; two have one name.
    """
    names = [_name(path) for path in paths]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"two of the sets are named {twice[0]}: {', '.join(paths)}")
    found = []
    for name, path in zip(names, map(Path, paths), strict=True):
        file = path / TRAINING_SET if path.is_dir() else path
        if not file.exists():
            raise InputError(f"{file} does not exist: a set is a file of labelled configurations or a run's folder")
        configurations = read_configurations(file, labelled=True)
        if foreign := sorted(set(species_of(configurations)) - set(species)):
            raise InputError(f"{file}: {', '.join(foreign)} is not in the composition of the settings")
        for number, atoms in enumerate(configurations, start=1):
            labelled = atoms.info.get("reference", reference.name)
            if labelled != reference.name:
                text = f"labelled by {labelled}, but the reference of this run is {reference.name}"
                raise InputError(f"{file}: configuration {number} was {text}")
            parent = atoms.info.get("parent", f"configuration {number}")
            atoms.info |= {"inherited": name, "parent": f"{name}/{parent}"}
            atoms.info.pop("grade", None)  # by another potential
        found += configurations
    return found


def _name(path: str) -> str:
    """Return the name of a set: that of the folder, or of the file without its suffixes."""
    return Path(path).name.partition(".")[0]


def inherit(
    folder: Path,
    configurations: Sequence[Atoms],
    start: Potential,
    settings: ActiveLearningSettings,
    *,
    progress: bool = True,
) -> Inherited:
    """Choose the first training set among labelled configurations.

    Parameters
    ----------
    folder
        Keeps the preliminary fit, so that it is not repeated.
    configurations
        From `read_sets`.
    start
        From which the preliminary potential is fitted.
    settings
        Its inheritance, fit and grades.
    progress
        Show a progress line.
    """
    if settings.inheritance.run is not None:
        name = _name(settings.inheritance.run)
        taken = [k for k, atoms in enumerate(configurations) if atoms.info["inherited"] == name]
        potential = continued_potential(Path(settings.inheritance.run), start)
        folder.mkdir(parents=True, exist_ok=True)
        save_potential(potential, folder)
    else:
        taken, potential = _evenly_fitted(folder, configurations, start, settings, progress=progress)
    few = [configurations[k] for k in taken]
    active_set = ActiveSet.build(potential, few, settings.grades.mode, terms=settings.grades.terms)
    places = sorted(set(range(len(configurations))) - set(taken))
    added = active_set.select([configurations[k] for k in places], settings.grades.swap_threshold)
    chosen = sorted({*taken, *(places[k] for k in added)})
    return Inherited([configurations[k] for k in chosen], len(configurations), len(taken), potential)


def continued_potential(run: Path, start: Potential) -> Potential:
    """Return the potential of a run, which must be of the model of a start.

    Raises
    ------
    InputError
        It is of another kind, or has other species or another number of parameters; or the run has none.
    """
    potential = load_potential(run)
    for what in ("kind", "species", "n_parameters"):
        if getattr(potential, what) != getattr(start, what):
            raise InputError(
                f"{run}: the run that goes on has a potential of other {what} ({getattr(potential, what)}) than the "
                f"model of the settings ({getattr(start, what)})"
            )
    return potential


def _evenly_fitted(
    folder: Path,
    configurations: Sequence[Atoms],
    start: Potential,
    settings: ActiveLearningSettings,
    *,
    progress: bool,
) -> tuple[list[int], Potential]:
    """Return which configurations are evenly spaced, and the potential fitted to them."""
    from electrolyte_ml.training import train

    count = min(settings.inheritance.uniform_configurations, len(configurations))
    uniform = even_steps(len(configurations), count)
    few = [configurations[k] for k in uniform]
    folder.mkdir(parents=True, exist_ok=True)

    def fit() -> dict[str, Any]:
        result = train(
            few,
            start,
            **settings.fit.options(refit=False),
            checkpoint=folder / "fit_checkpoint.npz",
            progress=progress,
        )
        save_fit(result, folder)
        return {"size": count, "force_rmse": result.errors.force_rmse}

    once(folder / "fit.json", fit)
    return uniform, load_potential(folder)
