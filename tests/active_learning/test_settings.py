"""Settings are refused before anything runs, in one line that names file and key."""

import inspect
import pickle
import re
from dataclasses import FrozenInstanceError, replace

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    MDRun,
    ReferenceSettings,
    StoppingSettings,
)
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.settings import flatten, to_toml
from electrolyte_ml.training import train

GOOD = 'composition = "EC=4"\ndensity = 1.3\n'


def write(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_toml_and_python_say_the_same(tmp_path):
    text = GOOD + "[model]\nlevel = 10\n[exploration]\ntime_ps = 1\n[reference.settings]\naccuracy = 0.1\n"
    expected = ActiveLearningSettings(
        composition="EC=4",
        density=1.3,
        model=ModelSpec(level=10),
        exploration=ExplorationSettings(time_ps=1),
        reference=ReferenceSettings(settings={"accuracy": 0.1}),
    )
    assert ActiveLearningSettings.from_toml(write(tmp_path, text)) == expected


def test_the_shortest_file_takes_the_defaults(tmp_path):
    text = 'composition = "EC=4"\ndensity = [1.15, 1.25, 1.35, 1.45]\n[model]\nlevel = 14\n'
    settings = ActiveLearningSettings.from_toml(write(tmp_path, text))
    assert (settings.model.level, settings.density) == (14, (1.15, 1.25, 1.35, 1.45))
    assert settings.exploration == ExplorationSettings()
    assert settings.exploration.pressure_bar == 1.01325


def test_written_settings_are_read_back(tmp_path):
    settings = ActiveLearningSettings(
        composition="EC=3 EMC=7",
        density=[1.0, 1.2],
        fit=FitSettings(stress_weight=1e-7, tolerance=1e-4),
        reference=ReferenceSettings(
            'command:run "it" {input} Å', {"accuracy": 1e-3, "name": "mine", "a b": [1, {"c": "d"}]}
        ),
        exploration=ExplorationSettings("nvt", watch_molecules=False, larger_boxes=["EC=8"]),
        jobs=2,
    )
    assert ActiveLearningSettings.from_toml(write(tmp_path, settings.to_toml())) == settings


def test_every_setting_is_in_the_file(tmp_path):
    settings = ActiveLearningSettings(composition="EC=4", density=1.3)
    lines = settings.to_toml().splitlines()
    written = {line.partition(" = ")[0] for line in lines if " = " in line}
    assert written == {
        name.rpartition(".")[2] for name, value in flatten(settings).items() if value not in (None, (), {})
    }


def test_the_terms_of_the_grade_are_one_or_several(tmp_path):
    one, two = (
        ActiveLearningSettings.from_toml(write(tmp_path, GOOD + f'[model]\ncharges = "qrd"\n[grades]\nterms = {terms}'))
        for terms in ('"mtp"', '["qrd", "mtp"]')
    )
    assert (one.grades.terms, two.grades.terms) == (("mtp",), ("qrd", "mtp"))
    assert ActiveLearningSettings.from_toml(write(tmp_path, two.to_toml())) == two
    assert one.changes(two) == ["grades.terms"]


def test_what_toml_cannot_hold_is_refused():
    settings = ActiveLearningSettings(
        composition="EC=4", density=1.3, reference=ReferenceSettings("lj", {"a": object()})
    )
    with pytest.raises(InputError, match="reference.settings = .*cannot be written"):
        settings.to_toml()


def test_lists_of_compositions_and_densities_are_kept(tmp_path):
    path = write(tmp_path, 'composition = ["EC=1", "EMC=1"]\ndensity = [0.5, 0.4, 0.3]')
    settings = ActiveLearningSettings.from_toml(path)
    assert settings.composition == ("EC=1", "EMC=1")
    assert settings.density == (0.5, 0.4, 0.3)
    assert ActiveLearningSettings.from_toml(write(tmp_path, settings.to_toml())) == settings


def test_files_are_relative_to_the_settings(tmp_path):
    settings = ActiveLearningSettings.from_toml(write(tmp_path, 'start = "boxes.xyz"\nlabels = "../labels"\n'))
    assert settings.start == str(tmp_path / "boxes.xyz")
    assert settings.labels == str(tmp_path.parent / "labels")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nlevel = 7", "model.level = 7: level 7 is not possible: levels are even"),
        ("[model]\nlevel = 30", "model.level = 30: level 30 is not possible: levels are even numbers from 2 to 28"),
        ("[model]\nlevel = 8.0", "model.level = 8.0: must be a valid integer"),
        ("[model]\nlevel = true", "model.level = True: must be a valid integer"),
        ("[model]\ncutoff = 0", "model.cutoff = 0: must be greater than 0"),
        ("[model]\ncutoff = -5.0", "model.cutoff = -5.0: must be greater than 0"),
        ('[model]\ncutoff = "5"', "model.cutoff = '5': must be a valid number"),
        ("[model]\ncutoff = nan", "model.cutoff = nan: must be a finite number"),
        ("[model]\ncutoff = 0.5", "model.min_distance = 0.9: must be below cutoff"),
        ("[model]\nmin_distance = -1.0", "model.min_distance = -1.0: must be below cutoff = 5.0, and not negative"),
        ("[model]\nradial_basis_size = 0", "model.radial_basis_size = 0: must be from 1 to 1000"),
        ("seed = -1", "seed = -1: must be greater than or equal to 0"),
        ("[grades]\nbreak_threshold = 2", "grades.break_threshold = 2.0: must be above save_threshold"),
        ("[grades]\nsave_threshold = 0.5", "grades.save_threshold = 0.5: must be above 1"),
        ("[grades]\nswap_threshold = 1", "grades.swap_threshold = 1.0: must be above 1"),
        ("[grades]\nswap_threshold = 3", "grades.swap_threshold = 3.0: must be above 1 and not above save_threshold"),
        ("[exploration]\ntemperature = 0", "exploration.temperature = 0: must be greater than 0"),
        ("[exploration]\ntime_ps = -1", "exploration.time_ps = -1: must be greater than 0"),
        ("[exploration]\ntime_ps = 0.0001", "exploration.time_ps = 0.0001: shorter than one step"),
        ("[seeding]\ntime_ps = 0.0001", "seeding.time_ps = 0.0001: shorter than one step"),
        ("[exploration]\ntime_ps = inf", "exploration.time_ps = inf: must be a finite number"),
        ("[exploration]\nhydrogen_mass = 1.0", "exploration.hydrogen_mass = 1.0: must be greater than 1.008"),
        ("[seeding]\nhydrogen_mass = 12", "seeding.hydrogen_mass = 12: must be less than or equal to 6"),
        ("[exploration]\ntrajectories = 0", "exploration.trajectories = 0: must be greater than or equal to 1"),
        (
            "[exploration]\ntrajectories = 1000000000001",
            "exploration.trajectories = 1000000000001: must be less than or equal",
        ),
        (
            '[exploration]\nensemble = "nvt"\npressure_bar = 1',
            'exploration.pressure_bar = 1.0: needs ensemble = "npt"',
        ),
        ('[seeding]\nensemble = "npt"', "seeding.ensemble = 'npt': must be 'nve' or 'nvt'"),
        ('[grades]\nmode = "atom"', "grades.mode = 'atom': must be 'configuration' or 'neighbourhood'"),
        ("[grades]\nterms = 1", "grades.terms = 1: must be a valid string"),
        ("[exploration]\nwatch_molecules = 1", "exploration.watch_molecules = 1: must be a valid boolean"),
        ("jobs = 0", "jobs = 0: must be greater than or equal to 1"),
        ("[reference]\nname = 3", "reference.name = 3: must be a valid string"),
        ('[reference]\nname = ""', "reference.name = '': must have at least 1 character"),
        ("[reference]\nsettings = 3", "reference.settings = 3: must be a valid dictionary"),
        ("[seeding]\nconfigurations = 100000", "trajectories of"),
        ("[seeding]\nconfigurations = 1", "fewer than trajectories"),
        ("[seeding]\ntrajectories = -1", "seeding.trajectories = -1: must be greater than or equal to 0"),
        ("[fit]\nenergy_weight = 0\nforce_weight = 0\nstress_weight = 0", "weights of the loss are all zero"),
        ("[fit]\nforce_weight = -1", "fit.force_weight = -1: must be greater than or equal to 0"),
        ('[fit]\nmethod = "sgd"', "fit.method = 'sgd': must be 'default' or 'paper'"),
        ('[fit]\nmethod = "paper"\ntolerance = 0.1', 'fit.tolerance = 0.1: needs method = "default"'),
        ("[model]\nlevle = 8", "unknown key 'model.levle'; did you mean [model] level?"),
        ("levle = 8", "unknown key 'levle'; did you mean [model] level?"),
        ("[modle]\nlevel = 8", "unknown key 'modle'; did you mean 'model'?"),
        (
            "[grades]\nbrake_threshold = 10",
            "unknown key 'grades.brake_threshold'; did you mean [grades] break_threshold?",
        ),
        (
            "[model]\ntime_ps = 1",
            "unknown key 'model.time_ps'; did you mean [seeding] time_ps or [exploration] time_ps?",
        ),
        ("zzz = 1", "unknown key 'zzz'; the keys are"),
        ("model = 8", "model = 8: must be a table, [model], of the keys level, cutoff"),
        ("level = ", "not valid TOML"),
        ('start = "a.xyz"', "give either composition"),
        ('[exploration]\nlarger_boxes = "EMC=8 LiPF6=1"', "F, Li, P must be in composition"),
        (
            '[exploration]\nlarger_boxes = ["EC=8", "XMC=8"]',
            "exploration.larger_boxes = 'XMC=8': no molecule",
        ),
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
        ('composition = "EC=4"', "must be given with composition"),
        ('start = "a.xyz"\ndensity = 1.3', "must be given with composition"),
        ('composition = "EC=4"\ndensity = [1.3, 0]', "density = 0: must be greater than 0"),
        ('composition = "EC=4"\ndensity = []', "density = None: must be given with composition"),
        ('composition = "EC=4"\ndensity = ["a"]', "density = 'a': must be a valid number"),
        ('composition = "XY=4"\ndensity = 1.3', "composition = 'XY=4'"),
        ('composition = ["EC=4", "EC"]\ndensity = 1.3', "composition = 'EC'"),
        ("composition = []\ndensity = 1.3", "give either composition"),
        ('composition = ["EC=4", 3]\ndensity = 1.3', "composition = 3: must be a valid string"),
        ('composition = ""\ndensity = 1.3', "composition = '': must have at least 1 character"),
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
    longer = replace(settings, stopping=StoppingSettings(quiet_iterations=3, max_iterations=3), jobs=1)
    other = replace(settings, model=ModelSpec(level=10), seed=1)
    assert settings.changes(longer) == []
    assert settings.changes(other) == ["model.level", "seed"]


FLAT = """composition = "EC=4"
density = 1.3
level = 12
cutoff = 5.0
radial_basis_size = 8
min_distance = 0.9
reference = "GFN1-xTB"
seeding_trajectories = 8
seeding_temperature = 1000.0
seeding_time_ps = 0.015
seeding_timestep_fs = 1.0
seeding_configurations = 60
seeding_seed = 0
trajectories = 10
time_ps = 10.0
timestep_fs = 1.0
temperature = 400.0
pressure_bar = 1.01325
exploration_composition = "EC=8"
grade_save = 2.0
grade_break = 10.0
grade_interval_fs = 5.0
watch_molecules = true
mode = "neighbourhood"
swap_threshold = 1.05
most_saved = 10
energy_weight = 1.0
force_weight = 0.01
stress_weight = 0.1
seeding_fit_iterations = 300
fit_iterations = 120
quiet_iterations = 2
max_iterations = 100
"""


@pytest.mark.parametrize("line", FLAT.splitlines()[2:])
def test_a_key_of_the_former_flat_layout_is_told_its_place(line, tmp_path):
    """And the place is one that takes the value."""
    path = write(tmp_path, GOOD + line)
    with pytest.raises(InputError) as caught:
        ActiveLearningSettings.from_toml(path)
    key, _, value = line.partition(" = ")
    table, name = re.fullmatch(rf"{path}: {key} = .*: is now \[(\w+)\] (\w+)", str(caught.value)).groups()
    settings = ActiveLearningSettings.from_toml(write(tmp_path, f"{GOOD}[{table}]\n{name} = {value}"))
    assert f"{table}.{name}" in flatten(settings)


def test_former_settings_of_the_reference_are_told_their_place(tmp_path):
    path = write(tmp_path, GOOD + "[reference_settings]\naccuracy = 0.1")
    with pytest.raises(InputError, match=r"reference_settings = .*: is now \[reference\] settings"):
        ActiveLearningSettings.from_toml(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MDRun("npt", temperature=300.0), "time_ps: must be given"),
        (lambda: MDRun("npt", 300.0, time=1.0), "unknown setting 'time'"),
        (lambda: MDRun("nve", 300.0, 1.0, pressure_bar=1.0), 'pressure_bar = 1.0: needs ensemble = "npt"'),
        (lambda: FitSettings(iterations=0), "iterations = 0: must be greater than or equal to 1"),
        (lambda: replace(FitSettings(), method="newton"), "method = 'newton': must be 'default' or 'paper'"),
        (lambda: ActiveLearningSettings(model={"level": 8}), "model = {'level': 8}: must be an instance of ModelSpec"),
    ],
)
def test_python_gets_the_same_messages(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_starts_and_restraint_are_handed_to_the_fit(tmp_path):
    """Several starts to the first fit alone; a restraint to every fit of a model with charges."""
    table = '[model]\ncharges = "qrd"\n[fit]\nstarts = 3\ncharge_restraint = {Li = 1, O = -0.5}\n'
    settings = ActiveLearningSettings.from_toml(write(tmp_path, GOOD + table + "charge_restraint_weight = 0.2"))
    first, later = (settings.fit.options(refit=refit) for refit in (False, True))
    assert first["starts"] == 3 and "starts" not in later
    for options in (first, later):
        assert (options["charge_restraint"].charges, options["charge_restraint"].weight) == ({"Li": 1, "O": -0.5}, 0.2)
    assert ActiveLearningSettings.from_toml(write(tmp_path, to_toml(settings))) == settings
    with pytest.raises(InputError, match=r"fit.charge_restraint = .*needs a model of the charges"):
        ActiveLearningSettings.from_toml(write(tmp_path, GOOD + "[fit]\ncharge_restraint = {Li = 1.0}"))
    with pytest.raises(InputError, match="fit.charge_restraint_weight = 0.2: needs charge_restraint"):
        ActiveLearningSettings.from_toml(write(tmp_path, GOOD + "[fit]\ncharge_restraint_weight = 0.2"))
    with pytest.raises(InputError, match="charge_form = 'raw': goes with charges"):
        ActiveLearningSettings.from_toml(write(tmp_path, GOOD + '[model]\ncharge_form = "raw"'))
    with pytest.raises(InputError, match="charge_form = 'plain'"):
        ActiveLearningSettings.from_toml(write(tmp_path, GOOD + '[model]\ncharges = "qrd"\ncharge_form = "plain"'))


def test_settings_travel_between_processes():
    settings = ActiveLearningSettings(composition="EC=4", density=1.3, seed=3)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        ActiveLearningSettings(composition="EC=4", density=1.3).exploration.time_ps = 1.0


def test_a_run_is_handed_over_as_arguments_of_dynamics():
    assert MDRun("nvt", 300.0, 2.0).options() == {
        "ensemble": "nvt", "temperature": 300.0, "time_ps": 2.0, "timestep_fs": 1.0
    }  # fmt: skip
    assert ExplorationSettings().options().keys() <= inspect.signature(run_md).parameters.keys()
    assert FitSettings(tolerance=0.1).options(refit=True).keys() <= inspect.signature(train).parameters.keys()


def test_molecules_of_ones_own_stand_in_tables(tmp_path):
    pytest.importorskip("rdkit")
    (tmp_path / "ether.xyz").write_text("3\ncharge=0\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    text = (
        'composition = "EC=4 THF=2 C1CCCCO1=1 LiTFSI=1"\ndensity = 1.1\n'
        '[molecules.THF]\nsmiles = "C1CCOC1"\n[molecules.Wet]\nfile = "ether.xyz"\n'
        '[exploration]\nlarger_boxes = "THF=8 Wet=2"\n'
    )
    settings = ActiveLearningSettings.from_toml(write(tmp_path, text))
    own = settings.own_molecules()
    assert {name: m.formula for name, m in own.items()} == {"THF": "C4H8O", "Wet": "H2O"}
    assert settings.molecules["Wet"]["file"] == str(tmp_path / "ether.xyz")
    elsewhere = tmp_path / "run"
    elsewhere.mkdir()
    assert ActiveLearningSettings.from_toml(write(elsewhere, settings.to_toml())) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('composition = "EC=4 Li=1"', r"composition = 'EC=4 Li=1': .*sum to \+1 e \(Li \+1\), not to 0"),
        ('composition = "EC=4"\ncharge = 1', r"composition = 'EC=4': .*sum to 0 e \(no ions\), not to \+1"),
        ('composition = "EC=4 MgPF6=1"', r"charges of MgPF6 do not cancel .*: write Mg\(PF6\)2"),
        ('composition = "EC=4 C1CC=1"', "cannot read 'C1CC' as a SMILES"),
        ('composition = "EC=4 my.xyz=1"', r"my.xyz=1: name the file in a table, \[molecules.NAME\]"),
        (
            'composition = "EC=4"\n[molecules.X]\ncolour = "red"',
            "molecules.X = .*: write smiles or file",
        ),
        ('composition = "EC=4"\n[molecules.EC]\nsmiles = "CO"', "molecules.EC: EC is in the library already"),
        ('composition = "EC=4"\n[molecules]\nX = 3', "molecules"),
    ],
)
def test_a_system_that_makes_no_sense_is_named(text, message, tmp_path):
    pytest.importorskip("rdkit")
    head, _, tail = text.partition("\n")
    with pytest.raises(InputError, match=message) as caught:
        ActiveLearningSettings.from_toml(write(tmp_path, f"{head}\ndensity = 1.1\n{tail}"))
    assert "\n" not in str(caught.value)


def test_a_charged_system_is_learnt_where_its_charge_is_stated(tmp_path):
    from electrolyte_ml.active_learning.seeding import packed_starts

    settings = ActiveLearningSettings(composition="EC=2 Li=1", density=0.8, charge=1)
    (box,) = packed_starts(settings.composition, settings.density, 1, 0, charge=settings.charge)
    assert box.info["charge"] == 1
