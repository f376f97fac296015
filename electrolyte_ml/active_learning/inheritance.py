"""Inherited training sets: the first set of a mixture from the sets of its components (paper, section S1).

The sets are concatenated. A potential is fitted to some configurations, evenly spaced over all of them, and MaxVol
selects among the others with its derivatives; both together are the first training set.

If a run is continued from other starts (section 2.3.1), its whole training set replaces the evenly spaced
configurations, and its own potential replaces the one fitted to them.
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
from electrolyte_ml.potentials.shipped import find_shipped, is_shipped
from electrolyte_ml.potentials.store import load
from electrolyte_ml.reference import Reference
from electrolyte_ml.structures import read_configurations, species_of

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

TRAINING_SET = "training_set.xyz"  # file in the folder of a run


@dataclass(frozen=True)
class Inherited:
    """Configurations that were inherited from the sets of other runs.

    Attributes
    ----------
    chosen : list of Atoms
        Labelled configurations; ``info`` has `inherited`, the name of the set, and `parent`, which begins with it.
    available : int
        Number of configurations of all sets together.
    uniform : int
        Number of chosen configurations that are evenly spaced, or from the continued run; MaxVol selected the others.
    potential : Potential
        The potential fitted to those `uniform` configurations.
    """

    chosen: list[Atoms]
    available: int
    uniform: int
    potential: Potential

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of chosen configurations of each set."""
        return Counter(atoms.info["inherited"] for atoms in self.chosen)


def read_sets(paths: Sequence[str], species: Sequence[str], reference: Reference) -> list[Atoms]:
    """Read the labelled configurations of several sets, one after the other.

    Parameters
    ----------
    paths
        Folders of runs of active learning, files of labelled configurations, or names of potentials that come with the
        package.
    species
        Species that the sets may have.
    reference
        Reference that must have labelled the configurations, if the file names one.

    Raises
    ------
    InputError
        A set is missing or empty, has other species, or was labelled by another reference; or two sets have the same
        name.
    """
    names = [_name(path) for path in paths]
    if duplicates := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"two of the sets are named {duplicates[0]}: {', '.join(paths)}")
    labelled_configurations = []
    for name, path in zip(names, paths, strict=True):
        file = _labelled_file(path)
        configurations = read_configurations(file, labelled=True)
        if foreign := sorted(set(species_of(configurations)) - set(species)):
            raise InputError(f"{file}: {', '.join(foreign)} is not in the composition of the settings")
        for number, atoms in enumerate(configurations, start=1):
            labeller = atoms.info.get("reference", reference.name)
            if labeller != reference.name:
                text = f"labelled by {labeller}, but the reference of this run is {reference.name}"
                raise InputError(f"{file}: configuration {number} was {text}")
            parent = atoms.info.get("parent", f"configuration {number}")
            atoms.info |= {"inherited": name, "parent": f"{name}/{parent}"}
            atoms.info.pop("grade", None)  # a grade of another potential
        labelled_configurations += configurations
    return labelled_configurations


def _name(path: str) -> str:
    """Return the name of a set: the name of the folder, or of the file without its suffixes."""
    return Path(path).name.partition(".")[0]


def _labelled_file(path: str) -> Path:
    """Return the file of the labelled configurations of a set."""
    place = Path(path)
    if not place.exists() and is_shipped(path):
        file = find_shipped(path).training_set
        if file is None:
            raise InputError(f"the training set of {path} does not come with the package")
        return file
    file = place / TRAINING_SET if place.is_dir() else place
    if not file.exists():
        raise InputError(
            f"{file} does not exist: a set is a file of labelled configurations, a run's folder, or the name of a "
            "potential that comes with the package"
        )
    return file


def inherit(
    folder: Path,
    configurations: Sequence[Atoms],
    start: Potential,
    settings: ActiveLearningSettings,
    *,
    progress: bool = True,
) -> Inherited:
    """Return the first training set, chosen among labelled configurations.

    Parameters
    ----------
    folder
        Folder of the preliminary fit, which is not repeated.
    configurations
        Result of `read_sets`.
    start
        Potential from which the preliminary fit starts.
    settings
        Settings of the run, with the sections for inheritance, fit and grades.
    progress
        Whether to show a progress line.
    """
    if settings.inheritance.run is not None:
        name = _name(settings.inheritance.run)
        taken = [k for k, atoms in enumerate(configurations) if atoms.info["inherited"] == name]
        potential = continued_potential(settings.inheritance.run, start)
        folder.mkdir(parents=True, exist_ok=True)
        save_potential(potential, folder)
    else:
        taken, potential = _evenly_fitted(folder, configurations, start, settings, progress=progress)
    fitted = [configurations[k] for k in taken]
    active_set = ActiveSet.build(potential, fitted, settings.grades.mode, terms=settings.grades.terms)
    others = sorted(set(range(len(configurations))) - set(taken))
    added = active_set.select([configurations[k] for k in others], settings.grades.swap_threshold)
    chosen = sorted({*taken, *(others[k] for k in added)})
    return Inherited([configurations[k] for k in chosen], len(configurations), len(taken), potential)


def continued_potential(run: str, start: Potential) -> Potential:
    """Return the potential to be continued, of a run's folder or by its name; it must have the same model as `start`.

    Raises
    ------
    InputError
        The potential is of another kind, or has other species or another number of parameters; or the run has none.
    """
    potential = load_potential(Path(run)) if Path(run).is_dir() else load(run)
    for name in ("kind", "species", "n_parameters"):
        if getattr(potential, name) != getattr(start, name):
            raise InputError(
                f"{run}: the potential to be continued has other {name} ({getattr(potential, name)}) than "
                f"the model of the settings ({getattr(start, name)})"
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
    """Return the indices of evenly spaced configurations, and the potential fitted to them."""
    from electrolyte_ml.training import train

    wanted = settings.inheritance.uniform_configurations
    count = len(configurations) if wanted == "all" else min(wanted, len(configurations))
    uniform = even_steps(len(configurations), count)
    fitted = [configurations[k] for k in uniform]
    folder.mkdir(parents=True, exist_ok=True)

    def fit() -> dict[str, Any]:
        result = train(
            fitted,
            start,
            **settings.fit.options(refit=False),
            checkpoint=folder / "fit_checkpoint.npz",
            progress=progress,
        )
        save_fit(result, folder)
        return {"size": count, "force_rmse": result.errors.force_rmse}

    once(folder / "fit.json", fit)
    return uniform, load_potential(folder)
