"""Exact claims: numbers of parameters, counted from the potentials."""

from electrolyte_ml.paper.claims.verdicts import NOT_RUN, Outcome, verdict
from electrolyte_ml.paper.scales import Scale
from electrolyte_ml.potentials.spec import ModelSpec

SPECIES = ("H", "C", "O")
CHARGE_MODEL = "qrd"  # kind of the charge redistribution in the registry of potentials


def parameter_counts(scale: Scale) -> Outcome:
    """Count the parameters of moment tensor potentials of levels 16 and 20."""
    counts = [ModelSpec(level=level).random(SPECIES).n_parameters for level in (16, 20)]
    ours = "; ".join(map(str, counts))
    source = f"object: MomentTensorPotential.n_parameters: {ours}"
    return Outcome(verdict(counts == [383, 651]), ours, judged_from=(source,))


def charged_parameter_count(scale: Scale) -> Outcome:
    """Count the parameters of a level-16 potential with charge redistribution, if that kind is registered."""
    from electrolyte_ml.potentials.registry import kind, kinds
    from electrolyte_ml.potentials.sum import total

    if CHARGE_MODEL not in kinds():
        return Outcome(NOT_RUN, "there is no charge model yet")
    spec = ModelSpec(level=16)
    count = total([kind(name).from_spec(spec, SPECIES, 0) for name in ("mtp", CHARGE_MODEL)]).n_parameters
    source = f"object: Sum.n_parameters: {count}"
    return Outcome(verdict(count == 389), str(count), judged_from=(source,))
