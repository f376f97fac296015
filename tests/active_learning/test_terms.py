"""Rows of all terms of a potential and of some of them: what charges add to the grade."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, Sum
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.structures import molecule

SPECIES = ("H", "C", "O")
APART = 14.0  # Å between the centres of molecules: beyond the cutoff of the short-ranged term
MODES = ["configuration", "neighbourhood"]


@pytest.fixture(scope="module")
def molecules():
    """Eight geometries of each molecule."""

    def shaken(name, seed):
        atoms = molecule(name)
        atoms.rattle(0.05, seed=seed)
        atoms.positions -= atoms.positions.mean(axis=0)
        return atoms

    return {name: [shaken(name, seed) for seed in range(8)] for name in ("EC", "EMC")}


@pytest.fixture(scope="module")
def rows_of(molecules):
    """Build cells of molecules in a row, drawn from the eight of each: `rows_of("EC EC EMC", n, seed)`."""

    def build(names, count, seed):
        cells = []
        for k in range(count):
            rng, atoms = np.random.default_rng([seed, k]), Atoms(pbc=True)
            for place, name in enumerate(names.split()):
                drawn = molecules[name][rng.integers(8)].copy()
                drawn.positions += [APART * place, 0, 0]
                atoms += drawn
            atoms.set_cell([APART * len(names.split()), APART, APART])
            cells.append(atoms)
        return cells

    return build


@pytest.fixture(scope="module")
def seen(rows_of):
    """Twelve cells of two EC and one EMC, in which each of the 16 geometries occurs."""
    return rows_of("EC EC EMC", 12, 0)


@pytest.fixture(scope="module")
def charged():
    return ModelSpec(level=4, cutoff=4.0, radial_basis_size=3, charges="qrd").random(SPECIES, 1)


@pytest.fixture(scope="module")
def active_sets(charged, seen):
    return {
        (mode, terms): ActiveSet.build(charged, seen, mode, terms=terms) for mode in MODES for terms in ((), ("mtp",))
    }


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_one_term_are_those_of_the_term_alone(charged, active_sets, seen, mode):
    ours, alone = active_sets[mode, ("mtp",)], ActiveSet.build(charged.terms[0], seen, mode)
    assert np.array_equal(ours.result.matrix, alone.result.matrix)
    assert np.array_equal(ours.result.index, alone.result.index)
    assert ours.active.tolist() == alone.active.tolist()
    strange = seen[0].copy()
    strange.rattle(0.1, seed=5)
    assert ours.grade(strange) == alone.grade(strange) > 2
    assert ours.select([seen[1], strange]).tolist() == alone.select([seen[1], strange]).tolist() == [1]


@pytest.mark.parametrize("names", ["EC EMC EMC", "EC EC EC EC EC EMC EMC EMC"])
def test_only_charges_tell_another_ratio_of_the_same_neighbourhoods(active_sets, rows_of, names):
    """Every atom has the surroundings of an atom of the set; the charges of its species are not those of the set."""
    blind, seeing = (active_sets["neighbourhood", terms] for terms in (("mtp",), ()))
    for atoms in rows_of(names, 2, 1):
        assert blind.grade(atoms) <= 1.001 * (1 + 1e-6)
        assert seeing.grade(atoms) > 1e4
    for atoms in rows_of("EC EC EMC", 2, 1):
        assert seeing.grade(atoms) < 2


@pytest.mark.parametrize("mode", MODES)
def test_only_charges_tell_another_total_charge(active_sets, seen, mode):
    ion = seen[0].copy()
    ion.info["charge"] = 1
    blind, seeing = (active_sets[mode, terms] for terms in (("mtp",), ()))
    assert blind.grade(ion) == blind.grade(seen[0]) <= 1.001 * (1 + 1e-6)
    assert seeing.grade(ion) > 1e4


def test_ranks_count_what_a_set_fixes_of_each_term(charged, active_sets, seen, rows_of):
    """One ratio fixes S - 1 = 2 of the 2 S - 2 = 4 directions of the charges, a second one the rest."""
    ranks = active_sets["neighbourhood", ()].ranks()
    mtp = active_sets["neighbourhood", ("mtp",)]
    assert list(ranks) == ["mtp", "qrd"]
    assert ranks["qrd"] == (2, 4)
    assert ranks["mtp"][1] == charged.terms[0].n_parameters
    assert mtp.ranks() == {"mtp": (len(mtp.result.selected), charged.terms[0].n_parameters)}
    wider = ActiveSet.build(charged, [*seen, *rows_of("EC EMC EMC", 4, 0)], "neighbourhood")
    assert wider.ranks()["qrd"] == (4, 4)
    # No row of A stands for a gauge direction: moves along one change no energy.
    assert len(wider.result.selected) <= charged.n_parameters - len(charged.gauge_directions)
    assert max(map(wider.grade, rows_of("EC EC EC EC EC EMC EMC EMC", 2, 1))) < 10


@pytest.mark.parametrize("terms", [(), ("mtp",), ("qrd", "mtp")])
def test_a_stored_set_says_which_rows_it_has(charged, seen, terms, tmp_path):
    active_set = ActiveSet.build(charged, seen[:4], terms=terms)
    active_set.save(tmp_path / "set.npz")
    loaded = ActiveSet.load(tmp_path / "set.npz", charged)
    assert loaded.terms == terms
    assert loaded.ranks() == active_set.ranks()
    assert loaded.grade(seen[5]) == pytest.approx(active_set.grade(seen[5]), rel=1e-6)


def test_a_set_of_the_format_before_has_rows_of_all_terms(charged, seen, tmp_path):
    active_set = ActiveSet.build(charged, seen[:4])
    active_set.save(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as archive:
        content = {key: archive[key] for key in archive.files if key != "terms"}
    content["format"] = np.array("electrolyte_ml active set 1")
    np.savez(tmp_path / "former.npz", **content)
    loaded = ActiveSet.load(tmp_path / "former.npz", charged)
    assert loaded.terms == () and loaded.grade(seen[5]) == pytest.approx(active_set.grade(seen[5]), rel=1e-6)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (("qdr",), "there is no term 'qdr': the potential consists of mtp, qrd, zbl"),
        (("mtp", "coulomb"), "there is no term 'coulomb'"),
        (("zbl",), "zbl has no parameters"),
    ],
)
def test_terms_that_give_no_rows_are_refused(charged, seen, terms, message):
    potential = Sum((*charged.terms, ZBL(SPECIES)))
    with pytest.raises(InputError, match=message):
        ActiveSet.build(potential, seen[:2], terms=terms)
