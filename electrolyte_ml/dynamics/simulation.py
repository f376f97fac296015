"""Molecular dynamics in one call: run, watch, write, and resume from the directory."""

from __future__ import annotations

import inspect
import io
import json
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.dynamics.trajectory import decode_frames, encode_frame, encode_topology, standard_rotation
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.units import DENSITY_UNIT

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
_STRIDE = 100  # steps at most from one look at the clock, and at the keyboard, to the next


@dataclass(frozen=True)
class RunResult:
    """A run that has ended, for whatever reason.

    Attributes
    ----------
    atoms
        The last configuration with its momenta; of a run that a calculator ended, the one on which it failed.
    reason, detail
        "completed", or what ended the run ("temperature", "density", "broken molecule", "overlap", "cell", "grade",
        "nan", "calculator") and, in `detail`, how.
    steps
        Time steps done.
    times_ps, temperatures, densities, energies, kinetic_energies, pressures, conserved_energies, grades
        (n_rows,) of the log: ps, K, g/cm³, eV, eV, bar, eV; the highest grade since the row before. NaN where there
        is none. The conserved energy is the total energy minus what thermostat and barostat have given.
    saved
        (step, grade, configuration) of every configuration that a monitor asked to keep.
    settings
        What the run was asked for.
    directory
        Where its files are; None if it ran in memory.
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
    directory: Path | None
    _trajectory: bytes | None = None

    @property
    def completed(self) -> bool:
        """Whether the run reached its whole length."""
        return self.reason == "completed"

    def frames(self) -> list[Atoms]:
        """Return the trajectory, each frame with velocities and with `step` and `time_ps` in its info."""
        content = self._trajectory
        if content is None:
            content = (self.directory / "trajectory.trr").read_bytes()
        return decode_frames(content, self.atoms)


def run_md(
    atoms: Atoms,
    calculator: Any,
    *,
    ensemble: str = "npt",
    temperature: float = 300.0,
    pressure_bar: float = 1.01325,
    time_ps: float,
    timestep_fs: float = 1.0,
    directory: str | os.PathLike | None = None,
    monitors: Iterable[Any] = (),
    relax: int = 0,
    seed: int = 0,
    thermostat: str = "bussi",
    tdamp_fs: float = 100.0,
    pdamp_fs: float = 1000.0,
    compressibility_per_bar: float = 4.5e-5,
    log_interval_fs: float = 10.0,
    frame_interval_fs: float = 100.0,
    restart_interval_fs: float = 1000.0,
    progress: bool = True,
) -> RunResult:
    """Run molecular dynamics of a liquid and return what happened.

    With a directory the run writes ``log.csv``, ``topology.pdb``, ``trajectory.trr``, ``saved.xyz``, ``restart.npz``
    and at the end ``result.json``. The same call on the same directory resumes a run that was killed, at any moment,
    and continues it as if it had not been; a longer `time_ps` extends it; a run that has ended is returned at once.

    Parameters
    ----------
    atoms
        The start; not changed. Its momenta are kept if it has any, otherwise drawn at `temperature`. The motion of
        the centre of mass is removed.
    calculator
        A potential (anything with ``calculator()``) or an ASE calculator.
    ensemble
        "nve", "nvt", or "npt" with isotropic changes of the cell.
    temperature, pressure_bar
        K and bar.
    time_ps, timestep_fs
        Length of the run and time step.
    directory
        Where the files go; None keeps everything in memory.
    monitors
        Watchers that may stop the run, see :mod:`electrolyte_ml.dynamics.monitors`. Energies and forces that are not
        finite always stop it.
    relax
        Up to so many steps of minimisation (FIRE, fixed cell) before the run, for a freshly packed start.
    seed
        Of the velocities and of the stochastic thermostat and barostat.
    thermostat
        Of "nvt": "bussi" (stochastic velocity rescaling, also that of "npt") or "nose-hoover" (a chain of three).
    tdamp_fs, pdamp_fs
        Relaxation times of temperature and pressure.
    compressibility_per_bar
        Sets, with `pdamp_fs`, the pace of the volume; it changes no average.
    log_interval_fs, frame_interval_fs, restart_interval_fs
        Between rows of the log, frames of the trajectory, and restart files.
    progress
        Show a progress line with the speed and the remaining time.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        A setting or the start makes no sense, the calculator cannot do what the ensemble needs, or the directory
        holds another run.
    ElectrolyteError
        The calculator fails on the start itself, or another process is running in the directory.

    Notes
    -----
    An error of the calculator during the run ends it with the reason "calculator"; everything written is kept.
    A potential's calculator is made anew, and an ASE calculator `reset()`, whenever a restart file is written: a
    resumed run starts with a fresh one, and would otherwise differ in the last bits.

    References
    ----------
    Bussi et al., J. Chem. Phys. 126, 014101 (2007); Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020).
    """
    timestep_fs = _number("timestep_fs", timestep_fs, "fs")
    settings = {
        "ensemble": _one_of("ensemble", ensemble, ("nve", "nvt", "npt")),
        "temperature": _number("temperature", temperature, "K"),
        "pressure_bar": _number("pressure_bar", pressure_bar, "bar", low=-math.inf),
        "timestep_fs": timestep_fs,
        "thermostat": _one_of("thermostat", thermostat, ("bussi", "nose-hoover")),
        "tdamp_fs": _number("tdamp_fs", tdamp_fs, "fs"),
        "pdamp_fs": _number("pdamp_fs", pdamp_fs, "fs"),
        "compressibility_per_bar": _number("compressibility_per_bar", compressibility_per_bar, "1/bar"),
        "log_interval_fs": _number("log_interval_fs", log_interval_fs, "fs", low=timestep_fs),
        "frame_interval_fs": _number("frame_interval_fs", frame_interval_fs, "fs", low=timestep_fs),
        "restart_interval_fs": _number("restart_interval_fs", restart_interval_fs, "fs", low=timestep_fs),
        "relax": int(_number("relax", relax, "steps", low=0)),
        "seed": int(_number("seed", seed, "", low=0)),
    }
    n_steps = round(_number("time_ps", time_ps, "ps", low=0) * 1000.0 / timestep_fs)
    _check_start(atoms, ensemble)
    with RunFiles(Path(directory) if directory is not None else None) as files:
        stored = files.read_restart()
        if stored is not None:
            arrays, meta = stored
            _check_same_run(files.directory, arrays, meta, atoms, settings)
            if meta["reason"] and (meta["reason"] != "completed" or meta["step"] >= n_steps):
                return _result(files, arrays, meta, settings)
        run = _Run(atoms, calculator, settings, list(monitors), files)
        if stored is None:
            run.start()
        else:
            run.resume(arrays, meta)
        return run.until(n_steps, progress)


class _Run:
    """One run: the atoms, their integrator, and the state that a restart file holds."""

    def __init__(
        self, atoms: Atoms, calculator: Any, settings: dict[str, Any], monitors: list[Any], files: RunFiles
    ) -> None:
        from electrolyte_ml.dynamics.integrators import build  # numba and the kernels take a second to load

        self.settings, self.monitors, self.files = settings, monitors, files
        # A bare copy: tags, labels and whatever else the start carries are no part of a run.
        self.atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, masses=atoms.get_masses())
        self.atoms.set_momenta(atoms.get_momenta())
        self.start_positions, self.start_cell = atoms.positions.copy(), atoms.cell.array.copy()
        names = inspect.signature(build).parameters.keys() & settings.keys()
        self.integrator = build(self.atoms, calculator, **{name: settings[name] for name in names})
        self.rotation = standard_rotation(atoms)
        self.masses = atoms.get_masses()[:, None]  # (N, 1) amu
        self.total_mass = float(self.masses.sum())
        self.periodic = bool(atoms.pbc.all()) and atoms.cell.rank == 3
        self.freedom = 3 * len(atoms) - 3
        self.log_every, self.frame_every, self.restart_every = (
            max(1, round(settings[f"{name}_interval_fs"] / settings["timestep_fs"]))
            for name in ("log", "frame", "restart")
        )
        self.events = {self.log_every, self.frame_every, self.restart_every, _STRIDE}
        self.events |= {monitor.every for monitor in monitors}
        self.grade = math.nan  # the highest since the last row of the log
        self.saved = 0  # configurations that monitors asked to keep
        self.stop: tuple[str, str] | None = None

    @property
    def step(self) -> int:
        """Steps done."""
        return self.integrator.step

    @property
    def time_ps(self) -> float:
        """Time done, ps."""
        return self.step * self.settings["timestep_fs"] / 1000.0

    def start(self) -> None:
        """Minimise if asked, draw velocities, and write what belongs to step 0."""
        atoms, settings = self.atoms, self.settings
        try:
            self.integrator.evaluate()
        except Exception as error:
            raise ElectrolyteError(f"{self.integrator.name} fails on the start: {_one_line(error)}") from error
        if settings["relax"]:
            self._relax(settings["relax"])
        momenta = atoms.arrays["momenta"]
        if not momenta.any():
            rng = np.random.default_rng(settings["seed"])
            kT = settings["temperature"] * units.kB
            momenta[:] = rng.standard_normal(momenta.shape) * np.sqrt(kT * self.masses)
        self._remove_drift()
        self.files.open()
        if self.files.directory is not None:
            topology = encode_topology(atoms, self.rotation)
            atomic_write(self.files.directory / "topology.pdb", topology)
        self.files.append("log.csv", (",".join(COLUMNS) + "\n").encode())
        self._observe()
        self._write_restart()

    def _relax(self, steps: int) -> None:
        """Minimise; a potential that lets atoms fall into each other ends the run on the start as it was given."""
        atoms = self.atoms
        given = atoms.positions.copy()
        try:
            self.integrator.relax(steps)
        except Exception as error:
            self.stop = "calculator", f"{_one_line(error)}, while the energy was minimised"
            atoms.calc = None
            atoms.arrays["positions"][:] = given
            self.integrator.reset()
            self.integrator.evaluate()

    def resume(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Continue from a restart file.

        Raises
        ------
        InputError
            If the calculator gives another energy than the one the run was started with.
        """
        atoms, integrator = self.atoms, self.integrator
        atoms.arrays["positions"][:] = arrays["positions"]
        atoms.arrays["momenta"][:] = arrays["momenta"]
        atoms.cell.array[:] = arrays["cell"]
        integrator.evaluate()
        found = integrator.energy
        integrator.forces[:], integrator.scalars[:] = arrays["forces"], arrays["scalars"]
        if not math.isclose(found, integrator.energy, rel_tol=1e-6, abs_tol=1e-6 * len(atoms)):
            raise InputError(
                f"{self.files.directory} was begun with another potential: its last configuration has "
                f"{integrator.energy:.6f} eV there and {found:.6f} eV here; choose another directory"
            )
        integrator.reset()
        integrator.step, self.grade, self.saved = meta["step"], meta["grade"], meta["saved"]
        self.files.open(meta["lengths"])

    def until(self, n_steps: int, progress: bool) -> RunResult:
        """Run to step `n_steps` or to whatever stops it before, and write the result."""
        from tqdm import tqdm

        began, first, threads = time.perf_counter(), self.step, self.integrator.threads
        with tqdm(
            total=n_steps,
            initial=first,
            desc=f"{self.settings['ensemble'].upper()} {self.settings['temperature']:g} K"
            + (f", {threads} threads" if threads > 1 else ""),
            unit="step",
            smoothing=0.0,  # the mean speed: the remaining time does not jump
            disable=not progress,
        ) as bar:
            while self.stop is None and self.step < n_steps:
                event = min(self.step - self.step % every + every for every in self.events)
                try:
                    self.integrator.advance(min(event, n_steps))
                except Exception as error:
                    self.stop = "calculator", f"{_one_line(error)}, after {self.time_ps:g} ps"
                    break
                self._observe()
                if self.step % self.restart_every == 0:
                    self._write_restart()
                if progress:
                    rate = (self.step - first) / (time.perf_counter() - began)
                    speed = rate * self.settings["timestep_fs"] * 1e-6 * 86400.0
                    bar.set_postfix_str(f"{speed:.3g} ns/day", refresh=False)
                    bar.update(self.step - bar.n)
            bar.update(self.step - bar.n)
        reason, detail = self.stop or ("completed", "")
        arrays, meta = self._write_restart(reason, detail)
        return _result(self.files, arrays, meta, self.settings)

    def _observe(self) -> None:
        """Do what is due after a step: look for a reason to stop, and write."""
        step, integrator = self.step, self.integrator
        if not integrator.finite():
            bad = np.flatnonzero(~np.isfinite(integrator.forces).all(axis=1))
            what = f"the force on atom {bad[0] + 1} ({self.atoms.symbols[bad[0]]})" if bad.size else "energy or stress"
            self.stop = "nan", f"{what} is not a number after {self.time_ps:g} ps"
        due = [monitor for monitor in self.monitors if step % monitor.every == 0]
        log_due = step % self.log_every == 0
        if due or log_due or self.stop:
            results = self._results()
            for monitor in due:
                if self.stop is not None:
                    break
                detail = monitor.check(step, self.atoms, results)
                if results.pop("save", False):
                    self._save(results["grade"])
                if detail is not None:
                    self.stop = monitor.reason, detail
            if "grade" in results:
                self.grade = np.fmax(self.grade, results["grade"])
        if log_due or self.stop:
            self._write_row(results)
        if step % self.frame_every == 0:
            self.files.append("trajectory.trr", encode_frame(self.atoms, step, self.time_ps, self.rotation))

    def _results(self) -> dict[str, Any]:
        """What monitors and the log see of a step."""
        atoms, integrator = self.atoms, self.integrator
        kinetic = integrator.kinetic_energy
        temperature = 2.0 * kinetic / (self.freedom * units.kB)
        density = pressure = math.nan
        stress = integrator.stress
        if self.periodic:
            volume = atoms.cell.volume
            density = self.total_mass / volume * DENSITY_UNIT
            if stress is not None:  # N k_B T counts the centre of mass, too, which is at rest by convention only
                trace = float(stress[0] + stress[1] + stress[2])
                pressure = (len(atoms) * units.kB * temperature / volume - trace / 3.0) / units.bar
        return integrator.known | {
            "time_ps": self.time_ps,
            "energy": integrator.energy,
            "forces": integrator.forces,
            "stress": stress,
            "kinetic_energy": kinetic,
            "temperature": temperature,
            "density": density,
            "pressure": pressure,
            "saved": self.saved,
        }

    def _write_row(self, results: dict[str, Any]) -> None:
        energy, kinetic = results["energy"], results["kinetic_energy"]
        values = (
            results["time_ps"], results["temperature"], results["density"], energy, kinetic, results["pressure"],
            energy + kinetic - self.integrator.given, self.grade,
        )  # fmt: skip
        self.files.append("log.csv", f"{self.step},{','.join(f'{x:.10g}' for x in values)}\n".encode())
        self.grade = math.nan
        # Forces that do not add up to exactly zero would set the box in motion, at the temperature's expense.
        self._remove_drift()

    def _remove_drift(self) -> None:
        momenta = self.atoms.arrays["momenta"]
        momenta -= self.masses * (momenta.sum(axis=0) / self.total_mass)

    def _save(self, grade: float) -> None:
        from ase.io import write

        frame = Atoms(self.atoms.numbers, self.atoms.positions, cell=self.atoms.cell, pbc=self.atoms.pbc)
        frame.info = {"step": self.step, "grade": grade}
        text = io.StringIO()
        write(text, frame, format="extxyz")
        self.files.append("saved.xyz", text.getvalue().encode())
        self.saved += 1

    def _write_restart(self, reason: str = "", detail: str = "") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        atoms, integrator = self.atoms, self.integrator
        arrays = {
            "numbers": atoms.numbers,
            "pbc": atoms.pbc,
            "masses": self.masses[:, 0],
            "positions": atoms.positions,
            "cell": atoms.cell.array,
            "momenta": atoms.arrays["momenta"],
            "forces": integrator.forces,
            "scalars": integrator.scalars,
            "start_positions": self.start_positions,
            "start_cell": self.start_cell,
        }
        meta = {
            "step": self.step,
            "grade": self.grade,
            "saved": self.saved,
            "reason": reason,
            "detail": detail,
            "settings": self.settings,
        }
        if not reason:
            integrator.reset()
        self.files.write_restart(arrays, meta)
        if reason and self.files.directory is not None:
            self.files.settle()
            summary = {"reason": reason, "detail": detail, "steps": self.step, "time_ps": self.time_ps}
            summary |= {"threads": integrator.threads} | self.settings
            atomic_write(self.files.directory / "result.json", json.dumps(summary, indent=2) + "\n")
        return arrays, meta


