"""Figure of errors within and between molecules, by composition and kind of potential (Figs. 3 and S3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import BLACK, BLUE, GREY, ORANGE, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import SplitErrors

_COLOURS = {"total": GREY, "intramolecular": BLUE, "intermolecular": ORANGE}


@styled
def part_errors(errors: Mapping[str, SplitErrors], *, reference: str, scale: str, note: str = "") -> Figure:
    """Draw Fig. 3: errors of energies and forces, in total, within and between molecules.

    Parameters
    ----------
    errors
        Kind of potential ("MTP12", "QRd12") -> its errors. A dot is a potential, a bar the mean over the potentials.
    reference, scale
        Level of theory of the labels, and scale.
    note
        Note of the caption.

    Raises
    ------
    InputError
        There are no errors.
    """
    if not errors:
        raise InputError("there are no errors to draw")
    compositions = list(dict.fromkeys(name for kind in errors.values() for name in kind.compositions))
    figure, grid = subplots(
        2,
        len(compositions),
        size=(max(5.0, 1.2 + len(compositions) * (0.7 + 0.55 * len(errors))), 5.6),
        squeeze=False,
        sharex=True,
        sharey="row",
    )
    for column, composition in enumerate(compositions):
        for row in (0, 1):
            axes = grid[row, column]
            for place, kind in enumerate(errors.values()):
                split = kind.compositions.get(composition)
                for k, (part, colour) in enumerate(_COLOURS.items() if split else ()):
                    assert split is not None  # else the loop is empty
                    error = split.parts[part]
                    members = np.array(error.energies if row == 0 else error.forces)
                    x = place + 0.27 * (k - 1)
                    label = part if place == 0 and row == 0 and column == 0 else None
                    axes.bar(x, members.mean(), width=0.25, color=colour, label=label)
                    offsets = np.linspace(-0.07, 0.07, len(members)) if len(members) > 1 else np.zeros(1)
                    axes.plot(x + offsets, members, "o", ms=3.2, color=BLACK, mec="white", mew=0.5)
            axes.set_xticks(range(len(errors)), list(errors), rotation=45 if len(errors) > 2 else 0)
            axes.grid(axis="x", visible=False)
        sizes = sorted({kind.compositions[composition].configurations for kind in errors.values()
                        if composition in kind.compositions})  # fmt: skip
        grid[0, column].set_title(f"{composition}\n{', '.join(map(str, sizes))} configurations", fontsize=10)
    grid[0, 0].set_ylabel("RMSE of the energy\n(meV/atom)")
    grid[1, 0].set_ylabel("RMSE of force components\n(eV/Å)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    seeds = sorted({kind.potentials for kind in errors.values()})
    dots = f"Dots: the {' or '.join(map(str, seeds))} potentials of a kind, by their random starts; bars: their mean. "
    left_out = max(kind.affected for kind in errors.values())
    excluded = f"{left_out} configurations with broken, fused or unknown molecules left out. " if left_out else ""
    caption(
        figure, "Errors within and between molecules (Fig. 3)", scale=scale, reference=reference,
        note=f"{dots if max(seeds) > 1 else ''}{excluded}{note}".strip(),
    )  # fmt: skip
    return figure
