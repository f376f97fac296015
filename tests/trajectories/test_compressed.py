"""Compressed trajectories of any format are read as the plain ones are."""

import gzip
import lzma

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory

COMPRESS = {".gz": gzip.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("kind", ["extxyz", "dump", "xtc", "trr", "pdb"])
def test_compressed_files_are_read(written, kind, suffix):
    path, options = written(kind)
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(COMPRESS[suffix](path.read_bytes()))
    plain, found = open_trajectory(path, **options), open_trajectory(packed, **options)
    assert found.name == str(packed) and found.timestep_ps == plain.timestep_ps
    for mine, other in zip(found.chunks(2), plain.chunks(2), strict=True):
        np.testing.assert_array_equal(mine.positions, other.positions)


def test_broken_archives_and_what_is_in_them_are_named(written):
    path, options = written("extxyz")
    packed = path.with_name("run.extxyz.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(InputError, match=r"run.extxyz.gz: the gz archive is broken or cut short"):
        open_trajectory(packed, **options)
    packed.write_bytes(gzip.compress(b"no frame\n"))
    with pytest.raises(InputError, match=r"run.extxyz.gz: frame 1 does not begin") as error:
        open_trajectory(packed, **options)
    assert "/electrolyte-ml-" not in str(error.value)
