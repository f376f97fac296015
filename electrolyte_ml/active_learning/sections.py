"""Sections of the settings of active learning, for TOML files, Python and the scales of the paper."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, field_validator, model_validator

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.active_set import Mode
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.settings import Count, NotNegative, Positive, Text, Texts, Whole, check_values, fault, section
from electrolyte_ml.training.restraint import ChargeRestraint
from electrolyte_ml.units import ATMOSPHERE_BAR

ROUND, MOST_ROUNDS = 8, 8  # trajectories in a round of the seeding, and largest number of rounds
HydrogenMass = Annotated[float, Field(gt=1.008, le=6.0)]


def _count_or_all(value: Any) -> Any:
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError('must be a positive whole number or "all"')


UniformCount = Annotated[int | Literal["all"], PlainValidator(_count_or_all)]


@section
class MDRun:
    """Settings of a run of molecular dynamics.

    Attributes
    ----------
    ensemble : {"nve", "nvt", "npt"}
    temperature : float, K
    time_ps, timestep_fs : float
    pressure_bar : float or None
        Pressure, for "npt" only; 1 atm by default.
    hydrogen_mass : float or None, amu
        Mass of hydrogens, by default their own; the difference is taken from the heavy atoms that they are bonded to.
        3 amu allow steps of 2 fs.
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
            raise fault("pressure_bar", self.pressure_bar, f'needs ensemble = "npt", not "{self.ensemble}"')
        if self.ensemble == "npt" and self.pressure_bar is None:
            object.__setattr__(self, "pressure_bar", ATMOSPHERE_BAR)
        return self

    @property
    def steps(self) -> int:
        """Number of time steps of the run."""
        return round(self.time_ps * 1000 / self.timestep_fs)

    def options(self) -> dict[str, Any]:
        """Return the settings as arguments of :func:`~electrolyte_ml.dynamics.run_md`."""
        values = {item.name: getattr(self, item.name) for item in fields(MDRun)}
        return {name: value for name, value in values.items() if value is not None}


@section
class ReferenceSettings:
    """Settings of the reference that labels the data.

    Attributes
    ----------
    name : str
        Name for :func:`electrolyte_ml.reference.get`: a preset, an ASE calculator or a command. Files in
        it may be given relative to the settings' file.
    settings : dict
        Further arguments of that function.
    """

    name: Text = "GFN1-xTB"
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self) -> references.Reference:
        """Return the reference.

        Raises
        ------
        InputError
            The reference is missing, or does not have one of the settings.
        """
        return references.get(self.name, **self.settings)

    @property
    def cost(self) -> references.Cost | None:
        """Measured cost of a label, known without the program of a preset; None if unknown."""
        return references.cost_of(self.name, **self.settings)


@section
class SeedingSettings(MDRun):
    """Settings of the seeding: dynamics with the reference, which give the first training set.

    Attributes
    ----------
    ensemble, temperature, time_ps, timestep_fs
        Settings of each trajectory. Packed molecules are at rest in their minima: half of the kinetic energy given to
        them soon becomes potential energy.
    trajectories : int
        Number of trajectories. With 0, rounds of 8 follow each other until new trajectories have no high grade relative
        to the others, at most 64 in all; small cells rich in the rare elements of the composition are then used, too.
    configurations : int
        Number of configurations of the training set, from all steps: those that MaxVol selects, with most rows first,
        and if they are fewer, others spread evenly over the steps. With 0, all that MaxVol selects, and at least half
        of the steps.
    seed : int
        Seed of the packed boxes and of the trajectories.
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
                available = f"more than {self.most_trajectories} trajectories of {self.steps} steps have"
                raise fault("configurations", self.configurations, available)
            least = self.trajectories or ROUND
            if self.configurations < least:
                raise fault("configurations", self.configurations, f"fewer than trajectories = {least}")
        return self

    @property
    def most_trajectories(self) -> int:
        """Largest number of trajectories."""
        return self.trajectories or MOST_ROUNDS * ROUND


@section
class InheritanceSettings:
    """Settings of the inheritance: labelled sets of other runs that provide the first training set without a seeding.

    The paper learns the mixtures of EC and EMC in this way, from the sets of both (section S1). Exploration starts from
    a packed box of each composition, or from each configuration of the file of starts.

    Attributes
    ----------
    sets : tuple of str
        Folders of runs, or files of labelled configurations, relative to the settings' file; or names of potentials
        that come with the package, for their training sets.
    uniform_configurations : int or "all"
        Number of configurations evenly spaced over all sets; a potential fitted to them selects among the others.
        "all" takes the sets wholly, which is right where labels are few and expensive.
    run : str or None
        Folder of a run, or name of a potential that comes with the package, that is continued here from other starts.
        The model must be the same. The whole training set is taken. The potential replaces the one fitted to evenly
        spaced configurations: it selects among the sets and is fitted further. The paper adds aggregates to ion pairs
        in this way (section 2.3.1).
    """

    sets: Texts = ()
    uniform_configurations: UniformCount = 20
    run: Text | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the continued run, if there is one, and of the sets."""
        return (*([] if self.run is None else [self.run]), *self.sets)


