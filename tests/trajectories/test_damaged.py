"""Trajectories with wrong bytes: an error that names the file, or the frames that are there."""

import gzip
import struct

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory, read_ions


def damaged(whole, rng):
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(content)))
        if rng.random() < 0.4:
            content[at] = int(rng.integers(256))
        elif rng.random() < 0.4:
            del content[at : at + int(rng.integers(1, 30))]
        else:
            content[at : at + 1] = b"9" * int(rng.integers(1, 6))
    return bytes(content)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["trr", "dcd", "extxyz", "dump", "extxyz.gz"])
def test_damage_anywhere_is_an_error_or_harmless(written, kind):
    path, options = written(kind.removesuffix(".gz"))
    whole, rng = path.read_bytes(), np.random.default_rng(4)
    target = path.with_name("damaged." + kind)
    for _ in range(60):
        content = damaged(gzip.compress(whole) if kind.endswith(".gz") else whole, rng)
        target.write_bytes(content)
        try:
            ions = read_ions(open_trajectory(target, **options))
        except InputError as error:
            assert str(target) in str(error)
        else:
            assert np.isfinite(ions.positions).all()


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


def test_text_of_another_encoding_is_named(written):
    path, options = written("extxyz")
    path.write_bytes(path.read_bytes().replace(b"pbc=", "ü=1 pbc=".encode("latin-1"), 1))
    with pytest.raises(InputError, match="frame 1: line 2 of the frame is not UTF-8 text"):
        open_trajectory(path, **options)
