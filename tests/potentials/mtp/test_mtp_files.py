"""`.mtp` files: to and from disk bit by bit, other programs' tables, and every way in which a file can be wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Basis, MomentTensorPotential, load, write_mtp


def make(**changes) -> MomentTensorPotential:
    return MomentTensorPotential.random(**({"level": 6, "species": ("H", "O"), "radial_basis_size": 3} | changes))


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("mtp") / "p.mtp"
    make().save(path)
    return path.read_text()


@given(
    level=st.sampled_from([2, 4, 8, 12]),
    species=st.lists(st.sampled_from(["H", "Li", "C", "O", "F", "P"]), min_size=1, max_size=4, unique=True),
    size=st.integers(1, 10),
    seed=st.integers(0, 2**32 - 1),
    cutoff=st.floats(2.0, 12.0),
    low=st.floats(0.0, 1.9),
    scaling=st.floats(1e-6, 1e3),
    exponent=st.integers(-300, 300),
    reference=st.sampled_from([None, "GFN1-xTB", "PBE-D3(0)", "50 % PBE = half; ½"]),
)
@settings(max_examples=40, deadline=None)
def test_round_trip_is_exact(tmp_path_factory, level, species, size, seed, cutoff, low, scaling, exponent, reference):
    potential = MomentTensorPotential.random(
        level, species, seed=seed, cutoff=cutoff, min_distance=low, radial_basis_size=size, scaling=scaling
    )
    potential.moments[0] *= 10.0**exponent
    potential.reference = reference
    path = tmp_path_factory.mktemp("mtp") / "p.mtp"
    potential.save(path)
    back = load(path)
    assert np.array_equal(back.parameters, potential.parameters)
    assert (back.cutoff, back.min_distance, back.scaling) == (cutoff, low, scaling)
    assert (back.species, back.level, back.reference) == (tuple(species), level, reference)
    assert back.basis is potential.basis and back.fingerprint == potential.fingerprint


def test_tag_survives_readers_that_split_at_spaces_and_equals_signs(tmp_path):
    potential = make()
    potential.reference = "PBE D3 = zero"
    potential.save(tmp_path / "p.mtp")
    line = next(line for line in (tmp_path / "p.mtp").read_text().splitlines() if line.startswith("potential_tag"))
    value = line.removeprefix("potential_tag = ")
    assert value and " " not in value and "=" not in value


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_truncated_anywhere(text, tmp_path_factory, data):
    """Cut after any character: refused, unless all that is lost is the last line's end."""
    cut = data.draw(st.integers(0, len(text.rstrip()) - 1))
    path = tmp_path_factory.mktemp("mtp") / "p.mtp"
    path.write_text(text[:cut])
    with pytest.raises(InputError, match="line [0-9]+: "):
        load(path)


def test_truncated_after_every_line(text, refused):
    lines = text.splitlines(keepends=True)
    for n in range(len(lines)):
        assert "line " in refused("".join(lines[:n]))


