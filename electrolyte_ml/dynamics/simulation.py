"""Molecular dynamics in one call, resumed from its directory if a run was interrupted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from electrolyte_ml.checks import number, one_of, whole
from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.dynamics.monitors import Monitor
from electrolyte_ml.dynamics.recorders import Recorder
from electrolyte_ml.dynamics.results import RunResult, read_result
from electrolyte_ml.dynamics.run import Run
from electrolyte_ml.dynamics.start import (
    POTENTIAL,
    check_monitors,
    check_orthorhombic,
    check_restart,
    check_same_run,
    check_start,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.threads import one_blas_thread

if TYPE_CHECKING:
    from electrolyte_ml.dynamics.force_field import MolecularForceField
    from electrolyte_ml.potentials import Potential

# Beyond these there are no molecules, and no end of the run.
_HOTTEST = 1e5  # K
_HIGHEST_PRESSURE = 1e7  # bar, three times that in the centre of the Earth
_MOST_STEPS = 10**12
LONGEST_INNER_STEP = 1.0  # fs, by default
# fs, relaxation time of the friction on bonds with hydrogen, which takes away the heat of steps of 3 fs. A bond C-H
# vibrates 27 times in this time. With 1000 fs, half of the bonds that were hotter by 1.5 eV were heated further until
# they broke, with 300 fs one of 16. With 100 fs more heat enters, since friction broadens the resonances.
BOND_DAMPING_FS = 300.0


@one_blas_thread()
def run_md(
    atoms: Atoms,
    calculator: Any,
    *,
    ensemble: str = "npt",
    temperature: float = 300.0,
    temperature_end: float | None = None,
    pressure_bar: float = 1.01325,
    time_ps: float,
    timestep_fs: float = 1.0,
    hydrogen_mass: float | None = None,
    inner: MolecularForceField | Potential | None = None,
    inner_steps: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    monitors: Iterable[Monitor] = (),
    recorders: Iterable[Recorder] = (),
    relax: int = 0,
    seed: int = 0,
    thermostat: str = "bussi",
    tdamp_fs: float = 100.0,
    pdamp_fs: float = 1000.0,
    compressibility_per_bar: float = 4.5e-5,
    anisotropic: bool = False,
    log_interval_fs: float = 10.0,
    frame_interval_fs: float = 100.0,
    restart_interval_fs: float = 1000.0,
    progress: bool = True,
) -> RunResult:
    """Run molecular dynamics of a liquid and return the result.

    With a directory the run writes ``log.csv``, ``topology.pdb``, ``trajectory.trr``, ``saved.xyz``, ``restart.npz``
    and at the end ``result.json`` and ``last.xyz``, the last configuration with its momenta. If molecules or atoms have
    collapsed, ``approach.xyz`` has the configurations of the 0.2 ps before (:mod:`electrolyte_ml.dynamics.approach`),
    as far as they are after the last restart file; this needs a potential of the package. The same call on the same
    directory resumes a killed run, with the results of a run that was not interrupted; a longer `time_ps` extends a
    completed run; otherwise the result of a run that has ended is returned at once.

    Parameters
    ----------
    atoms
        The start, which is not changed. Its momenta are kept if it has any, otherwise drawn at `temperature`; its total
        charge is kept. The motion of the centre of mass is removed.
    calculator
        A potential or an ASE calculator.
    ensemble
        "nve", "nvt", or "npt", in which all lengths of the cell change by one factor, or independently with
        `anisotropic`.
    temperature, pressure_bar
        Temperature (K) and pressure (bar) of the thermostat and the barostat.
    temperature_end
        Final temperature of a linear ramp over the whole run, K, in intervals of ten time steps; constant temperature
        by default. Not with "nve" or "nose-hoover"; such a run cannot be extended.
    time_ps, timestep_fs
        Length of the run and time step.
    hydrogen_mass
        Mass of all hydrogens in amu, by default their own; the difference is taken from the heavy atoms that they are
        bonded to in the start (:mod:`electrolyte_ml.dynamics.masses`). With 3 amu a step of 2 fs conserves the energy.
        Averages over configurations do not depend on it; diffusion and conductivity do.
    inner
        Cheap forces for multiple time steps, close to those of `calculator`, which must be a potential: a force field
        within the molecules (:func:`electrolyte_ml.dynamics.distil`) or another potential. `timestep_fs` is then the
        outer step, at whose ends the difference of the forces acts; in between, the atoms move with the inner forces
        alone. In "nvt" and "npt" a friction with noise also acts on the relative velocities along bonds with hydrogen
        (:mod:`electrolyte_ml.kernels.multiple_steps`), which such steps would heat. Thermostat, monitors and all files
        know outer steps only. In "npt" the cell then changes in every tenth step and moves molecules as wholes, see
        :mod:`electrolyte_ml.dynamics.barostat`. Not with "nose-hoover".
    inner_steps
        Number of inner steps in one step, by default as many as make them at most 1 fs long.
    directory
        Folder of the files; None keeps everything in memory.
    monitors
        Checks that may stop the run, see :mod:`electrolyte_ml.dynamics.monitors`. Energies and forces that are not
        finite always stop it.
    recorders
        Writers of further files, see :mod:`electrolyte_ml.dynamics.recorders`.
    relax
        Largest number of minimisation steps (FIRE, fixed cell) before the run, for a freshly packed start. If molecules
        overlap, they are first moved apart as rigid bodies (:func:`electrolyte_ml.structures.separate`).
    seed
        Seed of the velocities and of the stochastic thermostat and barostat.
    thermostat
        Thermostat of "nvt": "bussi" (stochastic velocity rescaling, which "npt" always uses) or "nose-hoover" (a chain
        of three). Both, and the temperature of the log, allow for the error of the time step in the kinetic energy
        (`missing_energy` in :mod:`electrolyte_ml.kernels.dynamics`).
    tdamp_fs, pdamp_fs
        Relaxation times of temperature and pressure.
    compressibility_per_bar
        Determines, with `pdamp_fs`, how fast the volume changes; averages do not depend on it.
    anisotropic
        In "npt", change the three lengths of an orthorhombic cell along x, y and z independently: for crystals,
        interfaces and packed boxes that are not cubes. A liquid does not resist changes of the cell's shape, so that
        the cell becomes narrow in a long run.
    log_interval_fs, frame_interval_fs, restart_interval_fs
        Time between rows of the log, between frames of the trajectory, and between restart files, each rounded to a
        whole number of steps.
    progress
        Whether to show a progress line with the speed and the remaining time.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        A setting or the start is not valid, the calculator lacks a property that the ensemble needs, or the directory
        holds another run or is in use by another process.
    ElectrolyteError
        The calculator fails on the start itself.

    Notes
    -----
    An error of the calculator during the run ends it with the reason "calculator"; everything written is kept. A step
    in which an inner potential fails, or whose forces differ so much that a kick moves an atom by 0.25 Å, is repeated
    with single steps and counted in `repeated_steps`; if these are more than 5 % of the steps, the run ends. The inner
    potential is kept in the folder as ``inner.json`` (or ``inner.mtp``, ``inner.pot``).

    Whenever a restart file is written, neighbour lists are made anew and an ASE calculator is `reset()`: a resumed run
    begins with new ones, and would otherwise differ in the last bits.

    References
    ----------
    Tuckerman, Berne and Martyna, J. Chem. Phys. 97, 1990 (1992); Izaguirre et al., J. Chem. Phys. 114, 2090 (2001);
    Bussi et al., J. Chem. Phys. 126, 014101 (2007); Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020); Del Tatto et
    al., Appl. Sci. 12, 1139 (2022).
    """
    timestep_fs = number("timestep_fs", timestep_fs, "fs")
    monitors, recorders = list(monitors), list(recorders)
    settings = {
        "ensemble": one_of("ensemble", ensemble, ("nve", "nvt", "npt")),
        "temperature": number("temperature", temperature, "K", most=_HOTTEST),
        "pressure_bar": number("pressure_bar", pressure_bar, "bar", least=-_HIGHEST_PRESSURE, most=_HIGHEST_PRESSURE),
        "timestep_fs": timestep_fs,
        "hydrogen_mass": None if hydrogen_mass is None else number("hydrogen_mass", hydrogen_mass, "amu"),
        "thermostat": one_of("thermostat", thermostat, ("bussi", "nose-hoover")),
        "tdamp_fs": number("tdamp_fs", tdamp_fs, "fs"),
        "pdamp_fs": number("pdamp_fs", pdamp_fs, "fs"),
        "compressibility_per_bar": number("compressibility_per_bar", compressibility_per_bar, "1/bar"),
        "log_interval_fs": number("log_interval_fs", log_interval_fs, "fs", least=timestep_fs),
        "frame_interval_fs": number("frame_interval_fs", frame_interval_fs, "fs", least=timestep_fs),
        "restart_interval_fs": number("restart_interval_fs", restart_interval_fs, "fs", least=timestep_fs),
        "relax": whole("relax", relax, least=0),
        "seed": whole("seed", seed, least=0),
        "anisotropic": bool(anisotropic) or None,
        "inner": None if inner is None else inner.fingerprint[:16],
        "bond_damping_fs": None if inner is None or ensemble == "nve" else BOND_DAMPING_FS,
        "inner_steps": None if inner is None else number_of_inner_steps(inner_steps, timestep_fs),
        "temperature_end": None
        if temperature_end is None
        else number("temperature_end", temperature_end, "K", most=_HOTTEST),
        "ramp_ps": None if temperature_end is None else number("time_ps", time_ps, "ps"),
        "records": {recorder.file: recorder.every for recorder in recorders} or None,
        **_of_potential(calculator),
    }
    longest_ps = _MOST_STEPS * timestep_fs / 1000.0
    n_steps = round(number("time_ps", time_ps, "ps", least=0, most=longest_ps) * 1000.0 / timestep_fs)
    check_start(atoms, ensemble)
    if anisotropic:
        check_orthorhombic(atoms, ensemble)
    if temperature_end is not None and (ensemble == "nve" or settings["thermostat"] == "nose-hoover"):
        kind = "nve" if ensemble == "nve" else "nose-hoover"
        raise InputError(f"temperature_end needs the thermostat bussi of nvt and npt; it does not work with {kind}")
    if inner is None and inner_steps is not None:
        raise InputError("inner_steps needs an inner potential")
    if inner is not None and ensemble == "nvt" and thermostat == "nose-hoover":
        raise InputError("multiple time steps need the thermostat bussi in nvt; they do not work with nose-hoover")
    if ensemble == "npt" and (refused := [recorder.file for recorder in recorders if recorder.constant_volume]):
        raise InputError(f"{refused[0]} can be recorded only at constant volume: a barostat moves the molecules, too")
    folder = Path(directory) if directory is not None else None
    with RunFiles(folder, [recorder.file for recorder in recorders]) as files:
        stored = files.read_restart()
        if stored is not None and folder is not None:
            arrays, meta = stored
            check_restart(folder, arrays, meta)
            check_same_run(folder, arrays, meta, atoms, settings)
            if meta["reason"] and (meta["reason"] != "completed" or meta["step"] >= n_steps):
                check_monitors(folder, meta, monitors)
                return read_result(files, arrays, meta, settings)
        run = Run(atoms, calculator, settings, monitors, recorders, files, inner)
        if stored is None:
            run.start()
        else:
            run.resume(arrays, meta)
        return run.until(n_steps, progress)


def _of_potential(calculator: Any) -> dict[str, str | None]:
    """Return the fingerprint and precision of a potential or of its calculator; None for other calculators."""
    potential = getattr(calculator, "potential", calculator)
    fingerprint = getattr(potential, "fingerprint", None)
    values = None if fingerprint is None else fingerprint[:16], getattr(potential, "precision", None)
    return dict(zip(POTENTIAL, values, strict=True))


def number_of_inner_steps(inner_steps: int | None, timestep_fs: float) -> int:
    """Return the number of inner steps in one step, by default as many as make them at most 1 fs long."""
    return math.ceil(timestep_fs / LONGEST_INNER_STEP) if inner_steps is None else whole("inner_steps", inner_steps)
