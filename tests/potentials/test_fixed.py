"""Potentials whose parameters are fixed: sums with a correction, their files, and what is refused."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Fixed, ModelSpec, MomentTensorPotential, Sum, correction_on, load
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.pairwise import ZBL

SPECIES = ("H", "O")


def mtp(level=4, seed=0, **options):
    return MomentTensorPotential.random(level, SPECIES, seed=seed, **({"cutoff": 4.0} | options))


@pytest.fixture
def base():
    return Sum((mtp(), ZBL(SPECIES)), reference="GFN1-xTB")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), cutoff=st.floats(2.5, 5.0), charged=st.booleans())
def test_a_prediction_is_base_plus_correction(liquid, seed, cutoff, charged):
    first = Sum((mtp(seed=seed), QRd.random(SPECIES, seed))) if charged else mtp(seed=seed)
    second = mtp(2, seed + 1, cutoff=cutoff, radial_basis_size=3)
    atoms = liquid(8, SPECIES, seed)
    result, parts = correction_on(first, second).evaluate(atoms), [first.evaluate(atoms), second.evaluate(atoms)]
    for name in ("energy", "energies", "forces", "virial"):
        values = [getattr(part, name) for part in parts]
        scale = max(np.abs(value).max() for value in values)
        assert np.abs(getattr(result, name) - sum(values)).max() < 1e-12 * scale
    assert (result.charges is None) == (not charged)


def test_only_the_correction_has_parameters(base):
    both = correction_on(base, mtp(2, 1))
    assert [block.name for block in both.blocks] == ["mtp.radial", "mtp.shifts", "mtp.moments"]
    moved = both.with_parameters(both.parameters + 1.0)
    assert np.array_equal(moved.terms[0].base.parameters, base.parameters)
    assert np.array_equal(both.redrawn(3).terms[0].base.parameters, base.parameters)
    with pytest.raises(InputError, match="do not fit a potential with 0"):
        Fixed(base).with_parameters(np.ones(1))


def test_a_file_states_both_references(base, tmp_path):
    both = correction_on(base, Sum((mtp(2, 1), ZBL(SPECIES, 0.5)))).labelled_by("PBE-D3(0)")
    both.save(tmp_path / "both.pot")
    back = load(tmp_path / "both.pot")
    assert back.reference == "PBE-D3(0), as a correction to GFN1-xTB"
    assert (back.label_reference, base.label_reference) == ("PBE-D3(0)", "GFN1-xTB")
    assert [term.reference for term in back.terms] == ["GFN1-xTB", "PBE-D3(0)", None]
    assert back.fingerprint == both.fingerprint
    facts = back.facts()
    assert facts["terms"][0]["kind"] == "fixed" and facts["terms"][0]["reference"] == "GFN1-xTB"
    assert [term["kind"] for term in facts["terms"][0]["terms"]] == ["mtp", "zbl"]
    # Another fit to labels of the same level changes nothing; to unknown ones, the name is lost.
    assert back.labelled_by("PBE-D3(0)").reference == back.reference
    assert back.labelled_by(None).reference is None and back.labelled_by(None).label_reference is None


def test_a_correction_can_be_corrected(base, liquid, tmp_path):
    once = correction_on(base, mtp(2, 1)).labelled_by("GFN2-xTB")
    twice = correction_on(once, mtp(2, 2, cutoff=3.0)).labelled_by("PBE0")
    assert twice.reference == "PBE0, as a correction to GFN2-xTB, as a correction to GFN1-xTB"
    twice.save(tmp_path / "twice.pot")
    back, atoms = load(tmp_path / "twice.pot"), liquid(8, SPECIES, 1)
    assert back.evaluate(atoms).energy == twice.evaluate(atoms).energy
    assert back.terms[0].base.terms[0].base.reference == "GFN1-xTB"


def test_the_fingerprint_is_that_of_the_results(base, liquid):
    """Not of references or of what a base remembers of its training set."""
    charged = Sum((base.terms[0], QRd.random(SPECIES, 1)))
    other = charged.with_reference("another").trained_on([System.of(liquid(8, SPECIES), SPECIES)])
    nested = [correction_on(Sum((Fixed(inner), mtp(2, 1))), mtp(2, 2)) for inner in (charged, other)]
    assert nested[0].fingerprint == nested[1].fingerprint
    moved = correction_on(Sum((Fixed(charged.redrawn(7)), mtp(2, 1))), mtp(2, 2))
    assert moved.fingerprint != nested[0].fingerprint


def test_precision(base):
    both = correction_on(base, mtp(2, 1)).with_precision("mixed")
    assert both.terms[0].base.terms[0].precision == both.terms[1].precision == "mixed"


def test_a_base_that_a_file_would_not_bring_back(tmp_path):
    class Unknown(MomentTensorPotential):
        kind = "unknown"

    term = mtp()
    unknown = Unknown(**{field.name: getattr(term, field.name) for field in fields(term)})
    with pytest.raises(InputError, match="Unknown cannot be saved"):
        correction_on(unknown, mtp(2, 1)).save(tmp_path / "both.pot")
    assert not (tmp_path / "both.pot").exists()


@pytest.mark.parametrize(
    ("species", "message"),
    [
        (("H", "O", "Li"), "base.pot has the species H O: it cannot be corrected for Li"),
        (("H",), "base.pot also has the species O, whose correction no data would fix"),
    ],
)
def test_species_of_a_specification(base, tmp_path, monkeypatch, species, message):
    base.save(tmp_path / "base.pot")
    monkeypatch.chdir(tmp_path)
    spec = ModelSpec(level=4, on_top_of="base.pot")
    with pytest.raises(InputError, match=message):
        spec.random(species)


def test_a_specification_names_the_base(base, tmp_path):
    """Whose order of the species is that of the sum."""
    base.save(tmp_path / "base.pot")
    made = ModelSpec(level=4, repulsion="zbl", on_top_of=str(tmp_path / "base.pot")).random(("O", "H"), 5)
    assert [term.kind for term in made.terms] == ["fixed", "mtp", "zbl"] and made.species == SPECIES
    assert made.terms[0].base.fingerprint == base.fingerprint
    assert np.array_equal(made.parameters, ModelSpec(level=4).random(SPECIES, 5).parameters)
    with pytest.raises(InputError, match=r"nowhere\.pot: no such file"):
        ModelSpec(level=4, on_top_of=str(tmp_path / "nowhere.pot")).random(SPECIES)


def test_other_species_are_refused(base):
    other = MomentTensorPotential.random(2, ("O", "H"))
    with pytest.raises(InputError, match="the species of the correction are O H, those of the corrected potential H O"):
        correction_on(base, other)
