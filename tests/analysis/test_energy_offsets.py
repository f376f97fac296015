"""Constants of energy errors are those that the errors were made of."""

import numpy as np
import pytest

from electrolyte_ml.analysis import energy_offsets
from electrolyte_ml.errors import InputError

KINDS = {"MTP": -1.0, "MTP-QRd": 0.3}
PAIRED = 0.05


def made(seed, scatter):
    """Errors of 8 runs of each kind with 5 configurations each, and runs that differ by `scatter`."""
    rng = np.random.default_rng(seed)
    rows = [
        (KINDS[kind] + PAIRED * count + offset, kind, count, f"{kind}/{run}")
        for kind in KINDS
        for run in range(8)
        for offset in [rng.normal(scale=scatter)]
        for count in rng.integers(0, 3, size=5)
    ]
    return [np.array(column) if k == 0 else list(column) for k, column in enumerate(zip(*rows))]


def test_constants_are_found():
    found = energy_offsets(*made(0, 0.0))
    assert {name: value for name, (value, _) in found.kinds.items()} == pytest.approx(KINDS)
    assert found.per_count == pytest.approx((PAIRED, 0.0), abs=1e-9)


def test_errors_are_those_between_runs():
    found = [energy_offsets(*made(seed, 0.2)) for seed in range(150)]
    off = np.array([[f.kinds[name][0] - KINDS[name] for name in KINDS] + [f.per_count[0] - PAIRED] for f in found])
    stated = np.array([[f.kinds[name][1] for name in KINDS] + [f.per_count[1]] for f in found])
    assert np.sqrt((off**2).mean(axis=0)) == pytest.approx(np.sqrt((stated**2).mean(axis=0)), rel=0.2)


def test_what_cannot_be_told_apart_is_refused():
    errors, kinds, counts, runs = made(0, 0.1)
    with pytest.raises(InputError, match="do not vary within any kind"):
        energy_offsets(errors, kinds, [1] * len(counts), runs)
    with pytest.raises(InputError, match="MTP has one run"):
        energy_offsets(errors, kinds, counts, ["one" if kind == "MTP" else run for kind, run in zip(kinds, runs)])
    with pytest.raises(InputError, match="80 errors, 80 kinds, 79 counts"):
        energy_offsets(errors, kinds, counts[1:], runs)
