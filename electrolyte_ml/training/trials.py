"""Fits that test a choice: trained on a part of the labels, judged by the configurations held out, kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write, read_json
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.training.fit import train
from electrolyte_ml.training.loss import Errors, Weights, evaluate_errors

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Trial:
    """What is fitted, and to how many configurations.

    Attributes
    ----------
    model : ModelSpec
    weights : Weights
    size : int
        Configurations to train on.
    seed : int
        Of the split, of the order in which configurations are taken, and of the random start.
    iterations : int
        Of the optimiser, at most.
    """

    model: ModelSpec
    weights: Weights
    size: int
    seed: int
    iterations: int


@dataclass(frozen=True)
class TrialResult:
    """What a trial came to.

    Attributes
    ----------
    errors : Errors
        On the configurations held out.
    iterations : int
        Of the optimiser.
    converged : bool
        The loss had stopped falling before the iterations ran out.
    seconds : float
        Wall time of the optimiser, on one thread.
    """

    errors: Errors
    iterations: int
    converged: bool
    seconds: float


def digest_of(configurations: Sequence[Atoms]) -> str:
    """Return a hash of configurations and their labels."""
    content = hashlib.blake2b(digest_size=8)
    for atoms in configurations:
        arrays = [atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc]
        results = {} if atoms.calc is None else atoms.calc.results
        arrays += [np.asarray(results[name]) for name in ("energy", "forces", "stress") if name in results]
        content.update(str((atoms.info.get("charge"), atoms.info.get("parent"))).encode())
        for array in arrays:
            content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def trial_file(directory: Path, trial: Trial, data: str) -> Path:
    """Return the file of a trial's result, given the hash of the data: level, size and seed stand in its name."""
    identity = hashlib.blake2b(repr((data, sorted(asdict(trial).items()))).encode(), digest_size=6).hexdigest()
    return directory / f"level{trial.model.level}_size{trial.size}_seed{trial.seed}_{identity}.json"


def read_trial(path: Path) -> TrialResult | None:
    """Read a trial's result; None if it has not ended.

    Raises
    ------
    InputError
        The file is not one of a trial.
    """
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = read_json(path, ["result"])["result"]
        numbers: dict[str, Any] = {
            name: float("nan") if value is None else value for name, value in content.pop("errors").items()
        }
        return TrialResult(errors=Errors(**numbers), **content)
    except InputError as error:
        raise InputError(f"{error}; remove it to fit again") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not the result of a trial ({error}); remove it to fit again") from None


def run_trial(
    trial: Trial, train_on: Sequence[Atoms], held_out: Sequence[Atoms], species: Sequence[str], path: Path | None
) -> TrialResult:
    """Fit and test, unless the file of the result exists.

    Parameters
    ----------
    trial
    train_on, held_out
        Labelled configurations.
    species
        Chemical symbols, in the order of the parameters.
    path
        File of the result, beside which an interrupted fit keeps its state; None keeps nothing.
    """
    if path is not None and (found := read_trial(path)) is not None:
        return found
    weights = trial.weights
    fit = train(
        train_on,
        trial.model.random(species, trial.seed),
        energy_weight=weights.energy,
        force_weight=weights.force,
        stress_weight=weights.stress,
        max_iterations=trial.iterations,
        threads=1,
        checkpoint=None if path is None else path.with_suffix(".npz"),
        progress=False,
    )
    result = TrialResult(
        errors=evaluate_errors(fit.potential, held_out),
        iterations=fit.history[-1][0],
        converged=fit.converged,
        seconds=fit.history[-1][2],
    )
    if path is not None:
        content = {"trial": asdict(trial), "result": asdict(result)}
        errors = content["result"]["errors"]
        content["result"]["errors"] = {name: None if value != value else value for name, value in errors.items()}
        atomic_write(path, json.dumps(content, indent=1) + "\n")
        if fit.checkpoint is not None:
            fit.checkpoint.unlink(missing_ok=True)
    return result
