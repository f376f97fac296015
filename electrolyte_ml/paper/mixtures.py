"""Mixtures of EC and EMC: training set, kinds of potential, and their densities (sections 2.2 and S1)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.mixing import Mixture, count_origins, mixing_line
from electrolyte_ml.active_learning.records import load_potential, once, save_fit
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.analysis import mean_density
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.places import shipped_file, shipped_results, shown_path
from electrolyte_ml.paper.protocols import density_run, digest, label_store, placeless, solvent_run, solvents
from electrolyte_ml.paper.scales import SCALES, MixtureDensity, MixtureTraining, Scale
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import ModelSpec, Potential, load
from electrolyte_ml.potentials.shipped import ShippedPotential, find_shipped
from electrolyte_ml.structures import parse_composition, read_configurations, species_of

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult

_FIT = "fit.json"
Kinds = Mapping[str, Mapping[int, Potential]]  # name of a kind of potential -> seed -> potential


def mixture_training(scale: Scale, *, seed: int = 0) -> ActiveLearningSettings:
    """Return the settings for learning the mixtures from the pure solvents' training sets of the first seed.

    Raises
    ------
    InputError
        The scale does not learn mixtures.
    """
    training = _training(scale)
    line, learning = mixtures_of(training), training.learning
    protocol = replace(
        learning,
        exploration=replace(learning.exploration, trajectories=len(line)),
        inheritance=InheritanceSettings(tuple(map(str, _inherited(scale))), training.uniform_configurations),
    )
    return ActiveLearningSettings.following(
        protocol,
        composition=tuple(mixture.composition for mixture in line),
        density=tuple(mixture.density for mixture in line),
        seed=seed,
        labels=str(label_store(scale).directory),
    )


def _inherited(scale: Scale) -> list[Path]:
    """Return the files or folders of the sets that the mixtures inherit."""
    if names := _training(scale).sets:
        return [shipped_file(f"sets/{name}") for name in names]
    return [solvent_run(scale, solvent, scale.pure_solvents.seeds[0]) for solvent in solvents(scale)]


def mixtures_of(training: MixtureTraining) -> list[Mixture]:
    """Return the boxes in which the mixtures are explored."""
    first, second = (Mixture(*end) for end in zip(training.ends, training.densities, strict=True))
    return mixing_line(first, second, training.compositions)


def learn_mixtures(
    scale: Scale,
    *,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Learn the mixtures (section S1), or resume an interrupted run.

    Parameters
    ----------
    scale
        Scale whose pure solvents have been learnt.
    on_iteration
        Function called after each iteration with the present state.
    progress
        Whether to print the status table as it grows.
    """
    return active_learn(mixtures_run(scale), mixture_training(scale), on_iteration=on_iteration, progress=progress)


class MixtureSet(NamedTuple):
    """Training set of the mixtures, with the potential learnt from it and a sentence that names their origin."""

    training_set: list[Atoms]
    potential: Potential
    origin: str


def mixture_set(scale: Scale, *, progress: bool = True) -> MixtureSet:
    """Return the training set of the mixtures from this scale's run, or the shipped one if there is no run.

    If no set ships for this scale, or the scale has another reference than its own, the mixtures are learnt. To learn
    them in any case, or to complete an interrupted run, call `learn_mixtures`.

    Parameters
    ----------
    scale
        Scale whose pure solvents have been learnt, or for which a set ships.
    progress
        Whether to show the status table if the mixtures are learnt.
    """
    if (shipped := _shipped_set(scale)) is not None:
        potential, training_set = shipped
        origin = f"shipped as {potential.name!r}, made by {potential.made_by}; notebook 05 learns a set anew"
        return MixtureSet(read_configurations(training_set, labelled=True), load(potential.path), origin)
    result = learn_mixtures(scale, progress=progress)
    return MixtureSet(list(result.training_set), result.potential, f"learnt in {shown_path(mixtures_run(scale))}")


def mixtures_source(scale: Scale) -> Path:
    """Return the file or folder of the set that `mixture_set` takes, for runs that inherit it."""
    shipped = _shipped_set(scale)
    return mixtures_run(scale) if shipped is None else shipped[1]


