"""Disk cache of compiled kernels: numba's cache with a checksum in each file and a fallback folder."""

import contextlib
import functools
import hashlib
import os
import sys
from pathlib import Path

from numba import njit
from numba.core import caching, config, dispatcher

from electrolyte_ml.files import atomic_write, private_temporary_folder

_PACKAGE = __name__.rpartition(".")[0]
_DIGEST = 32  # bytes of the checksum at the end of a file


@functools.cache
def _stamp(folder):
    """Return a hash of all sources in the folder of the kernels.

    numba compares a kernel with the file of its own source, not with those of the kernels that it calls: after an
    update of one file alone, the others would go on calling what that file held before.
    """
    content = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        content.update(f"{source.name}\0".encode() + source.read_bytes())
    return content.hexdigest()


class _CheckedFiles(caching.IndexDataCacheFile):
    """Cache files of one kernel; a damaged file counts as missing, because its machine code would crash the process."""

    @contextlib.contextmanager
    def _open_for_write(self, filepath):
        with _Buffer() as buffer:
            yield buffer
        content = bytes(buffer)
        atomic_write(filepath, content + hashlib.sha256(content).digest())

    def _load_index(self):
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name):
        if not _is_whole(self._data_path(name)):
            raise OSError(f"{self._data_path(name)} is damaged")  # numba then compiles the kernel
        return super()._load_data(name)


class _Buffer(bytearray):
    """Content of a file, collected in memory."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def write(self, content):
        """Append to the content."""
        self.extend(content)


class _Cache(caching.FunctionCache):
    """Cache of one kernel; if it cannot be written, the next process compiles the kernel again."""

    warned = False

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, _stamp(Path(__file__).parent))

    def save_overload(self, sig, data):
        """Save a compiled kernel; if this fails, print the reason once."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            if not _Cache.warned:
                _Cache.warned = True
                print(f"Compiled kernels cannot be kept in {self._cache_path}: {error.strerror}", file=sys.stderr)


def _is_whole(path):
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def _cache_of(py_func):
    own = (py_func.__module__ or "").partition(".")[0] == _PACKAGE.partition(".")[0]
    return (_Cache if own else caching.FunctionCache)(py_func)


def use_checked_cache():
    """Keep the kernels of this package in checked files, in a temporary folder if numba finds no other.

    numba tries NUMBA_CACHE_DIR, the folder of the source, and the user's home folder. None of them can be written to if
    the package is installed read-only and the user has no home folder. Worker processes inherit the chosen folder.
    """
    dispatcher.FunctionCache = _cache_of
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:  # numba found no folder
        folder = private_temporary_folder()
        config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(folder)
        print(
            f"Compiled kernels are kept in {folder}: neither {Path(__file__).parent} nor the home folder can be "
            "written to (set NUMBA_CACHE_DIR to choose another folder)",
            file=sys.stderr,
        )


def _nothing():
    """Do nothing: a function for the test of the cache."""
