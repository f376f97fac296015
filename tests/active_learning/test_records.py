"""The record of a run's settings: what moves with the run, and what is compared when it goes on."""

import sys
from dataclasses import replace

import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.active_learning.records import record_start
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelError, get
from electrolyte_ml.structures import write_configurations

REFERENCE = get("lj")


@pytest.fixture
def begun(tmp_path):
    """A run whose settings, as Python gives them, hold absolute paths inside and beside it."""
    home = tmp_path / "home"
    for name in ("ec", "emc"):
        (home / name).mkdir(parents=True)
        (home / name / "training_set.xyz").write_text(name)
    settings = ActiveLearningSettings(
        composition="EC=4",
        density=1.2,
        labels=str(home / "run" / "store"),
        inheritance=InheritanceSettings((str(home / "ec"), str(home / "emc"))),
    )
    record_start(home / "run", settings, REFERENCE)
    return home


def again(home, **changes):
    record_start(
        home / "run", replace(ActiveLearningSettings.from_toml(home / "run" / "settings.toml"), **changes), REFERENCE
    )


def test_a_tree_that_was_moved_goes_on(begun, tmp_path):
    text = (begun / "run" / "settings.toml").read_text()
    assert 'labels = "store"' in text
    moved = begun.rename(tmp_path / "elsewhere")
    again(moved)  # its settings still name the former places of the sets
    sets = InheritanceSettings((str(moved / "ec"), str(moved / "emc")))
    again(moved, inheritance=sets)
    settings = ActiveLearningSettings.from_toml(moved / "run" / "settings.toml")
    assert settings.labels == str(moved / "run" / "store")
    recorded = ActiveLearningSettings.from_toml(moved / "run" / "iteration_000" / "settings.toml")
    assert recorded.labels == settings.labels


def test_sets_that_were_copied_are_the_same_and_other_ones_are_not(begun, tmp_path):
    copies = tmp_path / "copies"
    for name in ("ec", "emc"):
        (copies / name).mkdir(parents=True)
        (copies / name / "training_set.xyz").write_text(name)
    again(begun, inheritance=InheritanceSettings((str(copies / "ec"), str(copies / "emc"))))
    (copies / "emc" / "training_set.xyz").write_text("other")
    with pytest.raises(InputError, match=r"other settings \(inheritance\.sets\)"):
        again(begun, inheritance=InheritanceSettings((str(copies / "ec"), str(copies / "emc"))))


def test_a_start_that_was_edited_is_another_run(begun, tmp_path):
    start = tmp_path / "start.xyz"
    start.write_text("one")
    settings = ActiveLearningSettings(start=str(start))
    record_start(tmp_path / "run", settings, REFERENCE)
    record_start(tmp_path / "run", settings, REFERENCE)
    start.write_text("two")
    with pytest.raises(InputError, match=r"other settings \(the content of start\)"):
        record_start(tmp_path / "run", settings, REFERENCE)


def test_another_place_of_the_labels_is_no_other_run(begun, tmp_path):
    again(begun, labels=str(tmp_path / "labels"))
    with pytest.raises(InputError, match=r"other settings \(seed\)"):
        again(begun, seed=1)


PROGRAM = """
import sys
lines = open(sys.argv[1]).read().splitlines()
x = [float(line.split()[1]) for line in lines[2:]]
{extra}
rows = [f"{{line}} {{f}} 0 0" for line, f in zip(lines[2:], [x[1] - x[0], x[0] - x[1]])]
energy = {scale} * (x[0] - x[1]) ** 2 / 2
lines[1] = f"Properties=species:S:1:pos:R:3:forces:R:3 energy={{energy}}"
open(sys.argv[2], "w").write("\\n".join([*lines[:2], *rows]) + "\\n")
"""


@pytest.fixture
def commanded(tmp_path):
    """Return a function that begins or goes on with a run whose program is beside its settings, and the folder."""
    folder = tmp_path / "commanded"
    folder.mkdir()

    def go_on(place=folder, scale=1, extra=""):
        (place / "dft.py").write_text(PROGRAM.format(scale=scale, extra=extra))
        if not (place / "settings.toml").exists():
            command = f"command:{sys.executable} -S dft.py {{input}}.extxyz {{output}}.extxyz"
            text = f"composition = 'EC=4'\ndensity = 1.2\n[reference]\nname = '{command}'\n"
            (place / "settings.toml").write_text(text)
        settings = ActiveLearningSettings.from_toml(place / "settings.toml")
        reference = settings.reference.make()
        record_start(place, settings, reference)
        return reference

    return go_on, folder


def label_first(folder, reference):
    atoms = with_label(Atoms("CO", [[0, 0, 0], [1.2, 0, 0]]), reference)
    write_configurations(folder / "iteration_000" / "labelled.xyz", [atoms])


def with_label(atoms, reference):
    label = reference.label(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=label.energy, forces=label.forces)
    return atoms


def test_a_program_that_was_repaired_goes_on(commanded, capsys):
    go_on, folder = commanded
    go_on(extra="sys.exit(3)")
    first = go_on()  # no label exists that the former program may have given
    assert "changed after" not in capsys.readouterr().err
    label_first(folder, first)
    assert go_on(extra="pass  # repaired").key != first.key
    assert "dft.py changed after" in capsys.readouterr().err
    go_on(extra="pass  # repaired")
    assert not capsys.readouterr().err  # compared once


def test_a_program_that_was_edited_and_gives_other_labels_is_refused(commanded):
    go_on, folder = commanded
    label_first(folder, go_on())
    with pytest.raises(
        InputError, match=r"dft\.py changed .* the energy of configuration 1 of .*labelled\.xyz by 0\.72 eV"
    ):
        go_on(scale=2)
    with pytest.raises(LabelError, match=r"dft\.py changed .* a label that fails now: .*exit status 3"):
        go_on(extra="sys.exit(3)")
    go_on()


def test_a_run_that_was_moved_with_its_program_goes_on(commanded, tmp_path, monkeypatch):
    go_on, folder = commanded
    before = go_on()
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    after = go_on(moved)
    assert after.key == before.key
    assert str(moved / "dft.py") in after._words
