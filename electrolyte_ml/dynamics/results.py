"""Results of a run: its last configuration, its log, and the configurations that monitors saved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.dynamics.masses import exchange_masses
from electrolyte_ml.dynamics.trajectory import decode_frames, read_trajectory
from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.structures.configurations import parse_extxyz

COLUMNS = (
    "step",
    "time_ps",
    "temperature_K",
    "density_g_cm3",
    "potential_energy_eV",
    "kinetic_energy_eV",
    "pressure_bar",
    "conserved_energy_eV",
    "grade",
)
_FEWEST_ROWS, _SHORTEST_PS = 20, 0.999  # for a slope of the conserved energy
# meV/atom per ps, largest drift of the conserved energy of a sound run: `md` warns above it, and `check_drift` refuses
# an inner potential. A thermostat with a relaxation time of 0.1 ps then keeps the atoms 0.4 K too warm, and hydrogens,
# through which the energy enters, somewhat more. For 170 atoms of EC and EMC, single steps of 1 fs drift by less than
# 0.02, and multiple steps of 3 fs by 0.07. Intervals of 2 ps scatter by 0.14 around such values: a bound near them
# would refuse sound potentials by chance.
LARGEST_DRIFT = 0.5


@dataclass(frozen=True)
class RunResult:
    """Result of a run that has ended, for whatever reason.

    Attributes
    ----------
    atoms
        The last configuration with its momenta; if the calculator failed, the configuration on which it failed. After
        a run with heavy hydrogen the atoms have the masses of the start again, at the same kinetic energies.
    reason, detail
        "completed", or the cause of the end ("temperature", "density", "energy", "broken molecule", "overlap", "cell",
        "grade", "nan", "calculator") and, in `detail`, an explanation.
    steps
        Number of time steps done.
    times_ps, temperatures, densities, energies, kinetic_energies, pressures, conserved_energies, grades
        Columns of the log, (n_rows,): ps, K, g/cm³, eV, eV, bar, eV; the highest grade since the previous row. A
        missing value is NaN. The conserved energy is the total energy minus the energy added by thermostat and
        barostat.
    saved
        (step, grade, configuration) of every configuration that a monitor saved; if single atoms are graded, its
        ``info["least_certain"]`` names the atom of the highest grade.
    settings
        Settings of the run.
    masses
        Masses (N,) of the dynamics, amu; `frames` have them.
    directory
        Folder of the run's files; None if it ran in memory.
    repeated_steps
        Number of outer steps that were repeated with single steps, because the inner potential was not good enough.
    """

    atoms: Atoms
    reason: str
    detail: str
    steps: int
    times_ps: np.ndarray
    temperatures: np.ndarray
    densities: np.ndarray
    energies: np.ndarray
    kinetic_energies: np.ndarray
    pressures: np.ndarray
    conserved_energies: np.ndarray
    grades: np.ndarray
    saved: list[tuple[int, float, Atoms]]
    settings: dict[str, Any]
    masses: np.ndarray
    directory: Path | None
    repeated_steps: int = 0
    _trajectory: bytes | None = None

    def __repr__(self) -> str:
        place = "in memory" if self.directory is None else str(self.directory)
        detail = f", {self.detail}" if self.detail else ""
        return f"<RunResult: {self.steps} steps, {self.reason}{detail}; {len(self.times_ps)} rows of the log; {place}>"

    @property
    def completed(self) -> bool:
        """Whether the run reached its whole length."""
        return self.reason == "completed"

    @property
    def energy_drift(self) -> float:
        """Slope of the conserved energy in the second half, meV/atom per ps; NaN for fewer than 20 rows or 1 ps."""
        late = np.isfinite(self.conserved_energies) & (self.times_ps >= self.times_ps[-1] / 2)
        times, energies = self.times_ps[late], self.conserved_energies[late]
        if len(times) < _FEWEST_ROWS or times[-1] - times[0] < _SHORTEST_PS:
            return math.nan
        times = times - times.mean()
        return float(1e3 * (times @ energies) / (times @ times) / len(self.atoms))

    def frames(self) -> list[Atoms]:
        """Return the trajectory, each frame with velocities and with `step` and `time_ps` in its info."""
        template = self.atoms.copy()
        template.set_masses(self.masses)
        if self._trajectory is None:
            assert self.directory is not None  # a run in memory sets _trajectory
            return read_trajectory(self.directory / "trajectory.trr", template)
        return decode_frames(self._trajectory, template)


def read_result(
    files: RunFiles, arrays: dict[str, np.ndarray], meta: dict[str, Any], settings: dict[str, Any]
) -> RunResult:
    """Return the result of a run that has ended, from its files.

    Raises
    ------
    InputError
        The log or the file of saved configurations is damaged.
    """
    try:
        rows = np.array([line.split(",") for line in files.read("log.csv").decode().splitlines()[1:]], dtype=float)
        columns = dict(zip(COLUMNS, rows.T, strict=True))
        finite = ("time_ps", "temperature_K", "potential_energy_eV", "kinetic_energy_eV")  # others may be NaN
        if meta["reason"] == "completed" and not all(np.isfinite(columns[name]).all() for name in finite):
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(f"{files.place('log.csv')} is damaged: not the log of a run") from None
    try:
        frames = parse_extxyz(files.read("saved.xyz").decode(), files.place("saved.xyz"))
        saved = [(int(frame.info["step"]), float(frame.info["grade"]), frame) for frame in frames]
        for step, grade, frame in saved:
            if len(frame) != len(arrays["numbers"]) or step < 0:
                raise ValueError(f"a frame of {len(frame)} atoms at step {step} is not of this run")
            known = np.isfinite([grade, *frame.positions.flat, *frame.cell.array.flat]).all()
            if meta["reason"] == "completed" and not known:  # other runs may end with such a frame
                raise ValueError(f"the grade, the cell or a position of step {step} is not a finite number")
    except InputError:  # which names the file
        raise
    except Exception as error:  # ASE raises many kinds of errors
        raise InputError(f"{files.place('saved.xyz')} is damaged ({first_line(error)})") from None
    atoms = Atoms(
        arrays["numbers"],
        arrays["positions"],
        cell=arrays["cell"],
        pbc=arrays["pbc"],
        masses=arrays["masses"],
        momenta=arrays["momenta"],
        info=meta.get("info", {}),  # absent in files of older versions
    )
    exchange_masses(atoms, arrays.get("start_masses", arrays["masses"]))  # absent in files of older versions
    return RunResult(
        atoms=atoms,
        reason=meta["reason"],
        detail=meta["detail"],
        steps=meta["step"],
        times_ps=columns["time_ps"],
        temperatures=columns["temperature_K"],
        densities=columns["density_g_cm3"],
        energies=columns["potential_energy_eV"],
        kinetic_energies=columns["kinetic_energy_eV"],
        pressures=columns["pressure_bar"],
        conserved_energies=columns["conserved_energy_eV"],
        grades=columns["grade"],
        saved=saved,
        settings=settings,
        masses=arrays["masses"],
        directory=files.directory,
        repeated_steps=meta.get("repeated_steps", 0),  # absent in files of older versions
        _trajectory=files.read("trajectory.trr") if files.directory is None else None,
    )
