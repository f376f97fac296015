"""Molecules and conformers from SMILES and from MDL's ``.mol`` and ``.sdf`` files, by RDKit.

RDKit is installed by the extra `molecules`; it is imported on first use.

References
----------
S. Riniker, G. A. Landrum, J. Chem. Inf. Model. 55, 2562 (2015): ETKDG, the method for initial positions.
T. A. Halgren, J. Comput. Chem. 17, 490 (1996): MMFF94; A. K. Rappe et al., J. Am. Chem. Soc. 114, 10024 (1992): UFF.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import bonds as bonds_of_positions
from electrolyte_ml.structures.graphs import BondGraph
from electrolyte_ml.structures.molecules import Molecule, agreed_charge

if TYPE_CHECKING:
    from rdkit.Chem import Mol

INSTALL = "pip install '.[molecules]' in the source tree (or pip install rdkit)"
CONFORMERS = 20  # number of conformers tried for a molecule without a geometry
_SAME = 0.1  # Å, root mean square deviation below which two conformers are the same


@cache
def molecule_from_smiles(smiles: str) -> Molecule:
    """Return the molecule of a SMILES in the lowest conformer found with a force field.

    Parameters
    ----------
    smiles
        SMILES of one molecule or ion; hydrogens may be left out, as usual.

    Returns
    -------
    Molecule
        The name is the SMILES; atoms are in the order of the SMILES, hydrogens last.

    Raises
    ------
    InputError
        RDKit is missing, the SMILES cannot be read or describes several molecules, or no geometry is found.
    """
    mol = parse_smiles(smiles)
    field, positions = _embed(mol, CONFORMERS, seed=0, name=smiles)
    return Molecule(
        name=smiles,
        charge=formal_charge(mol),
        symbols=_symbols(mol),
        positions=positions[0],
        bonds=_bonds(mol),
        smiles=canonical_smiles(mol),
        geometry=f"lowest of {CONFORMERS} conformers, {field}" if mol.GetNumAtoms() > 1 else "",
    )


def conformers(molecule: Molecule, count: int, seed: int = 0) -> list[np.ndarray]:
    """Return geometries of a molecule in ascending order of their force field energies.

    Parameters
    ----------
    molecule
        Molecule with a SMILES.
    count
        Number of conformers to embed; repeated conformers and those with other bonds are left out.
    seed
        Seed of the embedding.

    Returns
    -------
    list of ndarray
        (N, 3) Å each, atoms in the order of the molecule.

    Raises
    ------
    InputError
        RDKit is missing, the SMILES is missing or describes another molecule, or no geometry is found.
    """
    if not molecule.smiles:
        raise InputError(f"{molecule.name} has no SMILES, which is needed to make conformers")
    mol = parse_smiles(molecule.smiles)
    order = molecule.graph.mapping_to(_graph(mol))
    if order is None:
        raise InputError(f"{molecule.name}: its SMILES {molecule.smiles} describes another molecule")
    return [positions[order] for positions in _embed(mol, count, seed, molecule.name)[1]]


def parse_smiles(smiles: str) -> Mol:
    """Return the RDKit molecule of a SMILES, with explicit hydrogens.

    Raises
    ------
    InputError
        As for :func:`molecule_from_smiles`.
    """
    chem = _rdkit().Chem
    with quiet():
        raw = chem.MolFromSmiles(smiles, sanitize=False)
        if raw is None or not smiles.strip():
            raise InputError(f"cannot read {smiles!r} as a SMILES")
        problems = [problem.Message() for problem in chem.DetectChemistryProblems(raw)]
        mol = None if problems else chem.MolFromSmiles(smiles)
    if mol is None:
        raise InputError(f"cannot read {smiles!r} as a SMILES: {'; '.join(problems) or 'no such molecule'}")
    for atom in mol.GetAtoms():
        if not atom.GetAtomicNum() or atom.GetIsotope():
            raise InputError(f"{smiles!r}: {atom.GetSmarts()} is not an element or is an isotope; use plain elements")
    return chem.AddHs(_one_molecule(mol, repr(smiles)))


def mol_of(molecule: Molecule) -> Mol:
    """Return the RDKit molecule of a `Molecule`, with the atoms in the same order.

    Bonds and charges come from the SMILES; without a SMILES, all bonds are single.

    Raises
    ------
    InputError
        RDKit is missing, or the SMILES describes another molecule.
    """
    chem = _rdkit().Chem
    if molecule.smiles:
        mol = parse_smiles(molecule.smiles)
        order = _graph(mol).mapping_to(molecule.graph)
        if order is None:
            raise InputError(f"{molecule.name}: its SMILES {molecule.smiles} describes another molecule")
        return chem.RenumberAtoms(mol, np.argsort(order).tolist())
    mol = chem.RWMol()
    for symbol in molecule.symbols:
        atom = chem.Atom(symbol)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in molecule.bonds:
        mol.AddBond(int(i), int(j), chem.BondType.SINGLE)
    mol.UpdatePropertyCache(strict=False)
    chem.FastFindRings(mol)
    return mol.GetMol()


def is_smiles(text: str) -> bool:
    """Return whether RDKit can read a text as a SMILES."""
    with quiet():
        return bool(text.strip()) and _rdkit().Chem.MolFromSmiles(text) is not None


def describes(smiles: str, molecule: Molecule) -> bool:
    """Return whether a SMILES agrees with a molecule in bonds and charge, and in stereochemistry if it states one.

    Raises
    ------
    InputError
        As for :func:`molecule_from_smiles`.
    """
    mol = parse_smiles(smiles)
    if formal_charge(mol) != molecule.charge or _graph(mol).mapping_to(molecule.graph) is None:
        return False
    written = canonical_smiles(mol)
    is_handed = written != canonical_smiles(mol, handed=False)
    return not is_handed or written == canonical_smiles(parse_smiles(molecule.smiles))


def canonical_smiles(mol: Mol, handed: bool = True) -> str:
    """Return RDKit's canonical SMILES of a molecule; `handed` includes the stereochemistry, if it is stated."""
    chem = _rdkit().Chem
    return str(chem.MolToSmiles(chem.RemoveHs(mol), isomericSmiles=handed))


