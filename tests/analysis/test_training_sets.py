"""Solvation in sets of several compositions, against hand-built frames and the count by motifs."""

from collections import Counter

import numpy as np
import pytest

from electrolyte_ml.analysis import analyse_set, analyse_solvation
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import ion_shells, pack, pack_motif
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import known_frames, shell

KINDS = ("SSIP", "CIP", "AGG")


def test_frames_of_all_kinds_together():
    """Every Li counts the same, whatever the size and the species of its frame."""
    known = list(known_frames().values())
    found = analyse_set([frame.atoms for frame in known])
    assert (found.configurations, found.broken, found.without_cation) == (len(known), 0, 0)
    pairing = [kind for frame in known for kind in frame.pairing]
    numbers = [number for frame in known for number in frame.coordination]
    result = found.solvation
    for kind in KINDS:
        assert result.ion_pairs[kind].value == pytest.approx(pairing.count(kind) / len(pairing))
    assert result.coordination["all"].value == pytest.approx(np.mean(numbers))
    for number, count in Counter(numbers).items():
        assert result.coordination_distribution["all"][number].value == pytest.approx(count / len(numbers))
    ligands = Counter()
    for frame in known:
        ligands.update(frame.denticity)
    for name in ("EC", "EMC", "PF6"):
        total = sum(count for (species, _), count in ligands.items() if species == name)
        assert result.ligands[name].value == pytest.approx(total / len(numbers))
        for (species, dentate), count in ligands.items():
            if species == name:
                assert result.denticity[name][dentate].value == pytest.approx(count / total)
    assert f"{len(known)} configurations, 0 with broken" in str(found)


def test_cells_of_several_ratios_against_the_count_by_motifs():
    cells = [
        pack_motif(kind, composition, 0.8, seed, donors=3)
        for composition in ({"EC": 4, "LiPF6": 1}, {"EC": 2, "EMC": 3, "LiPF6": 1}, {"LiPF6": 1, "DMC": 4})
        for kind in KINDS
        for seed in (0, 1)
    ]
    shells = [shell for cell in cells for shell in ion_shells(cell)]
    result = analyse_set(cells).solvation
    for kind in KINDS:
        share = np.mean([shell.pairing == kind for shell in shells])
        assert result.ion_pairs[kind].value == pytest.approx(share)
    names = Counter(name for shell in shells for name in shell.ligands)
    for name in ("EC", "EMC", "DMC", "PF6"):
        assert result.ligands[name].value == pytest.approx(names[name] / len(shells))


def test_one_composition_gives_what_its_trajectory_gives():
    frames = [pack_motif("CIP", {"EC": 4, "LiPF6": 1}, 0.8, seed) for seed in range(4)]
    limits = {"EC": 2.85, "PF6": 2.79}
    alone = analyse_solvation(open_trajectory(frames), cutoffs=limits)
    together = analyse_set(frames, cutoffs=limits).solvation
    assert together.to_dict() == alone.to_dict()


def test_broken_molecules_and_solvents_without_salt_are_counted_and_left_out():
    whole, broken = shell(["EC", "EC", "EMC", "EMC"]).atoms, shell(["PF6", "EC", "EC", "EC"]).atoms
    broken.positions[2] += [0.0, 0.0, 3.0]  # F of PF6
    found = analyse_set([whole, broken, pack({"EC": 2}, 0.8), broken])
    assert found.to_dict() == {"configurations": 4, "broken": 2, "without_cation": 1}
    assert found.solvation.ion_pairs["SSIP"].value == 1.0


def test_sets_that_cannot_be_analysed():
    with pytest.raises(InputError, match="no whole configuration of the set has a cation"):
        analyse_set([pack({"EC": 2}, 0.8)])
    sodium = pack_motif("SSIP", {"EC": 4, "NaPF6": 1}, 0.8)
    with pytest.raises(InputError, match="several kinds: Li, Na"):
        analyse_set([shell(["EC"]).atoms, sodium])
    with pytest.raises(InputError, match="no cutoff is given for EC"):
        analyse_set([sodium], cutoffs={"PF6": 3.0})
    runs = [open_trajectory([atoms]) for atoms in (shell(["EC"]).atoms, shell(["EMC"]).atoms)]
    with pytest.raises(InputError, match="give the cutoffs"):
        analyse_solvation(runs, mixed=True)
    with pytest.raises(InputError, match="does not hold the molecules"):
        analyse_solvation(runs, cutoffs={"EC": 2.6, "EMC": 2.6})
