"""Figure of the differences between a reference and a better one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.figures.style import BLUE, GREY, VERMILION, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import Audit


@styled
def reference_audit(audit: Audit, *, scale: str = "configurations of the user") -> Figure:
    """Draw force errors by element, pressure differences and binding energies of two references.

    Parameters
    ----------
    audit
        Differences of the two references.
    scale
        Scale, for the caption.
    """
    panels = 1 + (audit.pressure_bias is not None) + bool(audit.bindings)
    height = 2.4 + 0.22 * (1 + len(audit.forces.elements) + len(audit.forces.sites))
    figure, axes = subplots(1, panels, size=(2.0 + 4.2 * panels, max(4.4, height)), squeeze=False)
    remaining = iter(axes[0])

    forces = next(remaining)
    rows = [("all", audit.force_rmse, audit.force_rms)]
    rows += [(row.name, row.rmse, row.size) for row in audit.forces.elements]
    sites = [row for row in audit.forces.sites if row.name != row.species]  # a monatomic ion is among the elements
    rows += [(f"{row.species} {row.name}", row.rmse, row.size) for row in sites]
    places = np.arange(len(rows))
    forces.barh(places, [rmse for _, rmse, _ in rows], color=BLUE, height=0.65)
    for k, (_, rmse, size) in enumerate(rows):
        forces.annotate(
            f"{100 * rmse / size:.0f} %", (rmse, k), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8
        )
    forces.set_yticks(places, [name for name, _, _ in rows])
    forces.set_ylim(len(rows) - 0.4, -0.6)
    forces.set_xlabel("RMS difference of force components (eV/Å)")
    forces.set_title("Forces, and % of the better one's RMS")
    forces.grid(axis="y", visible=False)

    if audit.pressure_bias is not None and audit.molecular_pressure_bias is not None:
        pressure = next(remaining)
        means = [audit.pressure_bias, audit.molecular_pressure_bias]
        pressure.errorbar(
            [0, 1], [m.value for m in means], [m.error for m in means], fmt="o", color=BLUE, capsize=4, ms=7
        )
        pressure.axhline(0, color=GREY, lw=1)
        pressure.set_xticks([0, 1], ["of atoms", "of molecules"])
        pressure.set_xlim(-0.6, 1.6)
        pressure.set_ylabel("mean difference of the pressure (GPa)")
        density = audit.density_bias
        bias = f"\ndensity {100 * density.value:+.1f} ± {100 * density.error:.1f} % at least" if density else ""
        pressure.set_title(f"Pressure{bias}")

    if audit.bindings:
        bound = next(remaining)
        complexes = list(dict.fromkeys(binding.complex for binding in audit.bindings))
        for reference, colour, marker, shift in (
            (audit.reference, BLUE, "o", -0.12),
            (audit.against, VERMILION, "s", 0.12),
        ):
            points = [(complexes.index(b.complex) + shift, b) for b in audit.bindings if b.reference == reference]
            if not points:
                continue
            y = np.array([place for place, _ in points])
            bound.plot([-b.energy for _, b in points], y, marker, color=colour, ms=7, label=reference)
            for place, b in points:
                bound.annotate(
                    f"{b.distance:.2f} Å", (-b.energy, place), xytext=(7, 0), textcoords="offset points",
                    va="center", fontsize=8, color=colour,
                )  # fmt: skip
        bound.set_yticks(range(len(complexes)), complexes)
        bound.set_ylim(len(complexes) - 0.5, -0.5)
        bound.set_xlim(0, 1.2 * max(-b.energy for b in audit.bindings))
        bound.set_xlabel("binding energy (eV)")
        bound.set_title("Ions in vacuum, with the shortest distance")
        bound.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)

    caption(
        figure,
        f"{audit.reference} against {audit.against}",
        scale=scale,
        reference=audit.against,
        note=f"{audit.configurations} configurations. Bars of the pressures: standard errors.",
    )
    return figure
