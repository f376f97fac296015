"""The plateau of a Green-Kubo integral: the window and the length of the runs, and what they make of a conductivity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.sliders import Sliders, sliders, widgets
from electrolyte_ml.figures.style import BLACK, BLUE, GREY, ORANGE, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import TransportEstimate
    from electrolyte_ml.analysis.estimates import Curve

_LONGEST = 0.2  # of a run: the latest start of a window, and its greatest length


@styled
def plateau_choice(
    chosen: TransportEstimate,
    found: TransportEstimate | None,
    curve: Curve,
    *,
    reference: str,
    scale: str | None,
    upper: float,
    exact: float | None = None,
) -> Figure:
    """Draw sigma(t) with a chosen window, and its value with the 95 % interval beside that of the window that is found.

    Parameters
    ----------
    chosen
        Estimate with the chosen window, S/m.
    found
        Estimate with the window that is found from the data; None where none is found.
    curve
        sigma(t), S/m, beyond the end of the window, too.
    reference, scale
        The level of theory of the training labels, and the scale.
    upper
        End of the axis of conductivity, S/m.
    exact
        The exact conductivity of a synthetic process, S/m.

    Raises
    ------
    InputError
        If the estimate has no window.
    """
    if chosen.plateau is None:
        raise InputError(f"{chosen.method} has no window")
    figure, (running, values) = subplots(1, 2, size=(9.6, 4.0), width_ratios=(3, 1), sharey=True)
    times, mean, error = curve.times_ps, 10 * curve.mean, 10 * curve.error  # mS/cm
    start, end = chosen.plateau.start_ps, chosen.plateau.end_ps
    running.axvspan(start, end, color=ORANGE, alpha=0.2, lw=0)
    running.fill_between(times, mean - error, mean + error, color=BLUE, alpha=0.2, lw=0)
    running.plot(times, mean, color=BLUE, lw=1.4)
    running.plot([start, end], [10 * chosen.value] * 2, color=ORANGE, lw=3, solid_capstyle="butt")
    running.set_xlabel("correlation time (ps)")
    running.set_ylabel("conductivity (mS/cm)")
    running.set_xlim(0.0, times[-1])
    running.set_ylim(0.0, 10 * upper)
    for place, (estimate, colour) in enumerate(((chosen, ORANGE), (found, GREY))):
        if estimate is not None:
            values.plot([place] * 2, [10 * estimate.low, 10 * estimate.high], color=colour, lw=1.5)
            values.errorbar(place, 10 * estimate.value, 10 * estimate.error, fmt="o", color=colour, lw=3.5, ms=7)
    values.set_xticks([0, 1], ["chosen", "found"])
    values.set_xlim(-0.6, 1.6)
    values.grid(axis="x", visible=False)
    if exact is not None:
        for axes in (running, values):
            axes.axhline(10 * exact, color=BLACK, lw=1.2, ls="--")
    window = "" if found is None or found.plateau is None else (
        f" Found: {found.plateau.start_ps:.3g} to {found.plateau.end_ps:.3g} ps, {10 * found.value:.3g} mS/cm."
    )  # fmt: skip
    caption(
        figure, "A window, and the conductivity that it gives", scale=scale, reference=reference,
        note=f"Chosen: {start:.3g} to {end:.3g} ps of {chosen.trajectories} runs, {chosen.total_ps:.4g} ps in all: "
        f"{10 * chosen.value:.3g} ± {10 * chosen.error:.2g} mS/cm, 95 % {10 * chosen.low:.3g} to {10 * chosen.high:.3g}"
        f"; expected error {chosen.expected_error / chosen.value:.0%}.{window}"
        + (" Dashed: exact." if exact is not None else "") + " Band: standard error. Thick: error, thin: 95 %.",
    )  # fmt: skip
    return figure


def plateau_sliders(
    currents: Sequence[np.ndarray],
    timestep_ps: float,
    volume: float,
    temperature: float,
    *,
    reference: str,
    scale: str | None,
    window_ps: tuple[float, float],
    exact: float | None = None,
) -> Sliders:
    """Return sliders of the window of the Green-Kubo integral and of the number of runs, with the conductivity.

    Parameters
    ----------
    currents
        (F, 3) charge current of each run, e Å/ps.
    timestep_ps
        Time between frames.
    volume, temperature
        Å³, K.
    reference, scale
        The level of theory of the training labels, and the scale.
    window_ps
        First position of the window.
    exact
        The exact conductivity of a synthetic process, S/m.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.analysis.green_kubo`, and without ipywidgets.
    """
    made = widgets()
    from electrolyte_ml.analysis import green_kubo

    longest = round(_LONGEST * len(currents[0]) * timestep_ps, 1)
    middle = green_kubo(currents, timestep_ps, volume, temperature, window_ps=window_ps)
    upper = 2.5 * (middle.value if exact is None else exact)

    def draw(start: float, length: float, runs: int) -> Figure:
        some = currents[:runs]
        window = (start, start + length)
        chosen = green_kubo(some, timestep_ps, volume, temperature, window_ps=window)
        try:
            found = green_kubo(some, timestep_ps, volume, temperature)
        except InputError:
            found = None  # drawn as none: the runs are too short to find a window
        whole = green_kubo(some, timestep_ps, volume, temperature, window_ps=(timestep_ps, 2 * longest)).curve
        assert whole is not None  # Green-Kubo's estimates have one
        return plateau_choice(chosen, found, whole, reference=reference, scale=scale, upper=upper, exact=exact)

    step = max(timestep_ps, 0.1)
    return sliders(
        draw,
        start=made.FloatSlider(window_ps[0], min=step, max=longest, step=step, description="start of the window (ps)"),
        length=made.FloatSlider(
            window_ps[1] - window_ps[0], min=step, max=longest, step=step, description="its length (ps)"
        ),
        runs=made.IntSlider(len(currents), min=1, max=len(currents), description="runs"),
    )
