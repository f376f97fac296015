"""A run whose atoms are coloured by extrapolation grade: a view that plays it, and pictures of three of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.scene import View, drawn, hundredths, radius, reach, scene, triples
from electrolyte_ml.figures.style import GREY, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

# From light to dark, so that grades are told apart without colours, too.
_STOPS = ((0.0, "#F2F2F2"), (0.3, "#F0E442"), (0.5, "#E69F00"), (0.72, "#D55E00"), (1.0, "#5E0035"))
_STEPS = 48
_LOWEST = 0.8  # grade at the lower end of the chart
_FRAMES = 150  # at most in a view: 20 atoms take 50 kB


def view_run(
    frames: Sequence[Atoms],
    grades: np.ndarray,
    *,
    grade_save: float = 2.0,
    grade_break: float = 10.0,
    width: int = 620,
    height: int = 400,
) -> View:
    """Show a run in a view that plays it, each atom coloured by the grade of its neighbourhood.

    Parameters
    ----------
    frames
        Of one run in the order of time, such as :meth:`electrolyte_ml.dynamics.RunResult.frames` returns; their
        ``info["time_ps"]`` is shown. Every second, third, ... is left out where there are more than 150.
    grades : (F, N)
        Extrapolation grade of each atom in each frame.
    grade_save, grade_break
        The grades at which a run saves configurations and at which it stops. Atoms up to grade 1 are white; those from
        the second on are dark.
    width, height
        Of the molecules, in pixels.

    Raises
    ------
    InputError
        If there is no frame, or if the grades are not those of its atoms.
    """
    grades = _checked(frames, grades)
    every = -(-len(frames) // _FRAMES)
    kept = range(0, len(frames), every)
    positions = _whole(frames)[::every]  # (F, N, 3) Å
    first, names = frames[0], [chemical_symbols[z] for z in frames[0].numbers]
    top = float(np.clip(1.1 * grades.max(), 2.0 * grade_break, 100.0 * grade_break))
    shares = _share(grades, grade_break)
    shown: list[dict[str, Any]] = []
    for x, k in zip(positions, kept):
        _, bonds, contacts = drawn(Atoms(first.numbers, x))
        worst = int(grades[k].argmax())
        shown.append(
            {
                "x": hundredths(x),
                "b": triples(bonds, contacts),
                "c": [int(step) for step in np.minimum(shares[k] * _STEPS, _STEPS - 1)],
                "v": round(_height(grades[k].max(), top), 3),
                "text": f"{frames[k].info.get('time_ps', k):.3f} ps: grade {grades[k, worst]:.3g}, at {names[worst]}",
            }
        )
    data = {
        "reach": reach(positions),
        "radii": [round(radius(z), 2) for z in first.numbers],
        "symbols": ["" if name == "H" else name for name in names],
        "palette": _palette(),
        "frames": shown,
        "levels": [[round(_height(level, top), 3), f"{level:g}"] for level in (1.0, grade_save, grade_break)],
        "legend": {
            "label": "grade γ",
            "ticks": [
                [round(float(_share(np.array(level), grade_break)), 3), text]
                for level, text in ((1.0, "≤ 1"), (grade_save, f"{grade_save:g}"), (grade_break, f"≥ {grade_break:g}"))
            ],
        },
    }
    return scene(data, f"A run of {first.get_chemical_formula()}, atoms coloured by grade", width, height)


@styled
def graded_frames(
    frames: Sequence[Atoms],
    grades: np.ndarray,
    *,
    reference: str,
    scale: str,
    grade_save: float = 2.0,
    grade_break: float = 10.0,
) -> Figure:
    """Draw three frames of a run, each atom coloured by grade: the first, the first to be saved, and the worst.

    Parameters
    ----------
    frames, grades, grade_save, grade_break
        As of :func:`view_run`.
    reference, scale
        The level of theory of the training labels, and the scale.

    Raises
    ------
    InputError
        As :func:`view_run`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Circle

    grades = _checked(frames, grades)
    highest = grades.max(axis=1)
    above = np.flatnonzero(highest > grade_save)
    chosen = sorted({0, int(above[0]) if len(above) else 0, int(highest.argmax())})
    positions = _whole(frames)[chosen]
    _, _, principal = np.linalg.svd(positions[0], full_matrices=False)
    positions = positions @ principal.T
    colours = _colours()
    wide, high = np.ptp(positions[..., :2].reshape(-1, 2), axis=0) + 2.0  # Å
    size = (1.2 + 3.2 * len(chosen), 1.5 + 3.2 * high / wide)
    figure, panels = subplots(1, len(chosen), size=size, squeeze=False, sharex=True, sharey=True)
    for axes, x, k in zip(panels[0], positions, chosen):
        numbers = frames[k].numbers
        _, bonds, _ = drawn(Atoms(numbers, x))
        for i, j in bonds:
            axes.plot(*x[[i, j], :2].T, color="#9A9A9A", lw=2, zorder=2 + x[[i, j], 2].mean() / 100)
        for place, z, share in zip(x, numbers, _share(grades[k], grade_break)):
            ball = Circle(place[:2], radius(z), facecolor=colours(share), edgecolor="#333333", lw=0.6,
                          zorder=2.05 + place[2] / 100)  # fmt: skip
            axes.add_patch(ball)
        axes.set_aspect("equal")
        axes.margins(0.08)
        axes.autoscale_view()
        axes.set_title(f"{frames[k].info.get('time_ps', k):.3f} ps, γ = {highest[k]:.3g}", loc="left")
        axes.axis("off")
    low = positions[..., :2].reshape(-1, 2).min(axis=0) - 1.0
    panels[0, 0].plot([low[0], low[0] + 2.0], [low[1], low[1]], color=GREY, lw=2)
    panels[0, 0].text(low[0] + 1.0, low[1] - 0.2, "2 Å", ha="center", va="top", color=GREY)
    bar = figure.colorbar(ScalarMappable(LogNorm(1.0, grade_break), colours), ax=panels[0], extend="both")
    levels = sorted({1.0, grade_save, grade_break})
    bar.set_ticks(levels, labels=[f"{level:g}" for level in levels])
    bar.minorticks_off()
    bar.set_label("grade γ of the atom")
    caption(
        figure, "Where a run leaves its training set", scale=scale, reference=reference,
        note="The first frame, the first to be saved and the one of the highest grade.",
    )  # fmt: skip
    return figure


