"""Storage of the results on electrolytes and charges, from which the claims of the paper are judged.

Each kind of potential ("mtp", "qrd") has results of its own, so that one can be run without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.active_learning.mixing import count_origins
from electrolyte_ml.analysis.correlation import Plateau
from electrolyte_ml.analysis.estimates import Curve, TransportEstimate
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.ion_pairs import IonPairs, ion_pair_training
from electrolyte_ml.paper.results import save_result

if TYPE_CHECKING:
    from electrolyte_ml.analysis.conductivity import ConductivityResult
    from electrolyte_ml.analysis.networks import Networks
    from electrolyte_ml.analysis.production import Production
    from electrolyte_ml.analysis.rdf import RadialDistribution
    from electrolyte_ml.analysis.solvation import Solvation
    from electrolyte_ml.analysis.training_sets import SetSolvation
    from electrolyte_ml.paper.ion_pair_validation import IonPairErrors
    from electrolyte_ml.paper.scales import Scale
    from electrolyte_ml.paper.validation import ValidationErrors
    from electrolyte_ml.potentials.charges import Share

_CURVE = 200  # most points of a stored curve
MODELS = {"mtp": "MTP", "qrd": "MTP-QRd", "corrected": "MTP corrected to a better reference"}  # and names in figures


def store_conductivity(
    results: Mapping[str, Mapping[float, ConductivityResult]],
    *,
    model: str,
    reference: str,
    scale: Scale,
    production: Mapping[str, Mapping[float, Production]] | None = None,
    sizes: Mapping[str, Mapping[int, Mapping[float, ConductivityResult]]] | None = None,
    states: Mapping[str, Mapping[float, Mapping[str, float | None]]] | None = None,
    member: int = 0,
) -> None:
    """Store conductivities as ``conductivity_<model>`` (claims 22 to 24).

    Parameters
    ----------
    results
        EC:EMC molar ratio ("3:7", "2:3", "1:1") -> temperature (K) -> result, whose best estimate is stored.
    model
        One of `MODELS`.
    reference, scale
        Level of theory of the training labels, and scale of the runs.
    production
        Ratio -> temperature -> numbers of planned and completed runs (Table 1).
    sizes
        Ratio -> atoms of a cell -> temperature -> result, for all cells of the ratio.
    states
        Ratio -> temperature -> "density" (g/cm³), "pressure" (bar) and "trusted" (share of frames), None if not known.
    member
        Number of the potential among those of other seeds; number 1 is stored as ``conductivity_<model>_1``.

    Raises
    ------
    InputError
        The model is not known, or a result has no conductivity.
    """
    run_counts = {
        ratio: {f"{temperature:g}": vars(counts) for temperature, counts in by_temperature.items()}
        for ratio, by_temperature in (production or {}).items()
    }
    values = {
        "reference": reference,
        "measured_density": scale.conductivity is not None and scale.conductivity.measured_density,
        "points": {ratio: _points(by_temperature) for ratio, by_temperature in results.items()},
        "production": run_counts,
        "sizes": {
            ratio: {str(atoms): _points(by_temperature) for atoms, by_temperature in by_size.items()}
            for ratio, by_size in (sizes or {}).items()
        },
        "states": {
            ratio: {f"{temperature:g}": dict(state) for temperature, state in by_temperature.items()}
            for ratio, by_temperature in (states or {}).items()
        },
    }
    save_result(conductivity_name(model, member), values, scale)


def conductivity_name(model: str, member: int = 0) -> str:
    """Return the name under which `store_conductivity` stores a potential's results.

    Raises
    ------
    InputError
        The model is not known.
    """
    return _name("conductivity", model) + (f"_{member}" if member else "")


def _points(by_temperature: Mapping[float, ConductivityResult]) -> dict[str, dict[str, Any]]:
    """Return the best estimates of conductivities, mS/cm, by temperature, with curves averaged in `_CURVE` blocks.

    The change in the window is that from its first to its last tenth.
    """
    points: dict[str, dict[str, Any]] = {}
    for temperature, result in by_temperature.items():
        best = result.best
        entry = {name: 10.0 * getattr(best, name) for name in ("value", "error", "low", "high")}
        entry |= {"method": best.method, "trajectories": best.trajectories, "total_ps": best.total_ps}
        if best.plateau is not None:
            entry["window_ps"] = [best.plateau.start_ps, best.plateau.end_ps]
        if best.curve is not None and best.plateau is not None:
            times = best.curve.times_ps
            inside = (times >= best.plateau.start_ps - 1e-9) & (times <= best.plateau.end_ps + 1e-9)
            within = 10.0 * best.curve.mean[inside]
            tenth = max(1, len(within) // 10)  # a running integral oscillates with the fastest vibrations of the ions
            entry["change_in_window"] = float(within[-tenth:].mean() - within[:tenth].mean())
            entry["curve"] = {
                "times_ps": _blocks(times),
                "mean": _blocks(10.0 * best.curve.mean),
                "error": _blocks(10.0 * best.curve.error),
            }
        points[f"{temperature:g}"] = entry
    return points


def _blocks(values: np.ndarray) -> list[float]:
    """Return the means of at most `_CURVE` consecutive blocks, with six significant digits."""
    return [float(f"{block.mean():.6g}") for block in np.array_split(values, min(_CURVE, len(values)))]


def _curve(point: Mapping[str, Any]) -> tuple[Curve | None, Plateau | None]:
    """Return the curve (S/m) and the window of a stored conductivity, None for results without them."""
    if "curve" not in point:
        return None, None
    times, mean, error = (np.array(point["curve"][name]) for name in ("times_ps", "mean", "error"))
    start, end = point["window_ps"]
    return Curve(times, 0.1 * mean, 0.1 * error), Plateau(start, end, float("nan"), "stored")


def conductivities_of(stored: Mapping[str, Any]) -> dict[str, dict[float, TransportEstimate]]:
    """Return the conductivities (S/m) of a result of `store_conductivity`, by ratio and temperature (K)."""

    def estimate(point: Mapping[str, Any]) -> TransportEstimate:
        curve, plateau = _curve(point)
        return TransportEstimate(
            quantity="conductivity",
            unit="S/m",
            method=point["method"],
            **{name: 0.1 * point[name] for name in ("value", "error", "low", "high")},
            expected_error=float("nan"),
            basis="stored",
            trajectories=point["trajectories"],
            total_ps=point["total_ps"],
            plateau=plateau,
            curve=curve,
        )

    return {
        ratio: {
            float(temperature): estimate(point)
            for temperature, point in sorted(by_temperature.items(), key=lambda item: float(item[0]))
        }
        for ratio, by_temperature in stored["points"].items()
        if by_temperature
    }


def store_solvation(
    solvation: Solvation,
    networks: Networks,
    *,
    model: str,
    reference: str,
    scale: Scale,
    system: str = "3:7, 300 K",
    network_system: str | None = None,
) -> None:
    """Store shells, ion pairs and networks of an electrolyte as ``solvation_<model>`` (claims 25 to 27).

    Parameters
    ----------
    solvation, networks
        Results of :func:`~electrolyte_ml.analysis.analyse_solvation` and
        :func:`~electrolyte_ml.analysis.analyse_networks`.
    model, reference, scale
        As for :func:`store_conductivity`.
    system, network_system
        Composition and temperature of the simulations of the solvation and of the networks, by default the same.

    Raises
    ------
    InputError
        The model is not known.
    """
    values = {
        "reference": reference,
        "system": system,
        "network_system": network_system or system,
        "solvation": solvation.to_dict(),
        "networks": networks.to_dict(),
    }
    save_result(_name("solvation", model), values, scale)


def store_ion_pairs(found: SetSolvation, learnt: IonPairs, *, reference: str, scale: Scale) -> None:
    """Store the learning of ion pairs and the contents of the training set (claims 16 and 17).

    ``ion_pair_training`` has the stages, ``ion_pair_set`` ion pairs, shells and origins of the configurations.

    Parameters
    ----------
    found
        Shells and ion pairs of the configurations of the set, from :func:`~electrolyte_ml.analysis.analyse_set`.
    learnt
        Result of :func:`~electrolyte_ml.paper.ion_pairs.learn_ion_pairs`.
    reference, scale
        As for :func:`store_conductivity`.
    """
    stages = {
        name: {
            "iterations": len(run.status) - 1,
            "converged": run.converged,
            "sizes": [row.size for row in run.status],
        }
        for name, run in learnt._asdict().items()
        if run is not None
    }
    training_set = learnt.last.training_set
    save_result(
        "ion_pair_training",
        {
            "reference": reference,
            "model": ion_pair_training(scale).model.name,
            "stages": stages,
            "configurations": len(training_set),
        },
        scale,
    )
    store_ion_pair_set(found, origins=count_origins(training_set), reference=reference, scale=scale)


def store_ion_pair_set(
    found: SetSolvation, *, origins: Mapping[str, Mapping[str, int]], reference: str, scale: Scale
) -> None:
    """Store ion pairs and shells of a training set as ``ion_pair_set`` (claim 17).

    Parameters
    ----------
    found
        Shells and ion pairs of the configurations of the set, from :func:`~electrolyte_ml.analysis.analyse_set`.
    origins
        Numbers of configurations by origin and molecules, from
        :func:`~electrolyte_ml.active_learning.mixing.count_origins`.
    reference, scale
        As for :func:`store_conductivity`.
    """
    values = {
        "reference": reference,
        "solvation": found.solvation.to_dict(),
        "set": found.to_dict(),
        "origins": origins,
    }
    save_result("ion_pair_set", values, scale)


def store_ion_pair_errors(errors: IonPairErrors, scale: Scale) -> None:
    """Store force errors and charges of potentials of ion pairs as ``ion_pair_errors`` (claims 18 and 20)."""
    save_result("ion_pair_errors", errors.to_dict(), scale)


def store_li_o(rdf: RadialDistribution, *, system: str, reference: str, scale: Scale) -> None:
    """Store g(r) of Li and O as ``li_o`` (claim 19).

    Parameters
    ----------
    rdf
        The radial distribution.
    system
        Name of the run or the set of configurations.
    reference, scale
        As for :func:`store_conductivity`.
    """
    save_result("li_o", {"reference": reference, "system": system, "rdf": rdf.to_dict()}, scale)


def store_charges(
    scale: Scale,
    *,
    starts: Mapping[str, Mapping[str, Mapping[str, Share]]],
    fits: Mapping[str, Sequence[np.ndarray]],
    planned: Sequence[str],
    charges: Mapping[str, Mapping[str, np.ndarray]],
    species: Sequence[str],
    force_errors: Mapping[str, Sequence[Sequence[float]]],
    reference: str,
) -> None:
    """Store the charges of random starts and of fits as ``charges`` (claims 10 and 20).

    Parameters
    ----------
    scale
        Scale of the study.
    starts
        Kind of starts -> "raw" or "ours" -> planned composition -> share of starts whose charges fail there.
    fits
        "raw" or "ours" -> for each fit, whether its charges fail at each of the `planned` compositions (P,).
    planned
        Names of these compositions.
    charges
        Composition -> "raw" or "ours" -> charges of each fit (n_fits, S), e; the first composition is the trained one.
    species
        Chemical symbols.
    force_errors
        "raw" or "ours" -> for each fit, rms error of force components (eV/Å) in the training set, in unseen
        configurations of its composition, and at a planned composition.
    reference
        Level of theory of the labels.
    """
    values = {
        "reference": reference,
        "starts": {
            kind: {group: {plan: share._asdict() for plan, share in by.items()} for group, by in groups.items()}
            for kind, groups in starts.items()
        },
        "fits": {group: [fails.tolist() for fails in failed] for group, failed in fits.items()},
        "planned": list(planned),
        "charges": charges,
        "species": list(species),
        "force_errors": force_errors,
    }
    save_result("charges", values, scale)


def store_validation(errors: ValidationErrors, scale: Scale) -> None:
    """Store the errors of potentials on the validation sets as ``intermolecular_errors`` (claims 13 and 14)."""
    save_result("intermolecular_errors", errors.to_dict(), scale)


def _name(result: str, model: str) -> str:
    if model not in MODELS:
        raise InputError(f"the model must be one of {', '.join(MODELS)}, not {model!r}")
    return f"{result}_{model}"
