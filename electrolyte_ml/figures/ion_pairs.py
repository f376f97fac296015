"""Figures of ion pairs: contents of an electrolyte's training set, and its force errors by site (Figs. 5, S5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    caption,
    place_labels,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import GroupedErrors

_PAIRING = {"SSIP": BLUE, "CIP": ORANGE, "AGG": VERMILION}
_ELEMENTS = {"H": GREY, "C": BLACK, "O": VERMILION, "F": GREEN, "P": ORANGE, "Li": PURPLE}
_FEW_ATOMS = 10  # sites with fewer atoms have small markers
_NAMED = 3  # number of sites of the largest errors that are named, in addition to Li and its donors


@styled
def ion_pair_set(
    found: Mapping[str, Any], *, reference: str, scale: str, paper: Mapping[str, float] | None = None
) -> Figure:
    """Draw ion pairs, ligands, coordination numbers and denticity in an electrolyte's training set (Fig. 5).

    Parameters
    ----------
    found
        Stored result ``ion_pair_set`` with "solvation" and "set".
    reference, scale
        Level of theory of the labels, and scale.
    paper
        Shares of SSIP, CIP and AGG in the paper's set, drawn beside ours if given.
    """
    solvation, counts = found["solvation"], found["set"]
    cation = solvation["cation"]
    figure, panels = subplots(2, 2, size=(10.4, 7.0))
    pairs, ligands, numbers, denticity = panels.ravel()

    kinds = list(_PAIRING)
    width = 0.4 if paper else 0.7
    for place, (kind, colour) in enumerate(_PAIRING.items()):
        shift = -0.5 * width if paper else 0.0
        _bar(pairs, place + shift, solvation["ion_pairs"][kind], width, colour, percent=True)
        if paper:
            pairs.bar(place + 0.5 * width, 100 * paper[kind], 0.92 * width, color="none", edgecolor=GREY, hatch="///",
                      label="paper" if place == 0 else None)  # fmt: skip
    if paper:
        _legend_above(pairs)
    pairs.set_xticks(range(3), kinds)
    pairs.set_ylabel(f"{cation} (%)")
    pairs.set_title("Ion pairs", loc="left")

    names = [name for name in solvation["ligands"] if name != "all"]
    for place, name in enumerate([*names, "all"]):
        _bar(ligands, place, solvation["ligands"][name], 0.7, BLACK if name == "all" else CYCLE[place % len(CYCLE)])
    ligands.set_xticks(range(len(names) + 1), [*names, "all"])
    ligands.set_ylabel(f"molecules in the shell of {cation}")
    ligands.set_title("Ligands", loc="left")

    by_kind = solvation["coordination_distribution"]
    shown = [kind for kind in kinds if any(e["value"] for e in by_kind[kind].values())]
    width = 0.8 / max(len(shown), 1)
    for k, kind in enumerate(shown):
        nonzero = {int(number): estimate for number, estimate in by_kind[kind].items() if estimate["value"]}
        for number, estimate in nonzero.items():
            shift = (k - (len(shown) - 1) / 2) * width
            label = kind if number == min(nonzero) else None
            _bar(numbers, number + shift, estimate, width, _PAIRING[kind], percent=True, label=label)
    numbers.set_xlabel(f"coordination number of {cation} (donor atoms)")
    numbers.set_ylabel(f"of the {cation} of this kind (%)")
    numbers.set_title("Coordination numbers", loc="left")
    numbers.xaxis.get_major_locator().set_params(integer=True)
    _legend_above(numbers)

    for place, name in enumerate(names):
        by_number = solvation["denticity"][name]
        one = by_number.get("1", {"value": 0.0, "interval_95": [None, None]})
        if by_number and one["value"] is not None:
            low, high = one["interval_95"]
            interval = [None, None] if None in (low, high) else [1.0 - high, 1.0 - low]
            several = {"value": 1.0 - one["value"], "interval_95": interval}
            _bar(denticity, place, several, 0.7, CYCLE[place % len(CYCLE)], percent=True)
            denticity.text(
                place + 0.03, 100 * several["value"], f"{100 * several['value']:.1f} %", va="bottom", fontsize=9
            )
    denticity.set_xticks(range(len(names)), names)
    denticity.set_ylabel("ligands with two or more donors (%)")
    denticity.set_title("Bidentate ligands", loc="left")
    denticity.margins(y=0.12)
    for axes in panels.ravel():
        axes.grid(axis="x", visible=False)
    whole = counts["configurations"] - counts["broken"] - counts["without_cation"]
    caption(
        figure, "Training set of the electrolyte (Fig. 5)", scale=scale, reference=reference,
        note=f"{counts['configurations']} configurations: {whole} with {cation}, {counts['without_cation']} without, "
             f"{counts['broken']} with broken molecules, left out here. Lines: 95 % intervals.",
    )  # fmt: skip
    return figure


@styled
def models_compared(found: Mapping[str, Mapping[str, Any]], *, reference: str, scale: str) -> Figure:
    """Draw ion pairs, networks and their shells by several kinds of potential side by side (Figs. 7, S9).

    Parameters
    ----------
    found
        Name of a kind -> stored result of its solvation, with "solvation" and "networks".
    reference, scale
        Level of theory of the training labels, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not found:
        raise InputError("there is no solvation to draw")
    figure, panels = subplots(2, 2, size=(11.0, 7.0))
    width = 0.8 / len(found)
    largest = max(int(size) for stored in found.values() for size in stored["networks"]["sizes"])
    ticks: dict[int, list[str]] = {
        0: list(_PAIRING),
        1: [str(size) for size in range(1, largest + 1)],
        2: sorted({name for stored in found.values() for name in stored["networks"]["ligands"]["isolated"]}),
        3: _numbers_seen(found),
    }
    for k, (colour, (name, stored)) in enumerate(zip(CYCLE * len(found), found.items())):
        solvation, networks = stored["solvation"], stored["networks"]
        shift = (k - (len(found) - 1) / 2) * width
        for panel, values in ((0, solvation["ion_pairs"]), (1, networks["sizes"])):
            for place, key in enumerate(ticks[panel]):
                if key in values:
                    label = name if panel == place == 0 else None
                    _bar(panels.flat[panel], place + shift, values[key], width, colour, percent=True, label=label)
        for panel, quantity in ((2, "ligands"), (3, "coordination_distribution")):
            for side, alpha in (("isolated", 0.4), ("network", 1.0)):
                for place, key in enumerate(ticks[panel]):
                    if key in networks[quantity][side]:
                        offset = shift + (-0.25 if side == "isolated" else 0.25) * width
                        _bar(panels.flat[panel], place + offset, networks[quantity][side][key], 0.5 * width, colour,
                             percent=panel == 3, alpha=alpha)  # fmt: skip
    titles = ("Ion pairs", "Networks", "Ligands", "Coordination numbers")
    labels = ("cations (%)", "solvent-separated cations (%)", "molecules per cation", "cations of each kind (%)")
    for panel, axes in enumerate(panels.flat):
        axes.set_xticks(range(len(ticks[panel])), ticks[panel])
        axes.set_title(titles[panel], loc="left")
        axes.set_ylabel(labels[panel])
        axes.grid(axis="x", visible=False)
    panels[0, 1].set_xlabel("size of the network (1: isolated)")
    panels[1, 1].set_xlabel("donor atoms in the shell")
    _legend_above(panels[0, 0])
    caption(
        figure, "Ion pairs and networks (Figs. 7, S9)", scale=scale, reference=reference,
        note=f"{_systems(found)}Below: pale are isolated cations, full those in networks, if there are any. "
             "Lines: 95 % intervals. Coordination numbers that no cation had are not shown.",
    )  # fmt: skip
    return figure


