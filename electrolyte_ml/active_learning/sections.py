"""Sections of active-learning settings, which TOML files, Python and the scales of the paper share."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.active_set import Mode
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.settings import Count, NotNegative, Positive, Text, Texts, Whole, check_values, fault, section
from electrolyte_ml.training.restraint import ChargeRestraint
from electrolyte_ml.units import ATMOSPHERE_BAR

ROUND, MOST_ROUNDS = 8, 8  # trajectories of a round of the seeding, and rounds at most
HydrogenMass = Annotated[float, Field(gt=1.008, le=6.0)]


@section
class MDRun:
    """A molecular dynamics run.

    Attributes
    ----------
    ensemble : {"nve", "nvt", "npt"}
    temperature : float, K
    time_ps, timestep_fs : float
    pressure_bar : float or None
        Of "npt" alone, 1 atm by default.
    hydrogen_mass : float or None, amu
        Mass of hydrogens, taken from the heavy atoms that they are bonded to; their own by default. 3 amu allow steps
        of 2 fs.
    """

    ensemble: Literal["nve", "nvt", "npt"]
    temperature: Positive
    time_ps: Positive
    timestep_fs: Positive = 1.0
    pressure_bar: float | None = None
    hydrogen_mass: HydrogenMass | None = None

    @model_validator(mode="after")
    def _check_run(self) -> MDRun:
        if self.time_ps * 1000 < self.timestep_fs:
            raise fault("time_ps", self.time_ps, f"shorter than one step, timestep_fs = {self.timestep_fs}")
        if self.ensemble != "npt" and self.pressure_bar is not None:
            raise fault("pressure_bar", self.pressure_bar, f'goes with ensemble = "npt", not with "{self.ensemble}"')
        if self.ensemble == "npt" and self.pressure_bar is None:
            object.__setattr__(self, "pressure_bar", ATMOSPHERE_BAR)
        return self

    @property
    def steps(self) -> int:
        """Time steps of the run."""
        return round(self.time_ps * 1000 / self.timestep_fs)

    def options(self) -> dict[str, Any]:
        """Return the arguments of :func:`~electrolyte_ml.dynamics.run_md` that the run fixes."""
        values = {item.name: getattr(self, item.name) for item in fields(MDRun)}
        return {name: value for name, value in values.items() if value is not None}


@section
class ReferenceSettings:
    """What labels the data.

    Attributes
    ----------
    name : str
        As :func:`electrolyte_ml.reference.get` takes it: a preset, an ASE calculator or a command. Files that it names
        may be given relative to the settings' file.
    settings : dict
        Passed on to it.
    """

    name: Text = "GFN1-xTB"
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self) -> references.Reference:
        """Return the reference.

        Raises
        ------
        InputError
            It is missing, or does not have one of the settings.
        """
        return references.get(self.name, **self.settings)


@section
class SeedingSettings(MDRun):
    """Dynamics with the reference itself, which give the first training set.

    Attributes
    ----------
    ensemble, temperature, time_ps, timestep_fs
        Of each trajectory. Molecules are packed at rest in their minima: half of the heat given to them is soon
        potential energy.
    trajectories : int
        0 for as many as are needed: rounds of 8 go on until new trajectories meet nothing that is far from the others,
        at most 64 in all, and small cells that are rich in the rare elements of the composition come in turn with it.
    configurations : int
        Taken from all steps together for the training set: those that MaxVol takes, the ones with most of its rows
        first, and if they are fewer, others that are spread evenly over the steps. 0 for all that MaxVol takes, and at
        least half of the steps.
    seed : int
        Of the packed boxes and of the trajectories.
    """

    ensemble: Literal["nve", "nvt"] = "nvt"
    temperature: Positive = 1000.0
    time_ps: Positive = 0.015
    trajectories: Whole = 0
    configurations: Whole = 0
    seed: Whole = 0

    @model_validator(mode="after")
    def _check_configurations(self) -> SeedingSettings:
        if self.configurations:
            if self.configurations > self.steps * self.most_trajectories:
                available = f"{self.most_trajectories} trajectories of {self.steps} steps do not hold so many"
                raise fault("configurations", self.configurations, available)
            least = self.trajectories or ROUND
            if self.configurations < least:
                raise fault("configurations", self.configurations, f"fewer than trajectories = {least}")
        return self

    @property
    def most_trajectories(self) -> int:
        """Trajectories at most."""
        return self.trajectories or MOST_ROUNDS * ROUND


@section
class InheritanceSettings:
    """Labelled sets of other runs, out of which the first training set is chosen in place of the seeding.

    The paper learns the mixtures of EC and EMC so, from the sets of both (section S1). Exploration starts from a packed
    box of each composition, or from each configuration of the file of starts.

    Attributes
    ----------
    sets : tuple of str
        Folders of runs, or files of labelled configurations; relative to the settings' file.
    uniform_configurations : int
        Evenly spaced over all sets; a potential fitted to them chooses among the others.
    run : str or None
        Folder of a run that goes on here from other starts. Its whole training set is taken, and its potential, in
        place of one fitted to evenly spaced configurations, chooses among the sets and is fitted further. The paper
        adds aggregates to ion pairs so (section 2.3.1).
    """

    sets: Texts = ()
    uniform_configurations: Count = 20
    run: Text | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The run, if one goes on, and the sets."""
        return (*([] if self.run is None else [self.run]), *self.sets)


