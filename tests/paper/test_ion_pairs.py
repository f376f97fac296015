"""The ion pairs' protocol: motifs, dynamics, a run of pairs, and a run of aggregates that goes on from it.

The reference is next to nothing, so that cells stay as they are packed and labels cost milliseconds.
"""

from dataclasses import replace

import pytest

from electrolyte_ml.active_learning.loop import active_learn
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    LearningProtocol,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import ion_pairs
from electrolyte_ml.paper.ion_pairs import (
    exploration_starts,
    ion_pair_run,
    ion_pair_training,
    learn_ion_pairs,
    motif_cells,
    motif_dynamics,
    small_dynamics,
)
from electrolyte_ml.paper.mixtures import mixtures_run
from electrolyte_ml.paper.scales import QUICK, STANDARD, HotCells, SmallCells
from electrolyte_ml.potentials.shipped import find_shipped
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures import density, ion_shells, read_configurations, write_configurations
from electrolyte_ml.structures.charge import total_charge
from electrolyte_ml.structures.composition import atoms_in

PAIRS = ("pairs", "aggregates")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    training = replace(
        QUICK.ion_pair_training,
        contact_pairs=1,
        separated_pairs=1,
        cells=("EC=4 LiPF6=1",),
        densities=(1.0,),
        relaxation_steps=2,
        uniform_configurations=3,
        small=SmallCells(
            ("EC=1 LiPF6=1", "EC=1 LiPF6=2"),
            (0.6, 0.7),
            SeedingSettings("nve", temperature=300.0, time_ps=0.002, timestep_fs=0.5, trajectories=3),
        ),
        sets=(),
        learning=LearningProtocol(
            model=ModelSpec(level=2, radial_basis_size=2),
            reference=ReferenceSettings("lj", {"sigma": 1.0, "epsilon": 1e-5, "rc": 3.0}),
            seeding=SeedingSettings("nve", temperature=300.0, time_ps=0.002, timestep_fs=0.5),
            exploration=ExplorationSettings("nvt", temperature=300.0, time_ps=0.004, timestep_fs=0.5, most_saved=1),
            fit=FitSettings(iterations=3, refit_iterations=2),
            stopping=StoppingSettings(max_iterations=1),
        ),
    )
    return replace(QUICK, results=tmp_path_factory.mktemp("ion_pairs"), ion_pair_training=training)


@pytest.fixture(scope="module")
def learnt(tiny):
    return learn_ion_pairs(tiny, progress=False)


@pytest.mark.slow
def test_cells_are_the_motifs_of_each_stage(tiny, learnt):
    for stage, kinds, atoms in zip(PAIRS, (["SSIP", "CIP"], ["AGG"]), (48, 96)):
        cells = read_configurations(motif_cells(tiny, stage, progress=False))
        assert [cell.info["motif"] for cell in cells] == kinds
        assert [ion_shells(cell)[0].pairing for cell in cells] == kinds
        assert {len(cell) for cell in cells} == {atoms}
        steps = read_configurations(motif_dynamics(tiny, stage, progress=False), labelled=True)
        assert [step.info["parent"] for step in steps] == [f"{k}/{n}" for k in range(len(kinds)) for n in range(4)]
        assert {len(step) for step in steps} == {atoms}


@pytest.mark.slow
def test_pairs_explore_from_the_ends_of_small_cells_too(tiny, learnt):
    steps = read_configurations(small_dynamics(tiny, progress=False), labelled=True)
    assert [step.info["parent"] for step in steps] == [f"{k}/{n}" for k in range(3) for n in range(4)]
    starts = read_configurations(exploration_starts(tiny, "pairs", progress=False))
    assert [len(start) for start in starts] == [48, 48, 18, 26, 18]
    for number, start in enumerate(starts[2:]):
        assert (start.positions == steps[4 * number + 3].positions).all()
        assert start.calc is None and start.info == {"charge": 0} and total_charge(start) == 0
    assert ion_pair_training(tiny).exploration.trajectories == 5
    assert len(read_configurations(exploration_starts(tiny, "aggregates", progress=False))) == 1


@pytest.mark.slow
def test_aggregates_are_added_to_the_whole_set_of_the_pairs(learnt):
    pairs, aggregates, hot = learnt
    assert hot is None and learnt.last is aggregates
    assert {len(atoms) for atoms in pairs.training_set} <= {18, 26, 48}
    first = [atoms for atoms in aggregates.training_set if atoms.info["iteration"] == 0]
    before = [atoms for atoms in first if atoms.info["inherited"] == pairs.directory.name]
    assert len(before) == len(pairs.training_set)
    sources = {atoms.info["inherited"] for atoms in pairs.training_set if atoms.info["iteration"] == 0}
    assert sources == {"pairs_dynamics", "small_dynamics"}
    assert {atoms.info["inherited"] for atoms in first} == {pairs.directory.name, "aggregates_dynamics"}
    assert {len(atoms) for atoms in aggregates.training_set[len(before) :]} == {96}
    assert aggregates.potential.species == ("H", "Li", "C", "O", "F", "P")