def formal_charge(mol: Mol) -> int:
    """Return the sum of the formal charges, e."""
    return int(_rdkit().Chem.GetFormalCharge(mol))


def read_mdl(path: Path, charge: int | None) -> Molecule:
    """Read a ``.mol`` file, or an ``.sdf`` file of one molecule.

    Parameters
    ----------
    path
        File with all hydrogens, and positions in three dimensions.
    charge
        Total charge stated by the user, e; the sum of the formal charges must be the same.

    Raises
    ------
    InputError
        RDKit is missing, the file cannot be read, hydrogens or three-dimensional positions are missing, the file holds
        several molecules, or its charge differs.
    OSError
        The file cannot be opened.
    """
    chem = _rdkit().Chem
    path.read_bytes()  # an OSError names the file
    with quiet():
        found = list(chem.SDMolSupplier(str(path), removeHs=False))
    if len(found) != 1 or found[0] is None:
        problem = f"it holds {len(found)} molecules; give one" if len(found) > 1 else "RDKit cannot read it"
        raise InputError(f"{path}: {problem}")
    mol = _one_molecule(found[0], str(path))
    if any(atom.GetNumImplicitHs() for atom in mol.GetAtoms()):
        raise InputError(f"{path}: hydrogens are missing; add them, or give the SMILES")
    positions = np.array(mol.GetConformer().GetPositions())
    if not _shows_its_bonds(mol, positions):
        raise InputError(
            f"{path}: its positions do not agree with its bonds (a two-dimensional drawing?); give a geometry in "
            "three dimensions in Å, or the SMILES"
        )
    return Molecule(
        name=path.stem,
        charge=agreed_charge(charge, formal_charge(mol), str(path)),
        symbols=_symbols(mol),
        positions=positions,
        bonds=_bonds(mol),
        smiles=canonical_smiles(mol),
        geometry=f"as in {path.name}",
    )


