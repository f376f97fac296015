"""Times, slices and unwrapped positions of a trajectory."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory, read_ions


def test_unwrapped_molecules_are_whole_and_move_as_they_did(frames):
    trajectory = open_trajectory(frames)
    weights = trajectory.molecule_weights()
    moved = np.array([weights @ frame for chunk in trajectory.unwrapped(2) for frame in chunk])
    steps = np.diff(moved, axis=0)
    expected = np.broadcast_to([0.9, 0.5, -0.7], steps.shape)
    np.testing.assert_allclose(steps, expected, atol=0.25)  # but for the noise of a single ion
    for positions in trajectory.unwrapped():
        for i, j in trajectory.bonds:
            assert np.linalg.norm(positions[:, i] - positions[:, j], axis=1).max() < 2.2


def test_frames_too_far_apart_are_refused(frames, liquid):
    far = [liquid.copy(), liquid.copy()]
    far[1].positions += 0.45 * liquid.cell.array[0]
    far[1].wrap()
    trajectory = open_trajectory(far, timestep_ps=10.0)
    with pytest.raises(InputError, match=r"frames 1 and 2: they are too far apart \(10 ps\)"):
        list(trajectory.unwrapped())


def test_a_cell_that_changes_is_refused_for_displacements(frames):
    changed = [frame.copy() for frame in frames]
    for k, frame in enumerate(changed):
        frame.set_cell(frame.cell.array * (1 + 0.002 * k), scale_atoms=True)
    trajectory = open_trajectory(changed)
    assert len(list(trajectory.chunks())) == 1
    with pytest.raises(InputError, match="displacements are not diffusion"):
        trajectory.require_constant_cell()
    changed[2:] = [changed[0].copy() for _ in changed[2:]]
    changed[4].info = changed[3].info = changed[2].info = {}
    with pytest.raises(InputError, match="displacements are not diffusion"):
        list(open_trajectory([a for a in changed], timestep_ps=1.0).unwrapped())


def test_frames_at_uneven_times_are_read_without_their_times(frames):
    uneven = [frame.copy() for frame in frames]
    uneven[-1].info["time_ps"] = 9.0
    trajectory = open_trajectory(uneven)
    assert len(list(trajectory.chunks(2))) == 3 and trajectory.timestep_ps is None
    with pytest.raises(InputError, match="not evenly spaced in time .* diffusion"):
        trajectory.require_times()
    with pytest.raises(InputError, match="not evenly spaced in time"):
        read_ions(trajectory)
    assert open_trajectory(uneven)[:4].timestep_ps == 0.5  # those before the gap are even
    uneven[-1].info["time_ps"], uneven[2].info["time_ps"] = 2.0, 1.3
    with pytest.raises(InputError, match="frame 3 is at 1.3, not 1"):
        read_ions(open_trajectory(uneven))


def test_unknown_times(frames):
    still = [frame.copy() for frame in frames]
    for frame in still:
        frame.info = {}
    trajectory = open_trajectory(still)
    assert trajectory.timestep_ps is None
    with pytest.raises(InputError, match="give the time between them"):
        trajectory.require_times()
    assert open_trajectory(still, timestep_ps=2.0).times_ps[-1] == 8.0
    with pytest.raises(InputError, match="1 frame, but 2 are needed"):
        open_trajectory(still[0], timestep_ps=2.0).require_times()
    with pytest.raises(InputError, match="must be positive, not -1.0 ps"):
        open_trajectory(still, timestep_ps=-1.0)


def test_slices(frames):
    trajectory = open_trajectory(frames)
    part = trajectory[1::2]
    assert (len(part), part.timestep_ps) == (2, 1.0)
    np.testing.assert_allclose(part.times_ps, [0.5, 1.5])
    np.testing.assert_allclose(next(part.chunks()).positions[1], frames[3].positions)
    with pytest.raises(InputError, match="none of its . frames is selected"):
        trajectory[7:]
