import gzip
import lzma
import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import read_configurations, write_configurations


def labelled_atoms(seed=0, count=3, pbc=True):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) + 5 * np.eye(3) if pbc else None
    atoms = Atoms(rng.choice(["H", "C", "O"], size=count), rng.normal(size=(count, 3)), cell=cell, pbc=pbc)
    labels = {"energy": rng.normal(), "forces": rng.normal(size=(count, 3))}
    if pbc:
        labels["stress"] = rng.normal(size=6)
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


@settings(max_examples=25, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=4),
    pbc=st.booleans(),
    suffix=st.sampled_from(["xyz", "extxyz", "cfg"]),
)
def test_round_trip(tmp_path_factory, seeds, pbc, suffix):
    configurations = [labelled_atoms(seed, count=1 + seed % 4, pbc=pbc) for seed in seeds]
    path = tmp_path_factory.mktemp("set") / f"set.{suffix}"
    write_configurations(path, configurations)
    again = read_configurations(path, labelled=True)
    assert len(again) == len(configurations)
    for ours, theirs in zip(again, configurations):
        assert str(ours.symbols) == str(theirs.symbols)
        assert np.array_equal(ours.pbc, theirs.pbc)
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)
        np.testing.assert_allclose(ours.cell.array, theirs.cell.array, atol=1e-12)
        assert ours.calc.results.keys() == theirs.calc.results.keys()
        for label, value in theirs.calc.results.items():
            np.testing.assert_allclose(ours.calc.results[label], value, atol=1e-8)
        assert ours.get_potential_energy() == ours.calc.results["energy"]


@pytest.mark.parametrize("ending, compress", [("gz", gzip.compress), ("xz", lzma.compress)])
@pytest.mark.parametrize("suffix", ["extxyz", "cfg"])
def test_compressed_files_are_read_like_plain_ones(tmp_path, suffix, ending, compress):
    plain, packed = tmp_path / f"set.{suffix}", tmp_path / f"set.{suffix}.{ending}"
    write_configurations(plain, [labelled_atoms(seed) for seed in range(3)])
    packed.write_bytes(compress(plain.read_bytes()))
    for ours, theirs in zip(read_configurations(packed, labelled=True), read_configurations(plain), strict=True):
        assert ours == theirs
        assert ours.get_potential_energy() == theirs.get_potential_energy()
        np.testing.assert_array_equal(ours.get_forces(), theirs.get_forces())


@pytest.mark.parametrize("ending, compress", [("gz", gzip.compress), ("xz", lzma.compress)])
def test_broken_archives_are_named(tmp_path, ending, compress):
    whole = compress(b"1\n\nH 0 0 0\n" * 100)
    path = tmp_path / f"set.xyz.{ending}"
    for content in (whole[:-9], whole[:25] + bytes(4) + whole[29:], b"1\n\nH 0 0 0\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}: the {ending} archive is broken or cut short"):
            read_configurations(path)
    path.write_bytes(compress(b"\xff\xfe"))
    with pytest.raises(InputError, match="not a text file"):
        read_configurations(path)


def test_one_configuration_and_ase_agree(tmp_path):
    path = tmp_path / "one.xyz"
    atoms = labelled_atoms()
    write_configurations(path, atoms)
    theirs = read(path)
    np.testing.assert_allclose(theirs.get_stress(), atoms.get_stress())
    np.testing.assert_allclose(theirs.get_forces(), atoms.get_forces(), atol=1e-8)


def test_named_labels_replace_all_others(tmp_path):
    path = tmp_path / "set.xyz"
    atoms = labelled_atoms()
    atoms.info["energy_xtb"] = 7.0
    atoms.arrays["forces_xtb"] = np.full((3, 3), 2.0)
    write(path, atoms)
    (ours,) = read_configurations(path, energy_key="energy_xtb", forces_key="forces_xtb")
    assert ours.get_potential_energy() == 7.0
    assert ours.get_forces().tolist() == [[2.0] * 3] * 3
    assert ours.calc.results.keys() == {"energy", "forces"}  # the stress in the file is another reference's
    assert "energy_xtb" not in ours.info
    assert "forces_xtb" not in ours.arrays


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("name", ["virial", "my_virial", "stress_dft"])
def test_stress_and_virial_by_name(tmp_path, name, flat):
    path = tmp_path / "set.xyz"
    atoms = Atoms("H", cell=[2, 3, 4], pbc=True)
    tensor = np.array([[1.0, 6, 5], [6, 2, 4], [5, 4, 3]])
    atoms.info[name] = tensor.ravel() if flat else tensor
    write(path, atoms)
    (ours,) = read_configurations(path, stress_key=name)
    sign = -1 / 24 if "virial" in name else 1
    np.testing.assert_allclose(ours.get_stress(), sign * np.array([1, 2, 3, 4, 5, 6]))


