"""Loading of potentials from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_text
from electrolyte_ml.potentials.mlip3 import MARKER
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.registry import kind
from electrolyte_ml.potentials.shipped import find_shipped
from electrolyte_ml.potentials.sum import total
from electrolyte_ml.potentials.text import FORMAT, parse


def load(path: str | Path, species: Sequence[str] | None = None, *, seed: int | None = None) -> Potential:
    """Load a potential from a file.

    Parameters
    ----------
    path : path
        File of this package, or `.mtp` file of MLIP, motep or LAMMPS. If there is no such file, the name of a potential
        that comes with the package, such as "ec-emc".
    species : sequence of str, optional
        Chemical symbols in the order of the file, for files without element names.
    seed : int, optional
        Seed for the parameters of a file that has none, such as MLIP's templates of untrained potentials. Without a
        seed, such a file is an error.

    Raises
    ------
    InputError
        The file cannot be read; the message names the file and the line.
    """
    path = Path(path)
    if not path.exists():
        path = find_shipped(str(path)).path
    if not path.is_file():
        raise InputError(f"{path} is a folder, not a file")
    return from_content(read_text(path, until=MARKER), str(path), tuple(species) if species else None, seed)


def from_content(
    content: str, source: str, species: tuple[str, ...] | None = None, seed: int | None = None
) -> Potential:
    """Return the potential from the content of a file.

    Parameters
    ----------
    content
    source
        Name of the file, for messages.
    species, seed
        As for `load`.

    Raises
    ------
    InputError
        The content cannot be read; the message names source and line.
    """
    if not content.startswith(FORMAT):
        return MomentTensorPotential.from_text(content, source, species, seed)
    terms, reference = parse(content, source)
    potential = _total([_term(term, source, species) for term in terms], source)
    if species and species != potential.species:
        raise InputError(f"{source}: its species are {' '.join(potential.species)}, not {' '.join(species)}")
    return potential.with_reference(reference)


def _term(term: tuple[str, int, str], source: str, species: tuple[str, ...] | None) -> Potential:
    name, line, text = term
    try:
        model = kind(name)
    except InputError as error:
        raise InputError(f"{source}, line {line - 1}: {error}") from None
    return model.from_text(text, f"{source}, term {name} from line {line} on", species)


def _total(terms: list[Potential], source: str) -> Potential:
    try:
        return total(terms)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
