"""Conductivity of an electrolyte by every estimator that its trajectories support."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.crosschecks import kinisi_conductivity, stacie_conductivity
from electrolyte_ml.analysis.estimates import GIVEN, TransportEstimate
from electrolyte_ml.analysis.independent_ions import NernstEinsteinResult, nernst_einstein
from electrolyte_ml.analysis.motion_checks import doubtful_velocities
from electrolyte_ml.analysis.onsager import OnsagerResult, onsager_coefficients
from electrolyte_ml.analysis.production import needed_time
from electrolyte_ml.analysis.transport import einstein_helfand, green_kubo
from electrolyte_ml.checks import one_of
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.trajectories.ions import IonTrajectory

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
        The complete results of these methods; None where they are not among the estimates.
    """

    temperature: float
    volume: float
    estimates: Mapping[str, TransportEstimate]
    refused: Mapping[str, str]
    nernst_einstein: NernstEinsteinResult | None
    onsager: OnsagerResult | None

    @property
    def best(self) -> TransportEstimate:
        """The estimate of Green-Kubo, as in the paper, or of Einstein-Helfand where there are no velocities.

        Raises
        ------
        InputError
            Neither gives one.
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
        }
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
        """Return the table of methods, their other results, the length that better runs need, and warnings."""
        lines = [str(self)]
        more = [] if self.nernst_einstein is None else list(self.nernst_einstein.diffusion.values())
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
        for method, why in self.refused.items():
            lines.append(f"{method:18} {'-':>10}  {why}")
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
        Among :data:`METHODS`. A method that the runs do not support (no velocities, too short, its package not
        installed) is refused with its reason, and the others go on.
    window_ps
        The plateau, for all methods that have one; found by each otherwise.
    viscosity_mpa_s
        For the correction of Nernst-Einstein's for the size of the cell.

    Returns
    -------
    ConductivityResult

    Raises
    ------
    InputError
        Without a trajectory, for an unknown method, or for trajectories of different ions, time steps, lengths or
        volumes.
    """
    if not trajectories:
        raise InputError("there is no trajectory")
    for name in methods:
        one_of("method", name, METHODS)
    first = trajectories[0]
    _check_alike(trajectories)
    common = (first.timestep_ps, first.volume, temperature)
    ions = (first.species, first.charges, *common)

    velocity_step = first.velocity_step_ps or first.timestep_ps
    of_velocities = (velocity_step, first.volume, temperature)

    def currents() -> list[np.ndarray]:
        return [run.current() for run in trajectories]

    def dipoles() -> list[np.ndarray]:
        return [run.dipole() for run in trajectories]

    def moved() -> list[np.ndarray]:
        return [run.displacements() for run in trajectories]

    measure: dict[str, Callable[[], TransportEstimate | NernstEinsteinResult | OnsagerResult]] = {
        "green-kubo": lambda: green_kubo(currents(), *of_velocities, window_ps=window_ps),
        "einstein-helfand": lambda: einstein_helfand(dipoles(), *common, window_ps=window_ps),
        "nernst-einstein": lambda: nernst_einstein(
            moved(), *ions, viscosity_mpa_s=viscosity_mpa_s, cell=first.cell, window_ps=window_ps
        ),
        "onsager": lambda: onsager_coefficients(
            moved(), *ions, masses=first.masses, solvent_mass=first.solvent_mass, window_ps=window_ps
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
            found = measure[method]()
        except ElectrolyteError as error:
            refused[method] = str(error)
            continue
        if isinstance(found, NernstEinsteinResult):
            independent = found
        elif isinstance(found, OnsagerResult):
            collective = found
        estimates[method] = found if isinstance(found, TransportEstimate) else found.conductivity
    if "green-kubo" in estimates:
        moves = estimates.get("einstein-helfand")
        if moves is None and first.positions is not None:
            with suppress(ElectrolyteError):
                moves = einstein_helfand(dipoles(), *common, window_ps=window_ps)
        if why := doubtful_velocities(trajectories, temperature, estimates["green-kubo"], moves):
            for method in {"green-kubo", "stacie"} & set(estimates):
                del estimates[method]
                refused[method] = why
    return ConductivityResult(temperature, first.volume, estimates, refused, independent, collective)


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
                raise InputError(f"{other.name} and {first.name} have cells of one volume but different shapes")
        if other.frames != first.frames:
            raise InputError(
                f"{first.name} and {other.name} have {first.frames} and {other.frames} frames: trajectories of "
                f"different lengths cannot be averaged; cut them to {min(first.frames, other.frames)} frames (a slice, "
                "--end) or leave the short ones out"
            )
