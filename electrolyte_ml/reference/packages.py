"""Versions and single-threaded import of optional packages that compute labels."""

from __future__ import annotations

import os
from importlib import import_module, metadata
from types import ModuleType

from electrolyte_ml.errors import InputError
from electrolyte_ml.processes import ONE_THREAD
from electrolyte_ml.reference.base import one_line


def versions(packages: tuple[str, ...], name: str, install: str) -> str:
    """Return packages with their versions, such as ``"pyscf 2.14.0, dftd3 1.7.0"``, without importing them.

    Parameters
    ----------
    packages
        Names of the distributions.
    name
        Name of the reference that needs them, for the message.
    install
        Installation command, such as ``"pip install tblite"``.

    Raises
    ------
    InputError
        A package is not installed.
    """
    parts = []
    for package in packages:
        try:
            parts.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            raise InputError(f"{name} needs {package}, which is not installed; install it with: {install}") from None
    return ", ".join(parts)


def load(module: str, install: str) -> ModuleType:
    """Import a module of an optional package, with one thread unless the environment sets another number.

    These packages read the number of threads when they are loaded. Two processes with one thread each are faster than
    one process with two threads.

    Raises
    ------
    InputError
        The module cannot be imported.
    """
    os.environ.setdefault("OMP_NUM_THREADS", ONE_THREAD["OMP_NUM_THREADS"])
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{package} cannot be loaded ({one_line(error)}); install it with: {install}") from error
