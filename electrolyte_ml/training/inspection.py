"""Inspection of labels before a fit: outliers, repeated configurations, wrong units, weights without effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.structures.configurations import species_of
from electrolyte_ml.training.weights import USED, unused_weights
from electrolyte_ml.units import GPA

if TYPE_CHECKING:
    from ase import Atoms

_FEWEST = 5  # smallest number of configurations for a median
_FORCE_FACTOR, _FORCE_LEAST = 20.0, 10.0  # times the median of the largest forces, eV/Å
_ENERGY_FACTOR, _ENERGY_LEAST = 50.0, 0.05  # times the usual deviation, eV/atom
_GROUP_FACTOR, _GROUP_LEAST = 10.0, 0.1  # times the width of a group, eV/atom
_FORCE_RANGE = 0.04, 12.0  # eV/Å, root mean square of force components in matter between 50 and 2000 K
_STRESS_MOST = 50.0  # GPa, root mean square
_NAMED = 5  # most configurations named in a message


def inspect_labels(configurations: Sequence[Atoms]) -> list[str]:
    """Find suspicious labels that could spoil a fit.

    These are forces or energies far from those of other configurations, repeated configurations (with equal or
    different labels), energies in two groups, as from two programs, and forces or stresses that seem to have other
    units than eV/Å and eV/Å³; and weights or masks that have no effect on a fit. Energies are compared after
    subtraction of an energy per element, determined by least absolute deviations.

    Parameters
    ----------
    configurations
        Labelled configurations; messages count them from 1.

    Returns
    -------
    list of str
        One line per finding; empty if there are none.
    """
    return [
        *_large_forces(configurations),
        *_far_energies(configurations),
        *_repeated(configurations),
        *_odd_units(configurations),
        *_unused_weights(configurations),
    ]


def _label(atoms: Atoms, name: str) -> np.ndarray | None:
    value = None if atoms.calc is None else atoms.calc.results.get(name)
    return None if value is None else np.asarray(value, dtype=float)


def _numbered(places: Sequence[int] | np.ndarray) -> str:
    """Return the numbers of configurations as text; of many, only the first ones."""
    shown = ", ".join(str(place + 1) for place in places[:_NAMED])
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return f"configuration{'s' * (len(places) > 1)} {shown}{more}"


def _large_forces(configurations: Sequence[Atoms]) -> list[str]:
    labels = {k: _label(atoms, "forces") for k, atoms in enumerate(configurations) if len(atoms) > 1}
    largest = {k: float(np.linalg.norm(forces, axis=1).max()) for k, forces in labels.items() if forces is not None}
    if len(largest) < _FEWEST:
        return []
    usual = float(np.median(list(largest.values())))
    far = [k for k, force in largest.items() if force > max(_FORCE_FACTOR * usual, _FORCE_LEAST)]
    return [
        f"configuration {k + 1}: its largest force, {largest[k]:.3g} eV/Å, is {largest[k] / usual:.0f} times the "
        f"median over all configurations, {usual:.2g} eV/Å"
        for k in far[:_NAMED]
    ] + ([f"{len(far) - _NAMED} more configurations have such forces"] if len(far) > _NAMED else [])


def _far_energies(configurations: Sequence[Atoms]) -> list[str]:
    energies = {k: _label(atoms, "energy") for k, atoms in enumerate(configurations) if len(atoms) > 1}
    places = np.array([k for k, energy in energies.items() if energy is not None])
    if len(places) < _FEWEST:
        return []
    chosen = [configurations[k] for k in places]
    sizes = np.array([len(atoms) for atoms in chosen])
    species = species_of(chosen)
    counts = np.array([[atoms.symbols.count(symbol) for symbol in species] for atoms in chosen]) / sizes[:, None]
    values = np.array([float(energies[k]) for k in places]) / sizes  # type: ignore[arg-type]
    rest = values - counts @ _least_absolute(counts, values)
    usual = 1.4826 * float(np.median(np.abs(rest)))  # standard deviation of a normal distribution with this median
    far = np.abs(rest) > max(_ENERGY_FACTOR * usual, _ENERGY_LEAST)
    if 0.0 < far.mean() < 0.1:
        return [
            f"configuration {places[k] + 1}: its energy differs by {rest[k]:+.3g} eV/atom from that expected for its "
            f"composition; the typical deviation is {usual:.2g} eV/atom"
            for k in np.flatnonzero(far)[:_NAMED]
        ]
    return _groups(places, rest, np.array([atoms.pbc.all() for atoms in chosen]))


def _least_absolute(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Minimise the sum of |values - matrix x| by reweighted least squares, which is robust against outliers."""
    weights = np.ones(len(values))
    best = np.zeros(matrix.shape[1])
    for _ in range(50):
        root = np.sqrt(weights)
        best = np.linalg.lstsq(matrix * root[:, None], values * root, rcond=None)[0]
        weights = 1.0 / np.maximum(np.abs(values - matrix @ best), 1e-6)
    return best


