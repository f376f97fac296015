"""Timeline of a run as SVG: sizes, grades, errors, and ends of trajectories by iteration.

The SVG is written directly, since the loop updates it every few seconds: no plotting library is needed.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from electrolyte_ml.active_learning.status import IterationStatus

_WIDTH, _HEIGHT = 500.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 490.0, 40.0, 178.0
_COLOURS = ("sky", "vermilion", "orange", "purple", "green", "grey", "blue")


class _Line(NamedTuple):
    """A line of a panel: name, colour, and a value or None for each iteration."""

    name: str
    colour: str
    values: Sequence[float | None]


def timeline_svg(rows: Sequence[IterationStatus], grade_save: float, grade_break: float) -> str:
    """Return five panels, each an inline SVG, in a ``<div class="timeline">``; colours are variables of the page.

    Parameters
    ----------
    rows
        Status of the iterations, at least one.
    grade_save, grade_break
        Grades above which trajectories save configurations and end.
    """
    panels = [
        _lines(
            "configurations",
            [
                _Line("in the set", "blue", [row.size for row in rows]),
                _Line("selected", "vermilion", [row.selected for row in rows]),
            ],
        ),
        _lines(
            "highest extrapolation grade",
            [_Line("", "blue", [row.max_grade for row in rows])],
            levels={"save": grade_save, "stop": grade_break},
            logarithmic=True,
        ),
        _lines("energy RMSE on the set, meV/atom", [_Line("", "blue", [row.energy_rmse for row in rows])]),
        _lines("force RMSE on the set, eV/Å", [_Line("", "blue", [row.force_rmse for row in rows])]),
        _ends(rows),
    ]
    return f'<div class="timeline">{"".join(panels)}</div>'


def _lines(
    title: str, lines: Sequence[_Line], *, levels: dict[str, float] | None = None, logarithmic: bool = False
) -> str:
    """Return a panel of lines against the iteration, with horizontal levels."""
    levels = levels or {}
    finite = [value for line in lines for value in line.values if value is not None and math.isfinite(value)]
    finite += list(levels.values())
    if logarithmic:
        finite = [value for value in finite if value > 0]
        low, high = 10.0 ** math.floor(math.log10(min(finite))), 10.0 ** math.ceil(math.log10(1.01 * max(finite)))
        decades = round(math.log10(high / low))
        ticks = [low * 10.0**k for k in range(0, decades + 1, 1 + decades // 6)]
    else:
        low, ticks = 0.0, _ticks(max(finite, default=1.0))
        high = ticks[-1]

    def y(value: float) -> float:
        part = math.log(value / low) / math.log(high / low) if logarithmic else value / high
        return _BOTTOM - (_BOTTOM - _TOP) * part

    count = len(lines[0].values)
    parts = [_axes(ticks, y, count)]
    for name, level in levels.items():
        parts.append(f'<path d="M{_LEFT} {y(level):.1f}H{_RIGHT}" stroke="var(--orange)" stroke-dasharray="5 3"/>')
        parts.append(f'<text x="{_RIGHT}" y="{y(level) - 3:.1f}" text-anchor="end">{name}</text>')
    for line in lines:
        points = [
            (_x(k, count), y(value))
            for k, value in enumerate(line.values)
            if value is not None and math.isfinite(value) and (value > 0 or not logarithmic)
        ]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        if path:
            parts.append(f'<path d="M{path}" fill="none" stroke="var(--{line.colour})" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="var(--{line.colour})"/>' for a, b in points]
    return _panel(title, parts, [(line.name, line.colour) for line in lines if line.name])


def _ends(rows: Sequence[IterationStatus]) -> str:
    """Return a panel of stacked bars: numbers of trajectories by the reason of their end, for each iteration."""
    reasons = sorted({reason for row in rows for reason in row.stops}, key=lambda name: (name != "completed", name))
    ticks = _ticks(max((sum(row.stops.values()) for row in rows), default=1))

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * value / ticks[-1]

    width = 0.7 * (_RIGHT - _LEFT) / len(rows)
    parts = [_axes(ticks, y, len(rows))]
    for k, row in enumerate(rows):
        below = 0
        for reason, colour in zip(reasons, _COLOURS * len(reasons)):
            number = row.stops.get(reason, 0)
            if number:
                parts.append(
                    f'<rect x="{_x(k, len(rows)) - width / 2:.1f}" y="{y(below + number):.1f}" width="{width:.1f}" '
                    f'height="{y(below) - y(below + number):.1f}" fill="var(--{colour})"/>'
                )
                below += number
    return _panel("trajectories, by how they ended", parts, list(zip(reasons, _COLOURS * len(reasons))))


def _panel(title: str, parts: Sequence[str], legend: Sequence[tuple[str, str]]) -> str:
    """Return an SVG with a title, a legend below it, and the name of the horizontal axis."""
    entries, x = [], _LEFT
    for name, colour in legend:
        entries.append(f'<rect x="{x:.0f}" y="22" width="10" height="10" fill="var(--{colour})"/>')
        entries.append(f'<text x="{x + 14:.0f}" y="31">{html.escape(name)}</text>')
        x += 30 + 6.5 * len(name)
    axis = f'<text x="{(_LEFT + _RIGHT) / 2}" y="{_HEIGHT - 3}" text-anchor="middle">iteration (0: seeding)</text>'
    heading = f'<text x="{_LEFT}" y="14" font-weight="600">{html.escape(title)}</text>'
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{html.escape(title)}">'
        f"{heading}{''.join(entries)}{''.join(parts)}{axis}</svg>"
    )


def _axes(ticks: Sequence[float], y: Callable[[float], float], count: int) -> str:
    """Return grid lines and labels at ticks of the vertical axis, and numbers of iterations."""
    parts = []
    for tick in ticks:
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{_RIGHT}" stroke="var(--grid)"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for k in range(0, count, 1 + count // 12):
        parts.append(f'<text x="{_x(k, count):.1f}" y="{_BOTTOM + 14}" text-anchor="middle">{k}</text>')
    return "".join(parts)


def _x(k: int, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (k + 0.5) / count


def _ticks(largest: float) -> list[float]:
    """Return four to six round values from 0 to the first that is not below `largest`."""
    if largest <= 0:
        return [0.0, 1.0]
    unit = 10.0 ** math.floor(math.log10(largest / 4))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit * 5 >= largest)
    return [k * step for k in range(math.ceil(largest / step) + 1)]
