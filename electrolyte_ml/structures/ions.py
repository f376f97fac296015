"""Ions that are recognised in a configuration, and the total charge that they make."""

from __future__ import annotations

from collections import Counter

from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Topology
from electrolyte_ml.structures.charge import states_charge


def check_stated_charge(atoms: Atoms) -> None:
    """Refuse a periodic cell whose ions make a total charge while it states none.

    Ions are recognised by their bonds, and only if all molecules of the cell are in the library. A single atom
    is none: it may be the neutral one.

    Raises
    ------
    InputError
        Naming the ions, and how to state the charge.
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
        found = ", ".join(f"{counts[name]} {name} of charge {charge:+d}" for name, charge in ions.items())
        raise InputError(
            f"its ions make a total charge of {total:+d} ({found}), and it states none: write charge={total} into its "
            "comment line, charge=0 if it is neutral, or name the entry that holds the charge (charge_key, "
            "--charge-key)"
        )
