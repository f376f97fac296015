"""Reading trajectories of any code: frames, molecules and species, ions."""

from importlib import import_module
from typing import Any

_HOME = {  # name -> module, imported on first use
    "IonTrajectory": "ions",
    "read_ions": "ions",
    "Role": "species",
    "Species": "species",
    "Chunk": "trajectory",
    "Trajectory": "trajectory",
    "open_trajectory": "opening",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