def test_every_line_left_out(text, refused):
    lines = text.splitlines(keepends=True)
    for n, line in enumerate(lines):
        if not line.startswith("scaling"):
            assert "line " in refused("".join(lines[:n] + lines[n + 1 :]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MTP\n", "MTP1\n", "line 1: not an MTP file"),
        ("version = 1.1.0", "version = 2.0", "line 2: version 2.0 is not supported"),
        ("RBChebyshev", "RBShapeev", "line 7: radial basis 'RBShapeev' is not supported, only RBChebyshev"),
        ("RBChebyshev", "RBChebyshev_repuls", "line 7: radial basis 'RBChebyshev_repuls' is not supported"),
        ("species_count = 2", "species_count = two", "line 5: species_count = 'two' is not a number"),
        ("species_count = 2", "species_count = 0", "line 5: species_count = 0 is out of range"),
        ("species_count = 2", "species_count = 3", "expected the next of 9 species pairs"),
        ("species_count = 2", "species_count = 99999999999", "species pairs"),
        ("species_count = 2", "species_count = 1", "expected .*alpha_moments_count"),
        ("max_dist = 5.0", "max_dist = inf", "line 9: max_dist = inf is out of range"),
        ("max_dist = 5.0", "max_dist = 0.5", "cutoff 0.5 Å must be above the minimal distance"),
        ("min_dist = 0.9", "min_dist = nan", "line 8: min_dist = nan is out of range"),
        ("radial_basis_size = 3", "radial_basis_size = 4", "line 14: radial_coeffs has 3 entries instead of 4"),
        ("radial_basis_size = 3", "radial_basis_size = 999999999999", "line 14: radial_coeffs has 3 entries"),
        ("radial_funcs_count = 2", "radial_funcs_count = 3", "line 16: radial_coeffs: the list is not closed"),
        ("radial_funcs_count = 2", "radial_funcs_count = 1", "line 15: expected the next of 4 species pairs"),
        ("\t\t0-1\n", "\t\t0-0\n", "line 16: expected the next of 4 species pairs"),
        ("\t\t0-1\n", "\t\t0-2\n", "line 16: expected the next of 4 species pairs"),
        ("\tradial_coeffs\n", "", "no radial coefficients: the potential is not trained"),
        ("alpha_index_basic_count = 5", "alpha_index_basic_count = 6", "alpha_index_basic has 5 entries instead of 6"),
        ("alpha_index_times_count = 5", "alpha_index_times_count = 4", "alpha_index_times has 5 entries instead of 4"),
        ("alpha_scalar_moments = 5", "alpha_scalar_moments = 6", "alpha_moment_mapping has 5 entries instead of 6"),
        ("{0, 1, 0, 0}", "{0, 1, 0, x}", "alpha_index_basic: not all entries are numbers"),
        ("{0, 1, 0, 0}", "{0, 1, 0, 0.5}", "alpha_index_basic: not all entries are numbers"),
        ("{0, 1, 0, 0}", "{0, 1, 0, 99999999999999999999}", "alpha_index_basic: not all entries are numbers"),
        ("{0, 1, 0, 0}", "{2, 1, 0, 0}", "alpha_index_basic has an entry out of range"),
        ("{0, 1, 0, 0}", "{0, -1, 0, 0}", "alpha_index_basic has an entry out of range"),
        ("{0, 1, 0, 0}", "{0, 0, 1, 0}", "alpha_index_basic has the same entry twice"),
        ("alpha_moments_count = 8", "alpha_moments_count = 7", "alpha_index_times has an index out of range"),
        ("species_coeffs = {", "species_coeffs = {1e400, ", "species_coeffs has 3 entries instead of 2"),
        ("moment_coeffs = {", "moment_coeffs = {nan}#", "moment_coeffs: the list is not closed"),
        ("potential_tag = species:H,O", "potential_tag =", "the file names no elements; give them .* --species H C O"),
        ("species:H,O", "species:H,C,O", "3 species given [(]H C O[)], the file has 2"),
        ("species:H,O", "species:H,Zz", "distinct chemical symbols"),
    ],
)
def test_wrong_in_one_place(text, refused, old, new, message):
    import re

    assert text.count(old) >= 1
    assert re.search(message, refused(text.replace(old, new, 1)))


def test_not_finite(text, refused):
    line = next(line for line in text.splitlines() if line.startswith("species_coeffs"))
    assert "an entry that is not finite" in refused(text.replace(line, "species_coeffs = {1.0, inf}"))


