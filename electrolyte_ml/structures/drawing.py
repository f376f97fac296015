"""Two-dimensional drawings of molecules: positions of the atoms and bond orders.

References
----------
RDKit, https://www.rdkit.org, computes the positions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.smiles import mol_of, quiet, rdkit_package


class Drawing(NamedTuple):
    """Two-dimensional drawing of a molecule.

    Attributes
    ----------
    positions
        (N, 2) centred positions; single bonds have a length of about 1.5, and the longest extent is along x.
    bonds
        (i, j, order) of each bond; the order is 1.5 in an aromatic ring.
    """

    positions: np.ndarray
    bonds: tuple[tuple[int, int, float], ...]


def draw(molecule: Molecule) -> Drawing:
    """Compute the drawing of a molecule with all hydrogens, by RDKit.

    Bond orders come from the SMILES of the molecule; without a SMILES, all bonds are single.

    Raises
    ------
    InputError
        RDKit is missing, or the SMILES describes another molecule.
    """
    package = rdkit_package("drawings of molecules need")
    with quiet():
        mol = mol_of(molecule)
        package.Chem.AllChem.Compute2DCoords(mol)
    positions = np.array(mol.GetConformer().GetPositions())[:, :2]
    positions -= positions.mean(axis=0)
    _, _, axes = np.linalg.svd(positions, full_matrices=False)
    bonds = tuple(
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), float(bond.GetBondTypeAsDouble())) for bond in mol.GetBonds()
    )
    return Drawing(positions @ axes.T, bonds)
