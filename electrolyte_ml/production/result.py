"""Results of a production, read from its files at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import plain
from electrolyte_ml.analysis.conductivity import ConductivityResult, measure_conductivity
from electrolyte_ml.analysis.estimates import TransportEstimate
from electrolyte_ml.analysis.production import UNFINISHED, Production
from electrolyte_ml.analysis.viscosity_runs import run_viscosity
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_json, read_text
from electrolyte_ml.production.places import (
    BEGUN,
    SETTINGS,
    VOLUME,
    box_folder,
    condition_folder,
    rounding,
    run_record,
    trajectory_folder,
)
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.production.stages import COMPLETED
from electrolyte_ml.trajectories.ion_record import read_ion_record
from electrolyte_ml.trajectories.stress_record import has_stress_record, read_stress_record


@dataclass(frozen=True)
class ConditionResult:
    """Results of the trajectories of one temperature.

    Attributes
    ----------
    temperature : float, K
    density, density_error : float, g/cm³
        Density of the production, the mean over the equilibrations, and its standard error from their scatter; NaN if
        missing. A given density has no error.
    pressure, pressure_error : float, bar
        Mean pressure of the completed trajectories, and its standard error from their scatter; NaN if not known.
    production : Production
        Numbers of runs, with the reasons of those that ended early (Table 1).
    endings : tuple of (str, str)
        Reason and detail of the end of each trajectory.
    conductivity : ConductivityResult or None
        Conductivity from the completed trajectories.
    refused : str
        Reason why there is no conductivity; empty if there is one.
    viscosity : TransportEstimate or None
        Green-Kubo viscosity, mPa s. It enters the finite-size correction of the diffusion coefficients.
    no_viscosity : str
        Reason why there is no viscosity; empty if there is one.
    trusted : float or None
        Share of frames with a grade below `grades.trusted` of the settings, over the completed trajectories; None if
        there are no grades.
    """

    temperature: float
    density: float
    density_error: float
    pressure: float
    pressure_error: float
    production: Production
    endings: tuple[tuple[str, str], ...]
    conductivity: ConductivityResult | None
    refused: str
    viscosity: TransportEstimate | None
    no_viscosity: str
    trusted: float | None

    @property
    def trust(self) -> str:
        """The trusted share in words."""
        return "no grades" if self.trusted is None else f"{self.trusted:.1%} of frames trusted"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain numbers and strings, for JSON."""
        return {
            "temperature_K": self.temperature,
            "density_g_cm3": plain(self.density),
            "density_error_g_cm3": plain(self.density_error),
            "pressure_bar": plain(self.pressure),
            "pressure_error_bar": plain(self.pressure_error),
            "production": vars(self.production),
            "endings": [{"reason": reason, "detail": detail} for reason, detail in self.endings],
            "trusted": self.trusted,
            "result": None if self.conductivity is None else self.conductivity.to_dict(),
            "refused": self.refused,
            "viscosity": None if self.viscosity is None else self.viscosity.to_dict(),
            "no_viscosity": self.no_viscosity,
        }

    def __str__(self) -> str:
        error = f" ± {self.density_error:.2g}" if np.isfinite(self.density_error) else ""
        density = f"density {self.density:.4f}{error} g/cm³" if np.isfinite(self.density) else "no density"
        if np.isfinite(self.pressure):
            error = f" ± {self.pressure_error:.2g}" if np.isfinite(self.pressure_error) else ""
            density += f", pressure {self.pressure:.0f}{error} bar"
        lines = [f"{self.temperature:g} K: {self.production}; {self.trust}; {density}"]
        early: dict[str, list[str]] = {}
        for number, (reason, detail) in enumerate(self.endings):
            if reason != COMPLETED:
                early.setdefault(f"{reason}: {detail}" if detail else reason, []).append(str(number))
        lines += [
            f"  {'trajectory' if len(numbers) == 1 else 'trajectories'} {', '.join(numbers)}: {reason}"
            for reason, numbers in early.items()
        ]
        if self.production.failures and self.production.completed:
            lines.append(self.production.bias)
        lines.append(self.refused if self.conductivity is None else self.conductivity.report())
        if self.viscosity is not None:
            lines.append(str(self.viscosity))
            if self.conductivity is not None and self.conductivity.nernst_einstein is not None:
                correction = self.conductivity.nernst_einstein.correction
                uncertainty = correction * self.viscosity.error / self.viscosity.value
                lines.append(f"D is corrected for the size of the cell by {correction:.3g} ± {uncertainty:.1g} cm²/s")
        elif self.conductivity is not None:
            lines.append(f"no viscosity: {self.no_viscosity}")
        return "\n".join(lines)


