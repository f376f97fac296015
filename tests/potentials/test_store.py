"""Files of our own: there and back to the bit, refused by readers of `.mtp` files, and every way to be wrong."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, Sum, load, read_mtp
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.potentials.text import HEADER

SPECIES = ("H", "O")


def make(**options) -> Sum:
    terms = MomentTensorPotential.random(4, SPECIES, radial_basis_size=2, **options), ZBL(SPECIES, reach=0.7)
    return Sum(terms, reference="GFN1-xTB")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("store") / "p.pot"
    make().save(path)
    return path.read_text()


def test_the_text(text):
    lines = text.splitlines()
    assert lines[:3] == [HEADER, "reference = GFN1-xTB", "terms = 2"] and lines[-1] == "end"
    count = int(lines[3].removeprefix("term = mtp, ").removesuffix(" lines"))
    assert lines[4] == "MTP" and lines[4 + count].startswith("term = zbl, ")
    assert json.loads("\n".join(lines[5 + count : -1])) == {"species": ["H", "O"], "reach": 0.7, "reference": None}


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    exponent=st.integers(-300, 300),
    reach=st.floats(0.1, 2.0),
    reference=st.sampled_from([None, "GFN1-xTB", "PBE-D3(0)", "50 % PBE = half; ½", "term = zbl, 3 lines", "end"]),
    inner=st.sampled_from([None, "HF", "a\u2028b"]),
)
def test_round_trip_is_exact(tmp_path_factory, seed, exponent, reach, reference, inner):
    first = MomentTensorPotential.random(4, SPECIES, seed=seed, radial_basis_size=2)
    first.moments[0] *= 10.0**exponent
    potential = Sum((ZBL(SPECIES, reach, inner), first.with_reference(inner)), reference)
    path = tmp_path_factory.mktemp("store") / "p.pot"
    potential.save(path)
    back = load(path)
    assert isinstance(back, Sum) and [type(term) for term in back.terms] == [ZBL, MomentTensorPotential]
    assert np.array_equal(back.parameters, potential.parameters) and back.terms[0].reach == reach
    assert back.fingerprint == potential.fingerprint and back.species == SPECIES
    assert (back.reference, back.terms[0].reference, back.terms[1].reference) == (reference, inner, inner)
    assert path.read_text() == back.file_content()


def test_a_single_term_of_our_own(tmp_path, liquid):
    ZBL(SPECIES, 0.9).with_reference("none").save(tmp_path / "z.pot")
    back = load(tmp_path / "z.pot", species=SPECIES)
    assert isinstance(back, ZBL) and (back.reach, back.reference) == (0.9, "none")


def test_a_moment_tensor_potential_alone_is_a_file_of_mlip(tmp_path):
    make().terms[0].save(tmp_path / "p.mtp")
    assert (tmp_path / "p.mtp").read_text().startswith("MTP\nversion = 1.1.0\n")
    assert isinstance(load(tmp_path / "p.mtp"), MomentTensorPotential)


def test_readers_of_mtp_files_refuse_the_first_line(tmp_path, text):
    for name in ("p.pot", "p.mtp"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name}, line 1: not an MTP file"):
            read_mtp(tmp_path / name)
        assert isinstance(load(tmp_path / name), Sum)  # the content decides, not the name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("potential 1\n", "potential 2\n", "line 1: 'electrolyte_ml potential 2' is not the supported version"),
        ("potential 1\n", "potential 10\n", "line 1: 'electrolyte_ml potential 10' is not the supported version"),
        ("reference = ", "referenz = ", "line 2: expected 'reference = ...', found 'referenz = GFN1-xTB'"),
        ("terms = 2", "terms = two", "line 3: 'two' is not a number of terms"),
        ("terms = 2", "terms = 0", "line 3: '0' is not a number of terms"),
        ("terms = 2", "terms = -1", "line 3: '-1' is not a number of terms"),
        ("terms = 2", "terms = 1", r"line \d+: expected 'end'"),
        ("terms = 2", "terms = 3", r"line \d+: expected 'term = ...', found 'end'"),
        ("term = mtp,", "term = mpt,", "line 4: unknown kind of potential 'mpt': did you mean 'mtp'"),
        ("term = zbl,", "term = zlb,", r"line \d+: unknown kind of potential 'zlb': did you mean 'zbl'"),
        ("term = zbl,", "term = coulomb,", r"line \d+: unknown kind of potential 'coulomb': there are mtp, zbl"),
        ("term = mtp,", "term = mtp", "line 4: expected 'term = KIND, NUMBER lines'"),
        ("lines\nMTP", "lanes\nMTP", "line 4: expected 'term = KIND, NUMBER lines'"),
        ("\nMTP\n", "\nMTQ\n", "term mtp from line 5 on, line 1: not an MTP file"),
        ("species_count = 2", "species_count = two", "term mtp from line 5 on, line 5: species_count = 'two'"),
        ('"reach": 0.7', '"reach": -1', r"term zbl from line \d+ on: .*reach of the ZBL repulsion must be positive"),
        ('"reach": 0.7', '"reich": 0.7', r"term zbl from line \d+ on: not a potential of the kind zbl: .*reich"),
        ('"reach": 0.7', '"reach": ', r"term zbl from line \d+ on: not a potential of the kind zbl"),
        ('"species": [\n  "H"', '"species": [\n  "C"', "terms of different species cannot be added: H O and C O"),
        ("\nend\n", "\nend\nmore\n", r"line \d+: expected 'end' and nothing after it"),
    ],
)
def test_wrong_in_one_place(text, refused, old, new, message):
    import re

    assert text.count(old) == 1, old
    assert re.search(message, refused(text.replace(old, new)))


def test_truncated_after_every_line(text, refused):
    lines = text.splitlines(keepends=True)
    for n in range(len(lines)):
        refused("".join(lines[:n]))


def test_every_line_left_out(text, refused):
    lines = text.splitlines(keepends=True)
    for n in range(len(lines)):
        refused("".join(lines[:n] + lines[n + 1 :]))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_truncated_anywhere(text, tmp_path_factory, data):
    """Cut after any character: refused, unless all that is lost is the last line's end."""
    cut = data.draw(st.integers(0, len(text.rstrip()) - 1))
    path = tmp_path_factory.mktemp("store") / "p.pot"
    path.write_text(text[:cut])
    with pytest.raises(InputError, match=str(path)):
        load(path)


