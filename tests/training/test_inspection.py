"""Labels that would spoil a fit are named, sound ones are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.training import inspect_labels, train
from electrolyte_ml.training.fit import require_one_reference
from electrolyte_ml.units import GPA


def changed(labelled, atoms, *, energy=0.0, forces=1.0, stress=1.0):
    results = atoms.calc.results
    new = {
        "energy": results["energy"] + energy,
        "forces": forces * results["forces"],
        "stress": stress * results["stress"],
    }
    return labelled(atoms, **new)


@pytest.fixture
def sound(data, labelled):
    """Twenty liquids with forces of a usual size."""
    sets = data(20)
    size = np.sqrt(np.mean([np.mean(atoms.get_forces() ** 2) for atoms in sets]))
    pressure = np.sqrt(np.mean([np.mean(atoms.get_stress() ** 2) for atoms in sets])) * GPA
    return [changed(labelled, atoms, forces=1.0 / size, stress=2.0 / pressure) for atoms in sets]


def test_nothing_is_said_of_sound_labels(sound):
    assert inspect_labels(sound) == []
    assert inspect_labels(sound[:3]) == []


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, 19), factor=st.floats(1e3, 1e6), sign=st.sampled_from([-1, 1]))
def test_an_outlier_is_named_wherever_it_stands(sound_session, labelled, place, factor, sign):
    sets = list(sound_session)
    sets[place] = changed(labelled, sets[place], forces=factor, energy=sign * factor)
    found = inspect_labels(sets)
    assert len(found) == 2 and all(line.startswith(f"configuration {place + 1}: ") for line in found)
    assert "largest force" in found[0] and f"energy differs by {'+' if sign > 0 else '-'}" in found[1]


@pytest.fixture(scope="module")
def sound_session(liquid, labelled):
    rng, made = np.random.default_rng(1), []
    for k in range(20):
        atoms = liquid(8, ("H", "O"), k)
        counts = [atoms.symbols.count(symbol) for symbol in ("H", "O")]
        energy = float(np.dot(counts, [-13.0, -430.0])) + 0.1 * rng.normal()
        made.append(labelled(atoms, energy=energy, forces=rng.normal(size=(8, 3)), stress=0.01 * rng.normal(size=6)))
    return made


def test_two_zeros_of_energy_are_seen(sound_session, labelled):
    sets = [changed(labelled, atoms, energy=len(atoms) * 2.0 * (k >= 12)) for k, atoms in enumerate(sound_session)]
    (line,) = inspect_labels(sets)
    assert (
        "two groups" in line
        and "configurations 1, 2, 3, 4, 5 and 7 more, and configurations 13, 14, 15, 16, 17 and 3" in line
    )


def test_repeated_configurations_are_named(sound_session, labelled):
    sets = [*sound_session, sound_session[2], changed(labelled, sound_session[4], energy=0.01)]
    found = inspect_labels(sets)
    assert found[0].startswith("configuration 22 equals configuration 5 but has another energy")
    assert found[1] == "configuration 21 occurs in the set more than once, with a larger total weight"


def test_other_units_are_suspected(sound_session, labelled):
    hartree_bohr = [changed(labelled, atoms, forces=1 / 51.422) for atoms in sound_session]
    gigapascal = [changed(labelled, atoms, stress=GPA) for atoms in sound_session]
    assert "are they in eV/Å?" in inspect_labels(hartree_bohr)[0]
    assert "are they in eV/Å³?" in inspect_labels(gigapascal)[0]


def test_levels_of_theory_do_not_mix(data, start):
    sets = data(4)
    for atoms, name in zip(sets, ("GFN1-xTB", "GFN1-xTB", "PBE-D3(0)", None), strict=True):
        if name:
            atoms.info["reference"] = name
    message = (
        r"GFN1-xTB \(2 configurations, the first is number 1\), PBE-D3\(0\) \(1 configurations, the first is number 3\)"
    )
    with pytest.raises(InputError, match=message):
        train(sets, start, max_iterations=1, progress=False)
    require_one_reference([sets[0], sets[3]])


def test_weights_without_effect_are_named(sound_session):
    configurations = [atoms.copy() for atoms in sound_session]
    for atoms, original in zip(configurations, sound_session, strict=True):
        atoms.calc = original.calc
        atoms.info["config_weight"] = 2.0
    assert not any("no effect" in text for text in inspect_labels(configurations))
    configurations[1].info["energy_sigma"] = 0.01
    configurations[2].arrays["forces_mask"] = configurations[2].numbers > 1
    mask, sigma = (next(text for text in inspect_labels(configurations) if name in text) for name in ("mask", "sigma"))
    assert mask.startswith("forces_mask of configuration 3 has no effect: weights are read from config_energy_weight")
    assert sigma.startswith("energy_sigma of configuration 2 has no effect")
