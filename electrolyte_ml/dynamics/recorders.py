"""Recorders: writers of further files of a run, each adding a frame to its own file at a fixed interval.

Anything with `file` (its name), `every` (steps), `constant_volume`, ``header(atoms, settings)`` and
``frame(step, time_ps, atoms, results)`` is a recorder. The header is stored in a .json file of the same name. The atoms
have the masses of the dynamics; `results` is the same as for monitors. Files of recorders grow and resume as the
trajectory does. A recorder has no state that a resumed run would lack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from ase import Atoms, units

from electrolyte_ml.checks import whole
from electrolyte_ml.dynamics.trajectory import standard_rotation
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.interface import VOIGT
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories.ion_record import ION_FILE
from electrolyte_ml.trajectories.species import find_species
from electrolyte_ml.trajectories.stress_record import COMPONENTS, STRESS_FILE, encode_pressures
from electrolyte_ml.trajectories.trr import encode


class Recorder(Protocol):
    """Interface of the recorders of :func:`electrolyte_ml.dynamics.run_md`."""

    file: str
    every: int
    constant_volume: bool  # whether the record has a meaning only at constant volume

    def header(self, atoms: Atoms, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts needed to read the file, as plain numbers and strings."""

    def frame(self, step: int, time_ps: float, atoms: Atoms, results: Mapping[str, Any]) -> bytes:
        """Return the bytes added to the file at a step, always of the same length."""


class IonRecorder:
    """Write positions and velocities of the ions' centres of mass and of the whole system's.

    The file, ``ions.trr``, holds one particle for each charged molecule, and last the centre of mass of all atoms, the
    origin of currents and displacements. A frame of four ion pairs takes 300 bytes, whatever the number of solvent
    molecules. :func:`electrolyte_ml.trajectories.read_ion_record` reads the file.

    Parameters
    ----------
    atoms
        The start of the run.
    every
        Steps between two frames.
    own_molecules
        Molecules by name, with precedence over those of the library.

    Attributes
    ----------
    charges : list of float
        Charge of each ion, e.

    Raises
    ------
    InputError
        A molecule is not known, or there are no ions.
    """

    file = ION_FILE
    constant_volume = True

    def __init__(self, atoms: Atoms, every: int, own_molecules: Mapping[str, Molecule] | None = None) -> None:
        self.every = whole("the interval of the ions (steps)", every)
        topology = Topology.of(atoms)
        species = find_species(atoms.numbers, topology.bonds, topology.labels, own_molecules=own_molecules)
        charged = {name: kind for name, kind in species.items() if kind.charge}
        if not charged:
            raise InputError(f"no ions to record: none of {', '.join(species)} is charged")
        self._species = [name for name, kind in charged.items() for _ in kind.molecules]
        self.charges = [kind.charge for kind in charged.values() for _ in kind.molecules]
        self._ions = [atoms_of for kind in charged.values() for atoms_of in kind.atoms]
        # A run never wraps positions: molecules that are whole at the start stay whole.
        self._shift = topology.unwrapped - atoms.positions  # (N, 3) Å
        self._rotation = standard_rotation(atoms)
        self._shares: np.ndarray | None = None

    def header(self, atoms: Atoms, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return species, charges (e) and masses (amu) of the ions, the solvent's mass, volume and interval."""
        masses = atoms.get_masses()
        ion_masses = [float(masses[ion].sum()) for ion in self._ions]
        return {
            "species": self._species,
            "charges": self.charges,
            "masses": ion_masses,
            "solvent_mass": float(masses.sum()) - sum(ion_masses),
            "volume": float(atoms.cell.volume),
            "interval_ps": self.every * settings["timestep_fs"] / 1000.0,
        }

    def frame(self, step: int, time_ps: float, atoms: Atoms, results: Mapping[str, Any]) -> bytes:
        """Return a .trr frame of the ions and the centre of mass."""
        if self._shares is None:
            self._shares = self._mass_shares(atoms.get_masses())
        positions = self._shares @ (atoms.positions + self._shift)
        velocities = self._shares @ atoms.get_velocities() * (1000.0 * units.fs)
        rotation = self._rotation
        return encode(positions @ rotation, velocities @ rotation, atoms.cell.array @ rotation, step, time_ps)

    def _mass_shares(self, masses: np.ndarray) -> np.ndarray:
        """Return the share of each atom in the mass of each ion and, in the last row, in the total mass, (n + 1, N)."""
        shares = np.zeros((len(self._ions) + 1, len(masses)))
        for row, ion in zip(shares, self._ions):
            row[ion] = masses[ion] / masses[ion].sum()
        shares[-1] = masses / masses.sum()
        return shares


class StressRecorder:
    """Write the pressure tensor, kinetic part included, for the viscosity.

    Bonds with hydrogen have a period of 11 fs: frames should be at most 6 fs apart.
    :func:`electrolyte_ml.trajectories.read_stress_record` reads the file, ``pressure.f4``.

    Parameters
    ----------
    every
        Steps between two frames.
    """

    file = STRESS_FILE
    constant_volume = True

    def __init__(self, every: int) -> None:
        self.every = whole("the interval of the pressure (steps)", every)

    def header(self, atoms: Atoms, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return volume, interval and components."""
        return {
            "volume": float(atoms.cell.volume),
            "interval_ps": self.every * settings["timestep_fs"] / 1000.0,
            "components": list(COMPONENTS),
        }

    def frame(self, step: int, time_ps: float, atoms: Atoms, results: Mapping[str, Any]) -> bytes:
        """Return the pressure tensor, six components in bar; the mean of its diagonal is the pressure of the log.

        The kinetic energy at full steps lacks a part of that of fast vibrations; the pressure of the log contains it.

        Raises
        ------
        InputError
            The calculator has no stress.
        """
        if results["stress"] is None:
            raise InputError("the viscosity needs a stress, and the calculator has none")
        momenta = atoms.arrays["momenta"]
        kinetic = momenta.T @ (momenta / atoms.get_masses()[:, None]) / atoms.cell.volume  # (3, 3) eV/Å³
        pressures = (kinetic[VOIGT] - results["stress"]) / units.bar
        pressures[:3] += results["pressure"] - pressures[:3].mean()
        return encode_pressures(pressures)
