import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.cfg import read_cfg, write_cfg

# Written by hand from the description of the format: a water-like thing in a skewed cell.
TEXT = """\
BEGIN_CFG
 Size
    3
 Supercell
         5.0      0.0      0.0
         1.0      4.0      0.0
         0.0      0.5      3.0
 AtomData:  id type       cartes_x      cartes_y      cartes_z           fx          fy          fz
             1    1       0.000000      0.000000      0.100000     0.100000    0.200000    0.300000
             2    0       0.000000      0.800000     -0.500000     0.400000    0.500000    0.600000
             3    0       0.000000     -0.800000     -0.500000    -0.500000   -0.700000   -0.900000
 Energy
        -14.25
 PlusStress:  xx          yy          zz          yz          xz          xy
        6.0 12.0 18.0 24.0 30.0 36.0
 Feature   EFS_by\tVASP run 7
 Feature   mindist\t0.98
END_CFG
"""


@pytest.fixture
def file(tmp_path):
    def make(text):
        path = tmp_path / "set.cfg"
        path.write_text(text)
        return path

    return make


def test_every_section_is_read(file):
    (atoms,) = read_cfg(file(TEXT), species=("H", "O"))
    assert list(atoms.symbols) == ["O", "H", "H"]
    assert atoms.pbc.all()
    assert atoms.cell.array.tolist() == [[5, 0, 0], [1, 4, 0], [0, 0.5, 3]]
    assert atoms.positions[1].tolist() == [0, 0.8, -0.5]
    assert atoms.get_potential_energy() == -14.25
    assert atoms.get_forces()[2].tolist() == [-0.5, -0.7, -0.9]
    # stress = -PlusStress/V with V = 5*4*3
    assert atoms.get_stress() == pytest.approx([-0.1, -0.2, -0.3, -0.4, -0.5, -0.6])
    assert atoms.info == {"EFS_by": "VASP run 7", "mindist": "0.98"}


def test_columns_go_by_their_names(file):
    text = (
        TEXT.replace("xx          yy          zz          yz          xz          xy", "xy yz zz xx yy xz")
        .replace("id type       cartes_x      cartes_y ", "type id       cartes_y      cartes_x ")
        .replace("             1    1 ", " 1 1 ")
        .replace("             2    0 ", " 0 2 ")
        .replace("             3    0 ", " 0 3 ")
    )
    (atoms,) = read_cfg(file(text), species=("H", "O"))
    assert atoms.positions[1].tolist() == [0.8, 0, -0.5]
    assert atoms.get_stress() == pytest.approx([-0.4, -0.5, -0.3, -0.2, -0.6, -0.1])


def test_further_columns_become_arrays(file):
    text = re.sub(r"(fx +fy +fz)", r"\1 nbh_grades", TEXT)
    text = re.sub(r"(00000)\n", r"\1 1.5\n", text)
    (atoms,) = read_cfg(file(text), species=("H", "O"))
    assert atoms.arrays["nbh_grades"].tolist() == [1.5] * 3


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_supercell_rows_are_the_periods(file, rows):
    lines = TEXT.splitlines()
    lines = [*lines[:3], *(lines[3 : 4 + rows] if rows else []), *lines[7:13], "END_CFG"]
    (atoms,) = read_cfg(file("\n".join(lines)), species=("H", "O"))
    assert atoms.pbc.tolist() == [k < rows for k in range(3)]
    assert atoms.cell.rank == rows


def test_many_configurations_empty_lines_and_windows_line_ends(file, tmp_path):
    path = tmp_path / "set.cfg"
    path.write_bytes(("\n\n" + TEXT + "\n" + TEXT + "\n\n").replace("\n", "\r\n").encode())
    assert [len(atoms) for atoms in read_cfg(path, species=("H", "O"))] == [3, 3]
    assert read_cfg(file("")) == []


def line_of(text, fragment):
    return next(k for k, line in enumerate(text.splitlines(), 1) if fragment in line)


