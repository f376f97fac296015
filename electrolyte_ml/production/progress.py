"""Progress line of a production: the state of its runs in other processes, read from their logs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from electrolyte_ml.analysis.production import expected_error
from electrolyte_ml.production.cost import Leg
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.progress import progress_bar


class Progress:
    """Progress line while the context lasts: remaining time, recorded length and expected error of the conductivity.

    Parameters
    ----------
    phases
        The runs of the production, from :func:`~electrolyte_ml.production.cost.legs_of`.
    settings
        Settings of the production.
    shown
        Whether to show the line, on standard error.
    """

    def __init__(self, phases: Sequence[Sequence[Leg]], settings: ProductionSettings, *, shown: bool) -> None:
        self._legs = [leg for phase in phases for leg in phase]
        self._effective_ps = settings.analysis.effective_ps
        self._timestep_ps = settings.trajectories.timestep_fs / 1000.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._shown = shown
        self.bar = progress_bar(
            total=sum(leg.steps for leg in self._legs),
            initial=sum(leg.done() for leg in self._legs),
            desc="production",
            unit="step",
            smoothing=0.0,
            shown=shown,
            weighted=True,
        )

    def __enter__(self) -> Progress:
        if self._shown:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        if self._shown:
            self._thread.join()
            self._update()
        self.bar.close()

    def _watch(self) -> None:
        while not self._ended.wait(2.0 if sys.stderr.isatty() else 60.0):
            self._update()

    def _update(self) -> None:
        self.bar.set_postfix_str(self.text(), refresh=False)
        self.bar.update(sum(leg.done() for leg in self._legs) - self.bar.n)

    def text(self) -> str:
        """Return recorded length and expected error of the conductivity at the temperature with the shortest length."""
        lengths: dict[float, float] = {}
        for leg in self._legs:
            if leg.temperature is not None:
                length = self._timestep_ps * leg.logged()
                lengths[leg.temperature] = lengths.get(leg.temperature, 0.0) + length
        temperature = min(lengths, key=lambda key: lengths[key])
        if not lengths[temperature]:
            return "equilibration"
        error = expected_error(self._effective_ps, lengths[temperature])
        return f"{lengths[temperature] / 1000:.3g} ns at {temperature:g} K, expected error of σ {error:.0%}"
