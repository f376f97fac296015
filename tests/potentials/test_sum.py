"""Terms that add: species, names of blocks, training and isolated atoms."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, Sum
from electrolyte_ml.potentials.blocks import linear_mask, slices
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.potentials.sum import named_terms, sum_of
from electrolyte_ml.training import Loss, TrainingSet, Weights, solve_linear, train

SPECIES = ("H", "O")


def mtp(level=4, seed=0, **options):
    return MomentTensorPotential.random(level, SPECIES, seed=seed, **({"cutoff": 4.0} | options))


@pytest.fixture
def both():
    return Sum((mtp(), mtp(2, seed=1, cutoff=3.0), ZBL(SPECIES)))


def labelled(atoms, potential):
    result = potential.evaluate(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces)
    return atoms


@pytest.fixture
def boxes(liquid):
    return [liquid(8, SPECIES, seed) for seed in range(6)]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "two or more terms"),
        ((mtp(),), "two or more terms"),
        ((mtp(), Sum((mtp(), ZBL(SPECIES)))), "none of them a sum"),
        ((mtp(), ZBL(("O", "H"))), "terms of different species cannot be added: H O and O H"),
        ((mtp(), ZBL(("H", "O", "C"))), "terms of different species cannot be added: H O and H O C"),
    ],
)
def test_what_does_not_add(terms, message):
    with pytest.raises(InputError, match=message):
        Sum(terms)


def test_blocks_are_named_by_their_terms(both):
    assert [block.name for block in both.blocks] == [
        "mtp1.radial", "mtp1.shifts", "mtp1.moments", "mtp2.radial", "mtp2.shifts", "mtp2.moments",
    ]  # fmt: skip
    alone = Sum((ZBL(SPECIES), mtp()))
    assert [block.name for block in alone.blocks] == ["mtp.radial", "mtp.shifts", "mtp.moments"]
    assert both.cutoff == 4.0 and both.species == SPECIES
    for (block, place), (term, k) in zip(slices(both.blocks), [(t, k) for t in (0, 1) for k in range(3)]):
        assert both.terms[term].blocks[k]._replace(name=block.name) == block
        start = sum(b.size for b in both.terms[term].blocks[:k]) + term * both.terms[0].n_parameters
        assert (place.start, place.stop) == (start, start + block.size)


def test_values_are_sums(both, boxes):
    for box in boxes[:2]:
        result, parts = both.evaluate(box), [term.evaluate(box) for term in both.terms]
        assert result.energy == pytest.approx(sum(part.energy for part in parts), rel=1e-13)
        forces = sum(part.forces for part in parts)
        assert np.abs(result.forces - forces).max() < 1e-12 * np.abs(forces).max()
        rows = np.concatenate([term.site_energy_gradients(box) for term in both.terms], axis=1)
        assert np.abs(both.site_energy_gradients(box) - rows).max() < 1e-12 * np.abs(rows).max()
        assert both.energy_gradient(box) == pytest.approx(
            np.concatenate([term.energy_gradient(box) for term in both.terms]), rel=1e-10, abs=1e-10
        )


def test_precision_of_all_terms(both):
    double = Sum((mtp(), mtp(2, seed=1)))
    assert {term.precision for term in double.with_precision("mixed").terms} == {"mixed"}
    assert both.with_precision("mixed").terms[0].precision == "mixed"  # the other term is always in double precision
    with pytest.raises(InputError, match="zbl has no mixed precision"):
        Sum((both.terms[2], both.terms[2])).with_precision("mixed")


def test_kept_predictions_are_right_after_parameters_moved(both, boxes):
    """Of one term, of the other, of both, and back again; nobody can change what is kept."""
    geometries, rng = [both.geometry(box) for box in boxes], np.random.default_rng(0)
    term, theta = both.prepare(geometries), both.parameters
    first = both.terms[0].n_parameters
    moved = [theta.copy() for _ in range(4)]
    moved[0][:first] += 0.1 * rng.normal(size=first)
    moved[1][first:] += 0.1 * rng.normal(size=len(theta) - first)
    moved[2] += 0.1 * rng.normal(size=len(theta))
    for parameters in (theta, *moved, theta, moved[1], moved[1]):
        given = parameters.copy()
        found, fresh = term.predict(given), both.prepare(geometries).predict(parameters)
        for value, expected in zip(found, fresh, strict=True):
            assert np.array_equal(value, expected)
            value[:] = np.nan  # an array of the caller's own
        given += 1.0  # and so is this one
    part = term.subset([4, 1]).predict(moved[3])
    expected = both.prepare([geometries[4], geometries[1]]).predict(moved[3])
    assert all(np.array_equal(value, wanted) for value, wanted in zip(part, expected, strict=True))


def test_only_the_term_that_moved_is_predicted_again(both, boxes, monkeypatch):
    term, theta = both.prepare([both.geometry(box) for box in boxes]), both.parameters
    calls = []
    for k, part in enumerate(term.terms):
        predict = part.predict
        monkeypatch.setattr(part, "predict", lambda *a, k=k, predict=predict: (calls.append(k), predict(*a))[1])
    term.predict(theta)
    theta[-1] += 1.0
    term.predict(theta)
    theta[0] += 1.0
    term.predict(theta)
    assert calls == [0, 1, 2, 1, 0]


def test_linear_parameters_of_all_terms_come_back(boxes):
    """From the nonlinear ones that made the labels; two terms' shifts are known as a sum only."""
    truth = Sum((mtp(), mtp(2, seed=1, cutoff=3.0)))
    data = TrainingSet([labelled(box, truth) for box in boxes], truth)
    loss, mask = Loss(truth, data, Weights(1.0, 0.01), 1), linear_mask(truth.blocks)
    forgotten = np.where(mask, 0.3, truth.parameters)
    solved = solve_linear(loss, forgotten)
    assert loss(solved)[0] < 1e-16 * loss(forgotten)[0]
    assert np.array_equal(solved[~mask], truth.parameters[~mask])


