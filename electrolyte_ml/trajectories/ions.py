"""Positions, velocities and charges of the ions of a trajectory, for transport properties."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
from ase.data.vdw import vdw_radii

from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.progress import progress_bar
from electrolyte_ml.trajectories.frames import VelocitySeries
from electrolyte_ml.trajectories.trajectory import Trajectory

_OVERLAP_OF_BOND = 5.92  # Å³, overlap of two bonded atoms (Zhao, Abraham, Zissimos, J. Org. Chem. 68, 7368, 2003)
_SAME_CHARGE = 0.02  # e, largest rounding of a sum of atomic charges
_FILLED = 0.5  # fraction of the cell filled by ions above which there may be no solvent; liquids fill about 0.6


@dataclass(frozen=True)
class IonTrajectory:
    """Ions of one trajectory at constant volume.

    An ion of several atoms is represented by its centre of mass. Its charge is its integer charge (section 4.6 of the
    paper), not the sum of the atomic charges of a force field or model, unless :meth:`with_charges` sets another one.

    Attributes
    ----------
    timestep_ps
        Time between frames.
    positions
        (F, n, 3) *unwrapped*, Å; None if only velocities are known.
    velocities
        (F, n, 3) Å/ps; None if the trajectory has none.
    species
        (n,) name of the species of each ion.
    charges, masses
        (n,) e; amu.
    volume
        Å³, the same in every frame, because displacements are not defined in a changing cell (NPT).
    cell
        (3, 3) Å, vectors as rows; None if only the volume is known.
    solvent_mass
        Mass of all molecules that are not ions, amu; None if it is not known: the solvent frame of reference is then
        undefined.
    hydrogen_mass
        Mass of the hydrogens in the dynamics, amu, if the run states that it is not the natural one.
    velocity_step_ps
        Time between frames of velocities, if it differs from that of positions.
    count_ps
        Length of one step counted by the file, ps, if it follows from a given time between frames.
    solvent_species
        (m,) name of the species of each solvent molecule; empty if the solvent was not read.
    solvent_positions
        (F, m, 3) *unwrapped* centres of mass of the solvent molecules, Å; None if the solvent was not read.
    missing
        "positions", "velocities" or "centre of mass" -> reason why they are not known. Without the centre of mass of
        the whole system, only the motion of the total charge is known, not that of single ions.
    name
        Name for messages.

    Raises
    ------
    InputError
        There are fewer than two frames, shapes disagree, values are not finite, the volume or a time step is not
        positive, the sum of the charges is not zero, or there are neither positions nor velocities.
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
    cell: np.ndarray | None = None
    velocity_step_ps: float | None = None
    count_ps: float | None = None
    solvent_species: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=str))
    solvent_positions: np.ndarray | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    name: str = "trajectory"

    def __post_init__(self) -> None:
        n = len(self.charges)
        if self.positions is None and self.velocities is None:
            raise InputError(f"{self.name} has neither positions nor velocities")
        if len(self.species) != n or len(self.masses) != n:
            raise InputError(f"{self.name}: {n} charges, {len(self.species)} species and {len(self.masses)} masses")
        if not self.timestep_ps > 0 or not self.volume > 0 or not (self.velocity_step_ps or 1.0) > 0:
            raise InputError(f"{self.name}: the time between frames and the volume must be positive")
        for what, values in (("positions", self.positions), ("velocities", self.velocities)):
            if values is None:
                continue
            if values.ndim != 3 or values.shape[1:] != (n, 3):
                raise InputError(f"{self.name}: {what} of {n} ions must be (frames, {n}, 3), not {values.shape}")
            if len(values) < 2:
                raise InputError(f"{self.name} has only one frame, without any motion")
            bad = ~np.isfinite(values).all(axis=(1, 2))
            if bad.any():
                raise InputError(f"{self.name}, frame {np.argmax(bad) + 1}: {what} are not finite")
        if abs(float(np.sum(self.charges))) > 1e-6:
            raise InputError(f"{self.name}: the charges of the ions sum to {np.sum(self.charges):g}, not 0")

    @property
    def frames(self) -> int:
        """Number of frames of the positions, or of the velocities without positions."""
        series = self.velocities if self.positions is None else self.positions
        assert series is not None  # checked in __post_init__
        return len(series)

    @property
    def time_ps(self) -> float:
        """Length of the trajectory, ps."""
        return (self.frames - 1) * self.timestep_ps

    @property
    def names(self) -> tuple[str, ...]:
        """Species in the order of their first occurrence."""
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
            raise InputError(f"{self.name}: the stride of frames must be 1 or more")
        if self.velocity_step_ps is not None:
            raise InputError(
                f"{self.name}: positions and velocities have different frames: choose frames when the file is opened"
            )
        return replace(
            self,
            timestep_ps=stride * self.timestep_ps,
            positions=None if self.positions is None else self.positions[frames],
            velocities=None if self.velocities is None else self.velocities[frames],
            solvent_positions=None if self.solvent_positions is None else self.solvent_positions[frames],
        )

    def with_charges(self, charges: Mapping[str, float]) -> IonTrajectory:
        """Return the same ions with other charges, such as the scaled ones of a force field.

        Parameters
        ----------
        charges
            Species -> charge of one ion, e. Charges of other species are not changed.

        Raises
        ------
        InputError
            A species is not one of the ions, or the sum of the charges is not zero.
        """
        _require_ions(self.name, self.names, charges)
        given = [charges.get(str(name), float(charge)) for name, charge in zip(self.species, self.charges)]
        return replace(self, charges=np.array(given))

    def current(self) -> np.ndarray:
        """Return the charge current J = sum q v, (F, 3) e Å/ps (eq. 14).

        Raises
        ------
        InputError
            There are no velocities.
        """
        if self.velocities is None:
            reason = f" ({self.missing['velocities']})" if "velocities" in self.missing else ""
            raise InputError(f"{self.name} has no velocities, which the Green-Kubo current needs{reason}")
        return np.einsum("fic,i->fc", self.velocities, self.charges)

    def dipole(self) -> np.ndarray:
        """Return the sum of charge times displacement since the first frame, (F, 3) e Å: the integral of the current.

        Raises
        ------
        InputError
            There are no positions.
        """
        return np.einsum("fic,i->fc", self._moved(), self.charges)

    def displacements(self) -> np.ndarray:
        """Return the displacement of each ion since the first frame, (F, n, 3) Å.

        Raises
        ------
        InputError
            There are no positions, or the centre of mass of the whole system is not known.
        """
        if "centre of mass" in self.missing:
            raise InputError(f"{self.name}: {self.missing['centre of mass']}")
        return self._moved()

    def solvent_displacements(self) -> np.ndarray:
        """Return the displacement of each solvent molecule since the first frame, (F, m, 3) Å.

        Raises
        ------
        InputError
            The solvent was not read.
        """
        if self.solvent_positions is None:
            raise InputError(f"{self.name}: the positions of the solvent were not read")
        return self.solvent_positions - self.solvent_positions[0]

    def _moved(self) -> np.ndarray:
        if self.positions is None:
            reason = f" ({self.missing['positions']})" if "positions" in self.missing else ""
            raise InputError(f"{self.name} has no positions, which displacements need{reason}")
        return self.positions - self.positions[0]


