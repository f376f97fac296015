"""The runs that the notebooks ask for by name, at any scale and on the labels that the scale keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.loop import ActiveLearningResult, active_learn
from electrolyte_ml.active_learning.seeding import Walker, packed_starts, sample_dynamics
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.settings import Scale
from electrolyte_ml.structures import pack, parse_composition

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult


def pure_solvent(scale: Scale, solvent: str, **changes: Any) -> ActiveLearningSettings:
    """Return the settings that learn a pure solvent (section 2.1) at a scale.

    Parameters
    ----------
    scale
        One of :data:`electrolyte_ml.settings.SCALES`.
    solvent
        Its molecule, ``"EC"`` or ``"EMC"``.
    **changes
        Settings to take instead, such as ``seed=1`` or ``labels="labels"``.

    Raises
    ------
    InputError
        If the scale has no cell of this solvent, or a changed setting is impossible.
    """
    protocol, fit = scale.pure_solvents, scale.fit
    place = _place(scale, solvent)
    seeding, learning = protocol.seeding, protocol.learning
    settings = {
        "composition": protocol.cells[place],
        "density": protocol.packing_densities[place],
        "level": protocol.level,
        "cutoff": protocol.cutoff,
        "radial_basis_size": protocol.radial_basis_size,
        "reference": PRESETS[scale.reference.name],
        "seeding_trajectories": protocol.seeding_trajectories,
        "seeding_temperature": seeding.temperature,
        "seeding_time_ps": seeding.time_ps,
        "seeding_timestep_fs": seeding.timestep_fs,
        "seeding_configurations": protocol.seeding_configurations,
        "trajectories": learning.trajectories,
        "time_ps": learning.run.time_ps,
        "timestep_fs": learning.run.timestep_fs,
        "temperature": learning.run.temperature,
        "pressure_bar": learning.run.pressure_bar,
        "exploration_composition": learning.larger_cells[place] if learning.larger_cells else None,
        "grade_save": learning.grade_save,
        "grade_break": learning.grade_break,
        "grade_interval_fs": learning.grade_interval_fs,
        "mode": learning.mode,
        "swap_threshold": learning.swap_threshold,
        "most_saved": learning.most_saved,
        "energy_weight": fit.energy_weight,
        "force_weight": fit.force_weight,
        "stress_weight": fit.stress_weight,
        "seeding_fit_iterations": fit.max_iterations,
        "fit_iterations": fit.refit_iterations,
        "quiet_iterations": learning.quiet_iterations,
        "max_iterations": learning.max_iterations,
    }
    return ActiveLearningSettings(**{**settings, **changes})


def label_store(scale: Scale) -> references.LabelStore:
    """Return the store of everything that is labelled at a scale, so that no notebook computes a label twice."""
    return references.LabelStore(scale.directory / "labels")


def reference_of(scale: Scale) -> references.Reference:
    """Return what labels the data of a scale."""
    return references.get(PRESETS[scale.reference.name])


def tour_seeding(scale: Scale, *, progress: bool = True) -> list[Walker]:
    """Run the short reference dynamics from which the small potential of notebooks 00, 02 and 03 learns.

    Returns
    -------
    list of Walker
        One for each packing density; `samples` are its labelled configurations in the order of time.
    """
    tour = scale.tour
    return sample_dynamics(
        packed_starts([tour.cell], tour.packing_densities, len(tour.packing_densities), seed=0),
        reference_of(scale),
        label_store(scale),
        temperature=tour.seeding.temperature,
        timestep_fs=tour.seeding.timestep_fs,
        steps=round(1000 * tour.seeding.time_ps / tour.seeding.timestep_fs),
        configurations=tour.seeding_configurations,
        seed=0,
        jobs=None,
        progress=progress,
    )


def learn_pure_solvent(
    scale: Scale,
    solvent: str,
    *,
    seed: int | None = None,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Learn a pure solvent from nothing (section 2.1), or go on where an earlier call was stopped.

    Parameters
    ----------
    scale, solvent
        As for `pure_solvent`; labels come from and go to the scale's store.
    seed
        Of the potential's parameters and the trajectories' velocities; the scale's first by default. The seeding is
        the same for all.
    on_iteration
        Called after each iteration with the state so far.
    progress
        Print the status table as it grows.
    """
    seed = scale.pure_solvents.seeds[0] if seed is None else seed
    settings = pure_solvent(scale, solvent, seed=seed, labels=str(label_store(scale).directory))
    # Other settings are another run, in another folder; the labels are shared.
    told = hashlib.blake2b(repr(replace(settings, jobs=None, labels=None)).encode(), digest_size=4).hexdigest()
    directory = scale.directory / "pure_solvents" / f"{solvent}_seed{seed}_{told}"
    return active_learn(directory, settings, on_iteration=on_iteration, progress=progress)


def density_runs(
    scale: Scale, solvent: str, potentials: Sequence[MomentTensorPotential], *, progress: bool = True
) -> list[RunResult]:
    """Run the density protocol (Fig. 1a) with each potential, from one packed box; several run at once.

    The runs are kept beside the scale's results, under the potential's fingerprint: what has run is not run again.

    Returns
    -------
    list of RunResult
        In the order of the potentials; `reason` says whether a run reached its end. One that already broke while it
        was heated is returned as it ended there.

    Raises
    ------
    InputError
        If the scale has no cell of this solvent.
    """
    place = _place(scale, solvent)
    return map_progress(
        partial(_density_run, scale=scale, place=place),
        potentials,
        None,
        f"{solvent}, density runs",
        progress=progress,
    )


def _density_run(potential: MomentTensorPotential, scale: Scale, place: int) -> RunResult:
    from electrolyte_ml.dynamics import MoleculeMonitor, TemperatureMonitor, run_md

    density = scale.pure_solvents.density
    cell = density.cells[place]
    start = pack(parse_composition(cell), float(np.mean(scale.pure_solvents.packing_densities[place])))
    name = f"{cell.replace('=', '').replace(' ', '_')}_{potential.fingerprint[:12]}"
    directory = scale.directory / "density" / name
    monitor, relax, result = MoleculeMonitor(start), _RELAX, None
    for stage in filter(None, (density.heating, density.run)):
        if result is not None:
            if not result.completed:
                break
            start, relax = result.atoms, 0
            start.set_momenta(np.zeros_like(start.positions))  # to be drawn anew, at this stage's temperature
        result = run_md(
            start,
            potential,
            ensemble=stage.ensemble,
            temperature=stage.temperature,
            pressure_bar=stage.pressure_bar,
            time_ps=stage.time_ps,
            timestep_fs=stage.timestep_fs,
            directory=directory if stage is density.run else directory / "heating",
            monitors=[monitor, TemperatureMonitor(maximum=4 * stage.temperature)],
            relax=relax,
            # Of its own: liquids pushed alike breathe alike, and their densities would agree better than they should.
            seed=int(potential.fingerprint[:8], 16),
            progress=False,
        )
    return result


def _place(scale: Scale, solvent: str) -> int:
    solvents = [cell.partition("=")[0] for cell in scale.pure_solvents.cells]
    if solvent not in solvents:
        raise InputError(f"the {scale.name} scale learns {' and '.join(solvents)}, not {solvent!r}")
    return solvents.index(solvent)


_RELAX = 50  # steps of minimisation: packed molecules touch at 0.9 of their van der Waals distance

# By which program a scale's reference is computed: the paper's by CP2K, which is free, unless a change says VASP.
PRESETS = {"GFN1-xTB": "gfn1-xtb", "PBE-D3(0)": "cp2k-pbe-d3"}
