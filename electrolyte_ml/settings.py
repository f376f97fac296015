"""Settings in sections: frozen dataclasses with checked values, read from TOML files and written to them.

A section is a class with the decorator `section`. Its fields are values or other sections, which are tables in TOML; a
dotted name such as ``exploration.time_ps`` means a field of a section. A wrong setting, from Python or from a file,
raises an `InputError` of one line that names it.
"""

from __future__ import annotations

import difflib
import filecmp
import functools
import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import PydanticCustomError

from electrolyte_ml.commands import PREFIX, change_paths, paths_of
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import content_hash, read_text

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_CROSS_CHECK = "cross_check"  # type of an error whose message names its field already


def _several(value: Any) -> Any:
    """Return a single value or a list of values as a tuple."""
    if isinstance(value, str | int | float):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10**12)]
Whole = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several)]
PositiveNumbers = Annotated[tuple[Positive, ...], BeforeValidator(_several)]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def section(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass whose values are checked against their annotations, without conversions.

    Raises
    ------
    InputError
        An instance is made with an impossible value; the message is one line that names the first of them.
    """
    made: Any = checked_dataclass(frozen=True, config=_STRICT)(cls)
    initialise = made.__init__

    @functools.wraps(initialise)
    def init(self: Any, *args: Any, **values: Any) -> None:
        try:
            initialise(self, *args, **values)
        except ValidationError as error:
            raise InputError(_message(error)) from None

    made.__init__ = init
    return made


def fault(name: str, value: Any, text: str) -> PydanticCustomError:
    """Return the error that a validator of a section raises when fields contradict each other.

    Parameters
    ----------
    name, value
        Name and value of the field at fault.
    text
        Description of the fault, such as "must be above save_threshold = 2".
    """
    message = f"{name} = {value!r}: {text}"
    return PydanticCustomError(_CROSS_CHECK, "{message}", {"message": message})


def check_values(instance: Any) -> None:
    """Check the values of a plain dataclass against their annotations, as for a section.

    For use in a validator of the section that holds the dataclass.

    Raises
    ------
    PydanticCustomError
        Naming the first value that does not fit its annotation.
    """
    hints = get_type_hints(type(instance), include_extras=True)
    for item in fields(instance):
        value = getattr(instance, item.name)
        try:
            TypeAdapter(hints[item.name], config=_STRICT).validate_python(value)
        except ValidationError as error:
            raise fault(item.name, value, _reason(error.errors()[0]["msg"])) from None


def flatten(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return all values of a section and of the sections in it by their dotted names."""
    values: dict[str, Any] = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        if is_dataclass(value):
            values |= flatten(value, f"{prefix}{item.name}.")
        else:
            values[prefix + item.name] = value
    return values


def same_value(before: Any, now: Any) -> bool:
    """Return whether two values of a setting are equal, except that files and folders may have moved.

    Two absolute paths are equal if both have the same content, or if nothing is at the first one any more and both
    have the same last part; this holds for paths in the words of two commands, too.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return before.keys() == now.keys() and all(same_value(before[key], now[key]) for key in before)
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        return len(before) == len(now) and all(map(same_value, before, now))
    if before == now or not (isinstance(before, str) and isinstance(now, str)):
        return bool(before == now)
    if before.startswith(PREFIX) and now.startswith(PREFIX):
        return same_value(*(paths_of(command.removeprefix(PREFIX)) for command in (before, now)))
    first, second = Path(before), Path(now)
    if not (first.is_absolute() and second.is_absolute()):
        return False
    return _same_content(first, second) if first.exists() else first.name == second.name


def _same_content(first: Path, second: Path) -> bool:
    """Return whether two files have the same bytes, or two folders the same files (not in subfolders, not hidden)."""
    if first.is_dir() and second.is_dir():
        names = {path.name for path in first.iterdir() if path.is_file() and not path.name.startswith(".")}
        return all((second / name).is_file() and _same_content(first / name, second / name) for name in names)
    return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)


def file_contents(value: Any, name: str) -> dict[str, str]:
    """Return a hash of each file that a setting names by an absolute path, by the name of the setting.

    Parameters
    ----------
    value
        The setting; of a table or a list each entry counts.
    name
        Its dotted name.
    """
    if isinstance(value, str):
        return {name: content_hash(value)} if os.path.isabs(value) and os.path.isfile(value) else {}
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, tuple) else ()
    return {key: found for part, entry in entries for key, found in file_contents(entry, f"{name}.{part}").items()}


def edited_files(before: Any, now: Mapping[str, str]) -> list[str]:
    """Name the settings whose files have another content than before, as of `file_contents`; what is gone is the same.

    Parameters
    ----------
    before
        As it was recorded; nothing where an older version wrote the record.
    now
    """
    known = before if isinstance(before, Mapping) else {}
    return [f"the content of {name}" for name, content in now.items() if known.get(name, content) != content]


def relative_within(value: Any, root: Path, folder: Path) -> Any:
    """Return a value with the absolute paths below a root relative to a folder, so that the root can be moved.

    Those in the words of a command begin with ``./`` then: one of them may be its program.
    """
    if isinstance(value, str) and value.startswith(PREFIX):
        return PREFIX + change_paths(
            value.removeprefix(PREFIX),
            lambda path: os.path.join(".", os.path.relpath(path, folder)) if _is_within(path, root) else path,
        )
    if isinstance(value, str):
        return os.path.relpath(value, folder) if _is_within(value, root) else value
    if isinstance(value, Mapping):
        return {key: relative_within(item, root, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(relative_within(item, root, folder) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{item.name: relative_within(getattr(value, item.name), root, folder) for item in fields(value)}
        )
    return value


def _is_within(path: str, root: Path) -> bool:
    return os.path.isabs(path) and Path(path).is_relative_to(root)


def read_toml(
    cls: type[T],
    path: str | os.PathLike,
    moved: Mapping[str, str] | None = None,
    change: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> T:
    """Read and check settings from a TOML file.

    Parameters
    ----------
    cls
        Section of the whole file; the tables of the file are the sections in it.
    path
        The file.
    moved
        Former names at the top of the file, and the dotted names that have replaced them.
    change
        Function applied to the content of the file before it is checked.

    Raises
    ------
    InputError
        The file is not TOML, or has an unknown key (the message suggests a similar one), a wrong type or an impossible
        value; the message names file and key.
    OSError
        The file is missing or cannot be read.
    """
    path = Path(path)
    try:
        table = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    try:
        for key, place in (moved or {}).items():
            if key in table and (key not in _names(cls) or not isinstance(table[key], Mapping)):
                raise InputError(f"{key} = {table[key]!r}: is now {_place(place)}")
        return _from_table(cls, change(table) if change else table, "", cls)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def to_toml(settings: Any) -> str:
    """Return settings as TOML, a table for each section, without values that are None or empty by default.

    Raises
    ------
    InputError
        TOML cannot hold a value.
    """
    return "\n".join(_lines(settings, "")).strip() + "\n"


def _lines(settings: Any, name: str) -> list[str]:
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    defaults = {item.name: item.default for item in fields(settings)}
    lines = [f"\n[{name}]"] if name else []
    for key, value in values.items():
        empty = value in (None, {}) or (value == () and defaults[key] in ((), MISSING))
        if not is_dataclass(value) and not empty:
            lines.append(f"{key} = {_toml_value(value, f'{name}.{key}'.lstrip('.'))}")
    for key, value in values.items():
        if is_dataclass(value):
            lines += _lines(value, f"{name}.{key}".lstrip("."))
    return lines


def _toml_value(value: Any, name: str) -> str:
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return json.dumps(value, ensure_ascii=False)  # texts and numbers are written alike in JSON and TOML
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(entry, name) for entry in value)}]"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        pairs = (f"{json.dumps(key, ensure_ascii=False)} = {_toml_value(entry, name)}" for key, entry in value.items())
        return f"{{{', '.join(pairs)}}}"
    raise InputError(f"{name} = {value!r}: cannot be written to a settings file")


def _from_table(cls: type[T], table: Mapping[str, Any], prefix: str, root: type) -> T:
    """Return a section from a TOML table; `prefix` is its dotted name, `root` the section of the whole file."""
    hints = get_type_hints(cls)
    known = _names(cls)
    values = {}
    for key, value in table.items():
        name = prefix + key
        if key not in known:
            raise InputError(f"unknown key {name!r}{_hint(key, known, prefix, root)}")
        if is_dataclass(hints[key]):
            keys = ", ".join(_names(hints[key]))
            if not isinstance(value, Mapping):
                raise InputError(f"{name} = {value!r}: must be a table, [{name}], of the keys {keys}")
            value = _from_table(hints[key], value, f"{name}.", root)
        values[key] = value
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None


def _names(cls: Any) -> list[str]:
    return [item.name for item in fields(cls)]


def _hint(key: str, known: list[str], prefix: str, root: type) -> str:
    """Return a suggestion for an unknown key: a similar key of its own table, else of another table."""
    places = _all_keys(root)
    if near := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f"; did you mean {_place(prefix + near[0])}?"
    if near := difflib.get_close_matches(key, places, n=1, cutoff=0.75):
        return f"; did you mean {' or '.join(_place(place) for place in places[near[0]])}?"
    return f"; the keys are {', '.join(known)}"


def _all_keys(cls: Any, prefix: str = "") -> dict[str, list[str]]:
    """Return the dotted names of all values in a section by their last parts."""
    hints = get_type_hints(cls)
    places: dict[str, list[str]] = {}
    for key in _names(cls):
        inner = _all_keys(hints[key], f"{prefix}{key}.") if is_dataclass(hints[key]) else {key: [prefix + key]}
        for last, names in inner.items():
            places.setdefault(last, []).extend(names)
    return places


def _place(name: str) -> str:
    """Return the TOML notation of a dotted name, such as ``[exploration] time_ps``."""
    table, _, key = name.rpartition(".")
    return f"[{table}] {key}" if table else repr(key)


def _message(error: ValidationError) -> str:
    """Return the first fault of a section as one line of name, value and reason.

    An unknown name comes first: it may be a misspelling of a missing one.
    """
    first = min(error.errors(include_url=False), key=lambda item: item["type"] != "unexpected_keyword_argument")
    name = ".".join(part for part in first["loc"] if isinstance(part, str))
    if first["type"] == "missing":
        return f"{name}: must be given"
    if first["type"] == "unexpected_keyword_argument":
        return f"unknown setting {name!r}"
    if first["type"] == _CROSS_CHECK:
        return f"{name}.{first['msg']}" if name else first["msg"]
    return f"{name} = {first['input']!r}: {_reason(first['msg'])}" if name else _reason(first["msg"])


def _reason(text: str) -> str:
    """Return a reason from pydantic in the style of the other messages."""
    return re.sub(r"^\w+ should ", "must ", text.removeprefix("Value error, ")).replace("\n", " ")