@dataclass(frozen=True)
class ProductionResult:
    """Results of all temperatures of a production.

    Attributes
    ----------
    directory : Path
    conditions : dict
        Temperature (K) -> result.
    """

    directory: Path
    conditions: Mapping[float, ConditionResult]

    @property
    def completed(self) -> bool:
        """Whether every trajectory has reached its whole length."""
        return all(set(dict(condition.endings)) == {COMPLETED} for condition in self.conditions.values())

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain numbers and strings, for JSON."""
        conditions = [condition.to_dict() for condition in self.conditions.values()]
        return {"directory": str(self.directory), "conditions": conditions}

    def __str__(self) -> str:
        return "\n\n".join(str(condition) for condition in self.conditions.values())


def read_production(directory: str | os.PathLike[str], settings: ProductionSettings | None = None) -> ProductionResult:
    """Read the state of a production and the results of its completed trajectories.

    Parameters
    ----------
    directory
        Folder of :func:`electrolyte_ml.production.produce`.
    settings
        Settings of the production; by default those in the directory.

    Raises
    ------
    InputError
        The folder holds no production.
    """
    directory = Path(directory)
    if not (directory / BEGUN).is_file():
        raise InputError(f"{directory} holds no production that has begun")
    settings = settings or ProductionSettings.from_toml(directory / SETTINGS)
    return ProductionResult(
        directory,
        {temperature: _condition(directory, settings, temperature) for temperature in settings.temperatures},
    )


def _condition(directory: Path, settings: ProductionSettings, temperature: float) -> ConditionResult:
    trajectories = settings.trajectories
    numbers = range(trajectories.count)
    endings = [_ending(directory, settings, temperature, number) for number in numbers]
    density, density_error = _density(condition_folder(directory, temperature) / VOLUME)
    folders = [trajectory_folder(directory, temperature, k) for k in numbers if endings[k][1] == COMPLETED]
    refused = no_viscosity = "no trajectory is complete: there is no conductivity"
    conductivity, viscosity = None, None
    pressure, pressure_error = _pressure(folders)
    if folders:
        viscosity, no_viscosity = measured_viscosity(folders, temperature)
        try:
            conductivity = measure_conductivity(
                [read_ion_record(folder) for folder in folders],
                temperature,
                window_ps=settings.analysis.window,
                viscosity_mpa_s=None if viscosity is None else viscosity.value,
            )
        except InputError as error:
            refused = str(error)
        else:
            refused = ""
    return ConditionResult(
        temperature=temperature,
        density=density,
        density_error=density_error,
        pressure=pressure,
        pressure_error=pressure_error,
        production=Production.of([(length, reason) for length, reason, _ in endings]),
        endings=tuple((reason, detail) for _, reason, detail in endings),
        conductivity=conductivity,
        refused=refused,
        viscosity=viscosity,
        no_viscosity=no_viscosity,
        trusted=_trusted_share(folders, settings.grades.trusted),
    )


def _density(record: Path) -> tuple[float, float]:
    """Return density and error (g/cm³) from the record of the volume; NaN for what is not known."""
    if not record.exists():
        return np.nan, np.nan
    volume = read_json(record)
    known = volume["density_error"] is not None
    return volume.number("density", least=1e-6), volume.number("density_error") if known else np.nan


def _pressure(folders: Sequence[Path]) -> tuple[float, float]:
    """Return the mean pressure of runs and its standard error from their scatter (bar); NaN for what is not known."""
    if not folders or not all(map(has_stress_record, folders)):
        return np.nan, np.nan
    means = np.array([read_stress_record(folder).pressures[:, :3].mean() for folder in folders])
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else np.nan


def measured_viscosity(folders: Sequence[Path], temperature: float) -> tuple[TransportEstimate | None, str]:
    """Return the viscosity (mPa s) of runs and an empty text, or None and the reason."""
    if not all(has_stress_record(folder) for folder in folders):
        return None, "the pressure was not recorded"
    try:
        return run_viscosity([read_stress_record(folder) for folder in folders], temperature), ""
    except InputError as error:
        return None, str(error)


def _ending(directory: Path, settings: ProductionSettings, temperature: float, number: int) -> tuple[float, str, str]:
    """Return length (ps), reason and detail of a trajectory; if an earlier stage failed, the reason names the stage."""
    folder = trajectory_folder(directory, temperature, number)
    record = run_record(folder)
    if record:
        reason, time_ps, whole = record.text("reason"), record.number("time_ps"), settings.trajectories.time_ps
        if time_ps > whole + rounding(record):
            raise InputError(f"{record.path}: its 'time_ps' {time_ps:g} is above the {whole:g} ps of the settings")
        if reason == COMPLETED and time_ps < whole - rounding(record):
            reason = UNFINISHED
        return time_ps, reason, record.text("detail")
    box = number % settings.equilibration.boxes
    stages = {stage: "annealing" for stage in sorted(box_folder(directory, box).glob("stage_*"))}
    stages |= {folder / name: name for name in ("equilibration", "settling")}
    for stage, name in stages.items():
        record = run_record(stage)
        if record and record.text("reason") != COMPLETED:
            return 0.0, f"{record.text('reason')} ({name})", record.text("detail")
    return 0.0, UNFINISHED, ""


def _trusted_share(folders: list[Path], trusted: float) -> float | None:
    grades = [grade for folder in folders for grade in _grades(folder)]
    return float(np.mean(np.array(grades) < trusted)) if grades else None


def _grades(folder: Path) -> list[float]:
    """Return the grades in a log, one for each graded frame."""
    rows = read_text(folder / "log.csv").splitlines()[1:]
    try:
        values = np.array([row.rpartition(",")[2] for row in rows], dtype=float)
    except ValueError:
        raise InputError(f"{folder / 'log.csv'} is damaged: not the log of a run") from None
    return values[np.isfinite(values)].tolist()
