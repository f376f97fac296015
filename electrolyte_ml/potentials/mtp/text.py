"""Text of `.mtp` files: the MLIP format, version 1.1.0, which MLIP-2, MLIP-3, motep and LAMMPS read.

The format does not contain element names. This package writes them to `potential_tag`, a free text that the other
programs ignore: `species:H,C,O;reference:GFN1-xTB`. It contains no space and no '=', because some readers split lines
there; the name of the reference is percent-encoded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.mtp.basis import Basis, basis

if TYPE_CHECKING:
    from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential


def _braces(values: Iterable[str]) -> str:
    return "{" + ", ".join(values) + "}"


def _floats(values: Iterable[float]) -> str:
    return _braces(repr(float(v)) for v in values)


def compose(potential: MomentTensorPotential) -> str:
    """Return the content of a `.mtp` file."""
    table = potential.basis
    tag = f"species:{','.join(potential.species)}"
    if potential.reference:
        tag += f";reference:{quote(potential.reference, safe='()')}"
    lines = [
        "MTP",
        "version = 1.1.0",
        f"potential_name = {'MTP' if table.level is None else f'MTP{table.level}'}",
        f"scaling = {float(potential.scaling)!r}",
        f"species_count = {len(potential.species)}",
        f"potential_tag = {tag}",
        "radial_basis_type = RBChebyshev",
        f"\tmin_dist = {float(potential.min_distance)!r}",
        f"\tmax_dist = {float(potential.cutoff)!r}",
        f"\tradial_basis_size = {potential.radial_basis_size}",
        f"\tradial_funcs_count = {table.n_radial}",
        "\tradial_coeffs",
    ]
    for a, row in enumerate(potential.radial):
        for b, pair in enumerate(row):
            lines.append(f"\t\t{a}-{b}")
            lines += [f"\t\t\t{_floats(function)}" for function in pair]
    lines += [
        f"alpha_moments_count = {table.n_nodes}",
        f"alpha_index_basic_count = {len(table.basic)}",
        "alpha_index_basic = " + _braces(_braces(map(str, row)) for row in table.basic.tolist()),
        f"alpha_index_times_count = {len(table.products)}",
        "alpha_index_times = " + _braces(_braces(map(str, row)) for row in table.products.tolist()),
        f"alpha_scalar_moments = {table.n_scalars}",
        "alpha_moment_mapping = " + _braces(map(str, table.scalars.tolist())),
        "species_coeffs = " + _floats(potential.shifts),
        "moment_coeffs = " + _floats(potential.moments),
    ]
    return "\n".join(lines) + "\n"


_HIGHEST_POWER = 100  # of x, y and z in a moment; level 28 has 12
_MOST_DRAWN = 10**6  # radial coefficients of an untrained file, which holds none that could be counted


class _Lines:
    """Lines of a file, read in order; every error names the line."""

    def __init__(self, text: str, source: str) -> None:
        self.source, self.number, self.lines = source, 0, text.splitlines()

    def fail(self, what: str) -> InputError:
        return InputError(f"{self.source}, line {self.number}: {what}")

    def next(self, expected: str) -> str:
        while self.number < len(self.lines):
            self.number += 1
            line = self.lines[self.number - 1].strip()
            if line:
                return line
        self.number += 1
        raise self.fail(f"the file ends before {expected}")

    def back(self) -> None:
        self.number -= 1

    def value(self, key: str, other_name: str = "") -> str:
        name, equals, text = self.next(key).partition("=")
        if name.strip() not in (key, other_name) or not equals:
            raise self.fail(f"expected '{key} = ...', found '{name.strip()[:40]}'")
        return text.strip()

    def real(self, key: str, other_name: str = "") -> float:
        """Return a non-negative number."""
        return self._number(key, other_name, float, 0.0)

    def whole(self, key: str, other_name: str = "", least: int = 1) -> int:
        """Return a whole number of `least` or more."""
        return int(self._number(key, other_name, int, least))

    def _number(self, key: str, other_name: str, kind: type[int] | type[float], least: float) -> float:
        text = self.value(key, other_name)
        try:
            number = kind(text)
        except ValueError:
            raise self.fail(f"{key} = '{text[:40]}' is not a number") from None
        if not least <= number < np.inf:
            raise self.fail(f"{key} = {text} is out of range")
        return number

    def has(self, key: str) -> bool:
        """Return whether the next line begins with this key."""
        is_next = self.next(key).partition("=")[0].strip() == key
        self.back()
        return is_next

    def rows_ahead(self) -> int:
        """Return the number of directly following lines that are rows of numbers."""
        return sum(1 for _ in takewhile(lambda line: line.strip().startswith("{"), self.lines[self.number :]))

    def array(self, text: str, key: str, count: int, width: int = 1, kind: type = float) -> np.ndarray:
        """Return `count` rows of `width` numbers between braces."""
        if not (text.startswith("{") and text.endswith("}") and text.count("{") == text.count("}")):
            raise self.fail(f"{key}: the list is not closed; the file may be truncated")
        try:
            numbers: np.ndarray = np.array([kind(part) for part in re.split(r"[{},\s]+", text) if part], dtype=kind)
        except (ValueError, OverflowError):
            raise self.fail(f"{key}: not all entries are numbers") from None
        if numbers.size != count * width:
            entries = f"{numbers.size // width if width > 1 else numbers.size}"
            raise self.fail(f"{key} has {entries} entries instead of {count}")
        if not np.isfinite(numbers).all():
            raise self.fail(f"{key} has an entry that is not finite")
        return numbers.reshape((count, width) if width > 1 else (count,))


def _tag(text: str) -> dict[str, str]:
    return {k: unquote(v) for k, _, v in (part.partition(":") for part in text.split(";")) if v}


def parse(
    text: str, source: str, species: Sequence[str] | None = None, *, draw: np.random.Generator | None = None
) -> dict[str, Any]:
    """Return the fields of a `MomentTensorPotential` from the content of a `.mtp` file.

    Parameters
    ----------
    text
        Content of a file of MLIP, motep, LAMMPS or this package.
    source
        Name of the file, for messages.
    species
        Chemical symbols in the order of the file; required for files of other programs, which contain none.
    draw
        Generator for parameters from U(-1, 1) if the file has none, like MLIP's templates of untrained potentials.

    Raises
    ------
    InputError
        The radial basis is not supported, counts do not agree, the file is truncated, it is untrained and there is no
        `draw`, or there are no element names. The message names the line.
    """
    lines = _Lines(text, source)
    if lines.next("'MTP'") != "MTP":
        raise lines.fail("not an MTP file (its first line is not 'MTP')")
    version = lines.value("version")
    if version != "1.1.0":
        raise lines.fail(f"version {version} is not supported, only 1.1.0")
    lines.value("potential_name")
    scaling = lines.real("scaling") if lines.has("scaling") else 1.0
    n_species = lines.whole("species_count")
    tag = _tag(lines.value("potential_tag"))
    radial_type = lines.value("radial_basis_type")
    if radial_type != "RBChebyshev":
        raise lines.fail(f"radial basis '{radial_type}' is not supported, only RBChebyshev")
    if lines.has("scaling"):  # position in older files
        scaling = lines.real("scaling")
    # Files of motep have shorter names here, and the number of radial functions after their coefficients.
    low = lines.real("min_dist", "min")
    high = lines.real("max_dist", "max")
    size = lines.whole("radial_basis_size", "size")
    behind = not lines.has("radial_funcs_count")
    n_radial = 0 if behind else lines.whole("radial_funcs_count")
    trained = lines.next("radial_coeffs") == "radial_coeffs"
    if not trained:
        if draw is None:
            raise lines.fail("no radial coefficients: the potential is not trained; a fit can start from it (--start)")
        lines.back()
    # Arrays are allocated only after the lines have confirmed the stated counts.
    pairs: dict[tuple[int, ...], list[np.ndarray]] = {}
    while trained and len(pairs) < n_species**2:
        header = lines.next("the radial coefficients of all species pairs")
        match = re.fullmatch(r"(\d+)\s*-\s*(\d+)", header)
        pair = tuple(int(g) for g in match.groups()) if match else ()
        if not pair or max(pair) >= n_species or pair in pairs:
            raise lines.fail(f"expected the next of {n_species**2} species pairs, such as '0-0', found '{header[:40]}'")
        pairs[pair] = []
        n_radial = n_radial or lines.rows_ahead()
        while len(pairs[pair]) < n_radial:
            pairs[pair].append(lines.array(lines.next("radial coefficients"), "radial_coeffs", size))
    if behind and lines.whole("radial_funcs_count") != n_radial:
        raise lines.fail(f"radial_funcs_count does not agree with the {n_radial} rows of radial_coeffs for each pair")
    n_nodes = lines.whole("alpha_moments_count")
    n_basic = lines.whole("alpha_index_basic_count")
    basic = lines.array(lines.value("alpha_index_basic"), "alpha_index_basic", n_basic, 4, int)
    if (basic < 0).any() or (basic[:, 0] >= n_radial).any() or (basic[:, 1:] > _HIGHEST_POWER).any():
        raise lines.fail("alpha_index_basic has an entry out of range")
    if len(np.unique(basic, axis=0)) < n_basic or n_nodes < n_basic:
        raise lines.fail("alpha_index_basic has the same entry twice, or more than alpha_moments_count")
    n_times = lines.whole("alpha_index_times_count", least=0)
    times = lines.array(lines.value("alpha_index_times"), "alpha_index_times", n_times, 4, int).reshape(-1, 4)
    wrong = (times[:, [0, 1, 3]] < 0) | (times[:, [0, 1, 3]] >= n_nodes)
    if wrong.any() or (times[:, 3] < n_basic).any():
        raise lines.fail("alpha_index_times has an index out of range")
    n_scalars = lines.whole("alpha_scalar_moments")
    scalars = lines.array(lines.value("alpha_moment_mapping"), "alpha_moment_mapping", n_scalars, 1, int)
    if (scalars < 0).any() or (scalars >= n_nodes).any():
        raise lines.fail("alpha_moment_mapping has an index out of range")
    if trained:
        shifts = lines.array(lines.value("species_coeffs"), "species_coeffs", n_species)
        moments = lines.array(lines.value("moment_coeffs"), "moment_coeffs", n_scalars)

    own = tuple(s.strip() for s in tag.get("species", "").split(",") if s.strip())
    named = tuple(species) if species else own
    if own and named != own:
        raise InputError(f"{source}: the species of the file are {' '.join(own)}, not {' '.join(named)}")
    if not named:
        raise InputError(f"{source}: the file names no elements; give them in its order, such as --species H C O")
    if len(named) != n_species:
        raise InputError(f"{source}: {len(named)} species given ({' '.join(named)}), the file has {n_species}")
    shape = n_species, n_species, n_radial, size
    if not trained and math.prod(shape) > _MOST_DRAWN:
        raise InputError(f"{source}: it announces {math.prod(shape)} radial coefficients, more than {_MOST_DRAWN}")
    try:
        table = _known_basis(n_radial, basic, times, scalars, n_nodes)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if trained:
        radial = np.array([pairs[pair] for pair in sorted(pairs)]).reshape(shape)
    elif draw is not None:
        radial, shifts, moments = (draw.uniform(-1, 1, dims) for dims in (shape, n_species, n_scalars))
    return {
        "basis": table,
        "species": named,
        "radial": radial,
        "shifts": shifts,
        "moments": moments,
        "cutoff": high,
        "min_distance": low,
        "scaling": scaling,
        "reference": tag.get("reference"),
    }


def _known_basis(n_radial: int, basic: np.ndarray, times: np.ndarray, scalars: np.ndarray, n_nodes: int) -> Basis:
    """Return the basis with these tables; if they equal those generated for a level, return the generated basis."""
    from electrolyte_ml.potentials.mtp.graph import compile_graph

    foreign = Basis(n_radial, basic, times, scalars, n_nodes)
    for level in range(2, 26, 2):
        # Cheap tests first: equal counts give the level, equal tables the generated basis.
        if (level - 2) // 4 + 1 != n_radial or len(scalars) != _SCALARS[level]:
            continue
        own = basis(level)
        if all(np.array_equal(a, b) for a, b in
               ((own.basic, basic), (own.products, times), (own.scalars, scalars))):  # fmt: skip
            return own
        foreign = Basis(n_radial, basic, times, scalars, n_nodes, level=level)
    compile_graph(foreign)  # raises an error for tables that cannot be evaluated
    return foreign


# Number of basis functions of each level (tests count them again): the level of a file is then found without generating
# a basis.
_SCALARS = dict(zip(range(2, 26, 2), (1, 2, 5, 9, 16, 29, 52, 92, 163, 288, 500, 864), strict=True))
