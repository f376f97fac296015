"""Potentials without parameters: there is nothing in them to fit."""

from __future__ import annotations

from typing import Self

import numpy as np

from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.potential import Potential


class Parameterless(Potential):
    """A potential without parameters, such as a repulsive floor."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """None."""
        return ()

    @property
    def parameters(self) -> np.ndarray:
        """(0,) none."""
        return np.zeros(0)

    def with_parameters(self, parameters: np.ndarray) -> Self:
        """Return the same potential.

        Raises
        ------
        InputError
            If there are parameters.
        """
        self.checked(parameters)
        return self
