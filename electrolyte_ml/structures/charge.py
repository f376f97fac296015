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
