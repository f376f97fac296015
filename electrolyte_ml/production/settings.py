"""Settings of a production: equilibration, trajectories, grades and analysis."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from electrolyte_ml.active_learning.active_set import Mode
from electrolyte_ml.active_learning.sections import HydrogenMass
from electrolyte_ml.active_learning.settings import checked_elements, locate_molecules
from electrolyte_ml.production.ramps import ramps
from electrolyte_ml.settings import (
    Count,
    NotNegative,
    Positive,
    PositiveNumbers,
    Text,
    Whole,
    fault,
    file_contents,
    flatten,
    read_toml,
    relative_within,
    same_value,
    section,
    to_toml,
)
from electrolyte_ml.units import ATMOSPHERE_BAR

if TYPE_CHECKING:
    from electrolyte_ml.structures import Molecule

# Settings that may change when a production is continued.
FREE_TO_CHANGE = (
    "potential",  # the path may change; fingerprints of the potentials are compared
    "jobs",
    "temperatures",
    "equilibration.densities",  # compared temperature by temperature
    "trajectories.time_ps",
    "grades.trusted",
    "analysis.correlation_ps",
    "analysis.window_ps",
)


OUTER_FS = 3.0  # length of multiple time steps; 2.75 and 3.25 fs are resonances of bonds with hydrogen


def _stages(value: Any) -> Any:
    """Return the lists of lists of a TOML file as tuples."""
    if isinstance(value, list | tuple):
        return tuple(tuple(stage) if isinstance(stage, list) else stage for stage in value)
    return value


_HOTTEST = 10_000.0  # K, highest temperature of an annealing, which needs a run for each 10 K
Stages = Annotated[tuple[tuple[Positive, Positive, Positive], ...], BeforeValidator(_stages)]


@section
class EquilibrationSettings:
    """Settings of the equilibration: annealing of each packed box, then a run per trajectory.

    Both are at constant pressure, or at constant volume if `densities` are given.

    Attributes
    ----------
    annealing : tuple of (K, K, ps)
        Stages, each from one temperature to another: ``[300, 380, 1000]`` heats for 1 ns, in steps of at most 10 K.
    boxes : int
        Number of boxes that are packed and annealed independently; trajectories start from them in turn.
    time_ps : float
        Length of the equilibration of each trajectory, at its own temperature with its own velocities.
    average_last_ps : float or None
        Length of the last part of the equilibration, over which the volume is averaged; three quarters by default. The
        mean over all trajectories of a temperature is the volume of their production.
    densities : tuple of float or None, g/cm³
        Density at each temperature, or one density for all of them: all runs then have a constant volume, the annealing
        that of the first density. Measured densities take an error of the potential in the density out of the
        transport coefficients.
    timestep_fs, pressure_bar : float
    hydrogen_mass : float or None, amu
        Mass of hydrogens; the difference is taken from the heavy atoms that they are bonded to. Averages over
        configurations, such as the volume, do not depend on it. In the production hydrogens have their own mass.
    """

    annealing: Stages = (
        (300.0, 300.0, 200.0),
        (300.0, 380.0, 200.0),
        (380.0, 380.0, 200.0),
        (380.0, 300.0, 200.0),
        (300.0, 300.0, 200.0),
    )
    boxes: Count = 1
    time_ps: Positive = 200.0
    average_last_ps: Positive | None = None
    densities: PositiveNumbers | None = None
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = 2.0
    hydrogen_mass: HydrogenMass | None = 3.0
    pressure_bar: float = ATMOSPHERE_BAR

    @model_validator(mode="after")
    def _check(self) -> EquilibrationSettings:
        if self.averaged_ps > self.time_ps:
            raise fault("average_last_ps", self.average_last_ps, f"longer than time_ps = {self.time_ps:g}")
        if self.averaged_ps * 1000 < 20 * self.timestep_fs:
            raise fault("time_ps", self.time_ps, "shorter than 20 time steps after the part that is not averaged")
        if self.densities is not None:
            if not self.densities:
                raise fault("densities", [], "must be one value in g/cm³, or one for each temperature")
            if self.pressure_bar != ATMOSPHERE_BAR:
                raise fault("pressure_bar", self.pressure_bar, "cannot be set together with densities")
        for stage in self.annealing:
            if stage[2] * 1000 < self.timestep_fs:
                raise fault("annealing", list(stage), "shorter than one step")
            if max(stage[:2]) > _HOTTEST:
                raise fault("annealing", list(stage), f"hotter than {_HOTTEST:g} K")
        return self

    @property
    def averaged_ps(self) -> float:
        """Length of the last part of an equilibration, over which the volume is averaged, ps."""
        return 0.75 * self.time_ps if self.average_last_ps is None else self.average_last_ps


@section
class TrajectorySettings:
    """Settings of the production's trajectories, at constant volume with the masses of the elements.

    Attributes
    ----------
    count : int
        Number of trajectories at each temperature.
    time_ps, timestep_fs : float
    settling_ps : float
        Length of the run at the production's volume before the recorded one.
    ion_interval_fs, frame_interval_ps : float
        Time between frames of the ions alone, for currents, and between whole frames, for solvation shells.
    pressure_interval_fs : float
        Time between frames of the pressure tensor, for the viscosity; 0 to record none.
    highest_temperature : float
        Temperature, in units of the set one, above which any run of the production is ended, also of the annealing.
    """

    count: Count = 10
    time_ps: Positive = 1000.0
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = 1.0
    settling_ps: NotNegative = 5.0
    ion_interval_fs: Positive = 10.0
    frame_interval_ps: Positive = 1.0
    pressure_interval_fs: NotNegative = 5.0
    highest_temperature: Annotated[float, Field(gt=1)] = 3.0

    @model_validator(mode="after")
    def _check(self) -> TrajectorySettings:
        intervals = {"ion_interval_fs": self.ion_interval_fs, "frame_interval_ps": self.frame_interval_fs}
        if self.pressure_interval_fs:
            intervals["pressure_interval_fs"] = self.pressure_interval_fs
        for name, interval in intervals.items():
            steps = interval / self.timestep_fs
            if not 1 - 1e-9 <= steps < inf or abs(steps - round(steps)) > 1e-6:
                raise fault(name, getattr(self, name), f"not a multiple of timestep_fs = {self.timestep_fs:g}")
        if self.time_ps * 1000 < 2 * max(self.ion_interval_fs, self.frame_interval_fs):
            raise fault("time_ps", self.time_ps, "too short for two frames")
        return self

    @property
    def frame_interval_fs(self) -> float:
        """Time between whole frames, fs."""
        return 1000.0 * self.frame_interval_ps


@section
class GradeWatch:
    """Settings of the extrapolation grades, computed for each whole frame of the production.

    Attributes
    ----------
    active_set : str or None
        File of an active set (``active_set.npz`` of a run of active learning), or the training set from which one
        is built, relative to the settings' file; or the name of a potential of the package, for its training set.
        Without it there are no grades.
    mode : {"configuration", "neighbourhood"}
        Mode of an active set that is built.
    trusted : float
        Grade below which a frame counts as trusted.
    break_threshold : float
        Grade above which a trajectory is ended.
    """

    active_set: Text | None = None
    mode: Mode = "neighbourhood"
    trusted: Positive = 2.0
    break_threshold: Positive = 10.0

    @model_validator(mode="after")
    def _check(self) -> GradeWatch:
        if self.break_threshold < self.trusted:
            raise fault("break_threshold", self.break_threshold, f"must not be below trusted = {self.trusted:g}")
        return self


@section
class AnalysisSettings:
    """Settings of the Green-Kubo integral of the conductivity.

    Attributes
    ----------
    correlation_ps : float
        Upper limit of the integral that gives the expected error, which is shown before and during the runs. The
        result has this limit if `window_ps` is given.
    window_ps : float or None
        Length of the window that ends at the upper limit, in which the running integral is averaged; by default the
        window is found from the data.
    """

    correlation_ps: Positive = 100.0
    window_ps: Positive | None = None

    @model_validator(mode="after")
    def _check(self) -> AnalysisSettings:
        if self.window_ps is not None and self.window_ps >= self.correlation_ps:
            raise fault("window_ps", self.window_ps, f"must be below correlation_ps = {self.correlation_ps:g}")
        return self

    @property
    def window(self) -> tuple[float, float] | None:
        """Beginning and end of the window, ps; None if it is found from the data."""
        return None if self.window_ps is None else (self.correlation_ps - self.window_ps, self.correlation_ps)

    @property
    def effective_ps(self) -> float:
        """Upper limit of an integral without averaging that has the same error, ps."""
        return self.correlation_ps - (2.0 / 3.0) * (self.window_ps or 0.0)


def _by_temperature(temperatures: Sequence[float], densities: Sequence[float] | None) -> dict[float, float]:
    """Return given densities by temperature, if there is one for each or one for all."""
    densities = densities or ()
    return dict(zip(temperatures, densities if len(densities) != 1 else [densities[0]] * len(temperatures)))


@section
class ProductionSettings:
    """Settings of :func:`~electrolyte_ml.production.produce`.

    Attributes
    ----------
    potential : str
        File, relative to the settings' file, or the name of a potential of the package.
    composition : str or None
        Molecules of the box, such as ``"EC=24 EMC=56 LiPF6=8"``; either this or `start` is given.
    density : float or None, g/cm³
        Density of the packed boxes; given with `composition`.
    start : str or None
        File of configurations, relative to the settings' file; the last `equilibration.boxes` of them are annealed.
    temperatures : tuple of float, K
    molecules : dict
        Molecules that the library lacks, as in :class:`electrolyte_ml.active_learning.ActiveLearningSettings`.
    precision : {"double", "mixed"}
        Precision of the potential; with "mixed" pairs are computed in single precision.
    multiple_steps : bool
        Whether `timestep_fs` of both sections are steps of the potential, within which a force field within the
        molecules moves the atoms (:mod:`electrolyte_ml.dynamics.force_field`). It is fitted to the potential on the
        first box, and the drift of the energy is tested, before anything else. `with_multiple_steps` sets all this.
    seed : int
        Seed of the packing, the velocities and the thermostats.
    jobs : int or None
        Number of parallel trajectories; one per core by default.
    equilibration, trajectories, grades, analysis
        The sections.

    Raises
    ------
    InputError
        A value is impossible; the message names the setting.
    """

    potential: Text
    composition: Text | None = None
    density: Positive | None = None
    start: Text | None = None
    temperatures: PositiveNumbers = (300.0,)
    molecules: dict[str, dict[str, Any]] = field(default_factory=dict)
    precision: Literal["double", "mixed"] = "double"
    multiple_steps: bool = False
    seed: Whole = 0
    jobs: Count | None = None
    equilibration: EquilibrationSettings = EquilibrationSettings()
    trajectories: TrajectorySettings = TrajectorySettings()
    grades: GradeWatch = GradeWatch()
    analysis: AnalysisSettings = AnalysisSettings()

    @model_validator(mode="after")
    def _check(self) -> ProductionSettings:
        if (self.composition is None) == (self.start is None):
            raise fault("composition", self.composition, "give either composition and density, or start")
        if (self.density is None) != (self.composition is None):
            raise fault("density", self.density, "must be given with composition, in g/cm³, and only then")
        if not self.temperatures or len({f"{value:g}" for value in self.temperatures}) < len(self.temperatures):
            raise fault("temperatures", list(self.temperatures), "must be one or more different temperatures, in K")
        if (boxes := self.equilibration.boxes) > (count := self.trajectories.count):
            raise fault(
                "equilibration.boxes", boxes, f"must not be above trajectories.count = {count}: each box is used"
            )
        densities = self.equilibration.densities
        if densities is not None and len(densities) not in (1, len(self.temperatures)):
            text = f"must be one value in g/cm³, or one for each of {len(self.temperatures)} temperatures"
            raise fault("equilibration.densities", list(densities), text)
        if stages := self.equilibration.annealing:
            steps = int(ramps(stages)[-1].time_ps * 1000 / self.equilibration.timestep_fs + 1e-6)
            if steps < self.starts_per_box:
                text = f"the last stage has {steps} steps, too few for {self.starts_per_box} configurations"
                raise fault("equilibration.annealing", [list(stage) for stage in stages], text)
        if self.composition is not None:
            checked_elements("composition", (self.composition,), 0, self.own_molecules())
        return self

    @property
    def starts_per_box(self) -> int:
        """Number of configurations of the annealing of a box from which trajectories start."""
        return -(-self.trajectories.count // self.equilibration.boxes)

    @property
    def densities(self) -> dict[float, float]:
        """Given densities (g/cm³) by temperature (K); empty for runs at constant pressure."""
        return _by_temperature(self.temperatures, self.equilibration.densities)

    def with_multiple_steps(self, timestep_fs: float = OUTER_FS) -> ProductionSettings:
        """Return the same settings with multiple time steps, of 3 fs in the equilibration.

        The intervals of the trajectories become the nearest multiples of their time step.

        Parameters
        ----------
        timestep_fs
            Time step of the trajectories, by default 3 fs.
        """
        intervals = {
            name: unit * timestep_fs * max(1, round(getattr(self.trajectories, name) / (unit * timestep_fs)))
            for name, unit in (("ion_interval_fs", 1.0), ("frame_interval_ps", 1e-3), ("pressure_interval_fs", 1.0))
            if getattr(self.trajectories, name)
        }
        return replace(
            self,
            multiple_steps=True,
            equilibration=replace(self.equilibration, timestep_fs=OUTER_FS),
            trajectories=replace(self.trajectories, timestep_fs=timestep_fs, **intervals),
        )

    def own_molecules(self) -> dict[str, Molecule]:
        """Return the molecules of `molecules` by name.

        Raises
        ------
        InputError
            A table does not describe a molecule, or the molecule cannot be built.
        """
        from electrolyte_ml.structures import molecules_of_tables

        return molecules_of_tables(self.molecules)

    def changes(self, other: Mapping[str, Any]) -> list[str]:
        """Return the names of settings that differ in `other` (from :meth:`plain`) and that affect the results."""
        own, other = self.plain(), {"multiple_steps": False, **other}  # older records lack it
        names = [name for name in own if name not in FREE_TO_CHANGE and not same_value(other.get(name), own[name])]
        shorter = self.trajectories.time_ps < other["trajectories.time_ps"]
        before = _by_temperature(other.get("temperatures", ()), other.get("equilibration.densities"))
        now = self.densities
        same = list(before.values())[:1] == list(now.values())[:1]  # the annealing has the first density
        same = same and all(before[temperature] == now[temperature] for temperature in before.keys() & now.keys())
        return names + ["trajectories.time_ps (shorter)"] * shorter + ["equilibration.densities"] * (not same)

    def contents(self) -> dict[str, str]:
        """Return a hash of each file that decides what is run, by the setting that names it; not of the potential."""
        named = {"start": self.start, "molecules": self.molecules, "grades.active_set": self.grades.active_set}
        return {key: found for name, value in named.items() for key, found in file_contents(value, name).items()}

    def plain(self) -> dict[str, Any]:
        """Return all values by their dotted names, as types of JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(flatten(self)))
        return plain

    def located(self, folder: Path) -> ProductionSettings:
        """Return the settings with absolute paths; relative ones are resolved against a folder."""
        start = self.start and str((folder / self.start).resolve())

        def found(name: str) -> str:  # or the name of a potential of the package
            return str((folder / name).resolve()) if (folder / name).exists() else name

        potential, active_set = found(self.potential), self.grades.active_set and found(self.grades.active_set)
        return replace(self, start=start, potential=potential, grades=replace(self.grades, active_set=active_set))

    def to_toml(self, path: Path | None = None) -> str:
        """Return the settings as TOML, without those that are not set.

        Parameters
        ----------
        path
            File that the text will be written to; paths below its folder are made relative, so that the folder can be
            moved. Paths are unchanged by default.
        """
        if path is None:
            return to_toml(self)
        return to_toml(relative_within(self, path.parent.resolve(), path.parent.resolve()))

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> ProductionSettings:
        """Read and check a TOML file; paths in it are relative to its folder.

        Raises
        ------
        InputError
            The file is not TOML, or has an unknown key (the message suggests a similar one), a wrong type or an
            impossible value; the message names file and key.
        OSError
            The file is missing or cannot be read.
        """
        folder = Path(path).parent
        return read_toml(cls, path, change=lambda table: locate_molecules(table, folder)).located(folder)
