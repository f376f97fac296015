"""The line of compositions, the settings that learn them, and where the set comes from."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.active_learning.mixing import BROKEN, Mixture, count_origins, mixing_line, mixture_settings
from electrolyte_ml.active_learning.records import record_start
from electrolyte_ml.active_learning.sections import ExplorationSettings, ReferenceSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures import density, pack, parse_composition

EC, EMC = Mixture("EC=16", 1.3), Mixture("EMC=8", 1.0)


def test_the_line_of_the_paper():
    line = mixing_line(EC, EMC, 11)
    molecules = [parse_composition(mixture.composition) for mixture in line]
    assert [line[0], line[-1]] == [EC, EMC]
    assert [counts.get("EC", 0) for counts in molecules] == sorted((c.get("EC", 0) for c in molecules), reverse=True)
    assert {sum(counts.values()) for counts in molecules} <= set(range(8, 17))


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.integers(2, 9))
def test_densities_are_monotonic_and_those_of_the_ends(first, second, count):
    line = mixing_line(Mixture("EC=16", first), Mixture("EMC=8", second), count)
    found = [mixture.density for mixture in line]
    assert found[0] == pytest.approx(first, abs=1e-4) and found[-1] == pytest.approx(second, abs=1e-4)
    steps = np.diff(found) * np.sign(second - first)
    assert (steps >= -1e-12).all()


def test_volumes_add_up():
    half = mixing_line(EC, EMC, 3)[1]
    boxes = [pack(parse_composition(text), rho) for text, rho in (("EC=8", 1.3), ("EMC=4", 1.0))]
    volume = sum(atoms.get_volume() for atoms in boxes)
    mixed = pack(parse_composition(half.composition), half.density)
    assert mixed.get_volume() == pytest.approx(volume, rel=1e-4)
    assert density(mixed) == pytest.approx(half.density)


def test_a_line_too_short_for_so_many_compositions_is_refused():
    with pytest.raises(InputError, match="no 11 different compositions from EC=2 to EMC=2"):
        mixing_line(Mixture("EC=2", 1.3), Mixture("EMC=2", 1.0), 11)


@pytest.fixture
def runs(tmp_path):
    """Folders as `active_learn` begins them."""

    def make(name, **changes):
        settings = ActiveLearningSettings(
            composition=f"{name}=4",
            density=1.1,
            model=ModelSpec(level=8),
            exploration=ExplorationSettings(time_ps=3.0, larger_boxes=(f"{name}=8",)),
        )
        settings = replace(settings, **changes)
        (tmp_path / name).mkdir()
        record_start(tmp_path / name, settings, settings.reference.make())
        return tmp_path / name

    return make


def test_the_protocol_is_that_of_the_first_run(runs):
    line = mixing_line(EC, EMC, 5)
    settings = mixture_settings([runs("EC"), runs("EMC")], line, uniform_configurations=7, seed=3)
    assert settings.composition == tuple(mixture.composition for mixture in line)
    assert settings.density == tuple(mixture.density for mixture in line)
    assert (settings.exploration.time_ps, settings.exploration.trajectories) == (3.0, 5)
    assert settings.exploration.larger_boxes == ()
    assert (settings.model.level, settings.seed, settings.inheritance.uniform_configurations) == (8, 3, 7)
    assert [path.rpartition("/")[2] for path in settings.inheritance.sets] == ["EC", "EMC"]


def test_runs_of_two_references_are_refused(runs, tmp_path):
    both = [runs("EC"), runs("EMC", reference=ReferenceSettings("gfn2-xtb"))]
    with pytest.raises(InputError, match="EMC was labelled by gfn2-xtb, .*EC by GFN1-xTB"):
        mixture_settings(both, mixing_line(EC, EMC, 3))
    with pytest.raises(InputError, match="holds no run of active learning"):
        mixture_settings([tmp_path / "nothing"], mixing_line(EC, EMC, 3))
    with pytest.raises(InputError, match="at least one run"):
        mixture_settings([], mixing_line(EC, EMC, 3))


def test_origins_count_sets_mixtures_and_broken_molecules():
    ec, emc = (pack({name: 2}, 1.0) for name in ("EC", "EMC"))
    mixed = pack({"EC": 1, "EMC": 1}, 1.0)
    ec.info["inherited"] = "ec"
    broken = emc.copy()
    del broken[0]  # an atom less: no molecule that anybody knows
    assert count_origins([ec, ec, emc, mixed, broken]) == {
        "ec": {"EC": 2},
        "new": {"EC + EMC": 1, "EMC": 1, BROKEN: 1},
    }
    foreign = Atoms("Ar2", [[0, 0, 0], [4, 0, 0]], cell=[9.0] * 3, pbc=True)
    assert count_origins([foreign]) == {"new": {BROKEN: 1}}
