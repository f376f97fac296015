"""Stored results on the pure solvents, by the reference of the scale and by further ones (section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.protocols import density_runs, label_store, learn_pure_solvent, reference_of, solvents
from electrolyte_ml.paper.scales import Scale

if TYPE_CHECKING:
    from electrolyte_ml.active_learning.result import ActiveLearningResult
    from electrolyte_ml.active_learning.sections import ReferenceSettings
    from electrolyte_ml.analysis import EnsembleDensity
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.training import Errors

_FRAMES, _APART = 2, 100  # number of configurations of a run whose pressure is compared, and frames between them


def solvents_beside(scale: Scale, reference: ReferenceSettings, *, progress: bool = True) -> dict[str, Any]:
    """Learn the pure solvents with another reference and the first seed, and run their densities.

    Results of earlier calls are reused.

    Returns
    -------
    dict
        Result of `describe_solvents`.
    """
    other = scale.with_reference(reference)
    learned = {solvent: learn_pure_solvent(other, solvent, progress=progress) for solvent in solvents(other)}
    potentials = {solvent: [result.potential] for solvent, result in learned.items()}
    runs = {
        solvent: density_runs(other, solvent, members, progress=progress) for solvent, members in potentials.items()
    }
    return describe_solvents(other, learned, runs, errors_in_runs(other, potentials, runs, progress=progress))


def errors_in_runs(
    scale: Scale,
    potentials: Mapping[str, Sequence[Potential]],
    runs: Mapping[str, Sequence[RunResult]],
    *,
    progress: bool = True,
) -> dict[str, list[Errors]]:
    """Label the last configurations of each run, and measure the errors of its potential on them.

    The bias of the pressure shows the error of a density by the potential: 0.1 GPa change a density by 4 to 5 %.

    Parameters
    ----------
    scale
        Scale with the reference and the store of the labels.
    potentials, runs
        Liquid -> potentials, and liquid -> run of each potential.
    progress
        Whether to show progress lines.

    Returns
    -------
    dict
        Liquid -> errors of each potential whose run was completed.

    Raises
    ------
    LabelError
        A label failed.
    """
    from electrolyte_ml.training import evaluate_errors

    errors: dict[str, list[Errors]] = {}
    for solvent, members in potentials.items():
        errors[solvent] = []
        for potential, run in zip(members, runs[solvent], strict=True):
            if run.completed:
                frames = run.frames()[-1:0:-_APART][:_FRAMES]
                labels = label_store(scale).label_all(frames, reference_of(scale), None, progress)
                labelled = labels.complete(f"frames of the density run of {solvent}")
                errors[solvent].append(evaluate_errors(potential, labelled))
    return errors


def describe_solvents(
    scale: Scale,
    learned: Mapping[str, ActiveLearningResult],
    runs: Mapping[str, Sequence[RunResult]],
    errors: Mapping[str, Sequence[Errors]],
) -> dict[str, Any]:
    """Return the stored result ``pure_solvents`` on the pure solvents (claims 3 to 5, Fig. 1).

    Parameters
    ----------
    scale
        Scale of the runs.
    learned
        Solvent -> result of active learning with the first seed.
    runs
        Solvent -> density run of each seed. A run that ended early has no density, and is counted as failed.
    errors
        Solvent -> errors of the potentials whose runs were completed, from `errors_in_runs`.

    Returns
    -------
    dict
        See :mod:`electrolyte_ml.paper.claims.solvents`.
    """
    from electrolyte_ml.analysis import mean_density

    last = scale.pure_solvents.density.average_last_ps
    entries = {}
    for solvent, result in learned.items():
        members = [mean_density(run, last_ps=last) for run in runs[solvent] if run.completed]
        diagram = result.energy_density()
        entries[solvent] = {
            "members": [asdict(member) for member in members],
            "failed": [run.reason for run in runs[solvent] if not run.completed],
            "pressure_biases": [error.pressure_bias for error in errors[solvent]],
            "experiment": experiment.density(solvent).value,
            "set_energies": diagram["energy"],
            "set_densities": diagram["density"],
            "set_iterations": diagram["iteration"],
            "converged": result.converged,
        }
    return {"reference": scale.reference.make().name, "solvents": entries}


def stored_densities(stored: Mapping[str, Any]) -> dict[str, EnsembleDensity]:
    """Return the densities of a stored result by solvent, for solvents with a completed run."""
    from electrolyte_ml.analysis import DensityResult, ensemble_density

    return {
        solvent: ensemble_density([DensityResult(**member) for member in entry["members"]])
        for solvent, entry in stored["solvents"].items()
        if entry["members"]
    }


def stored_diagram(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the energy-density diagram (Fig. 1b) of one solvent of a stored result."""
    return {
        "index": range(len(entry["set_energies"])),
        "iteration": entry["set_iterations"],
        "density": entry["set_densities"],
        "energy": entry["set_energies"],
    }
