"""Small cells that are rich in what a composition has little of."""

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings
from electrolyte_ml.active_learning.cells import pack_rich, rich_cells
from electrolyte_ml.active_learning.sections import ReferenceSettings, SeedingSettings
from electrolyte_ml.active_learning.seeding import seeding_starts
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import get
from electrolyte_ml.structures import density


@pytest.mark.parametrize(
    ("composition", "cells"),
    [
        ("EC=2 EMC=2 LiPF6=2", ["LiPF6=2 EC=1", "LiPF6=2 EMC=1"]),
        ("EC=3 EMC=7 Li=1 PF6=1", ["Li=2 PF6=2 EC=1", "Li=2 PF6=2 EMC=1"]),
        ("EC=8 FEC=1", ["FEC=2 EC=1"]),
        ("PC=9 NaPF6=1 EMC=0", ["NaPF6=2 PC=1"]),
        ("EC=6 Mg=1 PF6=2", ["Mg=2 PF6=4 EC=1"]),
        ("EC=4", []),
        ("EC=3 EMC=7", []),
        ("LiPF6=4", ["LiPF6=2"]),
        ("EC=4 Li=1", []),  # not neutral
    ],
)
def test_cells_follow_from_the_composition(composition, cells):
    assert rich_cells(composition) == cells


def test_a_rich_cell_has_the_free_volume_of_the_composition():
    """A cell of the composition itself, packed as a rich one, has its density; salt is denser."""
    same = pack_rich("EC=2 LiPF6=1", "EC=2 LiPF6=1", 0.9, seed=0)
    assert density(same) == pytest.approx(0.9)
    rich = pack_rich("LiPF6=2 EC=1", "EC=2 LiPF6=1", 0.9, seed=0)
    assert len(rich) == 26
    assert 0.9 < density(rich) < 1.4


def test_a_cell_that_jams_is_packed_thinner():
    dense, free = (pack_rich("LiPF6=1", "EC=4", rho, seed=0) for rho in (1.45, 0.7))
    assert density(dense) < 1.45 / 0.7 * density(free)
    with pytest.raises(InputError, match="density"):
        pack_rich("LiPF6=1", "EC=4", 30.0, seed=0)


def starts_of(**seeding):
    settings = ActiveLearningSettings(
        composition="EC=1 LiPF6=1",
        density=[0.6, 0.7],
        reference=ReferenceSettings("lj", {"sigma": 1.0, "epsilon": 0.01}),
        seeding=SeedingSettings(**seeding),
    )
    return seeding_starts(settings, get("lj", sigma=1.0, epsilon=0.01), "settings")


def test_rich_cells_come_in_turn_at_all_densities():
    first = next(starts_of())
    assert [start.rich_cell for start in first] == [None, "LiPF6=2 EC=1"] * 4
    assert len({round(density(start.atoms), 6) for start in first[::2]}) == 2
    assert len({round(density(start.atoms), 6) for start in first[1::2]}) == 2


def test_a_number_of_trajectories_that_is_set_is_kept_without_other_cells():
    rounds = list(starts_of(trajectories=3))
    assert [[start.rich_cell for start in starts] for starts in rounds] == [[None] * 3]
