"""Files that were cut short: their whole frames are used, and no number is read of which a part is missing."""

import warnings

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.opening import open_frames

N_FRAMES = 5


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "pdb", "dump", "extxyz", "folder"])
def test_a_truncated_file_says_what_was_read(kind, written):
    path, options = written(kind)
    file = path / "trajectory.trr" if kind == "folder" else path
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.warns(
        UserWarning, match=rf"ends within .*; the {N_FRAMES - 1} complete frames before it are used, up to 1.5 ps"
    ):
        trajectory = open_trajectory(path, **options)
    assert sum(len(chunk.positions) for chunk in trajectory.chunks()) == N_FRAMES - 1
    file.write_bytes(file.read_bytes()[:90])
    with pytest.raises(InputError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")  # a half-opened reader that fails in its destructor would warn here
        open_trajectory(path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "mdcrd", "arc", "history", "pdb", "dump", "extxyz"])
def test_wherever_a_file_ends_its_whole_frames_are_read_as_they_were(kind, written):
    path, options = written(kind)
    topology, content = options.get("topology"), path.read_bytes()
    whole = open_frames(path, topology)
    frames = [whole.read(k) for k in range(whole.n_frames)]
    assert (len(frames), whole.cut_short) == (N_FRAMES, "")
    unsaid = 0
    for cut in [*range(1, 90, 3), *range(90, len(content) * 3 // 5, len(content) // 40)]:
        path.write_bytes(content[:-cut])
        for offsets in path.parent.glob(".*"):
            offsets.unlink()  # MDAnalysis's, of the longer file
        some = open_frames(path, topology)
        assert N_FRAMES * (1 - cut / len(content)) - 2.2 < some.n_frames <= N_FRAMES
        for k in range(some.n_frames):
            for got, expected in zip(some.read(k), frames[k], strict=True):
                np.testing.assert_array_equal(got, expected)
        unsaid += some.n_frames < N_FRAMES and not some.cut_short
    assert unsaid <= 2  # where it happens to end with a frame


@pytest.mark.parametrize("kind", ["xtc", "trr"])
def test_one_whole_frame_that_cannot_be_read_is_said(kind, written, frames):
    path, options = written(kind, frames[:2])
    content = path.read_bytes()
    path.write_bytes(content[:-60])
    with pytest.raises(InputError, match="within frame 2; only the first is complete"):
        open_trajectory(path, **options)
    path.write_bytes(content[: len(content) // 4])
    with pytest.raises(InputError, match="cannot be read"):
        open_trajectory(path, **options)


@pytest.mark.parametrize("kind", ["ncdf", "trz"])
def test_truncated_files_of_rare_formats_are_refused_in_one_line(kind, written):
    path, options = written(kind)
    content = path.read_bytes()
    for cut in (1, 200, len(content) // 2, len(content) - 90):
        path.write_bytes(content[:-cut])
        with pytest.raises(InputError, match="may be truncated") as caught:
            open_trajectory(path, **options)
        assert "\n" not in str(caught.value)
