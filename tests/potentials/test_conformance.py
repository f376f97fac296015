"""Every registered potential, and sums of them, pass the one conformance suite."""

import pytest

from electrolyte_ml import conformance
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, Sum, correction_on, kind
from electrolyte_ml.potentials.registry import KINDS

SPECIES = ("H", "C", "O")
SMALL = ModelSpec(level=6, cutoff=4.0, radial_basis_size=4, scaling=1e-3)
POTENTIALS = {name: kind(name).from_spec(SMALL, SPECIES, 1) for name in KINDS}
POTENTIALS |= {
    "mtp + zbl": ModelSpec(level=6, cutoff=4.0, radial_basis_size=4, scaling=1e-3, repulsion="zbl").random(SPECIES, 2),
    "mtp + qrd": ModelSpec(level=6, cutoff=4.0, radial_basis_size=4, scaling=1e-3, charges="qrd").random(SPECIES, 3),
    "mtp + mtp": Sum(
        (
            MomentTensorPotential.random(6, SPECIES, cutoff=4.0, scaling=1e-3),
            MomentTensorPotential.random(2, SPECIES, cutoff=3.0, seed=1, scaling=1e-3),
        )
    ),
}
POTENTIALS["mtp on top of mtp + qrd"] = correction_on(
    POTENTIALS["mtp + qrd"].with_reference("GFN1-xTB"),
    MomentTensorPotential.random(4, SPECIES, cutoff=4.5, radial_basis_size=3, seed=4, scaling=1e-3),
)


@pytest.mark.parametrize("promise", conformance.CHECKS, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("name", POTENTIALS)
def test_promise(name, promise):
    promise(POTENTIALS[name])
