"""Scales become settings of the loop without losing a number."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.active_learning.seeding import Walker
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper.protocols import (
    charge_fits,
    charge_sets,
    density_runs,
    label_store,
    pure_solvent,
    reference_of,
    tour_seeding,
)
from electrolyte_ml.paper.scales import PAPER, QUICK, SCALES
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential
from electrolyte_ml.settings import flatten


def test_paper_scale_is_the_papers_run():
    settings = pure_solvent(PAPER, "EC")
    assert (settings.composition, settings.model.level, settings.model.cutoff) == (("EC=16",), 16, 5.0)
    seeding, run = settings.seeding, settings.exploration
    assert (seeding.temperature, seeding.time_ps, seeding.timestep_fs) == (400.0, 2.0, 1.0)
    assert seeding.trajectories * seeding.configurations == 200
    assert (run.trajectories, run.time_ps, run.timestep_fs) == (10, 100.0, 1.0)
    assert (run.temperature, run.pressure_bar) == (300.0, 1.01325)
    assert (settings.grades.save_threshold, settings.grades.break_threshold) == (2.0, 10.0)
    assert (settings.fit.energy_weight, settings.fit.force_weight, settings.fit.stress_weight) == (1.0, 0.01, 0.0)
    assert settings.fit.method == "paper"
    assert settings.grades.mode == "configuration"


def test_a_protocol_is_followed_but_for_the_system():
    settings, protocol = flatten(pure_solvent(QUICK, "EMC")), flatten(QUICK.pure_solvents.learning)
    assert {name for name in settings if settings[name] != protocol.get(name)} == {
        "composition",
        "charge",
        "molecules",
        "density",
        "seed",
        "exploration.larger_boxes",
    }
    assert settings["composition"] == ("EMC=4",)
    assert settings["exploration.larger_boxes"] == ("EMC=8",)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("solvent", ["EC", "EMC"])
def test_every_scale_has_valid_settings_of_both_solvents(scale, solvent):
    assert pure_solvent(scale, solvent).composition[0].startswith(f"{solvent}=")


def test_seed_and_labels_are_the_callers():
    settings = pure_solvent(QUICK, "EMC", seed=7, labels="labels")
    assert (settings.seed, settings.labels) == (7, "labels")


def test_unknown_solvent_is_refused():
    with pytest.raises(InputError, match="EC and EMC"):
        pure_solvent(QUICK, "DMC")


def test_the_tour_is_seeded_from_the_scales_store(tmp_path, monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    tour = replace(QUICK.tour, seeding=replace(QUICK.tour.seeding, time_ps=0.003, configurations=2))
    scale = replace(QUICK, tour=tour)
    walkers = tour_seeding(scale, progress=False)
    assert [len(walker.samples) for walker in walkers] == [1, 1]
    assert [atoms.info["reference"] for walker in walkers for atoms in walker.samples] == ["GFN1-xTB"] * 2
    stored = label_store(scale).get(walkers[0].samples[0], reference_of(scale))
    assert stored.get_potential_energy() == walkers[0].samples[0].get_potential_energy()


def few_fits(tmp_path, monkeypatch, **changes):
    """The quick scale with the smallest study of charges, its results in a folder of their own."""
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    seeding = replace(QUICK.charges.seeding, time_ps=0.002, configurations=2)
    small = {"seeding": seeding, "trained": ("PF6",), "planned": ("EC", "PF6"), "seeds": (0, 5), **changes}
    return replace(QUICK, charges=replace(QUICK.charges, **small))


def test_droplets_of_both_compositions_are_labelled_in_vacuum(tmp_path, monkeypatch):
    scale = few_fits(tmp_path, monkeypatch)
    trained, planned = charge_sets(scale, progress=False)
    assert [str(atoms.symbols) for atoms in trained] == ["LiPF6"] * 2
    assert [sorted(set(atoms.symbols)) for atoms in planned] == [["C", "F", "H", "Li", "O", "P"]]
    for atoms in trained + planned:
        assert not atoms.pbc.any() and atoms.info["reference"] == "GFN1-xTB"
        assert np.isfinite(atoms.get_forces()).all()


def test_droplets_that_cannot_be_labelled_are_named(tmp_path, monkeypatch):
    failed = Walker(Atoms("Li"), np.random.default_rng(0), failure="no convergence")
    monkeypatch.setattr("electrolyte_ml.paper.protocols.sample_dynamics", lambda *of, **options: [failed])
    with pytest.raises(ElectrolyteError, match="droplet of PF6 was not labelled: no convergence"):
        charge_sets(few_fits(tmp_path, monkeypatch), progress=False)


def test_fits_differ_by_the_starts_of_their_charges_alone(tmp_path, monkeypatch):
    model, fit = ModelSpec(level=2), replace(QUICK.charges.fit, iterations=1)
    scale = few_fits(tmp_path, monkeypatch, model=model, fit=fit)
    trained, _ = charge_sets(scale, progress=False)
    starts = []
    monkeypatch.setattr("electrolyte_ml.training.train", lambda configurations, start, **options: starts.append(start))
    for form in ("raw", "positive"):
        assert list(charge_fits(scale, trained, form, progress=False)) == [0, 5]
    assert [start.terms[1].form for start in starts] == ["raw", "raw", "positive", "positive"]
    assert starts[0].species == ("Li", "F", "P")
    for one, other in ((0, 2), (1, 3)):
        np.testing.assert_array_equal(starts[one].terms[0].parameters, starts[other].terms[0].parameters)
    assert not np.array_equal(starts[0].parameters, starts[1].parameters)


def test_density_runs_keep_the_order_and_are_not_run_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    protocol = QUICK.pure_solvents
    short = replace(protocol.density.run, time_ps=0.005)
    hot = replace(protocol.density.heating, time_ps=0.005)
    density = replace(protocol.density, cells=("EC=1", "EMC=1"), run=short, heating=hot)
    scale = replace(QUICK, pure_solvents=replace(protocol, density=density, packing_densities=((0.3,), (0.3,))))
    potentials = [soft(seed) for seed in (0, 1)]
    first = density_runs(scale, "EC", potentials, progress=False)
    again = density_runs(scale, "EC", potentials, progress=False)
    for run, rerun, potential in zip(first, again, potentials):
        assert run.energies[0] == pytest.approx(potential.evaluate(run.frames()[0]).energy, abs=1e-3)
        assert run.energies.tolist() == rerun.energies.tolist()
    # Nor are they pushed alike.
    assert first[0].settings["seed"] != first[1].settings["seed"]


def soft(seed):
    """A potential too weak to break anything within a few steps."""
    potential = MomentTensorPotential.random(2, ("H", "C", "O"), seed=seed)
    return potential.with_parameters(1e-3 * potential.parameters)