def _numbers_seen(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the coordination numbers that any cation had, in a network or isolated, in order."""
    shares = (by for stored in found.values() for by in stored["networks"]["coordination_distribution"].values())
    return sorted({number for by in shares for number, share in by.items() if share["value"]}, key=int)


def _systems(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the systems of ion pairs and of networks as a sentence, or nothing if they are not stored."""
    texts = []
    for what, key in (("Ion pairs", "system"), ("networks", "network_system")):
        names = dict.fromkeys(stored[key] for stored in found.values() if key in stored)
        texts += [f"{what}: {' and '.join(names)}"] if names else []
    return "; ".join(texts) + ". " if texts else ""


def _bar(
    axes: Axes,
    place: float,
    estimate: Mapping[str, Any],
    width: float,
    colour: str,
    *,
    percent: bool = False,
    label: str | None = None,
    alpha: float = 0.85,
) -> None:
    """Draw a bar with its interval, or nothing if the value is not known."""
    factor = 100.0 if percent else 1.0
    if estimate["value"] is None:
        return
    axes.bar(place, factor * estimate["value"], 0.92 * width, color=colour, alpha=alpha, label=label)
    interval = estimate["interval_95"]
    if None not in interval:
        axes.vlines(place, *(factor * value for value in interval), color=BLACK, lw=1.2)


@styled
def coordinated_errors(kinds: Mapping[str, GroupedErrors], *, reference: str, scale: str) -> Figure:
    """Draw the force error of each site against its rms force, for coordinated donors and all others (Figs. 5, S5).

    Parameters
    ----------
    kinds
        Name of a kind of potential -> its errors, with the sites of
        :func:`electrolyte_ml.analysis.group_coordinated`.
    reference, scale
        Level of theory of the labels, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not kinds:
        raise InputError("there are no errors to draw")
    from electrolyte_ml.analysis.coordinated_sites import is_coordinated

    figure, grid = subplots(1, len(kinds), size=(1.2 + 5.0 * len(kinds), 5.0), sharex=True, sharey=True, squeeze=False)
    rows = [row for errors in kinds.values() for row in errors.sites]
    largest = 1.12 * max(row.size for row in rows)
    highest = 1.12 * max(row.rmse for row in rows)
    labels = []
    for axes, (name, errors) in zip(grid[0], kinds.items()):
        for share in (0.1, 0.2, 0.4, 0.8):
            axes.plot([0, largest], [0, share * largest], color="#D0D0D0", lw=1, zorder=1)
            x = min(largest, highest / share)
            axes.annotate(f"{share:.0%}", (x, share * x), color=GREY, fontsize=8, ha="right", va="top")
        axes.set_title(name)
        axes.set_xlim(0, largest)
        axes.set_ylim(0, highest)
        axes.set_xlabel("rms force of the reference (eV/Å)")
        named = sorted(errors.sites, key=lambda row: -row.rmse)[:_NAMED]
        named = [row for row in errors.sites if row.species == "Li" or is_coordinated(row.name) or row in named]
        for row in errors.sites:
            symbol = _element(row.name)
            bound = is_coordinated(row.name) or row.species == "Li"
            colour = _ELEMENTS.get(symbol, BLUE)
            axes.plot(row.size, row.rmse, "o" if bound else "s", color=colour, mfc=colour if bound else "white",
                      ms=3 if row.atoms < _FEW_ATOMS else 8 if bound else 6, mew=1.5, zorder=3)  # fmt: skip
        texts = [row.name if row.species == row.name else f"{row.name} ({row.species})" for row in named]
        points = [(row.size, row.rmse) for row in errors.sites]
        labels.append((axes, [(row.size, row.rmse, text) for row, text in zip(named, texts)], points))
    grid[0, 0].set_ylabel("RMSE of force components (eV/Å)")
    for symbol in dict.fromkeys(_element(row.name) for row in rows):
        grid[0, 0].plot([], [], "o", color=_ELEMENTS.get(symbol, BLUE), label=symbol)
    grid[0, 0].legend(loc="upper left", ncols=2)
    atoms = next(iter(kinds.values()))
    caption(
        figure, "Force errors by site, at Li and free (Figs. 5, S5)", scale=scale, reference=reference,
        note=f"Filled: Li and the donors in its shell; open: all other sites; small: fewer than {_FEW_ATOMS} atoms. "
             f"Lines: error relative to the force. {atoms.configurations} configurations.",
    )  # fmt: skip
    for axes, entries, points in labels:
        place_labels(axes, entries, points)
    return figure


def _legend_above(axes: Axes) -> None:
    """Put the legend above the right end of the axes, outside of the data."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, columnspacing=1.2, handlelength=1.2)


def _element(site: str) -> str:
    """Return the chemical symbol of a site such as "carbonyl O at Li", "CH2" or "H of CH3 by ether O"."""
    first, *others = site.split()
    if first in chemical_symbols:
        return first
    return "C" if first.startswith("CH") else others[0]


@styled
def element_charges(charges: Mapping[str, Mapping[str, Any]], *, reference: str, scale: str) -> Figure:
    """Draw the charges of elements by several kinds of potential, one panel per composition (Fig. S5).

    Parameters
    ----------
    charges
        Name of a kind -> composition -> element -> charge (e) by each of its potentials.
    reference, scale
        Level of theory of the labels, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    cells = list(dict.fromkeys(cell for by_cell in charges.values() for cell in by_cell))
    if not cells:
        raise InputError("there are no charges to draw")
    figure, grid = subplots(1, len(cells), size=(1.4 + 2.9 * len(cells), 3.8), sharey=True, squeeze=False)
    width = 0.8 / len(charges)
    for axes, cell in zip(grid[0], cells):
        symbols = list(dict.fromkeys(s for by_cell in charges.values() for s in by_cell.get(cell, ())))
        for k, (colour, (name, by_cell)) in enumerate(zip(CYCLE * len(charges), charges.items())):
            places = np.arange(len(symbols)) + (k - (len(charges) - 1) / 2) * width
            values = [np.asarray(by_cell.get(cell, {}).get(symbol, [np.nan])) for symbol in symbols]
            axes.bar(places, [row.mean() for row in values], 0.92 * width, color=colour, alpha=0.7, label=name)
            for place, row in zip(places, values):
                axes.plot(np.full(len(row), place), row, ".", color=BLACK, ms=4)
        axes.axhline(0.0, color=BLACK, lw=1)
        axes.set_xticks(range(len(symbols)), symbols)
        axes.grid(axis="x", visible=False)
        axes.set_title(cell, fontsize=9)
    grid[0, 0].set_ylabel("charge (e)")
    grid[0, -1].legend(loc="lower left", bbox_to_anchor=(0.0, 1.08), ncols=2)
    caption(
        figure, "Charges of the elements (Fig. S5)", scale=scale, reference=reference,
        note="Bars: mean over the potentials of a kind; dots: each of them.",
    )  # fmt: skip
    return figure
