"""Plane drawings of molecules: where chemists put the atoms, and which bonds are double.

References
----------
RDKit, https://www.rdkit.org, lays the atoms out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.smiles import mol_of, quiet, rdkit_package


class Drawing(NamedTuple):
    """A molecule in a plane.

    Attributes
    ----------
    positions
        (N, 2) of each atom, centred; single bonds are about 1.5 long, and the longest extent lies along x.
    bonds
        (i, j, order) of each bond; the order is 1.5 in an aromatic ring.
    """

    positions: np.ndarray
    bonds: tuple[tuple[int, int, float], ...]


def draw(molecule: Molecule) -> Drawing:
    """Lay a molecule out in a plane, all hydrogens drawn, by RDKit.

    Bonds are those of the molecule's SMILES; all are single in one that has none.

    Raises
    ------
    InputError
        RDKit is missing, or the molecule's SMILES is of another molecule.
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
