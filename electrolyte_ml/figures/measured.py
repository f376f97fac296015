"""Interface of measured values in figures."""

from typing import Protocol


class Measured(Protocol):
    """A value in the unit of the figure's axis, and its standard uncertainty, None if it is not known.

    :class:`electrolyte_ml.paper.experiment.Measurement` has this interface.
    """

    @property
    def value(self) -> float:
        """The value."""

    @property
    def error(self) -> float | None:
        """Standard uncertainty of the value."""
