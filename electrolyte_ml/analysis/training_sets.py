"""Solvation in a training set of several compositions, with configurations without ions or with broken molecules."""

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
        Solvation in the configurations that have a cation and only known molecules.
    configurations : int
        Number of configurations of the set.
    broken : int
        Number of configurations with broken or unknown molecules, which are left out.
    without_cation : int
        Number of other configurations without a cation, which are left out.
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
        Configurations of any compositions, with one kind of cation.
    cutoffs
        Å, by species. By default those of :func:`electrolyte_ml.structures.motifs.shell_radius`, because the radial
        distribution functions of a set with few configurations are noisy.
    own_molecules
        Molecules by name that are recognised before those of the library.

    Raises
    ------
    InputError
        No configuration of known molecules has a cation, there are several kinds of cation, or a cutoff is missing.
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
    """Return the largest shell radius of a cation over the donors of a ligand, Å."""
    elements = {ligand.symbols[atom] for atoms in ligand.donors.values() for atom in atoms}
    return max(shell_radius(cation, element) for element in elements)
