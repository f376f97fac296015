"""Weights of configurations: twice the weight is twice the configuration, none is none."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import read_configurations, write_configurations
from electrolyte_ml.training import Loss, TrainingSet, Weights, solve_linear
from electrolyte_ml.training.loss import weighted_residuals
from electrolyte_ml.training.weights import configuration_weights

WEIGHTS = Weights(1.0, 0.02, 0.1)


def weighted(atoms, **info):
    copy = atoms.copy()
    copy.calc = atoms.calc
    copy.info.update(info)
    return copy


def loss_of(start, configurations):
    return Loss(start, TrainingSet(configurations, start), WEIGHTS)


def test_twice_the_weight_is_twice_the_configuration(data, start):
    first, second, third = data(3)
    heavy = loss_of(start, [weighted(first, config_weight=2.0), second, weighted(third, config_weight=0)])
    double = loss_of(start, [first, first, second])
    parameters = start.parameters + 0.01 * np.random.default_rng(0).normal(size=start.n_parameters)
    value, gradient = heavy(parameters)
    expected, slope = double(parameters)
    assert value == pytest.approx(expected, rel=1e-12)  # a mean over three either way
    assert gradient == pytest.approx(slope, rel=1e-9, abs=1e-12 * abs(slope).max())
    residuals = weighted_residuals(heavy, heavy.residuals(parameters))
    assert 0.5 * residuals @ residuals == pytest.approx(value, rel=1e-12)
    assert heavy.rows()[2] == 0
    solved, likewise = (solve_linear(loss, parameters) for loss in (heavy, double))
    assert heavy.value(heavy.residuals(solved)) == pytest.approx(double.value(double.residuals(likewise)), rel=1e-9)


def test_labels_have_weights_of_their_own(data, start):
    (atoms,) = data(1)
    only = {
        "energy": weighted(atoms, config_forces_weight=0, config_virials_weight=0),
        "forces": weighted(atoms, config_energy_weight=0, config_stress_weight=0),
        "stress": weighted(atoms, config_energy_weight=0, config_forces_weight=0),
    }
    whole, _ = loss_of(start, [atoms])(start.parameters)
    parts = [loss_of(start, [one])(start.parameters)[0] for one in only.values()]
    assert sum(parts) == pytest.approx(whole, rel=1e-12) and min(parts) > 0


def test_weights_are_read_from_files_in_both_formats(data, tmp_path):
    (atoms,) = data(1)
    for name, key in (("set.xyz", "config_weight"), ("set.cfg", "config_weight"), ("nep.xyz", "weight")):
        write_configurations(tmp_path / name, weighted(atoms, **{key: 0.25}))
        (read,) = read_configurations(tmp_path / name)
        assert configuration_weights(read).tolist() == [0.25] * 3


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"config_weight": -1.0}, "configuration 2: its config_weight must be a number from 0 on, not -1.0"),
        ({"weight": float("nan")}, "configuration 2: its weight must be"),
        ({"config_weight": "heavy"}, "not 'heavy'"),
        ({"config_weight": 1.0, "weight": 2.0}, "it has two weights: config_weight 1 and weight 2"),
    ],
)
def test_weights_that_make_no_sense_are_refused(data, start, info, message):
    first, second = data(2)
    with pytest.raises(InputError, match=message):
        TrainingSet([first, weighted(second, **info)], start)
