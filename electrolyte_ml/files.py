"""Files: atomic replacement, so that a reader finds the old content or the new one, and text that may be compressed."""

import gzip
import lzma
import os
import shutil
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from electrolyte_ml.errors import InputError

_DECOMPRESS = {".gz": gzip.decompress, ".xz": lzma.decompress}
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
COMPRESSED = tuple(_OPEN)


def atomic_write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Replace a file so that neither a reader nor a crash finds a part of the new content.

    The content goes to a temporary file beside the target, is flushed to the disk, and takes the target's name in
    one step. Any number of processes may write the same path; the last one to finish wins.

    Parameters
    ----------
    path
        The file to create or replace; its folder is made when missing. A symbolic link is followed.
    content
        The whole content; text is written as UTF-8 with its line ends as they are.

    Raises
    ------
    OSError
        Full disk, no permission and the like, always with the path in the message. The old file is then unchanged.
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
    except OSError as error:  # write() and fsync() name no file, os.replace the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, so that a rename survives a power cut."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # folders cannot be opened on every system; the file itself is already safe
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
        Where the text ends and something else begins; at the end of the file by default, or where this is not found.

    Raises
    ------
    InputError
        Not UTF-8 text, or a compressed file that is broken or cut short.
    OSError
        The file cannot be opened.
    """
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


def decompress_to(path: Path, target: Path) -> None:
    """Write the content of a file whose name ends in ``.gz`` or ``.xz`` to another one.

    Raises
    ------
    InputError
        The archive is broken or cut short, or cannot be decompressed for want of space.
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


def format_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix that names the format: ``.extxyz`` of ``set.extxyz`` and of ``set.extxyz.xz``."""
    whole = Path(path)
    return Path(whole.stem).suffix if whole.suffix in _DECOMPRESS else whole.suffix


def check_output_file(path: Path, suffixes: tuple[str, ...] = ()) -> None:
    """Refuse, before any work, a path at which no file can be written.

    Parameters
    ----------
    path
        The file to be written; its folder may be missing.
    suffixes
        Those that the name may end in; any if there are none.

    Raises
    ------
    InputError
        Naming the path and what is wrong with it.
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
    """Refuse, before any work, a path that is no folder and at which none can be made.

    Raises
    ------
    InputError
        Naming the path and what is wrong with it.
    """
    if path.is_dir():
        return
    if path.exists():
        raise InputError(f"{path} is not a folder: name one to write to")
    check_output_file(path)
