"""Claims 3 to 5 on the pure solvents, from the stored result ``pure_solvents``.

The result is a dictionary ``{"reference": name, "solvents": {"EC": {...}, "EMC": {...}}, "beside": [...]}``. The entry
of a solvent holds

- ``members``: for each seed with a completed run, the fields of a `DensityResult`,
- ``failed``: the reasons of runs that ended early,
- ``pressure_biases``: pressure of each of the members minus the reference's, in its own run (GPa),
- ``experiment``: the measured density (g/cm³),
- ``set_energies`` (eV/atom), ``set_densities`` (g/cm³), ``set_iterations`` (0 is the seeding) of the configurations of
  the training set, in the order in which they were added,
- ``converged``: whether the loop converged.

``beside`` holds such results by other references.
"""

from typing import Any

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims.evidence import COUNTED, Finding


def set_sizes(stored: dict[str, Any]) -> Finding:
    """Judge the sizes of the training sets: 900 to 1400 configurations."""
    sizes = {name: len(entry["set_energies"]) for name, entry in stored["solvents"].items()}
    ours = ", ".join(f"{name} {size} configurations" for name, size in sizes.items())
    return Finding(all(900 <= size <= 1400 for size in sizes.values()), ours, uncertainty=COUNTED)


def densities(stored: dict[str, Any]) -> Finding:
    """Judge the densities at 300 K: no drift, the deviation from experiment, the spread over the seeds."""
    ours, measured, holds, errors = [], [], [], []
    for name, entry in stored["solvents"].items():
        members, failed, known = entry["members"], entry["failed"], float(entry["experiment"])
        measured.append(f"{name} {known:.3f}")
        if not members:
            ours.append(f"{name}: no run reached its end ({', '.join(failed)})")
            holds.append(False)
            continue
        values, drifts = np.array([member["mean"] for member in members]), sum(member["drifts"] for member in members)
        deviation = values.mean() / known - 1.0
        own = " and ".join(f"{member['error']:.3f}" for member in members)
        errors.append(
            f"{name}: " + (f"± over {len(values)} seeds; " if len(values) > 1 else "") + f"of each mean {own}"
        )
        text, near = f"{name} {values.mean():.3f}", abs(deviation) <= experiment.PAPER_DENSITY_DEVIATION
        if len(values) > 1:
            spread = values.std(ddof=1)
            text += f" ± {spread:.3f}"
            near &= bool(spread / values.mean() <= experiment.PAPER_DENSITY_SPREAD)
        notes = ["one seed, no spread"] * (len(values) == 1)
        notes += [f"{drifts} of {len(members)} drift"] * bool(drifts) + [f"{len(failed)} failed"] * bool(failed)
        ours.append(f"{text} ({', '.join([f'{deviation:+.1%}', *notes])})")
        holds.append(near and not drifts and not failed)
    return Finding(all(holds), "; ".join(ours), "; ".join(measured), "; ".join(errors))


def energy_density(stored: dict[str, Any]) -> Finding | None:
    """Judge the energy-density diagram of EC: its range, and the position of the seeds from reference dynamics."""
    entry = stored["solvents"].get("EC")
    if entry is None:
        return None
    energy, density = np.asarray(entry["set_energies"]), np.asarray(entry["set_densities"])
    seeds = np.asarray(entry["set_iterations"]) == 0
    if seeds.all():
        return Finding(False, "nothing was learnt beyond the seeds")
    lower = bool(energy[seeds].mean() < energy[~seeds].mean())
    denser = bool(density[seeds].mean() > density[~seeds].mean())
    low, high = experiment.PAPER_SET_DENSITIES["EC"]
    wide = bool(density.min() <= low and density.max() >= high)
    ours = (
        f"{density.min():.2f}–{density.max():.2f} g/cm³; AIMD part {'lower' if lower else 'higher'} in energy, "
        f"{'denser' if denser else 'less dense'}"
    )
    return Finding(lower and denser and wide, ours)
