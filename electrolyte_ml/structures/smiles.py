"""Molecules from SMILES and from MDL's ``.mol`` and ``.sdf`` files, and their conformers, by RDKit.

RDKit is the extra `molecules`; it is imported on first use.

References
----------
S. Riniker, G. A. Landrum, J. Chem. Inf. Model. 55, 2562 (2015): ETKDG, which places the atoms.
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

INSTALL = "pip install 'electrolyte-ml[molecules]' (or pip install rdkit)"
CONFORMERS = 20  # tried for a molecule without a geometry of its own
_SAME = 0.1  # Å, root mean square: conformers that are closer count once


@cache
def molecule_from_smiles(smiles: str) -> Molecule:
    """Return the molecule of a SMILES at the lowest conformer found with a force field.

    Parameters
    ----------
    smiles
        Of one molecule or ion; hydrogens may be left out, as usual.

    Returns
    -------
    Molecule
        Its name is the SMILES; atoms in the order of the SMILES, the hydrogens last.

    Raises
    ------
    InputError
        RDKit is missing, the SMILES cannot be read or is of several molecules, or no geometry was found.
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
    """Return geometries of a molecule, the lowest by a force field first.

    Parameters
    ----------
    molecule
        With its SMILES.
    count
        How many to embed; those that are alike, or that have lost a bond, are left out.
    seed
        Of the embedding.

    Returns
    -------
    list of ndarray
        (N, 3) Å each, atoms in the order of the molecule.

    Raises
    ------
    InputError
        RDKit is missing, the molecule has no SMILES or one of another molecule, or no geometry was found.
    """
    if not molecule.smiles:
        raise InputError(f"{molecule.name} has no SMILES, which its conformers are made from")
    mol = parse_smiles(molecule.smiles)
    order = molecule.graph.mapping_to(_graph(mol))
    if order is None:
        raise InputError(f"{molecule.name}: its SMILES {molecule.smiles} is of another molecule")
    return [positions[order] for positions in _embed(mol, count, seed, molecule.name)[1]]


def parse_smiles(smiles: str) -> Mol:
    """Return RDKit's molecule with explicit hydrogens.

    Raises
    ------
    InputError
        As :func:`molecule_from_smiles`.
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
            raise InputError(f"{smiles!r}: {atom.GetSmarts()} is no element, or an isotope; neither can be simulated")
    return chem.AddHs(_one_molecule(mol, repr(smiles)))


def mol_of(molecule: Molecule) -> Mol:
    """Return RDKit's molecule with the atoms in the order of ours.

    Bonds and charges are those of its SMILES; without one, all bonds are single.

    Raises
    ------
    InputError
        RDKit is missing, or the SMILES is of another molecule.
    """
    chem = _rdkit().Chem
    if molecule.smiles:
        mol = parse_smiles(molecule.smiles)
        order = _graph(mol).mapping_to(molecule.graph)
        if order is None:
            raise InputError(f"{molecule.name}: its SMILES {molecule.smiles} is of another molecule")
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
    """Whether RDKit reads a text as a SMILES."""
    with quiet():
        return bool(text.strip()) and _rdkit().Chem.MolFromSmiles(text) is not None


def describes(smiles: str, molecule: Molecule) -> bool:
    """Whether a SMILES is of this molecule: its bonds and charge, and its handedness where the SMILES gives one.

    Raises
    ------
    InputError
        As :func:`molecule_from_smiles`.
    """
    mol = parse_smiles(smiles)
    if formal_charge(mol) != molecule.charge or _graph(mol).mapping_to(molecule.graph) is None:
        return False
    written = canonical_smiles(mol)
    is_handed = written != canonical_smiles(mol, handed=False)
    return not is_handed or written == canonical_smiles(parse_smiles(molecule.smiles))


def canonical_smiles(mol: Mol, handed: bool = True) -> str:
    """Return RDKit's SMILES, the same for every way to write a molecule, with its handedness where that is given."""
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
        The file; all hydrogens are in it, and positions in three dimensions.
    charge
        Stated by the user, e; the sum of the formal charges must be the same.

    Raises
    ------
    InputError
        RDKit is missing, the file cannot be read, lacks hydrogens or three dimensions, holds several molecules, or has
        another charge.
    OSError
        The file cannot be opened.
    """
    chem = _rdkit().Chem
    path.read_bytes()  # an OSError names the file
    with quiet():
        found = list(chem.SDMolSupplier(str(path), removeHs=False))
    if len(found) != 1 or found[0] is None:
        what = f"{len(found)} molecules in it; give one" if len(found) > 1 else "RDKit cannot read it"
        raise InputError(f"{path}: {what}")
    mol = _one_molecule(found[0], str(path))
    if any(atom.GetNumImplicitHs() for atom in mol.GetAtoms()):
        raise InputError(f"{path}: hydrogens are missing; add them, or give the SMILES")
    positions = np.array(mol.GetConformer().GetPositions())
    if not _shows_its_bonds(mol, positions):
        raise InputError(
            f"{path}: its positions are not those of its bonds (a drawing in two dimensions?); give a geometry in "
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
        raise InputError(f"{source} is of {count} molecules; give each of them on its own")
    return mol


def _embed(mol: Mol, count: int, seed: int, name: str) -> tuple[str, list[np.ndarray]]:
    """Return the force field and the geometries (N, 3) Å, lowest first."""
    all_chem = _rdkit().Chem.AllChem
    if mol.GetNumAtoms() == 1:
        return "", [np.zeros((1, 3))]
    parameters = all_chem.ETKDGv3()
    parameters.randomSeed = seed + 1  # 0 and below are not seeds
    parameters.pruneRmsThresh = _SAME
    with quiet():
        embedded = list(all_chem.EmbedMultipleConfs(mol, count, parameters))
        if not embedded:
            parameters.useRandomCoords = True
            embedded = list(all_chem.EmbedMultipleConfs(mol, count, parameters))
        if not embedded:
            raise InputError(f"{name}: RDKit finds no geometry for it")
        field, energies = _minimise(mol)
    found = [np.array(mol.GetConformer(k).GetPositions()) for k in embedded]
    good = [k for k in np.argsort(energies, kind="stable") if _shows_its_bonds(mol, found[k])]
    if not good:
        raise InputError(f"{name}: no geometry was found in which exactly its bonded atoms are near each other")
    return field, [found[k] for k in good]


def _minimise(mol: Mol) -> tuple[str, list[float]]:
    """Minimise all conformers by MMFF94, or by UFF where that lacks parameters; return energies in kcal/mol."""
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
    """Keep RDKit's messages from standard error."""
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
        What needs it, as the beginning of the message where it is missing, such as "drawings of molecules need".

    Raises
    ------
    InputError
        It is missing.
    """
    try:
        import rdkit.Chem.AllChem
        import rdkit.rdBase
    except ImportError as error:
        raise InputError(f"{purpose} RDKit, which is not here: {INSTALL}") from error
    return rdkit


def _rdkit() -> Any:
    return rdkit_package("SMILES, .mol and .sdf need")
