"""Wrong bytes in every format that is read: how files are made, damaged and read, and what may come of it."""

from tests.mutations import files, folders, state  # noqa: F401 - they register their formats
from tests.mutations.registry import FORMATS

__all__ = ["FORMATS"]
