"""Ions that are recognised in a configuration, and the total charge that they make."""

from __future__ import annotations

from functools import cache

from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Topology
from electrolyte_ml.structures.charge import states_charge


def check_stated_charge(atoms: Atoms) -> None:
    """Refuse a periodic cell whose ions make a total charge while it states none.

    Ions are recognised by bonds and formulas, and only if all molecules of the cell are in the library. A single atom
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
    counts, charges = Topology.of(atoms).counts(), _formal_charges()
    if not charges.keys() >= counts.keys():
        return
    ions = {formula: charges[formula] for formula in counts if charges[formula]}
    total = sum(counts[formula] * charge for formula, charge in ions.items())
    if total:
        found = ", ".join(f"{counts[formula]} {formula} of charge {charge:+d}" for formula, charge in ions.items())
        raise InputError(
            f"its ions make a total charge of {total:+d} ({found}), and it states none: write charge={total} into its "
            "comment line, charge=0 if it is neutral, or name the entry that holds the charge (charge_key, "
            "--charge-key)"
        )


@cache
def _formal_charges() -> dict[str, int]:
    """Return the charges of the library's molecules by formula, without formulas of two different charges."""
    charges: dict[str, set[int]] = {}
    for molecule in MOLECULES.values():
        charges.setdefault(molecule.formula, set()).add(molecule.charge)
    return {formula: found.pop() for formula, found in charges.items() if len(found) == 1}