def test_line_ends_of_other_systems(text, tmp_path):
    (tmp_path / "p.pot").write_bytes(text.replace("\n", "\r\n").encode())
    assert load(tmp_path / "p.pot").fingerprint == make().fingerprint


def test_species_that_contradict_the_file(text, refused):
    assert "not O H" in refused(text, species=("O", "H"))


def test_missing_and_binary(tmp_path):
    (tmp_path / "b.pot").write_bytes(HEADER.encode() + b"\n\xff\xfe\x00")
    with pytest.raises(InputError, match=r"b\.pot: not a text file"):
        load(tmp_path / "b.pot")
    with pytest.raises(InputError, match=r"none\.pot: no such file"):
        load(tmp_path / "none.pot")


def test_what_load_could_not_bring_back_is_not_saved(tmp_path):
    class Derived(MomentTensorPotential):
        """As `mtp` files have it, but for its class."""

    class Unknown(ZBL):
        kind = "unknown"

    derived = Derived(**vars(MomentTensorPotential.random(2, SPECIES)))
    for potential, kind in ((derived, "mtp"), (Unknown(SPECIES), "unknown"), (Sum((derived, ZBL(SPECIES))), "mtp")):
        with pytest.raises(InputError, match=rf"p\.pot: .* cannot be saved: '{kind}' is not its name"):
            potential.save(tmp_path / "p.pot")
    assert not list(tmp_path.iterdir())


def test_fingerprints_follow_what_decides_the_results():
    potential = make()
    assert potential.fingerprint == make().fingerprint == potential.with_reference("PBE").fingerprint
    terms = potential.terms
    others = [
        make(seed=1),
        make(cutoff=4.9),
        Sum(terms[::-1]),
        Sum((terms[0], ZBL(SPECIES, reach=0.71))),
        Sum((*terms, ZBL(SPECIES, reach=0.7))),
        terms[0],
        terms[1],
    ]
    assert len({potential.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)
