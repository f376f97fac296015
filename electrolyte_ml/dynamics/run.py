"""State and main loop of one run of molecular dynamics."""

from __future__ import annotations

import copy
import inspect
import io
import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units

from electrolyte_ml.dynamics.approach import APPROACH, COLLAPSES, LatestConfigurations
from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.dynamics.masses import exchange_masses, heavy_hydrogen_masses
from electrolyte_ml.dynamics.monitors import Monitor, Verdict
from electrolyte_ml.dynamics.recorders import Recorder
from electrolyte_ml.dynamics.results import COLUMNS, RunResult, read_result
from electrolyte_ml.dynamics.trajectory import encode_frame, encode_topology, standard_rotation
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.structures.charge import bare_configuration, total_charge
from electrolyte_ml.structures.configurations import write_configurations
from electrolyte_ml.structures.separation import find_overlap, separate
from electrolyte_ml.units import DENSITY_UNIT

if TYPE_CHECKING:
    from electrolyte_ml.dynamics.force_field import MolecularForceField
    from electrolyte_ml.potentials import Potential

_RAMP = 10  # steps at one temperature during a temperature ramp
_STRIDE = 100  # largest number of steps between two updates of the progress line, and until an interrupt is noticed


class Run:
    """One run: the atoms, their integrator, and the state that the restart file stores."""

    def __init__(
        self,
        atoms: Atoms,
        calculator: Any,
        settings: dict[str, Any],
        monitors: list[Monitor],
        recorders: list[Recorder],
        files: RunFiles,
        inner: MolecularForceField | Potential | None = None,
    ) -> None:
        from electrolyte_ml.dynamics.ensembles import build  # numba and the kernels take a second to load

        self.settings, self.monitors, self.recorders, self.files = settings, monitors, recorders, files
        self.given, self.calculator, self.inner = atoms, calculator, inner
        self.atoms = bare_configuration(atoms, masses=True)
        self.atoms.set_momenta(atoms.get_momenta())
        if settings["hydrogen_mass"] is not None:
            exchange_masses(self.atoms, heavy_hydrogen_masses(atoms, settings["hydrogen_mass"]))
        self.start_masses = atoms.get_masses()  # (N,) amu, those of the last configuration, too
        self.start_positions, self.start_cell = atoms.positions.copy(), atoms.cell.array.copy()
        names = inspect.signature(build).parameters.keys() & settings.keys()
        chosen = {name: settings[name] for name in names}
        self.integrator = build(self.atoms, calculator, inner_potential=inner, **chosen)
        self.rotation = standard_rotation(atoms)
        self.masses = self.atoms.get_masses()[:, None]  # (N, 1) amu
        self.total_mass = float(self.masses.sum())
        self.periodic = bool(atoms.pbc.all()) and atoms.cell.rank == 3
        self.freedom = 3 * len(atoms) - 3
        self.log_every, self.frame_every, self.restart_every = (
            max(1, round(settings[f"{name}_interval_fs"] / settings["timestep_fs"]))
            for name in ("log", "frame", "restart")
        )
        self.events = {self.log_every, self.frame_every, self.restart_every, _STRIDE}
        self.events |= {monitor.every for monitor in monitors} | {recorder.every for recorder in recorders}
        if settings["temperature_end"] is not None:
            self.events.add(_RAMP)
        self.start_energy = math.nan  # conserved energy of step 0, eV
        self.grade = math.nan  # the highest since the last row of the log
        self.saved = 0  # number of configurations that monitors saved
        self.resting = [0] * len(monitors)  # step before which each monitor need not check
        self.stop: tuple[str, str] | None = None
        self.latest: tuple[dict[str, np.ndarray], dict[str, Any]] | None = None  # content of the last restart file

    @property
    def step(self) -> int:
        """Number of steps done."""
        return self.integrator.step

    @property
    def time_ps(self) -> float:
        """Simulated time so far, ps."""
        return self.step * self.settings["timestep_fs"] / 1000.0

    def start(self) -> None:
        """Minimise if the settings say so, draw velocities, and write the files of step 0.

        Raises
        ------
        ElectrolyteError
            The calculator fails on the start.
        """
        atoms, settings = self.atoms, self.settings
        try:
            self.integrator.evaluate()
        except Exception as error:
            raise ElectrolyteError(f"{self.integrator.name} fails on the start: {one_line(error)}") from error
        if settings["relax"]:
            self._relax(settings["relax"])
        momenta = atoms.arrays["momenta"]
        if not momenta.any():
            rng = np.random.default_rng(settings["seed"])
            kT = settings["temperature"] * units.kB
            momenta[:] = rng.standard_normal(momenta.shape) * np.sqrt(kT * self.masses)
        self._remove_drift()
        self.start_energy = self._conserved_energy()
        self.files.open()
        if self.files.directory is not None:
            topology = encode_topology(atoms, self.rotation, settings["hydrogen_mass"])
            atomic_write(self.files.directory / "topology.pdb", topology)
            if self.inner is not None:
                self.inner.save(self.files.directory / f"inner{self.inner.suffix}")
            for recorder in self.recorders:
                header = json.dumps(recorder.header(atoms, settings)) + "\n"
                atomic_write((self.files.directory / recorder.file).with_suffix(".json"), header)
        self.files.append("log.csv", (",".join(COLUMNS) + "\n").encode())
        self._observe()
        self._write_restart()

    def _relax(self, steps: int) -> None:
        """Move overlapping molecules apart and minimise the energy.

        If the calculator fails, because atoms collapse, the start is restored and the run ends.
        """
        atoms = self.atoms
        start_positions = atoms.positions.copy()
        try:
            if find_overlap(atoms) is not None:
                atoms.positions[:] = separate(atoms).positions
                self.integrator.reset()
            self.integrator.relax(steps)
        except Exception as error:
            self.stop = "calculator", f"{one_line(error)}, while the energy was minimised"
            atoms.calc = None
            atoms.arrays["positions"][:] = start_positions
            self.integrator.reset()
            self.integrator.evaluate()

    def resume(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Continue from a restart file.

        Raises
        ------
        InputError
            The calculator's energy differs from the stored one: the run was started with another potential.
        """
        atoms, integrator = self.atoms, self.integrator
        atoms.arrays["positions"][:] = arrays["positions"]
        atoms.arrays["momenta"][:] = arrays["momenta"]
        atoms.cell.array[:] = arrays["cell"]
        integrator.evaluate()
        computed = integrator.energy
        integrator.forces[:], stored = arrays["forces"], arrays["scalars"]
        integrator.scalars[: len(stored)] = stored  # fewer in files of older versions
        integrator.particles.virial[:] = arrays.get("virial", integrator.particles.virial)
        # The mesh for charges may have been chosen for another cell: its error is below 2e-5 eV per atom.
        if not math.isclose(computed, integrator.energy, rel_tol=1e-6, abs_tol=2e-5 * len(atoms)):
            raise InputError(
                f"{self.files.directory} was started with another potential: the energy of its last configuration is "
                f"{integrator.energy:.6f} eV there and {computed:.6f} eV here; choose another directory"
            )
        integrator.reset()
        integrator.step, self.grade, self.saved = meta["step"], meta["grade"], meta["saved"]
        self.start_energy = meta.get("start_energy", self._conserved_energy())  # absent in files of older versions
        if len(meta.get("resting", ())) == len(self.monitors):  # the monitors may be others now
            self.resting = list(meta["resting"])
        self.latest = arrays, meta
        self.files.open(meta["lengths"])

    def until(self, n_steps: int, progress: bool) -> RunResult:
        """Run to step `n_steps`, or until a monitor or an error stops the run, and write the result."""
        self._advance(n_steps, progress)
        reason, detail = self.stop or ("completed", "")
        if reason in COLLAPSES:
            self._write_approach()
        arrays, meta = self._write_restart(reason, detail)
        return read_result(self.files, arrays, meta, self.settings)

    def _write_approach(self) -> None:
        """Repeat the steps since the last restart file, and write the configurations before the end."""
        from electrolyte_ml.dynamics.integrators import CalculatorIntegrator

        if self.latest is None or isinstance(self.integrator, CalculatorIntegrator):
            return  # it runs in memory, or the steps of the calculator may be expensive or not reproducible
        recorder = LatestConfigurations(self.settings["timestep_fs"])
        with RunFiles(None, [recorder.file]) as files:
            again = Run(self.given, self.calculator, self.settings, [], [recorder], files, self.inner)
            arrays, meta = self.latest
            again.resume(arrays, meta | {"lengths": None})
            again._advance(self.step, progress=False)
        if found := recorder.usable():
            write_configurations(self.files.place(APPROACH), found)

    def _advance(self, n_steps: int, progress: bool) -> None:
        """Run to step `n_steps`, or until a monitor or an error stops the run."""
        start_time, first, threads = time.perf_counter(), self.step, self.integrator.threads
        with progress_bar(
            total=n_steps,
            initial=first,
            desc=f"{self.settings['ensemble'].upper()} {self.settings['temperature']:g} K"
            + (f" to {self.settings['temperature_end']:g} K" if self.settings["temperature_end"] is not None else "")
            + (f", {threads} threads" if threads > 1 else ""),
            unit="step",
            smoothing=0.0,  # use the mean speed, so that the remaining time does not jump
            shown=progress,
        ) as bar:
            while self.stop is None and self.step < n_steps:
                event = min(self.step - self.step % every + every for every in self.events)
                if self.settings["temperature_end"] is not None:
                    self.integrator.set_temperature(self._ramped())
                try:
                    self.integrator.advance(min(event, n_steps))
                except Exception as error:
                    self.stop = "calculator", f"{one_line(error)}, after {self.time_ps:g} ps"
                    break
                self._observe()
                if self.step % self.restart_every == 0:
                    self._write_restart()
                if progress:
                    rate = (self.step - first) / (time.perf_counter() - start_time)
                    speed = rate * self.settings["timestep_fs"] * 1e-6 * 86400.0
                    bar.set_postfix_str(f"{speed:.3g} ns/day", refresh=False)
                    bar.update(self.step - bar.n)
            bar.update(self.step - bar.n)

    def _ramped(self) -> float:
        """Return the temperature of the next steps, K: a function of the step alone, constant over ten steps."""
        settings = self.settings
        done = (self.step // _RAMP + 0.5) * _RAMP * settings["timestep_fs"] / (1000.0 * settings["ramp_ps"])
        return float(settings["temperature"] + min(done, 1.0) * (settings["temperature_end"] - settings["temperature"]))

    def _observe(self) -> None:
        """Run the monitors that are due after a step, and write the log, the records and the trajectory."""
        step, integrator = self.step, self.integrator
        if not integrator.finite():
            bad = np.flatnonzero(~np.isfinite(integrator.forces).all(axis=1))
            name = f"the force on atom {bad[0] + 1} ({self.atoms.symbols[bad[0]]})" if bad.size else "energy or stress"
            self.stop = "nan", f"{name} is not a number after {self.time_ps:g} ps"
        due = [k for k, monitor in enumerate(self.monitors) if step % monitor.every == 0 and step >= self.resting[k]]
        recorders = [recorder for recorder in self.recorders if step % recorder.every == 0]
        log_due = step % self.log_every == 0
        if due or log_due or recorders or self.stop:
            results = self._results()
            for k in due:
                if self.stop is not None:
                    break
                self._judge(k, results)
        if log_due or self.stop:
            self._write_row(results)
        for recorder in recorders:
            self.files.append(recorder.file, recorder.frame(step, self.time_ps, self.atoms, results))
        if step % self.frame_every == 0:
            self.files.append("trajectory.trr", encode_frame(self.atoms, step, self.time_ps, self.rotation))

    def _judge(self, k: int, results: dict[str, Any]) -> None:
        """Run the check of the k-th monitor, and act on its verdict."""
        monitor = self.monitors[k]
        verdict = monitor.check(self.step, self.atoms, results)
        if verdict is None:
            return
        if not isinstance(verdict, Verdict):
            raise InputError(f"{type(monitor).__name__}.check returned {verdict!r}, neither a Verdict nor None")
        self.resting[k] = self.step + verdict.pause
        if verdict.grade is not None:
            self.grade = float(np.fmax(self.grade, verdict.grade))
        if verdict.save:
            self._save(math.nan if verdict.grade is None else verdict.grade, verdict.note)
            results["saved"] = self.saved
        if verdict.stop is not None:
            self.stop = monitor.reason, verdict.stop

    def _results(self) -> dict[str, Any]:
        """Return the results of a step for monitors, recorders and the log."""
        atoms, integrator = self.atoms, self.integrator
        kinetic, missing = integrator.kinetic_energy, integrator.missing_energy
        temperature = 2.0 * (kinetic + missing) / (self.freedom * units.kB)
        density = pressure = math.nan
        stress = integrator.stress
        if self.periodic:
            volume = atoms.cell.volume
            density = self.total_mass / volume * DENSITY_UNIT
            if stress is not None:
                # The virial theorem holds for the kinetic energy at half steps. N k_B T includes the centre of mass,
                # which is at rest by convention only.
                per_atom = 2.0 * (kinetic + 1.5 * missing) / self.freedom
                trace = float(stress[0] + stress[1] + stress[2])
                pressure = (len(atoms) * per_atom / volume - trace / 3.0) / units.bar
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
            "gained": self._conserved_energy() - self.start_energy,
        }

    def _conserved_energy(self) -> float:
        """Return the total energy minus the energy added by thermostat and barostat, eV."""
        integrator = self.integrator
        return integrator.energy + integrator.kinetic_energy - integrator.given

    def _write_row(self, results: dict[str, Any]) -> None:
        energy, kinetic = results["energy"], results["kinetic_energy"]
        values = (
            results["time_ps"], results["temperature"], results["density"], energy, kinetic, results["pressure"],
            self._conserved_energy(), self.grade,
        )  # fmt: skip
        self.files.append("log.csv", f"{self.step},{','.join(f'{x:.10g}' for x in values)}\n".encode())
        self.grade = math.nan
        # Forces that do not sum to exactly zero would accelerate the box and so lower the temperature.
        self._remove_drift()

    def _remove_drift(self) -> None:
        momenta = self.atoms.arrays["momenta"]
        momenta -= self.masses * (momenta.sum(axis=0) / self.total_mass)

    def _save(self, grade: float, note: str) -> None:
        from ase.io import write

        frame = bare_configuration(self.atoms)
        frame.info |= {"step": self.step, "grade": grade} | ({"least_certain": note} if note else {})
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
            "virial": integrator.particles.virial,
            "start_positions": self.start_positions,
            "start_cell": self.start_cell,
            "start_masses": self.start_masses,
        }
        meta = {
            "step": self.step,
            "grade": self.grade,
            "saved": self.saved,
            "start_energy": self.start_energy,
            "repeated_steps": integrator.repeated,
            "resting": self.resting,
            "monitors": [monitor.reason for monitor in self.monitors],
            "reason": reason,
            "detail": detail,
            "settings": self.settings,
            "info": self.atoms.info,
        }
        if not reason:
            integrator.reset()
            if self.files.directory is not None:
                self.latest = {name: np.array(values) for name, values in arrays.items()}, copy.deepcopy(meta)
        self.files.write_restart(arrays, meta)
        if reason and self.files.directory is not None:
            self.files.settle()
            self._summarise(self.files.directory, reason, detail)
        return arrays, meta

    def _summarise(self, directory: Path, reason: str, detail: str) -> None:
        """Write the last configuration and a summary: reason of the end, length, settings."""
        last = self.atoms.copy()
        exchange_masses(last, self.start_masses)
        with suppress(InputError):  # no file of configurations holds the positions of a run that has exploded
            write_configurations(directory / "last.xyz", last)
        summary = {"reason": reason, "detail": detail, "steps": self.step, "time_ps": self.time_ps}
        if self.inner is not None:
            summary["repeated_steps"] = self.integrator.repeated
        summary |= {"threads": self.integrator.threads, "charge": total_charge(self.atoms)} | self.settings
        atomic_write(directory / "result.json", json.dumps(summary, indent=2) + "\n")


def one_line(error: Exception) -> str:
    """Return an error in one line; an error of another package with its type."""
    text = str(error).strip().split("\n", 1)[0]
    return text if isinstance(error, ElectrolyteError) else f"{type(error).__name__}: {text}"
