"""Inner potentials for multiple time steps: fitted to a potential on the user's own system, and tested there.

`sample` draws configurations of the system with the potential itself, `distil` fits a force field within the molecules
to its forces on them, and `check_drift` compares how well the energy is conserved with and without multiple time steps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.dynamics.force_field import MolecularForceField, fit_force_field
from electrolyte_ml.dynamics.results import LARGEST_DRIFT, RunResult
from electrolyte_ml.dynamics.simulation import number_of_inner_steps, run_md
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.potentials import Potential, load
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.topology import Topology

SETTLING_PS, SAMPLING_PS = 1.0, 6.0
MOST_FRAMES, FEWEST_FRAMES, SAMPLED_ATOMS = 60, 12, 10000
HELD_OUT = 5  # every fifth configuration is kept out of the fit
HOTTER = 1.5  # configurations at 1.5 times the temperature hold the lengths that are rare at the temperature itself
# Of the bonds with hydrogen in half of the configurations of a fit: their share, and the range of their lengths in
# units of the mean length. A bond that is by chance as hot as 0.5 eV is longer and shorter than any in the sampling.
# With a fit to the sampling alone, kicks every 3 fs heated such C-H bonds further: 6 of 16 broke or ended their run
# within 2 ps.
SHARE, LENGTHS = 0.1, (0.78, 1.37)
CHECK_PS = 10.0  # in shorter times the conserved energy fluctuates by more than it drifts


@dataclass(frozen=True)
class Distillation:
    """A fitted inner potential.

    Attributes
    ----------
    inner : MolecularForceField or Potential
    force_error, force_rms : float, eV/Å
        On configurations outside the fit: root mean square of the differences from the forces of the potential, and of
        these forces themselves.
    """

    inner: MolecularForceField | Potential
    force_error: float
    force_rms: float

    def __str__(self) -> str:
        return (
            f"inner potential: force error {self.force_error:.3f} eV/Å on configurations outside the fit, forces "
            f"{self.force_rms:.3f} eV/Å"
        )


def sample(
    potential: Potential,
    atoms: Atoms,
    *,
    temperature: float = 300.0,
    relax: int = 0,
    seed: int = 0,
    directory: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> list[Atoms]:
    """Run 7 ps at 1.5 times the temperature and constant volume, and return configurations of the last 6 ps.

    There are 60 configurations of systems of up to 160 atoms, fewer of larger ones, and at least 12.

    Parameters
    ----------
    potential : Potential
    atoms : ase.Atoms
        Start of the run.
    temperature : float, K
        Temperature of the system, not of this run.
    relax, seed, directory, progress
        As in :func:`run_md`; the run is resumed from the directory.

    Raises
    ------
    ElectrolyteError
        The run ends early.
    """
    count = min(MOST_FRAMES, max(FEWEST_FRAMES, SAMPLED_ATOMS // len(atoms)))
    result = run_md(
        atoms,
        potential,
        ensemble="nvt",
        temperature=HOTTER * temperature,
        time_ps=SETTLING_PS + SAMPLING_PS,
        frame_interval_fs=1000.0 * SAMPLING_PS / count,
        relax=relax,
        seed=seed,
        directory=directory,
        progress=progress,
    )
    return _completed(result, "the run that samples configurations for the inner potential").frames()[-count:]


def distil(
    potential: Potential, frames: Sequence[Atoms], *, directory: str | os.PathLike[str] | None = None
) -> Distillation:
    """Fit a force field within the molecules to the forces of a potential, for multiple time steps.

    Every fifth configuration is kept for the error. The fit has each of the others twice: as it is, and with other
    lengths of some bonds with hydrogen (`stretched`).

    Parameters
    ----------
    potential : Potential
        Potential of the outer steps.
    frames : sequence of ase.Atoms
        Configurations of the system to be run, see `sample`.
    directory : path, optional
        Folder for ``inner.json``, which is read instead of fitted if it exists.

    Raises
    ------
    InputError
        There are too few configurations, they have elements that the potential does not know, or for a reason of
        :func:`electrolyte_ml.dynamics.force_field.fit_force_field`.
    """
    if len(frames) < HELD_OUT:
        raise InputError(f"{len(frames)} configurations are too few for an inner potential: give {HELD_OUT} or more")
    held_out = frames[HELD_OUT - 1 :: HELD_OUT]
    path = None if directory is None else Path(directory) / f"inner{MolecularForceField.suffix}"
    if path is not None and path.exists():
        return assess(MolecularForceField.load(path), potential, held_out)
    fitted = [atoms for k, atoms in enumerate(frames) if k % HELD_OUT != HELD_OUT - 1]
    fitted += stretched(fitted)
    inner = fit_force_field(fitted, [potential.evaluate(atoms).forces for atoms in fitted])
    if path is not None:
        inner.save(path)
    return assess(inner, potential, held_out)


def stretched(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return copies in which hydrogens have moved along their bonds; none if there are no bonds with hydrogen.

    A tenth of these bonds, chosen at random, have lengths from 0.78 to 1.37 times their mean.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Configurations of one system.
    """
    topology = Topology.of(frames[0])
    light = topology.numbers[topology.bonds] == 1
    bonds = np.where(light[:, :1], topology.bonds[:, ::-1], topology.bonds)[light.any(axis=1)]  # hydrogen comes last
    if not len(bonds):
        return []
    rng, copies = np.random.default_rng(0), []
    whole = np.array([topology.whole(atoms) if atoms.pbc.any() else atoms.positions for atoms in frames])
    along = whole[:, bonds[:, 1]] - whole[:, bonds[:, 0]]
    lengths = np.linalg.norm(along, axis=2)
    for atoms, positions, vectors, own in zip(frames, whole, along, lengths, strict=True):
        chosen = rng.random(len(bonds)) < SHARE
        wanted = rng.uniform(*LENGTHS, len(bonds)) * lengths.mean(axis=0)
        moved = positions.copy()
        moved[bonds[chosen, 1]] += ((wanted / own - 1)[:, None] * vectors)[chosen]
        copies.append(bare_configuration(atoms))
        copies[-1].positions = moved
    return copies