HO = ("H", "O")
BAD = {
    "type without species": (lambda t: t, None, "END_CFG", "--species H C O"),
    "type beyond species": (lambda t: t, ("O",), "1    1", "type 1 has no element in O"),
    "unknown element": (lambda t: t, ("H", "Xq"), "END_CFG", "'Xq' is not an element"),
    "negative type": (lambda t: t.replace("2    0", "2   -1"), HO, "2   -1", "type -1"),
    "fractional type": (lambda t: t.replace("2    0", "2  0.5"), HO, "2  0.5", "type 0.5"),
    "ids out of order": (lambda t: t.replace(" 2    0", " 3    0"), HO, "3    0", "ids must run"),
    "old stress": (
        lambda t: t.replace("PlusStress", "Stress"),
        ("H", "O"),
        "Stress",
        '"Stress:" has the opposite sign',
    ),
    "no size": (lambda t: t.replace(" Size\n    3\n", ""), HO, "AtomData", "without a Size"),
    "no atoms": (lambda t: "BEGIN_CFG\n Size\n 3\nEND_CFG\n", HO, "END_CFG", "has no AtomData"),
    "size zero": (lambda t: t.replace("    3\n", "    0\n", 1), HO, "    0", "Size must be"),
    "size in words": (lambda t: t.replace("    3\n", " three\n", 1), HO, "three", "'three'"),
    "size too small": (
        lambda t: t.replace("    3\n", "    2\n", 1),
        ("H", "O"),
        "             3 ",
        "unknown section '3'",
    ),
    "size too large": (lambda t: t.replace("    3\n", "    4\n", 1), HO, "Energy", "needs 8 columns, found 1"),
    "column missing": (lambda t: t.replace("0.600000", ""), HO, "2    0", "needs 8 columns, found 7"),
    "position column missing": (
        lambda t: t.replace("cartes_y", "direct_y"),
        ("H", "O"),
        "AtomData",
        "no column cartes_y",
    ),
    "nan": (lambda t: t.replace("0.600000", "nan"), HO, "nan", "'nan' instead of a finite number"),
    "inf energy": (lambda t: t.replace("-14.25", "inf"), HO, "inf", "Energy holds 'inf'"),
    "not a number": (lambda t: t.replace("0.600000", "0.6o"), HO, "0.6o", "'0.6o'"),
    "short supercell row": (
        lambda t: t.replace("4.0      0.0\n", "4.0\n"),
        ("H", "O"),
        "1.0      4.0",
        "needs 3 columns",
    ),
    "flat supercell": (lambda t: t.replace("1.0      4.0", "1.0      0.0"), HO, "END_CFG", "no volume"),
    "stress without cell": (
        lambda t: re.sub(r" Supercell\n.*\n.*\n.*\n", "", t),
        HO,
        "END_CFG",
        "needs a Supercell",
    ),
    "stress component": (lambda t: t.replace("xy\n", "yx\n"), HO, "PlusStress", "must name xx yy zz yz xz xy"),
    "unknown section": (
        lambda t: t.replace(" Energy", " Enthalpy"),
        ("H", "O"),
        "Enthalpy",
        "unknown section 'Enthalpy'",
    ),
    "no end": (lambda t: t.replace("END_CFG", "") + "BEGIN_CFG\n", HO, None, "begins in line 1 is missing"),
    "not begun": (lambda t: "Size\n" + t, HO, "Size", "expected BEGIN_CFG"),
}


@pytest.mark.parametrize("case", BAD)
def test_faults_are_named_with_their_line(file, case):
    spoil, species, fragment, message = BAD[case]
    text = spoil(TEXT)
    path = file(text)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_cfg(path, species)
    assert "\n" not in str(caught.value)
    line = line_of(text, fragment) if fragment else len(text.splitlines())
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize("lines", range(1, len(TEXT.splitlines())))
def test_truncated_file_is_refused_wherever_it_ends(file, lines):
    text = "\n".join(TEXT.splitlines()[:lines]) + "\n"
    with pytest.raises(InputError, match="line"):
        read_cfg(file(TEXT + text), ("H", "O"))


