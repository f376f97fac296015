"""What an active-learning run is told: one flat table, from Python or TOML, checked before anything is computed."""

from __future__ import annotations

import difflib
import json
import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from electrolyte_ml.active_learning.active_set import MODES
from electrolyte_ml.errors import InputError
from electrolyte_ml.settings import ATMOSPHERE_BAR

# Settings that change how long a run may take but nothing that it computes: a resumed run may have others.
FREE_TO_CHANGE = ("jobs", "quiet_iterations", "max_iterations")


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a non-empty text"


def _texts(value: Any) -> str | None:
    values = value if isinstance(value, (list, tuple)) else [value]
    return next(filter(None, map(_text, values)), None) if values else "must not be empty"


def _whole(least: int) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return "must be a whole number"
        return None if value >= least else f"must be at least {least}"

    return check


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> str | None:
    if not _number(value):
        return "must be a number"
    return None if value > 0 else "must be positive"


def _not_negative(value: Any) -> str | None:
    if not _number(value):
        return "must be a number"
    return None if value >= 0 else "must not be negative"


def _above_one(value: Any) -> str | None:
    if not _number(value):
        return "must be a number"
    return None if value > 1 else "must be above 1"


def _any_number(value: Any) -> str | None:
    return None if _number(value) else "must be a number"


def _densities(value: Any) -> str | None:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or not all(_number(one) for one in values):
        return "must be a number or a list of numbers (g/cm3)"
    return None if all(one > 0 for one in values) else "must be positive"


