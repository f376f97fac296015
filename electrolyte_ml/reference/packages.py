"""Optional packages that compute labels: their versions, and their import with one thread."""

from __future__ import annotations

import os
from importlib import import_module, metadata
from types import ModuleType

from electrolyte_ml.errors import InputError
from electrolyte_ml.parallel import ONE_THREAD
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
        What to install, such as ``"pip install tblite"``.

    Raises
    ------
    InputError
        If one is not installed.
    """
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            raise InputError(f"{name} needs {package}, which is not here: install it with: {install}") from None
    return ", ".join(found)


def load(module: str, install: str) -> ModuleType:
    """Import a module of an optional package, with one thread unless the environment sets another number.

    Such packages read the number when they are loaded. Two processes of one thread are faster than one process of two.

    Raises
    ------
    InputError
        If it cannot be imported.
    """
    os.environ.setdefault("OMP_NUM_THREADS", ONE_THREAD["OMP_NUM_THREADS"])
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{package} cannot be loaded ({one_line(error)}); install it with: {install}") from error