def _result(
    files: RunFiles, arrays: dict[str, np.ndarray], meta: dict[str, Any], settings: dict[str, Any]
) -> RunResult:
    from ase.io import read

    rows = np.array([line.split(",") for line in files.read("log.csv").decode().splitlines()[1:]], dtype=float)
    columns = dict(zip(COLUMNS, rows.T))
    saved_text = files.read("saved.xyz").decode()
    saved = read(io.StringIO(saved_text), index=":", format="extxyz") if saved_text else []
    atoms = Atoms(
        arrays["numbers"], arrays["positions"], cell=arrays["cell"], pbc=arrays["pbc"], masses=arrays["masses"]
    )
    atoms.set_momenta(arrays["momenta"])
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
        saved=[(int(frame.info["step"]), float(frame.info["grade"]), frame) for frame in saved],
        settings=settings,
        directory=files.directory,
        _trajectory=files.read("trajectory.trr") if files.directory is None else None,
    )


def _check_start(atoms: Atoms, ensemble: str) -> None:
    """Refuse a start that cannot be run.

    Raises
    ------
    InputError
        Naming what is wrong, and the atom.
    """
    if len(atoms) < 2:
        raise InputError(f"a run needs at least two atoms, not {len(atoms)}")
    for name, values in (("position", atoms.positions), ("momentum", atoms.get_momenta())):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise InputError(f"the {name} of atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) is not finite")
    masses = atoms.get_masses()
    bad = np.flatnonzero(~(masses > 0))
    if bad.size:
        raise InputError(
            f"atom {bad[0] + 1} ({atoms.symbols[bad[0]]}) has mass {masses[bad[0]]}; masses must be positive"
        )
    if atoms.constraints:
        raise InputError("the start has constraints, which no ensemble here honours; remove them")
    if not np.isfinite(atoms.cell.array).all():
        raise InputError("the cell is not finite")
    lengths = atoms.cell.lengths()
    if atoms.pbc.any() and (
        (lengths[atoms.pbc] < 1e-3).any() or (atoms.pbc.all() and atoms.cell.volume < 1e-6 * lengths.prod())
    ):
        raise InputError("the cell has no volume, or no vector along a periodic direction")
    if ensemble == "npt" and not atoms.pbc.all():
        raise InputError("constant pressure needs a cell that is periodic in all three directions")


