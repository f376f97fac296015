"""Energies and forces within molecules and between them (paper, section 2.2 and ref. 14).

The intramolecular energy of a configuration is the sum over its molecules, each alone in vacuum with its own charge and
its geometry in the liquid; the intramolecular forces are those of these isolated molecules. The rest of the total is
intermolecular. A potential with charges computes the Coulomb energy of an isolated molecule without periodic images.
The intramolecular energy of an ion of one atom is its energy in vacuum, its intramolecular force is zero.

Configurations with broken, fused or unknown molecules are counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.reference import LabelError, LabelStore, Reference
from electrolyte_ml.structures import MOLECULES, Molecule, Topology
from electrolyte_ml.structures.graphs import members

PARTS = ("total", "intramolecular", "intermolecular")
# eV per molecule: ions in a liquid attract each other by about 10 eV; more means labels of different references.
_STRONGEST = 30.0


@dataclass(frozen=True, eq=False)
class Liquid:
    """Configurations and their molecules, each alone in vacuum.

    Attributes
    ----------
    configurations : list of Atoms
        Configurations whose molecules are all whole and known.
    molecules : list of Atoms
        Molecules of all configurations in turn; ``info["charge"]`` is the charge of the molecule.
    atoms : (N,) int
        For each atom of the molecules, its index among the atoms of all configurations.
    owners : (M,) int
        Configuration of each molecule.
    excluded : dict of str to int
        Number of unknown molecules (broken, fused, or of another substance), by formula.
    affected : int
        Number of configurations with unknown molecules, which are left out.
    """

    configurations: list[Atoms]
    molecules: list[Atoms]
    atoms: np.ndarray
    owners: np.ndarray
    excluded: Mapping[str, int]
    affected: int

    @classmethod
    def of(cls, configurations: Sequence[Atoms], own_molecules: Mapping[str, Molecule] | None = None) -> Liquid:
        """Find the molecules of configurations.

        Parameters
        ----------
        configurations
            Configurations with atoms in any order, wrapped or not.
        own_molecules
            Molecules by name that are recognised before those of the library.

        Raises
        ------
        InputError
            There is no configuration whose molecules are all known.
        """
        known = {**MOLECULES, **(own_molecules or {})}
        kept: list[Atoms] = []
        molecules: list[Atoms] = []
        numbers: list[np.ndarray] = []
        owners: list[int] = []
        excluded: Counter[str] = Counter()
        start = 0
        for atoms in configurations:
            topology = Topology.of(atoms)
            names = topology.known(own_molecules)
            missing = [formula for formula, name in zip(topology.formulas, names, strict=True) if name is None]
            excluded.update(missing)
            if missing:
                continue
            for name, part in zip(names, members(topology.labels), strict=True):
                assert name is not None  # nothing is missing
                charge = known[name].charge
                molecules.append(
                    Atoms(atoms.numbers[part], topology.unwrapped[part], info={"name": name, "charge": charge})
                )
                numbers.append(start + part)
                owners.append(len(kept))
            kept.append(atoms)
            start += len(atoms)
        if not kept:
            unknown = ", ".join(f"{count} {formula}" for formula, count in excluded.items())
            raise InputError(f"no configuration consists of whole, known molecules: {unknown or 'there is none'}")
        affected = len(configurations) - len(kept)
        return cls(kept, molecules, np.concatenate(numbers), np.array(owners), dict(excluded), affected)

    @property
    def sizes(self) -> np.ndarray:
        """Number of atoms of each configuration, (K,)."""
        return np.array([len(atoms) for atoms in self.configurations])

    @property
    def starts(self) -> np.ndarray:
        """Index of the first atom of each configuration among all atoms, and the number of all atoms, (K + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def counts(self) -> list[Counter[str]]:
        """Number of molecules by name, for each configuration."""
        counts: list[Counter[str]] = [Counter() for _ in self.configurations]
        for molecule, owner in zip(self.molecules, self.owners, strict=True):
            counts[owner][molecule.info["name"]] += 1
        return counts

    @property
    def compositions(self) -> list[str]:
        """Ratio of the molecules of each configuration, such as "EC" or "7EC:3EMC"."""
        return [_ratio(counts) for counts in self.counts]


def _ratio(counts: Mapping[str, int]) -> str:
    """Return numbers of molecules as a reduced ratio, with the names in alphabetical order."""
    divisor = gcd(*counts.values())
    if len(counts) == 1:
        return next(iter(counts))
    return ":".join(f"{counts[name] // divisor}{name}" for name in sorted(counts))


@dataclass(frozen=True, eq=False)
class Split:
    """Energies and forces of K configurations with N atoms in all, in total and within molecules.

    Attributes
    ----------
    energies : dict of str to (K,), eV
        "total", "intramolecular" and "intermolecular"; the last two sum to the first.
    forces : dict of str to (N, 3), eV/Å
        The same parts of the forces.
    """

    energies: Mapping[str, np.ndarray]
    forces: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        liquid: Liquid,
        energies: Sequence[float],
        forces: Sequence[np.ndarray],
        alone: Sequence[float],
        alone_forces: Sequence[np.ndarray],
    ) -> Split:
        """Split total energies (eV) and forces (n, 3) eV/Å of configurations, given those of their molecules alone."""
        total, total_forces = np.array(energies), np.concatenate(forces)
        intra = np.bincount(liquid.owners, alone, minlength=len(total))
        intra_forces = np.empty_like(total_forces)
        intra_forces[liquid.atoms] = np.concatenate(alone_forces)
        return cls(
            dict(zip(PARTS, (total, intra, total - intra), strict=True)),
            dict(zip(PARTS, (total_forces, intra_forces, total_forces - intra_forces), strict=True)),
        )


