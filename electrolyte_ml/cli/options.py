"""Types of options, and the options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec
    from electrolyte_ml.structures import Molecule

STORE = Path("labels")  # folder of all labels, unless the user names another

# -- types of values --------------------------------------------------------------------------------------------------


def number(text: str) -> float:
    """A finite number."""
    value = float(text)
    if value - value != 0.0:  # NaN and infinity
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    value = number(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def not_negative(text: str) -> float:
    """A number from 0."""
    value = number(text)
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def fraction(text: str) -> float:
    """A number between 0.0001 and 1."""
    value = number(text)
    if not 1e-4 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction between 0.0001 and 1")
    return value


def timestep(text: str) -> float:
    """A time step in fs."""
    value = positive(text)
    if value > 10.0:
        raise argparse.ArgumentTypeError(f"{text!r} is above 10 fs, in which a bond with hydrogen vibrates once")
    return value


def whole(text: str) -> int:
    """A whole number from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return value


for _type in (number, positive, not_negative, fraction, timestep):
    _type.__name__ = "number"  # argparse names the type when float() or int() refuses: "invalid number value: 'x'"
for _type in (whole, count):
    _type.__name__ = "whole number"


def pairs(items: Sequence[str], option: str) -> dict[str, str]:
    """Split every NAME=VALUE of an option.

    Raises
    ------
    InputError
        Naming the option and the item that is not of this form.
    """
    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not (name and sign and value):
            raise InputError(f"{option} {item}: write NAME=VALUE")
        found[name] = value
    return found


def refuse_given(args: argparse.Namespace, options: Sequence[str], goes_with: str) -> None:
    """Refuse options that were given and have no effect.

    Parameters
    ----------
    args
        Of a command.
    options
        Names of the options, such as "grade_every".
    goes_with
        What they go with.

    Raises
    ------
    InputError
        Naming the first that is not at its default.
    """
    for option in options:
        if getattr(args, option) != args.parser.get_default(option):
            raise InputError(f"--{option.replace('_', '-')} goes with {goes_with}")


# -- options ----------------------------------------------------------------------------------------------------------


def add_species(parser: argparse.ArgumentParser, help: str, required: bool = False) -> None:
    """Add ``--species``."""
    parser.add_argument("--species", nargs="+", metavar="X", required=required, help=help)


def add_seed(parser: argparse.ArgumentParser, help: str) -> None:
    """Add ``--seed``."""
    parser.add_argument("--seed", type=whole, default=0, help=f"{help} (default 0)")


def add_json(parser: argparse.ArgumentParser, help: str = "print JSON") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=help)


def add_output(parser: argparse.ArgumentParser, help: str, required: bool = True) -> None:
    """Add ``--output`` for one file."""
    parser.add_argument("-o", "--output", type=Path, required=required, metavar="FILE", help=help)


def add_potential(parser: argparse.ArgumentParser) -> None:
    """Add a potential's file and the species of files that do not name them."""
    parser.add_argument("potential", type=Path, metavar="POT", help="potential (.mtp)")
    add_species(parser, "chemical symbols, for files that carry none")


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Add ``--mode`` and ``--terms``, which say what the rows of the extrapolation grade are."""
    parser.add_argument(
        "--mode",
        choices=("configuration", "neighbourhood"),
        help="grade of the configuration as a whole, or of its worst atom (default, as in active-learn)",
    )
    parser.add_argument(
        "--terms",
        nargs="+",
        default=[],
        metavar="NAME",
        help="terms of the potential whose derivatives make the rows, such as mtp alone (default: all)",
    )


# -- molecules ---------------------------------------------------------------------------------------------------------


def add_own_molecules(parser: argparse.ArgumentParser) -> None:
    """Add ``--molecule``."""
    parser.add_argument(
        "--molecule",
        nargs="+",
        default=[],
        metavar="NAME=SMILES",
        help="names for molecules that are not in the library, by their SMILES or files",
    )


def own_molecules(items: Sequence[str]) -> dict[str, Molecule]:
    """Molecules by name, of ``--molecule``."""
    from electrolyte_ml.structures import name_molecule

    return {name: name_molecule(name, text) for name, text in pairs(items, "--molecule").items()}


# -- configurations ---------------------------------------------------------------------------------------------------

_KEYS = ("energy_key", "forces_key", "stress_key", "charge_key")


def add_configurations(parser: argparse.ArgumentParser, metavar: str = "DATA", labelled: bool = False) -> None:
    """Add a file of configurations as the argument ``data``, and the keys of what it holds.

    Parameters
    ----------
    parser
        Of the command.
    metavar
        Name of the argument in the help.
    labelled
        Whether the command reads labels, so that they have keys as well.
    """
    what = "labelled configurations" if labelled else "configurations"
    parser.add_argument("data", type=Path, metavar=metavar, help=f"{what} (.xyz, .extxyz, .cfg)")
    for label in ("energy", "forces", "stress") if labelled else ():
        parser.add_argument(f"--{label}-key", help=f"name of the {label} in the file, if not ASE's")
    add_charge_key(parser)


def add_charge_key(parser: argparse.ArgumentParser) -> None:
    """Add ``--charge-key``."""
    parser.add_argument("--charge-key", help="name of the total charge (e) in the file")


def given_keys(args: argparse.Namespace) -> dict[str, Any]:
    """Return the keys that were given, as keyword arguments of `read_configurations`."""
    return {key: getattr(args, key) for key in _KEYS if getattr(args, key, None) is not None}


def read(args: argparse.Namespace, path: Path, species: Sequence[str] | None, **options: Any) -> list[Atoms]:
    """Read a file of configurations with the keys given to the command.

    Parameters
    ----------
    args
        With the options of `add_configurations`.
    path
        The file.
    species, **options
        As for `electrolyte_ml.structures.read_configurations`.
    """
    from electrolyte_ml.structures import read_configurations

    return read_configurations(path, species=species, **given_keys(args), **options)


# -- labels -----------------------------------------------------------------------------------------------------------


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs`` and ``--store``, where labels are kept."""
    parser.add_argument("-j", "--jobs", type=count, default=1, help="labels computed at once (default 1)")
    parser.add_argument("--store", type=Path, default=STORE, help=f"folder of all labels (default {STORE}/)")


