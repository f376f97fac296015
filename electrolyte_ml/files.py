"""Reading and writing of files: atomic replacement, compressed text, JSON, arrays, and checks of output paths."""

from __future__ import annotations

import atexit
import gzip
import hashlib
import io
import json
import lzma
import math
import os
import shutil
import stat
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from electrolyte_ml.errors import InputError, first_line

if TYPE_CHECKING:
    import numpy as np

_DECOMPRESS = {".gz": gzip.decompress, ".xz": lzma.decompress}
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
COMPRESSED = tuple(_OPEN)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add a path to an `OSError` of the block that names no file, as errors of writing, flushing and reading do not."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def private_temporary_folder() -> Path:
    """Return this user's folder in the system's folder of temporary files, the same in every process.

    If another user has taken its name, a new folder is made, which is removed at the end of this process.

    Raises
    ------
    OSError
        No folder can be made.
    """
    folder = Path(tempfile.gettempdir()) / f"electrolyte-ml-of-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022:
        return folder
    own = tempfile.mkdtemp(prefix="electrolyte-ml-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def atomic_write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Replace a file in one step: at any time, also after a crash, it has the whole old or the whole new content.

    The content is written to a temporary file beside the target and flushed to the disk; the temporary file is then
    renamed. Any number of processes may write the same path; the content of the last one remains.

    Parameters
    ----------
    path
        The file to create or replace; its folder is made when missing. A symbolic link is followed.
    content
        The whole content; text is written as UTF-8 with unchanged line ends.

    Raises
    ------
    OSError
        The file cannot be written (full disk, no permission); the message names the path. The old file is unchanged.
    """
    target = Path(os.path.realpath(path))
    data = content.encode() if isinstance(content, str) else content
    temporary = target.with_name(f".{target.name[:180]}.{uuid.uuid4().hex}.tmp")  # file names end at 255 bytes
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:  # errors of write() and fsync() name no file, those of os.replace the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, so that a rename survives a power cut."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # some systems cannot open folders; the file itself is already on the disk
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def read_text(path: str | os.PathLike[str], until: bytes | None = None) -> str:
    """Return the text of a file, decompressed if its name ends in ``.gz`` or ``.xz``, without a byte-order mark.

    Parameters
    ----------
    path
        The file.
    until
        Bytes that mark the end of the text; by default, or if they are not found, the text ends with the file.

    Raises
    ------
    InputError
        The file is not UTF-8 text, or it is a compressed file that is broken or cut short.
    OSError
        The file cannot be opened.
    """
    with naming(path):
        data = Path(path).read_bytes()
    decompress = _DECOMPRESS.get(Path(path).suffix)
    try:
        data = decompress(data) if decompress else data
        return (data.partition(until)[0] if until else data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        kind = Path(path).suffix[1:]
        raise InputError(f"{path}: the {kind} archive is broken or cut short ({str(error).rstrip('.')})") from None


def content_hash(path: str | os.PathLike[str]) -> str:
    """Return 32 hexadecimal digits that are others for another content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def decompress_to(path: Path, target: Path) -> None:
    """Write the content of a file whose name ends in ``.gz`` or ``.xz`` to another one.

    Raises
    ------
    InputError
        The archive is broken or cut short, or the target cannot be written (full disk).
    OSError
        The file cannot be opened.
    """
    with open(path, "rb"):
        pass
    try:
        with _OPEN[path.suffix](path, "rb") as source, open(target, "wb") as stream:
            shutil.copyfileobj(source, stream, 1 << 20)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path} cannot be decompressed to {target.parent} ({error.strerror})") from error
        kind = path.suffix[1:]
        raise InputError(f"{path}: the {kind} archive is broken or cut short ({str(error).rstrip('.')})") from None


