"""Energies and forces within molecules and between them (paper, section 2.2 and ref. 14).

The intramolecular energy of a configuration is the sum over its molecules, each alone in vacuum with its own charge and
its geometry in the liquid; the forces are those of these molecules, atom by atom. What remains of the total is
intermolecular. For a potential with charges the isolated molecule has the bare Coulomb sum. An ion of one atom has its
isolated energy within, and no force.

A configuration with a broken, fused or unknown molecule is counted and left out.
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
# eV per molecule: ions in a liquid attract each other by some 10 eV; more comes from labels of another reference.
_STRONGEST = 30.0


@dataclass(frozen=True, eq=False)
class Liquid:
    """Configurations and their molecules, each alone in vacuum.

    Attributes
    ----------
    configurations : list of Atoms
        Those whose molecules are all whole and known.
    molecules : list of Atoms
        Of all configurations in turn; ``info["charge"]`` is the charge of the molecule.
    atoms : (N,) int
        Atom of the configurations, counted through, that each atom of the molecules is.
    owners : (M,) int
        Configuration of each molecule.
    excluded : dict of str to int
        Molecules that are not known (broken, fused, or of another substance), by formula.
    affected : int
        Configurations that hold one of them, and are left out.
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
            With atoms in any order, wrapped or not.
        own_molecules
            Molecules by name that are recognised before those of the library.

        Raises
        ------
        InputError
            No configuration has known molecules only.
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
        """(K,) atoms of each configuration."""
        return np.array([len(atoms) for atoms in self.configurations])

    @property
    def starts(self) -> np.ndarray:
        """(K + 1,) first atom of each configuration, counted through, and the number of all atoms."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def counts(self) -> list[Counter[str]]:
        """Of each configuration, the number of its molecules by name."""
        found: list[Counter[str]] = [Counter() for _ in self.configurations]
        for molecule, owner in zip(self.molecules, self.owners, strict=True):
            found[owner][molecule.info["name"]] += 1
        return found

    @property
    def compositions(self) -> list[str]:
        """Of each configuration, the ratio of its molecules: "EC", "7EC:3EMC"."""
        return [_ratio(counts) for counts in self.counts]


def _ratio(counts: Mapping[str, int]) -> str:
    """Return numbers of molecules as a ratio in small numbers, the names in alphabetical order."""
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
        Likewise.
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
        """Split totals of the configurations, given energies (eV) and forces (n, 3) eV/Å of their molecules alone."""
        total, total_forces = np.array(energies), np.concatenate(forces)
        intra = np.bincount(liquid.owners, alone, minlength=len(total))
        intra_forces = np.empty_like(total_forces)
        intra_forces[liquid.atoms] = np.concatenate(alone_forces)
        return cls(
            dict(zip(PARTS, (total, intra, total - intra), strict=True)),
            dict(zip(PARTS, (total_forces, intra_forces, total_forces - intra_forces), strict=True)),
        )


def split_potential(liquid: Liquid, potential: Potential) -> Split:
    """Split what a potential gives.

    Parameters
    ----------
    liquid
    potential
        Of any model; one with charges sums them in an isolated molecule without a cell, at the molecule's own charge.
    """
    whole = [potential.evaluate(atoms) for atoms in liquid.configurations]
    alone = [potential.evaluate(atoms) for atoms in liquid.molecules]
    return Split.of(
        liquid,
        [one.energy for one in whole],
        [one.forces for one in whole],
        [one.energy for one in alone],
        [one.forces for one in alone],
    )


def split_reference(
    liquid: Liquid, reference: Reference, store: LabelStore, jobs: int | None = 1, progress: bool = True
) -> Split:
    """Split the labels of configurations, given the reference that labelled them, which labels the molecules too.

    Parameters
    ----------
    liquid
        Its configurations carry energies and forces.
    reference
        Takes the charges of the ions.
    store
        Keeps the labels of the molecules: what it has is not computed again.
    jobs, progress
        As for `LabelStore.label_all`.

    Raises
    ------
    InputError
        A configuration without labels, or with labels of another reference; a charge or an element that the reference
        cannot treat.
    LabelError
        The reference failed for a molecule.
    """
    for number, atoms in enumerate(liquid.configurations, start=1):
        if atoms.calc is None or not {"energy", "forces"} <= atoms.calc.results.keys():
            raise InputError(f"configuration {number}: it carries no energy and forces")
        named = atoms.info.get("reference")
        if named is not None and named != reference.name:
            raise InputError(
                f"configuration {number} was labelled by {named}, its molecules cannot be by {reference.name}"
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
            f"configuration {worst + 1}: {strength[worst]:.0f} eV per molecule between molecules; its labels are not "
            f"of the same reference and settings as those of the molecules ({reference.name})"
        )
    return split
