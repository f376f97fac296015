"""Trial fits: trained on a part of the labels, tested on held-out configurations, with results stored in files."""

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
    """Settings of a trial fit.

    Attributes
    ----------
    model : ModelSpec
    weights : Weights
    size : int
        Number of training configurations.
    seed : int
        Seed of the split, the order of the configurations, and the random start.
    iterations : int
        Most iterations of the optimiser.
    """

    model: ModelSpec
    weights: Weights
    size: int
    seed: int
    iterations: int


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial fit.

    Attributes
    ----------
    errors : Errors
        Errors on the held-out configurations.
    iterations : int
        Number of iterations of the optimiser.
    converged : bool
        Whether the loss stopped falling before the iterations ran out.
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
    """Return the file for the result of a trial; `data` is a hash of the labels, which enters the name."""
    identity = hashlib.blake2b(repr((data, sorted(asdict(trial).items()))).encode(), digest_size=6).hexdigest()
    return directory / f"level{trial.model.level}_size{trial.size}_seed{trial.seed}_{identity}.json"


def read_trial(path: Path) -> TrialResult | None:
    """Read the result of a trial; return None if there is no file.

    Raises
    ------
    InputError
        The file is not the result of a trial.
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
        raise InputError(f"{path} is not the result of a trial ({error}); remove it to fit again") from None


def run_trial(
    trial: Trial, train_on: Sequence[Atoms], held_out: Sequence[Atoms], species: Sequence[str], path: Path | None
) -> TrialResult:
    """Fit and test a potential, unless the file of the result exists.

    Parameters
    ----------
    trial
    train_on, held_out
        Labelled configurations.
    species
        Chemical symbols, in the order of the parameters.
    path
        File for the result; an interrupted fit stores its state in the same folder. With None, nothing is stored.
    """
    if path is not None and (stored := read_trial(path)) is not None:
        return stored
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
