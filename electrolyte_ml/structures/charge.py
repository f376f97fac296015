"""The total charge of a configuration: ``info["charge"]``, in e.

Every reader of configurations calls `settle_charge`, every writer `with_charge`; everything between asks
`total_charge`. Whoever builds a new configuration from an old one calls `bare_configuration`.
"""

from numbers import Number
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError

CHARGE = "charge"
NAMES = (CHARGE, "total_charge")  # entries of `info` that are read without being named
_INITIAL = "initial_charges"  # ASE's own array of formal charges
_TOLERANCE = 1e-3  # e, of one number
_SUM_TOLERANCE = 1e-2  # e, of a sum over atoms: files keep few decimals of each


def total_charge(atoms: Atoms, where: str = "configuration") -> int:
    """Return the charge of the whole configuration in e.

    It is ``info["charge"]`` or ``info["total_charge"]``, otherwise the sum of the initial charges, otherwise 0.

    Parameters
    ----------
    atoms
        The configuration.
    where
        Name of the configuration in messages, e.g. "configuration 3".

    Raises
    ------
    InputError
        The charge is not a whole number; two of these places differ; or none of them holds a charge, and another
        entry of `info` such as `net_charge` does.
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
    """Put the total charge of a configuration from a file where it belongs: into ``info["charge"]``.

    A configuration without any charge is left as it is: it is neutral.

    Parameters
    ----------
    atoms
        The configuration, which is changed.
    key
        Name of the charge in the file: an entry of `info`, or an array whose sum it is. With it, all other entries of
        `info` with "charge" in their names are dropped; only `charge`, `total_charge` and the initial charges must
        agree with it.

    Raises
    ------
    InputError
        The charge is not a whole number; two places differ; no charge under `key` nor in any usual place; or, without
        `key`, an entry of `info` that looks like a charge and is not read.
    """
    charges = _charges(atoms, key)
    others = _unread(atoms, key)
    if key is None and others:
        entries = " and ".join(f"{name!r} = {atoms.info[name]}" for name in others)
        raise InputError(
            f"{entries} would not be read as the total charge: name the entry that is the charge "
            f"(charge_key={others[0]!r}, --charge-key {others[0]}), or remove what is none"
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
    """Whether an entry of `info`, or an array, of this name may be the charge of a configuration from a file."""
    return key is not None and (key in atoms.info or key in _arrays(atoms))


def with_charge(atoms: Atoms, where: str = "configuration") -> Atoms:
    """Return a configuration whose total charge is a whole number in ``info["charge"]`` and nowhere else in `info`.

    A configuration without any charge stays without one. The configuration itself is returned if nothing changes,
    else a copy with the same calculator.

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
        ``info["charge"]`` is the total charge in e where one was given; otherwise `info` is empty.

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
    """Return whether a configuration states its total charge, be it zero."""
    return bool(_charges(atoms))


def _charges(atoms: Atoms, key: str | None = None) -> dict[str, int]:
    """Return the total charge (e) in every place where it is read, by the name of the place."""
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
    """Return all arrays over the atoms; ASE makes a column `charges` a result."""
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
        raise InputError(f"{name} = {str(charge)[:40]!r}: the total charge is no number") from None
    if abs(value - whole) > tolerance:
        raise InputError(f"{name} = {value:g}: the total charge is no whole number of electrons")
    return whole


def _sum(name: str, values: np.ndarray) -> float:
    try:
        return float(np.asarray(values, dtype=float).sum())
    except (TypeError, ValueError):
        raise InputError(f"{name}: the charges of the atoms are not numbers") from None


def _unread(atoms: Atoms, key: str | None = None) -> list[str]:
    """Return the entries of `info` that look like a total charge and are not read.

    Words (such as ``charge_method=Mulliken``) and arrays over atoms are no total charge.
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