def split_potential(liquid: Liquid, potential: Potential) -> Split:
    """Split the energies and forces of a potential.

    Parameters
    ----------
    liquid
    potential
        Potential of any model. A model with charges treats an isolated molecule without a cell, at the molecule's own
        total charge.
    """
    whole = [potential.evaluate(atoms) for atoms in liquid.configurations]
    alone = [potential.evaluate(atoms) for atoms in liquid.molecules]
    return Split.of(
        liquid,
        [result.energy for result in whole],
        [result.forces for result in whole],
        [result.energy for result in alone],
        [result.forces for result in alone],
    )


def split_reference(
    liquid: Liquid, reference: Reference, store: LabelStore, jobs: int | None = 1, progress: bool = True
) -> Split:
    """Split the labels of configurations; the same reference labels the isolated molecules.

    Parameters
    ----------
    liquid
        Configurations with energies and forces, and their molecules.
    reference
        Reference of the labels; it must support the charges of the ions.
    store
        Store of the labels of the molecules; existing labels are not computed again.
    jobs, progress
        As for `LabelStore.label_all`.

    Raises
    ------
    InputError
        A configuration has no labels, or labels of another reference; or the reference cannot treat a charge or an
        element.
    LabelError
        The reference failed for a molecule.
    """
    for number, atoms in enumerate(liquid.configurations, start=1):
        if atoms.calc is None or not {"energy", "forces"} <= atoms.calc.results.keys():
            raise InputError(f"configuration {number}: it carries no energy and forces")
        named = atoms.info.get("reference")
        if named is not None and named != reference.name:
            raise InputError(
                f"configuration {number} was labelled by {named}; {reference.name} cannot label its molecules"
            )
    result = store.label_all(liquid.molecules, reference, jobs, progress)
    if result.failed:
        first = result.failed[0]
        name, owner = liquid.molecules[first.index].info["name"], liquid.owners[first.index]
        raise LabelError(f"{reference.name} failed for a molecule {name} of configuration {owner + 1}: {first.reason}")
    alone = [atoms for atoms in result.labelled if atoms is not None]
    split = Split.of(
        liquid,
        [atoms.get_potential_energy() for atoms in liquid.configurations],
        [atoms.get_forces() for atoms in liquid.configurations],
        [atoms.get_potential_energy() for atoms in alone],
        [atoms.get_forces() for atoms in alone],
    )
    strength = np.abs(split.energies["intermolecular"]) / np.bincount(liquid.owners)  # eV per molecule
    worst = int(strength.argmax())
    if strength[worst] > _STRONGEST:
        raise InputError(
            f"configuration {worst + 1}: an intermolecular energy of {strength[worst]:.0f} eV per molecule; its labels "
            f"are not of the same reference and settings as those of the molecules ({reference.name})"
        )
    return split
