"""The loss of eq. (10), its data and their labels, errors."""

import warnings

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.mtp import twin
from electrolyte_ml.training import Loss, TrainingSet, Weights, evaluate_errors


def make(configurations, potential, *weights, threads=None):
    return Loss(potential, TrainingSet(configurations, potential), Weights(*weights), threads)


def test_loss_by_hand(data, start):
    """Eq. (10) in NumPy with the twin's energies, forces and virials, averaged over the configurations."""
    configurations = [*data(2, noise=0.1, size=7), *data(1, noise=0.1, size=5, seed=9)]
    w_e, w_f, w_s = 1.3, 0.2, 0.05
    total = 0.0
    for atoms in configurations:
        said, n, volume = twin.evaluate(start, atoms), len(atoms), atoms.get_volume()
        total += w_e / n * (said.energy - atoms.get_potential_energy()) ** 2
        total += w_f * ((said.forces - atoms.get_forces()) ** 2).sum()
        virial = (said.virial + said.virial.T) / 2
        total += w_s / n * ((virial - volume * atoms.get_stress(voigt=False)) ** 2).sum()
    value, _ = make(configurations, start, w_e, w_f, w_s)(start.parameters)
    assert value == pytest.approx(total / 3, rel=1e-11)


def test_zero_for_the_potential_that_labelled(data, truth):
    value, gradient = make(data(3), truth, 1, 1, 1)(truth.parameters)
    assert value < 1e-20 and np.abs(gradient).max() < 1e-8


@pytest.mark.parametrize("missing", ["energy", "forces", "stress"])
def test_missing_labels_take_no_part(missing, data, labelled, start):
    """Both value and gradient are those of a loss in which only the labelled residuals are summed."""
    full = data(4, noise=0.1)
    some = [
        labelled(a, **{k: v for k, v in a.calc.results.items() if k != missing}) if k % 2 else a
        for k, a in enumerate(full)
    ]
    weights = {"energy": (1.0, 0, 0), "forces": (0, 0.01, 0), "stress": (0, 0, 0.1)}
    value, gradient = make(some, start, 1.0, 0.01, 0.1)(start.parameters)
    value_full, gradient_full = make(full, start, 1.0, 0.01, 0.1)(start.parameters)
    value_gone, gradient_gone = make(full[1::2], start, *weights[missing])(start.parameters)
    assert value == pytest.approx(value_full - value_gone / 2, rel=1e-10)
    assert np.abs(gradient - gradient_full + gradient_gone / 2).max() < 1e-11 * np.abs(gradient_full).max()


def test_labels_of_none_are_missing(data, labelled, start):
    (full,) = data(1)
    less = labelled(full, forces=full.get_forces())
    less.calc.results.update(energy=None, stress=None)
    errors = evaluate_errors(start, [less])
    assert np.isnan(errors.energy_rmse) and np.isnan(errors.stress_rmse) and errors.force_rmse > 0


def test_stress_needs_a_volume(data, labelled, start):
    """A cluster has none: a stress that a program wrote for it nevertheless is not used."""
    (full,) = data(1)
    cluster = full.copy()
    cluster.pbc = (True, True, False)
    cluster = labelled(cluster, energy=1.0, stress=np.ones(6))
    loss = make([cluster], start, 1, 0, 1)
    assert loss(start.parameters)[0] == pytest.approx(make([cluster], start, 1, 0, 0)(start.parameters)[0], rel=1e-14)
    assert np.isnan(evaluate_errors(start, [cluster]).stress_rmse)


def test_stress_as_a_matrix_or_six_numbers(data, labelled, start):
    full = data(1, noise=0.1)
    matrix = [labelled(a, **{**a.calc.results, "stress": a.get_stress(voigt=False)}) for a in full]
    assert make(full, start, 0, 0, 1)(start.parameters)[0] == make(matrix, start, 0, 0, 1)(start.parameters)[0]


@pytest.mark.parametrize("weights", [(-1, 0.01, 0), (0, 0, 0), (float("nan"), 1, 0), (1, float("inf"), 0)])
def test_weights_that_make_no_sense(weights):
    with pytest.raises(InputError, match="weights"):
        Weights(*weights)