def read_ions(
    trajectory: Trajectory,
    *,
    already_unwrapped: bool = False,
    heavy_hydrogen: bool = False,
    solvents: bool = False,
    charges: Mapping[str, float] | None = None,
    progress: bool = False,
) -> IonTrajectory:
    """Read the ions of a trajectory in one pass over its frames.

    All charged molecules are ions. Each is represented by its centre of mass, relative to the centre of mass of the
    whole system.

    Parameters
    ----------
    trajectory
        Trajectory at constant volume (:func:`electrolyte_ml.trajectories.open_trajectory`).
    already_unwrapped
        Whether the positions in the file are unwrapped.
    heavy_hydrogen
        Allow a run with heavy hydrogen, although its masses change diffusion and conductivity.
    solvents
        Also read the centres of mass of the solvent molecules.
    charges
        Charges of ions that replace those of their species, as for :meth:`IonTrajectory.with_charges`.
    progress
        Show a progress bar.

    Returns
    -------
    IonTrajectory
        Ions, with velocities if the trajectory has them.

    Warns
    -----
    TrajectoryWarning
        The atomic charges in the file do not sum to the charges of the ions.

    Raises
    ------
    InputError
        There is only one frame, time steps are unknown or uneven, the cell changes (in NPT the barostat moves the
        molecules, which is neither diffusion nor a current), frames are too far apart to unwrap, the sum of the charges
        is not zero, there are no ions, `charges` names another species, or there is heavy hydrogen that is not allowed.
    """
    if trajectory.hydrogen_mass is not None and not heavy_hydrogen:
        refuse_heavy_hydrogen(trajectory.name, trajectory.hydrogen_mass)
    series = trajectory.velocity_series
    step = None if series is not None and series.alone else trajectory.require_times()
    cell = trajectory.require_constant_cell()
    ions = np.flatnonzero(trajectory.charges)
    if not ions.size:
        raise InputError(f"{trajectory.name} has no ions among {', '.join(trajectory.roles)}")
    ion_charges = _charges_of(trajectory, charges or {})
    weights = trajectory.molecule_weights()[ions]
    share = trajectory.masses / trajectory.masses.sum()
    others = np.flatnonzero(trajectory.charges == 0) if solvents else np.empty(0, dtype=int)
    other_weights = trajectory.molecule_weights()[others] if others.size else None
    positions: np.ndarray | None = None
    solvent_positions: np.ndarray | None = None
    velocities: np.ndarray | None = None
    velocity_step: float | None = None
    if step is not None:
        positions = np.empty((trajectory.n_frames, len(ions), 3))
        if others.size:
            solvent_positions = np.empty((trajectory.n_frames, len(others), 3))
        velocities = np.empty_like(positions) if trajectory.has_velocities and series is None else None
    names = np.empty(trajectory.n_molecules, dtype=object)
    for name, species in trajectory.roles.items():
        names[species.molecules] = name
    if positions is not None:
        streams = zip(trajectory.unwrapped(already=already_unwrapped), trajectory.chunks(), strict=True)
        done = 0
        with progress_bar(
            total=trajectory.n_frames, desc=trajectory.name, unit="frame", shown=progress, leave=False
        ) as bar:
            for unwrapped, chunk in streams:
                for k, frame in enumerate(unwrapped):
                    positions[done + k] = weights @ frame - share @ frame
                    if solvent_positions is not None:
                        solvent_positions[done + k] = other_weights @ frame - share @ frame
                    if velocities is not None and chunk.velocities is not None:
                        velocities[done + k] = weights @ chunk.velocities[k] - share @ chunk.velocities[k]
                done += len(unwrapped)
                bar.update(len(unwrapped))
        step = trajectory.require_times()  # all times have now been checked
    missing = {}
    if series is not None and velocities is None:
        velocity_step, velocities = _velocities_of(trajectory, series, weights, share)
    if velocities is None and "velocities" in trajectory.hints:
        missing["velocities"] = trajectory.hints["velocities"]
    if solvents and solvent_positions is None:
        raise InputError(f"{trajectory.name} has no solvent or no positions, which solvent diffusion needs")
    if positions is None:
        missing["positions"] = "the file contains only velocities"
    if (reason := _without_solvent(trajectory, cell, len(ions))) and positions is not None:
        missing["centre of mass"] = reason
    molecule_masses = np.bincount(trajectory.molecule, weights=trajectory.masses, minlength=trajectory.n_molecules)
    solvent = float(molecule_masses.sum() - molecule_masses[ions].sum())
    time_step = velocity_step if step is None else step
    if time_step is None:
        raise InputError(f"{trajectory.name} has neither positions nor velocities at known times")
    run = IonTrajectory(
        timestep_ps=time_step,
        positions=positions,
        velocities=velocities,
        species=names[ions].astype(str),
        charges=ion_charges[ions],
        masses=molecule_masses[ions],
        volume=float(abs(np.linalg.det(cell))),
        solvent_mass=solvent or None,
        hydrogen_mass=trajectory.hydrogen_mass,
        cell=cell,
        velocity_step_ps=velocity_step,
        count_ps=trajectory.ps_per_count,
        solvent_species=names[others].astype(str),
        solvent_positions=solvent_positions,
        missing=missing,
        name=trajectory.name,
    )
    _compare_charges(run, trajectory.stated_charges)
    return run


