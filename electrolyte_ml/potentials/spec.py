"""Specification of a model to fit, for the command line, TOML files, scales and ensembles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential

ChargeForm = Literal["positive", "raw"]
CHARGE_FORMS = get_args(ChargeForm)

_SHORT_NAMES = {"qrd": "QRd"}  # short names of charge models


@dataclass(frozen=True)
class ModelSpec:
    """Settings that define a model, without its species and parameters.

    Attributes
    ----------
    level : int
        Level of the moment tensor potential, even, from 2 to 28.
    cutoff, min_distance : float, Å
    radial_basis_size : int
        Number of Chebyshev polynomials in each radial function.
    scaling : float
        Factor of the radial basis.
    charges : str or None
        Kind of a registered potential that is added as a charge model, such as "qrd".
    charge_form : str or None
        Form of the parameters of the charge model: "positive" (the default) or "raw".
    charge_width : float or None, Å
        Width of Gaussian charges; point charges by default.
    repulsion : str or None
        Kind of a registered potential that is added as a short-range repulsion, such as "zbl".
    on_top_of : str or None
        File of a potential that the model corrects, whose parameters are fixed. In active learning, dynamics with this
        potential give the first configurations.
    """

    level: int = 12
    cutoff: float = 5.0
    min_distance: float = 0.9
    radial_basis_size: int = 8
    scaling: float = 0.01
    charges: str | None = None
    charge_form: ChargeForm | None = None
    charge_width: float | None = None
    repulsion: str | None = None
    on_top_of: str | None = None

    @property
    def name(self) -> str:
        """Short name for figures and tables: "MTP16", or "MTP16-QRd" with charges."""
        base = f"MTP{self.level}"
        return base if self.charges is None else f"{base}-{_SHORT_NAMES.get(self.charges, self.charges)}"

    def fault(self) -> tuple[str, Any, str] | None:
        """Return name, value and error message of the first invalid setting; None if all are valid."""
        from electrolyte_ml.potentials.mtp.basis import MOST_RADIAL, check_level
        from electrolyte_ml.potentials.registry import kind

        try:
            check_level(self.level)
        except InputError as error:
            return "level", self.level, str(error)
        if not 0 < self.cutoff < math.inf:
            return "cutoff", self.cutoff, "must be greater than 0"
        if not 0 <= self.min_distance < self.cutoff:
            return "min_distance", self.min_distance, f"must be below cutoff = {self.cutoff}, and not negative"
        if not 1 <= self.radial_basis_size <= MOST_RADIAL:
            return "radial_basis_size", self.radial_basis_size, f"must be from 1 to {MOST_RADIAL}"
        if not 0 < self.scaling < math.inf:
            return "scaling", self.scaling, "must be greater than 0"
        for name, term in (("charges", self.charges), ("repulsion", self.repulsion)):
            if term is None:
                continue
            try:
                kind(term)
            except InputError as error:
                return name, term, str(error)
        for name, value in (("charge_form", self.charge_form), ("charge_width", self.charge_width)):
            if value is not None and self.charges is None:
                return name, value, 'goes with charges, such as charges = "qrd"'
        if self.charge_form not in (None, *CHARGE_FORMS):
            return "charge_form", self.charge_form, f"must be one of {', '.join(CHARGE_FORMS)}"
        if self.charge_width is not None and not 0 < self.charge_width < math.inf:
            return "charge_width", self.charge_width, "must be greater than 0"
        return None

    def random(self, species: Sequence[str], seed: int = 0) -> Potential:
        """Return a potential with random parameters for the start of a fit.

        Parameters
        ----------
        species
            Chemical symbols in the order of the parameters; a correction has the order of the corrected potential.
        seed
            Seed of the random parameters.

        Raises
        ------
        InputError
            A setting is invalid, or the potential to be corrected is missing or has other species.
        """
        from electrolyte_ml.potentials.fixed import correction_on
        from electrolyte_ml.potentials.registry import kind
        from electrolyte_ml.potentials.sum import total

        if fault := self.fault():
            name, value, text = fault
            raise InputError(f"{name} = {value!r}: {text}")
        base = self.base()
        if base is not None:
            _check_covered(tuple(species), base.species, str(self.on_top_of))
        symbols = tuple(species) if base is None else base.species
        names = [name for name in ("mtp", self.charges, self.repulsion) if name is not None]
        model = total([kind(name).from_spec(self, symbols, seed) for name in names])
        return model if base is None else correction_on(base, model)

    def base(self) -> Potential | None:
        """Return the potential that the model corrects, or None if there is none.

        Raises
        ------
        InputError
            The file is missing or does not contain a potential.
        """
        from electrolyte_ml.potentials.store import load

        return None if self.on_top_of is None else load(self.on_top_of)


def _check_covered(species: tuple[str, ...], known: tuple[str, ...], source: str) -> None:
    """Check that a correction has the same species as the potential in `source`.

    Raises
    ------
    InputError
        A species is missing in the potential or in the correction.
    """
    if unknown := [symbol for symbol in species if symbol not in known]:
        raise InputError(f"{source} has the species {' '.join(known)}: it cannot be corrected for {' '.join(unknown)}")
    if missing := [symbol for symbol in known if symbol not in species]:
        raise InputError(
            f"{source} also has the species {' '.join(missing)}, whose correction no data would fix; label "
            f"configurations that contain {' '.join(missing)}"
        )
