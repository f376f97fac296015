"""Training set: labels of configurations, and the training term of a potential for them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.interface import VOIGT, TrainingTerm
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures.ions import check_stated_charge
from electrolyte_ml.training.weights import configuration_weights

if TYPE_CHECKING:
    from ase import Atoms


class TrainingSet:
    """Labelled configurations, and the training term of a potential for them.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
        Configurations with energies, forces and, optionally, stresses in the results of their calculators. Each needs
        energy or forces; missing labels do not contribute to the loss.
    potential : Potential
        Potential that determines species and cutoff.

    Attributes
    ----------
    term : TrainingTerm
        Term that predicts energies, forces and virials of all configurations.
    sizes : (K,) int64
        Number of atoms in each configuration.
    first : (K + 1,) int64
        First atom of each configuration, and the total number of atoms N.
    species : (N,) int64
    counts : (K, S) float64
        Number of atoms of each species.
    volumes : (K,) Å^3
        NaN without a periodic cell.
    energies, forces, virials : (K,) eV, (N, 3) eV/Å, (K, 3, 3) eV
        Labels, NaN for missing ones.
    weights : (K, 3) float64
        Factors of the energy, the forces and the stress of each configuration, see `configuration_weights`.
    isolated : (n,) int64
        Configurations of a single atom without neighbours, with an energy whose weight is not zero.
    digest : (K,) tuple of bytes
        Hash of each configuration.

    Raises
    ------
    InputError
        A configuration has no labels, labels that are not finite or have a wrong shape, unknown species, overlapping
        atoms, or a weight that is not a number from 0 on. The message names the configuration, counted from 1.
    """

    def __init__(self, configurations: Sequence[Atoms], potential: Potential) -> None:
        if len(configurations) == 0:
            raise InputError("no configurations to train on")
        geometries, labels, weights = [], [], []
        for number, atoms in enumerate(configurations, start=1):
            try:
                geometries.append(potential.geometry(atoms))
                labels.append(_labels(atoms))
                weights.append(configuration_weights(atoms))
                if potential.uses_charge:
                    check_stated_charge(atoms)
            except InputError as error:
                raise InputError(f"configuration {number}: {error}") from None
        self.term: TrainingTerm = potential.prepare(geometries)
        self.sizes = np.array([geometry.n_atoms for geometry in geometries])
        self.first = np.concatenate([[0], np.cumsum(self.sizes)])
        self.species = np.concatenate([geometry.system.species for geometry in geometries])
        self.counts = np.array(
            [np.bincount(geometry.system.species, minlength=len(potential.species)) for geometry in geometries],
            dtype=float,
        )
        self.volumes = np.array([geometry.volume or np.nan for geometry in geometries])
        self.energies = np.array([energy for energy, _, _ in labels])
        self.forces = np.concatenate([forces for _, forces, _ in labels])
        self.virials = np.array([stress for _, _, stress in labels]) * self.volumes[:, None, None]
        alone = np.array([geometry.n_atoms == 1 and len(geometry.near.other) == 0 for geometry in geometries])
        self.weights = np.array(weights)
        self.isolated = np.flatnonzero(alone & np.isfinite(self.energies) & (self.weights[:, 0] > 0))
        self.digest = tuple(_digest(geometry) for geometry in geometries)

    def subset(self, numbers: Sequence[int] | np.ndarray) -> TrainingSet:
        """Return the training set of some of the configurations, numbered from 0."""
        numbers = np.asarray(numbers, dtype=int)
        atoms = np.concatenate([np.arange(self.first[k], self.first[k + 1]) for k in numbers])
        chosen = TrainingSet.__new__(TrainingSet)
        chosen.term = self.term.subset(numbers.tolist())
        for name in ("sizes", "counts", "volumes", "energies", "virials", "weights"):
            setattr(chosen, name, getattr(self, name)[numbers])
        for name in ("species", "forces"):
            setattr(chosen, name, getattr(self, name)[atoms])
        chosen.first = np.concatenate([[0], np.cumsum(chosen.sizes)])
        chosen.isolated = np.flatnonzero(np.isin(numbers, self.isolated))
        chosen.digest = tuple(self.digest[k] for k in numbers)
        return chosen

    def joined(self, stage: int) -> TrainingSet:
        """Return the same training set, predicted only by the terms that have joined the fit by a stage."""
        early = copy(self)
        early.term = self.term.joined(stage)
        return early

    def __len__(self) -> int:
        return len(self.sizes)


def _digest(geometry: Geometry) -> bytes:
    """Return a hash of a configuration."""
    import hashlib

    system = geometry.system
    content = hashlib.blake2b(repr((system.symbols, system.pbc.tolist(), system.charge)).encode(), digest_size=16)
    for array in (system.species, geometry.positions, geometry.cell):
        content.update(np.ascontiguousarray(array).tobytes())
    return content.digest()


def _labels(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Return energy, forces (N, 3) and stress (3, 3), NaN for missing labels."""
    if len(atoms) == 0:
        raise InputError("it has no atoms")
    results = {} if atoms.calc is None else atoms.calc.results
    if results.get("energy") is None and results.get("forces") is None:
        raise InputError("it has neither energy nor forces")
    energy = _label(results, "energy", ())
    forces = _label(results, "forces", (len(atoms), 3))
    if np.shape(results.get("stress", ())) == (3, 3):
        return float(energy), forces, _label(results, "stress", (3, 3))
    stress = np.empty((3, 3))
    stress[VOIGT] = stress[VOIGT[::-1]] = _label(results, "stress", (6,))
    return float(energy), forces, stress


def _label(results: dict[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if results.get(name) is None:
        return np.full(shape, np.nan)
    label = np.asarray(results[name], float)
    if label.shape != shape:
        raise InputError(f"its {name} label has shape {label.shape}, need {shape}")
    if not np.isfinite(label).all():
        raise InputError(f"its {name} label is not finite")
    return label
