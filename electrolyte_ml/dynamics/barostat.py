"""Constant pressure for multiple time steps: a cell that changes moves whole molecules, not single atoms.

With single steps the cell changes in every step and moves all atoms, which also stretches the bonds. The pressure of
the atoms contains the forces of the bonds and changes within femtoseconds, too fast for a cell that changes once in
many steps. The pressure of the molecules does not contain these forces, and both pressures have the same average.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.dynamics import GIVEN, Ensemble, Particles, factor_of_cell, growth_of_length
from electrolyte_ml.structures.topology import Topology


class MolecularBarostat:
    """Stochastic cell rescaling that moves each molecule as a whole.

    The lengths of the cell change as with single steps, see `factor_of_cell` and `growth_of_length` in
    :mod:`electrolyte_ml.kernels.dynamics`, but by the pressure of the molecules. It has the kinetic energy of their
    centres of mass, and their virial, which is W - sum_i (r_i - R_i) F_i with the virial W of the atoms and the centre
    of mass R_i of the molecule of atom i. The centres of mass are scaled like the cell, and their velocities by the
    inverse factor. Distances and relative velocities within molecules do not change.

    Parameters
    ----------
    atoms : ase.Atoms
        Start of the run, periodic, with the masses of the run. Its molecules are found by bond lengths.

    Raises
    ------
    InputError
        A molecule is bonded to its own periodic image and has no centre of mass.

    References
    ----------
    Bernetti, Bussi, J. Chem. Phys. 153, 114107 (2020); Del Tatto, Raiteri, Bernetti, Bussi, Appl. Sci. 12, 1139 (2022).
    """

    def __init__(self, atoms: Atoms) -> None:
        topology = Topology.of(atoms)
        if topology.endless.any():
            molecule = int(topology.endless.argmax())
            atom = topology.place(int(np.flatnonzero(topology.labels == molecule)[0]))
            raise InputError(
                f"multiple time steps at constant pressure move molecules as wholes: {atom} is bonded to its own "
                "periodic image; use single steps"
            )
        self.labels = topology.labels
        # Cell vectors from each atom to its place in the unbroken molecule. Atoms are not wrapped during a run, so
        # that these numbers do not change.
        self.images = np.rint((topology.unwrapped - atoms.positions) @ np.linalg.inv(atoms.cell.array))
        masses = atoms.get_masses()
        self.shares = masses / np.bincount(self.labels, masses)[self.labels]  # of the mass of the molecule
        self.mass = np.bincount(self.labels, masses)

    def centres(self, particles: Particles) -> np.ndarray:
        """Return the centres of mass (N, 3) Å of the unbroken molecules of all atoms."""
        whole = particles.positions + self.images @ particles.cell
        return self._sums(self.shares[:, None] * whole)[self.labels]

    def pressures(self, particles: Particles, kT: float) -> np.ndarray:
        """Return the pressure (3,) eV/Å^3 of the molecules along x, y and z.

        The centre of mass of the system is at rest; its contribution kT / V is added.
        """
        momenta = self._sums(particles.momenta)
        within = particles.positions + self.images @ particles.cell - self.centres(particles)
        # The virial here is the derivative of the energy with respect to the strain, hence minus the usual one.
        virial = np.diag(particles.virial) + np.sum(within * particles.forces, axis=0)
        twice = np.sum(momenta * momenta / self.mass[:, None], axis=0)
        return (twice + kT - virial) / abs(np.linalg.det(particles.cell))

    def change(self, ensemble: Ensemble, normals: np.ndarray, particles: Particles) -> np.ndarray:
        """Change the cell once, and the molecules with it; the change of the kinetic energy is added to GIVEN.

        Parameters
        ----------
        ensemble
            Its time step is the time since the last change.
        normals : (3,)
            Normal random numbers.
        particles
            With forces and virial of their positions.

        Returns
        -------
        (3,) ndarray
            Factors of the three lengths.
        """
        pressures = self.pressures(particles, ensemble.kT)
        volume = abs(np.linalg.det(particles.cell))
        if ensemble.anisotropic:
            along = zip(pressures, normals, strict=True)
            factors = np.exp([growth_of_length(ensemble, pressure, volume, normal) for pressure, normal in along])
        else:
            factors = np.full(3, factor_of_cell(ensemble, pressures.mean(), volume, normals[0]))
        self.scale(factors, particles)
        return factors

    def scale(self, factors: np.ndarray, particles: Particles) -> None:
        """Scale the cell and the centres of mass by factors (3,), and add the change of the kinetic energy to GIVEN."""
        momenta = self._sums(particles.momenta)
        # A molecule moves with its centre of mass; an atom in another image of the cell moves with that image, too.
        moves = self.centres(particles) - self.images @ particles.cell
        particles.positions[:] += (factors - 1.0) * moves
        particles.cell[:] *= factors
        particles.momenta[:] += (1.0 / factors - 1.0) * self.shares[:, None] * momenta[self.labels]
        twice = np.sum(momenta * momenta / self.mass[:, None], axis=0)
        particles.scalars[GIVEN] += 0.5 * np.sum((1.0 / factors**2 - 1.0) * twice)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the atoms of each molecule, (n_molecules, 3)."""
        return np.stack([np.bincount(self.labels, column) for column in values.T], axis=1)
