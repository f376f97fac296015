"""Grades of a running simulation against those of the same configurations read from its file."""

import numpy as np
import pytest
from ase.build import bulk

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.dynamics import GradeMonitor, run_md
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.structures.charge import total_charge

SPECIES = ("Na", "Cl", "Ar")


def mixture(repeat, seed, charge):
    """Rock salt of a large lattice constant, a quarter of it argon."""
    atoms = bulk("NaCl", "rocksalt", a=6.5, cubic=True).repeat(repeat)
    rng = np.random.default_rng(seed)
    atoms.symbols[rng.permutation(len(atoms))[: len(atoms) // 4]] = "Ar"
    atoms.rattle(0.1, seed=seed)
    if charge:
        atoms.info["charge"] = charge
    return atoms


@pytest.fixture(scope="module")
def potential():
    return ModelSpec(level=2, cutoff=4.0, radial_basis_size=2, scaling=1e-3, charges="qrd").random(SPECIES, 1)


@pytest.mark.parametrize("charge", [0, 1, -2])
@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
@pytest.mark.parametrize("terms", [(), ("mtp",)], ids=["all", "mtp"])
# Ewald's sum and the mesh
@pytest.mark.parametrize("repeat", [(2, 1, 1), (4, 2, 2)], ids=["16 atoms", "128 atoms"])
def test_a_saved_configuration_has_the_grade_of_the_run(potential, charge, mode, terms, repeat, tmp_path):
    seen = [mixture((1, 1, 1), seed, charge) for seed in range(4)]
    active_set = ActiveSet.build(potential, seen, mode, terms=terms)
    run = run_md(
        mixture(repeat, 9, charge),
        potential,
        ensemble="npt",
        temperature=300,
        time_ps=0.006,
        monitors=[GradeMonitor(active_set, save=1e-12, break_=1e12, every=2)],
        directory=tmp_path,
        progress=False,
    )
    assert run.completed
    stored = read_configurations(tmp_path / "saved.xyz")
    assert len(stored) == len(run.saved) == 4
    volumes = {round(atoms.get_volume(), 6) for atoms in stored}
    assert len(volumes) == 4
    for atoms, (_, grade, _) in zip(stored, run.saved, strict=True):
        assert total_charge(atoms) == charge
        assert active_set.grade(atoms) == pytest.approx(grade, rel=1e-5)
    if not terms:
        atoms.info["charge"] = charge + 1
        assert abs(active_set.grade(atoms) / grade - 1) > 1e-3  # it depends on the total charge
