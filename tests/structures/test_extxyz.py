"""Counts in the head of a frame are compared with the frame before anything is allocated."""

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import parse_composition, read_configurations
from electrolyte_ml.structures.extxyz import check_frame
from electrolyte_ml.trajectories import open_trajectory

FRAME = '1\nLattice="9 0 0 0 9 0 0 0 9" {} energy=1\nH 0 0 0\n'


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("Properties=species:S:1:pos:R:100000000", "has 100000001 columns, but the first atom has 4"),
        ('properties="species:S:1:pos:R:3:forces:R:3"', "has 7 columns, but the first atom has 4"),
        (f"Properties=species:S:1:pos:R:{'9' * 5000}", "not a list of NAME:TYPE:COUNT"),
        ("Properties=species:S:1:pos:R", "not a list of NAME:TYPE:COUNT"),
        ("Properties=species:S:-1:pos:R:3", "not a list of NAME:TYPE:COUNT"),
    ],
)
def test_announced_columns_must_be_there(tmp_path, properties, message):
    path = tmp_path / "set.xyz"
    path.write_text(FRAME.format(properties))
    for read in (read_configurations, open_trajectory):
        with pytest.raises(InputError, match=message):
            read(path)


def test_usual_frames_pass():
    for properties in ("", "Properties=species:S:1:pos:R:3", "Properties=Z:I:1:pos:R:3"):
        check_frame(FRAME.format(properties).splitlines())
    check_frame(["0", "Properties=species:S:1:pos:R:3"])


@pytest.mark.parametrize("count", ["100000000", "9" * 5000])
def test_compositions_that_nobody_can_mean_are_refused(count):
    with pytest.raises(InputError, match="at most 1000000 molecules"):
        parse_composition(f"EC={count}")


@pytest.mark.parametrize("count", ["10000000000", "9" * 5000, "٣"])
def test_a_number_of_atoms_that_the_file_cannot_hold(tmp_path, count):
    path = tmp_path / "set.xyz"
    path.write_text(FRAME.format("").replace("1\n", f"{count}\n", 1))
    for read in (read_configurations, open_trajectory):
        with pytest.raises(InputError):
            read(path)
