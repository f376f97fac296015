"""Claims 12 to 14 on errors within and between molecules.

The trends are judged from the stored result ``intermolecular_errors``, written by `to_dict` of
:class:`electrolyte_ml.paper.validation.ValidationErrors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.charge_gain import QUANTITIES
from electrolyte_ml.paper.claims.evidence import Evidence, Finding
from electrolyte_ml.paper.validation import CHARGED, ValidationErrors, validation_cells, validation_kinds

if TYPE_CHECKING:
    from electrolyte_ml.analysis import GroupedErrors
    from electrolyte_ml.paper.scales import Scale

_AS_ACCURATE = 1.05  # largest geometric mean of the ratios of errors of two kinds that count as equally accurate
_OXYGEN = 0.21  # eV/Å, the largest error of an oxygen in Fig. 4


def protocol(scale: Scale) -> Iterator[Evidence]:
    """Yield boxes, runs and sizes of the validation sets (Fig. 3), and the kinds compared on them."""
    settings = scale.intermolecular_errors
    if settings is None:
        raise InputError("the scale has no validation sets of EC and EMC")
    run = {"ensemble": "npt", "temperature": 300.0, "pressure_bar": 1.01325, "time_ps": 100.0, "timestep_fs": 1.0}
    yield Evidence("handed to dynamics.run_md", settings.sampling.options(), run)
    yield Evidence(
        "handed to paper.validation.validation_sets",
        {"cells": validation_cells(settings), "configurations": settings.configurations},
        {"cells": ["EC=16", "EC=7 EMC=3", "EC=3 EMC=7", "EMC=8"], "configurations": 300},
    )
    kinds = validation_kinds(scale)
    yield Evidence(
        "handed to paper.validation.validation_errors",
        {"kinds": sorted((kind.level, kind.charges or "") for kind in kinds), "seeds": len(settings.seeds)},
        {"kinds": [(level, charges) for level in (12, 16, 20) for charges in ("", "qrd")], "seeds": 3},
    )


def cancellation(stored: Mapping[str, Any]) -> Finding:
    """Judge whether energy errors within and between molecules are above the total in most cases."""
    errors = ValidationErrors.from_dict(stored)
    above = {"intramolecular": 0, "intermolecular": 0}
    constant, cases = [], 0
    for kind in errors.kinds.values():
        for composition in kind.compositions.values():
            cases += 1
            for part in above:
                row = composition.parts[part]
                above[part] += row.energy_rmse > composition.parts["total"].energy_rmse
                constant.append(np.mean(np.square(row.offsets)) / np.mean(np.square(row.energies)))
    text = ", ".join(f"{part} in {number}" for part, number in above.items())
    ours = (
        f"above the total: {text} of {cases} cases; {np.mean(constant):.0%} of their squares are one offset for all "
        f"configurations of a composition"
    )
    return Finding(all(number > cases / 2 for number in above.values()), ours, uncertainty=_seeds(errors))


def next_level(stored: Mapping[str, Any]) -> Finding | None:
    """Judge whether a level with charges is as accurate as the next level without: QRd12 as MTP16, QRd16 as MTP20."""
    errors = ValidationErrors.from_dict(stored)
    plain, texts, holds = errors.plain, [], []
    for lower, higher in pairwise(plain):
        if lower + CHARGED not in errors.kinds:
            continue
        charged, next_plain = (errors.kinds[name].overall.parts for name in (lower + CHARGED, higher))
        ratios = [
            np.mean(getattr(charged[part], what)) / np.mean(getattr(next_plain[part], what))
            for part, what in QUANTITIES
        ]
        ratio = float(np.exp(np.mean(np.log(ratios))))
        holds.append(ratio <= _AS_ACCURATE)
        texts.append(f"errors of {lower}{CHARGED} are {ratio:.2f} of those of {higher} ({min(ratios):.2f} to "
                     f"{max(ratios):.2f})")  # fmt: skip
    if not holds:
        return None
    return Finding(all(holds), "; ".join(texts), uncertainty=_seeds(errors))


def by_composition(stored: Mapping[str, Any]) -> Finding | None:
    """Judge whether errors fall from EC to EMC: those of energies from set to set, those of forces from end to end."""
    errors = ValidationErrors.from_dict(stored)
    sets = list(next(iter(errors.kinds.values())).compositions)
    if len(sets) < 2:
        return None
    energies, forces = (
        [
            float(np.mean([np.mean(getattr(row, what)) for kind in errors.kinds.values()
                           for row in kind.compositions[name].parts.values()]))
            for name in sets
        ]
        for what in ("energies", "forces")
    )  # fmt: skip
    falls = bool(np.all(np.diff(energies) < 0)) and forces[-1] < forces[0]
    ours = "; ".join(
        f"{name} {energy:.2f} meV/atom, {force:.3f} eV/Å"
        for name, energy, force in zip(sets, energies, forces, strict=True)
    )
    return Finding(falls, f"mean over kinds and parts: {ours}", uncertainty=_seeds(errors))


def sites(stored: Mapping[str, Any]) -> Finding | None:
    """Judge force errors by site at the highest level: largest on carbonyl C, O at most 0.21 eV/Å, others below O."""
    errors = ValidationErrors.from_dict(stored)
    holds, texts = [], []
    for name, grouped in _highest(errors):
        lengths = grouped.lengths
        for molecule in ("EC", "EMC"):
            of_molecule = {site: value for (species, site), value in lengths.items() if species == molecule}
            if not of_molecule:
                continue
            oxygens = max(value for site, value in of_molecule.items() if site.startswith(("carbonyl O", "ether O")))
            rest = max(value for site, value in of_molecule.items()
                       if site != "carbonyl C" and not site.startswith(("carbonyl O", "ether O")))  # fmt: skip
            worst = max(of_molecule, key=lambda site: of_molecule[site])
            holds.append(worst == "carbonyl C" and oxygens <= _OXYGEN and rest <= oxygens)
            numbers = f"{of_molecule[worst]:.2f}, O to {oxygens:.2f}, rest to {rest:.2f} eV/Å"
            texts.append(f"{name}, {molecule}: worst {worst} {numbers}")
    return Finding(all(holds), "; ".join(texts), uncertainty=_seeds(errors)) if holds else None


def species(stored: Mapping[str, Any]) -> Finding | None:
    """Judge whether force errors of EC are above those of EMC, for the highest level."""
    errors = ValidationErrors.from_dict(stored)
    holds, texts = [], []
    for name, grouped in _highest(errors):
        by = {row.name: row.length for row in grouped.species}
        if {"EC", "EMC"} <= by.keys():
            holds.append(by["EC"] > by["EMC"])
            texts.append(f"{name}: EC {by['EC']:.3f}, EMC {by['EMC']:.3f} eV/Å")
    return Finding(all(holds), "; ".join(texts), uncertainty=_seeds(errors)) if holds else None


def difference(stored: Mapping[str, Any]) -> Finding | None:
    """Judge the sites whose forces change most with charges: ether O and CH2 of EC, at the highest level."""
    errors = ValidationErrors.from_dict(stored)
    name = next((name for name in reversed(errors.plain) if name in errors.differences), None)
    if name is None:
        return None
    lengths = errors.differences[name]["total"].lengths
    largest = sorted(lengths, key=lambda site: -lengths[site])[:3]
    text = ", ".join(f"{site} of {molecule} {lengths[molecule, site]:.3f}" for molecule, site in largest)
    holds = set(largest[:2]) == {("EC", "ether O"), ("EC", "CH2")}
    ours = f"{name} and {name}{CHARGED} differ most on {text} eV/Å"
    if name in errors.seed_differences:
        of_seeds = errors.seed_differences[name]["total"].lengths
        ours += f"; two seeds of {name} differ there by {', '.join(f'{of_seeds[site]:.3f}' for site in largest)}"
    return Finding(holds, ours, uncertainty=_seeds(errors))


def _highest(errors: ValidationErrors) -> list[tuple[str, GroupedErrors]]:
    """Return the highest level without and with charges, with its total force errors on the mixture of the maps."""
    highest = errors.plain[-1:]
    names = [name for plain in highest for name in (plain, plain + CHARGED) if name in errors.kinds]
    return [(name, errors.kinds[name].compositions[errors.mixture].sites["total"]) for name in names]


def _seeds(errors: ValidationErrors) -> str:
    """Say over how many seeds errors are averaged, and how far these are apart."""
    totals = [np.asarray(kind.overall.parts["total"].energies) for kind in errors.kinds.values()]
    spread = [float(values.std(ddof=1) / values.mean()) for values in totals if len(values) > 1]
    if not spread:
        return "one seed of each kind, no spread"
    return f"{len(totals[0])} seeds of each kind; their energy errors differ by {np.mean(spread):.0%} (1σ)"
