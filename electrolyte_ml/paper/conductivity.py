"""Ionic conductivity of LiPF6 in EC and EMC by a potential, at any scale (section 4.6)."""

from __future__ import annotations

import os
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.analysis.bootstrap import plain
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.corrections import learn_correction
from electrolyte_ml.paper.ion_pairs import ion_pair_training, learn_ion_pairs
from electrolyte_ml.paper.mixtures import fit_kinds
from electrolyte_ml.paper.places import shipped_file
from electrolyte_ml.paper.results import load_result
from electrolyte_ml.paper.scales import Conductivity, ConductivityRuns, Scale
from electrolyte_ml.paper.stored import MODELS, conductivity_name, store_conductivity, store_solvation
from electrolyte_ml.production.settings import (
    AnalysisSettings,
    EquilibrationSettings,
    GradeWatch,
    ProductionSettings,
    TrajectorySettings,
)
from electrolyte_ml.structures import parse_composition
from electrolyte_ml.structures.composition import atoms_in

if TYPE_CHECKING:
    from electrolyte_ml.analysis import Networks, Solvation
    from electrolyte_ml.analysis.conductivity import ConductivityResult
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.production import ProductionResult
    from electrolyte_ml.trajectories import Trajectory


def conductivity_runs(
    scale: Scale,
    potential: Potential,
    *,
    model: str = "mtp",
    reference: str | None = None,
    active_set: str | os.PathLike[str] | None = None,
    seed: int = 0,
    member: int = 0,
    progress: bool = True,
) -> dict[str, ProductionResult]:
    """Run the protocol of the conductivity with a potential, and store the results; completed runs are reused.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.paper.scales.SCALES`; the runs are kept among its results, under the potential's
        fingerprint.
    potential
        The potential.
    model
        Name under which the results are stored: "mtp", "qrd", or "corrected" (the corrected MTP, with the runs of the
        MTP).
    reference
        Level of theory of the training labels; by default the one stored with the potential.
    active_set
        File of an active set or of the training set, for grades of the trajectories.
    seed
        Seed of the runs; another seed makes an independent set of runs.
    member
        Number of the potential among those of other seeds, under which the results are stored. Potentials from number
        1 on run in the first cell alone (:class:`~electrolyte_ml.paper.scales.Conductivity`).
    progress
        Whether to print the estimated cost and a progress line.

    Returns
    -------
    dict
        Cell -> result.

    Raises
    ------
    InputError
        The scale has no conductivities, the reference or the model is not known, or for a reason of
        :func:`electrolyte_ml.production.produce`.
    """
    from electrolyte_ml.production import produce

    protocol = _protocol(scale)
    reference = reference or potential.reference
    if reference is None:
        raise InputError("the potential does not contain the reference of its training set: give the reference")
    results = {}
    for cell in protocol.cells_of(member):
        directory = production_folder(scale, cell, potential, seed)
        file = directory / f"potential{potential.suffix}"
        if not file.exists():
            directory.mkdir(parents=True, exist_ok=True)
            potential.save(file)
        settings = production_settings(scale, cell, file, model=model, active_set=active_set, seed=seed, member=member)
        results[cell] = produce(directory, settings, potential=potential, progress=progress)
    sizes: dict[str, dict[int, dict[float, ConductivityResult]]] = {}
    first: dict[str, ProductionResult] = {}  # first cell of each ratio; other cells show the effect of the size
    for cell, result in results.items():
        first.setdefault(ratio_of(cell), result)
        sizes.setdefault(ratio_of(cell), {})[atoms_in(cell)] = _measured(result)
    store_conductivity(
        {ratio: _measured(result) for ratio, result in first.items()},
        model=model,
        reference=reference,
        scale=scale,
        production={
            ratio: {t: condition.production for t, condition in result.conditions.items()}
            for ratio, result in first.items()
        },
        sizes=sizes,
        states={
            ratio: {
                t: {
                    "density": plain(condition.density),
                    "pressure": plain(condition.pressure),
                    "trusted": condition.trusted,
                }
                for t, condition in result.conditions.items()
            }
            for ratio, result in first.items()
        },
        member=member,
    )
    return results


