"""Conductivity of an electrolyte by every estimator that its trajectories support."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from electrolyte_ml.analysis.bounds import chord, upper_bound
from electrolyte_ml.analysis.crosschecks import kinisi_conductivity, stacie_conductivity
from electrolyte_ml.analysis.estimates import GIVEN, TransportEstimate
from electrolyte_ml.analysis.independent_ions import NernstEinsteinResult, diffusion_coefficients, nernst_einstein
from electrolyte_ml.analysis.motion_checks import doubtful_velocities
from electrolyte_ml.analysis.onsager import OnsagerResult, onsager_coefficients
from electrolyte_ml.analysis.production import needed_time
from electrolyte_ml.analysis.transport import einstein_helfand, green_kubo
from electrolyte_ml.checks import one_of
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.trajectories.ions import IonTrajectory
from electrolyte_ml.units import DIFFUSION_UNIT, conductivity_scale

_LEAST_SHARE = 0.5  # slope over MSD(t) / t: below, most of the displacement is not diffusion
_RATTLING = (
    "displacements grow much slower than in proportion to time: most of them is rattling, not diffusion, and the slope "
    "may be noise"
)
_Found: TypeAlias = TransportEstimate | NernstEinsteinResult | OnsagerResult
METHODS = ("green-kubo", "einstein-helfand", "nernst-einstein", "onsager", "stacie", "kinisi")


@dataclass(frozen=True)
class ConductivityResult:
    """The conductivity by each method, or the reason why a method gives none.

    Attributes
    ----------
    temperature, volume
        K, Å³.
    estimates
        Method -> conductivity, S/m.
    refused
        Method -> the reason why it gives none.
    nernst_einstein, onsager
        The complete results of these methods; None if they are not among the estimates.
    bounds
        Quantity that could not be measured -> its upper bound with 95 % confidence
        (:func:`electrolyte_ml.analysis.upper_bound`): "conductivity" in S/m, "D of Li" in cm²/s.
    solvent_diffusion
        Species -> self-diffusion coefficient of a solvent, cm²/s, if the solvents were read.
    """

    temperature: float
    volume: float
    estimates: Mapping[str, TransportEstimate]
    refused: Mapping[str, str]
    nernst_einstein: NernstEinsteinResult | None
    onsager: OnsagerResult | None
    bounds: Mapping[str, float] = field(default_factory=dict)
    solvent_diffusion: Mapping[str, TransportEstimate] = field(default_factory=dict)

    @property
    def best(self) -> TransportEstimate:
        """The estimate by Green-Kubo, as in the paper, or else by Einstein-Helfand.

        Raises
        ------
        InputError
            Neither method gave an estimate.
        """
        for method in ("green-kubo", "einstein-helfand"):
            if method in self.estimates:
                return self.estimates[method]
        raise InputError(
            "; ".join(self.refused.values()) or "neither Green-Kubo nor Einstein-Helfand is among the methods"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain numbers and strings, for JSON."""
        plain: dict[str, Any] = {
            "temperature_K": self.temperature,
            "volume_A3": self.volume,
            "conductivity": {method: estimate.to_dict() for method, estimate in self.estimates.items()},
            "refused": dict(self.refused),
            "upper_bounds": dict(self.bounds),
        }
        if self.solvent_diffusion:
            solvents = self.solvent_diffusion
            plain["solvent_diffusion"] = {name: estimate.to_dict() for name, estimate in solvents.items()}
        if self.nernst_einstein is not None:
            plain["diffusion"] = {name: estimate.to_dict() for name, estimate in self.nernst_einstein.diffusion.items()}
        if self.onsager is not None:
            whole = self.onsager
            plain["onsager"] = {estimate.quantity: estimate.to_dict() for row in whole.coefficients for estimate in row}
            plain["transference"] = {
                frame: {name: estimate.to_dict() for name, estimate in zip(whole.species, numbers)}
                for frame, numbers in whole.transference.items()
            }
            plain["ionicity"] = whole.ionicity.to_dict()
        return plain

    def report(self) -> str:
        """Return the table of methods, their other results, the length of runs for an error of 10 %, and warnings."""
        lines = [str(self)]
        more = [] if self.nernst_einstein is None else list(self.nernst_einstein.diffusion.values())
        more += self.solvent_diffusion.values()
        if self.onsager is not None:
            more += [estimate for numbers in self.onsager.transference.values() for estimate in numbers]
            more.append(self.onsager.ionicity)
        if more:
            lines += ["", *map(str, more)]
        with_plateau = [
            (estimate, estimate.plateau) for estimate in self.estimates.values() if estimate.plateau is not None
        ]
        if with_plateau:
            estimate, plateau = with_plateau[0]
            lines += ["", f"plateau of {estimate.method}: {plateau.reason}"]
            if plateau.reason == GIVEN:
                lines[-1] = f"plateau: {plateau.start_ps:g}-{plateau.end_ps:g} ps, as given"
            needed = needed_time(plateau.effective_ps, 0.1) / 1000
            lines.append(f"an error of 10 % needs {needed:.3g} ns in all; these have {estimate.total_ps / 1000:.3g} ns")
        lines += [f"{estimate.method}: {note}" for estimate in self.estimates.values() for note in estimate.notes]
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = [f"{'method':18} {'σ (mS/cm)':>10} {'error':>8} {'95 % interval':>17} {'expected':>8}  how"]
        for method, estimate in self.estimates.items():
            low, high = 10 * estimate.low, 10 * estimate.high
            lines.append(
                f"{method:18} {10 * estimate.value:10.4g} {10 * estimate.error:8.2g} {f'{low:.4g} to {high:.4g}':>17} "
                f"{estimate.expected_error / estimate.value:8.0%}  {estimate.basis}"
            )
        for method, reason in self.refused.items():
            lines.append(f"{method:18} {'-':>10}  {reason}")
        for quantity, bound in self.bounds.items():
            value = f"{10 * bound:.3g} mS/cm" if quantity == "conductivity" else f"{bound:.3g} cm²/s"
            lines.append(f"{quantity} is below {value} (95 %, from displacements over half of each run)")
        return "\n".join(lines)


