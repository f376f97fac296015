"""What is stored of the pure solvents (section 2.1), by the reference of the scale and by others beside it."""

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

_FRAMES, _APART = 2, 100  # configurations of a run whose pressure is compared, and how many frames lie between them


def solvents_beside(scale: Scale, reference: ReferenceSettings, *, progress: bool = True) -> dict[str, Any]:
    """Learn the pure solvents with another reference, from the first seed, and run their densities.

    Whatever an earlier call has done is not done again.

    Returns
    -------
    dict
        As `describe_solvents` gives it.
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

    The bias of the pressure tells how much of a density is the potential's: 0.1 GPa shift a liquid by 4 to 5 %.

    Parameters
    ----------
    scale
        Its reference labels, its store keeps the labels.
    potentials, runs
        Liquid -> potentials, and the run of each.
    progress
        Show progress lines.

    Returns
    -------
    dict
        Liquid -> errors of each potential whose run reached its end.

    Raises
    ------
    LabelError
        A configuration was not labelled.
    """
    from electrolyte_ml.training import evaluate_errors

    found: dict[str, list[Errors]] = {}
    for solvent, members in potentials.items():
        found[solvent] = []
        for potential, run in zip(members, runs[solvent], strict=True):
            if run.completed:
                frames = run.frames()[-1:0:-_APART][:_FRAMES]
                labels = label_store(scale).label_all(frames, reference_of(scale), None, progress)
                labelled = labels.complete(f"frames of the density run of {solvent}")
                found[solvent].append(evaluate_errors(potential, labelled))
    return found


def describe_solvents(
    scale: Scale,
    learned: Mapping[str, ActiveLearningResult],
    runs: Mapping[str, Sequence[RunResult]],
    errors: Mapping[str, Sequence[Errors]],
) -> dict[str, Any]:
    """Return what is stored of the pure solvents as ``pure_solvents`` (claims 3 to 5, Fig. 1).

    Parameters
    ----------
    scale
    learned
        Solvent -> its training set, of the first seed.
    runs
        Solvent -> density run of each seed. One that ended early has no density, and is counted.
    errors
        Solvent -> errors of the potentials whose runs reached their end, as `errors_in_runs` gives them.

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
            "pressure_biases": [one.pressure_bias for one in errors[solvent]],
            "experiment": experiment.density(solvent).value,
            "set_energies": diagram["energy"],
            "set_densities": diagram["density"],
            "set_iterations": diagram["iteration"],
            "converged": result.converged,
        }
    return {"reference": scale.reference.make().name, "solvents": entries}


def stored_densities(stored: Mapping[str, Any]) -> dict[str, EnsembleDensity]:
    """Return the densities of a stored result by solvent, of those that any run of reached its end."""
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