def _shipped_set(scale: Scale) -> tuple[ShippedPotential, Path] | None:
    """Return the shipped potential and set that stand for a run of this scale; None if there is a run, or no set."""
    name = _training(scale).shipped if scale.reference == SCALES[scale.name].reference else None
    if name is None or mixtures_run(scale).is_dir():
        return None
    found = find_shipped(name)
    if found.training_set is None:
        raise InputError(f"the potential {name!r} ships without its training set")
    return found, found.training_set


def mixtures_run(scale: Scale) -> Path:
    """Return the folder of the run of `learn_mixtures`, which depends on its settings."""
    return scale.directory / "mixtures" / f"learning_{digest(placeless(mixture_training(scale)))}"


def fit_kinds(
    scale: Scale, training_set: Sequence[Atoms], kinds: Sequence[ModelSpec] | None = None, *, progress: bool = True
) -> dict[str, dict[int, Potential]]:
    """Fit every kind of potential of the scale to one training set, from several random starts each.

    An interrupted fit is resumed, and a completed one is read from its file, also if it ships with the source tree.

    Parameters
    ----------
    scale
        Scale whose `mixture_density` defines the fit and the seeds.
    training_set
        Labelled configurations.
    kinds
        Kinds of potential, by default those of `mixture_density`.
    progress
        Whether to show a progress line.

    Returns
    -------
    dict
        Name, such as "MTP16-QRd", -> seed -> potential.
    """
    protocol = _density(scale)
    kinds = protocol.kinds if kinds is None else kinds
    options = {name: value for name, value in asdict(protocol.fit).items() if value is not None}
    content = hashlib.blake2b(json.dumps(options).encode(), digest_size=4)  # a new option, unset, renames no folder
    for atoms in training_set:
        for values in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.get_forces()):
            content.update(np.ascontiguousarray(values).tobytes())
        content.update(np.float64(atoms.get_potential_energy()).tobytes())
    name = content.hexdigest()
    jobs = [(kind, seed) for seed, kind in product(protocol.seeds, kinds)]
    folders = [_fit_folder(scale, f"fits_{name}", f"{kind.name}_seed{seed}") for kind, seed in jobs]
    map_progress(
        partial(_fit_kind, training_set=list(training_set), protocol=protocol),
        [(kind, seed, folder) for (kind, seed), folder in zip(jobs, folders, strict=True)],
        None,
        "fits",
        weights=[kind.level * (2 if kind.charges else 1) for kind, _ in jobs],
        progress=progress,
    )
    potentials: dict[str, dict[int, Potential]] = {kind.name: {} for kind in kinds}
    for (kind, seed), folder in zip(jobs, folders, strict=True):
        potentials[kind.name][seed] = load_potential(folder)
    return potentials


def _fit_folder(scale: Scale, set_name: str, fit_name: str) -> Path:
    """Return the folder of a fit: in the source tree if the fit is complete there, otherwise among the results."""
    place = Path("mixtures") / set_name / fit_name
    folder = shipped_results()
    if folder is not None and (folder / scale.name / place / _FIT).is_file():
        return folder / scale.name / place
    return scale.directory / place


def _fit_kind(
    job: tuple[ModelSpec, int, Path], training_set: Sequence[Atoms], protocol: MixtureDensity
) -> dict[str, Any]:
    from electrolyte_ml.training import train

    kind, seed, folder = job

    def fit() -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        result = train(
            training_set,
            kind.random(species_of(training_set), seed),
            **protocol.fit.options(refit=False),
            checkpoint=folder / "fit_checkpoint.npz",
            progress=False,
        )
        save_fit(result, folder)
        return {"errors": asdict(result.errors), "message": result.message}

    return once(folder / _FIT, fit)