def measure_conductivity(
    trajectories: Sequence[IonTrajectory],
    temperature: float,
    *,
    methods: Sequence[str] = ("green-kubo", "einstein-helfand", "nernst-einstein", "onsager"),
    window_ps: tuple[float, float] | None = None,
    viscosity_mpa_s: float | None = None,
) -> ConductivityResult:
    """Measure the conductivity by several methods at once.

    Parameters
    ----------
    trajectories
        Independent runs of the same system at constant volume.
    temperature
        K.
    methods
        Names among :data:`METHODS`. If a method cannot be applied (no velocities, too short runs, its package not
        installed), the result holds the reason; the other methods are not affected.
    window_ps
        The plateau, for all methods that have one; by default each method finds its own.
    viscosity_mpa_s
        Viscosity of the liquid, for the correction of self-diffusion coefficients for the size of the cell.

    Returns
    -------
    ConductivityResult

    Raises
    ------
    InputError
        There is no trajectory, a method is unknown, or the trajectories differ in ions, time steps, lengths or volumes.
    """
    if not trajectories:
        raise InputError("there is no trajectory")
    for name in methods:
        one_of("method", name, METHODS)
    _check_alike(trajectories)
    runs = _Runs(tuple(trajectories), temperature, window_ps, viscosity_mpa_s)
    found, refused = _apply(runs, methods)
    independent = next((result for result in found.values() if isinstance(result, NernstEinsteinResult)), None)
    collective = next((result for result in found.values() if isinstance(result, OnsagerResult)), None)
    estimates = {
        method: result if isinstance(result, TransportEstimate) else result.conductivity
        for method, result in found.items()
    }
    _refuse_doubtful_velocities(runs, estimates, refused)
    bounds = _bound_conductivity(runs, estimates, refused) | _bound_diffusion(runs, estimates, refused, independent)
    solvents: dict[str, TransportEstimate] = {}
    try:
        solvents = runs.solvent_diffusion()
    except ElectrolyteError as error:
        refused["solvents"] = str(error)
        bounds |= _diffusion_bounds(runs.solvent_displacements(), runs.first.solvent_species, runs.first.timestep_ps)
    return ConductivityResult(
        temperature, runs.first.volume, estimates, refused, independent, collective, bounds, solvents
    )