BAD = {
    "not finite": lambda atoms: atoms.calc.results["forces"].__setitem__((3, 1), np.nan),
    "its energy label is not finite": lambda atoms: atoms.calc.results.update(energy=np.inf),
    "its stress label is not finite": lambda atoms: atoms.calc.results.update(stress=np.full(6, np.nan)),
    r"its forces label has shape \(7, 3\), need \(8, 3\)": lambda atoms: atoms.calc.results.update(
        forces=np.zeros((7, 3))
    ),
    r"its energy label has shape \(2,\)": lambda atoms: atoms.calc.results.update(energy=np.zeros(2)),
    r"its stress label has shape \(5,\)": lambda atoms: atoms.calc.results.update(stress=np.zeros(5)),
    "neither energy nor forces": lambda atoms: setattr(atoms, "calc", None),
    "is C, but the potential has only the species H O": lambda atoms: atoms.numbers.__setitem__(2, 6),
    "atoms 1 and 2 overlap": lambda atoms: atoms.positions.__setitem__(1, atoms.positions[0] + 0.05),
    "the position of atom 5 is not finite": lambda atoms: atoms.positions.__setitem__((4, 0), np.nan),
    "has no atoms": lambda atoms: atoms.__delitem__(slice(None)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_configurations_are_named(message, data, start):
    """By their number, counted from one, in training and in evaluation."""
    configurations = data(3)
    BAD[message](configurations[1])
    with pytest.raises(InputError, match=f"^configuration 2: .*{message}"):
        TrainingSet(configurations, start)
    with pytest.raises(InputError, match=f"^configuration 2: .*{message}"):
        evaluate_errors(start, configurations)


def test_nothing_to_train_on(start):
    with pytest.raises(InputError, match="no configurations"):
        TrainingSet([], start)


def test_subset_is_a_set_of_those_configurations(data, labelled, start):
    """Whatever is missing in them."""
    full = data(5, noise=0.1)
    full[1] = labelled(full[1], energy=2.0)
    full[2] = labelled(Atoms("O"), energy=1.5)
    full[3].pbc = False
    full[3] = labelled(full[3], forces=full[3].positions)
    everything = TrainingSet(full, start)
    for numbers in ([0], [2], [3, 1], [1, 2, 4], range(5)):
        subset, direct = everything.subset(numbers), TrainingSet([full[k] for k in numbers], start)
        assert vars(subset).keys() == vars(direct).keys()
        for name, value in vars(direct).items():
            if name in ("term", "digest"):
                continue
            exact = name != "virials"  # divided and multiplied by the volume
            compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
            compare(getattr(subset, name), value, **({} if exact else {"rtol": 1e-14}), err_msg=name)
        assert subset.digest == direct.digest
        assert vars(subset.term).keys() == vars(direct.term).keys()
        for name in ("first", "owner", "counts", "ranges"):
            np.testing.assert_array_equal(getattr(subset.term, name), getattr(direct.term, name), err_msg=name)
        for name, values in direct.term.near._asdict().items():
            np.testing.assert_array_equal(getattr(subset.term.near, name), values, err_msg=name)


def test_memory_is_that_of_the_pairs(data, start):
    """A direction and an index for every pair, a few numbers for every atom; no derivative of anything."""
    for n in (2, 6):
        held = TrainingSet(data(n, size=24), start)
        held_by_term = {id(array): array for array in (*vars(held.term).values(), *held.term.near)}
        arrays = [*vars(held).values(), *held_by_term.values()]
        size = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
        assert size <= 28 * held.term.near.vector.shape[1] + 100 * len(held.species) + 300 * n


def test_threads_change_nothing(data, start):
    configurations = data(9, noise=0.1)
    value, gradient = make(configurations, start, threads=1)(start.parameters)
    for threads in (2, 3):
        again = make(configurations, start, threads=threads)(start.parameters)
        assert again[0] == value and np.array_equal(again[1], gradient)


def test_order_of_configurations_is_rounding(data, start):
    configurations = data(7, noise=0.1)
    value, gradient = make(configurations, start, 1, 0.01, 0.1)(start.parameters)
    other, turned = make(configurations[::-1], start, 1, 0.01, 0.1)(start.parameters)
    assert other == pytest.approx(value, rel=1e-13)
    assert np.abs(turned - gradient).max() < 1e-12 * np.abs(gradient).max()


def test_errors_by_hand(data, start):
    """RMSE and MAE in NumPy over what the twin says; stress by its six components in GPa."""
    configurations = [*data(2, noise=0.1, size=6), *data(1, noise=0.1, size=5, seed=4)]
    energy, forces, stress = [], [], []
    for atoms in configurations:
        said = twin.evaluate(start, atoms)
        energy.append((said.energy - atoms.get_potential_energy()) / len(atoms))
        forces.append((said.forces - atoms.get_forces()).ravel())
        stress.append((said.stress - atoms.get_stress()) * 160.21766208)
    errors = evaluate_errors(start, configurations)
    assert errors.n_configurations == 3
    for name, parts in (("energy", [energy]), ("force", forces), ("stress", stress)):
        values = np.concatenate(parts)
        assert getattr(errors, f"{name}_rmse") == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-10)
        assert getattr(errors, f"{name}_mae") == pytest.approx(np.mean(np.abs(values)), rel=1e-10)
    assert f"{errors.force_rmse:.4f} eV/Å RMSE" in str(errors) and "GPa" in str(errors)


def test_errors_of_what_is_not_labelled(data, labelled, start):
    """NaN, without a warning, and not printed."""
    atoms = [labelled(a, energy=1.0) for a in data(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        errors = evaluate_errors(start, atoms)
    assert np.isnan([errors.force_rmse, errors.force_mae, errors.stress_rmse, errors.stress_mae]).all()
    assert "stress" not in str(errors) and "nan" not in str(errors)


def test_one_compiled_version_of_each_kernel(data, start):
    """However the set was made."""
    from electrolyte_ml.kernels import energy_forces, training_gradient
    from electrolyte_ml.kernels.arrays import Model

    held = TrainingSet(data(4), start)
    for part in (held, held.subset([0, 2]), held.subset([1])):
        Loss(start, part, Weights())(start.parameters)
    big = MomentTensorPotential.random(6, ("H", "O"), cutoff=4.0)
    Loss(big, TrainingSet(data(1), big), Weights())(big.parameters)
    assert len(training_gradient.training_gradient.signatures) == 1
    signatures = energy_forces.energy_forces.signatures  # and one in mixed precision, if it was asked for before
    models = [
        next(kind for kind in signature if getattr(kind, "instance_class", None) is Model) for signature in signatures
    ]
    precisions = [dict(zip(model.fields, model.types))["radial"].dtype for model in models]
    assert len(precisions) == len(set(precisions))
