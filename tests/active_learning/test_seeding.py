"""Seeding dynamics with references that are cheap and count what they are asked."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from electrolyte_ml.active_learning.sections import SeedingSettings
from electrolyte_ml.active_learning.seeding import packed_starts, sample_dynamics
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import Label, LabelError, LabelStore, Reference
from electrolyte_ml.structures import density
from electrolyte_ml.structures.charge import total_charge


class Springs(Reference):
    """Each atom on a spring to where it began, forces summing to zero; counts its labels, fails when told to."""

    name, version = "springs", "1"
    charged_cells = charged_molecules = True

    def __init__(self, anchors, stiffness=1.0, fail_after=None):
        self.anchors, self.stiffness, self.fail_after = anchors, stiffness, fail_after
        self.settings = {"stiffness": stiffness}
        self.calls = 0

    def _compute(self, atoms, safer):
        self.calls += 1
        if self.fail_after is not None and self.calls > self.fail_after:
            raise LabelError("no convergence")
        away = atoms.positions - self.anchors
        away -= away.mean(axis=0)
        return Label(0.5 * self.stiffness * (away**2).sum(), -self.stiffness * away, np.zeros(6))


@pytest.fixture
def crystal():
    return bulk("Xe", "fcc", a=6.2, cubic=True) * (2, 2, 2)  # 32 atoms


def test_boxes_take_compositions_and_densities_in_turn():
    starts = packed_starts(["EC=1", "EMC=1"], [0.5, 0.4, 0.3], 6, seed=0)
    assert [len(atoms) for atoms in starts] == [10, 15] * 3
    assert [density(atoms) for atoms in starts] == pytest.approx([0.5, 0.4, 0.3] * 2)
    again = packed_starts(["EC=1"], [0.5], 2, seed=0)
    assert np.array_equal(again[0].positions, starts[0].positions)
    assert not np.array_equal(again[1].positions, starts[0].positions)


def run(starts, reference, store, *, steps=12, timestep_fs=2.0, configurations=6, ensemble="nvt"):
    seeding = SeedingSettings(
        ensemble,
        temperature=400.0,
        time_ps=steps * timestep_fs / 1000,
        timestep_fs=timestep_fs,
        trajectories=len(starts),
        configurations=configurations,
    )
    return sample_dynamics(starts, reference, store, seeding, jobs=1, progress=False)


def test_every_step_is_a_label_and_none_is_computed_twice(crystal, tmp_path):
    reference, store = Springs(crystal.positions), LabelStore(tmp_path)
    first = run([crystal, crystal], reference, store)
    assert reference.calls == 1 + 2 * 12  # the two begin at the same place
    again = run([crystal, crystal], reference, store)
    assert reference.calls == 1 + 2 * 12
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.samples[-1].positions, other.samples[-1].positions)


def test_a_run_that_was_cut_short_retraces_its_way(crystal, tmp_path):
    reference, store = Springs(crystal.positions), LabelStore(tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        original = reference._compute

        def interrupted(atoms, safer):
            if reference.calls == 7:
                raise KeyboardInterrupt
            return original(atoms, safer)

        reference._compute = interrupted
        run([crystal], reference, store)
    del reference._compute
    resumed = run([crystal], reference, store)
    assert reference.calls == 13
    whole = run([crystal], Springs(crystal.positions), LabelStore(tmp_path / "whole"))
    assert np.array_equal(resumed[0].samples[-1].positions, whole[0].samples[-1].positions)


def test_samples_are_uniform_in_time_and_labelled(crystal, tmp_path):
    dense = run([crystal], Springs(crystal.positions), LabelStore(tmp_path), configurations=12)[0].samples
    sparse = run([crystal], Springs(crystal.positions), LabelStore(tmp_path), configurations=4)[0].samples
    assert [len(dense), len(sparse)] == [12, 4]
    for n, atoms in enumerate(sparse):
        assert np.array_equal(atoms.positions, dense[3 * n + 2].positions)
        away = atoms.positions - crystal.positions
        assert atoms.get_forces() == pytest.approx(away.mean(axis=0) - away)
        assert not atoms.has("momenta")
        assert atoms.info["reference"] == "springs"


def test_configurations_are_shared_among_trajectories(crystal, tmp_path):
    walkers = run([crystal] * 3, Springs(crystal.positions), LabelStore(tmp_path), configurations=7)
    assert [len(walker.samples) for walker in walkers] == [3, 2, 2]
    assert not np.array_equal(walkers[0].samples[-1].positions, walkers[1].samples[-1].positions)


def test_the_thermostat_holds_its_temperature(crystal, tmp_path):
    """Equipartition: 96 springs, about ten independent times, hence within four standard errors of 5 %."""
    reference = Springs(crystal.positions)
    walker = run([crystal], reference, LabelStore(tmp_path), timestep_fs=20.0, steps=150, configurations=150)[0]
    energy = np.mean([atoms.get_potential_energy() for atoms in walker.samples[20:]])
    assert 2 * energy / (3 * len(crystal) * units.kB) == pytest.approx(400, rel=0.2)


def test_a_failed_label_ends_its_trajectory_and_says_why(crystal, tmp_path):
    walker = run([crystal], Springs(crystal.positions, fail_after=6), LabelStore(tmp_path))[0]
    assert "no convergence" in walker.failure
    assert len(walker.samples) == 2  # after 2 and 4 steps; the start and 5 steps could be labelled


def test_colliding_atoms_end_a_trajectory(tmp_path):
    pair = Atoms("Xe2", [[5.0, 5, 5], [5.0, 5, 9]], cell=[10, 10, 10], pbc=True)
    reference = Springs(np.array([[5.0, 5, 9], [5.0, 5, 5]]), stiffness=50.0)
    walker = run([pair], reference, LabelStore(tmp_path), steps=400, configurations=4, timestep_fs=20.0)[0]
    assert "overlap" in walker.failure


def test_nve_keeps_the_energy(crystal, tmp_path):
    """Velocity Verlet on springs: the energy stays within a few per cent of what fluctuates, and drifts nowhere."""
    walker = run([crystal], Springs(crystal.positions), LabelStore(tmp_path), steps=60, configurations=60,
                 timestep_fs=5.0, ensemble="nve")[0]  # fmt: skip
    times = 5.0 * units.fs * np.arange(1, 61)
    positions = np.array([atoms.positions for atoms in walker.samples])
    velocities = (positions[2:] - positions[:-2]) / (times[2:] - times[:-2])[:, None, None]
    kinetic = 0.5 * (crystal.get_masses()[:, None] * velocities**2).sum(axis=(1, 2))
    potential = np.array([atoms.get_potential_energy() for atoms in walker.samples[1:-1]])
    assert np.ptp(kinetic) > 0.3 * kinetic.mean()
    assert np.ptp(kinetic + potential) < 0.02 * kinetic.mean()


def test_the_total_charge_is_that_of_the_start(crystal, tmp_path):
    charged = crystal.copy()
    charged.info["charge"] = 1
    ion = crystal.copy()
    ion.set_initial_charges([-1.0] + [0.0] * 31)
    walkers = run([charged, ion, crystal], Springs(crystal.positions), LabelStore(tmp_path))
    assert [[total_charge(atoms) for atoms in walker.samples] for walker in walkers] == [[1, 1], [-1, -1], [0, 0]]


def test_hydrogens_may_be_heavy_and_labels_do_not_know(tmp_path):
    box = Atoms("CHOH", [[0, 0, 0], [1.1, 0, 0], [0, 4, 0], [0.97, 4, 0]], cell=[8] * 3, pbc=True)
    reference = Springs(box.positions)
    seeding = SeedingSettings(time_ps=0.01, timestep_fs=2.0, trajectories=1, configurations=5, hydrogen_mass=3.0)
    walker = sample_dynamics([box], reference, LabelStore(tmp_path), seeding, jobs=1, progress=False)[0]
    assert walker.atoms.get_masses() == pytest.approx([12.011 - 1.992, 3.0, 15.999 - 1.992, 3.0])
    assert not any(atoms.has("masses") or atoms.has("momenta") for atoms in walker.samples)
    with pytest.raises(InputError, match=r"start of seeding trajectory 0: atom 2 \(H\) is bonded to no heavy atom"):
        box.positions[1] += 2.0
        sample_dynamics([box], reference, LabelStore(tmp_path), seeding, jobs=1, progress=False)


def test_a_uniform_sample_needs_its_number(crystal, tmp_path):
    with pytest.raises(InputError, match="number of its configurations"):
        run([crystal], Springs(crystal.positions), LabelStore(tmp_path), configurations=0)
