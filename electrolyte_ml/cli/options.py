"""Types of option values, and options that several commands share."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.errors import InputError
from electrolyte_ml.executors import LOCAL, use_executor

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.potentials.spec import ModelSpec
    from electrolyte_ml.structures import Molecule

STORE = Path("labels")  # default folder of labels
POTENTIAL = "potential: a file (.mtp, .pot), or the name of a potential of the package"
WRITTEN = "potential to write (.mtp, with charges or other terms .pot)"

# -- types of values --------------------------------------------------------------------------------------------------


def number(text: str) -> float:
    """Convert a text to a finite number."""
    value = float(text)
    if value - value != 0.0:  # NaN and infinity
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def positive(text: str) -> float:
    """Convert a text to a number above 0."""
    value = number(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def not_negative(text: str) -> float:
    """Convert a text to a number of 0 or more."""
    value = number(text)
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def fraction(text: str) -> float:
    """Convert a text to a number between 0.0001 and 1."""
    value = number(text)
    if not 1e-4 <= value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction between 0.0001 and 1")
    return value


def timestep(text: str) -> float:
    """Convert a text to a time step in fs, at most 10."""
    value = positive(text)
    if value > 10.0:
        raise argparse.ArgumentTypeError(f"{text!r} is above 10 fs, the period of a bond with hydrogen")
    return value


def whole(text: str) -> int:
    """Convert a text to a whole number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def count(text: str) -> int:
    """Convert a text to a whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return value


for _type in (number, positive, not_negative, fraction, timestep):
    _type.__name__ = "number"  # argparse prints this name if float() or int() fails: "invalid number value: 'x'"
for _type in (whole, count):
    _type.__name__ = "whole number"


def pairs(items: Sequence[str], option: str) -> dict[str, str]:
    """Split every NAME=VALUE of an option.

    Raises
    ------
    InputError
        Naming the option and the item that is not of this form.
    """
    values = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not (name and sign and value):
            raise InputError(f"{option} {item}: write NAME=VALUE")
        values[name] = value
    return values


def refuse_given(args: argparse.Namespace, options: Sequence[str], needed: str) -> None:
    """Refuse options that were given but have no effect without another option.

    Parameters
    ----------
    args
        Arguments of a command.
    options
        Names of the options, such as "grade_every".
    needed
        The option that they need.

    Raises
    ------
    InputError
        Naming the first option that is not at its default.
    """
    for option in options:
        if getattr(args, option) != args.parser.get_default(option):
            raise InputError(f"--{option.replace('_', '-')} needs {needed}")


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
    """Add a potential's file, and the species for files that lack them."""
    parser.add_argument("potential", type=Path, metavar="POT", help=POTENTIAL)
    add_species(parser, "chemical symbols, for files without species")


def warn_of_suffix(path: Path, potential: Potential) -> None:
    """Print a warning if a potential was written to a file with the suffix of MLIP, in another format."""
    if path.suffix == ".mtp" != potential.suffix:
        print(f"warning: {path} is not in MLIP's format, which has no such terms: name it .pot", file=sys.stderr)


def add_training_set(parser: argparse.ArgumentParser, help: str) -> None:
    """Add ``--train``, a file or the name of a potential of the package."""
    parser.add_argument(
        "--train", type=training_set, metavar="SET", help=f"{help}: a file, or the name of a potential of the package"
    )


