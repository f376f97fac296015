"""Learning of mixtures: one potential for all ratios of some liquids, from their training sets (paper, section S1)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.records import SETTINGS, iteration_folder
from electrolyte_ml.active_learning.sections import InheritanceSettings, LearningProtocol, UniformCount
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import Molecule, Topology, parse_composition
from electrolyte_ml.structures.composition import molecules_of, written

BROKEN = "broken or unknown molecules"


class Mixture(NamedTuple):
    """A composition and its density, g/cm³."""

    composition: str
    density: float


def mixing_line(first: Mixture, second: Mixture, count: int) -> list[Mixture]:
    """Return mixtures between two compositions: linear, rounded numbers of molecules, and additive volumes.

    Parameters
    ----------
    first, second
        Ends of the line, such as ("EC=16", 1.25) and ("EMC=8", 0.95).
    count
        Number of mixtures, 2 or more, including both ends.

    Raises
    ------
    InputError
        Two compositions on the line are equal after rounding: there are fewer than `count`.

    Examples
    --------
    >>> [mixture.composition for mixture in mixing_line(Mixture("EC=16", 1.25), Mixture("EMC=8", 0.95), 5)]
    ['EC=16', 'EC=12 EMC=2', 'EC=8 EMC=4', 'EC=4 EMC=6', 'EMC=8']
    """
    ends = [Counter(parse_composition(mixture.composition)) for mixture in (first, second)]
    masses = [sum(molecule.mass for molecule in molecules_of(counts)) for counts in ends]
    volumes = [mass / mixture.density for mass, mixture in zip(masses, (first, second), strict=True)]
    names = list(dict.fromkeys([*ends[0], *ends[1]]))
    line = []
    for share in np.linspace(0.0, 1.0, count):
        counts = {name: round((1 - share) * ends[0][name] + share * ends[1][name]) for name in names}
        mass, volume = ((1 - share) * values[0] + share * values[1] for values in (masses, volumes))
        line.append(
            Mixture(
                written({name: number for name, number in counts.items() if number}), round(float(mass / volume), 4)
            )
        )
    if count < 2 or len({mixture.composition for mixture in line}) < count:
        raise InputError(
            f"there are no {count} different compositions from {first.composition} to {second.composition}"
        )
    return line


def mixture_settings(
    runs: Sequence[str | os.PathLike],
    line: Sequence[Mixture],
    *,
    uniform_configurations: UniformCount = 20,
    **changes: Any,
) -> ActiveLearningSettings:
    """Return settings for learning mixtures from the training sets of runs, with the protocol of the first run.

    Parameters
    ----------
    runs
        Folders of runs of active learning with the same reference.
    line
        Mixtures whose boxes the exploration starts from, one trajectory each.
    uniform_configurations
        As in `InheritanceSettings`.
    changes
        Changes of the protocol and of the system: sections such as `model`, and `seed`, `labels`, `jobs`.

    Raises
    ------
    InputError
        A folder does not hold a run, the runs have different references, or two runs use one name for different
        molecules.
    """
    if not runs:
        raise InputError("learning a mixture needs at least one run")
    run_settings = [_settings_of(Path(run)) for run in runs]
    first = run_settings[0]
    molecules: dict[str, dict[str, Any]] = {}
    for run, settings in zip(runs, run_settings, strict=True):
        if settings.reference != first.reference:
            raise InputError(f"{run} was labelled by {settings.reference.name}, {runs[0]} by {first.reference.name}")
        for name, table in settings.molecules.items():
            if molecules.setdefault(name, table) != table:
                raise InputError(f"{run}: its molecule {name} differs from that of an earlier run")
    protocol = {item.name: getattr(first, item.name) for item in fields(LearningProtocol)}
    protocol["exploration"] = replace(first.exploration, trajectories=len(line), larger_boxes=())
    protocol["inheritance"] = InheritanceSettings(
        tuple(str(Path(run).resolve()) for run in runs), uniform_configurations
    )
    system = {
        "composition": tuple(mixture.composition for mixture in line),
        "density": tuple(mixture.density for mixture in line),
        "molecules": molecules,
    }
    return ActiveLearningSettings(**{**protocol, **system, **changes})


def _settings_of(run: Path) -> ActiveLearningSettings:
    path = iteration_folder(run, 0) / SETTINGS
    if not path.exists():
        raise InputError(f"{run} holds no run of active learning")
    return ActiveLearningSettings.from_toml(path)


def count_origins(
    training_set: Sequence[Atoms], own_molecules: Mapping[str, Molecule] | None = None
) -> dict[str, dict[str, int]]:
    """Count the configurations of a mixture's training set by origin and by the molecules in them.

    Returns
    -------
    dict of dict of int
        Origin -> molecules -> number of configurations. An origin is the name of an inherited set, or "new". Molecules
        are joined, such as "EC" and "EC + EMC"; configurations with a broken or unknown molecule have an entry of their
        own.
    """
    counts: dict[str, Counter[str]] = {}
    for atoms in training_set:
        names = Topology.of(atoms).known(own_molecules)
        kinds = sorted({name for name in names if name is not None})
        text = BROKEN if None in names else " + ".join(kinds)
        counts.setdefault(atoms.info.get("inherited", "new"), Counter())[text] += 1
    return {origin: dict(sorted(of_origin.items())) for origin, of_origin in sorted(counts.items())}