class Record(dict[str, Any]):
    """Object of a JSON file; a missing key raises an InputError that names the file."""

    def __init__(self, content: Mapping[str, Any], path: Path) -> None:
        super().__init__(content)
        self.path = path

    def __missing__(self, key: str) -> NoReturn:
        raise InputError(f"{self.path} is damaged: it has no {key!r}")

    def number(self, key: str, least: float = 0.0) -> float:
        """Return a finite number of at least `least`; anything else raises an InputError that names the file."""
        value = self[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
            raise InputError(f"{self.path} is damaged: its {key!r} is not a number of {least:g} or more")
        return value

    def text(self, key: str) -> str:
        """Return a text; anything else raises an InputError that names the file."""
        return str(self._of(key, str, "a text"))

    def entries(self, key: str) -> list[Any]:
        """Return a list; anything else raises an InputError that names the file."""
        return list(self._of(key, list, "a list"))

    def table(self, key: str) -> dict[str, Any]:
        """Return an object; anything else is an InputError that names the file."""
        return dict(self._of(key, dict, "an object"))

    def _of(self, key: str, kind: type, name: str) -> Any:
        if not isinstance(self[key], kind):
            raise InputError(f"{self.path} is damaged: its {key!r} is not {name}")
        return self[key]


def read_json(path: str | os.PathLike[str], keys: Sequence[str] = ()) -> Record:
    """Return the object of a JSON file.

    Parameters
    ----------
    path
        The file.
    keys
        Keys that the object must have.

    Raises
    ------
    InputError
        The file is not UTF-8, not JSON or not an object, or a key is missing; the message names the file.
    FileNotFoundError
        There is no such file.
    """
    with naming(path):
        data = Path(path).read_bytes()
    try:
        content = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: not JSON ({first_line(error)})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: not a JSON object")
    record = Record(content, Path(path))
    for key in keys:
        record[key]
    return record


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text whose integers fit 64 bits, and its other numbers double precision.

    Raises
    ------
    ValueError, RecursionError
        The text is not JSON, or has a number that does not fit.
    """
    return json.loads(text, parse_int=_integer, parse_float=_real)


def _integer(text: str) -> int:
    if len(text) > 19:
        raise ValueError(f"an integer of {len(text)} characters")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is too large")
    return value


def read_arrays(path: str | os.PathLike[str], keys: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file; pickled objects, which could run code, are refused.

    Parameters
    ----------
    path
        The file.
    keys
        Names of arrays that the file must have.

    Raises
    ------
    InputError
        The file is not such an archive, or is damaged, or lacks an array; the message names the file.
    OSError
        The file is missing or cannot be opened.
    """
    import numpy as np

    with naming(path):
        content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # damaged archives raise many kinds of errors, OSError among them
        raise InputError(f"{path} is damaged: not an archive of arrays ({first_line(error)})") from None
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise InputError(f"{path} is damaged: it has no {missing[0]!r}")
    return arrays


def as_json_text(value: Any) -> str:
    """Return a value as standard JSON: NaN and infinite numbers, which JSON lacks, become null."""
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def format_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix of the format, such as ``.extxyz`` for ``set.extxyz`` and for ``set.extxyz.xz``."""
    whole = Path(path)
    return Path(whole.stem).suffix if whole.suffix in _DECOMPRESS else whole.suffix


def check_output_file(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse a path at which no file can be written; called before a calculation starts.

    Parameters
    ----------
    path
        The file to be written; its folder may be missing.
    suffixes
        Suffixes that the name may have; any by default.

    Raises
    ------
    InputError
        Naming the path and its fault.
    """
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{path}: the name must end in {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file to write")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: {path} cannot be written")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} is not writable: {path} cannot be written")


def check_output_folder(path: Path) -> None:
    """Refuse a path that is not a folder and at which none can be made; called before a calculation starts.

    Raises
    ------
    InputError
        Naming the path and its fault.
    """
    if path.is_dir():
        return
    if path.exists():
        raise InputError(f"{path} is not a folder: name a folder to write to")
    check_output_file(path)
