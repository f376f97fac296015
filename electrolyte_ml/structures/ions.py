"""Check of the total charge of a configuration against its recognised ions."""

from __future__ import annotations

from collections import Counter

from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Topology
from electrolyte_ml.structures.charge import states_charge


def check_stated_charge(atoms: Atoms) -> None:
    """Check that a periodic cell states its total charge if the charges of its ions do not cancel.

    Ions are recognised by their bonds, if all molecules of the cell are in the library. A cell with a single atom is
    not checked: the atom may be neutral.

    Raises
    ------
    InputError
        The cell has a total charge and does not state it; the message names the ions.
    """
    if len(atoms) == 1 or not atoms.pbc.any() or states_charge(atoms):
        return
    elements = set(atoms.symbols)
    if not any(molecule.charge and elements.issuperset(molecule.symbols) for molecule in MOLECULES.values()):
        return
    counts = Counter(Topology.of(atoms).names)
    if not counts.keys() <= MOLECULES.keys():
        return
    ions = {name: MOLECULES[name].charge for name in counts if MOLECULES[name].charge}
    total = sum(counts[name] * charge for name, charge in ions.items())
    if total:
        ions_text = ", ".join(f"{counts[name]} {name} of charge {charge:+d}" for name, charge in ions.items())
        raise InputError(
            f"the charges of the ions sum to {total:+d} ({ions_text}), but no total charge is stated: write "
            f"charge={total} in the comment line, charge=0 if it is neutral, or name the entry that holds the charge "
            "(charge_key, --charge-key)"
        )