def add_reference_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings of the reference, such as cutoff=900 or stress=false",
    )


def reference_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of ``--set``."""
    return {name: _value(text) for name, text in pairs(args.set, "--set").items()}


def _value(text: str) -> Any:
    """Return a setting as TOML would read it: a number, true or false; anything else is a text."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


# -- models -----------------------------------------------------------------------------------------------------------


def add_level(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    """Add ``--level``."""
    parser.add_argument(
        "--level", type=whole, default=default, help="even number from 2" + (f" (default {default})" if default else "")
    )


def add_radial_basis_size(parser: argparse.ArgumentParser) -> None:
    """Add ``--radial-basis-size``."""
    parser.add_argument("--radial-basis-size", type=count, default=8, help="Chebyshev polynomials (default 8)")


def add_charges(parser: argparse.ArgumentParser) -> None:
    """Add ``--charges`` and the choices that go with it."""
    parser.add_argument("--charges", metavar="NAME", help="model of the charges to add, such as qrd (default: none)")
    parser.add_argument(
        "--charge-form",
        metavar="FORM",
        help="of its parameters: positive (weights, the default) or raw (as in the paper)",
    )
    parser.add_argument("--charge-width", type=positive, help="of Gaussian charges, Å (default: point charges)")


def add_model(parser: argparse.ArgumentParser, species_required: bool = False) -> None:
    """Add the choices that make a model, its species and the seed of its parameters.

    Each option has the name of a field of `ModelSpec`; `model_spec` passes on those that a command has.
    """
    add_level(parser, default=16)
    default = "" if species_required else " (default: those of the data, by atomic number)"
    add_species(parser, f"chemical symbols{default}", required=species_required)
    parser.add_argument("--cutoff", type=positive, default=5.0, help="Å (default 5)")
    parser.add_argument("--min-distance", type=not_negative, default=0.9, help="Å (default 0.9)")
    add_radial_basis_size(parser)
    add_charges(parser)
    parser.add_argument("--repulsion", metavar="NAME", help="repulsive floor to add, such as zbl (default: none)")
    parser.add_argument(
        "--on-top-of",
        metavar="POT",
        help="potential of another reference that the model corrects; its parameters are fixed (default: none)",
    )
    add_seed(parser, "of the random parameters")


def model_spec(args: argparse.Namespace) -> ModelSpec:
    """Return the model that the options describe; a field without an option keeps its default.

    Raises
    ------
    InputError
        Naming the option of a choice that makes no model.
    """
    from dataclasses import fields

    from electrolyte_ml.potentials.spec import ModelSpec

    spec = ModelSpec(**{field.name: getattr(args, field.name) for field in fields(ModelSpec) if field.name in args})
    if fault := spec.fault():
        name, value, text = fault
        raise InputError(f"--{name.replace('_', '-')} {value}: {text}")
    return spec
