"""Figures of a potential: size of the basis, radial functions, and predictions against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    caption,
    legend_beside,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.potentials import Basis, MomentTensorPotential
    from electrolyte_ml.training import Predictions


@styled
def basis_growth(bases: Sequence[Basis], *, species: int = 3) -> Figure:
    """Draw the numbers of basis functions, by number of factors, and of parameters against the level.

    Parameters
    ----------
    bases
        Bases of several levels.
    species
        Number of species for which parameters are counted.

    Raises
    ------
    InputError
        There is no basis.
    """
    if not bases:
        raise InputError("there is no basis to draw")
    levels = np.array([basis.level for basis in bases])
    figure, (functions, parameters) = subplots(1, 2, size=(8.6, 3.9))
    below = np.zeros(len(levels))
    counts = np.array([basis.counts_by_factors for basis in bases])  # (levels, 4)
    for k, colour in enumerate((SKY, BLUE, GREEN, ORANGE)):
        functions.bar(levels, counts[:, k], 1.5, bottom=below, color=colour, label=f"{k + 1} factor{'s' * (k > 0)}")
        below += counts[:, k]
    for level, total in zip(levels, below):
        functions.annotate(f"{total:.0f}", (level, total), xytext=(0, 2), textcoords="offset points", ha="center",
                           fontsize=8)  # fmt: skip
    functions.set_ylabel("basis functions $B_\\alpha$")
    functions.legend(loc="upper left")
    sizes = [basis.n_parameters(species) for basis in bases]
    parameters.plot(levels, sizes, "o-", color=BLUE, ms=5)
    for level, size in zip(levels, sizes):
        parameters.annotate(f"{size}", (level, size), xytext=(-4, 5), textcoords="offset points", ha="right",
                            fontsize=8)  # fmt: skip
    parameters.set_ylabel(f"parameters, {species} species")
    parameters.set_xlim(levels[0] - 2.5, levels[-1] + 1.5)
    for axes in (functions, parameters):
        axes.set_xlabel("level")
        axes.set_xticks(levels)
        axes.grid(axis="x", visible=False)
    caption(figure, "What a level holds", reference="none (counted, not computed)")
    return figure


@styled
def radial_functions(potential: MomentTensorPotential, *, scale: str, centre: str = "O") -> Figure:
    """Draw the radial functions f_mu(r) of one kind of atom for each kind of neighbour (eq. 5).

    Parameters
    ----------
    potential
        The potential; its reference is in the caption.
    scale
        Scale of the potential.
    centre
        Symbol of the central atom.

    Raises
    ------
    InputError
        The element is not a species of the potential.
    """
    from electrolyte_ml.potentials.mtp.twin import radial_basis

    if centre not in potential.species:
        raise InputError(f"the potential has the elements {' '.join(potential.species)}, not {centre!r}")
    r = np.linspace(potential.min_distance, potential.cutoff, 300)
    basis, _ = radial_basis(r, potential)  # (size, n)
    figure, panels = subplots(
        1, 1 + len(potential.species), size=(3.0 + 2.2 * len(potential.species), 3.7), squeeze=False
    )
    for beta, values in enumerate(basis):
        panels[0, 0].plot(r, values, color=GREY, lw=1.0, alpha=1.0 - 0.1 * beta)
    scaling = f"{potential.scaling:g}" + "\\," if potential.scaling != 1.0 else ""
    panels[0, 0].set_ylabel(f"basis ${scaling}T^{{(\\beta)}}(r)\\,(R_\\mathrm{{cut}} - r)^2$ (Å²)")
    coefficients = potential.radial[potential.species.index(centre)]  # (S, R, size)
    values = np.einsum("smb,bn->smn", coefficients, basis)
    for axes, neighbour, functions in zip(panels[0, 1:], potential.species, values):
        for mu, (colour, function) in enumerate(zip(CYCLE, functions)):
            axes.plot(r, function, color=colour, lw=1.6, label=f"$\\mu$ = {mu}")
        axes.set_title(f"{centre}–{neighbour}", loc="left")
        axes.set_ylim(values.min() * 1.1, values.max() * 1.1)
        axes.tick_params(labelleft=axes is panels[0, 1])
    panels[0, 1].set_ylabel("$f_\\mu(r)$ (Å²)")
    for axes in panels[0]:
        axes.set_xlabel("r (Å)")
        axes.axvline(potential.cutoff, color=BLACK, lw=1, ls=":")
    legend_beside(panels[0, -1])
    caption(
        figure, "Radial functions", scale=scale, reference=potential.reference or "none (random parameters)",
        note="Dotted: the cutoff, where functions and slopes vanish.",
    )  # fmt: skip
    return figure


@styled
def parity(sets: Mapping[str, Predictions], *, reference: str, scale: str) -> Figure:
    """Draw predicted against reference energies and forces.

    Parameters
    ----------
    sets
        Name ("training", "unseen") -> predictions, drawn in this order.
    reference, scale
        Level of theory of the labels, and scale.

    Raises
    ------
    InputError
        There is no set.
    """
    if not sets:
        raise InputError("there are no predictions to draw")
    figure, (energy, force) = subplots(1, 2, size=(8.6, 4.2))
    lowest = min(predictions.reference_energies.min() for predictions in sets.values())
    for colour, (name, predictions) in zip(CYCLE * len(sets), sets.items()):
        pairs = (
            (
                energy,
                1000 * (predictions.reference_energies - lowest),
                1000 * (predictions.energies - lowest),
                14,
                "meV/atom",
            ),
            (force, predictions.reference_forces.ravel(), predictions.forces.ravel(), 3, "eV/Å"),
        )
        for axes, true, predicted, size, unit in pairs:
            rmse = np.sqrt(np.mean((predicted - true) ** 2))
            label = f"{name}, RMSE {rmse:.2g} {unit}"
            axes.scatter(true, predicted, s=size, color=colour, alpha=0.5, lw=0, label=label)
    for axes, quantity, unit in ((energy, "energy", "meV/atom"), (force, "force component", "eV/Å")):
        axes.axline((0, 0), slope=1, color=BLACK, lw=0.8)
        axes.set_xlabel(f"{quantity} by {reference} ({unit})")
        axes.set_ylabel(f"{quantity} by the potential ({unit})")
        # The legend is above the axes, since the points may fill all corners.
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), markerscale=2)
    caption(
        figure, "The potential against its reference", scale=scale, reference=reference,
        note="Energies above the lowest of the reference.",
    )  # fmt: skip
    return figure
