"""A cell of ions that does not state its charge."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, pack
from electrolyte_ml.structures.ions import check_stated_charge


def box(composition, **info):
    """A packed box that states no charge but that in `info`."""
    charge = sum(n * MOLECULES[name].charge for name, n in composition.items() if name in MOLECULES)
    atoms = pack(composition, 0.9, charge=charge)
    atoms.info = info
    return atoms


def test_ions_without_a_stated_charge_are_refused_and_named():
    with pytest.raises(InputError, match=r"the ions sum to \+1 \(1 Li of charge \+1\).*charge=1 .*--charge-key"):
        check_stated_charge(box({"Li": 1, "EC": 2}))
    with pytest.raises(InputError, match=r"the ions sum to -1 \(1 Li of charge \+1, 2 PF6 of charge -1\)"):
        check_stated_charge(box({"Li": 1, "PF6": 2, "EC": 2}))


@pytest.mark.parametrize("info", [{"charge": 1}, {"charge": 0}, {"total_charge": 1}])
def test_what_is_stated_is_not_questioned(info):
    check_stated_charge(box({"Li": 1, "EC": 2}, **info))


def test_neutral_cells_pass():
    check_stated_charge(box({"LiPF6": 1, "EC": 2}))
    check_stated_charge(box({"EC": 2}))


def test_a_cell_with_an_unknown_molecule_passes():
    """Its other molecules may carry the opposite charge."""
    atoms = box({"Li": 1, "EC": 2})
    del atoms[np.flatnonzero(atoms.symbols == "H")[0]]
    check_stated_charge(atoms)


def test_clusters_and_single_atoms_pass():
    cluster = box({"Li": 1, "EC": 2})
    cluster.pbc = False
    check_stated_charge(cluster)
    check_stated_charge(Atoms("Li", cell=[9, 9, 9], pbc=True))