@section
class ExplorationSettings(MDRun):
    """Dynamics with the potential in each iteration.

    Attributes
    ----------
    ensemble, temperature, time_ps, timestep_fs, pressure_bar
        Of each trajectory.
    trajectories : int
    larger_boxes : tuple of str
        Compositions of larger boxes, packed at the mean density, in which the first of every five trajectories runs.
        They hold what small boxes cannot, where atoms see their own images. Goes with `composition`, of the same
        elements.
    most_saved : int
        A trajectory ends when it has saved so many configurations: its forces are then outside the training domain.
        0 sets no limit, as in the paper.
    watch_molecules : bool
        End a trajectory whose molecules break or fuse, and label its last configuration.
    """

    ensemble: Literal["nve", "nvt", "npt"] = "npt"
    temperature: Positive = 400.0
    time_ps: Positive = 10.0
    trajectories: Count = 10
    larger_boxes: Texts = ()
    most_saved: Whole = 10
    watch_molecules: bool = True


@section
class GradeSettings:
    """Extrapolation grades: how they are measured, and what follows from them.

    Attributes
    ----------
    mode : {"configuration", "neighbourhood"}
        Rows of MaxVol; the paper's are configurations.
    terms : tuple of str
        Kinds of the model's terms whose derivatives make the rows, such as ``"mtp"`` alone for a model with charges;
        all by default.
    interval_fs : float
        Time between two gradings of a trajectory. Of 48 trajectories of 4 EC with the potential of a seeding, 6 ended
        with a broken molecule when they were graded every 20 fs, and none when every 5 fs: the grade ended all of them
        before, none of them above 16.
    longest_fs : float
        The longest such time, while the grade is far below `save_threshold` (see
        :class:`electrolyte_ml.dynamics.GradeMonitor`): most of an exploration's time goes into grades of what is known
        well. With `interval_fs` or less the time is the same throughout.
    save_threshold, break_threshold : float
        Configurations of a higher grade than the first are saved; the second ends the trajectory.
    swap_threshold : float
        A saved configuration is selected if it enlarges the volume of MaxVol's matrix by more than this factor. With
        more than the 1.001 of the paper's code fewer are labelled; up to `save_threshold` none is left that would be
        saved again.
    """

    mode: Mode = "neighbourhood"
    terms: Texts = ()
    interval_fs: Positive = 5.0
    longest_fs: Positive = 40.0
    save_threshold: float = 2.0
    break_threshold: float = 10.0
    swap_threshold: float = 1.05

    @model_validator(mode="after")
    def _check_order(self) -> GradeSettings:
        if self.save_threshold <= 1:
            raise fault("save_threshold", self.save_threshold, "must be above 1, the grade of the training set itself")
        if self.break_threshold <= self.save_threshold:
            above = f"must be above save_threshold = {self.save_threshold}"
            raise fault("break_threshold", self.break_threshold, above)
        if not 1 < self.swap_threshold <= self.save_threshold:
            between = f"must be above 1 and not above save_threshold = {self.save_threshold}"
            raise fault("swap_threshold", self.swap_threshold, between)
        return self

    def interval(self, timestep_fs: float) -> int:
        """Return the time steps between two gradings."""
        return max(1, round(self.interval_fs / timestep_fs))

    def longest_interval(self, timestep_fs: float) -> int:
        """Return the most time steps between two gradings."""
        return max(self.interval(timestep_fs), round(self.longest_fs / timestep_fs))


