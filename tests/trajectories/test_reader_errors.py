"""Files that readers cannot read end in one clear line that names the right file."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory

CELL = 'Lattice="20 0 0 0 20 0 0 0 20" Properties=species:S:1:pos:R:3'
INNER = ("<class", "MDAnalysis", "Parser", "StopIteration", "out of bounds", "isn't a valid", "XDR")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.foo", "the format of a.foo is not known"),
        ("a.gro", "not that of a .gro file"),
        ("a.pdb", "not that of a .pdb file"),
        ("a.psf", ""),
        ("a.mol2", ""),
        ("a.data", "Atoms section"),
    ],
)
def test_text_that_is_no_trajectory(tmp_path, name, message):
    path = tmp_path / name
    path.write_text("hello\n")
    with pytest.raises(InputError, match=message) as error:
        open_trajectory(path)
    assert str(path) in str(error.value) and not any(word in str(error.value) for word in INNER)


@pytest.mark.parametrize("name", ["a.xtc", "a.trr", "a.dcd", "a.nc"])
def test_bytes_that_are_no_trajectory(tmp_path, name, liquid):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(1).bytes(3000))
    with pytest.raises(InputError) as error:
        open_trajectory(path, topology=liquid)
    assert str(path) in str(error.value) and not any(word in str(error.value) for word in INNER)


@pytest.mark.parametrize("name", ["t.pdb", "t.gro", "t.foo", "t.xyz", "t.psf"])
def test_a_topology_that_cannot_be_read_is_blamed_itself(tmp_path, written, name):
    path, _ = written("xtc")
    topology = tmp_path / name
    topology.write_text("hello\n")
    with pytest.raises(InputError) as error:
        open_trajectory(path, topology=topology)
    assert str(error.value).startswith(str(topology)) and str(path) not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"1\n{CELL}\nXx 0 0 0\n", "frame 1: 'Xx' is not a known element"),
        (f"1\n{CELL}\nLi 0 0 zero\n", "frame 1: could not convert string to float: 'zero'"),
        ('1\nLattice="20 0 0 0 20" Properties=species:S:1:pos:R:3\nLi 0 0 0\n', "frame 1: .*9-long"),
        (f"1\n{CELL}\nLi 0 0 0\n1\n{CELL}\nYy 0 0 0\n", "frame 2: 'Yy' is not a known element"),
    ],
)
def test_frames_of_extxyz_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "run.extxyz"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        list(open_trajectory(path, timestep_ps=1.0).chunks())
    assert str(path) in str(error.value)


def test_bytes_of_another_encoding_in_a_data_file_are_named(tmp_path, written):
    path, _ = written("xtc")
    data = tmp_path / "system.data"
    data.write_bytes(
        "LAMMPS data\n# für Li\n\n1 atoms\n1 atom types\n\nAtoms # atomic\n\n1 1 0 0 0\n".encode("latin-1")
    )
    with pytest.raises(
        InputError, match=r"system.data cannot be read \(line 2 is not UTF-8 text: byte 0xfc in column 4"
    ):
        open_trajectory(path, topology=data)


def test_no_hint_for_lammps_where_the_file_is_another(liquid, tmp_path, write_dump):
    from electrolyte_ml.trajectories import read_ions

    still = liquid.copy()
    still.set_momenta(np.zeros((len(still), 3)))
    del still.arrays["momenta"]
    with pytest.raises(InputError) as error:
        read_ions(open_trajectory([still, still], timestep_ps=1.0)).current()
    assert "lammps" not in str(error.value).lower()