def training_set(text: str) -> Path:
    """Return the file of a training set, given by itself or by the name of a potential of the package."""
    from electrolyte_ml.potentials.shipped import training_set_file

    try:
        return training_set_file(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Add ``--mode`` and ``--terms``, which define the rows of the extrapolation grade."""
    parser.add_argument(
        "--mode",
        choices=("configuration", "neighbourhood"),
        help="grade of the configuration as a whole, or highest grade of its atoms (default, as in active-learn)",
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
        help="molecules that are not in the library: names with SMILES or files",
    )


def own_molecules(items: Sequence[str]) -> dict[str, Molecule]:
    """Return the molecules of ``--molecule`` by name."""
    from electrolyte_ml.structures import name_molecule

    return {name: name_molecule(name, text) for name, text in pairs(items, "--molecule").items()}


# -- configurations ---------------------------------------------------------------------------------------------------

_KEYS = ("energy_key", "forces_key", "stress_key", "charge_key")


def add_configurations(parser: argparse.ArgumentParser, metavar: str = "DATA", labelled: bool = False) -> None:
    """Add a file of configurations as the argument ``data``, and the keys of its labels and charges.

    Parameters
    ----------
    parser
        Parser of the command.
    metavar
        Name of the argument in the help.
    labelled
        Whether the command reads labels, for which keys are added.
    """
    content = "labelled configurations" if labelled else "configurations"
    parser.add_argument("data", type=Path, metavar=metavar, help=f"{content} (.xyz, .extxyz, .cfg)")
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
        Arguments of a command, with the options of `add_configurations`.
    path
        The file.
    species, **options
        As for `electrolyte_ml.structures.read_configurations`.
    """
    from electrolyte_ml.structures import read_configurations

    return read_configurations(path, species=species, **given_keys(args), **options)


# -- executors --------------------------------------------------------------------------------------------------------


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Add ``--executor``, for a command whose function has the decorator `on_executor`."""
    parser.add_argument(
        "--executor",
        metavar="NAME",
        help="where the work is done: local (default), slurm, pbs, dask, or MODULE:FUNCTION that returns an Executor",
    )


def on_executor(run: Callable[[argparse.Namespace], int | None]) -> Callable[[argparse.Namespace], int | None]:
    """Make the function of a command use the executor that ``--executor`` names, which starts with its first map."""

    @functools.wraps(run)
    def run_there(args: argparse.Namespace) -> int | None:
        if "jobs" in args and args.executor not in (None, LOCAL):
            refuse_given(args, ("jobs",), f"--executor {LOCAL}")
        with chosen_executor(args):
            return run(args)

    return run_there


def chosen_executor(args: argparse.Namespace) -> AbstractContextManager[None]:
    """Return the block that uses the executor of ``--executor``; without the option, that of the environment."""
    return nullcontext() if args.executor is None else use_executor(args.executor)


# -- labels -----------------------------------------------------------------------------------------------------------


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``, ``--executor`` and ``--store``: number and place of parallel labels, and their folder."""
    parser.add_argument("-j", "--jobs", type=count, default=1, help="number of labels computed in parallel (default 1)")
    add_executor(parser)
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
    """Return a setting as a number, true or false, as in TOML; anything else remains a text."""
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
        "--level",
        type=whole,
        default=default,
        help="level, an even number of 2 or more" + (f" (default {default})" if default else ""),
    )


def add_radial_basis_size(parser: argparse.ArgumentParser) -> None:
    """Add ``--radial-basis-size``."""
    parser.add_argument(
        "--radial-basis-size", type=count, default=8, help="number of Chebyshev polynomials (default 8)"
    )


def add_charges(parser: argparse.ArgumentParser) -> None:
    """Add ``--charges`` and its options."""
    parser.add_argument("--charges", metavar="NAME", help="model of the charges to add, such as qrd (default: none)")
    parser.add_argument(
        "--charge-form",
        metavar="FORM",
        help="form of the charges' parameters: positive (weights, the default) or raw (as in the paper)",
    )
    parser.add_argument("--charge-width", type=positive, help="width of Gaussian charges, Å (default: point charges)")


def add_model(parser: argparse.ArgumentParser, species_required: bool = False) -> None:
    """Add the options that define a model, its species and the seed of its parameters.

    Each option has the name of a field of `ModelSpec`; `model_spec` uses those that a command has.
    """
    add_level(parser, default=16)
    default = "" if species_required else " (default: those of the data, by atomic number)"
    add_species(parser, f"chemical symbols{default}", required=species_required)
    parser.add_argument("--cutoff", type=positive, default=5.0, help="cutoff, Å (default 5)")
    parser.add_argument(
        "--min-distance",
        type=not_negative,
        default=0.9,
        help="smallest distance of the radial functions, Å (default 0.9)",
    )
    add_radial_basis_size(parser)
    add_charges(parser)
    parser.add_argument("--repulsion", metavar="NAME", help="short-range repulsion to add, such as zbl (default: none)")
    parser.add_argument(
        "--on-top-of",
        metavar="POT",
        help="potential of another reference that the model corrects, with fixed parameters (default: none)",
    )
    add_seed(parser, "seed of the random parameters")


def model_spec(args: argparse.Namespace) -> ModelSpec:
    """Return the model that the options describe; a field without an option keeps its default.

    Raises
    ------
    InputError
        The options do not define a model; the message names one of them.
    """
    from dataclasses import fields

    from electrolyte_ml.potentials.spec import ModelSpec

    spec = ModelSpec(**{field.name: getattr(args, field.name) for field in fields(ModelSpec) if field.name in args})
    if fault := spec.fault():
        name, value, text = fault
        raise InputError(f"--{name.replace('_', '-')} {value}: {text}")
    return spec
