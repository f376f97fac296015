"""Force errors by element, by species and by site, a set of equivalent atoms of a molecule (paper, Figs. 4 and 5).

Molecules are found by their bonds, under any periodic boundary. A molecule that is neither in the library nor named by
the user may be broken, or two molecules that have fused: it is counted by its formula, and only the errors by element
include it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures import Molecule
from electrolyte_ml.structures.graphs import BondGraph, members
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.sites import site_names
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.training.predictions import predict

Site = tuple[str, str]  # name of the molecule, name of the site in it
_UNKNOWN: Site = ("", "")


@dataclass(frozen=True, eq=False)
class AtomGroups:
    """Element, species and site of each atom of a set of configurations.

    Attributes
    ----------
    elements : (n,) str
        Elements of all atoms, configuration by configuration.
    species, sites : (n,) str
        Name of the molecule and of the site in it, such as "EC" and "carbonyl C"; empty in unrecognised molecules.
    owners : (n,) int
        Index of the molecule of each atom, counted through all configurations.
    places : (n,) int
        Index of the corresponding atom in the library's molecule; -1 in unrecognised molecules.
    molecules : dict of str to int
        Number of recognised molecules by name, in all configurations together.
    unrecognised : dict of str to int
        Number of unrecognised molecules by Hill formula.
    affected : int
        Number of configurations with unrecognised molecules.
    """

    elements: np.ndarray
    species: np.ndarray
    sites: np.ndarray
    owners: np.ndarray
    places: np.ndarray
    molecules: Mapping[str, int]
    unrecognised: Mapping[str, int]
    affected: int


def group_atoms(configurations: Sequence[Atoms], own_molecules: Mapping[str, Molecule] | None = None) -> AtomGroups:
    """Find the molecules of configurations, and the species and site of each atom.

    Parameters
    ----------
    configurations
        Configurations with atoms in any order, wrapped or not.
    own_molecules
        Molecules by name that are recognised before those of the library.

    Raises
    ------
    InputError
        There are no configurations.
    """
    if not len(configurations):
        raise InputError("there are no configurations")
    finder = _SiteFinder({**MOLECULES, **(own_molecules or {})})
    sites: list[Site] = []
    owners, places, n_molecules = [], [], 0
    recognised: Counter[str] = Counter()
    others: Counter[str] = Counter()
    affected = 0
    for atoms in configurations:
        topology = Topology.of(atoms)
        known = topology.known(own_molecules)
        recognised.update(name for name in known if name)
        missing = [formula for formula, name in zip(topology.formulas, known) if not name]
        others.update(missing)
        affected += bool(missing)
        of_atoms, place = finder.sites(atoms.numbers, topology, known)
        sites += of_atoms
        places.append(place)
        owners.append(n_molecules + topology.labels)
        n_molecules += len(topology.formulas)
    return AtomGroups(
        np.concatenate([np.array(atoms.get_chemical_symbols()) for atoms in configurations]),
        np.array([species for species, _ in sites]),
        np.array([site for _, site in sites]),
        np.concatenate(owners),
        np.concatenate(places),
        dict(sorted(recognised.items())),
        dict(sorted(others.items())),
        affected,
    )


class _SiteFinder:
    """Finder of sites by comparison with molecules of the library, in any order of atoms."""

    def __init__(self, known: Mapping[str, Molecule]) -> None:
        self.known = known
        self._mappings: dict[tuple[str, bytes, bytes], np.ndarray] = {}
        self._names: dict[str, list[str]] = {}

    def sites(
        self, numbers: np.ndarray, topology: Topology, names: Sequence[str | None]
    ) -> tuple[list[Site], np.ndarray]:
        """Return each atom's site and corresponding atom in the library, given the name of each molecule."""
        sites = [_UNKNOWN] * len(numbers)
        atoms = np.full(len(numbers), -1)
        place = np.zeros(len(numbers), dtype=int)  # index of each atom in its molecule
        parts = members(topology.labels)
        for part in parts:
            place[part] = np.arange(len(part))
        # Sorted bonds: molecules with the same order of atoms are compared with the library only once.
        bonds = np.sort(topology.bonds, axis=1)
        bonds = bonds[np.lexsort((bonds[:, 1], bonds[:, 0], topology.labels[bonds[:, 0]]))]
        ends = np.cumsum(np.bincount(topology.labels[bonds[:, 0]], minlength=len(parts)))[:-1]
        for name, part, own in zip(names, parts, np.split(place[bonds], ends)):
            if name is not None:
                atoms[part] = self._mapping(name, numbers[part], own)
                for atom in part:
                    sites[atom] = (name, self._names[name][atoms[atom]])
        return sites, atoms

    def _mapping(self, name: str, numbers: np.ndarray, bonds: np.ndarray) -> np.ndarray:
        key = name, numbers.tobytes(), bonds.tobytes()
        if key not in self._mappings:
            molecule = self.known[name]
            mapping = BondGraph(numbers, bonds).mapping_to(molecule.graph)
            assert mapping is not None  # the molecule was recognised by this mapping
            self._mappings[key] = mapping
            self._names[name] = site_names(molecule.numbers, np.array(molecule.bonds))
        return self._mappings[key]


