"""Errors of the parts of energies and forces, by composition and by site."""

import json

import numpy as np
import pytest

from electrolyte_ml.analysis import Liquid, SplitErrors, difference_by_site, split_errors, split_potential
from electrolyte_ml.analysis.intermolecular import PARTS, Split
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import pack

SPECIES = ["H", "C", "O"]


@pytest.fixture(scope="module")
def liquid():
    boxes = [pack({"EMC": 2}, 0.9, seed=1), pack({"EC": 1, "EMC": 1}, 0.9, seed=2), pack({"EC": 2}, 0.9, seed=3)]
    torn = boxes[2].copy()
    del torn[int(np.flatnonzero(torn.numbers == 1)[0])]
    return Liquid.of([*boxes, torn, pack({"EC": 3}, 0.9, seed=4)])


@pytest.fixture(scope="module")
def split(liquid):
    return split_potential(liquid, ModelSpec(level=4).random(SPECIES, seed=0))


def shifted(split, liquid, energy=0.0, force=0.0, within=0.0):
    """A split whose total energy is off by so many eV per atom, and whose intramolecular forces along x as well."""
    energies = {part: values.copy() for part, values in split.energies.items()}
    forces = {part: values.copy() for part, values in split.forces.items()}
    energies["total"] += energy * liquid.sizes
    energies["intramolecular"] += within * liquid.sizes
    forces["intramolecular"][:, 0] += force
    for values in (energies, forces):
        values["intermolecular"] = values["total"] - values["intramolecular"]
    return Split(energies, forces)


def test_errors_go_to_their_parts(liquid, split):
    errors = split_errors(liquid, split, [shifted(split, liquid, energy=0.001, within=0.003, force=0.6)])
    assert list(errors.compositions) == ["EC", "1EC:1EMC", "EMC"]
    assert errors.compositions["EC"].configurations == 2 and errors.overall.configurations == 4
    for found in (errors.overall, *errors.compositions.values()):
        rows = [found.parts[part] for part in PARTS]
        assert [row.energy_rmse for row in rows] == pytest.approx([1.0, 3.0, 2.0])
        assert [row.offsets[0] for row in rows] == pytest.approx([1.0, 3.0, -2.0])
        assert [row.force_rmse for row in rows] == pytest.approx([0.0, 0.6 / np.sqrt(3), 0.6 / np.sqrt(3)], abs=1e-12)
        for part, length in zip(PARTS, (0.0, 0.6, 0.6), strict=True):
            assert all(row.length == pytest.approx(length, abs=1e-12) for row in found.sites[part].sites)


def test_the_ensemble_has_a_mean_and_a_spread(liquid, split):
    members = [shifted(split, liquid, energy=e, within=e) for e in (0.001, 0.002, 0.003)]
    errors = split_errors(liquid, split, members)
    row = errors.overall.parts["total"]
    assert (row.energy_rmse, row.energy_spread) == pytest.approx((2.0, 1.0))
    assert "2.00 ± 1.00" in str(errors) and errors.potentials == 3
    assert np.isnan(split_errors(liquid, split, members[:1]).overall.parts["total"].energy_spread)
    with pytest.raises(InputError, match="no potential"):
        split_errors(liquid, split, [])


def test_sizes_are_those_of_the_reference(liquid, split):
    errors = split_errors(liquid, split, [split])
    found = errors.compositions["EC"].parts["total"]
    chosen = [k for k, name in enumerate(liquid.compositions) if name == "EC"]
    assert found.energy_size == pytest.approx(1e3 * np.std(split.energies["total"][chosen] / liquid.sizes[chosen]))
    assert errors.compositions["EMC"].parts["total"].energy_size == 0.0  # of one configuration
    assert errors.overall.parts["total"].force_size == pytest.approx(np.sqrt(np.mean(split.forces["total"] ** 2)))


def test_a_broken_molecule_is_reported(liquid, split):
    errors = split_errors(liquid, split, [split])
    assert errors.excluded == {"C3H3O3": 1} and errors.affected == 1
    assert "1 of 5 configurations left out, as they hold broken, fused or unknown molecules: 1 C3H3O3" in str(errors)


def test_errors_are_kept_as_json(liquid, split):
    errors = split_errors(liquid, split, [shifted(split, liquid, force=0.1)])
    kept = json.loads(json.dumps(errors.to_dict(), allow_nan=False))
    again = SplitErrors.from_dict(kept)
    assert str(again) == str(errors) and again.to_dict() == errors.to_dict()
    assert again.overall.sites["total"].lengths == errors.overall.sites["total"].lengths


def test_the_difference_of_two_ensembles(liquid, split):
    """Of their mean forces: opposite errors of the members of an ensemble cancel."""
    plus, minus = (shifted(split, liquid, force=sign * 0.4) for sign in (1, -1))
    same = difference_by_site(liquid, [split], [plus, minus], "intramolecular")
    assert max(same.lengths.values()) < 1e-12
    other = difference_by_site(liquid, [minus, split], [plus, split], "intramolecular")
    assert other.lengths[("EC", "carbonyl C")] == pytest.approx(0.4)
