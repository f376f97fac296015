"""Donors in the shell of a cation are sites of their own, and all other sites are as before."""

import numpy as np
import pytest

from electrolyte_ml.analysis import group_atoms, group_coordinated
from electrolyte_ml.analysis.coordinated_sites import is_coordinated
from electrolyte_ml.structures.motifs import cation_contacts, ion_shells, pack_motif
from electrolyte_ml.trajectories.static_frames import known_frames


def test_sites_of_a_contact_pair():
    atoms = known_frames()["CIP"].atoms
    before, after = group_atoms([atoms]), group_coordinated([atoms])
    changed = np.flatnonzero(before.sites != after.sites)
    li = np.flatnonzero(atoms.numbers == 3)
    near = np.flatnonzero((atoms.get_distances(li[0], range(len(atoms)), mic=True) < 2.6) & (atoms.numbers > 3))
    assert sorted(changed) == sorted(near)
    assert sorted(after.sites[changed]) == ["F at Li", "carbonyl O at Li", "carbonyl O at Li", "carbonyl O at Li"]
    assert [is_coordinated(site) for site in after.sites] == (before.sites != after.sites).tolist()


def test_configurations_are_counted_one_after_another():
    frames = [known_frames()[name].atoms for name in ("SSIP", "CIP", "network of 2")]
    together = group_coordinated(frames)
    apart = np.concatenate([group_coordinated([atoms]).sites for atoms in frames])
    assert together.sites.tolist() == apart.tolist()


@pytest.mark.parametrize("kind", ["SSIP", "CIP", "AGG"])
def test_contacts_are_those_of_the_shells(kind):
    atoms = pack_motif(kind, {"EC": 4, "LiPF6": 1}, 1.1, seed=2)
    contacts = cation_contacts(atoms)
    shells = ion_shells(atoms)
    assert [shell.donors for shell in shells] == [int((contacts[:, 0] == shell.cation).sum()) for shell in shells]
    assert len(np.unique(contacts, axis=0)) == len(contacts)
    # A donor that joins two cations is one site.
    assert sum(map(is_coordinated, group_coordinated([atoms]).sites)) == len(np.unique(contacts[:, 1]))
