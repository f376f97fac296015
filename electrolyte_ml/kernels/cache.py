"""Compiled kernels on disk: numba's cache, with a checksum for each file and a folder where there is no other."""

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
_DIGEST = 32  # bytes at the end of a file


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
    """The files of one kernel; one that is damaged counts as missing: its machine code would crash the process."""

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
            raise OSError(f"{self._data_path(name)} is damaged")  # numba compiles then
        return super()._load_data(name)


class _Buffer(bytearray):
    """What is written to a file."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def write(self, content):
        """Add to the content."""
        self.extend(content)


class _Cache(caching.FunctionCache):
    """The cache of one kernel; where it cannot be written, the kernel is compiled anew by the next process."""

    told = False

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, _stamp(Path(__file__).parent))

    def save_overload(self, sig, data):
        """Save a compiled kernel, or say once why none can be saved."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            if not _Cache.told:
                _Cache.told = True
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
    """Keep the kernels of this package in checked files, in a temporary folder if there is no other place.

    The places are numba's: NUMBA_CACHE_DIR, beside the source, in the user's home. A package that is installed
    read-only for a user without a home has none of them. Workers inherit what is found here.
    """
    dispatcher.FunctionCache = _cache_of
    try:
        njit(cache=True)(_nothing)
    except RuntimeError:  # numba's, where it finds no place
        folder = private_temporary_folder()
        config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(folder)
        print(
            f"Compiled kernels are kept in {folder}: neither {Path(__file__).parent} nor the home folder can be "
            "written to (NUMBA_CACHE_DIR names another place)",
            file=sys.stderr,
        )


def _nothing():
    """Do nothing: a function that could be kept."""