def _charges_of(trajectory: Trajectory, given: Mapping[str, float]) -> np.ndarray:
    """Return the charges of all molecules, (n_molecules,) e: those of their species unless others are given.

    Raises
    ------
    InputError
        A species is not one of the ions, or the sum of the charges is not zero.
    """
    charges = trajectory.charges.astype(float)
    ions = {name: species.molecules for name, species in trajectory.roles.items() if charges[species.molecules].any()}
    _require_ions(trajectory.name, ions, given)
    for name, charge in given.items():
        charges[ions[name]] = charge
    trajectory.require_neutral(charges)
    return charges


def _require_ions(name: str, ions: Collection[str], given: Collection[str]) -> None:
    """Raise the error for charges of species that are not among the ions."""
    if unknown := set(given) - set(ions):
        raise InputError(f"{name} has no ions {min(unknown)!r}; there are {', '.join(ions)}")


def _compare_charges(run: IonTrajectory, stated: Mapping[str, float]) -> None:
    """Warn if the charges of the ions are not the sums of their atomic charges in the file."""
    used = dict(zip(run.species.tolist(), run.charges.tolist()))
    unlike = {name: stated[name] for name in used if name in stated and abs(stated[name] - used[name]) > _SAME_CHARGE}
    if unlike:
        inside = ", ".join(f"{name} {charge:+.3g}" for name, charge in unlike.items())
        taken = ", ".join(f"{used[name]:+g}" for name in unlike)
        options = " ".join(f"{name}={charge:.3g}" for name, charge in unlike.items())
        warnings.warn(
            f"{run.name}: the charges of the atoms in the file sum to {inside} e, but the analysis takes {taken} e; "
            f"for those of the file: charges=, --charge {options}",
            TrajectoryWarning,
            stacklevel=3,
        )