def mixture_density_runs(
    scale: Scale, potentials: Kinds, *, progress: bool = True
) -> dict[str, dict[str, dict[int, RunResult]]]:
    """Run every potential in a box of every ratio, in parallel (Figs. 2 and S2); completed runs are reused.

    Returns
    -------
    dict
        Cell, such as "EC=35 EMC=15", -> name of the kind -> seed -> run, which may have ended early (see `reason`).
    """
    protocol = _density(scale)
    cells = dict(zip(protocol.density.cells, protocol.packing_densities, strict=True))
    jobs = [
        (cell, name, seed, potential)
        for cell in cells
        for name, members in potentials.items()
        for seed, potential in members.items()
    ]

    def run(job: tuple[str, str, int, Potential]) -> RunResult:
        cell, _, _, potential = job
        return density_run(potential, scale, protocol.density, cell, cells[cell])

    runs = map_progress(run, jobs, None, "density runs", progress=progress)
    by_cell: dict[str, dict[str, dict[int, RunResult]]] = {}
    for (cell, name, seed, _), result in zip(jobs, runs, strict=True):
        by_cell.setdefault(cell, {}).setdefault(name, {})[seed] = result
    return by_cell


def describe_training(result: ActiveLearningResult, reference: str) -> dict[str, Any]:
    """Return the stored result ``mixture_training`` on the mixtures' training set (claim 7, Fig. S1).

    Returns
    -------
    dict
        ``origins``: result of `count_origins`; ``growth``: molecules -> number of configurations added, for each
        iteration; ``available``: number of configurations of the inherited sets; and ``converged``.
    """
    last = max(atoms.info["iteration"] for atoms in result.training_set)
    by_iteration: list[list[Atoms]] = [[] for _ in range(last + 1)]
    for atoms in result.training_set:
        by_iteration[atoms.info["iteration"]].append(atoms)
    growth = []
    for added in by_iteration:
        contents: Counter[str] = Counter()
        for kinds in count_origins(added).values():
            contents.update(kinds)
        growth.append(dict(contents))
    return {
        "reference": reference,
        "origins": count_origins(result.training_set),
        "growth": growth,
        "available": result.status[0].saved,
        "converged": result.converged,
    }


def describe_densities(
    scale: Scale, runs: Mapping[str, Mapping[str, Mapping[int, RunResult]]], reference: str
) -> dict[str, Any]:
    """Return the stored result ``mixture_density`` on the densities (claims 9 to 11, Figs. 2 and S2).

    Returns
    -------
    dict
        ``runs`` and ``traces`` by liquid, such as "EC:EMC 7:3", kind and seed; see
        :mod:`electrolyte_ml.paper.claims.mixtures`. Traces are averaged over a picosecond.
    """
    protocol = _density(scale)
    values: dict[str, Any] = {"reference": reference, "levels": list(protocol.levels), "runs": {}, "traces": {}}
    for cell, kinds in runs.items():
        liquid = liquid_of(cell)
        for kind, members in kinds.items():
            for seed, run in members.items():
                entry: dict[str, Any] = {"failed": run.reason}
                if run.completed:
                    density = mean_density(run, last_ps=protocol.density.average_last_ps)
                    entry = {"mean": density.mean, "error": density.error, "drifts": density.drifts}
                values["runs"].setdefault(liquid, {}).setdefault(kind, {})[str(seed)] = entry
                values["traces"].setdefault(liquid, {}).setdefault(kind, {})[str(seed)] = _trace(run)
    return values


def _trace(run: RunResult) -> list[list[float]]:
    """Return times (ps) and densities (g/cm³) of a run, averaged over a picosecond."""
    bins = np.floor(run.times_ps).astype(int)
    counts = np.bincount(bins)
    return [
        [float(f"{value:.5g}") for value in np.bincount(bins, values)[counts > 0] / counts[counts > 0]]
        for values in (run.times_ps, run.densities)
    ]


def liquid_of(cell: str) -> str:
    """Return the name of a cell's liquid, as for measured values: "EC", or "EC:EMC 7:3" for "EC=35 EMC=15"."""
    counts = parse_composition(cell)
    if len(counts) == 1:
        return next(iter(counts))
    divisor = gcd(*counts.values())
    return f"{':'.join(counts)} {':'.join(str(count // divisor) for count in counts.values())}"


def _training(scale: Scale) -> MixtureTraining:
    if scale.mixture_training is None:
        raise InputError(f"the {scale.name} scale does not learn mixtures")
    return scale.mixture_training


def _density(scale: Scale) -> MixtureDensity:
    if scale.mixture_density is None:
        raise InputError(f"the {scale.name} scale has no densities of mixtures")
    return scale.mixture_density
