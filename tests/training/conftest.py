"""Small labelled sets: what another potential says of random liquids."""

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.potentials import MomentTensorPotential


def label(atoms, **results):
    """A copy with these labels."""
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(labelled, **results)
    return labelled


@pytest.fixture(scope="session")
def labelled():
    """`labelled(atoms, energy=..., forces=..., stress=...)`: a copy that carries them."""
    return label


@pytest.fixture(scope="session")
def truth():
    """The potential that labels: low level, two species."""
    return MomentTensorPotential.random(4, ("H", "O"), seed=7, cutoff=4.0)


@pytest.fixture(scope="session")
def data(liquid, truth):
    """`data(n, noise=0, size=8, seed=0)`: n liquids labelled by `truth`, with noise added if there is to be any."""

    def make(n, noise=0.0, size=8, seed=0):
        rng, made = np.random.default_rng(seed), []
        for k in range(n):
            atoms = liquid(size, ("H", "O"), seed + k)
            said = truth.evaluate(atoms)
            made.append(
                label(
                    atoms,
                    energy=said.energy + noise * rng.normal(),
                    forces=said.forces + noise * rng.normal(size=(size, 3)),
                    stress=said.stress + noise / 100 * rng.normal(size=6),
                )
            )
        return made

    return make


@pytest.fixture
def start():
    """A random start of the same model as `truth`."""
    return MomentTensorPotential.random(4, ("H", "O"), seed=0, cutoff=4.0)