def test_virial_is_understood_without_a_name(tmp_path):
    path = tmp_path / "set.xyz"
    path.write_text('1\nLattice="2 0 0 0 2 0 0 0 2" pbc="T T T" energy=1.0 virial="8 0 0 0 16 0 0 0 -8"\nH 0 0 0\n')
    (atoms,) = read_configurations(path)
    np.testing.assert_allclose(atoms.get_stress(), [-1, -2, 1, 0, 0, 0])
    assert "virial" not in atoms.info


def test_single_atom_needs_no_forces(tmp_path):
    path = tmp_path / "set.xyz"
    path.write_text("1\nenergy=-13.5\nH 0 0 0\n")
    (atoms,) = read_configurations(path, labelled=True)
    assert atoms.get_potential_energy() == -13.5
    assert atoms.get_forces().tolist() == [[0, 0, 0]]


def test_unlabelled_configurations_are_welcome_unless_labels_are_wanted(tmp_path):
    path = tmp_path / "set.xyz"
    write_configurations(path, [labelled_atoms(), Atoms("H2", [[0, 0, 0], [0, 0, 1]])])
    assert read_configurations(path)[1].calc is None
    with pytest.raises(InputError, match=r"set.xyz, configuration 2: no energy"):
        read_configurations(path, labelled=True)
    with pytest.raises(InputError, match=r"set.xyz, configuration 1: no energy under the name 'e_dft'"):
        read_configurations(path, energy_key="e_dft")


@pytest.mark.parametrize(
    ("index", "chosen"), [(":", [0, 1, 2, 3]), ("-1", [3]), ("::2", [0, 2]), (1, [1]), ("1:3", [1, 2]), ("9:", [])]
)
def test_index(tmp_path, index, chosen):
    path = tmp_path / "set.xyz"
    write_configurations(path, [Atoms("H", info={"k": k}) for k in range(4)])
    assert [atoms.info["k"] for atoms in read_configurations(path, index=index)] == chosen


@pytest.mark.parametrize(("index", "message"), [("last", "'last' is not an index"), ("7", "index 7 is beyond its 4")])
def test_bad_index(tmp_path, index, message):
    path = tmp_path / "set.xyz"
    write_configurations(path, [Atoms("H")] * 4)
    with pytest.raises(InputError, match=message):
        read_configurations(path, index=index)


GOOD = "1\nenergy=0.0\nH 0 0 0\n"
HEAD = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=1.0 pbc="F F F"'
BAD = {
    "nan position": ("2\n\nH 0 0 0\nH 0 nan 1\n", "the position of atom 2 is not finite"),
    "nan energy": ("1\nenergy=nan\nH 0 0 0\n", "the energy is not finite"),
    "nan force": (f"1\n{HEAD}\nH 0 0 0 0 0 inf\n", "the force of atom 1 is not finite"),
    "energy in words": ("1\nenergy=low\nH 0 0 0\n", "the energy is not a number: 'low'"),
    "flat cell": ('1\nLattice="1 0 0 2 0 0 0 0 1" pbc="T T T"\nH 0 0 0\n', "the periodic cell has no volume"),
    "nan cell": ('1\nLattice="nan 0 0 0 1 0 0 0 1" pbc="T T T"\nH 0 0 0\n', "the cell is not finite"),
    "virial without cell": ('1\nvirial="1 0 0 0 1 0 0 0 1" pbc="F F F"\nH 0 0 0\n', "a virial needs a cell"),
    "stress of four": ('1\nLattice="1 0 0 0 1 0 0 0 1" stress="1 2 3 4"\nH 0 0 0\n', ""),
    "unknown element": ("1\n\nXq 0 0 0\n", "Xq"),
    "column missing": (f"1\n{HEAD}\nH 0 0 0\n", ""),
    "fewer atoms than said": ("3\n\nH 0 0 0\n", "the file ends after 1 of its 3 atoms"),
    "no atoms": ("0\n\n", "no atoms"),
    "not an xyz": ("hello\n", "line 4 should be a number of atoms, found 'hello'"),
}


@pytest.mark.parametrize("case", BAD)
def test_faults_are_named_with_file_and_configuration(tmp_path, case):
    text, message = BAD[case]
    path = tmp_path / "set.xyz"
    path.write_text(GOOD + text)
    with pytest.raises(InputError, match=re.escape(f"{path}, configuration 2: ") + ".*" + re.escape(message)) as caught:
        read_configurations(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["xyz", "cfg"])
def test_empty_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"set.{suffix}"
    path.write_text("")
    with pytest.raises(InputError, match=f"set.{suffix} holds no configuration"):
        read_configurations(path)


def test_missing_file_says_its_name(tmp_path):
    for suffix in ("xyz", "cfg", "traj"):
        with pytest.raises(FileNotFoundError, match=f"absent.{suffix}"):
            read_configurations(tmp_path / f"absent.{suffix}")


def test_keys_make_no_sense_for_cfg(tmp_path):
    with pytest.raises(InputError, match="leave out the keys"):
        read_configurations(tmp_path / "set.cfg", energy_key="e")