def learnt_conductivities(scale: Scale, *, progress: bool = True) -> None:
    """Run `conductivity_runs` with all potentials of LiPF6 of a scale; completed runs are reused.

    These are MTP, MTP-QRd, the MTP with its correction to a better reference if the scale has one, and fits to the same
    sets from other random parameters (:func:`~electrolyte_ml.paper.mixtures.fit_kinds`).

    Raises
    ------
    InputError, ElectrolyteError
        As for :func:`~electrolyte_ml.paper.ion_pairs.learn_ion_pairs` and `conductivity_runs`.
    """
    protocol = _protocol(scale)
    for model, charges in (("mtp", None), ("qrd", "qrd")):
        members = range(protocol.members)
        if all(load_result(conductivity_name(model, member), scale) for member in members):
            continue
        learnt = learn_ion_pairs(scale, charges=charges, progress=progress).last
        potentials = [learnt.potential]
        if protocol.members > 1:
            kind = ion_pair_training(scale, charges=charges).model
            fits = fit_kinds(scale, learnt.training_set, [kind], progress=progress)[kind.name]
            potentials += [fits[seed].with_reference(learnt.potential.reference) for seed in sorted(fits)[1:]]
        for member in members:
            active_set = None if member else learnt.directory / "active_set.npz"
            conductivity_runs(
                scale, potentials[member], model=model, active_set=active_set, member=member, progress=progress
            )
    if scale.correction is not None and load_result(conductivity_name("corrected"), scale) is None:
        plain = learn_ion_pairs(scale, progress=progress).last.potential
        corrected = learn_correction(scale, plain, progress=progress).potential
        conductivity_runs(scale, corrected, model="corrected", progress=progress)


def _measured(result: ProductionResult) -> dict[float, ConductivityResult]:
    """Return the conductivities of a production by temperature, without temperatures that have none."""
    return {
        temperature: condition.conductivity
        for temperature, condition in result.conditions.items()
        if condition.conductivity is not None and has_best(condition.conductivity)
    }


def production_settings(
    scale: Scale,
    cell: str,
    potential: str | os.PathLike[str],
    *,
    model: str = "mtp",
    active_set: str | os.PathLike[str] | None = None,
    seed: int = 0,
    member: int = 0,
) -> ProductionSettings:
    """Return the settings of the production of a cell at a scale.

    Parameters
    ----------
    scale, model, active_set, seed, member
        As for :func:`conductivity_runs`.
    cell
        A cell of the protocol.
    potential
        File of the potential.

    Raises
    ------
    InputError
        The scale has no conductivities, or the model is not known.
    """
    protocol = _protocol(scale)
    if model not in MODELS:
        raise InputError(f"the model must be one of {', '.join(MODELS)}, not {model!r}")
    runs = protocol.qrd if model == "qrd" else protocol.mtp
    temperatures, densities = protocol.temperatures_of(cell, member), None
    if protocol.measured_density:
        densities = tuple(experiment.electrolyte_density(ratio_of(cell), kelvin).value for kelvin in temperatures)
    settings = ProductionSettings(
        potential=os.fspath(potential),
        composition=cell,
        density=protocol.packing_density,
        temperatures=temperatures,
        seed=seed,
        equilibration=EquilibrationSettings(
            annealing=protocol.annealing,
            boxes=protocol.boxes,
            time_ps=runs.equilibration_ps,
            densities=densities,
            timestep_fs=protocol.equilibration_timestep_fs,
            hydrogen_mass=protocol.hydrogen_mass,
        ),
        **_sections(runs, active_set),
    )
    return settings.with_multiple_steps() if protocol.multiple_steps else settings


