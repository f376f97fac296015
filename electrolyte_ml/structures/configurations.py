"""Files of configurations, with or without labels."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write, format_suffix, read_text
from electrolyte_ml.structures.cfg import read_cfg, write_cfg
from electrolyte_ml.structures.charge import has_charge_under, settle_charge, with_charge
from electrolyte_ml.structures.extxyz import check_frame
from electrolyte_ml.structures.neighbours import check_geometry

_STRESS_TOLERANCE = 1e-4  # eV/Å³, between a stress and a virial written with few digits


def read_configurations(
    path: str | os.PathLike,
    *,
    species: Sequence[str] | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    charge_key: str | None = None,
    labelled: bool = False,
    index: str | int = ":",
) -> list[Atoms]:
    """Read configurations and their labels.

    The suffix decides the format: `.cfg` is MLIP's, `.xyz` and `.extxyz` are extended XYZ, all others are read by ASE.
    The file is decompressed if a further suffix is `.gz` or `.xz`.

    Parameters
    ----------
    path
        File name.
    species
        Elements of the types 0, 1, ... of a `.cfg` that does not name them.
    energy_key, forces_key, stress_key
        Names of the labels in the file, such as "energy_xtb" and "forces_xtb". If at least one is given, only the given
        labels are read, so that labels of two references never mix. A stress whose name contains "virial" is a virial:
        ``stress = -virial / volume``. Without names, ASE's names are read, and `virial` for the stress; if a stress and
        a virial are present, they must agree. A stress may be missing in some configurations.
    charge_key
        Name of the total charge (e) in the file: an entry of `info`, or an array over the atoms whose sum is the
        charge. By default, `charge` and `total_charge` are read, otherwise the sum of ASE's `initial_charges`; any
        other number whose name contains "charge" is an error, because a charge that is not read gives wrong labels.
    labelled
        Require an energy and forces in every configuration. Labels with a given name are always required.
    index
        Selection of configurations as in ASE: ":", "-1", "::10", 0.

    Returns
    -------
    list of Atoms
        Known energies (eV), forces (N, 3) eV/Å and stresses (6,) eV/Å³ (Voigt, ASE's sign) are the results of a
        `SinglePointCalculator`. The force on a single atom is zero: only its energy must be given. ``info["charge"]``
        is the total charge in e; without it the configuration is neutral.

    Raises
    ------
    InputError
        A file, configuration or label cannot be used; the message names the file and the number of the configuration.
    OSError
        The file cannot be opened.
    """
    suffix = format_suffix(path)
    if suffix == ".cfg":
        if energy_key or forces_key or stress_key:
            raise InputError(f"{path}: labels of a .cfg file have no names to choose from; leave out the keys")
        frames: Iterable[Atoms] = read_cfg(path, species)
    else:
        frames = read_extxyz(path) if suffix in (".xyz", ".extxyz") else _read_with_ase(path)
    names = {"energy": energy_key, "forces": forces_key, "stress": stress_key}
    required = {"energy", "forces"} if labelled else set()
    required |= {label for label in ("energy", "forces") if names[label]}
    configurations = []
    charge_named, stress_named = charge_key is None, stress_key is None
    for number, atoms in enumerate(frames, start=1):
        with _naming(path, number):
            charge_named |= has_charge_under(atoms, charge_key)
            settle_charge(atoms, charge_key)
            _settle_labels(atoms, names, required)
        stress_named |= atoms.calc is not None and "stress" in atoms.calc.results
        configurations.append(atoms)
    if not configurations:
        raise InputError(f"{path} holds no configuration")
    if not charge_named:
        raise InputError(f"{path}: no configuration has a charge under the name {charge_key!r}")
    if not stress_named:
        raise InputError(
            f"{path}: no configuration has a stress under the name {stress_key!r}{_near('stress', configurations)}"
        )
    return _choose(configurations, index, path)


def write_configurations(
    path: str | os.PathLike, configurations: Atoms | Iterable[Atoms], species: Sequence[str] | None = None
) -> None:
    """Write configurations with their total charges and the results of their calculators, atomically.

    The charge is written as `charge` if the configuration states one, including zero.

    Parameters
    ----------
    path
        File name: `.cfg` is MLIP's format; `.xyz` and `.extxyz` are extended XYZ with ASE's names of labels (lengths
        and forces with eight decimals).
    configurations
        One configuration or many.
    species
        Order of the elements in a `.cfg`.

    Raises
    ------
    InputError
        The suffix is unknown, or numbers are not finite; nothing is written.
    """
    from ase.io.extxyz import write_extxyz

    configurations = [configurations] if isinstance(configurations, Atoms) else list(configurations)
    suffix = Path(path).suffix
    if suffix == ".cfg":
        write_cfg(path, configurations, species)
        return
    if suffix not in (".xyz", ".extxyz"):
        raise InputError(f"{path}: the name must end in .xyz, .extxyz or .cfg")
    text = StringIO()
    for number, atoms in enumerate(configurations, start=1):
        with _naming(path, number):
            _check(atoms, atoms.calc.results if atoms.calc is not None else {})
            write_extxyz(text, with_charge(atoms))
    atomic_write(path, text.getvalue())


def read_extxyz(path: str | os.PathLike) -> Iterator[Atoms]:
    """Yield the configurations of an extended XYZ file as ASE reads them, after a check of what each announces.

    Raises
    ------
    InputError
        Naming file and configuration.
    """
    return parse_extxyz(read_text(path), path)


def parse_extxyz(text: str, path: str | os.PathLike) -> Iterator[Atoms]:
    """Yield the configurations of the text of an extended XYZ file, like `read_extxyz`; errors name the path."""
    from ase.io.extxyz import read_extxyz

    lines = text.splitlines(keepends=True)
    line = 0
    number = 0
    while line < len(lines):
        if not lines[line].strip():
            line += 1
            continue
        number += 1
        with _naming(path, number):
            count = count_in(lines[line])
            if count is None:
                raise InputError(f"line {line + 1} should be a number of atoms, found {lines[line].strip()[:40]!r}")
            frame = lines[line : line + 2 + count]
            if len(frame) < 2 + count:
                raise InputError(f"the file ends after {max(len(frame) - 2, 0)} of its {count} atoms")
            check_frame(frame)
            atoms = next(read_extxyz(StringIO("".join(frame)), 0))
        yield atoms
        line += len(frame)


def _read_with_ase(path: str | os.PathLike) -> list[Atoms]:
    """Return configurations in any format that ASE recognises."""
    from ase.io import read

    with open(path, "rb"):
        pass  # for a missing file, raise an OSError instead of ASE's error about an unknown format
    try:
        frames: Any = read(os.fspath(path), index=":", do_not_split_by_at_sign=True)
    except Exception as error:
        raise InputError(f"{path}: {_one_line(error)}") from error
    return frames


def _settle_labels(atoms: Atoms, names: dict[str, str | None], required: set[str]) -> None:
    """Store the selected labels, and no others, as results of a calculator, in ASE's units and shapes."""
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    if any(names.values()):
        found = {label: _take(atoms, results, name) for label, name in names.items() if name}
        results = {label: value for label, value in found.items() if value is not None}
        if "virial" in (names["stress"] or "").lower() and "stress" in results:
            results["stress"] = _stress_of_virial(atoms, results["stress"])
    elif "virial" in atoms.info:
        of_virial = _voigt(_stress_of_virial(atoms, atoms.info.pop("virial")))
        _compare_stresses(results.setdefault("stress", of_virial), of_virial)
    if "stress" in results:
        results["stress"] = _voigt(results["stress"])
    if "energy" in results and len(atoms) == 1:
        results.setdefault("forces", np.zeros((1, 3)))
    for label in sorted(required - results.keys()):
        if names[label]:
            raise InputError(f"no {label} under the name {names[label]!r}")
        hint = "; if one label is named, only named labels are read" if any(names.values()) else ""
        hint += _near(label, [atoms])
        raise InputError(f"no {label}" + (f"{hint} ({label}_key=, --{label}-key)" if hint else ""))
    _check(atoms, results)
    atoms.calc = SinglePointCalculator(atoms, **results) if results else None


def _near(label: str, configurations: Sequence[Atoms]) -> str:
    """Return a hint with the entries of the file that may be a label; empty if there are none."""
    parts = {"forces": ("force",), "stress": ("stress", "virial")}.get(label, (label,))
    near = {
        name for a in configurations for name in (*a.info, *a.arrays) if any(part in name.lower() for part in parts)
    }
    return f"; is it {' or '.join(map(repr, sorted(near)))}?" if near else ""


def _take(atoms: Atoms, results: dict, name: str) -> float | np.ndarray | None:
    """Remove and return the entry with a name from `info`, the arrays or the results, where ASE has stored it."""
    for container in (atoms.info, atoms.arrays, results):
        if name in container:
            return container.pop(name)
    return None


def _stress_of_virial(atoms: Atoms, virial: np.ndarray) -> np.ndarray:
    if not atoms.pbc.all():
        raise InputError("a virial needs a cell that is periodic in three directions")
    return -np.asarray(virial, dtype=float) / atoms.get_volume()


def _compare_stresses(stress: np.ndarray, of_virial: np.ndarray) -> None:
    """Check that the stress and the virial of a configuration agree in sign, unit and shape."""
    stress = _voigt(stress)
    k = int(np.abs(stress - of_virial).argmax())
    if abs(stress[k] - of_virial[k]) > _STRESS_TOLERANCE + 0.01 * abs(of_virial[k]):
        raise InputError(
            f"stress and virial contradict each other: the component {('xx', 'yy', 'zz', 'yz', 'xz', 'xy')[k]} is "
            f"{stress[k]:.4g} eV/Å³ in the stress, and {of_virial[k]:.4g} eV/Å³ in -virial / volume; remove one of them"
        )


def _voigt(stress: np.ndarray) -> np.ndarray:
    """Convert a stress of any usual shape to (6,) xx yy zz yz xz xy."""
    stress = np.asarray(stress, dtype=float)
    if stress.size == 9:
        full = stress.reshape(3, 3)
        full = (full + full.T) / 2
        stress = full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    if stress.shape != (6,):
        raise InputError(f"a stress has 6 or 9 components, found the shape {stress.shape}")
    return stress


def _check(atoms: Atoms, results: dict) -> None:
    """Check that a configuration and its labels are complete and finite."""
    if len(atoms) == 0:
        raise InputError("no atoms")
    shapes = {"energy": (), "forces": (len(atoms), 3), "stress": (6,)}
    for label, shape in shapes.items():
        value = results.get(label)
        if value is None:
            continue
        try:
            value = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise InputError(f"the {label} is not a number: {str(value)[:40]!r}") from None
        if value.shape != shape:
            raise InputError(f"the {label} has the shape {value.shape}, not {shape}")
        if label == "forces":
            _check_atoms(value, "force")
        elif not np.isfinite(value).all():
            raise InputError(f"the {label} is not finite")
    _check_atoms(atoms.positions, "position")
    if not np.isfinite(atoms.cell.array).all():
        raise InputError("the cell is not finite")
    periodic = atoms.cell.array[atoms.pbc]
    if np.linalg.matrix_rank(periodic) < len(periodic):
        raise InputError("the periodic cell has no volume")
    check_geometry(atoms.positions, atoms.cell.array, atoms.pbc)


def _check_atoms(vectors: np.ndarray, quantity: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if wrong.size:
        raise InputError(f"the {quantity} of atom {wrong[0] + 1} is not finite")


def _choose(configurations: list[Atoms], index: str | int, path: str | os.PathLike) -> list[Atoms]:
    from ase.utils import string2index

    try:
        chosen: Any = string2index(index) if isinstance(index, str) else index
        picked = configurations[chosen]
    except (ValueError, TypeError):
        raise InputError(f"{index!r} is not an index such as 0, -1, : or ::10") from None
    except IndexError:
        raise InputError(f"{path}: index {index} is beyond its {len(configurations)} configurations") from None
    return picked if isinstance(picked, list) else [picked]


@contextmanager
def _naming(path: str | os.PathLike, number: int) -> Iterator[None]:
    """Add the file and the number of the configuration to any error; ASE's parsers raise many kinds."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{path}, configuration {number}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    if isinstance(error, KeyError):  # the text of a KeyError is only the key
        return f"{error} is unknown"
    return " ".join(str(error).split()) or type(error).__name__


def species_of(configurations: Iterable[Atoms]) -> tuple[str, ...]:
    """Return the chemical symbols in configurations, sorted by atomic number."""
    numbers = {int(z) for atoms in configurations for z in atoms.numbers}
    return tuple(chemical_symbols[z] for z in sorted(numbers))
