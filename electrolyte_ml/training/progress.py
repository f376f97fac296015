"""History, progress line and checkpoint of a fit."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write

CHECKPOINT_SECONDS = 20.0


class Progress:
    """History, progress bar and checkpoint of a fit."""

    def __init__(self, total: int, shown: bool, checkpoint: Path | None, identity: str) -> None:
        self.total, self.shown, self.checkpoint, self.identity = total, shown, checkpoint, identity
        self.history: list[tuple[int, float, float]] = []
        self.evaluations = 0
        self.began = time.perf_counter()

    def start(self, parameters: np.ndarray, loss: float | None = None) -> None:
        """From the first value of the loss, or (None) from a history that was resumed."""
        from tqdm import tqdm

        if loss is None:
            self.began -= self.history[-1][2]
        else:
            self.history = [(0, loss, time.perf_counter() - self.began)]
        self.bar = tqdm(total=self.total, initial=self.done, desc="Fit", unit="it", disable=not self.shown)
        self.latest = parameters
        self.save()

    @property
    def done(self) -> int:
        """Iterations done."""
        return self.history[-1][0]

    @property
    def loss(self) -> float:
        """The last value of the loss."""
        return self.history[-1][1]

    def __call__(self, parameters: np.ndarray, loss: float) -> None:
        """Record an iteration."""
        now = time.perf_counter()
        self.latest = parameters
        self.history.append((self.done + 1, float(loss), now - self.began))
        self.bar.set_postfix_str(f"loss {loss:.5g}", refresh=False)
        self.bar.update()
        if now - self.saved > CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the checkpoint, if there is to be one."""
        self.saved = time.perf_counter()
        if self.checkpoint is not None:
            buffer = io.BytesIO()
            np.savez(buffer, parameters=self.latest, identity=self.identity, history=np.array(self.history))
            atomic_write(self.checkpoint, buffer.getvalue())

    def resume(self) -> np.ndarray | None:
        """Parameters of the checkpoint, if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return None
        try:
            with np.load(self.checkpoint) as saved:
                identity, parameters, history = str(saved["identity"]), saved["parameters"], saved["history"]
        except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile):
            raise InputError(f"{self.checkpoint}: not a checkpoint of a fit; remove it to start anew") from None
        if identity != self.identity:
            raise InputError(
                f"{self.checkpoint}: belongs to another potential, other data or other settings; "
                "remove it to start anew"
            )
        self.history = [(int(iteration), float(loss), float(seconds)) for iteration, loss, seconds in history]
        return parameters