def test_binary_and_missing(tmp_path):
    (tmp_path / "b.mtp").write_bytes(b"MTP\n\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load(tmp_path / "b.mtp")
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.mtp")
    with pytest.raises(InputError, match="is a folder, not a file"):
        load(tmp_path)


def test_files_without_element_names(text, refused, tmp_path):
    foreign = text.replace("potential_tag = species:H,O", "potential_tag =")
    assert "--species" in refused(foreign)
    assert "3 species given" in refused(foreign, species=("H", "C", "O"))
    path = tmp_path / "p.mtp"
    path.write_text(foreign)
    assert load(path, species=["Li", "F"]).species == ("Li", "F")


def test_element_names_that_contradict_the_file(text, refused, tmp_path):
    assert "the species of the file are H O, not O H" in refused(text, species=("O", "H"))
    (tmp_path / "p.mtp").write_text(text)
    assert load(tmp_path / "p.mtp", species=("H", "O")).species == ("H", "O")


def test_older_files(text, tmp_path):
    """The scaling behind the radial basis, spaces and empty lines as other programs have them; none at all means 1."""
    path = tmp_path / "p.mtp"
    assert "scaling = 0.01\n" in text
    text = text.replace("scaling = 0.01\n", "")
    path.write_text(text.replace("\tmin_dist", "\tscaling = 2.5\n\tmin_dist").replace(", ", " , ").replace("=", " =  "))
    assert load(path).scaling == 2.5
    path.write_text(text.replace("\n", "\n\n"))
    assert load(path).scaling == 1.0
    path.write_text(text.replace("\n", "\r\n"))
    assert np.array_equal(load(path).parameters, make().parameters)


def shuffled(table: Basis, seed: int) -> Basis:
    """The same functions by other tables: nodes renumbered, products split and no longer grouped by target."""
    rng = np.random.default_rng(seed)
    n_basic = len(table.basic)
    basic_order = rng.permutation(n_basic)
    name = np.concatenate([np.argsort(basic_order), n_basic + rng.permutation(table.n_nodes - n_basic)])
    # Any order is good in which a node is complete before it is used: take at random among the products that may
    # stand now.
    waiting = [tuple(p) for p in table.products.tolist()]
    missing = {t: sum(p[3] == t for p in waiting) for t in {p[3] for p in waiting}}
    products = []
    while waiting:
        ready = [p for p in waiting if not missing.get(p[0]) and not missing.get(p[1])]
        product = ready[rng.integers(len(ready))]
        waiting.remove(product)
        missing[product[3]] -= 1
        left, right, factor, target = product
        parts = [factor] if factor == 1 else [1, factor - 1]
        products += [(name[right], name[left], part, name[target]) for part in parts]
    order = rng.permutation(table.n_scalars)
    return Basis(
        n_radial=table.n_radial, basic=table.basic[basic_order], products=np.array(products).reshape(-1, 4),
        scalars=name[table.scalars[order]], n_nodes=table.n_nodes, contractions=tuple(order),
    )  # fmt: skip


@pytest.mark.parametrize("level", [2, 8, 12, 14])
@pytest.mark.parametrize("seed", range(3))
def test_tables_of_other_programs(level, seed, tmp_path, liquid):
    own = MomentTensorPotential.random(level, ("H", "C", "O"), seed=seed)
    table = shuffled(own.basis, seed)
    order = np.array(table.contractions)
    foreign = MomentTensorPotential(
        basis=table, species=own.species, radial=own.radial, shifts=own.shifts, moments=own.moments[order]
    )
    write_mtp(tmp_path / "f.mtp", foreign)
    read = load(tmp_path / "f.mtp")
    assert read.level == level and (level == 2 or not read.basis.contractions)
    atoms = liquid(10, seed=seed)
    one, other = own.evaluate(atoms), read.evaluate(atoms)
    assert other.energies == pytest.approx(one.energies, rel=1e-12)
    assert other.forces == pytest.approx(one.forces, rel=1e-11, abs=1e-11 * abs(one.forces).max())
    gradient, expected = read.energy_gradient(atoms), own.energy_gradient(atoms)
    a = own.radial.size + 3
    assert gradient[:a] == pytest.approx(expected[:a], rel=1e-11, abs=1e-11 * abs(expected).max())
    assert gradient[a:] == pytest.approx(expected[a:][order], rel=1e-11, abs=1e-11 * abs(expected[a:]).max())


@pytest.mark.nojit
def test_scalars_that_other_nodes_use_and_repeated_scalars(liquid):
    """A table no level has: M3 = M0 M0 is a function twice, and a factor of M4 = 2 M3 M0 + 3 M1 M1."""
    basic = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 3]])
    products = np.array([[3, 0, 2, 4], [1, 1, 3, 4]])
    table = Basis(1, basic, np.vstack([[[0, 0, 1, 3]], products]), np.array([3, 4, 3, 2]), 5)
    potential = MomentTensorPotential(
        basis=table,
        species=("C",),
        radial=np.ones((1, 1, 1, 2)),
        shifts=[0.0],
        moments=np.array([0.5, 2.0, 0.25, -1.0]),
    )
    atoms = liquid(8, ("C",))
    rows = potential.site_energy_gradients(atoms)[:, -4:]
    near = potential.geometry(atoms).near
    r = np.linalg.norm(near.vector, axis=0)
    u = near.vector / r
    f = 0.01 * (5 - r) ** 2 * (1 + (2 * r - 5.9) / 4.1)
    site = np.repeat(np.arange(8), np.diff(near.segment[:, [0, -1]], axis=1)[:, 0])
    m0, m1, m2 = (np.bincount(site, f * q) for q in (np.ones_like(r), u[0], u[2] ** 3))
    expected = np.stack([m0**2, 2 * m0**3 + 3 * m1**2, m0**2, m2], axis=1)
    assert rows == pytest.approx(expected, rel=1e-12)
    assert potential.evaluate(atoms).energies == pytest.approx(expected @ potential.moments, rel=1e-12)


@pytest.mark.parametrize(
    ("products", "scalars", "message"),
    [
        ([[0, 0, 1, 2], [2, 2, 1, 3], [0, 1, 1, 2]], [3], "node 2 is used before it is complete"),
        ([[0, 3, 1, 2]], [2], "node 3 is used but never defined"),
        ([[0, 0, 1, 2]], [3], "scalar 0 maps to node 3, which is never defined"),
        ([[2, 0, 1, 2]], [2], "node 2 is used before it is complete"),
    ],
)
def test_tables_that_cannot_be_evaluated(products, scalars, message, tmp_path):
    table = Basis(1, np.array([[0, 0, 0, 0], [0, 1, 0, 0]]), np.array(products), np.array(scalars), 4)
    potential = MomentTensorPotential(
        basis=table, species=("C",), radial=np.ones((1, 1, 1, 2)), shifts=[0.0], moments=np.ones(1)
    )
    write_mtp(tmp_path / "p.mtp", potential)
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path / "p.mtp")
    assert str(tmp_path / "p.mtp") in str(error.value)