def electrolyte_production(scale: Scale, *, progress: bool = True) -> ProductionResult:
    """Run the potential of NaPF6 in PC of the source tree for a few picoseconds; completed runs are reused.

    The protocol is that of section 4.6 at every scale, with the numbers of `scale.electrolyte`.

    Raises
    ------
    InputError
        There is no source tree, which holds the potential.
    """
    from electrolyte_ml.production import produce

    electrolyte = scale.electrolyte
    run = electrolyte.density.run
    settings = ProductionSettings(
        potential=str(shipped_file(f"{electrolyte.files}.pot")),
        composition=electrolyte.cell,
        density=electrolyte.packing_density,
        seed=electrolyte.seed,
        equilibration=EquilibrationSettings(
            annealing=electrolyte.annealing,
            time_ps=electrolyte.production.equilibration_ps,
            timestep_fs=run.timestep_fs,
            hydrogen_mass=run.hydrogen_mass,
        ),
        **_sections(electrolyte.production, None),
    )
    return produce(scale.directory / "conductivity" / electrolyte.files, settings, progress=progress)


def solvation_of_runs(
    scale: Scale,
    potential: Potential,
    *,
    cell: str | None = None,
    model: str = "mtp",
    temperature: float = 300.0,
    seed: int = 0,
) -> tuple[Solvation, Networks]:
    """Analyse shells, ion pairs and networks in the runs of `conductivity_runs`, and store the results.

    Parameters
    ----------
    scale, potential, model, seed
        As for `conductivity_runs`.
    cell
        A cell of the protocol for both. By default shells and ion pairs are those of the first cell, which runs
        longest, and networks, which need many ions, those of the largest one with its ratio.
    temperature
        K.

    Raises
    ------
    InputError
        There are no such runs, none is complete, or the potential does not contain its reference.
    """
    from electrolyte_ml.analysis import analyse_networks, analyse_solvation, find_shells

    if potential.reference is None:
        raise InputError("the potential does not contain the reference of its training set")
    cells = _protocol(scale).cells
    largest = max((other for other in cells if ratio_of(other) == ratio_of(cells[0])), key=atoms_in)
    chosen = (cell, cell) if cell else (cells[0], largest)
    runs = {name: _trajectories(production_folder(scale, name, potential, seed), temperature) for name in set(chosen)}
    shells = {name: find_shells(trajectories) for name, trajectories in runs.items()}
    one, other = chosen
    solvation = analyse_solvation(runs[one], shells=shells[one])
    networks = analyse_networks(runs[other], shells=shells[other])
    systems = [f"{ratio_of(name)}, {temperature:g} K, {atoms_in(name)} atoms" for name in chosen]
    store_solvation(
        solvation,
        networks,
        model=model,
        reference=potential.reference,
        scale=scale,
        system=systems[0],
        network_system=systems[1],
    )
    return solvation, networks


def _trajectories(directory: Path, temperature: float) -> list[Trajectory]:
    """Return the completed trajectories of a production at a temperature (K)."""
    from electrolyte_ml.production import run_folders
    from electrolyte_ml.trajectories import open_trajectory

    folders = run_folders(directory, temperature)
    if folders is None:
        raise InputError(f"{directory} holds no production")
    return [open_trajectory(folder) for folder in folders]


def _sections(runs: ConductivityRuns, active_set: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return the sections of the settings of a production that depend on the protocol's runs."""
    return {
        "trajectories": TrajectorySettings(
            count=runs.trajectories,
            time_ps=runs.time_ps,
            settling_ps=0.05 * runs.equilibration_ps,
            frame_interval_ps=min(1.0, runs.time_ps / 20),
        ),
        "grades": GradeWatch(active_set=None if active_set is None else os.fspath(active_set)),
        "analysis": AnalysisSettings(correlation_ps=runs.correlation_ps, window_ps=runs.window_ps),
    }


def production_folder(scale: Scale, cell: str, potential: Potential, seed: int = 0) -> Path:
    """Return the folder of a cell's production, which `electrolyte-ml conductivity` can read."""
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
    """Return whether Green-Kubo or Einstein-Helfand gave a conductivity."""
    return not {"green-kubo", "einstein-helfand"}.isdisjoint(result.estimates)


def _protocol(scale: Scale) -> Conductivity:
    if scale.conductivity is None:
        raise InputError(f"the {scale.name} scale has no conductivities")
    return scale.conductivity
