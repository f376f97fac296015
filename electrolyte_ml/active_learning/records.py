"""Files of a run, and records of its completed stages, with which it continues after an interruption.

::

    settings.toml           the settings
    labels/                 every label (unless the settings name a store shared with others)
    iteration_000/          the seeding: labelled.xyz, potential.*, active_set.npz, and the records of its stages
    iteration_001/ ...      trajectory_00/ ..., saved.xyz, selected.xyz, labelled.xyz, potential.*, active_set.npz
    training_set.xyz potential.* active_set.npz status.csv status.json       the state after the last iteration

A stage writes its files first and its record, a ``.json``, last; a stage whose record exists is not repeated.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import Record, atomic_write, read_json
from electrolyte_ml.potentials import Potential, load
from electrolyte_ml.reference import LabelError, Reference
from electrolyte_ml.settings import edited_files
from electrolyte_ml.structures import read_configurations

if TYPE_CHECKING:
    from electrolyte_ml.training import FitResult

SETTINGS = "settings.toml"
STATUS = "status.json"
POTENTIAL = "potential"  # with the suffix of its kind
ACTIVE_SET = "active_set.npz"
SAVED = "saved.xyz"
LABELLED = "labelled.xyz"

# Labels of one configuration by one level of theory may differ by so much: far below what a fit resolves.
_SAME_ENERGY = 1e-4  # eV per atom
_SAME_FORCE = 0.01  # eV/Å


def save_potential(potential: Potential, folder: Path) -> Path:
    """Write a potential to a folder of the run under its usual name, and return the path."""
    path = folder / f"{POTENTIAL}{potential.suffix}"
    potential.save(path)
    return path


def save_fit(result: FitResult, folder: Path) -> None:
    """Write the potential of a fit under its usual name, and remove the checkpoint of the fit."""
    result.save(folder / f"{POTENTIAL}{result.potential.suffix}")


def load_potential(folder: Path) -> Potential:
    """Read the potential of a folder.

    Raises
    ------
    InputError
        There is no potential, or more than one.
    """
    files = sorted(folder.glob(f"{POTENTIAL}.*"))
    if len(files) != 1:
        raise InputError(f"{folder} holds {len(files)} files {POTENTIAL}.*, not one")
    return load(files[0])


def iteration_folder(directory: Path, number: int) -> Path:
    """Return the folder of an iteration; number 0 is the seeding."""
    return directory / f"iteration_{number:03d}"


def iteration_number(folder: Path) -> int:
    """Return the number of an iteration from its folder; the inverse of `iteration_folder`."""
    return int(folder.name.removeprefix("iteration_"))


def once(record: Path, work: Callable[[], dict[str, Any]]) -> Record:
    """Run a stage unless its record exists, and return the record.

    Parameters
    ----------
    record
        The stage's ``.json``, which is written after its other files.
    work
        Function that runs the stage and returns the values to record; its time (s) is added as ``seconds``.
    """
    if not record.exists():
        started = time.perf_counter()
        outcome = work()
        outcome["seconds"] = time.perf_counter() - started
        atomic_write(record, json.dumps(outcome) + "\n")
    return read_json(record)


def record_start(directory: Path, settings: ActiveLearningSettings, reference: Reference) -> None:
    """Write the settings and the reference of a new run, or compare them with those of the run in the directory.

    Raises
    ------
    InputError
        The run in the directory has other settings, another reference, or settings in an older layout.
    """
    record = iteration_folder(directory, 0) / SETTINGS
    identity = iteration_folder(directory, 0) / "reference.json"
    key = json.loads(json.dumps({name: reference.key[name] for name in ("reference", "settings")}))
    key["files"] = settings.contents()
    elsewhere = (
        f"choose another directory; the setting labels = {str(directory / 'labels')!r} there will reuse the labels of "
        "this one"
    )
    if record.exists() and identity.exists():
        try:
            changed = ActiveLearningSettings.from_toml(record).changes(settings)
        except InputError as error:
            raise InputError(
                f"{directory} was begun with an older layout of the settings ({error}): {elsewhere}"
            ) from None
        before = read_json(identity, ["reference", "settings"])
        edited: list[str] | None = []
        if not any(name.startswith("reference") for name in changed):
            edited = _changed_files(before.table("settings"), key["settings"])
            if edited is None or before["reference"] != key["reference"]:
                changed.append("reference")
        changed += edited_files(before.get("files"), key["files"])
        if changed:
            raise InputError(f"{directory} was begun with other settings ({', '.join(changed)}): {elsewhere}")
        if edited:
            _check_edited_files(directory, reference, ", ".join(edited), elsewhere)
            atomic_write(identity, json.dumps(key) + "\n")
    else:
        atomic_write(identity, json.dumps(key) + "\n")
        atomic_write(record, settings.to_toml(record, directory))
    settings_file = directory / SETTINGS
    if not settings_file.exists() or ActiveLearningSettings.from_toml(settings_file) != settings:
        atomic_write(settings_file, settings.to_toml(settings_file, directory))


def _changed_files(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str] | None:
    """Name the files whose content differs between the settings of two references, ``None`` if anything else does."""
    if {**before, "contents": None} != {**now, "contents": None}:
        return None
    known, contents = before.get("contents"), now.get("contents", [])
    return [name for name, content in contents if not isinstance(known, list) or [name, content] not in known]


def _check_edited_files(directory: Path, reference: Reference, edited: str, elsewhere: str) -> None:
    """Compare a label of a run with a new one, after an edit of files that its reference consists of.

    A program that was repaired gives the same labels again; one that gives others is another level of theory.

    Raises
    ------
    InputError
        The labels differ.
    LabelError
        The configuration cannot be labelled any more.
    """
    path = iteration_folder(directory, 0) / LABELLED
    if not path.exists():
        return
    atoms = read_configurations(path, labelled=True)[0]
    print(
        f"{edited} changed after {directory} was begun: the first label is computed again", file=sys.stderr, flush=True
    )
    try:
        label = reference.label(atoms)
    except LabelError as error:
        raise LabelError(
            f"{edited} changed after {directory} was begun, and {path} has a label that fails now: {error}"
        ) from error
    energy = label.energy - atoms.get_potential_energy()
    force = np.abs(label.forces - atoms.get_forces()).max()
    if abs(energy) > _SAME_ENERGY * len(atoms) or force > _SAME_FORCE:
        raise InputError(
            f"{edited} changed after {directory} was begun, and labels with it: "
            f"the energy of configuration 1 of {path} by {energy:.4g} eV, its forces by up to {force:.4g} eV/Å: "
            f"{elsewhere}"
        )
