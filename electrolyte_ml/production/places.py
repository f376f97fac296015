"""Layout of the folder of a production.

::

    settings.toml  begun.json                 the settings, and those of the first call
    inner/inner.json                          force field for multiple time steps, with the runs for its fit and test
    box_00/stage_00/ ...                      annealing of each packed box
    300K/trajectory_00/equilibration/         constant pressure
    300K/volume.json                          the volume of the production, its mean over the equilibrations
    300K/trajectory_00/settling/              constant volume, not recorded
    300K/trajectory_00/                       ions.trr, trajectory.trr, log.csv: the production; approach.xyz after a
                                              collapse
    result.json                               the results
"""

from __future__ import annotations

from pathlib import Path

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import Record, read_json

SETTINGS, BEGUN, RESULT, VOLUME = "settings.toml", "begun.json", "result.json", "volume.json"
INNER = "inner"


def box_folder(directory: Path, box: int) -> Path:
    """Return the folder of a packed box and its annealing."""
    return directory / f"box_{box:02d}"


def condition_folder(directory: Path, temperature: float) -> Path:
    """Return the folder of a temperature (K)."""
    return directory / f"{temperature:g}K"


def trajectory_folder(directory: Path, temperature: float, number: int) -> Path:
    """Return the folder of a trajectory."""
    return condition_folder(directory, temperature) / f"trajectory_{number:02d}"


def run_folders(path: Path, temperature: float | None = None) -> list[Path] | None:
    """Return the folders of the completed trajectories of a production.

    While a production is being extended these are the trajectories of the longest length, since trajectories of
    different lengths are not averaged.

    Parameters
    ----------
    path
        Folder of the whole production, or of one temperature in it.
    temperature
        K; required if the production has several temperatures.

    Returns
    -------
    list of Path or None
        None if `path` is not the folder of a production.

    Raises
    ------
    InputError
        No temperature is chosen among several, the chosen one is missing, or no trajectory is complete.
    """
    if (path / BEGUN).is_file():
        available = [file.parent for file in path.glob(f"*K/{VOLUME}")]
        chosen = [folder for folder in available if temperature is None or folder.name == f"{temperature:g}K"]
        if len(chosen) != 1:
            names = ", ".join(sorted(folder.name for folder in available)) or "none yet"
            reason = "name the folder of one" if temperature is None else f"none is at {temperature:g} K"
            raise InputError(f"{path} is a production with the temperatures {names}: {reason}")
        path = chosen[0]
    elif not (path / VOLUME).is_file():
        return None
    folders = sorted(path.glob("trajectory_*"))
    records = {folder: run_record(folder) for folder in folders}
    lengths = {
        folder: record.number("time_ps") for folder, record in records.items() if record.get("reason") == "completed"
    }
    if not lengths:
        raise InputError(f"{path}: none of its {len(folders)} trajectories is complete")
    longest = max(lengths.values())
    return [folder for folder, length in lengths.items() if length > longest - rounding(records[folder])]


def rounding(record: Record) -> float:
    """Return by how much (ps) a run may be longer or shorter than wanted, since it has a whole number of steps."""
    return 0.5e-3 * record.number("timestep_fs") + 1e-6


def run_record(folder: Path) -> Record:
    """Return the ``result.json`` of a run that has ended; an empty record if it has not."""
    try:
        return read_json(folder / RESULT)
    except FileNotFoundError:
        return Record({}, folder / RESULT)
