"""Ranks by species: how many of the parameters of each species a set of rows determines.

Each species has parameters of its own as a central atom: the derivatives of E_i by them are zero for all atoms of other
species. In a moment tensor potential of S species they are S R n radial coefficients and a shift, 144 + 1 at levels 10
and 12 with six species. If no row varies along a direction of these parameters, the fit leaves their random start along
it, and any neighbourhood that varies along it has a grade of about 1e6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.maxvol import maxvol

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

_SPACING = 2.3  # Å between the sites of the lattice
_DISORDER = 0.45  # Å, standard deviation of the displacements, for pairs from contact to beyond any cutoff
_ROWS = 1.5  # number of neighbourhoods of each species for each of its parameters


@dataclass(frozen=True)
class SpeciesBlocks:
    """Parameters that belong to the atoms of one species alone, for each species of a potential.

    Attributes
    ----------
    columns : dict of str to ndarray of int
        By species: indices of its parameters in the row dE/dtheta.
    attainable : dict of str to int
        By species: the rank of its columns over random neighbourhoods of all species. It is their number minus that of
        directions that no neighbourhood determines: with one species, whose columns are all parameters, scalings
        between the radial and the linear ones.
    """

    columns: dict[str, np.ndarray]
    attainable: dict[str, int]

    @classmethod
    def of(cls, potential: Potential) -> SpeciesBlocks:
        """Return the blocks, found from the derivatives of a disordered lattice of all species.

        Species without parameters of their own are left out. The ranks are the same for nearly all values of the
        parameters, such as the random start and the end of a fit.
        """
        own_columns = _columns(potential, _lattice(potential.species, 8))
        size = max((len(columns) for columns in own_columns.values()), default=0)
        lattice = _lattice(potential.species, int(_ROWS * size) + 1)
        rows, symbols = potential.site_energy_gradients(lattice), np.array(lattice.get_chemical_symbols())
        attainable = {name: rank(rows[symbols == name][:, columns]) for name, columns in own_columns.items()}
        return cls(own_columns, attainable)

    def ranks(self, rows: np.ndarray) -> dict[str, tuple[int, int]]:
        """Return the rank of rows dE/dtheta (n, m) in each species' columns, and the largest possible."""
        return {name: (rank(rows[:, columns]), self.attainable[name]) for name, columns in self.columns.items()}


def rank(rows: np.ndarray) -> int:
    """Return the number of rows that MaxVol selects: the rank, without variations below 1e-6 of a column's scale."""
    used = rows[np.any(rows != 0.0, axis=1)]
    return len(maxvol(used).selected) if len(used) else 0


def _columns(potential: Potential, atoms: Atoms) -> dict[str, np.ndarray]:
    rows, symbols = potential.site_energy_gradients(atoms), np.array(atoms.get_chemical_symbols())
    touched = np.array([np.any(rows[symbols == name] != 0.0, axis=0) for name in potential.species])  # (S, m)
    alone = {name: np.flatnonzero(touched[k] & (touched.sum(axis=0) == 1)) for k, name in enumerate(potential.species)}
    return {name: columns for name, columns in alone.items() if len(columns)}


def _lattice(species: Sequence[str], count: int) -> Atoms:
    """Return a disordered lattice with at least `count` atoms of each species in random places."""
    rng = np.random.default_rng(0)
    edge = int(np.ceil((count * len(species)) ** (1 / 3)))
    sites = np.stack(np.meshgrid(*[np.arange(edge)] * 3), axis=-1).reshape(-1, 3) * _SPACING
    symbols = rng.permutation(np.resize(species, len(sites)))
    shifts = np.clip(rng.normal(scale=_DISORDER, size=sites.shape), -_SPACING / 3, _SPACING / 3)
    return Atoms(symbols, sites + shifts, cell=[edge * _SPACING] * 3, pbc=True)