@pytest.mark.slow
def test_what_has_been_learnt_is_not_learnt_again(tiny, learnt, monkeypatch):
    for name in ("relax", "run_walkers"):
        monkeypatch.setattr(ion_pairs, name, None)
    again = learn_ion_pairs(tiny, progress=False)
    assert [run.potential.fingerprint for run in again[:2]] == [run.potential.fingerprint for run in learnt[:2]]


@pytest.mark.slow
def test_charges_enter_the_criterion_and_sum_to_zero(tiny, learnt):
    pairs, aggregates, _ = learn_ion_pairs(tiny, charges="qrd", progress=False)
    assert pairs.directory != learnt.pairs.directory
    starts = {ion_pair_training(tiny, stage, charges=charges).start for stage in PAIRS for charges in (None, "qrd")}
    assert len(starts) == 2  # one file for each stage
    cells = read_configurations(motif_cells(tiny, "aggregates", progress=False))
    assert abs(aggregates.potential.evaluate(cells[0]).charges.sum()) < 1e-12
    assert set(aggregates.status[-1].ranks) == {"mtp", "qrd"}
    assert aggregates.active_set.result.matrix.shape == 2 * (aggregates.potential.n_parameters,)
    assert aggregates.potential.n_parameters > learnt.aggregates.potential.n_parameters


@pytest.mark.slow
def test_hot_cells_continue_the_run_of_the_aggregates_with_charges(tiny, learnt, tmp_path, monkeypatch):
    monkeypatch.setattr(ion_pairs, "shipped_file", tmp_path.joinpath)
    write_configurations(tmp_path / "holes.xyz", learnt.pairs.training_set[:2])
    hot = HotCells(
        charges=("qrd",),
        exploration=ExplorationSettings("nvt", temperature=500.0, time_ps=0.004, timestep_fs=0.5, most_saved=1),
        compressions=(1.0, 1.1),
        sets=("holes.xyz",),
    )
    scale = replace(tiny, ion_pair_training=replace(tiny.ion_pair_training, hot=hot))
    assert learn_ion_pairs(scale, progress=False).hot is None
    result = learn_ion_pairs(scale, charges="qrd", progress=False)
    assert result.last is result.hot
    first = [atoms for atoms in result.hot.training_set if atoms.info["iteration"] == 0]
    assert [atoms.positions.tolist() for atoms in first[: len(result.aggregates.training_set)]] == [
        atoms.positions.tolist() for atoms in result.aggregates.training_set
    ]
    settings = ion_pair_training(scale, "hot", charges="qrd")
    assert settings.exploration.trajectories == 3 and settings.exploration.temperature == 500.0
    cells = [atoms for stage in PAIRS for atoms in read_configurations(motif_cells(scale, stage, progress=False))]
    starts_file = exploration_starts(scale, "hot", progress=False)
    starts = read_configurations(starts_file)
    ratios = [density(start) / density(cell) for start, cell in zip(starts, cells, strict=True)]
    assert ratios == pytest.approx([1.0, 1.1, 1.0])
    denser = replace(scale.ion_pair_training, hot=replace(hot, compressions=(1.0, 1.2)))
    assert exploration_starts(replace(scale, ion_pair_training=denser), "hot", progress=False).name != starts_file.name
    with pytest.raises(InputError, match="does not learn ion pairs in hot cells"):
        ion_pair_training(tiny, "hot", charges="qrd")