@dataclass(frozen=True)
class _Runs:
    """Runs that are alike, with the arguments that all estimators have in common."""

    trajectories: tuple[IonTrajectory, ...]
    temperature: float
    window_ps: tuple[float, float] | None
    viscosity_mpa_s: float | None

    @property
    def first(self) -> IonTrajectory:
        return self.trajectories[0]

    @property
    def with_positions(self) -> bool:
        return all(run.positions is not None for run in self.trajectories)

    def currents(self) -> list[np.ndarray]:
        return [run.current() for run in self.trajectories]

    def dipoles(self) -> list[np.ndarray]:
        return [run.dipole() for run in self.trajectories]

    def displacements(self) -> list[np.ndarray]:
        return [run.displacements() for run in self.trajectories]

    def solvent_displacements(self) -> list[np.ndarray]:
        return [run.solvent_displacements() for run in self.trajectories]

    def measure(self, method: str) -> _Found:
        """Return the result of one of `METHODS`."""
        first = self.first
        of_positions = (first.timestep_ps, first.volume, self.temperature)
        of_velocities = (first.velocity_step_ps or first.timestep_ps, first.volume, self.temperature)
        ions = (first.species, first.charges, *of_positions)
        window = self.window_ps
        measure: dict[str, Callable[[], _Found]] = {
            "green-kubo": lambda: green_kubo(self.currents(), *of_velocities, window_ps=window),
            "einstein-helfand": self.einstein_helfand,
            "nernst-einstein": lambda: nernst_einstein(
                self.displacements(), *ions, viscosity_mpa_s=self.viscosity_mpa_s, cell=first.cell, window_ps=window
            ),
            "onsager": lambda: onsager_coefficients(
                self.displacements(), *ions, masses=first.masses, solvent_mass=first.solvent_mass, window_ps=window
            ),
            "stacie": lambda: stacie_conductivity(self.currents(), *of_velocities),
            "kinisi": lambda: kinisi_conductivity(self.dipoles(), *of_positions, window_ps=window),
        }
        return measure[method]()

    def einstein_helfand(self) -> TransportEstimate:
        first = self.first
        return einstein_helfand(
            self.dipoles(), first.timestep_ps, first.volume, self.temperature, window_ps=self.window_ps
        )

    def solvent_diffusion(self) -> dict[str, TransportEstimate]:
        """Return the self-diffusion coefficients of the solvents, none if they were not read."""
        first = self.first
        if any(run.solvent_positions is None for run in self.trajectories):
            return {}
        return diffusion_coefficients(
            self.solvent_displacements(), first.solvent_species, first.timestep_ps, first.volume, self.temperature,
            viscosity_mpa_s=self.viscosity_mpa_s, cell=first.cell, window_ps=self.window_ps,
        )  # fmt: skip


def _apply(runs: _Runs, methods: Sequence[str]) -> tuple[dict[str, _Found], dict[str, str]]:
    """Return the result of each method that gives one, and for the others the reason why they give none."""
    found: dict[str, _Found] = {}
    refused: dict[str, str] = {}
    for method in methods:
        try:
            found[method] = runs.measure(method)
        except ElectrolyteError as error:
            refused[method] = str(error)
    return found, refused


def _refuse_doubtful_velocities(runs: _Runs, estimates: dict[str, TransportEstimate], refused: dict[str, str]) -> None:
    """Move methods that read velocities from `estimates` to `refused` if velocities and positions do not agree."""
    if "green-kubo" not in estimates:
        return
    from_positions = estimates.get("einstein-helfand")
    if from_positions is None and runs.with_positions:
        with suppress(ElectrolyteError):
            from_positions = runs.einstein_helfand()
    if reason := doubtful_velocities(runs.trajectories, runs.temperature, estimates["green-kubo"], from_positions):
        for method in {"green-kubo", "stacie"} & set(estimates):
            del estimates[method]
            refused[method] = reason


