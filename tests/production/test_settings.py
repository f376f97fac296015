"""Settings of a production: files, impossible values in one line, what may change."""

from dataclasses import replace

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.production import ProductionSettings
from electrolyte_ml.production.settings import AnalysisSettings, EquilibrationSettings, TrajectorySettings

BOX = {"potential": "pot.mtp", "composition": "EC=24 EMC=56 LiPF6=8", "density": 1.1}


def test_toml_and_back(tmp_path):
    settings = ProductionSettings(
        **BOX,
        temperatures=(280.0, 300.0),
        molecules={"THF": {"smiles": "C1CCOC1"}},
        equilibration=EquilibrationSettings(annealing=((300.0, 380.0, 5.0),), boxes=2),
        analysis=AnalysisSettings(correlation_ps=500.0, window_ps=300.0),
    )
    (tmp_path / "settings.toml").write_text(settings.to_toml())
    assert ProductionSettings.from_toml(tmp_path / "settings.toml") == settings


def test_paths_are_relative_to_the_file(tmp_path):
    for name in ("pot.mtp", "box.xyz", "active_set.npz"):
        (tmp_path / name).touch()
    text = 'potential = "pot.mtp"\nstart = "box.xyz"\n[grades]\nactive_set = "active_set.npz"\n'
    (tmp_path / "settings.toml").write_text(text)
    settings = ProductionSettings.from_toml(tmp_path / "settings.toml")
    found = (settings.potential, settings.start, settings.grades.active_set)
    assert found == tuple(str(tmp_path / name) for name in ("pot.mtp", "box.xyz", "active_set.npz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("composition = 'EC=4'\ndensity = 1.2", "potential: must be given"),
        ("potential = 'p'", "composition = None: give either composition and density, or start"),
        ("potential = 'p'\ncomposition = 'EC=4'", "density = None: must be given with composition"),
        ("potential = 'p'\ncomposition = 'XYZ=4'\ndensity = 1.2", "composition = 'XYZ=4': .*XYZ"),
        ("potential = 'p'\ncomposition = 'EC=4 Li=1'\ndensity = 1.2", "composition = 'EC=4 Li=1': "),
        ("potential = 'p'\ncompositoin = 'EC=4'", "unknown key 'compositoin'; did you mean 'composition'"),
        ("[trajectories]\ncount = 0", "trajectories.count = 0"),
        ("[trajectories]\ntime_ps = 0.5", "trajectories.time_ps = 0.5: too short for two frames"),
        ("[trajectories]\nion_interval_fs = 7.5", "trajectories.ion_interval_fs = 7.5: not a multiple of timestep_fs"),
        ("[equilibration]\naverage_last_ps = 300", "equilibration.average_last_ps = 300.0: longer than time_ps = 200"),
        ("[equilibration]\nannealing = [[300, 380]]", "equilibration.annealing"),
        ("[equilibration]\nannealing = [[300, -380, 1]]", "equilibration.annealing"),
        ("[equilibration]\nannealing = [[300.0, 1e11, 1.0]]", "equilibration.annealing = .*hotter than 10000 K"),
        ("[trajectories]\ntimestep_fs = 1e-300\nion_interval_fs = 1e300", "ion_interval_fs = 1e.300: not a multiple"),
        ("[equilibration]\nhydrogen_mass = 30", "equilibration.hydrogen_mass = 30"),
        (
            "[equilibration]\ndensities = []",
            "equilibration.densities = .*: must be one value in g/cm³, or one for each",
        ),
        (
            "[equilibration]\ndensities = 1.2\npressure_bar = 2.0",
            "pressure_bar = 2.0: cannot be set together",
        ),
        (
            "potential = 'p'\ncomposition = 'EC=4'\ndensity = 1.2\n[equilibration]\ndensities = [1.2, 1.3]",
            "equilibration.densities = .1.2, 1.3.: must be one value in g/cm³, or one for each of 1 temperatures",
        ),
        ("[analysis]\nwindow_ps = 200", "analysis.window_ps = 200.0: must be below correlation_ps = 100"),
        ("[grades]\ntrusted = 20", "grades.break_threshold = 10.0: must not be below trusted = 20"),
    ],
)
def test_impossible_settings_are_one_line_that_names_file_and_key(tmp_path, text, message):
    path = tmp_path / "settings.toml"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=message) as caught:
        ProductionSettings.from_toml(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_repeated_temperatures_are_refused():
    with pytest.raises(InputError, match="one or more different"):
        ProductionSettings(**BOX, temperatures=(300.0, 300.0))


def test_more_configurations_than_steps_are_refused():
    with pytest.raises(InputError, match="annealing"):
        ProductionSettings(
            **BOX,
            equilibration=EquilibrationSettings(annealing=((300.0, 300.0, 0.006),)),
            trajectories=TrajectorySettings(count=4),
        )


def test_what_changes_the_computation_is_named():
    settings = ProductionSettings(**BOX)
    free = replace(
        settings,
        jobs=3,
        temperatures=(300.0, 310.0),
        trajectories=replace(settings.trajectories, time_ps=5000.0),
        analysis=AnalysisSettings(correlation_ps=500.0),
    )
    assert free.changes(settings.plain()) == []
    assert settings.changes(free.plain()) == ["trajectories.time_ps (shorter)"]
    other = replace(settings, seed=1, equilibration=replace(settings.equilibration, pressure_bar=2.0))
    assert other.changes(settings.plain()) == ["seed", "equilibration.pressure_bar"]


def test_intervals_are_multiples_of_multiple_steps():
    settings = ProductionSettings(**BOX)
    multiple = settings.with_multiple_steps()
    assert (multiple.equilibration.timestep_fs, multiple.trajectories.timestep_fs) == (3.0, 3.0)
    assert (multiple.trajectories.ion_interval_fs, multiple.trajectories.pressure_interval_fs) == (9.0, 6.0)
    assert multiple.trajectories.frame_interval_ps == pytest.approx(0.999)
    assert multiple.multiple_steps and multiple.with_multiple_steps() == multiple
    assert "multiple_steps" in multiple.changes(settings.plain())
    shorter = settings.with_multiple_steps(2.0)
    assert (shorter.equilibration.timestep_fs, shorter.trajectories.timestep_fs) == (3.0, 2.0)
    assert (shorter.trajectories.ion_interval_fs, shorter.trajectories.frame_interval_ps) == (10.0, 1.0)
    assert shorter.trajectories.pressure_interval_fs == 4.0
    none = replace(settings, trajectories=replace(settings.trajectories, pressure_interval_fs=0.0))
    assert none.with_multiple_steps().trajectories.pressure_interval_fs == 0.0


def test_productions_of_older_versions_had_single_steps():
    settings = ProductionSettings(**BOX)
    older = {name: value for name, value in settings.plain().items() if name != "multiple_steps"}
    assert settings.changes(older) == []


def test_densities_are_those_of_the_temperatures():
    def at(temperatures, densities):
        equilibration = EquilibrationSettings(densities=densities)
        return ProductionSettings(**BOX, temperatures=temperatures, equilibration=equilibration)

    assert at((280.0, 300.0), None).densities == {}
    assert at((280.0, 300.0), (1.2,)).densities == {280.0: 1.2, 300.0: 1.2}
    assert at((280.0, 300.0), (1.22, 1.2)).densities == {280.0: 1.22, 300.0: 1.2}
    begun = at((300.0,), (1.2,)).plain()
    assert at((300.0, 280.0), (1.2, 1.22)).changes(begun) == []
    for temperatures, densities in [
        ((300.0,), None),
        ((300.0,), (1.3,)),
        ((300.0, 280.0), (1.3, 1.2)),
        ((280.0, 300.0), (1.22, 1.2)),  # the annealing has the first density
    ]:
        assert at(temperatures, densities).changes(begun) == ["equilibration.densities"]


def test_window_is_the_last_part_of_the_integral():
    analysis = AnalysisSettings(correlation_ps=500.0, window_ps=300.0)  # of the paper: 200 to 500 ps
    assert analysis.window == (200.0, 500.0) and analysis.effective_ps == pytest.approx(300.0)
    assert AnalysisSettings(correlation_ps=100.0).window is None