def _groups(places: np.ndarray, rest: np.ndarray, periodic: np.ndarray) -> list[str]:
    """Find two groups of energies of periodic cells; energies of isolated molecules differ naturally."""
    places, rest = places[periodic], rest[periodic]
    if len(rest) < 2 * _FEWEST:
        return []
    order = np.argsort(rest)
    values = rest[order]
    cut = _FEWEST + int(np.argmax(np.diff(values)[_FEWEST - 1 : len(values) - _FEWEST]))
    low, high = values[:cut], values[cut:]
    gap = high[0] - low[-1]
    if gap < max(_GROUP_FACTOR * max(low.std(), high.std()), _GROUP_LEAST):
        return []
    return [
        f"the energies form two groups with a gap of {gap:.3g} eV/atom: {_numbered(np.sort(places[order[:cut]]))}, and "
        f"{_numbered(np.sort(places[order[cut:]]))}: are all labels from one program with the same settings?"
    ]


def _repeated(configurations: Sequence[Atoms]) -> list[str]:
    known: dict[bytes, int] = {}
    same, different = [], []
    for k, atoms in enumerate(configurations):
        geometry = (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, [float(atoms.info.get("charge", 0))])
        name = b"".join(np.ascontiguousarray(part).tobytes() for part in geometry)
        first = known.setdefault(name, k)
        if first == k:
            continue
        energies = _label(configurations[first], "energy"), _label(atoms, "energy")
        if None in energies or np.isclose(float(energies[0]), float(energies[1]), rtol=0, atol=1e-6):  # type: ignore[arg-type]
            same.append(k)
        else:
            different.append(
                f"configuration {k + 1} equals configuration {first + 1} but has another energy: {energies[1]:.6f} eV, "
                f"not {energies[0]:.6f} eV"
            )
    findings = different[:_NAMED]
    if same:
        verb = "occurs" if len(same) == 1 else "occur"
        findings.append(f"{_numbered(same)} {verb} in the set more than once, with a larger total weight")
    return findings


def _odd_units(configurations: Sequence[Atoms]) -> list[str]:
    forces = [_label(atoms, "forces") for atoms in configurations if len(atoms) > 1]
    squares = [np.mean(force**2) for force in forces if force is not None]
    stresses = [stress for atoms in configurations if (stress := _label(atoms, "stress")) is not None]
    findings = []
    if squares:
        size = float(np.sqrt(np.median(squares)))
        if size and not _FORCE_RANGE[0] <= size <= _FORCE_RANGE[1]:
            findings.append(f"the typical size of forces is {size:.2g} eV/Å (median of the rms): are they in eV/Å?")
    if stresses:
        size = float(np.sqrt(np.median([np.mean(stress**2) for stress in stresses]))) * GPA
        if size > _STRESS_MOST:
            findings.append(f"the typical size of stresses is {size:.3g} GPa (median of the rms): are they in eV/Å³?")
    return findings


def _unused_weights(configurations: Sequence[Atoms]) -> list[str]:
    places: dict[str, list[int]] = {}
    for place, atoms in enumerate(configurations):
        for name in unused_weights(atoms):
            places.setdefault(name, []).append(place)
    return [
        f"{name} of {_numbered(found)} has no effect: weights are read from {', '.join(sorted(USED))}, and there are "
        "none of single atoms"
        for name, found in sorted(places.items())
    ]
