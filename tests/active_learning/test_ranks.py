"""Parameters that belong to one species, and their rank."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.active_learning.ranks import SpeciesBlocks, rank
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.spec import ModelSpec


@pytest.mark.parametrize(("level", "radial_functions"), [(6, 2), (8, 2), (10, 3)])
def test_blocks_of_a_moment_tensor_potential(level, radial_functions):
    """S R n radial coefficients and a shift for each species; with one species all parameters less R (R + 1) / 2."""
    species = ("H", "Li", "O")
    blocks = SpeciesBlocks.of(MomentTensorPotential.random(level, species))
    size = 3 * radial_functions * 8 + 1
    assert blocks.attainable == dict.fromkeys(species, size)
    for k, name in enumerate(species):
        radial = np.arange(k * (size - 1), (k + 1) * (size - 1))
        assert blocks.columns[name].tolist() == [*radial, 3 * (size - 1) + k]
    one = MomentTensorPotential.random(level, ("Ar",))
    assert SpeciesBlocks.of(one).attainable == {"Ar": one.n_parameters - radial_functions * (radial_functions + 1) // 2}


def test_charges_are_no_parameters_of_one_species_alone():
    with_charges = ModelSpec(level=4, charges="qrd").random(("C", "O"), 0)
    without = ModelSpec(level=4).random(("C", "O"), 0)
    assert SpeciesBlocks.of(with_charges).attainable == SpeciesBlocks.of(without).attainable


def test_the_rank_counts_neighbourhoods_that_differ():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 12)) * rng.uniform(1, 100, 12)
    assert rank(rows) == 5
    assert rank(np.concatenate([rows, 3.0 * rows[:2], np.zeros((4, 12))])) == 5
    assert rank(np.zeros((3, 12))) == 0


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_an_active_set_knows_the_ranks_of_its_species(mode):
    """One Xe in each of four cells: four rows of it. Of Ar there are seven in each."""
    potential = MomentTensorPotential.random(4, ("Ar", "Xe"), cutoff=5.0, min_distance=2.0, radial_basis_size=4)
    cells = []
    for seed in range(4):
        positions = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3) * 3.5
        cells.append(Atoms("XeAr7", positions, cell=[7.0] * 3, pbc=True))
        cells[-1].rattle(0.3, seed=seed)
    ranks = ActiveSet.build(potential, cells, mode).species_ranks()
    # R = 1: 2 species of 4 radial coefficients, and a shift. Xe sees no Xe within 5 Å.
    assert ranks["Xe"] == (4, 9)
    assert ranks["Ar"] == ((4 if mode == "configuration" else 9), 9)
