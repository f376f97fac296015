"""Heavy hydrogen: masses, and runs with them."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.lj import LennardJones

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.masses import exchange_masses, heavy_hydrogen_masses
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import density, pack, read_configurations


@pytest.fixture(scope="module")
def box():
    return pack({"EC": 1, "EMC": 1, "LiPF6": 1}, density=0.8, seed=0)


def weak():
    return LennardJones(sigma=1.0, epsilon=1e-4, rc=3.0, smooth=True)


def run(box, **options):
    settings = {"ensemble": "nvt", "temperature": 300, "timestep_fs": 0.5, "time_ps": 0.02, "progress": False}
    return run_md(box, weak(), **(settings | {"hydrogen_mass": 3.0, "log_interval_fs": 1.0} | options))


def test_mass_moves_along_bonds_and_none_is_lost(box):
    masses, own = heavy_hydrogen_masses(box, 3.0), box.get_masses()
    assert masses.sum() == pytest.approx(own.sum(), rel=1e-14)
    assert masses[box.numbers == 1] == pytest.approx(3.0)
    moved = own - masses
    # EC: two CH2; EMC: CH3, CH2, CH3.
    assert np.sort(np.round(moved[moved > 0] / 1.992).astype(int)).tolist() == [2, 2, 2, 3, 3]
    assert set(np.array(box.get_chemical_symbols())[moved > 0]) == {"C"}


def test_masses_do_not_depend_on_the_periodic_image(box):
    wrapped = box.copy()
    wrapped.positions += 3.7
    wrapped.wrap()
    assert np.array_equal(heavy_hydrogen_masses(wrapped, 3.0), heavy_hydrogen_masses(box, 3.0))


def test_masses_moved_once_are_not_moved_again(box):
    heavy = box.copy()
    heavy.set_masses(heavy_hydrogen_masses(box, 3.0))
    assert np.array_equal(heavy_hydrogen_masses(heavy, 3.0), heavy.get_masses())


def test_a_hydrogen_bond_gives_no_mass():
    """Two water molecules, O...H 1.6 Å: each O gives up the mass of its own two hydrogens."""
    water = molecule("H2O")
    donor = water.positions[1] - water.positions[0]
    other = water.copy()
    other.positions += water.positions[1] + 1.6 * donor / np.linalg.norm(donor) - water.positions[0]
    other.positions[1:] = other.positions[0] - (other.positions[1:] - other.positions[0])
    pair = water + other
    masses = heavy_hydrogen_masses(pair, 3.0)
    assert masses[pair.numbers == 8] == pytest.approx(15.999 - 2 * 1.992)


@pytest.mark.parametrize(
    ("atoms", "mass", "message"),
    [
        (molecule("H2"), 3.0, r"atom 1 \(H\) is bonded to no heavy atom"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 2.5]]), 3.0, r"atom 2 \(H\) is bonded to no heavy atom"),
        (molecule("CH4"), 4.0, r"hydrogens of 4 amu would leave only 0\.0\d+ amu for atom 1 \(C\)"),
        (molecule("H2O"), 0.5, r"a hydrogen mass of 0.5 amu is below that of atom 2 \(H\), 1.008 amu"),
    ],
)
def test_masses_that_cannot_be_given_are_refused(atoms, mass, message):
    with pytest.raises(InputError, match=message):
        heavy_hydrogen_masses(atoms, mass)


def test_exchanged_masses_keep_the_kinetic_energy_of_each_atom(box):
    atoms = box.copy()
    atoms.set_momenta(np.random.default_rng(0).normal(size=(len(box), 3)))
    before = (atoms.get_momenta() ** 2).sum(axis=1) / atoms.get_masses()
    exchange_masses(atoms, heavy_hydrogen_masses(box, 3.0))
    assert (atoms.get_momenta() ** 2).sum(axis=1) / atoms.get_masses() == pytest.approx(before)


def test_a_run_states_its_masses_and_hands_back_those_of_the_start(box, tmp_path):
    result = run(box, directory=tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["hydrogen_mass"] == 3.0
    assert (tmp_path / "topology.pdb").read_text().startswith("REMARK   1 HYDROGEN MASS 3 AMU\n")
    assert result.masses == pytest.approx(heavy_hydrogen_masses(box, 3.0))
    assert result.atoms.get_masses() == pytest.approx(box.get_masses())
    last = read_configurations(tmp_path / "last.xyz")[0]
    assert last.get_masses() == pytest.approx(box.get_masses())
    for atoms in (result.atoms, last):
        assert atoms.get_kinetic_energy() == pytest.approx(result.kinetic_energies[-1], rel=1e-6)
    assert result.densities == pytest.approx(density(box))


def test_velocities_and_masses_of_frames_belong_together(box):
    result = run(box, frame_interval_fs=1.0)
    for frame, kinetic in zip(result.frames(), result.kinetic_energies, strict=True):
        assert frame.get_kinetic_energy() == pytest.approx(kinetic, rel=1e-5)
    first = result.frames()[0]
    momentum = first.get_momenta().sum(axis=0)
    assert np.abs(momentum).max() < 1e-5 * np.sqrt(300 * units.kB * first.get_masses().sum())


def test_velocities_are_drawn_for_the_masses_of_the_dynamics(box):
    """Mean squares over starts: 3 kT / m for hydrogens, within four standard errors of 6 x 12 x 3 numbers squared."""
    hydrogens = box.numbers == 1
    squares = [
        (run(box, time_ps=0.0, seed=seed, log_interval_fs=10).frames()[0].get_velocities()[hydrogens] ** 2).mean()
        for seed in range(12)
    ]
    count = 12 * 3 * hydrogens.sum()
    assert 3.0 * np.mean(squares) / (units.kB * 300) == pytest.approx(1.0, abs=4 * np.sqrt(2 / count))


def test_a_run_with_other_masses_is_another_run(box, tmp_path):
    run(box, directory=tmp_path)
    with pytest.raises(InputError, match="holds a run with hydrogen_mass = 3.0, not None"):
        run(box, directory=tmp_path, hydrogen_mass=None)


def test_a_run_in_two_parts_is_the_run_in_one(box, tmp_path):
    whole = run(box, directory=tmp_path / "whole", restart_interval_fs=10)
    run(box, directory=tmp_path / "parts", time_ps=0.01, restart_interval_fs=10)
    parts = run(box, directory=tmp_path / "parts", restart_interval_fs=10)
    assert np.array_equal(parts.atoms.positions, whole.atoms.positions)
    assert (tmp_path / "parts" / "trajectory.trr").read_bytes() == (tmp_path / "whole" / "trajectory.trr").read_bytes()


def test_transport_of_heavy_hydrogens_is_refused_unless_asked_for(box, tmp_path):
    from electrolyte_ml.trajectories import open_trajectory, read_ions

    run(box, directory=tmp_path / "heavy", frame_interval_fs=1.0)
    run(box, directory=tmp_path / "own", frame_interval_fs=1.0, hydrogen_mass=None)
    heavy, own = (open_trajectory(tmp_path / name) for name in ("heavy", "own"))
    assert (heavy.hydrogen_mass, own.hydrogen_mass) == (3.0, None)
    assert heavy.masses == pytest.approx(own.masses)
    assert heavy[1:].hydrogen_mass == 3.0
    with pytest.raises(InputError, match="hydrogens have 3 amu.*both masses.*--heavy-hydrogen"):
        read_ions(heavy)
    assert read_ions(heavy, heavy_hydrogen=True).frames == heavy.n_frames
    assert read_ions(own).frames == own.n_frames