@section
class FitSettings:
    """The loss, eq. (10), and its minimisation.

    Attributes
    ----------
    method : {"default", "paper"}
        The paper's is plain BFGS.
    energy_weight, force_weight, stress_weight : float
    iterations, refit_iterations : int
        Of the first fit, from random parameters, and of every later one, from the last parameters.
    tolerance : float or None
        Of the default method: a fit ends when the loss falls by less than this fraction in 50 iterations.
    starts : int
        Random starts of the first fit, of which the best is continued.
    charge_restraint : dict
        Charge (e) of species to which their mean charges are pulled weakly, such as {Li = 1.0}; none by default.
    charge_restraint_weight : float or None, eV^2/e^2
        Of that pull, 0.01 by default.
    leave_out : {"broken"} or None
        Configurations of the training set that neither the fit nor the extrapolation grade knows: "broken" are those
        with broken or unknown molecules. They stay in the set, and how many they are is recorded and printed.
    """

    method: Literal["default", "paper"] = "default"
    energy_weight: NotNegative = 1.0
    force_weight: NotNegative = 0.01
    stress_weight: NotNegative = 0.1
    iterations: Count = 300
    refit_iterations: Count = 120
    tolerance: NotNegative | None = None
    starts: Count = 1
    charge_restraint: dict[str, float] = field(default_factory=dict)
    charge_restraint_weight: Positive | None = None
    leave_out: Literal["broken"] | None = None

    @model_validator(mode="after")
    def _check_fit(self) -> FitSettings:
        if self.charge_restraint_weight is not None and not self.charge_restraint:
            raise fault("charge_restraint_weight", self.charge_restraint_weight, "goes with charge_restraint")
        if not self.energy_weight + self.force_weight + self.stress_weight > 0:
            raise fault("force_weight", self.force_weight, "the weights of the loss are all zero")
        if self.method != "default" and self.tolerance is not None:
            raise fault("tolerance", self.tolerance, f'goes with method = "default", not with "{self.method}"')
        return self

    def options(self, *, refit: bool) -> dict[str, Any]:
        """Return the arguments of :func:`~electrolyte_ml.training.train` for the first fit or for a later one."""
        options: dict[str, Any] = {
            "method": self.method,
            "energy_weight": self.energy_weight,
            "force_weight": self.force_weight,
            "stress_weight": self.stress_weight,
            "max_iterations": self.refit_iterations if refit else self.iterations,
        }
        if self.tolerance is not None:
            options["tolerance"] = self.tolerance
        if self.charge_restraint:
            weight = {} if self.charge_restraint_weight is None else {"weight": self.charge_restraint_weight}
            options["charge_restraint"] = ChargeRestraint(self.charge_restraint, **weight)
        return options if refit else {**options, "starts": self.starts}


@section
class StoppingSettings:
    """When a run ends.

    Attributes
    ----------
    quiet_iterations : int
        The run has converged when no trajectory of so many iterations in a row has met anything new. One, as in the
        paper, where trajectories are long; short ones miss what a liquid does once in a hundred picoseconds.
    max_iterations : int
        Iterations of exploration after which the run stops even if it has not converged.
    """

    quiet_iterations: Count = 2
    max_iterations: Count = 100


@section
class LearningProtocol:
    """How a potential is learnt, whatever of.

    The defaults learn a small box on a laptop. Weights of energies and forces, thresholds and the number of
    trajectories are the paper's; level, times and numbers of configurations are smaller. Grades are those of
    neighbourhoods and stresses are fitted, which the paper does not: so few and so small configurations span too
    little for a grade of their whole, and leave the pressure to chance.

    Seeds of 15 fs from packed molecules at rest keep half of 1000 K, and some picoseconds of exploration at 400 K show
    what a liquid at 300 K meets in many: potentials learnt colder let molecules fuse in larger boxes. The rest was
    chosen on few runs, one or two of each kind: 10 ps, since a potential learnt in 2 ps broke; an end after ten saved
    configurations, since a potential that had labelled what came later was fitted worse.

    Attributes
    ----------
    model : ModelSpec
    reference : ReferenceSettings
    seeding : SeedingSettings
    inheritance : InheritanceSettings
    exploration : ExplorationSettings
    grades : GradeSettings
    fit : FitSettings
    stopping : StoppingSettings
    """

    model: ModelSpec = ModelSpec()
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    seeding: SeedingSettings = SeedingSettings()
    inheritance: InheritanceSettings = InheritanceSettings()
    exploration: ExplorationSettings = ExplorationSettings()
    grades: GradeSettings = GradeSettings()
    fit: FitSettings = FitSettings()
    stopping: StoppingSettings = StoppingSettings()

    @model_validator(mode="after")
    def _check_restraint(self) -> LearningProtocol:
        if self.fit.charge_restraint and self.model.charges is None:
            text = "goes with a model of the charges, [model] charges"
            raise fault("fit.charge_restraint", self.fit.charge_restraint, text)
        return self

    @field_validator("model")
    @classmethod
    def _check_model(cls, model: ModelSpec) -> ModelSpec:
        check_values(model)
        if wrong := model.fault():
            raise fault(*wrong)
        return model