def _velocities_of(
    trajectory: Trajectory, series: VelocitySeries, weights: Any, share: np.ndarray
) -> tuple[float | None, np.ndarray | None]:
    """Return the time between velocities, ps, and the velocities of the ions, (F, n, 3) Å/ps, during the run.

    Both are None if there are fewer than two frames of velocities.

    Raises
    ------
    InputError
        The velocities are not evenly spaced in time.
    """
    times = series.times_ps
    chosen = np.arange(len(times))
    if not series.alone:
        span = trajectory.times_ps[[0, -1]]
        chosen = np.flatnonzero((times >= span[0] - 1e-6) & (times <= span[1] + 1e-6))
    if len(chosen) < 2:
        return None, None
    steps = np.diff(times[chosen])
    step = float(steps.mean())
    if not step > 0 or np.abs(steps - step).max() > 2e-3 * step + 1e-6 * abs(times[-1]):
        raise InputError(f"{trajectory.name}: its velocities are not evenly spaced in time")
    values = [series.read(int(k)) for k in chosen]
    return step, np.stack([weights @ frame - share @ frame for frame in values])


def _without_solvent(trajectory: Trajectory, cell: np.ndarray, n_ions: int) -> str:
    """Return the reason why the centre of mass of the whole system is unknown; empty if it is known.

    If a file contains only ions, and the van der Waals volumes of their atoms fill less than half of the cell, the
    solvent is missing. Ionic liquids and molten salts fill more.
    """
    if n_ions < trajectory.n_molecules:
        return ""
    radii = vdw_radii[trajectory.numbers]
    filled = float((4.0 / 3.0 * np.pi * np.where(np.isfinite(radii), radii, 2.0) ** 3).sum())
    filled = (filled - _OVERLAP_OF_BOND * len(trajectory.bonds)) / float(abs(np.linalg.det(cell)))
    if filled > _FILLED:
        return ""
    return (
        f"the file contains only ions, which fill {filled:.0%} of the cell: the solvent is missing, so that the centre "
        "of mass of the whole system is unknown. Relative to that of the ions, their momenta sum to zero: diffusion "
        "coefficients would be too small, and transference numbers would be ratios of masses. Write all atoms, or use "
        "only the Green-Kubo and Einstein-Helfand conductivities, which do not depend on it"
    )


def refuse_heavy_hydrogen(name: str, mass: float) -> NoReturn:
    """Raise the error for a run with heavy hydrogens of a mass in amu.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        f"{name}: its hydrogens have {mass:g} amu, which changes diffusion and conductivity: use runs with the masses "
        "of the elements, or, if a test with both masses shows no difference, allow it (heavy_hydrogen=True, "
        "--heavy-hydrogen)"
    )