def test_other_formats_are_read_through_ase(tmp_path):
    path = tmp_path / "odd@name.traj"
    write(path, labelled_atoms())
    np.testing.assert_array_equal(read_configurations(path)[0].get_forces(), labelled_atoms().get_forces())


def test_nothing_is_written_when_something_cannot_be(tmp_path):
    path = tmp_path / "set.xyz"
    path.write_text("old")
    bad = labelled_atoms()
    bad.calc.results["forces"][1, 1] = np.nan
    with pytest.raises(InputError, match="set.xyz, configuration 2: the force of atom 2 is not finite"):
        write_configurations(path, [labelled_atoms(), bad])
    with pytest.raises(InputError, match="must end in"):
        write_configurations(tmp_path / "set.json", [bad])
    assert path.read_text() == "old"


def test_foreign_liquids(shared_data):
    path = shared_data / "ecemc_dft" / "train.xyz"
    configurations = read_configurations(path, labelled=True)
    assert len(configurations) == 163
    assert [len(atoms) for atoms in configurations[:3]] == [1, 1, 1]
    virial = np.array([float(x) for x in re.search(r'virial="([^"]*)"', path.read_text())[1].split()]).reshape(3, 3)
    atoms = configurations[3]
    pressure = np.trace(virial) / 3 / atoms.get_volume()
    assert -atoms.get_stress()[:3].mean() == pytest.approx(pressure)


def test_labels_under_other_names_are_pointed_at(tmp_path):
    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 4.0]])
    atoms.info["energy_dft"] = -1.0
    atoms.set_array("dft_forces", np.zeros((2, 3)))
    write(tmp_path / "set.xyz", atoms, format="extxyz")
    with pytest.raises(InputError, match=r"no energy; is it 'energy_dft'\? \(energy_key=, --energy-key\)"):
        read_configurations(tmp_path / "set.xyz", labelled=True)
    with pytest.raises(InputError, match=r"no forces; .*are read; is it 'dft_forces'\? \(forces_key=, --forces-key"):
        read_configurations(tmp_path / "set.xyz", labelled=True, energy_key="energy_dft")


def test_foreign_clusters(shared_data):
    path = shared_data / "solvent_xtb" / "train_200.xyz"
    configurations = read_configurations(path, energy_key="energy_xtb", forces_key="forces_xtb")
    theirs = read(path, ":")
    assert len(configurations) == len(theirs) == 203
    for ours, raw in zip(configurations, theirs):
        assert ours.get_potential_energy() == raw.info["energy_xtb"]
        np.testing.assert_array_equal(ours.get_forces(), raw.arrays["forces_xtb"])


def frames(*comments):
    return "".join(f"1\n{comment} Properties=species:S:1:pos:R:3:F:R:3\nH 0 0 0 0 0 0\n" for comment in comments)


def test_a_named_stress_may_be_missing_in_some_configurations(tmp_path):
    cell = 'Lattice="2 0 0 0 2 0 0 0 2" pbc="T T T"'
    path = tmp_path / "set.xyz"
    path.write_text(frames(f'{cell} E=1 S="1 2 3 4 5 6"', "E=2"))
    keys = {"energy_key": "E", "forces_key": "F", "stress_key": "S"}
    first, second = read_configurations(path, labelled=True, **keys)
    assert first.get_stress().tolist() == [1, 2, 3, 4, 5, 6] and "stress" not in second.calc.results
    with pytest.raises(InputError, match="no configuration has a stress under the name 'T'; is it 'my_virial'"):
        path.write_text(frames(f'{cell} E=1 my_virial="1 2 3 4 5 6"', "E=2"))
        read_configurations(path, **(keys | {"stress_key": "T"}))


@pytest.mark.parametrize("suffix", [".xyz", ".cfg"])
def test_a_byte_order_mark_is_skipped(tmp_path, suffix):
    path = tmp_path / f"set{suffix}"
    write_configurations(path, Atoms("H", cell=[2, 2, 2], pbc=True))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_configurations(path, species=("H",))) == 1


@pytest.mark.parametrize(("factor", "agree"), [(1.0, True), (-1.0, False), (160.2, False)])
def test_a_stress_and_a_virial_must_agree(tmp_path, factor, agree):
    """The stress by which the virial of 8 Å³ would be another one: of the other sign, or in GPa."""
    path = tmp_path / "set.xyz"
    stress = " ".join(f"{factor * value:.5f}" for value in (-1, 0, 0, 0, -2, 0, 0, 0, 1))
    head = 'Lattice="2 0 0 0 2 0 0 0 2" pbc="T T T" energy=1.0 virial="8 0 0 0 16 0 0 0 -8"'
    path.write_text(f'1\n{head} stress="{stress}"\nH 0 0 0\n')
    if agree:
        np.testing.assert_allclose(read_configurations(path)[0].get_stress(), [-1, -2, 1, 0, 0, 0])
        return
    with pytest.raises(InputError, match=r"configuration 1: stress and virial contradict each other.*component yy"):
        read_configurations(path)