@section
class ExplorationSettings(MDRun):
    """Settings of the exploration: dynamics with the potential in each iteration.

    Attributes
    ----------
    ensemble, temperature, time_ps, timestep_fs, pressure_bar
        Settings of each trajectory.
    trajectories : int
        Number of trajectories in each iteration.
    larger_boxes : tuple of str
        Compositions of larger boxes, packed at the mean density, in which the first of every five trajectories runs.
        They have structures that small boxes lack, in which atoms interact with their own images. They need
        `composition`, with the same elements.
    most_saved : int
        Number of saved configurations at which a trajectory ends: its forces are then outside the training domain.
        0 sets no limit, as in the paper.
    watch_molecules : bool
        Whether to end a trajectory whose molecules break or fuse, and to label its last configuration.
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
    """Settings of the extrapolation grades: rows, intervals and thresholds.

    Attributes
    ----------
    mode : {"configuration", "neighbourhood"}
        Rows of MaxVol; the paper's are configurations.
    terms : tuple of str
        Kinds of the model's terms whose derivatives make the rows, such as ``"mtp"`` alone for a model with charges;
        all by default.
    interval_fs : float
        Time between two gradings of a trajectory. Of 48 trajectories of 4 EC with the potential of a seeding, 6 ended
        with a broken molecule when they were graded every 20 fs. With gradings every 5 fs none did: all of them ended
        earlier by their grade, which never exceeded 16.
    longest_fs : float
        Longest time between two gradings, while the grade is far below `save_threshold` (see
        :class:`electrolyte_ml.dynamics.GradeMonitor`): most gradings of an exploration are of configurations within the
        training domain. With `interval_fs` or less the interval is constant.
    save_threshold, break_threshold : float
        Grade above which a configuration is saved, and grade above which the trajectory ends.
    swap_threshold : float
        A saved configuration is selected if it enlarges the volume of MaxVol's matrix by more than this factor. With
        a higher value than the 1.001 of the paper's code fewer are labelled; with values up to `save_threshold` none of
        the others would be saved again.
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
        """Return the number of time steps between two gradings."""
        return max(1, round(self.interval_fs / timestep_fs))

    def longest_interval(self, timestep_fs: float) -> int:
        """Return the largest number of time steps between two gradings."""
        return max(self.interval(timestep_fs), round(self.longest_fs / timestep_fs))


@section
class FitSettings:
    """Settings of the fit: the loss, eq. (10), and its minimisation.

    Attributes
    ----------
    method : {"default", "paper"}
        Method of minimisation; the paper's is plain BFGS.
    energy_weight, force_weight, stress_weight : float
    iterations, refit_iterations : int
        Largest number of iterations of the first fit, from random parameters, and of a later one, from the last
        parameters.
    tolerance : float or None
        The default method ends when the loss falls by less than this fraction in 50 iterations.
    starts : int
        Number of random starts of the first fit, of which the best is continued.
    charge_restraint : dict
        Weak restraint of mean charges of species to a value (e), such as {Li = 1.0}; none by default.
    charge_restraint_weight : float or None, eV^2/e^2
        Weight of the restraint, 0.01 by default.
    leave_out : {"broken"} or None
        Configurations of the training set that are left out of the fit and of the active set: "broken" are those with
        broken or unknown molecules. They stay in the set, and their number is recorded and printed.
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
            raise fault("charge_restraint_weight", self.charge_restraint_weight, "needs charge_restraint")
        if not self.energy_weight + self.force_weight + self.stress_weight > 0:
            raise fault("force_weight", self.force_weight, "the weights of the loss are all zero")
        if self.method != "default" and self.tolerance is not None:
            raise fault("tolerance", self.tolerance, f'needs method = "default", not "{self.method}"')
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
    """Settings of the end of a run.

    Attributes
    ----------
    quiet_iterations : int
        Number of consecutive iterations after which the run has converged if no trajectory met anything new. In the
        paper one is enough, with long trajectories; short ones miss events of a liquid that occur once in a hundred
        picoseconds.
    max_iterations : int
        Number of iterations of exploration after which the run stops even if it has not converged.
    """

    quiet_iterations: Count = 2
    max_iterations: Count = 100


@section
class LearningProtocol:
    """Protocol of active learning, independent of the system.

    The defaults are for a small box on a laptop. Weights of energies and forces, thresholds and the number of
    trajectories are the paper's; level, times and numbers of configurations are smaller. Unlike in the paper, grades
    are those of neighbourhoods, and stresses are fitted: a few small configurations span too little for grades of
    whole configurations, and forces alone do not determine the pressure.

    Trajectories of the seeding, 15 fs from packed molecules at rest, keep half of 1000 K. Some picoseconds of
    exploration at 400 K meet configurations that a liquid at 300 K meets in much longer times: with potentials learnt
    at lower temperatures, molecules fused in larger boxes. The other defaults were chosen on one or two runs each:
    10 ps, since a potential learnt in 2 ps was unstable; an end after ten saved configurations, since labels of later
    configurations made the fit worse.

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
            text = "needs a model of the charges, [model] charges"
            raise fault("fit.charge_restraint", self.fit.charge_restraint, text)
        return self

    @field_validator("model")
    @classmethod
    def _check_model(cls, model: ModelSpec) -> ModelSpec:
        check_values(model)
        if wrong := model.fault():
            raise fault(*wrong)
        return model