def _bound_conductivity(
    runs: _Runs, estimates: dict[str, TransportEstimate], refused: Mapping[str, str]
) -> dict[str, float]:
    """Return an upper bound of the conductivity where it cannot be measured; mark an estimate of rattling ions."""
    if not runs.with_positions:
        return {}
    dipoles, timestep = runs.dipoles(), runs.first.timestep_ps
    scale = conductivity_scale(runs.first.volume, runs.temperature)
    rattling = _rattles(dipoles, timestep, estimates.get("einstein-helfand"), scale)
    if rattling:
        estimates["einstein-helfand"] = _noted(estimates["einstein-helfand"], f"the {_RATTLING}")
    if not rattling and "einstein-helfand" not in refused:
        return {}
    bound = upper_bound(dipoles, timestep)
    return {} if bound is None else {"conductivity": scale * bound}


def _bound_diffusion(
    runs: _Runs,
    estimates: dict[str, TransportEstimate],
    refused: Mapping[str, str],
    independent: NernstEinsteinResult | None,
) -> dict[str, float]:
    """Return upper bounds of the ions' diffusion where it cannot be measured; mark an estimate of rattling ions."""
    if not runs.with_positions or "centre of mass" in runs.first.missing:
        return {}
    displacements, species, timestep = runs.displacements(), runs.first.species, runs.first.timestep_ps
    of_ions = {} if independent is None else independent.diffusion
    caged = [name for name, series in _of_species(displacements, species).items()
             if _rattles(series, timestep, of_ions.get(name), DIFFUSION_UNIT)]  # fmt: skip
    if caged:
        text = f"{' and '.join(caged)}: the {_RATTLING}"
        estimates["nernst-einstein"] = _noted(estimates["nernst-einstein"], text)
    if not caged and "nernst-einstein" not in refused:
        return {}
    return _diffusion_bounds(displacements, species, timestep)


def _rattles(
    series: Sequence[np.ndarray], timestep_ps: float, estimate: TransportEstimate | None, scale: float
) -> bool:
    """Return whether an estimate, in units of `scale`, is far below the chord of the displacement."""
    if estimate is None or estimate.plateau is None:
        return False
    return estimate.value < _LEAST_SHARE * scale * chord(series, timestep_ps, estimate.plateau.end_ps)


def _noted(estimate: TransportEstimate, note: str) -> TransportEstimate:
    return replace(estimate, notes=(*estimate.notes, note))


def _of_species(displacements: Sequence[np.ndarray], species: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return the displacements of each species in each run, (F, K) for all its components, from (F, n, 3)."""
    names = dict.fromkeys(str(label) for label in species)
    return {name: [run[:, species == name].reshape(len(run), -1) for run in displacements] for name in names}


def _diffusion_bounds(displacements: Sequence[np.ndarray], species: np.ndarray, timestep_ps: float) -> dict[str, float]:
    """Return upper bounds of the diffusion of each species, cm²/s, from (F, n, 3) displacements of each run, Å."""
    bounds = {}
    for name, series in _of_species(displacements, species).items():
        bound = upper_bound(series, timestep_ps)
        if bound is not None:
            bounds[f"D of {name}"] = bound * DIFFUSION_UNIT
    return bounds


def _check_alike(trajectories: Sequence[IonTrajectory]) -> None:
    first = trajectories[0]
    for other in trajectories[1:]:
        if not np.array_equal(other.species, first.species) or not np.array_equal(other.charges, first.charges):
            raise InputError(f"{other.name} does not hold the ions of {first.name}")
        for kind in ("timestep_ps", "velocity_step_ps"):
            step, expected = getattr(other, kind) or 0.0, getattr(first, kind) or 0.0
            if abs(step - expected) > 1e-3 * expected:
                raise InputError(f"{other.name} has a frame every {step:g} ps, {first.name} every {expected:g} ps")
        if abs(other.volume - first.volume) > 1e-3 * first.volume:
            raise InputError(f"{other.name} has {other.volume:.6g} Å³, {first.name} {first.volume:.6g} Å³")
        if other.cell is not None and first.cell is not None:
            metrics = [cell @ cell.T for cell in (other.cell, first.cell)]
            if np.abs(metrics[0] - metrics[1]).max() > 1e-3 * np.abs(metrics[1]).max():
                raise InputError(f"{other.name} and {first.name} have cells of the same volume but different shapes")
        if other.frames != first.frames:
            raise InputError(
                f"{first.name} and {other.name} have {first.frames} and {other.frames} frames: trajectories of "
                f"different lengths cannot be averaged; cut them to {min(first.frames, other.frames)} frames (a slice, "
                "--end) or leave the short ones out"
            )
