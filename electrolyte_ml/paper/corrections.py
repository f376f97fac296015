"""Correction of the potential of LiPF6 in EC and EMC to a better reference, trained in small cells.

The potential of :mod:`electrolyte_ml.paper.ion_pairs` is fixed, and a small moment tensor potential is trained on top
of it. Dynamics use the sum of both; the better reference labels only configurations selected by the correction's own
grade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.places import shipped_file
from electrolyte_ml.paper.protocols import digest, label_store, placeless
from electrolyte_ml.paper.scales import CorrectionTraining, Scale
from electrolyte_ml.potentials import Potential


def correction_training(scale: Scale, base: Path) -> ActiveLearningSettings:
    """Return the settings for learning a correction of a potential.

    Parameters
    ----------
    scale
        Scale with a correction.
    base
        File of the potential to be corrected.

    Raises
    ------
    InputError
        The scale has no correction, or its sets are missing.
    """
    training = _training(scale)
    learning = training.learning
    if training.sets:
        paths = tuple(str(shipped_file(name)) for name in training.sets)
        learning = replace(learning, inheritance=InheritanceSettings(paths, uniform_configurations="all"))
    return ActiveLearningSettings.following(
        replace(learning, model=replace(learning.model, on_top_of=str(base))),
        composition=training.cells,
        density=training.densities,
        labels=str(label_store(scale).directory),
    )


def learn_correction(
    scale: Scale,
    potential: Potential,
    *,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Learn the correction of a potential, or resume an interrupted run.

    Parameters
    ----------
    scale
        Scale with a correction.
    potential
        The potential to be corrected, which is saved beside the run.
    on_iteration
        Function called after each iteration with the present state.
    progress
        Whether to print the status table as it grows.

    Returns
    -------
    ActiveLearningResult
        Result whose potential is the sum of both.

    Raises
    ------
    InputError, ElectrolyteError
        The scale has no correction; otherwise as for :func:`electrolyte_ml.active_learn`.
    """
    _training(scale)
    base = scale.directory / "corrections" / f"base_{potential.fingerprint[:12]}{potential.suffix}"
    if not base.exists():
        base.parent.mkdir(parents=True, exist_ok=True)
        potential.save(base)
    settings = correction_training(scale, base)
    directory = scale.directory / "corrections" / f"{base.stem}_{digest(placeless(settings))}"
    return active_learn(directory, settings, on_iteration=on_iteration, progress=progress)


def _training(scale: Scale) -> CorrectionTraining:
    if scale.correction is None:
        raise InputError(f"the {scale.name} scale corrects no potential")
    return scale.correction
