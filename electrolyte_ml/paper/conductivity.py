"""Section 4.6: the ionic conductivity of a potential of LiPF6 in EC and EMC, at any scale."""

from __future__ import annotations

import os
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.scales import Conductivity, Scale
from electrolyte_ml.paper.stored import MODELS, store_conductivity
from electrolyte_ml.production.settings import (
    AnalysisSettings,
    EquilibrationSettings,
    GradeWatch,
    ProductionSettings,
    TrajectorySettings,
)
from electrolyte_ml.structures import parse_composition

if TYPE_CHECKING:
    from electrolyte_ml.analysis.conductivity import ConductivityResult
    from electrolyte_ml.analysis.production import Production
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.production import ProductionResult


def conductivity_runs(
    scale: Scale,
    potential: Potential,
    *,
    model: str = "mtp",
    reference: str | None = None,
    active_set: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, ProductionResult]:
    """Run the protocol of the conductivity with a potential, and store the results; what has run is not run again.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.paper.scales.SCALES`; keeps the runs among its results, under the potential's
        fingerprint.
    potential
    model
        "mtp" or "qrd": which of the protocol's runs they are, and the name under which they are stored.
    reference
        Level of theory of the training labels; the one that the potential names by default.
    active_set
        File of an active set or of the training set, by which the trajectories are graded.
    seed
        Another one makes another, independent set of runs.
    progress
        Print what the production takes, and a progress line.

    Returns
    -------
    dict
        Cell -> result.

    Raises
    ------
    InputError
        The scale has no conductivities, the reference is not known, another model, or as of
        :func:`electrolyte_ml.production.produce`.
    """
    from electrolyte_ml.production import produce

    protocol = _protocol(scale)
    reference = reference or potential.reference
    if reference is None:
        raise InputError("the potential does not name what labelled its training set: give the reference")
    results = {}
    for cell in protocol.cells:
        directory = production_folder(scale, cell, potential, seed)
        file = directory / f"potential{potential.suffix}"
        if not file.exists():
            directory.mkdir(parents=True, exist_ok=True)
            potential.save(file)
        settings = production_settings(scale, cell, file, model=model, active_set=active_set, seed=seed)
        results[cell] = produce(directory, settings, potential=potential, progress=progress)
    measured: dict[str, dict[float, ConductivityResult]] = {}
    ended: dict[str, dict[float, Production]] = {}
    for cell, result in results.items():
        if (ratio := ratio_of(cell)) in ended:
            continue  # another size
        ended[ratio] = {temperature: each.production for temperature, each in result.conditions.items()}
        measured[ratio] = {
            temperature: each.conductivity
            for temperature, each in result.conditions.items()
            if each.conductivity is not None and has_best(each.conductivity)
        }
    store_conductivity(measured, model=model, reference=reference, scale=scale, production=ended)
    return results


def production_settings(
    scale: Scale,
    cell: str,
    potential: str | os.PathLike[str],
    *,
    model: str = "mtp",
    active_set: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> ProductionSettings:
    """Return the settings of the production of a cell at a scale.

    Parameters
    ----------
    scale, model, active_set, seed
        As of :func:`conductivity_runs`.
    cell
        One of the protocol's.
    potential
        File.

    Raises
    ------
    InputError
        The scale has no conductivities, or another model.
    """
    protocol = _protocol(scale)
    if model not in MODELS:
        raise InputError(f"the model must be one of {', '.join(MODELS)}, not {model!r}")
    runs = protocol.mtp if model == "mtp" else protocol.qrd
    return ProductionSettings(
        potential=os.fspath(potential),
        composition=cell,
        density=protocol.packing_density,
        temperatures=protocol.temperatures_of(cell),
        seed=seed,
        equilibration=EquilibrationSettings(
            annealing=protocol.annealing,
            time_ps=runs.equilibration_ps,
            timestep_fs=protocol.equilibration_timestep_fs,
            hydrogen_mass=protocol.hydrogen_mass,
        ),
        trajectories=TrajectorySettings(
            count=runs.trajectories,
            time_ps=runs.time_ps,
            settling_ps=0.05 * runs.equilibration_ps,
            frame_interval_ps=min(1.0, runs.time_ps / 20),
        ),
        grades=GradeWatch(active_set=None if active_set is None else os.fspath(active_set)),
        analysis=AnalysisSettings(correlation_ps=runs.correlation_ps, window_ps=runs.window_ps),
    )


def production_folder(scale: Scale, cell: str, potential: Potential, seed: int = 0) -> Path:
    """Return the folder of a cell's production; `electrolyte-ml conductivity` reads it."""
    name = f"{cell.replace('=', '').replace(' ', '_')}_{potential.fingerprint[:12]}_seed{seed}"
    return scale.directory / "conductivity" / name


def ratio_of(cell: str) -> str:
    """Return the molar ratio of EC and EMC in a cell, such as "3:7"."""
    counts = parse_composition(cell)
    solvents = counts.get("EC", 0), counts.get("EMC", 0)
    divisor = gcd(*solvents)
    if not divisor:
        raise InputError(f"{cell} holds neither EC nor EMC")
    return ":".join(str(count // divisor) for count in solvents)


def has_best(result: ConductivityResult) -> bool:
    """Whether Green-Kubo or Einstein-Helfand gave a conductivity."""
    return not {"green-kubo", "einstein-helfand"}.isdisjoint(result.estimates)


def _protocol(scale: Scale) -> Conductivity:
    if scale.conductivity is None:
        raise InputError(f"the {scale.name} scale has no conductivities")
    return scale.conductivity
