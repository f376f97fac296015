"""Trajectories whose headers or bits make no sense; bytes changed at random are in ``tests/mutations.py``."""

import struct

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.file_ends import damaged_xtc_frame


@pytest.mark.parametrize("kind", ["xtc", "trr"])
@pytest.mark.parametrize("value", [-1, 0, 2**31 - 1])
def test_headers_that_make_no_sense_are_not_followed(written, kind, value):
    """The library that reads these files crashes on them."""
    path, options = written(kind)
    whole = path.read_bytes()
    n = struct.pack(">i", len(open_trajectory(path, **options).numbers))
    second = whole.index(whole[:8] if kind == "xtc" else whole[:24], 1)
    place = whole.index(n, second)
    path.write_bytes(whole[:place] + struct.pack(">i", value) + whole[place + 4 :])
    with pytest.raises(InputError, match=r"run\.\w+.* damaged: (the header of )?frame 2"):
        open_trajectory(path, **options)


@pytest.mark.parametrize("frame", [1, 2])
@pytest.mark.parametrize("field", range(10))
def test_sizes_of_a_trr_header_that_make_no_sense_are_not_followed(written, frame, field):
    """The ten sizes of its parts, of which four are never used: the library that reads these files crashes on one."""
    path, options = written("trr")
    whole = path.read_bytes()
    place = (0 if frame == 1 else whole.index(whole[:24], 1)) + 24 + 4 * field
    path.write_bytes(whole[:place] + struct.pack(">i", 2**31 - 1) + whole[place + 4 :])
    with pytest.raises(InputError, match=f"run.trr.* damaged: the header of frame {frame}"):
        open_trajectory(path, **options)


def test_text_of_another_encoding_is_named(written):
    path, options = written("extxyz")
    path.write_bytes(path.read_bytes().replace(b"pbc=", "ü=1 pbc=".encode("latin-1"), 1))
    with pytest.raises(InputError, match="frame 1: line 2 of the frame is not UTF-8 text"):
        open_trajectory(path, **options)


def test_bits_of_a_frame_that_do_not_hold_its_atoms_are_not_followed(written):
    """Without a header that is wrong: a run of small differences that is longer than the frame, or than the file."""
    path, _ = written("xtc")
    whole = path.read_bytes()
    assert damaged_xtc_frame(path) == 0
    start = whole.index(whole[:8], 1)  # frame 2
    for content in (b"\xff", b"\x00"):
        path.write_bytes(whole[: start + 92] + content * 40 + whole[start + 132 :])
        assert damaged_xtc_frame(path) == 2


@pytest.mark.parametrize(
    ("offset", "value"), [(56, np.nan), (56, -1.0), (56, np.inf), (60, 2**31 - 1), (84, 8), (84, 73)]
)
def test_limits_and_precision_of_a_frame_must_make_sense(written, offset, value):
    path, _ = written("xtc")
    whole = path.read_bytes()
    start = whole.index(whole[:8], 1)
    packed = struct.pack(">f" if offset == 56 else ">i", value)
    path.write_bytes(whole[: start + offset] + packed + whole[start + offset + 4 :])
    assert damaged_xtc_frame(path) == 2


def test_frames_of_small_differences_are_followed_to_their_end(tmp_path):
    """Atoms that lie close together in pairs, as in molecules, and far apart: the sizes of differences change."""
    import MDAnalysis

    rng, path = np.random.default_rng(0), tmp_path / "run.xtc"
    universe = MDAnalysis.Universe.empty(600, trajectory=True)
    molecules = np.repeat(rng.uniform(0, 40, (200, 3)), 3, axis=0)
    with MDAnalysis.Writer(str(path), 600) as writer:
        for spread in (0.1, 1.0, 5.0, 1000.0):
            universe.atoms.positions = molecules + rng.normal(scale=spread, size=(600, 3))
            universe.dimensions = [40, 40, 40, 90, 90, 90]
            writer.write(universe)
    assert damaged_xtc_frame(path) == 0
