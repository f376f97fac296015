"""Whatever a user gets wrong is said in one line that names it, with a non-zero exit code and no traceback.

Each case is a command line over the files that `files` lays out, and the words that the message must contain.
"""

import errno
import os
import re
import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from electrolyte_ml.cli import main
from electrolyte_ml.potentials import MomentTensorPotential, Sum
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.structures import pack


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Good files, and bad ones made from them by one fault each."""
    folder = tmp_path_factory.mktemp("originals")
    MomentTensorPotential.random(level=4, species=("H", "C", "O")).save(folder / "good.mtp")
    lines = (folder / "good.mtp").read_text().splitlines(keepends=True)

    def damaged(name, old, new):
        text, count = re.subn(old, new, "".join(lines), count=1, flags=re.MULTILINE)
        assert count == 1
        (folder / name).write_text(text)

    damaged("untagged.mtp", r"^potential_tag = .*", "potential_tag =")
    damaged("basis.mtp", "RBChebyshev", "RBBessel")
    damaged("counts.mtp", r"alpha_scalar_moments = \d+", "alpha_scalar_moments = 7")
    damaged("version.mtp", "version = 1.1.0", "version = 9.9.9")
    damaged("nan.mtp", r"species_coeffs = \{[^,]+,", "species_coeffs = {nan,")
    (folder / "truncated.mtp").write_text("".join(lines[: len(lines) // 2]))
    (folder / "empty.mtp").touch()

    species = ("H", "C", "O")
    charged = Sum((MomentTensorPotential.random(level=2, species=species), QRd.random(species)))
    charged.save(folder / "charged.pot")
    text = (folder / "charged.pot").read_text()
    (folder / "cut.pot").write_text(text[: 2 * len(text) // 3])
    (folder / "sodium.pot").write_text(text.replace('  "C",', '  "Na",'))
    (folder / "unnamed.pot").write_text(text.replace('  "C",', '  "Xx",'))
    (folder / "text.pot").write_text(text.replace('"form": "positive"', '"form": "plain"'))
    QRd(species, [0.1, 0.2, -0.3], [1.5, -1.0, -1.0], "raw").save(folder / "pole.pot")  # of 4 H, 3 C and 3 O
    QRd.random((*species, "Li")).save(folder / "lithium.pot")

    atoms = pack({"EC": 1}, 0.8)
    good = atoms.copy()
    good.calc = SinglePointCalculator(good, energy=-1.0, forces=np.full((10, 3), 0.1), stress=np.zeros(6))
    write(folder / "good.xyz", good, format="extxyz")
    write(folder / "unlabelled.xyz", atoms, format="extxyz")
    text = (folder / "good.xyz").read_text()
    rows = text.splitlines(keepends=True)
    (folder / "truncated.xyz").write_text("".join(rows[:5]))
    (folder / "empty.xyz").touch()
    (folder / "letters.xyz").write_text("".join([rows[0], rows[1], rows[2].replace("0.1", "abc"), *rows[3:]]))
    (folder / "no_energy.xyz").write_text(text.replace(" energy=-1.0", ""))
    (folder / "nan_energy.xyz").write_text(text.replace(" energy=-1.0", " energy=nan"))
    (folder / "nan_force.xyz").write_text("".join([*rows[:-1], re.sub(r"\S+\s*$", "nan\n", rows[-1])]))
    (folder / "binary.xyz").write_bytes(bytes(range(128, 256)) * 10)

    def moved(name, change):
        other = good.copy()
        change(other)
        other.calc = SinglePointCalculator(other, energy=-1.0, forces=np.zeros((len(other), 3)))
        write(folder / name, other, format="extxyz")

    moved("nan_position.xyz", lambda a: a.positions.__setitem__((3, 1), np.nan))
    moved("overlap.xyz", lambda a: a.positions.__setitem__(4, a.positions[3] + 0.01))
    moved("flat.xyz", lambda a: a.set_cell([[9, 0, 0], [0, 9, 0], [9, 9, 0]]))
    moved("no_cell.xyz", lambda a: a.set_cell(np.zeros((3, 3))))
    moved("lithium.xyz", lambda a: a.symbols.__setitem__(0, "Li"))
    moved("cluster.xyz", lambda a: a.set_pbc(False))
    salt = pack({"Li": 1, "EC": 1}, 0.8, charge=1)
    del salt.info["charge"]
    moved("ion.xyz", lambda a: a.__init__(salt))
    write(folder / "gold.xyz", Atoms("Og2", [[0, 0, 0], [0, 0, 3]], cell=[9, 9, 9], pbc=True), format="extxyz")

    cfg = "BEGIN_CFG\n Size\n    1\n Supercell\n    9 0 0\n    0 9 0\n    0 0 9\n{}END_CFG\n"
    row = " AtomData:  id type cartes_x cartes_y cartes_z fx fy fz\n    {} {} 0 0 0 0 0 0\n"
    energy = " Energy\n    -1.0\n"
    (folder / "good.cfg").write_text(cfg.format(row.format(1, 0) + energy))
    (folder / "ids.cfg").write_text(cfg.format(row.format(2, 0) + energy))
    (folder / "types.cfg").write_text(cfg.format(row.format(1, 5) + energy))
    (folder / "stress.cfg").write_text(
        cfg.format(row.format(1, 0) + energy + " Stress:  xx yy zz yz xz xy\n    0 0 0 0 0 0\n")
    )
    (folder / "unended.cfg").write_text(cfg.format(row.format(1, 0)).replace("END_CFG\n", ""))

    (folder / "folder").mkdir()
    for name, content in {
        "toml": "composition = ",
        "key": 'composition = "EC=2"\ndensity = 1.3\nlevle = 8\n',
        "type": 'composition = "EC=2"\ndensity = 1.3\n[model]\nlevel = "eight"\n',
        "grades": 'composition = "EC=2"\ndensity = 1.3\n[grades]\nsave_threshold = 11\n',
        "flat": 'composition = "EC=2"\ndensity = 1.3\nlevel = 8\n',
        "molecule": 'composition = "XY=2"\ndensity = 1.3\n',
        "reference": 'composition = "EC=2"\ndensity = 1.3\n[reference]\nname = "nothing-like-it"\n',
        "start": 'start = "absent.xyz"\n',
    }.items():
        (folder / f"learn_{name}").mkdir()
        (folder / f"learn_{name}" / "settings.toml").write_text(content)
    return folder


@pytest.fixture
def files(originals, tmp_path, monkeypatch):
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line_error(capsys, command):
    code = main(command.split())
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line]
    assert code != 0
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert "a fault of electrolyte-ml" not in lines[0]
    assert "Traceback" not in captured.out + captured.err
    return lines[0]


CASES = [
    # potentials
    ("info absent.mtp", "absent.mtp"),
    ("info folder", "folder"),
    ("info empty.mtp", "empty.mtp"),
    ("info truncated.mtp", "truncated.mtp"),
    ("info version.mtp", "version.mtp.*9.9.9"),
    ("info basis.mtp", "basis.mtp.*RBBessel"),
    ("info counts.mtp", "counts.mtp.*7"),
    ("info nan.mtp", "nan.mtp"),
    ("info untagged.mtp", "--species"),
    ("info untagged.mtp --species H C", "2 species.*3"),
    ("info untagged.mtp --species H C Xx", "Xx"),
    ("info good.xyz", "good.xyz"),
    # what a potential can be
    ("info --level 7 --species H C O", "level 7"),
    ("info --level 400 --species H", "level 400"),
    ("info --level 8", "--species"),
    ("info --charges qrd", "--level"),
    ("info good.mtp --level 8 --species H C O", "not both"),
    ("new --level 8 --species H H -o out.mtp", "H H"),
    ("new --level 8 --species H C O --cutoff 0.5 -o out.mtp", "must be below cutoff = 0.5"),
    ("new --level 8 --species H C O --cutoff nan -o out.mtp", "nan"),
    ("new --level 8 --species H C O --cutoff 1000 -o out.mtp", "cutoff 1000"),
    # files of configurations
    ("evaluate good.mtp absent.xyz", "absent.xyz"),
    ("evaluate good.mtp folder", "folder"),
    ("evaluate good.mtp empty.xyz", "empty.xyz"),
    ("evaluate good.mtp truncated.xyz", "truncated.xyz"),
    ("evaluate good.mtp letters.xyz", "letters.xyz"),
    ("evaluate good.mtp binary.xyz", "binary.xyz"),
    ("evaluate good.mtp unlabelled.xyz", "unlabelled.xyz.*energy"),
    ("evaluate good.mtp no_energy.xyz", "no_energy.xyz.*energy"),
    ("evaluate good.mtp nan_energy.xyz", "nan_energy.xyz.*energy"),
    ("evaluate good.mtp nan_force.xyz", "nan_force.xyz, configuration 1: the force of atom 10"),
    ("evaluate good.mtp nan_position.xyz", "nan_position.xyz, configuration 1: the position of atom 4"),
    ("evaluate good.mtp good.xyz --energy-key energy_dft", "energy_dft"),
    ("evaluate good.mtp good.xyz --forces-key forces_dft", "--energy-key"),
    ("evaluate good.mtp ids.cfg", "ids.cfg"),
    ("evaluate good.mtp types.cfg", "types.cfg"),
    ("evaluate good.mtp stress.cfg", "stress.cfg.*Stress"),
    ("evaluate good.mtp unended.cfg", "unended.cfg"),
    ("train good.cfg --level 4 -o out.mtp", "species"),
    # configurations that no potential can take
    ("train lithium.xyz --species H C O --level 4 -o out.mtp", "lithium.xyz.*Li.*H C O"),
    ("evaluate good.mtp lithium.xyz", "lithium.xyz.*Li|Li.*H C O"),
    ("grade good.mtp overlap.xyz --train good.xyz", "overlap.xyz, configuration 1: atoms? .*4"),
    ("grade good.mtp good.xyz --train lithium.xyz", "lithium.xyz.*Li"),
    ("grade good.mtp flat.xyz --train good.xyz", "cell"),
    ("grade good.mtp no_cell.xyz --train good.xyz", "cell"),
    ("grade good.mtp good.xyz --train empty.xyz", "empty.xyz"),
    ("grade good.mtp good.xyz --train good.xyz --terms qrd", "--terms: there is no term 'qrd'.*consists of mtp"),
    ("select good.mtp good.xyz --train lithium.xyz -o out.xyz", "lithium.xyz.*Li"),
    ("select good.mtp overlap.xyz --train good.xyz -o out.xyz", "overlap.xyz: configuration 1: atoms? .*4"),
    ("select good.mtp good.xyz --train good.xyz --threshold 1 -o out.xyz", "--threshold 1"),
    ("select good.mtp good.xyz --train good.xyz -o folder", "folder"),
    ("md good.mtp cluster.xyz --ensemble npt --time 1 -o run", "periodic|cell"),
    ("md good.mtp good.xyz --time 1 --temperature -5", "temperature"),
    ("md good.mtp good.xyz --time 1 --timestep 11", "--timestep: '11' is above 10 fs"),
    ("md good.mtp good.xyz --time 0.0001", "--time 0.0001 ps .*--timestep 1 fs"),
    ("md good.mtp good.xyz --time 1 --train lithium.xyz", "lithium.xyz.*Li"),
    ("md good.mtp lithium.xyz --time 1", "lithium.xyz.*Li"),
    ("md good.mtp good.xyz --time 1 -o good.xyz", "good.xyz is not a folder"),
    ("md good.mtp good.xyz --time 1 --tiemstep 2", "--tiemstep.*electrolyte-ml md --help"),
    ("md good.mtp good.xyz --time 1 --ensemble nph", "nph"),
    # charges
    ("info cut.pot", "cut.pot, line .*the file ends"),
    ("info sodium.pot", "sodium.pot: terms of different species cannot be added: H C O and H Na O"),
    ("info unnamed.pot", "unnamed.pot, term qrd from line .*species H Xx O"),
    ("info text.pot", "text.pot, term qrd from line .*no form of charge redistribution 'plain'"),
    ("evaluate pole.pot good.xyz", "good.xyz: configuration 1: the charges of C3H4O3 have a pole"),
    ("evaluate lithium.pot ion.xyz", r"ion.xyz: configuration 1: the charges of the ions sum to \+1 .*charge=1"),
    ("train ion.xyz --level 4 --charges qrd -o out.mtp", r"ion.xyz: configuration 1: the charges of the ions .*\+1"),
    ("train good.xyz --start pole.pot -o out.mtp", "good.xyz: configuration 1: the charges of C3H4O3 have a pole"),
    ("train good.xyz --level 4 --charge-form raw -o out.mtp", "--charge-form raw: goes with charges"),
    ("new --level 4 --species H --charge-width 1 -o out.mtp", "--charge-width 1.0: goes with charges"),
    ("info --level 4 --species H --charges qrd --charge-form plain", "--charge-form plain: must be .*positive, raw"),
    ("info --level 4 --species H --charges qrd --charge-width -1", "charge-width.*-1"),
    ("info --level 4 --species H --charges qdr", "--charges qdr.*qrd"),
    ("md good.mtp good.xyz --time 1 --ensemble nvt --pressure 5", "--pressure needs --ensemble npt"),
    ("md good.mtp good.xyz --time 1 --mode configuration", "--mode needs --train"),
    ("motif EC=3 LiPF6=1 --kind cip --density 1 --fmax 0.1 -o out.xyz", "--fmax needs --relax"),
    ("molecule EC --conformers 5", "--conformers needs --relax"),
    ("evaluate good.mtp good.xyz --mode configuration", "--mode needs --figure"),
    ("train good.xyz --start good.mtp --charges qrd -o out.mtp", "--charges needs a random start"),
    ("train good.xyz --level 4 --starts 0 -o out.mtp", "starts.*0"),
    ("train good.xyz --level 4 --charge-restraint O=-0.5 -o out.mtp", "--charge-restraint needs .*--charges qrd"),
    ("train good.xyz --charges qrd --charge-restraint-weight 1 -o out.mtp", "-weight needs --charge-restraint"),
    ("train good.xyz --charges qrd --charge-restraint O -o out.mtp", "--charge-restraint O: write NAME=VALUE"),
    ("train good.xyz --charges qrd --charge-restraint O=x -o out.mtp", "--charge-restraint O=x: 'x' is not a number"),
    (
        "train good.xyz --level 2 --charges qrd --charge-restraint Na=1 -o out.mtp",
        "restraint of Na: .*has only the species H C O",
    ),
    # references
    ("label good.xyz --reference nothing-like-it", "nothing-like-it"),
    ("label good.xyz --reference command:absent_program_xyz", "absent_program_xyz"),
    ("label gold.xyz --reference gfn1-xtb", "Og"),
    ("label overlap.xyz --reference gfn1-xtb", "overlap"),
    ("label nan_position.xyz", "nan_position.xyz"),
    ("label good.xyz --store good.xyz --reference lj", "good.xyz"),
    ("label good.xyz -j 0", "jobs|-j"),
    ("label good.xyz further.xyz", "further.xyz.*electrolyte-ml label --help"),
    # boxes
    ("box EC=16 --density 9 -o box.xyz", "density"),
    ("box EC --density 1 -o box.xyz", "EC"),
    ("box XY=1 --density 1 -o box.xyz", "XY"),
    ("box EC=1 EC=2 --density 1 -o box.xyz", "EC"),
    ("box EC=0 --density 1 -o box.xyz", "empty"),
    ("box EC=1 --density 1 -o box.nonsense", "box.nonsense"),
    # settings of a learning run
    ("active-learn folder", "settings.toml"),
    ("active-learn learn_toml", "settings.toml.*TOML"),
    ("active-learn learn_key", "levle.*level"),
    ("active-learn learn_type", "level.*eight"),
    ("active-learn learn_grades", "grades.break_threshold"),
    ("active-learn learn_flat", r"settings.toml: level = 8: is now \[model\] level"),
    ("active-learn learn_molecule", "XY"),
    ("active-learn learn_reference", "nothing-like-it"),
    ("active-learn learn_start", "absent.xyz"),
    # what this machine has
    ("benchmark --threads 5000", "5000 threads"),
    ("benchmark --levels 8 9", "level 9"),
    ("benchmark --tasks forces heat", "heat.*forces, gradient, rows, md, neighbours"),
    ("benchmark --against absent", "absent.*electrolyte_ml"),
    ("benchmark --against folder --threads 1 2", "--threads takes a single number with --against"),
    ("benchmark --against folder --levels 9", "level 9"),
    # conductivity
    ("plan-conductivity --tau 300 --error 1e-200", "--error"),
    ("conductivity good.xyz --temperature 300 --window 500 200", "--window 500 200"),
    # scales and notebooks
    ("reproduce --scale enormous", "enormous.*quick, standard, paper"),
    ("reproduce --only 77", "77"),
    ("label x.xyz --reference pbe -o y.xyz", "did you mean 'pyscf-pbe-d3' or 'cp2k-pbe-d3' or 'vasp-pbe-d3'"),
    # places to write to
    ("train good.xyz --level 4 -o folder", "folder"),
    ("train good.xyz --level 4 -o good.xyz/out.mtp", "good.xyz"),
    ("box EC=1 --density 1 -o good.xyz/box.xyz", "good.xyz"),
    ("label good.xyz -o folder", "folder"),
    # command lines
    ("", "COMMAND"),
    ("trian good.xyz", "trian"),
    ("train good.xyz", "-o"),
    ("train good.xyz --level sixteen -o out.mtp", "sixteen"),
    ("train good.xyz --force-weight -1 -o out.mtp", "force-weight"),
    ("train good.xyz --energy-weight 0 --force-weight 0 -o out.mtp", "--stress-weight"),
    ("train good.xyz --level 4 --checkpoint good.xyz/fit -o out.mtp", "good.xyz is not a folder"),
    ("md good.mtp good.xyz", "--time"),
    ("md good.mtp good.xyz --ensemble NPT --time 1", "did you mean npt"),
    # numbers that no liquid, run or model has
    ("md good.mtp good.xyz --time 1 --temperature 1e300", "temperature must be 100000 or less, not 1e[+]300 K"),
    ("md good.mtp good.xyz --time 1 --pressure 1e300", "--pressure must be 1e[+]07 or less"),
    ("md good.mtp good.xyz --time 1 --pressure -1e300", "--pressure must be -1e[+]07 or more"),
    ("md good.mtp good.xyz --time 1e300", "--time must be 1e[+]09 or less"),
    ("new --level 4 --species H --radial-basis-size 100000000 -o out.mtp", "radial-basis-size 100000000.*1 to 1000"),
    ("box EC=1 --density 1e-30 -o box.xyz", "at a density of 1e-30 g/cm³ the box is .* Å long"),
]


@pytest.mark.parametrize(("command", "words"), CASES, ids=[command or "nothing" for command, _ in CASES])
def test_one_clear_line(command, words, files, capsys):
    message = one_line_error(capsys, command)
    assert re.search(words, message), message
    assert not (files / "out.mtp").exists()


def test_a_run_with_other_settings_is_refused_in_the_words_of_its_options(files, capsys):
    words = "md good.mtp good.xyz --ensemble nve --time 0.002 -o run"
    assert main(words.split()) == 0
    capsys.readouterr()
    assert "--timestep = 1.0, not 2.0" in one_line_error(capsys, f"{words} --timestep 2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_refused_before_any_work(files, capsys):
    (files / "folder").chmod(0o500)
    assert "folder" in one_line_error(capsys, "train good.xyz --level 4 -o folder/out.mtp")


@pytest.mark.parametrize("command", ["new --level 4 --species H C O -o out.mtp", "box EC=1 --density 1 -o box.xyz"])
def test_full_disk_is_named_and_the_old_file_survives(command, files, capsys, monkeypatch):
    target = files / command.split()[-1]
    target.write_text("old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = one_line_error(capsys, command)
    assert target.name in message
    assert "No space left" in message
    assert target.read_text() == "old"
    assert not list(files.glob(".*.tmp"))


def test_interrupted_write_leaves_the_old_file(files, capsys, monkeypatch):
    (files / "box.xyz").write_text("old")

    def killed(*names):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    assert main(["box", "EC=1", "--density", "1", "-o", "box.xyz"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert (files / "box.xyz").read_text() == "old"


def test_damaged_label_is_computed_again(files, capsys):
    words = ["label", "good.xyz", "--reference", "lj", "--store", "store", "-o", "out.xyz"]
    assert main(words) == 0
    (label,) = (files / "store").rglob("*.json")
    label.write_text(label.read_text()[:100])
    with pytest.warns(UserWarning, match="damaged"):
        assert main(words) == 0
    assert "1 computed" in capsys.readouterr().out


def test_failing_command_is_set_aside_with_its_reason(files, capsys):
    script = files / "my_dft"
    script.write_text("#!/bin/sh\necho 'SCF did not converge' >&2; exit 3\n")
    script.chmod(0o755)
    assert main(["label", "good.xyz", "--reference", f"command:{script} {{input}}.xyz {{output}}.xyz"]) == 3
    captured = capsys.readouterr()
    assert "SCF did not converge" in captured.err
    assert "0 computed, 0 reused, 1 failed" in captured.out
