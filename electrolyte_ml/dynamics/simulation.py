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
from ase.calculators.calculator import all_changes

from electrolyte_ml.dynamics import integrators
from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.dynamics.trajectory import decode_frames, encode_frame, encode_topology, standard_rotation
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.structures.boxes import AMU_PER_A3

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
        is none. The conserved energy is that of NVE and NVT (total energy minus what the bath gave).
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
        self.settings, self.monitors, self.files = settings, monitors, files
        # A bare copy: tags, labels and whatever else the start carries are no part of a run.
        self.atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, masses=atoms.get_masses())
        self.atoms.set_momenta(atoms.get_momenta())
        self.start_positions, self.start_cell = atoms.positions.copy(), atoms.cell.array.copy()
        self.forces = _Forces(calculator, self.atoms, need_stress=settings["ensemble"] == "npt")
        self.atoms.calc = self.forces
        self.rotation = standard_rotation(atoms)
        self.masses = atoms.get_masses()[:, None]  # (N, 1) amu
        self.total_mass = float(self.masses.sum())
        self.periodic = bool(atoms.pbc.all()) and atoms.cell.rank == 3
        self.freedom = 3 * len(atoms) - 3
        self.log_every, self.frame_every, self.restart_every = (
            max(1, round(settings[f"{name}_interval_fs"] / settings["timestep_fs"]))
            for name in ("log", "frame", "restart")
        )
        self.step = 0
        self.grade = math.nan  # the highest since the last row of the log
        self.saved = 0  # configurations that monitors asked to keep
        self.stop: tuple[str, str] | None = None

    def start(self) -> None:
        """Minimise if asked, draw velocities, and write what belongs to step 0."""
        atoms, settings = self.atoms, self.settings
        rng = np.random.default_rng(settings["seed"])
        try:
            self.forces.evaluate(atoms)
        except Exception as error:
            name = type(self.forces.calculator).__name__
            raise ElectrolyteError(f"{name} fails on the start: {_one_line(error)}") from error
        if settings["relax"]:
            from ase.optimize import FIRE

            FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.05, steps=settings["relax"])
        momenta = atoms.arrays["momenta"]
        if not momenta.any():
            kT = settings["temperature"] * units.kB
            momenta[:] = rng.standard_normal(momenta.shape) * np.sqrt(kT * self.masses)
        self._remove_drift()
        self._build(rng)
        self.files.open()
        if self.files.directory is not None:
            topology = encode_topology(atoms, self.rotation)
            atomic_write(self.files.directory / "topology.pdb", topology)
        self.files.append("log.csv", (",".join(COLUMNS) + "\n").encode())
        self._observe()
        self._write_restart()

    def resume(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Continue from a restart file.

        Raises
        ------
        InputError
            If the calculator gives another energy than the one the run was started with.
        """
        atoms = self.atoms
        atoms.arrays["positions"][:] = arrays["positions"]
        atoms.arrays["momenta"][:] = arrays["momenta"]
        atoms.cell.array[:] = arrays["cell"]
        self.forces.evaluate(atoms)
        expected, found = float(arrays["energy"]), self.forces.results["energy"]
        if not math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6 * len(atoms)):
            raise InputError(
                f"{self.files.directory} was begun with another potential: its last configuration has "
                f"{expected:.6f} eV there and {found:.6f} eV here; choose another directory"
            )
        self.forces.results |= {name: arrays[name] for name in ("forces", "stress") if name in arrays}
        self.forces.reset()
        self._build(np.random.default_rng())
        self.integrator.set_state(meta["integrator"])
        self.step, self.grade, self.saved = meta["step"], meta["grade"], meta["saved"]
        self.files.open(meta["lengths"])

    def until(self, n_steps: int, progress: bool) -> RunResult:
        """Run to step `n_steps` or to whatever stops it before, and write the result."""
        from tqdm import tqdm

        step, forces = self.integrator.step, self.forces.results["forces"]
        began, first = time.perf_counter(), self.step
        with tqdm(
            total=n_steps,
            initial=first,
            desc=f"{self.settings['ensemble'].upper()} {self.settings['temperature']:g} K",
            unit="step",
            smoothing=0.0,  # the mean speed: the remaining time does not jump
            disable=not progress,
        ) as bar:
            while self.stop is None and self.step < n_steps:
                try:
                    forces = step(forces)
                except Exception as error:
                    self.stop = "calculator", _one_line(error)
                    break
                self.step += 1
                self._observe()
                if self.step % self.restart_every == 0:
                    self._write_restart()
                if self.step % self.log_every == 0:
                    rate = (self.step - first) / (time.perf_counter() - began)
                    speed = rate * self.settings["timestep_fs"] * 1e-6 * 86400.0
                    bar.set_postfix_str(f"{speed:.3g} ns/day", refresh=False)
                    bar.update(self.step - bar.n)
            bar.update(self.step - bar.n)
        reason, detail = self.stop or ("completed", "")
        arrays, meta = self._write_restart(reason, detail)
        return _result(self.files, arrays, meta, self.settings)

    def _build(self, rng: np.random.Generator) -> None:
        names = inspect.signature(integrators.build).parameters.keys() & self.settings.keys()
        self.integrator = integrators.build(atoms=self.atoms, rng=rng, **{name: self.settings[name] for name in names})

    def _observe(self) -> None:
        """Do what is due after a step: look for a reason to stop, and write."""
        step, results = self.step, self.forces.results
        if not self.forces.finite():
            self.stop = "nan", f"energy or forces are not finite at step {step}"
        due = [monitor for monitor in self.monitors if step % monitor.every == 0]
        log_due = step % self.log_every == 0
        if due or log_due or self.stop:
            results = results | self._thermodynamics()
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
            time_ps = step * self.settings["timestep_fs"] / 1000.0
            self.files.append("trajectory.trr", encode_frame(self.atoms, step, time_ps, self.rotation))

    def _thermodynamics(self) -> dict[str, float]:
        atoms, stress = self.atoms, self.forces.results["stress"]
        momenta = atoms.arrays["momenta"]
        kinetic = 0.5 * float(np.vdot(momenta, momenta / self.masses))
        temperature = 2.0 * kinetic / (self.freedom * units.kB)
        density = pressure = math.nan
        if self.periodic:
            volume = atoms.cell.volume
            density = self.total_mass / volume * AMU_PER_A3
            if stress is not None:  # N k_B T counts the centre of mass, too, which is at rest by convention only
                pressure = (len(atoms) * units.kB * temperature / volume - stress[:3].sum() / 3.0) / units.bar
        return {
            "time_ps": self.step * self.settings["timestep_fs"] / 1000.0,
            "kinetic_energy": kinetic,
            "temperature": temperature,
            "density": density,
            "pressure": pressure,
            "saved": self.saved,
        }

    def _write_row(self, results: dict[str, Any]) -> None:
        energy, kinetic = results["energy"], results["kinetic_energy"]
        conserved = math.nan if self.settings["ensemble"] == "npt" else energy + kinetic - self.integrator.heat_given()
        values = (
            results["time_ps"], results["temperature"], results["density"], energy, kinetic, results["pressure"],
            conserved, self.grade,
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
        atoms, results = self.atoms, self.forces.results
        arrays = {
            "numbers": atoms.numbers,
            "pbc": atoms.pbc,
            "masses": self.masses[:, 0],
            "positions": atoms.positions,
            "cell": atoms.cell.array,
            "momenta": atoms.arrays["momenta"],
            "energy": np.array(results["energy"]),
            "forces": results["forces"],
            "start_positions": self.start_positions,
            "start_cell": self.start_cell,
        }
        if results["stress"] is not None:
            arrays["stress"] = results["stress"]
        meta = {
            "step": self.step,
            "grade": self.grade,
            "saved": self.saved,
            "reason": reason,
            "detail": detail,
            "integrator": self.integrator.get_state(),
            "settings": self.settings,
        }
        self.forces.reset()
        self.files.write_restart(arrays, meta)
        if reason and self.files.directory is not None:
            time_ps = self.step * self.settings["timestep_fs"] / 1000.0
            summary = {"reason": reason, "detail": detail, "steps": self.step, "time_ps": time_ps} | self.settings
            atomic_write(self.files.directory / "result.json", json.dumps(summary, indent=2) + "\n")
        return arrays, meta


class _Forces:
    """What the integrators see as the calculator: one evaluation per geometry gives energy, forces and stress.

    ASE compares the whole configuration with a copy at every question, several times a step; for a box of 40 atoms
    that costs more than the forces.
    """

    def __init__(self, calculator: Any, atoms: Atoms, need_stress: bool) -> None:
        self.make = None
        if not hasattr(calculator, "calculate") and callable(getattr(calculator, "calculator", None)):
            self.make = calculator.calculator
            calculator = self.make()
        available = getattr(calculator, "implemented_properties", ())
        name = type(calculator).__name__
        if not hasattr(calculator, "calculate") or not {"energy", "forces"} <= set(available):
            raise InputError(f"{name} is neither a potential nor an ASE calculator of energies and forces")
        if need_stress and "stress" not in available:
            raise InputError(f"constant pressure needs a stress, and {name} has none")
        self.calculator = calculator
        self.properties = ["energy", "forces"]
        if atoms.pbc.all() and "stress" in available:
            self.properties.append("stress")
        self.changes = all_changes
        self.results: dict[str, Any] = {}
        self._positions = self._cell = np.empty(0)

    def evaluate(self, atoms: Atoms) -> None:
        """Compute what is not known of this geometry."""
        positions, cell = atoms.arrays["positions"], atoms.cell.array
        if np.array_equal(positions, self._positions) and np.array_equal(cell, self._cell):
            return
        self.calculator.calculate(atoms, self.properties, self.changes)
        results = self.calculator.results
        self.results = {
            "energy": float(results["energy"]),
            "forces": results["forces"],
            "stress": results["stress"] if "stress" in self.properties else None,
        }
        self._positions, self._cell = positions.copy(), cell.copy()
        self.changes = ["positions", "cell"]

    def finite(self) -> bool:
        """Tell whether energy, forces and stress are numbers."""
        results = self.results
        total = results["energy"] + float(results["forces"].sum())
        if results["stress"] is not None:
            total += float(results["stress"].sum())
        return math.isfinite(total)

    def reset(self) -> None:
        """Make the calculator forget what it remembers of earlier steps (neighbour lists, wave functions)."""
        if self.make is not None:
            self.calculator = self.make()
        elif hasattr(self.calculator, "reset"):
            self.calculator.reset()
        self.changes = all_changes

    def get_forces(self, atoms: Atoms) -> np.ndarray:
        """Return the forces, (N, 3) eV/Å."""
        self.evaluate(atoms)
        return self.results["forces"]

    def get_stress(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the stress, (6,) eV/Å^3, of the geometry evaluated last."""
        return self.results["stress"]

    def get_potential_energy(self, atoms: Atoms, force_consistent: bool = False) -> float:
        """Return the energy, eV."""
        self.evaluate(atoms)
        return self.results["energy"]


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
            raise InputError(f"the {name} of atom {bad[0]} ({atoms.symbols[bad[0]]}) is not finite")
    masses = atoms.get_masses()
    bad = np.flatnonzero(~(masses > 0))
    if bad.size:
        raise InputError(f"atom {bad[0]} ({atoms.symbols[bad[0]]}) has mass {masses[bad[0]]}; masses must be positive")
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
