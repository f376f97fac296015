"""Base class of potentials without parameters."""

from __future__ import annotations

from typing import Self

import numpy as np

from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.potential import Potential


class Parameterless(Potential):
    """Potential without parameters, such as a short-range repulsion."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """() because there are no parameters."""
        return ()

    @property
    def parameters(self) -> np.ndarray:
        """(0,) empty array."""
        return np.zeros(0)

    def with_parameters(self, parameters: np.ndarray) -> Self:
        """Return the same potential.

        Raises
        ------
        InputError
            `parameters` is not empty.
        """
        self.checked(parameters)
        return self