def _one_molecule(mol: Mol, source: str) -> Mol:
    count = len(_rdkit().Chem.GetMolFrags(mol))
    if count != 1:
        raise InputError(f"{source} describes {count} molecules; give them one by one")
    return mol


def _embed(mol: Mol, count: int, seed: int, name: str) -> tuple[str, list[np.ndarray]]:
    """Return the name of the force field and the geometries (N, 3) Å, lowest energy first."""
    all_chem = _rdkit().Chem.AllChem
    if mol.GetNumAtoms() == 1:
        return "", [np.zeros((1, 3))]
    parameters = all_chem.ETKDGv3()
    parameters.randomSeed = seed + 1  # RDKit's seeds are positive
    parameters.pruneRmsThresh = _SAME
    with quiet():
        embedded = list(all_chem.EmbedMultipleConfs(mol, count, parameters))
        if not embedded:
            parameters.useRandomCoords = True
            embedded = list(all_chem.EmbedMultipleConfs(mol, count, parameters))
        if not embedded:
            raise InputError(f"{name}: RDKit finds no geometry")
        field, energies = _minimise(mol)
    found = [np.array(mol.GetConformer(k).GetPositions()) for k in embedded]
    good = [k for k in np.argsort(energies, kind="stable") if _shows_its_bonds(mol, found[k])]
    if not good:
        raise InputError(f"{name}: no geometry was found whose distances agree with the bonds of the molecule")
    return field, [found[k] for k in good]


def _minimise(mol: Mol) -> tuple[str, list[float]]:
    """Minimise all conformers by MMFF94, or by UFF if MMFF94 lacks parameters; return energies in kcal/mol.

    If both lack parameters, the embedded (ETKDG) geometries are kept, with energies of 0.
    """
    all_chem = _rdkit().Chem.AllChem
    if all_chem.MMFFHasAllMoleculeParams(mol):
        return "MMFF94", [energy for _, energy in all_chem.MMFFOptimizeMoleculeConfs(mol, maxIters=2000)]
    if all_chem.UFFHasAllMoleculeParams(mol):
        return "UFF", [energy for _, energy in all_chem.UFFOptimizeMoleculeConfs(mol, maxIters=2000)]
    return "ETKDG", [0.0] * mol.GetNumConformers()


def _shows_its_bonds(mol: Mol, positions: np.ndarray) -> bool:
    found = bonds_of_positions(Atoms(_symbols(mol), positions))
    return set(map(tuple, found.tolist())) == set(_bonds(mol))


def _graph(mol: Mol) -> BondGraph:
    return BondGraph(np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()]), np.array(_bonds(mol)))


def _symbols(mol: Mol) -> tuple[str, ...]:
    return tuple(atom.GetSymbol() for atom in mol.GetAtoms())


def _bonds(mol: Mol) -> tuple[tuple[int, int], ...]:
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    return tuple(sorted((min(pair), max(pair)) for pair in ends))


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress RDKit's messages to standard error."""
    block = _rdkit().rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


@cache
def rdkit_package(purpose: str) -> Any:
    """Import RDKit.

    Parameters
    ----------
    purpose
        Beginning of the error message, with the purpose of RDKit, such as "drawings of molecules need".

    Raises
    ------
    InputError
        RDKit is missing.
    """
    try:
        import rdkit.Chem.AllChem
        import rdkit.rdBase
    except ImportError as error:
        raise InputError(f"{purpose} RDKit, which is not installed: {INSTALL}") from error
    return rdkit


def _rdkit() -> Any:
    return rdkit_package("SMILES, .mol and .sdf need")
