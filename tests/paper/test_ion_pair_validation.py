"""Validation of ion pairs: which runs and configurations, errors at Li and elsewhere, charges, g(r)."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.analysis import RadialDistribution
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper import ion_pair_validation
from electrolyte_ml.paper.ion_pair_validation import (
    IonPairErrors,
    ion_pair_errors,
    ion_pair_validation_set,
    li_o_distribution,
)
from electrolyte_ml.paper.scales import QUICK
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import ion_shells, pack_motif

SPECIES = ("H", "Li", "C", "O", "F", "P")
TRAINING = replace(
    QUICK.ion_pair_training,
    cells=("EC=4 LiPF6=1", "EC=3 EMC=1 LiPF6=1"),
    densities=(1.0, 1.0),
    validation_configurations=4,
    learning=replace(
        QUICK.ion_pair_training.learning,
        reference=replace(QUICK.ion_pair_training.learning.reference, name="lj", settings={"epsilon": 1e-5, "rc": 3.0}),
    ),
)


@pytest.fixture
def scale(tmp_path):
    return replace(QUICK, results=tmp_path, ion_pair_training=TRAINING)


@pytest.fixture
def potential():
    return ModelSpec(level=2).random(SPECIES, seed=0)


def runs(monkeypatch, ended="completed"):
    """Replace dynamics by ten frames of the start, rattled; return what was asked for."""
    received = []

    def run(start, potential, settings, molecules, directory, relax):
        received.append(SimpleNamespace(start=start, settings=settings, directory=directory))
        frames = []
        for k in range(11):
            frames.append(start.copy())
            frames[-1].rattle(0.002 * k, seed=k)
            frames[-1].info = {"time_ps": settings.time_ps * k / 10}
        return SimpleNamespace(completed=ended == "completed", reason=ended, detail="here", frames=lambda: frames)

    monkeypatch.setattr(ion_pair_validation, "watched_run", run)
    return received


def test_cells_start_from_both_kinds_of_pair_and_share_the_configurations(scale, potential, monkeypatch):
    received = runs(monkeypatch)
    found = ion_pair_validation_set(scale, potential, progress=False)
    assert [ion_shells(run.start)[0].pairing for run in received] == ["SSIP", "CIP"]
    assert all(run.settings == TRAINING.validation for run in received)
    assert len({run.directory for run in received}) == 2
    assert [len(atoms) for atoms in found] == [48, 48, 53, 53]
    moved = np.abs(found[1].positions - received[0].start.positions).max()
    assert 0 < moved < 0.1 and "energy" in found[0].calc.results


def test_a_run_that_breaks_makes_no_set(scale, potential, monkeypatch):
    runs(monkeypatch, ended="broken molecule")
    with pytest.raises(
        ElectrolyteError, match="EC=4 LiPF6=1 for the validation set ended early: broken molecule, here"
    ):
        ion_pair_validation_set(scale, potential, progress=False)
    with pytest.raises(InputError, match="does not learn ion pairs"):
        ion_pair_validation_set(replace(scale, ion_pair_training=None), potential)


def test_g_of_r_is_that_of_the_volume_at_constant_pressure(scale, monkeypatch):
    """With a potential that is next to nothing: atoms at 1 K, whose volume changes a little, and is then held."""
    seen = []

    def run(start, potential, settings, molecules, directory, relax):
        result = run_md(start, potential, **settings.options(), directory=directory, relax=0, seed=0, progress=False)
        seen.append((settings, start.cell.volume, result))
        return result

    monkeypatch.setattr(ion_pair_validation, "watched_run", run)
    training = replace(TRAINING, rdf_cell="EC=2 LiPF6=1", rdf=replace(TRAINING.rdf, time_ps=0.4, temperature=1.0))
    nothing = ModelSpec(level=2).random(SPECIES, seed=0)
    nothing = nothing.with_parameters(1e-9 * nothing.parameters)
    found = li_o_distribution(replace(scale, ion_pair_training=training), nothing)
    (before, packed, pressed), (after, held, run) = seen
    assert (before.ensemble, after.ensemble) == ("npt", "nvt") and before.time_ps == after.time_ps == 0.4
    volumes = packed * pressed.densities[0] / pressed.densities[len(pressed.densities) // 2 :]
    assert volumes.min() < held < volumes.max() and abs(held / packed - 1) > 1e-4
    assert run.atoms.cell.volume == pytest.approx(held)
    assert found.name == "Li-O" and np.isfinite(found.g).all()
    again = RadialDistribution.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.shell == found.shell
    np.testing.assert_allclose(again.g, found.g, rtol=1e-3)
    np.testing.assert_allclose(again.coordination_error, found.coordination_error, rtol=1e-3)


def labelled(potential):
    """A pair with forces that are a potential's, but for 0.3 eV/Å on Li."""
    found = []
    for seed in range(2):
        atoms = pack_motif("CIP", {"EC": 4, "LiPF6": 1}, 1.0, seed)
        result = potential.evaluate(atoms)
        forces = result.forces.copy()
        forces[atoms.numbers == 3, 0] += 0.3
        atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=forces)
        found.append(atoms)
    return found


def test_errors_are_those_of_the_sites_and_charges_sum_to_zero(potential):
    charged = ModelSpec(level=2, charges="qrd").random(SPECIES, seed=0)
    kinds = {"MTP2": {0: potential}, "MTP2-QRd": {0: charged, 1: charged}}
    errors = ion_pair_errors(labelled(potential), kinds, "a reference")
    rows = {(row.species, row.name): row for row in errors.kinds["MTP2"].sites}
    assert rows["Li", "Li"].length == pytest.approx(0.3)
    assert rows["Li", "Li"].rmse == pytest.approx(0.3 / np.sqrt(3))
    assert max(row.rmse for key, row in rows.items() if key != ("Li", "Li")) < 1e-12
    assert {("EC", "carbonyl O"), ("EC", "carbonyl O at Li"), ("PF6", "F at Li")} <= rows.keys()
    assert (errors.plain, errors.charged) == (["MTP2"], ["MTP2-QRd"])
    assert errors.parameters["MTP2-QRd"] > errors.parameters["MTP2"]
    # The difference is that of two kinds, whatever the labels.
    difference = errors.differences["MTP2-QRd"].lengths
    assert difference["Li", "Li"] > 0 and errors.kinds["MTP2-QRd"].potentials == 2
    (charges,) = errors.charges["MTP2-QRd"].values()
    numbers = {"H": 16, "Li": 1, "C": 12, "O": 12, "F": 6, "P": 1}
    assert abs(sum(numbers[symbol] * values[0] for symbol, values in charges.items())) < 1e-10
    again = IonPairErrors.from_dict(json.loads(json.dumps(errors.to_dict())))
    assert again.kinds["MTP2"].lengths == errors.kinds["MTP2"].lengths and again.charges == errors.charges


def test_nothing_to_validate_is_refused(potential):
    with pytest.raises(InputError, match="no potentials"):
        ion_pair_errors(labelled(potential), {}, "a reference")
