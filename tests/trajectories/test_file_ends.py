"""Ends of binary trajectories, found from the sizes in their headers."""

import struct

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.trajectories.file_ends import ends_with_a_frame, last_line_is_whole


def few_atoms(n):
    """Three frames of n atoms; an XTC of up to nine atoms is not compressed."""
    positions = 3.0 * np.random.default_rng(0).random((n, 3))
    made = [Atoms(f"Ar{n}", positions + 0.1 * k, cell=[9.0, 8.0, 7.0], pbc=True) for k in range(3)]
    for k, atoms in enumerate(made):
        atoms.set_velocities(np.ones((n, 3)))
        atoms.info = {"time_ps": 0.5 * k}
    return made


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd"])
@pytest.mark.parametrize("n", [1, 9, 10, 50])
def test_only_a_complete_file_ends_with_a_frame(kind, n, tmp_path, write_with_mdanalysis):
    path = tmp_path / f"run.{kind}"
    write_with_mdanalysis(path, few_atoms(n))
    content = path.read_bytes()
    assert ends_with_a_frame(path, kind.upper(), 3)
    for cut in (1, 4, 20, 60):
        path.write_bytes(content[:-cut])
        assert not ends_with_a_frame(path, kind.upper(), 3)
    for begun in (1, 4, 40):  # of a fourth frame
        path.write_bytes(content + content[: 4 + begun][:begun])
        assert not ends_with_a_frame(path, kind.upper(), 3)


def test_a_trr_in_double_precision(tmp_path):
    n = 5
    sizes = [0, 0, 72, 0, 0, 0, 0, 24 * n, 0, 0, n, 7, 0]
    frame = struct.pack(">3i12s13i2d", 1993, 13, 12, b"GMX_trn_file", *sizes, 0.0, 0.0) + bytes(72 + 24 * n)
    path = tmp_path / "run.trr"
    path.write_bytes(2 * frame)
    assert ends_with_a_frame(path, "TRR", 2)
    path.write_bytes(2 * frame + frame[:50])
    assert not ends_with_a_frame(path, "TRR", 2)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("n_fixed", "has_cell"), [(0, 1), (3, 1), (0, 0)])
def test_a_dcd_with_fixed_atoms_or_without_a_cell(order, n_fixed, has_cell, tmp_path):
    n = 8

    def record(content):
        marker = struct.pack(f"{order}i", len(content))
        return marker + content + marker

    control = [0] * 20
    control[8], control[10], control[19] = n_fixed, has_cell, 24
    header = record(b"CORD" + struct.pack(f"{order}20i", *control)) + record(bytes(4 + 160))
    header += record(struct.pack(f"{order}i", n)) + (record(bytes(4 * (n - n_fixed))) if n_fixed else b"")
    cell = record(bytes(48)) if has_cell else b""
    content = header + cell + 3 * record(bytes(4 * n)) + 2 * (cell + 3 * record(bytes(4 * (n - n_fixed))))
    path = tmp_path / "run.dcd"
    path.write_bytes(content)
    assert ends_with_a_frame(path, "DCD", 3)
    path.write_bytes(content + cell)
    assert ends_with_a_frame(path, "DCD", 3) == (not has_cell)
    path.write_bytes(content + record(bytes(4 * n)))
    assert not ends_with_a_frame(path, "DCD", 3)


def test_other_formats_are_not_judged(tmp_path):
    path = tmp_path / "run.bin"
    path.write_bytes(b"anything")
    assert ends_with_a_frame(path, "NCDF", 1) and last_line_is_whole(path, ["NCDF", "NC"])


@pytest.mark.parametrize(
    ("text", "whole"), [("1.25\n2.50\n", True), ("1.25\n2.5", False), ("1.25\n1.25\n2.50", True), ("1.25\nEND", True)]
)
def test_the_last_line_of_a_text_file(text, whole, tmp_path):
    path = tmp_path / "run.pdb"
    path.write_text(text)
    assert last_line_is_whole(path, ["PDB", "ENT"]) == whole
