"""Conductivity of an electrolyte by every estimator that its trajectories support."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

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
    first = trajectories[0]
    _check_alike(trajectories)
    common = (first.timestep_ps, first.volume, temperature)
    ions = (first.species, first.charges, *common)

    with_positions = all(run.positions is not None for run in trajectories)
    velocity_step = first.velocity_step_ps or first.timestep_ps
    of_velocities = (velocity_step, first.volume, temperature)

    def currents() -> list[np.ndarray]:
        return [run.current() for run in trajectories]

    def dipoles() -> list[np.ndarray]:
        return [run.dipole() for run in trajectories]

    def displacements() -> list[np.ndarray]:
        return [run.displacements() for run in trajectories]

    measure: dict[str, Callable[[], TransportEstimate | NernstEinsteinResult | OnsagerResult]] = {
        "green-kubo": lambda: green_kubo(currents(), *of_velocities, window_ps=window_ps),
        "einstein-helfand": lambda: einstein_helfand(dipoles(), *common, window_ps=window_ps),
        "nernst-einstein": lambda: nernst_einstein(
            displacements(), *ions, viscosity_mpa_s=viscosity_mpa_s, cell=first.cell, window_ps=window_ps
        ),
        "onsager": lambda: onsager_coefficients(
            displacements(), *ions, masses=first.masses, solvent_mass=first.solvent_mass, window_ps=window_ps
        ),
        "stacie": lambda: stacie_conductivity(currents(), *of_velocities),
        "kinisi": lambda: kinisi_conductivity(dipoles(), *common, window_ps=window_ps),
    }
    estimates: dict[str, TransportEstimate] = {}
    refused: dict[str, str] = {}
    independent: NernstEinsteinResult | None = None
    collective: OnsagerResult | None = None
    for method in methods:
        try:
            result = measure[method]()
        except ElectrolyteError as error:
            refused[method] = str(error)
            continue
        if isinstance(result, NernstEinsteinResult):
            independent = result
        elif isinstance(result, OnsagerResult):
            collective = result
        estimates[method] = result if isinstance(result, TransportEstimate) else result.conductivity
    if "green-kubo" in estimates:
        from_positions = estimates.get("einstein-helfand")
        if from_positions is None and with_positions:
            with suppress(ElectrolyteError):
                from_positions = einstein_helfand(dipoles(), *common, window_ps=window_ps)
        if reason := doubtful_velocities(trajectories, temperature, estimates["green-kubo"], from_positions):
            for method in {"green-kubo", "stacie"} & set(estimates):
                del estimates[method]
                refused[method] = reason
    bounds: dict[str, float] = {}
    if with_positions:
        scale = conductivity_scale(first.volume, temperature)
        rattling = _rattles(dipoles(), first.timestep_ps, estimates.get("einstein-helfand"), scale)
        if rattling:
            estimates["einstein-helfand"] = _noted(estimates["einstein-helfand"], rattling)
        if rattling or "einstein-helfand" in refused:
            bound = upper_bound(dipoles(), first.timestep_ps)
            bounds |= {} if bound is None else {"conductivity": scale * bound}
    if with_positions and "centre of mass" not in first.missing:
        of_ions = {} if independent is None else independent.diffusion
        caged = [name for name, run in _of_species(displacements(), first.species).items()
                 if _rattles(run, first.timestep_ps, of_ions.get(name), DIFFUSION_UNIT)]  # fmt: skip
        if caged:
            text = f"{' and '.join(caged)}: the {_RATTLING}"
            estimates["nernst-einstein"] = _noted(estimates["nernst-einstein"], text)
        if caged or "nernst-einstein" in refused:
            bounds |= _diffusion_bounds(displacements(), first.species, first.timestep_ps)
    solvents: dict[str, TransportEstimate] = {}
    if all(run.solvent_positions is not None for run in trajectories):
        solvent_displacements = [run.solvent_displacements() for run in trajectories]
        try:
            solvents = diffusion_coefficients(
                solvent_displacements, first.solvent_species, *common, viscosity_mpa_s=viscosity_mpa_s, cell=first.cell,
                window_ps=window_ps,
            )  # fmt: skip
        except ElectrolyteError as error:
            refused["solvents"] = str(error)
            bounds |= _diffusion_bounds(solvent_displacements, first.solvent_species, first.timestep_ps)
    return ConductivityResult(temperature, first.volume, estimates, refused, independent, collective, bounds, solvents)


def _rattles(series: Sequence[np.ndarray], timestep_ps: float, estimate: TransportEstimate | None, scale: float) -> str:
    """Return a warning if an estimate, in units of `scale`, is far below the chord of the displacement; else ""."""
    if estimate is None or estimate.plateau is None:
        return ""
    largest = scale * chord(series, timestep_ps, estimate.plateau.end_ps)
    return f"the {_RATTLING}" if estimate.value < _LEAST_SHARE * largest else ""


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
