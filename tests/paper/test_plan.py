"""What a scale will take: counted by hand for the paper's scale, with a machine of known speed."""

from dataclasses import replace

import pytest

from electrolyte_ml.paper.plan import EXPECTED_ITERATIONS, Speed, format_plan, plan
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD
from electrolyte_ml.reference import get
from electrolyte_ml.structures.composition import atoms_in

STEP, GRADIENT = 1e-6, 1e-5  # s for each atom
SPEED = Speed(lambda _: STEP, lambda _: GRADIENT)


def stages(scale):
    return {stage.name: stage for stage in plan(scale, SPEED)}


def test_atoms_of_compositions():
    assert atoms_in("EC=16") == 160 and atoms_in("EMC=8") == 120 and atoms_in("EC=3 EMC=7 LiPF6=1") == 143


def test_densities_of_the_paper_are_counted():
    found = stages(PAPER)["mixtures, densities"]
    assert found.fits == 12 and found.labels == 0 and not found.expected
    runs = 12 * 4  # four kinds from three seeds each, in four cells
    assert found.time_ns == pytest.approx(runs * 0.3)
    atoms = 12 * (4320 + 189 * 10 + 81 * 15 + 81 * 10 + 189 * 15 + 4320)
    assert found.dynamics_hours == pytest.approx(atoms * 300_000 * STEP / 3600)


def test_labels_of_the_validation_sets_are_counted():
    found = stages(PAPER)["mixtures, errors"]
    cells = {"EC=16": 16, "EC=7 EMC=3": 10, "EC=3 EMC=7": 10, "EMC=8": 8}  # molecules, which are labelled alone too
    assert found.labels == sum(300 * (1 + count) for count in cells.values())
    assert found.fits == 2 * 3  # level 12, which has no densities, with charges and without
    assert found.label_hours == 0.0  # nobody has measured the cost of VASP here


def test_every_seed_of_a_pure_solvent_is_a_loop():
    found = stages(PAPER)["pure solvents"]
    assert found.expected
    assert found.labels > 3 * 2 * 2000  # each step of the seeding
    assert found.fits == 3 * 2 * (1 + EXPECTED_ITERATIONS)
    fewer = stages(QUICK)["pure solvents"]
    assert fewer.fits == 2 * (1 + EXPECTED_ITERATIONS)


def test_hours_follow_the_speed_of_the_machine():
    slow = Speed(lambda _: 3 * STEP, lambda _: 5 * GRADIENT)
    for fast, other in zip(plan(QUICK, SPEED), plan(QUICK, slow), strict=True):
        assert other.dynamics_hours == pytest.approx(3 * fast.dynamics_hours)
        assert other.fit_hours == pytest.approx(5 * fast.fit_hours)
        assert other.label_hours == fast.label_hours
        assert fast.hours == pytest.approx(fast.label_hours + fast.fit_hours + fast.dynamics_hours)


def test_labels_cost_what_their_reference_says():
    found = stages(QUICK)["mixtures, learning"]
    atoms = (atoms_in(QUICK.mixture_training.ends[0]) + atoms_in(QUICK.mixture_training.ends[1])) / 2
    cost = get(QUICK.reference.name).cost(atoms)
    assert found.label_hours == pytest.approx(found.labels * cost / 3600, rel=0.02)


def test_the_table_says_what_it_rests_on():
    text = format_plan(plan(PAPER, SPEED), PAPER, cores=2)
    assert "on 2 cores" in text and "has no measured cost" in text and "is not known in advance" in text
    assert "no measured cost" not in format_plan(plan(QUICK, SPEED), QUICK, cores=2)


def test_every_long_protocol_of_the_standard_scale_has_a_stage():
    assert STANDARD.mixture_training and STANDARD.mixture_density and STANDARD.intermolecular_errors
    names = list(stages(STANDARD))  # without SevenNet and CP2K, too
    mixtures = ["mixtures, learning", "mixtures, densities", "mixtures, errors"]
    assert names == ["pure solvents", *mixtures, "ion pairs", "correction", "conductivity"]


def test_productions_of_the_paper_are_counted():
    found = stages(PAPER)["conductivity"]
    cells = {"3:7": 1144, "2:3": 1104, "1:1": 1064}
    each = 5 * 1.0 + 3 * 10 * (0.5 + 2.5), 5 * 1.0 + 3 * 50 * (0.1 + 0.2)  # ns of a cell, without charges and with
    assert found.time_ns == pytest.approx(len(cells) * sum(each))
    assert found.dynamics_hours == pytest.approx(sum(cells.values()) * sum(each) * 1e6 * STEP / 3600)


def test_corrected_runs_and_further_fits_are_counted():
    protocol = STANDARD.conductivity
    alone = replace(STANDARD, correction=None, conductivity=replace(protocol, members=1))
    more, fewer = (stages(scale)["conductivity"] for scale in (replace(alone, correction=STANDARD.correction), alone))
    annealing = protocol.boxes * sum(stage[2] for stage in protocol.annealing)
    conditions = len(protocol.temperatures) + len(protocol.cells) - 1
    runs = protocol.mtp.trajectories * (protocol.mtp.time_ps + protocol.mtp.equilibration_ps)
    assert more.time_ns - fewer.time_ns == pytest.approx((len(protocol.cells) * annealing + conditions * runs) / 1000)
    assert (fewer.fits, stages(STANDARD)["conductivity"].fits) == (0, 2 * len(STANDARD.mixture_density.seeds))


def test_multiple_steps_cost_less():
    protocol = STANDARD.conductivity
    assert protocol.multiple_steps
    single = replace(STANDARD, conductivity=replace(protocol, multiple_steps=False))
    found, slower = (stages(scale)["conductivity"] for scale in (STANDARD, single))
    assert found.time_ns == pytest.approx(slower.time_ns)
    # Steps of 3 fs in place of 1, and in place of 2 with heavy hydrogens, take 1.25 times as long.
    assert 1.25 / 3 < found.dynamics_hours / slower.dynamics_hours < 1.25 * 2 / 3


def test_ion_pairs_of_the_paper_are_counted():
    found = stages(PAPER)["ion pairs"]
    pairs = PAPER.ion_pair_training
    steps = pairs.relaxation_steps + pairs.learning.seeding.steps
    assert found.labels > (4 + 4 + 3) * steps + pairs.validation_configurations
    assert found.fits == 2 * 2 * (1 + EXPECTED_ITERATIONS) and found.expected  # without and with charges
    hot = STANDARD.ion_pair_training.hot
    assert hot is not None
    without = replace(STANDARD, ion_pair_training=replace(STANDARD.ion_pair_training, hot=None))
    more, fewer = (stages(scale)["ion pairs"] for scale in (STANDARD, without))
    assert more.fits - fewer.fits == 1 + EXPECTED_ITERATIONS
    assert more.time_ns - fewer.time_ns == pytest.approx(EXPECTED_ITERATIONS * 15 * hot.exploration.time_ps / 1000)