def _check_same_run(
    directory: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any], atoms: Atoms, settings: dict[str, Any]
) -> None:
    """Refuse to continue a run with other settings or another start.

    Raises
    ------
    InputError
        Naming the difference.
    """
    for name, value in settings.items():
        if meta["settings"].get(name) != value:
            raise InputError(
                f"{directory} holds a run with {name} = {meta['settings'].get(name)}, not {value}; "
                "choose another directory or delete it"
            )
    same = np.array_equal(arrays["numbers"], atoms.numbers) and np.array_equal(arrays["pbc"], atoms.pbc)
    # A start that went through a text file may differ in the last digits.
    if (
        not same
        or not np.allclose(arrays["start_positions"], atoms.positions, atol=1e-4)
        or not np.allclose(arrays["start_cell"], atoms.cell.array, atol=1e-4)
    ):
        raise InputError(f"{directory} holds a run from another start; choose another directory or delete it")


def _number(name: str, value: Any, unit: str, low: float | None = None) -> float:
    """Return a finite number that is positive, or not below `low` where it is given."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, not {value!r}") from None
    allowed = number > 0 if low is None else number >= low
    if not (math.isfinite(number) and allowed):
        wanted = "positive" if low is None else f"{low:g} or more" if math.isfinite(low) else "finite"
        raise InputError(f"{name} must be {wanted}, not {value} {unit}".rstrip())
    return number


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InputError(f"no {name} {value!r}; there are {', '.join(choices)}")
    return value


def _one_line(error: Exception) -> str:
    text = str(error).strip().split("\n", 1)[0]
    return text if isinstance(error, ElectrolyteError) else f"{type(error).__name__}: {text}"
