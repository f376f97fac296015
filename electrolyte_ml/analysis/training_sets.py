"""Solvation in a training set: configurations of several compositions, some without ions or with broken molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms

from electrolyte_ml.analysis.solvation import Solvation, analyse_solvation
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Molecule, Topology
from electrolyte_ml.structures.motifs import shell_radius
from electrolyte_ml.trajectories import open_trajectory


@dataclass(frozen=True, eq=False)
class SetSolvation:
    """Shells and ion pairs of the configurations of a set.

    Attributes
    ----------
    solvation : Solvation
        Of all whole configurations with a cation.
    configurations : int
        Of the set.
    broken : int
        Of these, configurations with broken or unknown molecules, which are left out.
    without_cation : int
        Of these, whole configurations without a cation.
    """

    solvation: Solvation
    configurations: int
    broken: int
    without_cation: int

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as values that JSON can hold."""
        return {
            "configurations": self.configurations,
            "broken": self.broken,
            "without_cation": self.without_cation,
        }

    def __str__(self) -> str:
        return (
            f"{self.configurations} configurations, {self.broken} with broken or unknown molecules, "
            f"{self.without_cation} without a cation\n{self.solvation}"
        )


def analyse_set(
    configurations: Sequence[Atoms],
    *,
    cutoffs: Mapping[str, float] | None = None,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> SetSolvation:
    """Analyse the solvation of the cation in a set of configurations.

    Parameters
    ----------
    configurations
        Of any compositions, with one kind of cation.
    cutoffs
        Å, by species. By default those of :func:`electrolyte_ml.structures.motifs.shell_radius`: the configurations of
        a set are few and alike, and their radial distribution functions noisy.
    own_molecules
        Molecules by name that come before those of the library.

    Raises
    ------
    InputError
        No whole configuration has a cation, there are several kinds of cation, or a cutoff is missing.
    """
    known = {**MOLECULES, **(own_molecules or {})}
    groups: dict[tuple[object, ...], list[Atoms]] = {}
    broken = without = 0
    cations: set[str] = set()
    species: set[str] = set()
    for atoms in configurations:
        topology = Topology.of(atoms)
        names = topology.known(own_molecules)
        whole = [name for name in names if name is not None]
        ions = {name for name in whole if known[name].role == "cation"}
        if len(whole) < len(names):
            broken += 1
        elif not ions:
            without += 1
        else:
            key = atoms.numbers.tobytes(), topology.labels.tobytes(), tuple(names)
            groups.setdefault(key, []).append(atoms)
            cations |= ions
            species |= set(whole)
    if len(cations) != 1:
        raise InputError(
            f"the set has cations of several kinds: {', '.join(sorted(cations))}"
            if cations
            else "no whole configuration of the set has a cation"
        )
    if cutoffs is None:
        symbol = known[cations.pop()].symbols[0]
        cutoffs = {name: _cutoff(symbol, known[name]) for name in species if known[name].donors}
    runs = [open_trajectory(group, own_molecules=own_molecules) for group in groups.values()]
    return SetSolvation(analyse_solvation(runs, cutoffs=cutoffs, mixed=True), len(configurations), broken, without)


def _cutoff(cation: str, ligand: Molecule) -> float:
    """Return where the shell of a cation ends for the donors of a ligand, the largest of theirs, Å."""
    elements = {ligand.symbols[atom] for atoms in ligand.donors.values() for atom in atoms}
    return max(shell_radius(cation, element) for element in elements)