@pytest.mark.slow
def test_an_earlier_set_replaces_dynamics_and_other_sets(tiny, learnt, tmp_path, monkeypatch):
    monkeypatch.setattr(ion_pairs, "shipped_file", tmp_path.joinpath)
    write_configurations(tmp_path / "earlier.xyz", learnt.pairs.training_set)
    training = replace(tiny.ion_pair_training, earlier="earlier.xyz", sets=("none.xyz",), uniform_configurations=1000)
    scale = replace(tiny, results=tmp_path / "results", ion_pair_training=training)
    monkeypatch.setattr(ion_pairs, "relax", None)
    cells = read_configurations(motif_cells(scale, "pairs", progress=False))
    assert [ion_shells(cell)[0].pairing for cell in cells] == [cell.info["motif"] for cell in cells] == ["SSIP", "CIP"]
    assert len(read_configurations(exploration_starts(scale, "pairs", progress=False))) == 5
    settings = ion_pair_training(scale)
    assert settings.inheritance.sets == (str(tmp_path / "earlier.xyz"),)
    result = active_learn(tmp_path / "run", settings, progress=False)
    first = [atoms for atoms in result.training_set if atoms.info["iteration"] == 0]
    assert len(first) == len(learnt.pairs.training_set)
    fewer = replace(scale, results=tmp_path / "fewer", ion_pair_training=replace(training, contact_pairs=0))
    with pytest.raises(InputError, match="has 2 trajectories of pairs_dynamics, but the scale has 1"):
        motif_cells(fewer, "pairs", progress=False)


def test_standard_continues_what_ships(tmp_path):
    scale = replace(STANDARD, results=tmp_path)
    (earlier,) = ion_pair_training(scale).inheritance.sets
    assert earlier.endswith("data/potentials/lipf6-ec-emc/training_set.extxyz.xz")
    cells = read_configurations(motif_cells(scale, "pairs", progress=False))
    assert [cell.info["motif"] for cell in cells] == ["SSIP"] * 6 + ["CIP"] * 6
    assert [ion_shells(cell)[0].pairing for cell in cells] == [cell.info["motif"] for cell in cells]
    starts = read_configurations(exploration_starts(scale, "pairs", progress=False))
    assert [start.get_chemical_formula() for start in starts[:12]] == [cell.get_chemical_formula() for cell in cells]
    small = scale.ion_pair_training.small
    packed = [atoms_in(small.cells[k % len(small.cells)]) for k in range(small.seeding.trajectories)]
    assert [len(start) for start in starts[12:]] == packed


def test_standard_takes_the_dynamics_of_aggregates_that_ship(tmp_path):
    scale = replace(STANDARD, results=tmp_path)
    dynamics = motif_dynamics(scale, "aggregates", progress=False)
    assert ion_pair_training(scale, "aggregates").inheritance.sets == (str(dynamics),)
    cells = read_configurations(motif_cells(scale, "aggregates", progress=False))
    assert [cell.info["motif"] for cell in cells] == ["AGG"] * 3
    assert {shell.pairing for cell in cells for shell in ion_shells(cell)} == {"AGG"}
    doubled = [2 * atoms_in(cell) for cell in scale.ion_pair_training.cells]
    assert [len(cell) for cell in cells] == doubled
    steps = scale.ion_pair_training.learning.seeding.steps
    assert [len(atoms) for atoms in read_configurations(dynamics, labelled=True)[::steps]] == doubled


def test_without_an_earlier_set_the_mixtures_are_inherited_and_quick_takes_what_ships(tmp_path):
    scale = replace(STANDARD, results=tmp_path, ion_pair_training=replace(STANDARD.ion_pair_training, earlier=None))
    shipped = ion_pair_training(scale).inheritance.sets[0]
    assert shipped == str(find_shipped("ec-emc").training_set)  # stands for a run that was not made
    mixtures_run(scale).mkdir(parents=True)
    sets = ion_pair_training(scale).inheritance.sets
    assert sets[0] == str(mixtures_run(scale)) and sets[1].endswith("pairs_dynamics.extxyz")
    assert [path.rpartition("/")[2] for path in ion_pair_training(QUICK).inheritance.sets] == [
        "lipf6_pairs.extxyz.xz",
        "pairs_dynamics.extxyz",
    ]
    second = ion_pair_training(scale, "aggregates")
    assert second.inheritance.run == str(ion_pair_run(scale, "pairs"))
    assert second.exploration.trajectories == scale.ion_pair_training.aggregates
    with pytest.raises(InputError, match="does not learn ion pairs"):
        ion_pair_training(replace(QUICK, ion_pair_training=None))


def test_folders_tell_runs_apart_and_not_where_they_are(tmp_path):
    here, there = (replace(STANDARD, results=tmp_path / name) for name in ("here", "there"))
    for stage in (*PAIRS, "hot"):
        assert ion_pair_run(here, stage).name == ion_pair_run(there, stage).name
        names = {
            ion_pair_run(here, stage, charges=charges, seed=seed).name for charges in (None, "qrd") for seed in (0, 1)
        }
        assert len(names) == 4
    fewer = replace(STANDARD.ion_pair_training, contact_pairs=1)
    assert motif_name(replace(here, ion_pair_training=fewer)) != motif_name(here) == motif_name(there)


def motif_name(scale):
    return ion_pair_training(scale).start.split("/")[-2]
