"""Settings are refused before anything runs, in one line that names file and key."""

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.errors import InputError

GOOD = 'composition = "EC=4"\ndensity = 1.3\n'


def write(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_toml_and_python_say_the_same(tmp_path):
    path = write(tmp_path, GOOD + "level = 10\ntime_ps = 1\n[reference_settings]\naccuracy = 0.1\n")
    expected = ActiveLearningSettings(
        composition="EC=4", density=1.3, level=10, time_ps=1, reference_settings={"accuracy": 0.1}
    )
    assert ActiveLearningSettings.from_toml(path) == expected


def test_written_settings_are_read_back(tmp_path):
    settings = ActiveLearningSettings(
        composition="EC=3 EMC=7",
        density=[1.0, 1.2],
        stress_weight=1e-7,
        reference='command:run "it" {input} Å',
        reference_settings={"accuracy": 1e-3, "name": "mine"},
        jobs=2,
        watch_molecules=False,
    )
    assert ActiveLearningSettings.from_toml(write(tmp_path, settings.to_toml())) == settings


def test_lists_of_compositions_and_densities_are_kept(tmp_path):
    path = write(tmp_path, 'composition = ["EC=1", "EMC=1"]\ndensity = [0.5, 0.4, 0.3]')
    settings = ActiveLearningSettings.from_toml(path)
    assert settings.compositions == ("EC=1", "EMC=1")
    assert settings.densities == (0.5, 0.4, 0.3)
    assert ActiveLearningSettings.from_toml(write(tmp_path, settings.to_toml())) == settings


def test_files_are_relative_to_the_settings(tmp_path):
    settings = ActiveLearningSettings.from_toml(write(tmp_path, 'start = "boxes.xyz"\nlabels = "../labels"\n'))
    assert settings.start == str(tmp_path / "boxes.xyz")
    assert settings.labels == str(tmp_path.parent / "labels")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level = 7", "level = 7: must be even"),
        ("level = 26", "level = 26: must be even, from 2 to 24"),
        ("level = 8.0", "level = 8.0: must be a whole number"),
        ("level = true", "level = True: must be a whole number"),
        ("cutoff = 0", "cutoff = 0: must be positive"),
        ("cutoff = -5.0", "cutoff = -5.0: must be positive"),
        ('cutoff = "5"', "cutoff = '5': must be a number"),
        ("cutoff = nan", "cutoff = nan: must be a number"),
        ("cutoff = 0.5", "min_distance = 0.9: must be below cutoff"),
        ("radial_basis_size = 0", "radial_basis_size = 0: must be at least 1"),
        ("seed = -1", "seed = -1: must be at least 0"),
        ("grade_break = 2", "grade_break = 2: must be above grade_save"),
        ("grade_save = 0.5", "grade_save = 0.5: must be above 1"),
        ("swap_threshold = 1", "swap_threshold = 1: must be above 1"),
        ("swap_threshold = 3", "swap_threshold = 3: must not be above grade_save"),
        ("temperature = 0", "temperature = 0: must be positive"),
        ("time_ps = 0.0001", "time_ps = 0.0001: shorter than one step"),
        ("time_ps = inf", "time_ps = inf: must be a number"),
        ("trajectories = 0", "trajectories = 0: must be at least 1"),
        ('mode = "atom"', "mode = 'atom': must be one of configuration, neighbourhood"),
        ("watch_molecules = 1", "watch_molecules = 1: must be true or false"),
        ("jobs = 0", "jobs = 0: must be at least 1"),
        ("reference = 3", "reference = 3: must be a non-empty text"),
        ("reference_settings = 3", "reference_settings = 3: must be a table"),
        ("seeding_configurations = 100000", "do not hold so many"),
        ("seeding_configurations = 1", "fewer than seeding_trajectories"),
        ("energy_weight = 0\nforce_weight = 0\nstress_weight = 0", "weights of the loss are all zero"),
        ("force_weight = -1", "force_weight = -1: must not be negative"),
        ("levle = 8", "unknown key 'levle'; did you mean 'level'?"),
        ("grade_brake = 10", "unknown key 'grade_brake'; did you mean 'grade_break'?"),
        ("zzz = 1", "unknown key 'zzz'; the keys are"),
        ("level = ", "not valid TOML"),
        ('start = "a.xyz"', "give either composition"),
        ('exploration_composition = "EMC=8 LiPF6=1"', "F, Li, P must be in composition"),
        ('exploration_composition = ["EC=8", "DMC=8"]', "exploration_composition = 'DMC=8': no molecule 'DMC'"),
    ],
)
def test_each_fault_is_one_line_with_file_and_key(text, message, tmp_path):
    path = write(tmp_path, GOOD + text)
    with pytest.raises(InputError) as caught:
        ActiveLearningSettings.from_toml(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give either composition"),
        ('composition = "EC=4"', "density: goes with composition"),
        ('start = "a.xyz"\ndensity = 1.3', "density: goes with composition"),
        ('composition = "EC=4"\ndensity = [1.3, 0]', "density = [1.3, 0]: must be positive"),
        ('composition = "EC=4"\ndensity = []', "density = []: must be a number or a list"),
        ('composition = "EC=4"\ndensity = ["a"]', "must be a number or a list"),
        ('composition = "XY=4"\ndensity = 1.3', "composition = 'XY=4'"),
        ('composition = ["EC=4", "EC"]\ndensity = 1.3', "composition = 'EC'"),
        ("composition = []\ndensity = 1.3", "composition = []: must not be empty"),
        ('composition = ["EC=4", 3]\ndensity = 1.3', "must be a non-empty text"),
        ('composition = ""\ndensity = 1.3', "composition = '': must be a non-empty text"),
    ],
)
def test_what_is_simulated_must_be_said(text, message, tmp_path):
    with pytest.raises(InputError) as caught:
        ActiveLearningSettings.from_toml(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_missing_file_stays_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        ActiveLearningSettings.from_toml(tmp_path / "none.toml")


def test_what_may_change_between_resumptions():
    settings = ActiveLearningSettings(composition="EC=4", density=1.3)
    longer = ActiveLearningSettings(composition="EC=4", density=1.3, max_iterations=3, jobs=1)
    other = ActiveLearningSettings(composition="EC=4", density=1.3, level=10, seed=1)
    assert settings.changes(longer) == []
    assert settings.changes(other) == ["level", "seed"]