@dataclass(frozen=True)
class GroupError:
    """Force error of a group of atoms.

    Attributes
    ----------
    name : str
        Element, molecule, or site.
    species : str
        Molecule of a site; empty otherwise.
    atoms : int
        Number of atoms in all configurations together.
    rmse : float, eV/Å
        Root mean square error of the components of the force; the mean over an ensemble.
    spread : float, eV/Å
        Standard deviation over the ensemble, NaN for a single potential.
    size : float, eV/Å
        Root mean square of the components of the reference's forces, as a scale for the error.
    length : float, eV/Å
        Mean length of the error vector (the paper's measure in Fig. 4); the mean over an ensemble.
    length_spread : float, eV/Å
        Standard deviation of this length over the ensemble, NaN for a single potential.
    """

    name: str
    species: str
    atoms: int
    rmse: float
    spread: float
    size: float
    length: float
    length_spread: float


_KINDS = ("elements", "species", "sites")  # the tables of `GroupedErrors`


@dataclass(frozen=True)
class GroupedErrors:
    """Force errors by group; `str` gives tables.

    Attributes
    ----------
    elements, species, sites : tuple of GroupError
        Errors in alphabetical order, sites by molecule first.
    molecules, unrecognised, affected
        As in `AtomGroups`.
    configurations : int
    potentials : int
        1, or the size of the ensemble.
    """

    elements: tuple[GroupError, ...]
    species: tuple[GroupError, ...]
    sites: tuple[GroupError, ...]
    molecules: Mapping[str, int]
    unrecognised: Mapping[str, int]
    affected: int
    configurations: int
    potentials: int

    @property
    def lengths(self) -> dict[Site, float]:
        """Mean length of the force error by molecule and site, eV/Å, for drawings of molecules."""
        return {(row.species, row.name): row.length for row in self.sites}

    def to_dict(self) -> dict[str, Any]:
        """Return numbers and texts that JSON can hold: None in place of NaN."""
        rows = {
            kind: [{k: None if v != v else v for k, v in asdict(row).items()} for row in getattr(self, kind)]
            for kind in _KINDS
        }
        return rows | {
            "molecules": dict(self.molecules),
            "unrecognised": dict(self.unrecognised),
            "affected": self.affected,
            "configurations": self.configurations,
            "potentials": self.potentials,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GroupedErrors:
        """Return the errors that `to_dict` wrote."""

        def row(entries: dict[str, Any]) -> GroupError:
            numbers: dict[str, Any] = {k: float("nan") if v is None else v for k, v in entries.items()}
            return GroupError(**numbers)

        rows = {kind: tuple(row(entries) for entries in values[kind]) for kind in _KINDS}
        return cls(**{**values, **rows})

    @property
    def excluded(self) -> str:
        """Sentence about molecules left out of the errors by species and site; empty if there are none."""
        if not self.unrecognised:
            return ""
        text = ", ".join(f"{count} {formula}" for formula, count in self.unrecognised.items())
        return (
            f"left out of species and sites, as broken, fused or unknown molecules in {self.affected} of "
            f"{self.configurations} configurations: {text} (name your own molecules with --molecule NAME=SMILES)"
        )

    def __str__(self) -> str:
        over = f", mean ± standard deviation over {self.potentials} potentials" if self.potentials > 1 else ""
        lines = [f"force errors, eV/Å: RMSE of components{over}; rms force of the reference; number of atoms"]
        for title, rows in (("by element", self.elements), ("by species", self.species), ("by site", self.sites)):
            lines.append(f"  {title}")
            for row in rows:
                spread = f" ± {row.spread:.4f}" if row.spread == row.spread else ""
                name = f"{row.species:<8} {row.name}" if row.species else row.name
                lines.append(f"    {name:<34} {row.rmse:8.4f}{spread}  {row.size:8.3f}  {row.atoms:8d}")
        return "\n".join([*lines, *([self.excluded] if self.unrecognised else [])])


def group_errors(
    groups: AtomGroups, reference: np.ndarray, predicted: np.ndarray, configurations: int
) -> GroupedErrors:
    """Average force errors over groups of atoms.

    The forces may be total forces or their intra- or intermolecular parts.

    Parameters
    ----------
    groups
        Groups of the n atoms.
    reference
        (n, 3) forces of the reference, eV/Å.
    predicted
        (n, 3) forces of one potential, eV/Å, or (members, n, 3) of an ensemble.
    configurations
        Number of configurations, for the report.

    Raises
    ------
    InputError
        The shapes do not match, or forces are not finite.
    """
    forces = predicted[None] if predicted.ndim == 2 else predicted
    if reference.shape != (len(groups.elements), 3) or forces.shape[1:] != reference.shape:
        raise InputError(f"forces of shapes {reference.shape} and {predicted.shape} for {len(groups.elements)} atoms")
    if not (np.isfinite(forces).all() and np.isfinite(reference).all()):
        raise InputError("the forces are not all finite")
    squares = ((forces - reference) ** 2).mean(axis=2)  # (members, n)
    lengths = np.sqrt(3.0 * squares)  # (members, n)
    sizes = (reference**2).mean(axis=1)  # (n,)

    def table(keys: np.ndarray, names: Mapping[str, tuple[str, str]]) -> tuple[GroupError, ...]:
        rows = []
        for key, (species, name) in names.items():
            chosen = keys == key
            rmse = np.sqrt(squares[:, chosen].mean(axis=1))  # (members,)
            length = lengths[:, chosen].mean(axis=1)  # (members,)
            size = float(np.sqrt(sizes[chosen].mean()))
            rows.append(
                GroupError(
                    name, species, int(chosen.sum()), float(rmse.mean()), _spread(rmse), size, float(length.mean()),
                    _spread(length),
                )
            )  # fmt: skip
        return tuple(rows)

    sites = np.char.add(np.char.add(groups.species, "\t"), groups.sites)
    site_keys = {key: tuple(key.split("\t")) for key in np.unique(sites[groups.species != ""]).tolist()}
    return GroupedErrors(
        elements=table(groups.elements, {name: ("", name) for name in np.unique(groups.elements).tolist()}),
        species=table(groups.species, {name: ("", name) for name in np.unique(groups.species).tolist() if name}),
        sites=table(sites, {key: (species, name) for key, (species, name) in site_keys.items()}),
        molecules=groups.molecules,
        unrecognised=groups.unrecognised,
        affected=groups.affected,
        configurations=configurations,
        potentials=len(forces),
    )


def _spread(values: np.ndarray) -> float:
    """Return the standard deviation over an ensemble, NaN for one potential."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def errors_by_group(
    potentials: Potential | Sequence[Potential],
    configurations: Sequence[Atoms],
    own_molecules: Mapping[str, Molecule] | None = None,
) -> GroupedErrors:
    """Evaluate a potential or an ensemble, and average the force errors by element, species and site.

    Parameters
    ----------
    potentials
        One or several potentials.
    configurations
        Configurations with energies and forces.
    own_molecules
        Molecules by name that are recognised before those of the library.

    Raises
    ------
    InputError
        A configuration has no labels or does not fit a potential; the message names it.
    """
    ensemble = [potentials] if isinstance(potentials, Potential) else list(potentials)
    predictions = [predict(potential, configurations) for potential in ensemble]
    forces = np.array([prediction.forces for prediction in predictions])
    groups = group_atoms(configurations, own_molecules)
    return group_errors(groups, predictions[0].reference_forces, forces, len(configurations))