def test_binary_file_is_refused(tmp_path):
    path = tmp_path / "set.cfg"
    path.write_bytes(b"\xff\xfe\x00BEGIN")
    with pytest.raises(InputError, match="not a text file"):
        read_cfg(path)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 6),
    periods=st.integers(0, 3),
    labels=st.sets(st.sampled_from(["energy", "forces", "stress"])),
    scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e4]),
)
def test_round_trip(tmp_path_factory, seed, count, periods, labels, scale):
    rng = np.random.default_rng(seed)
    symbols = rng.choice(["H", "C", "O", "Li", "P", "F"], size=count)
    cell = rng.normal(size=(3, 3)) + 4 * np.eye(3)
    cell[periods:] = 0
    atoms = Atoms(symbols, rng.normal(size=(count, 3)) * scale, cell=cell, pbc=np.arange(3) < periods)
    if periods < 3:
        labels = labels - {"stress"}
    values = {
        "energy": rng.normal() * scale,
        "forces": rng.normal(size=(count, 3)),
        "stress": rng.normal(size=6) * 1e-2,
    }
    if labels:
        atoms.calc = SinglePointCalculator(atoms, **{label: values[label] for label in labels})
    path = tmp_path_factory.mktemp("cfg") / "set.cfg"
    write_cfg(path, [atoms, atoms])
    _, again = read_cfg(path)
    assert list(again.symbols) == list(atoms.symbols)
    assert np.array_equal(again.pbc, atoms.pbc)
    np.testing.assert_allclose(again.positions, atoms.positions, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(again.cell.array, atoms.cell.array, rtol=1e-15, atol=1e-15)
    results = again.calc.results if again.calc else {}
    assert results.keys() == labels
    for label in labels:
        np.testing.assert_allclose(results[label], values[label], rtol=1e-13, atol=1e-15)


def test_own_files_name_their_elements_and_are_believed(tmp_path):
    path = tmp_path / "set.cfg"
    write_cfg(path, [Atoms("OH"), Atoms("C")], species=("O", "C", "H"))
    types = [line.split()[1] for line in path.read_text().splitlines() if re.match(r" +\d+ \d+ ", line)]
    assert types == ["0", "2", "1"]
    assert [str(atoms.symbols) for atoms in read_cfg(path, species=("H", "C", "O"))] == ["OH", "C"]


def test_features_keep_what_a_line_can_say(tmp_path):
    path = tmp_path / "set.cfg"
    info = {
        "reference": "GFN1-xTB",
        "grade": 2.5,
        "two words": 1,
        "list": [1],
        "text": "a b",
        "lines": "a\nb",
        "no": "",
    }
    write_cfg(path, [Atoms("H", info=info)])
    (atoms,) = read_cfg(path)
    assert atoms.info == {"reference": "GFN1-xTB", "grade": "2.5", "text": "a b"}


def test_nothing_is_written_when_something_cannot_be(tmp_path):
    path = tmp_path / "set.cfg"
    path.write_text("old")
    good, bad = Atoms("H"), Atoms("H", [[0, np.nan, 0]])
    with pytest.raises(InputError, match="configuration 2 has a position that is not finite"):
        write_cfg(path, [good, bad])
    with pytest.raises(InputError, match="configuration 1 contains H, which is not in C O"):
        write_cfg(path, [good], species=("C", "O"))
    assert path.read_text() == "old"


def test_motep_reads_ours_as_we_meant_it(tmp_path):
    motep = pytest.importorskip("motep.io.mlip.cfg")
    rng = np.random.default_rng(5)
    atoms = Atoms("OHHC", rng.normal(size=(4, 3)) * 1e-4, cell=rng.normal(size=(3, 3)) + 5 * np.eye(3), pbc=True)
    atoms.info["reference"] = "GFN1-xTB"
    labels = {"energy": -3.25, "forces": rng.normal(size=(4, 3)) * 1e-6, "stress": rng.normal(size=6)}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    path = tmp_path / "set.cfg"
    write_cfg(path, [atoms], species=("H", "C", "O"))
    theirs = motep.read_cfg(str(path), index=0, species=["H", "C", "O"])
    assert str(theirs.symbols) == str(atoms.symbols)
    np.testing.assert_allclose(theirs.positions, atoms.positions, atol=1e-15)
    np.testing.assert_allclose(theirs.get_forces(), labels["forces"], atol=1e-15)
    np.testing.assert_allclose(theirs.get_stress(), labels["stress"])
    assert theirs.get_potential_energy() == -3.25


def test_ours_reads_moteps(tmp_path):
    motep = pytest.importorskip("motep.io.mlip.cfg")
    rng = np.random.default_rng(6)
    atoms = Atoms("OHHC", rng.normal(size=(4, 3)), cell=rng.normal(size=(3, 3)) + 5 * np.eye(3), pbc=True)
    labels = {"energy": -3.25, "forces": rng.normal(size=(4, 3)), "stress": rng.normal(size=6)}
    atoms.calc = SinglePointCalculator(atoms, **labels)
    path = tmp_path / "set.cfg"
    motep.write_cfg(str(path), [atoms], species=["H", "C", "O"])
    (ours,) = read_cfg(path, species=("H", "C", "O"))
    assert str(ours.symbols) == str(atoms.symbols)
    np.testing.assert_allclose(ours.get_forces(), labels["forces"], atol=1e-6)
    np.testing.assert_allclose(ours.get_stress(), labels["stress"], rtol=1e-4, atol=1e-5)
