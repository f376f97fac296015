"""The record of a run's settings: what moves with the run, and what is compared when it goes on."""

from dataclasses import replace

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.active_learning.records import record_start
from electrolyte_ml.active_learning.sections import InheritanceSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import get

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


def test_another_place_of_the_labels_is_no_other_run(begun, tmp_path):
    again(begun, labels=str(tmp_path / "labels"))
    with pytest.raises(InputError, match=r"other settings \(seed\)"):
        again(begun, seed=1)
