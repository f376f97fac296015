"""Claims 3 to 5 on the pure solvents, from the stored result ``pure_solvents``.

It is a dictionary ``{"reference": name, "solvents": {"EC": {...}, "EMC": {...}}}`` whose entries hold ``densities``
(g/cm³, one per seed), ``experiment`` (g/cm³), ``drifts`` (bool), ``set_energies`` (eV/atom) and ``set_densities``
(g/cm³), one per configuration of the training set in the order in which they joined it, and ``seeded``, the number of
those that the seeding gave.
"""

from typing import Any

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims.evidence import Finding


def set_sizes(stored: dict[str, Any]) -> Finding:
    """Judge the sizes of the training sets: 900 to 1400 configurations."""
    sizes = {name: len(entry["set_energies"]) for name, entry in stored["solvents"].items()}
    ours = ", ".join(f"{name} {size} configurations" for name, size in sizes.items())
    return Finding(all(900 <= size <= 1400 for size in sizes.values()), ours)


def densities(stored: dict[str, Any]) -> Finding:
    """Judge the densities at 300 K: no drift, the deviation from experiment, the spread over the seeds."""
    ours, measured, holds = [], [], []
    for name, entry in stored["solvents"].items():
        density, known = np.asarray(entry["densities"]), float(entry["experiment"])
        mean, spread = density.mean(), density.std(ddof=1) if len(density) > 1 else 0.0
        deviation = mean / known - 1.0
        ours.append(f"{name} {mean:.3f} ± {spread:.3f} ({deviation:+.1%})" + (" drifts" if entry["drifts"] else ""))
        measured.append(f"{name} {known:.3f}")
        near = abs(deviation) <= experiment.PAPER_DENSITY_DEVIATION and spread / mean <= experiment.PAPER_DENSITY_SPREAD
        holds.append(near and not entry["drifts"])
    return Finding(all(holds), "; ".join(ours), "; ".join(measured))


def energy_density(stored: dict[str, Any]) -> Finding | None:
    """Judge the energy-density diagram of EC: its range, and where the seeds from dynamics with the reference lie."""
    entry = stored["solvents"].get("EC")
    if entry is None:
        return None
    energy, density = np.asarray(entry["set_energies"]), np.asarray(entry["set_densities"])
    seeded = int(entry["seeded"])
    if seeded == len(energy):
        return Finding(False, "nothing was learnt beyond the seeds")
    lower = bool(energy[:seeded].mean() < energy[seeded:].mean())
    denser = bool(density[:seeded].mean() > density[seeded:].mean())
    low, high = experiment.PAPER_SET_DENSITIES["EC"]
    wide = bool(density.min() <= low and density.max() >= high)
    ours = (
        f"{density.min():.2f}–{density.max():.2f} g/cm³; AIMD part {'lower' if lower else 'higher'} in energy, "
        f"{'denser' if denser else 'less dense'}"
    )
    return Finding(lower and denser and wide, ours)
