"""What a figure needs of a measured value."""

from typing import Protocol


class Measured(Protocol):
    """A value in the unit of the figure's axis, and its standard uncertainty, None where it is not known.

    :class:`electrolyte_ml.paper.experiment.Measurement` is one.
    """

    @property
    def value(self) -> float:
        """The value."""

    @property
    def error(self) -> float | None:
        """One standard uncertainty."""
