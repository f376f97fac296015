"""Settings of an active-learning run: the system, and the protocol in its sections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from electrolyte_ml.active_learning.sections import LearningProtocol
from electrolyte_ml.commands import located_files
from electrolyte_ml.errors import InputError
from electrolyte_ml.settings import (
    Count,
    PositiveNumbers,
    Text,
    Texts,
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

if TYPE_CHECKING:
    from electrolyte_ml.structures import Molecule

# Settings that may change when a run is resumed, since they do not affect the results of an iteration.
FREE_TO_CHANGE = ("jobs", "labels", "stopping.quiet_iterations", "stopping.max_iterations")


@section
class ActiveLearningSettings(LearningProtocol):
    """Settings of :func:`~electrolyte_ml.active_learning.loop.active_learn`: the system and the protocol.

    The sections are those of `LearningProtocol`, whose defaults are for small boxes. The paper's run is
    ``electrolyte_ml.paper.protocols.pure_solvent(scales.PAPER, "EC")``.

    Attributes
    ----------
    composition : tuple of str
        Molecules of the box, such as ``"EC=4"`` or ``"EC=3 EMC=7"``; either this or `start` is given. Seeding
        trajectories use several compositions (mixtures of several ratios, boxes of several sizes) in turn. Names are
        those of molecules and salts of the library and of `molecules`, or SMILES.
    charge : int
        Total charge of each box, e.
    molecules : dict
        Molecules that the library lacks: name -> a table of ``smiles`` or ``file`` (relative to the settings' file),
        and optionally ``charge`` (e). In a file: ``[molecules.THF]``, ``smiles = "C1CCOC1"``.
    density : tuple of float
        Density of the packed boxes, g/cm³; several densities are used in turn.
    start : str or None
        File of start configurations for the seeding, in place of packed boxes; relative to the settings' file.
    seed : int
        Seed of the potential's parameters and of the velocities of every trajectory.
    labels : str or None
        Folder of the label store, ``labels`` in the run's own folder by default. Runs may share one: an ensemble over
        `seed` then computes its seeding once.
    jobs : int or None
        Number of processes for labels and trajectories; one per core by default.

    Raises
    ------
    InputError
        A value is impossible; the message names the setting.

    Examples
    --------
    >>> settings = ActiveLearningSettings(composition="EC=4", density=1.3)
    >>> settings.exploration.pressure_bar
    1.01325
    """

    composition: Texts = ()
    charge: int = 0
    molecules: dict[str, dict[str, Any]] = field(default_factory=dict)
    density: PositiveNumbers = ()
    start: Text | None = None
    seed: Whole = 0
    labels: Text | None = None
    jobs: Count | None = None

    @model_validator(mode="after")
    def _check_system(self) -> ActiveLearningSettings:
        if bool(self.composition) == (self.start is not None):
            raise fault("composition", _shown(self.composition), "give either composition (and density) or start")
        if bool(self.density) != bool(self.composition):
            raise fault("density", _shown(self.density), "must be given with composition, in g/cm3, and only then")
        own_molecules = self.own_molecules()
        elements = checked_elements("composition", self.composition, self.charge, own_molecules)
        new = checked_elements("exploration.larger_boxes", self.exploration.larger_boxes, 0, own_molecules) - elements
        if new:
            raise fault(
                "exploration.larger_boxes",
                _shown(self.exploration.larger_boxes),
                f"{', '.join(sorted(new))} must be in composition, too",
            )
        return self

    def own_molecules(self) -> dict[str, Molecule]:
        """Return the molecules of `molecules` by name.

        Raises
        ------
        InputError
            A table does not describe a molecule, or the molecule cannot be built.
        """
        from electrolyte_ml.structures import molecules_of_tables

        return molecules_of_tables(self.molecules)

    @classmethod
    def following(cls, protocol: LearningProtocol, **system: Any) -> ActiveLearningSettings:
        """Return the settings of a protocol for a system, given by `composition`, `density`, `seed` and so on."""
        return cls(**{item.name: getattr(protocol, item.name) for item in fields(LearningProtocol)}, **system)

    def changes(self, other: ActiveLearningSettings) -> list[str]:
        """Return the names of settings that differ in `other` and that affect the results."""
        own, others = flatten(self), flatten(other)
        return [name for name in own if name not in FREE_TO_CHANGE and not same_value(own[name], others[name])]

    def contents(self) -> dict[str, str]:
        """Return a hash of each file that decides what is learnt, by the setting that names it."""
        named = {"start": self.start, "model.on_top_of": self.model.on_top_of, "molecules": self.molecules}
        return {key: found for name, value in named.items() for key, found in file_contents(value, name).items()}

    def located(self, folder: Path) -> ActiveLearningSettings:
        """Return the settings with absolute paths; relative ones are resolved against a folder."""
        paths = self.start, self.labels, self.model.on_top_of
        start, labels, base = (path and str((folder / path).resolve()) for path in paths)
        run = self.inheritance.run and located_set(self.inheritance.run, folder)
        sets = tuple(located_set(path, folder) for path in self.inheritance.sets)
        reference = replace(
            self.reference,
            name=located_files(self.reference.name, folder),
            settings=located_files(self.reference.settings, folder),
        )
        return replace(
            self,
            reference=reference,
            start=start,
            labels=labels,
            model=replace(self.model, on_top_of=base),
            inheritance=replace(self.inheritance, sets=sets, run=run),
        )

    def to_toml(self, path: Path | None = None, directory: Path | None = None) -> str:
        """Return the settings as TOML, without those that are not set.

        Parameters
        ----------
        path, directory
            File that the text will be written to, and folder of the run: paths below the latter are made relative to
            the file's folder, so that the run can be moved. Paths are unchanged by default.
        """
        if path is None or directory is None:
            return to_toml(self)
        return to_toml(relative_within(self, directory.resolve(), path.parent.resolve()))

    @classmethod
    def from_toml(cls, path: str | os.PathLike) -> ActiveLearningSettings:
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
        return read_toml(cls, path, _FORMER_KEYS, lambda table: locate_molecules(table, folder)).located(folder)


def _shown(values: tuple) -> Any:
    """Return values for a message: a single value by itself, none as None."""
    return None if not values else values[0] if len(values) == 1 else list(values)


def located_set(path: str, folder: Path) -> str:
    """Return the absolute path of a set, resolved against a folder; the name of a shipped potential is unchanged."""
    from electrolyte_ml.potentials.shipped import is_shipped

    place = folder / path
    return path if not place.exists() and is_shipped(path) else str(place.resolve())


def locate_molecules(table: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return a settings file's content with absolute paths of its molecules' files, resolved against a folder."""
    molecules = table.get("molecules")
    if not isinstance(molecules, Mapping):
        return table
    located = {
        name: own | {"file": str((folder / own["file"]).resolve())}
        if isinstance(own, dict) and isinstance(own.get("file"), str)
        else own
        for name, own in molecules.items()
    }
    return {**table, "molecules": located}


def checked_elements(
    name: str, compositions: tuple[str, ...], charge: int, own_molecules: Mapping[str, Molecule]
) -> set[str]:
    """Check compositions, and return their chemical symbols.

    Raises
    ------
    PydanticCustomError
        A composition cannot be parsed or has another charge; the message names the setting.
    """
    from electrolyte_ml.structures import elements_of, parse_composition
    from electrolyte_ml.structures.composition import require_charge
    from electrolyte_ml.structures.molecule_files import is_molecule_file

    symbols: set[str] = set()
    for composition in compositions:
        try:
            for part in composition.split():
                if is_molecule_file(part.rpartition("=")[0]):
                    raise InputError(f"{part}: name the file in a table, [molecules.NAME] file = ...")
            counts = parse_composition(composition, own_molecules)
            require_charge(counts, charge, own_molecules)
            symbols |= elements_of(counts, own_molecules)
        except InputError as error:
            raise fault(name, composition, str(error)) from None
    return symbols


# Keys of the former flat layout of settings.toml, and their present names.
_FORMER_KEYS: Mapping[str, str] = {
    "level": "model.level",
    "cutoff": "model.cutoff",
    "radial_basis_size": "model.radial_basis_size",
    "min_distance": "model.min_distance",
    "reference": "reference.name",
    "reference_settings": "reference.settings",
    "seeding_trajectories": "seeding.trajectories",
    "seeding_temperature": "seeding.temperature",
    "seeding_time_ps": "seeding.time_ps",
    "seeding_timestep_fs": "seeding.timestep_fs",
    "seeding_configurations": "seeding.configurations",
    "seeding_seed": "seeding.seed",
    "trajectories": "exploration.trajectories",
    "time_ps": "exploration.time_ps",
    "timestep_fs": "exploration.timestep_fs",
    "temperature": "exploration.temperature",
    "pressure_bar": "exploration.pressure_bar",
    "exploration_composition": "exploration.larger_boxes",
    "watch_molecules": "exploration.watch_molecules",
    "most_saved": "exploration.most_saved",
    "grade_save": "grades.save_threshold",
    "grade_break": "grades.break_threshold",
    "grade_interval_fs": "grades.interval_fs",
    "mode": "grades.mode",
    "swap_threshold": "grades.swap_threshold",
    "energy_weight": "fit.energy_weight",
    "force_weight": "fit.force_weight",
    "stress_weight": "fit.stress_weight",
    "seeding_fit_iterations": "fit.iterations",
    "fit_iterations": "fit.refit_iterations",
    "quiet_iterations": "stopping.quiet_iterations",
    "max_iterations": "stopping.max_iterations",
}
