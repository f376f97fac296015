"""Made-up errors on validation sets, of known shape."""

import numpy as np
import pytest

from electrolyte_ml.analysis import GroupedErrors, GroupError, PartError, SetErrors, SplitErrors
from electrolyte_ml.paper.validation import CHARGED, ValidationErrors

NAN = float("nan")
COMPOSITIONS = {"EC": 1.0, "7EC:3EMC": 0.9, "3EC:7EMC": 0.8, "EMC": 0.7}
PARTS = {"total": 1.0, "intramolecular": 1.5, "intermolecular": 1.4}
LENGTHS = {
    ("EC", "carbonyl C"): 0.4,
    ("EC", "carbonyl O"): 0.2,
    ("EC", "ether O"): 0.15,
    ("EC", "CH2"): 0.1,
    ("EC", "H of CH2"): 0.05,
    ("EMC", "carbonyl C"): 0.35,
    ("EMC", "carbonyl O"): 0.15,
    ("EMC", "ether O by CH3"): 0.1,
    ("EMC", "ether O by CH2"): 0.1,
    ("EMC", "H of CH2"): 0.04,
}
DIFFERENCE = {site: 0.01 for site in LENGTHS} | {("EC", "ether O"): 0.05, ("EC", "CH2"): 0.04}
KINDS = {  # parameters, error of each seed relative to the others
    "MTP12": (200, (1.0, 1.02, 0.98)),
    "MTP16": (400, (0.71, 0.70, 0.69)),
    "MTP20": (800, (0.51, 0.50, 0.49)),
    "MTP12-QRd": (206, (0.70, 0.71, 0.69)),
    "MTP16-QRd": (406, (0.50, 0.49, 0.51)),
}


def grouped(lengths):
    rows = tuple(GroupError(site, name, 10, 0.6 * v, NAN, 1.0, v, NAN) for (name, site), v in lengths.items())
    names = sorted({name for name, _ in lengths})
    species = tuple(
        GroupError(name, "", 10, 0.1, NAN, 1.0, float(np.mean([v for (n, _), v in lengths.items() if n == name])), NAN)
        for name in names
    )
    return GroupedErrors((), species, rows, dict.fromkeys(names, 5), {}, 0, 10, 3)


def part_error(members, offset):
    return PartError(tuple(5.0 * m for m in members), tuple(5.0 * m * offset for m in members), 3.0,
                     tuple(0.1 * m for m in members), 1.0)  # fmt: skip


@pytest.fixture
def validation():
    """Return a function that makes `ValidationErrors`, by default those of the paper's claims."""

    def make(
        kinds=KINDS, parts=PARTS, compositions=COMPOSITIONS, sites=None, difference=DIFFERENCE, offset=0.5,
        reference="PBE-D3(0)",
    ):  # fmt: skip
        lengths = LENGTHS | (sites or {})

        def of(members, factor):
            found = {part: part_error([m * factor * p for m in members], offset) for part, p in parts.items()}
            return SetErrors(10, found, dict.fromkeys(parts, grouped(lengths)))

        errors = {
            name: SplitErrors(
                {c: of(members, factor) for c, factor in compositions.items()},
                of(members, float(np.mean(list(compositions.values())))),
                {},
                0,
                len(members),
            )
            for name, (_, members) in kinds.items()
        }
        differences = {name: dict.fromkeys(parts, grouped(difference)) for name in errors if name + CHARGED in errors}
        seeds = {name: dict.fromkeys(parts, grouped(dict.fromkeys(LENGTHS, 0.02))) for name in errors}
        return ValidationErrors(reference, errors, {name: n for name, (n, _) in kinds.items()}, differences, seeds)

    return make