@pytest.mark.parametrize("method", ["default", "paper"])
@pytest.mark.parametrize("terms", [(mtp(), ZBL(SPECIES)), (ZBL(SPECIES), mtp()), (mtp(), mtp(2, seed=1, cutoff=3.0))])
def test_isolated_atoms_exactly(method, terms, boxes):
    """To the last bit, however many terms have shifts."""
    truth = mtp(seed=7)
    configurations = [labelled(box, truth) for box in boxes]
    for energies in ({"H": -13.587222780835477, "O": -432.2}, {"O": 0.1}):
        atoms = [Atoms(symbol, cell=[20] * 3, pbc=True) for symbol in energies]
        for atom, energy in zip(atoms, energies.values(), strict=True):
            atom.calc = SinglePointCalculator(atom, energy=energy, forces=np.zeros((1, 3)))
        result = train([*configurations, *atoms], Sum(terms), method=method, max_iterations=15, progress=False)
        for symbol, energy in energies.items():
            assert result.potential.evaluate(Atoms(symbol)).energy == energy
        assert result.history[-1][1] < result.history[0][1]


def test_a_specification_names_the_sum():
    spec = ModelSpec(level=4, cutoff=4.0, repulsion="zbl")
    made = spec.random(SPECIES, 5)
    assert isinstance(made, Sum) and [term.kind for term in made.terms] == ["mtp", "zbl"]
    assert np.array_equal(made.parameters, mtp(seed=5).parameters)
    assert Sum.from_spec(spec, SPECIES, 5).fingerprint == made.fingerprint
    assert isinstance(ModelSpec(level=4).random(SPECIES), MomentTensorPotential)
    with pytest.raises(InputError, match="not a sum"):
        Sum.from_spec(ModelSpec(level=4), SPECIES, 0)
    with pytest.raises(InputError, match="unknown kind of potential 'zlb': did you mean 'zbl'"):
        ModelSpec(repulsion="zlb").random(SPECIES)


def test_terms_are_found_by_name(both):
    assert list(named_terms(both)) == ["mtp1", "mtp2", "zbl"]
    assert list(named_terms(both.terms[0])) == ["mtp"]
    assert sum_of(both, ["mtp2"]) is both.terms[1]
    assert sum_of(both.terms[0], ["mtp"]) is both.terms[0]
    assert sum_of(both, ["zbl", "mtp1"]).parts() == (both.terms[0], both.terms[2])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "name one of the terms mtp1, mtp2, zbl"),
        (["mtp"], "there is no term 'mtp': the potential consists of mtp1, mtp2, zbl"),
    ],
)
def test_terms_that_a_sum_has_not(both, names, message):
    with pytest.raises(InputError, match=message):
        sum_of(both, names)
