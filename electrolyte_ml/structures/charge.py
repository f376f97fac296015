"""The total charge of a configuration: ``info["charge"]``, in e."""

from ase import Atoms

from electrolyte_ml.errors import InputError


def total_charge(atoms: Atoms, where: str = "configuration") -> int:
    """Return the charge of the whole configuration in e: ``info["charge"]``, else the sum of its initial charges."""
    charge = atoms.info.get("charge")
    if charge is None:
        charge = atoms.get_initial_charges().sum()
    try:
        whole = round(float(charge))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: a total charge of {charge!r} is no number") from None
    if abs(float(charge) - whole) > 1e-3:
        raise InputError(f"{where}: a total charge of {charge} is no whole number of electrons")
    return whole


def bare_configuration(atoms: Atoms, *, masses: bool = False, momenta: bool = False) -> Atoms:
    """Return a new configuration with only what its energy depends on.

    These are the elements, positions, cell, periodic directions, total charge and, where set, the initial magnetic
    moments. Calculator, constraints, tags, and every other entry of `info` and of the arrays are left out.

    Parameters
    ----------
    atoms
        Any configuration; it is not changed.
    masses
        Keep masses (amu) that differ from ASE's standard ones.
    momenta
        Keep the momenta, in ASE's units; a configuration without momenta has none afterwards either.

    Returns
    -------
    Atoms
        ``info["charge"]`` is the total charge in e where one was given or it is not zero; otherwise `info` is empty.

    Raises
    ------
    InputError
        The total charge is not a whole number.
    """
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    charge = total_charge(atoms)
    if charge or "charge" in atoms.info:
        bare.info["charge"] = charge
    kept = ["initial_magmoms", *(["masses"] if masses else []), *(["momenta"] if momenta else [])]
    for name in kept:
        if name in atoms.arrays:
            bare.set_array(name, atoms.arrays[name])
    return bare
