import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.training import evaluate_errors, predict

POTENTIAL = MomentTensorPotential.random(6, ("H", "O"), seed=3)


def labelled(seed):
    rng = np.random.default_rng(seed)
    atoms = Atoms("OHHO", positions=rng.uniform(0, 4, (4, 3)) + 3 * np.arange(4)[:, None])
    atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=rng.normal(size=(4, 3)))
    return atoms


def test_differences_are_the_errors_of_the_fit():
    configurations = [labelled(seed) for seed in range(3)]
    said, errors = predict(POTENTIAL, configurations), evaluate_errors(POTENTIAL, configurations)
    assert np.sqrt(np.mean((said.energies - said.reference_energies) ** 2)) == pytest.approx(errors.energy_rmse)
    assert np.sqrt(np.mean((said.forces - said.reference_forces) ** 2)) == pytest.approx(errors.force_rmse)
    assert said.forces.shape == (12, 3)


def test_missing_labels_are_named():
    with pytest.raises(InputError, match="configuration 1: it has no energy"):
        predict(POTENTIAL, [labelled(0), Atoms("O")])
    with pytest.raises(InputError, match="no configurations"):
        predict(POTENTIAL, [])