def load_inner(path: str | os.PathLike[str], species: Sequence[str] | None = None) -> MolecularForceField | Potential:
    """Load an inner potential: a force field from `distil` (``.json``), or any potential.

    Parameters
    ----------
    path : path
    species : sequence of str, optional
        As in :func:`electrolyte_ml.potentials.load`.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    path = Path(path)
    return MolecularForceField.load(path) if path.suffix == MolecularForceField.suffix else load(path, species=species)


def assess(inner: MolecularForceField | Potential, potential: Potential, frames: Sequence[Atoms]) -> Distillation:
    """Compare the forces of an inner potential with those of the potential of the outer steps."""
    forces = [potential.evaluate(atoms).forces for atoms in frames]
    cheap = inner.forces if isinstance(inner, MolecularForceField) else lambda atoms: inner.evaluate(atoms).forces
    errors = [cheap(atoms) - exact for atoms, exact in zip(frames, forces, strict=True)]
    return Distillation(inner, _rms(errors), _rms(forces))


def check_drift(
    potential: Potential,
    inner: MolecularForceField | Potential,
    atoms: Atoms,
    *,
    timestep_fs: float,
    inner_steps: int | None = None,
    ensemble: str = "nvt",
    temperature: float = 300.0,
    hydrogen_mass: float | None = None,
    directory: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> tuple[float, float]:
    """Run 10 ps at constant volume with multiple time steps, and with single steps of the inner length.

    Both begin from the end of a run of 1 ps at the temperature.

    Parameters
    ----------
    potential : Potential
    inner : MolecularForceField or Potential
    atoms : ase.Atoms
    timestep_fs, inner_steps, temperature, hydrogen_mass
        As in :func:`run_md`.
    ensemble : str
        Ensemble of the run that the test is for. With "nve" there is no thermostat, and no friction on bonds with
        hydrogen; with all others both act.
    directory : path, optional
        Folder of the runs, which are resumed from it.
    progress : bool

    Returns
    -------
    multiple, single : float, meV/atom/ps
        `RunResult.energy_drift` with multiple time steps, and with the potential alone at the inner step.

    Raises
    ------
    ElectrolyteError
        The drift with multiple time steps is above 0.5 meV/atom/ps in either direction, or one of the runs ends early.
    """
    steps = number_of_inner_steps(inner_steps, timestep_fs)
    single_fs = timestep_fs / steps

    def run(start: Atoms, name: str, kind: str, **options: Any) -> RunResult:
        folder = None if directory is None else Path(directory) / name
        result = run_md(start, potential, temperature=temperature, directory=folder, progress=progress, **options)
        return _completed(result, f"the check of the energy {kind}")

    kept = "nve" if ensemble == "nve" else "nvt"
    masses = "" if hydrogen_mass is None else f"_H{hydrogen_mass:g}"
    condition = f"{masses}_{kept}_{temperature:g}K"

    def drift(name: str, kind: str, **options: Any) -> float:
        options |= {"ensemble": kept, "time_ps": CHECK_PS, "hydrogen_mass": hydrogen_mass}
        return run(settled.atoms, name + condition, kind, log_interval_fs=2 * timestep_fs, **options).energy_drift

    settled = run(atoms, f"settle_{temperature:g}K", "before it began", ensemble="nvt", time_ps=SETTLING_PS)
    multiple = drift(
        f"multiple_{timestep_fs:g}fs_{steps}_{inner.fingerprint[:8]}",
        f"with steps of {timestep_fs:g} fs",
        timestep_fs=timestep_fs,
        inner=inner,
        inner_steps=steps,
    )
    single = drift(f"single_{single_fs:.4g}fs", f"with single steps of {single_fs:.4g} fs", timestep_fs=single_fs)
    if not abs(multiple) <= LARGEST_DRIFT:  # NaN, too
        raise ElectrolyteError(
            f"with steps of {timestep_fs:g} fs and an inner potential the energy drifts by {multiple:+.2f} "
            f"meV/atom/ps, more than {LARGEST_DRIFT:g} ({single:+.2f} with single steps of {single_fs:.4g} fs): choose "
            "a shorter step or another inner potential"
        )
    return multiple, single


def _completed(result: RunResult, name: str) -> RunResult:
    """Return the result of a run that reached its length.

    Raises
    ------
    ElectrolyteError
        The run ended early.
    """
    if not result.completed:
        raise ElectrolyteError(f"{name} ended early: {result.detail}")
    return result


def _rms(values: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.concatenate(values) ** 2)))
