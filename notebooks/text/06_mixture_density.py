# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -all
#     formats: ipynb,text//py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06  Densities from EC to EMC
#
# **You will learn** whether one potential gives the density of every mixture, how far potentials of one kind differ by their random
# start alone, and how to tell the error of a potential from the error of its reference.
#
# **It rebuilds** section 2.2 of the paper, Fig. 2 (densities at four compositions by four kinds of potential) and Fig. S2
# (density against time).

# %%
from electrolyte_ml import figures
from electrolyte_ml.paper import experiment, scales
from electrolyte_ml.paper.claims.mixtures import kind_means
from electrolyte_ml.paper.mixtures import (
    describe_densities, fit_kinds, learn_mixtures, liquid_of, mixture_density_runs, mixture_training,
)  # fmt: skip
from electrolyte_ml.paper.results import save_result, shipped_result
from electrolyte_ml.structures import parse_composition
from electrolyte_ml.training import evaluate_errors

scale = scales.scale()
protocol = scale.mixture_density
reference = mixture_training(scale).reference.make().name
provenance = {"reference": reference, "scale": scale.name}
print(f"{scale.name} scale, labels by {reference}, everything is kept in results/{scale.name}/")

# %% [markdown]
# ## Four kinds of potential on one training set
#
# The set of notebook 05 was learnt by a moment tensor potential (MTP). The paper trains MTPs of two levels on it, each without and
# with charges (MTP-QRd, notebook 07), from three random starts each.

# %%
learnt = learn_mixtures(scale, progress=False)
potentials = fit_kinds(scale, learnt.training_set, progress=False)
for kind, members in potentials.items():
    for seed, potential in members.items():
        errors = evaluate_errors(potential, learnt.training_set)
        print(f"{kind:10} seed {seed}: {potential.n_parameters} parameters, {errors}")

# %% [markdown]
# ## Run them
#
# A packed box of each ratio is heated at constant volume, then runs in NPT at 300 K and 1 atm. A run ends early when a molecule
# breaks or the temperature runs away; it is then counted as failed, and not averaged. Hydrogens have 3 amu where the time
# step is 2 fs: a density does not depend on masses.

# %%
runs = mixture_density_runs(scale, potentials, progress=False)
own = describe_densities(scale, runs, reference)
save_result("mixture_density", own, scale)
for liquid, kinds in own["runs"].items():
    for kind, members in kinds.items():
        said_of = [f"{run['mean']:.3f} ± {run['error']:.3f}" if "mean" in run else f"failed: {run['failed']}" for run in members.values()]
        print(f"{liquid:12} {kind:10} {'; '.join(said_of)}")

# %% [markdown]
# ## Fig. S2
#
# First look at the runs: a mean means something only where the density no longer drifts.


# %%
def draw(stored, scale_name):
    """Figs. S2 and 2 of a stored result."""
    provenance = {"reference": stored["reference"], "scale": scale_name}
    traces = {
        liquid: {kind: list(members.values()) for kind, members in kinds.items()} for liquid, kinds in stored["traces"].items()
    }
    densities = {
        liquid: {kind: [run["mean"] for run in members.values() if "mean" in run] for kind, members in kinds.items()}
        for liquid, kinds in stored["runs"].items()
    }
    failed = {
        liquid: {kind: sum("failed" in run for run in members.values()) for kind, members in kinds.items()}
        for liquid, kinds in stored["runs"].items()
    }
    return (
        figures.mixture_traces(traces, measured=experiment.DENSITY, **provenance),
        figures.mixture_densities(
            densities, fractions, measured=experiment.DENSITY, functional=experiment.DENSITY_PBE_D3_BJ, failed=failed, **provenance
        ),
    )


counts = {liquid_of(cell): parse_composition(cell) for cell in protocol.density.cells}
fractions = {liquid: count.get("EMC", 0) / sum(count.values()) for liquid, count in counts.items()}
traces, densities = draw(own, scale.name)
traces

# %% [markdown]
# ## Fig. 2
#
# Left the densities, right their deviation from experiment. The diamonds are what PBE-D3(BJ) gives when it is learnt well: a
# potential can be no better than its reference, so a potential of PBE-D3 should lie near them and not near the black line.

# %%
densities

# %% [markdown]
# At the quick scale potentials of level 8 learnt from a few dozen small boxes: the spread over two random starts is as large as
# the differences between the kinds, and nothing can be said about charges. It shows the steps only.
#
# ## The standard scale

# %%
stored = shipped_result("mixture_density", "standard")
figure = None
if stored is None:
    print("No result of the standard scale comes with this version: ELECTROLYTE_ML_SCALE=standard runs it.")
else:
    for liquid, kinds in kind_means(stored).items():
        for kind, (mean, spread, completed, all_) in kinds.items():
            measured, functional = experiment.density(liquid).value, experiment.DENSITY_PBE_D3_BJ[liquid].value
            print(
                f"{liquid:12} {kind:10} {mean:.3f} ± {spread:.3f} g/cm³, {completed} of {all_} runs; "
                f"{mean / measured - 1:+.1%} from experiment, {mean / functional - 1:+.1%} from PBE-D3(BJ)"
            )
    _, figure = draw(stored, "standard")
figure

# %% [markdown]
# ## Exercises
#
# 1. Average only the second half of each window. Which means change by more than their error?
# 2. Which is larger at EMC: the spread over the seeds of one kind, or the difference between the kinds?
# 3. Give one of the potentials twice as many iterations (`fit_kinds` with `FitSettings(iterations=...)` in the scale's
#    `mixture_density`). Say beforehand which error falls: that of forces, of energies, or of the density.
