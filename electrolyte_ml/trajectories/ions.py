"""Positions, velocities and charges of the ions of a trajectory, which transport is computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory


@dataclass(frozen=True)
class IonTrajectory:
    """The ions of one trajectory at constant volume.

    An ion of several atoms is represented by its centre of mass. Its charge is its integer charge (section 4.6 of the
    paper), not the sum of the charges that a force field or a model gives to its atoms.

    Attributes
    ----------
    timestep_ps
        Time between frames.
    positions
        (F, n, 3) *unwrapped*, Å; None where only velocities are known.
    velocities
        (F, n, 3) Å/ps; None where the trajectory has none.
    species
        (n,) name of each ion's species.
    charges, masses
        (n,) e; amu.
    volume
        Å³, the same in every frame: displacements are not defined where the cell changes (:func:`read_ions` refuses
        NPT).
    solvent_mass
        Mass of all molecules that are no ions, amu; None where it is not known: the solvent's frame is then undefined.
    hydrogen_mass
        Of the hydrogens in the dynamics, amu, where the run states that it is not their own.
    name
        For messages.

    Raises
    ------
    InputError
        For fewer than two frames, shapes that disagree, values that are not finite, a volume or time step that is not
        positive, charges that do not sum to zero, or neither positions nor velocities.
    """

    timestep_ps: float
    positions: np.ndarray | None
    velocities: np.ndarray | None
    species: np.ndarray
    charges: np.ndarray
    masses: np.ndarray
    volume: float
    solvent_mass: float | None = None
    hydrogen_mass: float | None = None
    name: str = "trajectory"

    def __post_init__(self) -> None:
        n = len(self.charges)
        if self.positions is None and self.velocities is None:
            raise InputError(f"{self.name} has neither positions nor velocities")
        if len(self.species) != n or len(self.masses) != n:
            raise InputError(f"{self.name}: {n} charges, {len(self.species)} species and {len(self.masses)} masses")
        if not self.timestep_ps > 0 or not self.volume > 0:
            raise InputError(f"{self.name}: the time between frames and the volume must be positive")
        for what, values in (("positions", self.positions), ("velocities", self.velocities)):
            if values is None:
                continue
            if values.ndim != 3 or values.shape[1:] != (n, 3):
                raise InputError(f"{self.name}: {what} of {n} ions must be (frames, {n}, 3), not {values.shape}")
            if len(values) < 2:
                raise InputError(f"{self.name} has one frame: nothing moves in it")
            bad = ~np.isfinite(values).all(axis=(1, 2))
            if bad.any():
                raise InputError(f"{self.name}, frame {np.argmax(bad) + 1}: {what} are not finite")
        if abs(float(np.sum(self.charges))) > 1e-6:
            raise InputError(f"{self.name}: the ions' charges sum to {np.sum(self.charges):g}, not 0")

    @property
    def frames(self) -> int:
        """Number of frames."""
        series = self.velocities if self.positions is None else self.positions
        assert series is not None  # checked in __post_init__
        return len(series)

    @property
    def time_ps(self) -> float:
        """Length of the trajectory."""
        return (self.frames - 1) * self.timestep_ps

    @property
    def names(self) -> tuple[str, ...]:
        """Species in the order in which they first occur."""
        return tuple(dict.fromkeys(str(name) for name in self.species))

    def __getitem__(self, frames: slice) -> IonTrajectory:
        """Return a trajectory of some of the frames, such as ``ions[100:]`` or ``ions[::10]``.

        Raises
        ------
        InputError
            Fewer than two frames are left.
        """
        if not isinstance(frames, slice):
            raise TypeError("frames of a trajectory are chosen by a slice")
        stride = 1 if frames.step is None else int(frames.step)
        if stride < 1:
            raise InputError(f"{self.name}: frames are taken in their order, with a stride of 1 or more")
        return replace(
            self,
            timestep_ps=stride * self.timestep_ps,
            positions=None if self.positions is None else self.positions[frames],
            velocities=None if self.velocities is None else self.velocities[frames],
        )

    def current(self) -> np.ndarray:
        """(F, 3) charge current J = sum q v, e Å/ps (eq. 14).

        Raises
        ------
        InputError
            Without velocities.
        """
        if self.velocities is None:
            raise InputError(
                f"{self.name} has no velocities, which the current of Green-Kubo needs (for a LAMMPS dump, "
                "lammps_units, --lammps-units, says what they are in)"
            )
        return np.einsum("fic,i->fc", self.velocities, self.charges)

    def dipole(self) -> np.ndarray:
        """(F, 3) charge times unwrapped position, summed, from the first frame on, e Å: the integral of the current.

        Raises
        ------
        InputError
            Without positions.
        """
        return np.einsum("fic,i->fc", self.displacements(), self.charges)

    def displacements(self) -> np.ndarray:
        """(F, n, 3) displacement of each ion since the first frame, Å.

        Raises
        ------
        InputError
            Without positions.
        """
        if self.positions is None:
            raise InputError(f"{self.name} has no positions: displacements need them")
        return self.positions - self.positions[0]


def read_ions(
    trajectory: Trajectory,
    *,
    already_unwrapped: bool = False,
    heavy_hydrogen: bool = False,
    progress: bool = False,
) -> IonTrajectory:
    """Read the ions of a trajectory in one pass over its frames.

    Ions are all charged molecules, each represented by its centre of mass, relative to the centre of mass of the whole
    system.

    Parameters
    ----------
    trajectory
        At constant volume (:func:`electrolyte_ml.trajectories.open_trajectory`).
    already_unwrapped
        The positions in the file are unwrapped.
    heavy_hydrogen
        Read a run with heavy hydrogen, too: diffusion and conductivity depend on the masses of the dynamics.
    progress
        Show a progress bar.

    Returns
    -------
    IonTrajectory
        With velocities where the trajectory has them.

    Raises
    ------
    InputError
        One frame, unknown or unequal time steps, a cell that changes (in NPT the barostat moves the molecules, which is
        neither diffusion nor a current), frames too far apart to unwrap, charges that do not sum to zero, or no ions;
        heavy hydrogen, unless it is allowed.
    """
    from tqdm import tqdm

    if trajectory.hydrogen_mass is not None and not heavy_hydrogen:
        refuse_heavy_hydrogen(trajectory.name, trajectory.hydrogen_mass)
    step = trajectory.require_times()
    cell = trajectory.require_constant_cell()
    trajectory.require_neutral()
    ions = np.flatnonzero(trajectory.charges)
    if not ions.size:
        raise InputError(f"{trajectory.name} has no ions among {', '.join(trajectory.roles)}")
    weights = trajectory.molecule_weights()[ions]
    share = trajectory.masses / trajectory.masses.sum()
    positions = np.empty((trajectory.n_frames, len(ions), 3))
    velocities = np.empty_like(positions) if trajectory.has_velocities else None
    names = np.empty(trajectory.n_molecules, dtype=object)
    for name, species in trajectory.roles.items():
        names[species.molecules] = name
    with tqdm(total=trajectory.n_frames, desc=trajectory.name, unit="frame", disable=not progress, leave=False) as bar:
        done = 0
        streams = zip(trajectory.unwrapped(already=already_unwrapped), trajectory.chunks(), strict=True)
        for unwrapped, chunk in streams:
            for k, frame in enumerate(unwrapped):
                positions[done + k] = weights @ frame - share @ frame
                if velocities is not None and chunk.velocities is not None:
                    velocities[done + k] = weights @ chunk.velocities[k] - share @ chunk.velocities[k]
            done += len(unwrapped)
            bar.update(len(unwrapped))
    molecule_masses = np.bincount(trajectory.molecule, weights=trajectory.masses, minlength=trajectory.n_molecules)
    solvent = float(molecule_masses.sum() - molecule_masses[ions].sum())
    return IonTrajectory(
        timestep_ps=step,
        positions=positions,
        velocities=velocities,
        species=names[ions].astype(str),
        charges=trajectory.charges[ions].astype(float),
        masses=molecule_masses[ions],
        volume=float(abs(np.linalg.det(cell))),
        solvent_mass=solvent or None,
        hydrogen_mass=trajectory.hydrogen_mass,
        name=trajectory.name,
    )


def refuse_heavy_hydrogen(name: str, mass: float) -> NoReturn:
    """Refuse a run whose hydrogens have another mass (amu) than their own.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        f"{name}: its hydrogens have {mass:g} amu, which changes diffusion and conductivity: measure them in runs with "
        "the masses of the elements, or, once paired runs have agreed, allow it (heavy_hydrogen=True, --heavy-hydrogen)"
    )
