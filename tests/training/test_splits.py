"""Groups of related configurations, and splits between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.training.splits import Groups, find_groups, hold_out


@pytest.fixture(scope="module")
def boxes(liquid):
    return [liquid(8, ("H", "O"), seed) for seed in range(10)]


def test_independent_boxes_are_groups_of_their_own(boxes):
    groups = find_groups(boxes)
    assert len(groups) == 10 and groups.independent


def test_near_duplicates_are_of_one_group_wherever_they_are_wrapped(boxes):
    rng = np.random.default_rng(0)
    near = boxes[3].copy()
    near.positions += 0.1 * rng.normal(size=(8, 3)) + rng.integers(-2, 3, (8, 3)) @ near.cell.array
    near.set_cell(1.02 * near.cell.array, scale_atoms=True)
    groups = find_groups([*boxes, near])
    assert groups.labels[10] == groups.labels[3]
    assert len(groups) == 10


def test_a_turned_cluster_is_a_near_duplicate_and_its_mirror_image_is_not(liquid):
    from ase.build import molecule

    clusters = [liquid(8, ("H", "O"), seed, pbc=False) for seed in range(8)]
    chiral = molecule("CH4")
    chiral.numbers[1:] = (1, 9, 17, 35)  # CHFClBr
    turned, mirrored = chiral.copy(), chiral.copy()
    turned.rotate(77, (1, 2, 3))
    turned.positions += 5.0
    mirrored.positions *= [-1, 1, 1]
    labels = find_groups([*clusters, chiral, turned, mirrored], near=0.2).labels
    assert labels[8] == labels[9] != labels[10]


def test_frames_of_one_trajectory_are_of_one_group(boxes):
    frames = [atoms.copy() for atoms in boxes]
    for k in (0, 1, 2):
        frames[k].info["parent"] = f"iteration_001/trajectory_07/{k}"
    frames[3].info["parent"] = "iteration_001/trajectory_08/5"
    for k in (5, 6):
        frames[k].info["trajectory"] = "nvt_300K"
    labels = find_groups(frames).labels
    assert labels[0] == labels[1] == labels[2] != labels[3]
    assert labels[5] == labels[6]
    assert len(set(labels.tolist())) == 7


def test_relatives_of_relatives_are_related(boxes):
    """A trajectory that drifts away step by step is one group, though its ends are far apart."""
    drift = np.random.default_rng(1).normal(size=(8, 3)) * 0.3
    path = []
    for k in range(6):
        atoms = boxes[0].copy()
        atoms.positions += k * drift
        path.append(atoms)
    labels = find_groups([*path, *boxes[1:]]).labels
    assert len(set(labels[:6].tolist())) == 1
    assert len(set(labels.tolist())) == 10


def test_one_trajectory_is_cut_into_blocks_and_said_to_be(boxes):
    frames = [atoms.copy() for atoms in boxes * 2]
    for atoms in frames:
        atoms.info["trajectory"] = "only"
    groups = find_groups(frames)
    assert not groups.independent
    assert len(groups) == 8
    assert (np.diff(groups.labels) >= 0).all()
    assert "larger than those given here" in str(groups)


def test_too_few(boxes):
    with pytest.raises(InputError, match="too few"):
        find_groups(boxes[:7])


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=5, max_size=40), seed=st.integers(0, 1000))
def test_no_group_is_on_both_sides(sizes, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    groups = Groups(labels, True)
    train, held_out = hold_out(groups, seed)
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert not set(labels[train]) & set(labels[held_out])
    assert len(train) > 0
    assert len(held_out) <= 0.4 * len(labels)
    again = hold_out(groups, seed)
    assert np.array_equal(train, again[0]) and np.array_equal(held_out, again[1])
