"""Total charge of a configuration: ``info["charge"]``, in e.

Every reader of configurations calls `settle_charge`, every writer `with_charge`; all other code calls `total_charge`.
`bare_configuration` makes a new configuration from an old one.
"""

from numbers import Number
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError

CHARGE = "charge"
NAMES = (CHARGE, "total_charge")  # entries of `info` that are read by default
_INITIAL = "initial_charges"  # array of formal charges in ASE
_TOLERANCE = 1e-3  # e, largest deviation of a total charge from a whole number
_SUM_TOLERANCE = 1e-2  # e, the same for a sum over atoms: files store few decimals per atom


def total_charge(atoms: Atoms, where: str = "configuration") -> int:
    """Return the charge of the whole configuration in e.

    The charge is ``info["charge"]`` or ``info["total_charge"]``, otherwise the sum of the initial charges, otherwise 0.

    Parameters
    ----------
    atoms
        Configuration.
    where
        Name of the configuration in messages, e.g. "configuration 3".

    Raises
    ------
    InputError
        The charge is not a whole number; two of these values differ; or none of them exists, but another entry of
        `info`, such as `net_charge`, looks like a total charge.
    """
    try:
        charges = _charges(atoms)
        others = [] if charges else _unread(atoms)
        if others:
            entry = f"info[{others[0]!r}] = {atoms.info[others[0]]}"
            raise InputError(f"{entry} is not read as the total charge: set info['charge']")
        return _agreed(charges)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def settle_charge(atoms: Atoms, key: str | None = None) -> None:
    """Store the total charge of a configuration from a file in ``info["charge"]``.

    A configuration without any charge is neutral and is not changed.

    Parameters
    ----------
    atoms
        Configuration, changed in place.
    key
        Name of the charge in the file: an entry of `info`, or an array whose sum is the charge. `charge`,
        `total_charge` and the initial charges must agree with it; all other entries of `info` with "charge" in their
        names are removed.

    Raises
    ------
    InputError
        The charge is not a whole number; two values differ; there is no charge under `key` or a usual name; or, without
        `key`, an entry of `info` that is not read looks like a charge.
    """
    charges = _charges(atoms, key)
    others = _unread(atoms, key)
    if key is None and others:
        entries = " and ".join(f"{name!r} = {atoms.info[name]}" for name in others)
        raise InputError(
            f"{entries} would not be read as the total charge: name the entry that is the charge "
            f"(charge_key={others[0]!r}, --charge-key {others[0]}), or remove the entries that are not"
        )
    if key is not None and not charges:
        hint = f"; is it {' or '.join(map(repr, others))}?" if others else ""
        raise InputError(f"no charge under the name {key!r}{hint}")
    charge = _agreed(charges)
    for name in {key, *NAMES, *others} & atoms.info.keys():
        del atoms.info[name]
    if charges:
        atoms.info[CHARGE] = charge


def has_charge_under(atoms: Atoms, key: str | None) -> bool:
    """Return whether a configuration from a file has an entry of `info` or an array with this name."""
    return key is not None and (key in atoms.info or key in _arrays(atoms))


def with_charge(atoms: Atoms, where: str = "configuration") -> Atoms:
    """Return a configuration whose total charge is stored as an integer in ``info["charge"]`` only.

    A configuration without any charge stays without one. If nothing changes, the configuration itself is returned,
    otherwise a copy with the same calculator.

    Raises
    ------
    InputError
        As for `total_charge`.
    """
    charge = total_charge(atoms, where)
    info = {name: value for name, value in atoms.info.items() if name not in NAMES}
    if _charges(atoms):
        info[CHARGE] = charge
    if info.keys() == atoms.info.keys() and type(atoms.info.get(CHARGE, 0)) is int:
        return atoms
    copy = atoms.copy()
    copy.info = info
    copy.calc = atoms.calc
    return copy