def _checked(frames: Sequence[Atoms], grades: np.ndarray) -> np.ndarray:
    """Return the grades as an array of numbers, NaN as infinity: what cannot be graded is unknown."""
    if not len(frames):
        raise InputError("there is no frame to show")
    grades = np.asarray(grades, float)
    if grades.shape != (wanted := (len(frames), len(frames[0]))):
        raise InputError(f"grades must be one for each atom of each frame, {wanted}, not {grades.shape}")
    return np.nan_to_num(grades, nan=1e300, posinf=1e300)


def _whole(frames: Sequence[Atoms]) -> np.ndarray:
    """Return positions (F, N, 3) Å about the centre of each frame, its molecules in one piece.

    Runs do not wrap positions: what is whole in the first frame stays so.
    """
    from electrolyte_ml.structures.topology import Topology

    first = frames[0]
    if not first.pbc.all():
        positions = np.array([atoms.positions for atoms in frames])
    else:
        images = np.rint((Topology.of(first).unwrapped - first.positions) @ np.linalg.inv(first.cell.array))
        positions = np.array([atoms.positions + images @ atoms.cell.array for atoms in frames])
    return positions - positions.mean(axis=1, keepdims=True)


def _share(grades: np.ndarray, grade_break: float) -> np.ndarray:
    """Return the place of grades on the scale of colours, from 0 at grade 1 to 1 at the one that stops a run."""
    return np.clip(np.log(np.maximum(grades, 1.0)) / np.log(grade_break), 0.0, 1.0)


def _height(grade: float, top: float) -> float:
    """Return the place of a grade between 0.8 and `top` on a logarithmic axis, from 0 to 1."""
    return float(np.clip(np.log(grade / _LOWEST) / np.log(top / _LOWEST), 0.0, 1.0))


def _colours() -> LinearSegmentedColormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("grades", _STOPS, N=_STEPS)


def _palette() -> list[str]:
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in _colours()(np.linspace(0.0, 1.0, _STEPS))]