def _level(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "must be a whole number"
    return None if value % 2 == 0 and 2 <= value <= 24 else "must be even, from 2 to 24"


def _mode(value: Any) -> str | None:
    return None if value in MODES else f"must be one of {', '.join(MODES)}"


def _yes_or_no(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _table(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "must be a table"


def _several(value: Any) -> tuple:
    """One value, several or none as a tuple."""
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _setting(default: Any, check: Callable[[Any], str | None], *, optional: bool = False) -> Any:
    return field(default=default, metadata={"check": check, "optional": optional})


@dataclass(frozen=True)
class ActiveLearningSettings:
    """Settings of :func:`~electrolyte_ml.active_learning.loop.active_learn`; the names are also the keys of the TOML.

    The defaults learn a small box on a laptop. Weights of energies and forces, grades and the number of trajectories
    are the paper's; level, times and numbers of configurations are smaller. Grades are those of neighbourhoods and
    stresses are fitted, which the paper does not: so few and so small configurations span too little for a grade of
    their whole, and leave the pressure to chance. Seeds and exploration are hotter than what the potential is for:
    packed molecules start at rest in their minima, and some picoseconds must show what liquids meet in many. The
    paper's run is ``electrolyte_ml.active_learning.protocols.pure_solvent(settings.PAPER, "EC")``.

    Parameters
    ----------
    composition : str or list of str, optional
        Molecules of the box, e.g. ``"EC=4"`` or ``"EC=3 EMC=7"``; or give `start`. With several (mixtures of several
        ratios, boxes of several sizes) the seeding trajectories take them in turn.
    density : float or list of float, optional
        Of the packed boxes, g/cm³; several are taken in turn, too.
    start : str, optional
        File of start configurations for the seeding, in place of packed boxes; relative to the settings' file.
    level, cutoff, radial_basis_size, min_distance
        Of the moment tensor potential; lengths in Å.
    seed : int
        Of the potential's parameters and of every trajectory's velocities.
    reference : str
        Name of the reference; `reference_settings` are passed on to it.
    labels : str, optional
        Folder of the label store, ``labels`` in the run's own folder by default. Runs that share one share their
        labels: an ensemble over `seed` pays for its seeding once.
    seeding_trajectories, seeding_temperature, seeding_time_ps, seeding_timestep_fs
        Ab initio dynamics (NVT) with the reference itself: number of trajectories, K, length of each in ps, fs.
    seeding_configurations : int
        How many configurations are taken from them altogether, uniformly in time.
    seeding_seed : int
        Of the packed boxes and of these trajectories.
    trajectories, time_ps, timestep_fs, temperature, pressure_bar
        NPT trajectories with the potential in each iteration.
    exploration_composition : str or list of str, optional
        Molecules of larger boxes, packed at the mean density, in which the first of every five trajectories explores.
        They hold what small boxes cannot, where atoms see their own images; what the potential does not know of it is
        labelled there. Goes with `composition`, of the same elements.
    grade_save, grade_break
        Configurations above the first grade are saved; above the second the trajectory stops.
    grade_interval_fs : float
        Time between two gradings of a trajectory.
    watch_molecules : bool
        End a trajectory whose molecules break or fuse, and label where it ended.
    mode : str
        ``"configuration"`` (the paper) or ``"neighbourhood"``.
    swap_threshold : float
        A saved configuration is selected if it enlarges the volume of A by more than this factor. With more than the
        1.001 of the paper's code fewer are labelled; up to `grade_save` none is left that would be saved again.
    most_saved : int
        A trajectory that has saved so many configurations is ended: it runs on forces that nobody vouches for. 0 sets
        no limit, as in the paper.
    energy_weight, force_weight, stress_weight, seeding_fit_iterations, fit_iterations
        Of the loss, eq. (10), and of its minimisation: for the first fit from random parameters, and for every refit.
    quiet_iterations : int
        The run has converged when no trajectory of so many iterations in a row has met anything new. One, as in the
        paper, where trajectories are long; short ones miss what a liquid does once in a hundred picoseconds.
    max_iterations : int
        Iterations of exploration after which the run stops even if it has not converged.
    jobs : int, optional
        Processes for labels and trajectories; one per core by default.

    Raises
    ------
    InputError
        An impossible value, naming the setting.
    """

    composition: str | tuple[str, ...] | None = _setting(None, _texts, optional=True)
    density: float | tuple[float, ...] | None = _setting(None, _densities, optional=True)
    start: str | None = _setting(None, _text, optional=True)
    level: int = _setting(12, _level)
    cutoff: float = _setting(5.0, _positive)
    radial_basis_size: int = _setting(8, _whole(1))
    min_distance: float = _setting(0.9, _not_negative)
    seed: int = _setting(0, _whole(0))
    reference: str = _setting("GFN1-xTB", _text)
    reference_settings: Mapping[str, Any] = field(default_factory=dict, metadata={"check": _table, "optional": False})
    labels: str | None = _setting(None, _text, optional=True)
    seeding_trajectories: int = _setting(8, _whole(1))
    seeding_temperature: float = _setting(1000.0, _positive)
    seeding_time_ps: float = _setting(0.015, _positive)
    seeding_timestep_fs: float = _setting(1.0, _positive)
    seeding_configurations: int = _setting(60, _whole(1))
    seeding_seed: int = _setting(0, _whole(0))
    trajectories: int = _setting(10, _whole(1))
    time_ps: float = _setting(10.0, _positive)
    timestep_fs: float = _setting(1.0, _positive)
    temperature: float = _setting(400.0, _positive)
    pressure_bar: float = _setting(ATMOSPHERE_BAR, _any_number)
    exploration_composition: str | tuple[str, ...] | None = _setting(None, _texts, optional=True)
    grade_save: float = _setting(2.0, _positive)
    grade_break: float = _setting(10.0, _positive)
    grade_interval_fs: float = _setting(5.0, _positive)
    watch_molecules: bool = _setting(True, _yes_or_no)
    mode: str = _setting("neighbourhood", _mode)
    swap_threshold: float = _setting(1.05, _above_one)
    most_saved: int = _setting(10, _whole(0))
    energy_weight: float = _setting(1.0, _not_negative)
    force_weight: float = _setting(0.01, _not_negative)
    stress_weight: float = _setting(0.1, _not_negative)
    seeding_fit_iterations: int = _setting(300, _whole(1))
    fit_iterations: int = _setting(120, _whole(1))
    quiet_iterations: int = _setting(2, _whole(1))
    max_iterations: int = _setting(100, _whole(1))
    jobs: int | None = _setting(None, _whole(1), optional=True)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None and one.metadata["optional"]:
                continue
            if fault := one.metadata["check"](value):
                raise InputError(f"{one.name} = {value!r}: {fault}")
        for name in ("composition", "density", "exploration_composition"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if (self.composition is None) == (self.start is None):
            raise InputError("composition: give either composition (and density) or start, the file to begin from")
        if (self.density is None) != (self.composition is None):
            raise InputError("density: goes with composition, in g/cm3 (and only with it)")
        elements = {name: self._elements(name) for name in ("composition", "exploration_composition")}
        if new := elements["exploration_composition"] - elements["composition"]:
            raise InputError(
                f"exploration_composition = {self.exploration_composition!r}: {', '.join(sorted(new))} must be in "
                "composition, too, for the potential to know it"
            )
        if self.min_distance >= self.cutoff:
            raise InputError(f"min_distance = {self.min_distance}: must be below cutoff = {self.cutoff}")
        if self.grade_save <= 1:
            raise InputError(f"grade_save = {self.grade_save}: must be above 1, the grade of the training set itself")
        if self.swap_threshold > self.grade_save:
            raise InputError(
                f"swap_threshold = {self.swap_threshold}: must not be above grade_save = {self.grade_save}"
            )
        if self.grade_break <= self.grade_save:
            raise InputError(f"grade_break = {self.grade_break}: must be above grade_save = {self.grade_save}")
        if not self.energy_weight + self.force_weight + self.stress_weight > 0:
            raise InputError("force_weight: the weights of the loss are all zero")
        for time, step in (("seeding_time_ps", "seeding_timestep_fs"), ("time_ps", "timestep_fs")):
            if getattr(self, time) * 1000 < getattr(self, step):
                raise InputError(f"{time} = {getattr(self, time)}: shorter than one step of {step}")
        if self.seeding_configurations > self.seeding_steps * self.seeding_trajectories:
            raise InputError(
                f"seeding_configurations = {self.seeding_configurations}: {self.seeding_trajectories} trajectories of "
                f"{self.seeding_steps} steps do not hold so many"
            )
        if self.seeding_configurations < self.seeding_trajectories:
            raise InputError(f"seeding_configurations = {self.seeding_configurations}: fewer than seeding_trajectories")

    def _elements(self, name: str) -> set[str]:
        """Chemical symbols of a setting that holds compositions, which are checked by the way."""
        from electrolyte_ml.structures import elements_of, parse_composition

        found = set()
        for composition in _several(getattr(self, name)):
            try:
                found |= elements_of(parse_composition(composition))
            except InputError as error:
                raise InputError(f"{name} = {composition!r}: {error}") from error
        return found

    @property
    def compositions(self) -> tuple[str, ...]:
        """Compositions of the boxes; none if a file of starts is given."""
        return _several(self.composition)

    @property
    def exploration_compositions(self) -> tuple[str, ...]:
        """Compositions of the larger boxes that are explored, too, if any are."""
        return _several(self.exploration_composition)

    @property
    def densities(self) -> tuple[float, ...]:
        """Densities of the boxes, g/cm³."""
        return _several(self.density)

    @property
    def seeding_steps(self) -> int:
        """Time steps of each seeding trajectory."""
        return round(self.seeding_time_ps * 1000 / self.seeding_timestep_fs)

    @property
    def grade_interval(self) -> int:
        """Time steps between two gradings of a trajectory."""
        return max(1, round(self.grade_interval_fs / self.timestep_fs))

    def changes(self, other: ActiveLearningSettings) -> list[str]:
        """Name the settings in which `other` differs and which change what is computed."""
        return [
            one.name
            for one in fields(self)
            if one.name not in FREE_TO_CHANGE and getattr(self, one.name) != getattr(other, one.name)
        ]

    def to_toml(self) -> str:
        """Write the settings as TOML, one line each; those that are not set are left out."""
        lines = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None or one.name == "reference_settings":
                continue
            # JSON's texts, numbers and lists of numbers are TOML's too.
            lines.append(f"{one.name} = {json.dumps(value, ensure_ascii=False)}")
        if self.reference_settings:
            lines.append("\n[reference_settings]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in self.reference_settings.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, path: str | os.PathLike) -> ActiveLearningSettings:
        """Read and check a TOML file; `start` and `labels` are taken relative to its folder.

        Raises
        ------
        InputError
            Not TOML, an unknown key (with the nearest known one), a wrong type or an impossible value: file and key
            are named.
        OSError
            The file is missing or cannot be read.
        """
        path = Path(path)
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not valid TOML: {error}") from error
        known = [one.name for one in fields(cls)]
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}"
                raise InputError(f"{path}: unknown key {key!r}; {hint}")
        try:
            settings = cls(**table)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        located = {
            key: str((path.parent / getattr(settings, key)).resolve())
            for key in ("start", "labels")
            if getattr(settings, key) is not None
        }
        return replace(settings, **located)
