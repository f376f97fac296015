"""History, progress bar and checkpoint of a fit."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write, read_arrays
from electrolyte_ml.progress import progress_bar

CHECKPOINT_SECONDS = 20.0


class _Step(NamedTuple):
    """Result of a step: parameters, and numbers of iterations and evaluations at its end."""

    parameters: np.ndarray
    iterations: int
    evaluations: int


class Progress:
    """History, progress bar and checkpoint of a fit.

    A fit is a series of steps that return parameters: linear solutions, and runs of BFGS. The checkpoint contains the
    results of all finished steps, and every loss and gradient of the unfinished run. When the same fit is started
    again, it uses these numbers instead of computing them; the parameters at its end are bitwise identical to those
    without an interruption.

    Parameters
    ----------
    total : int
        Iterations of all starts together.
    shown : bool
    checkpoint : Path or None
    identity : str
        Hash of model, start, data and settings.
    n_parameters : int
        Number of parameters of the model.

    Attributes
    ----------
    history : list of (int, float, float)
        Iteration, loss and seconds of the present start.
    evaluations : int
        Number of evaluations of loss and gradient.

    Raises
    ------
    InputError
        The checkpoint is damaged, or belongs to another fit.
    """

    def __init__(self, total: int, shown: bool, checkpoint: Path | None, identity: str, n_parameters: int) -> None:
        self.checkpoint, self.identity, self.n_parameters = checkpoint, identity, n_parameters
        self.history: list[tuple[int, float, float]] = []
        self.evaluations = 0
        self._recorded: list[tuple[float, float]] = []  # loss and seconds of all iterations of all starts, in order
        self._steps: list[_Step] = []
        self._run: list[tuple[float, np.ndarray]] = []  # loss and gradient of each evaluation of the unfinished run
        # Numbers of the recorded items that this process has used or made; fewer than recorded while it follows a
        # checkpoint.
        self._n_iterations, self._n_steps, self._n_run = 0, 0, 0
        self._resume()
        self.began = time.perf_counter() - (self._recorded[-1][1] if self._recorded else 0.0)
        self.bar = progress_bar(total=total, desc="Fit", unit="it", shown=shown)

    @property
    def done(self) -> int:
        """Iterations done from the present start."""
        return self.history[-1][0]

    @property
    def loss(self) -> float:
        """Last value of the loss."""
        return self.history[-1][1]

    def start(self, loss: float, name: str = "Fit") -> None:
        """Begin the history of a start with the first value of the loss."""
        self.bar.set_description_str(name)
        first = self._n_iterations == 0
        self.history = [(0, *self._record(loss))]
        if first:
            self.save()

    def __call__(self, loss: float) -> None:
        """Record an iteration."""
        self.history.append((self.done + 1, *self._record(loss)))
        self.bar.set_postfix_str(f"loss {self.loss:.5g}", refresh=False)
        self.bar.update()
        if time.perf_counter() - self._saved > CHECKPOINT_SECONDS:
            self.save()

    def _record(self, loss: float) -> tuple[float, float]:
        if self._n_iterations == len(self._recorded):
            self._recorded.append((float(loss), time.perf_counter() - self.began))
        self._n_iterations += 1
        return self._recorded[self._n_iterations - 1]

    def step(self, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the parameters of the next step, from the checkpoint if they are in it, otherwise from `compute`."""
        if self._n_steps == len(self._steps):
            self._n_run = 0
            parameters = compute()
            self._steps.append(_Step(parameters, self._n_iterations, self.evaluations))
            self._run.clear()
        step = self._steps[self._n_steps]
        self._n_steps += 1
        while self._n_iterations < step.iterations:
            self(self._recorded[self._n_iterations][0])
        self.evaluations = step.evaluations
        return step.parameters

    def evaluate(self, compute: Callable[[], tuple[float, np.ndarray]], size: int) -> tuple[float, np.ndarray]:
        """Return loss and gradient (size,) of the next evaluation, from the checkpoint if it has them."""
        self.evaluations += 1
        if self._n_run < len(self._run):
            self._n_run += 1
            known = self._run[self._n_run - 1]
            if known[1].shape != (size,):
                raise self._damaged()
            return known
        result = compute()
        if self.checkpoint is not None:
            self._run.append(result)
            self._n_run += 1
        return result

    def save(self) -> None:
        """Write the checkpoint, if its file is set."""
        self._saved = time.perf_counter()
        if self.checkpoint is None:
            return
        buffer = io.BytesIO()
        np.savez(
            buffer,
            identity=self.identity,
            history=np.array(self._recorded).reshape(-1, 2),
            steps=np.array([step.parameters for step in self._steps]),
            ends=np.array([[step.iterations, step.evaluations] for step in self._steps], int).reshape(-1, 2),
            losses=np.array([loss for loss, _ in self._run]),
            gradients=np.array([gradient for _, gradient in self._run]),
        )
        atomic_write(self.checkpoint, buffer.getvalue())

    def _resume(self) -> None:
        """Read the checkpoint, if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        names = ["identity", "history", "steps", "ends", "losses", "gradients"]
        try:
            saved = read_arrays(self.checkpoint, names)
        except (InputError, OSError):
            raise self._damaged() from None
        identity, history, steps, ends, losses, gradients = (saved[name] for name in names)
        if str(identity) != self.identity:
            raise InputError(
                f"{self.checkpoint} belongs to another potential, other data or other settings; "
                "remove it to start again"
            )
        try:
            self._recorded = [(float(loss), float(seconds)) for loss, seconds in history]
            self._steps = [_Step(values, int(k), int(n)) for values, (k, n) in zip(steps, ends, strict=True)]
            self._run = [(float(loss), gradient) for loss, gradient in zip(losses, gradients, strict=True)]
            self._check(steps, gradients)
        except (ValueError, TypeError, OverflowError):
            raise self._damaged() from None

    def _check(self, steps: np.ndarray, gradients: np.ndarray) -> None:
        """Raise `ValueError` for numbers that no fit has; a loss may be infinite where a line search went too far."""
        losses = [loss for loss, _ in (*self._recorded, *self._run)]
        seconds = [0.0, *(seconds for _, seconds in self._recorded)]
        iterations = [0, *(step.iterations for step in self._steps), len(self._recorded)]
        evaluations = [0, *(step.evaluations for step in self._steps)]
        growing = all((np.diff(values) >= 0).all() for values in (seconds, iterations, evaluations))
        if not growing or np.isnan(losses).any() or not np.isfinite([*steps.ravel(), *gradients.ravel()]).all():
            raise ValueError
        if any(step.parameters.shape != (self.n_parameters,) for step in self._steps):
            raise ValueError

    def _damaged(self) -> InputError:
        return InputError(f"{self.checkpoint} is not a checkpoint of a fit; remove it to start again")