def bare_configuration(atoms: Atoms, *, masses: bool = False, momenta: bool = False) -> Atoms:
    """Return a new configuration with only the data on which its energy depends.

    These are the elements, positions, cell, periodic directions, total charge and, if set, the initial magnetic
    moments. The calculator, constraints, tags, and all other entries of `info` and arrays are left out.

    Parameters
    ----------
    atoms
        Any configuration; it is not changed.
    masses
        Keep masses (amu) that differ from ASE's standard ones.
    momenta
        Keep the momenta, if there are any, in ASE's units.

    Returns
    -------
    Atoms
        ``info["charge"]`` is the total charge in e if one is given; otherwise `info` is empty.

    Raises
    ------
    InputError
        As for `total_charge`.
    """
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    charge = total_charge(atoms)
    if _charges(atoms):
        bare.info[CHARGE] = charge
    kept = ["initial_magmoms", *(["masses"] if masses else []), *(["momenta"] if momenta else [])]
    for name in kept:
        if name in atoms.arrays:
            bare.set_array(name, atoms.arrays[name])
    return bare


def states_charge(atoms: Atoms) -> bool:
    """Return whether a configuration states its total charge, which may be zero."""
    return bool(_charges(atoms))


def _charges(atoms: Atoms, key: str | None = None) -> dict[str, int]:
    """Return every statement of the total charge (e), by the name of the entry or array."""
    charges = {}
    arrays = _arrays(atoms)
    for name in NAMES if key is None else dict.fromkeys([key, *NAMES]):
        if atoms.info.get(name) is not None:
            charges[name] = _whole(name, atoms.info[name], _TOLERANCE)
        elif name == key and name in arrays:
            charges[name] = _whole(f"the sum of {name}", _sum(name, arrays[name]), _SUM_TOLERANCE)
    if _INITIAL in atoms.arrays:
        charges[_INITIAL] = _whole(f"the sum of {_INITIAL}", atoms.arrays[_INITIAL].sum(), _SUM_TOLERANCE)
    return charges


def _arrays(atoms: Atoms) -> dict[str, Any]:
    """Return all arrays over the atoms, including results: ASE stores a column `charges` there."""
    results: dict[str, Any] = getattr(atoms.calc, "results", {})
    return atoms.arrays | results


def _agreed(charges: dict[str, int]) -> int:
    first, *rest = charges.items() or [("", 0)]
    for name, charge in rest:
        if charge != first[1]:
            raise InputError(f"two total charges: {first[0]!r} gives {first[1]} and {name!r} gives {charge}")
    return first[1]


def _whole(name: str, charge: Any, tolerance: float) -> int:
    try:
        if isinstance(charge, (bool, np.bool_)):
            raise TypeError
        value = float(charge)
        whole = round(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} = {str(charge)[:40]!r}: the total charge is not a number") from None
    if abs(value - whole) > tolerance:
        raise InputError(f"{name} = {value:g}: the total charge is not a whole number")
    return whole


def _sum(name: str, values: np.ndarray) -> float:
    try:
        return float(np.asarray(values, dtype=float).sum())
    except (TypeError, ValueError):
        raise InputError(f"{name}: the charges of the atoms are not numbers") from None


def _unread(atoms: Atoms, key: str | None = None) -> list[str]:
    """Return the entries of `info` that look like a total charge but are not read.

    Words (such as ``charge_method=Mulliken``) and arrays over atoms do not look like one.
    """
    return [
        name
        for name, value in atoms.info.items()
        if CHARGE in str(name).lower() and name != key and name not in NAMES and _is_one_number(value)
    ]


def _is_one_number(value: Any) -> bool:
    if isinstance(value, str):  # "+1", but "1+" and "2e" as well
        return value.strip()[:1] in tuple("+-.0123456789")
    if isinstance(value, (list, tuple, np.ndarray)):
        return np.size(value) == 1 and _is_one_number(np.ravel(value)[0])
    return isinstance(value, (Number, np.bool_))
