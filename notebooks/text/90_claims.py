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
# # 90  Claims
#
# **You will learn** which claims of the paper hold here. Each has the paper's value, ours, the measured one where there
# is one, a verdict that the package computes, and the evidence for the verdict.
#
# **It rebuilds** nothing new: it reads the results that the other notebooks have stored in `results/`.

# %%
from collections import Counter

from IPython.display import HTML, display

from electrolyte_ml.paper.claims import claims_html, judge_claims, judge_shipped_claims
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.results import load_result

scale = scales.scale()
claims, shipped = judge_claims(scale), judge_shipped_claims()
print(f"{scale.name} scale, labels by {claims[0].reference}")
print("pure_solvents:", "stored" if load_result("pure_solvents", scale) else "not stored; run notebook 04 first")

# %% [markdown]
# ## How a claim is judged
#
# There are four kinds of claims.
#
# - *Exact* claims must hold at every scale. The object itself is counted, for instance the parameters of a potential.
# - *Figures* and *tables* are judged by what they show, see the column *ours*; a figure of which the paper states no
#   number is reproduced if its results are there to be drawn.
# - *Protocols* are judged from the numbers that the paper scale of `paper/scales.py` hands to the code: to the fit, to
#   the dynamics, to the monitors, and into the input files of the reference.
# - *Values* and *trends* are physics, for instance $|\rho / \rho_\mathrm{exp} - 1| \le 6\,\%$ and
#   $\sigma_\rho / \rho \le 2\,\%$. They are judged from results stored at the standard scale or above. The boxes of the
#   quick scale are too small: their values are shown and not judged.
#
# The verdicts are
#
# - **reproduced** and **not reproduced**: the claim was judged, and the column *judged from* names the stored result,
#   object or function;
# - **not run at this scale**: no result that can be judged is stored at this scale;
# - **not run**: a part of the protocol, or the reference, is missing on this machine.
#
# The last two columns give the verdicts of the standard scale, judged from the results that come with the package.
#
# A claim whose parts rest on different evidence has a row for each part, with a letter.

# %%
display(HTML(claims_html(claims, shipped=shipped)))

# %%
for verdict, count in Counter(claim.outcome.verdict for claim in claims).most_common():
    print(f"{count:3}  {verdict}")

# %% [markdown]
# ## Exercises
#
# **1.** What would it take to run the claims of the paper scale that have not been run? Count the labels and the
# nanoseconds of each stage, and estimate the hours of the labels by PBE-D3(0).
#
# <details><summary>Hint</summary>
#
# `electrolyte_ml.paper.plan.plan(scale, speed)` counts labels, fits and nanoseconds. The README (section "What labels
# the data") has the time of one label by each reference: about 2.5 minutes for 43 atoms by `cp2k-pbe-d3`.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# from electrolyte_ml.paper.plan import Speed, plan
#
# any_speed = Speed(step=lambda model: 0.0, gradient=lambda model: 0.0)  # hours of fits and dynamics are not asked for
# for stage in plan(scales.PAPER, any_speed):
#     print(f"{stage.name:20} {stage.labels:6} labels, {stage.fits:4} fits, {stage.time_ns:7.1f} ns; "
#           f"{2.5 * stage.labels / 60:6.0f} hours of labels of 43 atoms")
# ```
#
# The hours are too few: most cells of the paper have 100 to 286 atoms, and the time of a label grows faster than the
# number of atoms. (The stage "mixtures, errors" is an exception, since most of its labels are of single molecules.)
# `electrolyte-ml reproduce --plan --scale paper` measures the speed of your machine and adds the hours of fits and
# dynamics.
#
# </details>
#
# **2.** Change a number of the paper scale and judge the claims again. Which verdicts change? Find a number that
# changes none.
#
# <details><summary>Hint</summary>
#
# `scales.PAPER` is a tree of frozen dataclasses: `dataclasses.replace`, level by level. `judge_claims` takes a scale.
#
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# from dataclasses import replace
#
# pure = scales.PAPER.pure_solvents
# changed = {
#     "force weight 0.02": replace(pure, learning=replace(pure.learning, fit=replace(pure.learning.fit, force_weight=0.02))),
#     "refits of 900 iterations": replace(pure, learning=replace(pure.learning, fit=replace(pure.learning.fit, refit_iterations=900))),
# }
# before = judge_claims(scales.PAPER)
# for name, solvents in changed.items():
#     after = judge_claims(replace(scales.PAPER, pure_solvents=solvents))
#     moved = [new.claim.label for old, new in zip(before, after) if old.outcome.verdict != new.outcome.verdict]
#     print(f"{name}: {', '.join(moved) or 'no verdict changes'}")
# ```
#
# A protocol is judged by the numbers that the paper states. The paper does not say how many iterations a refit takes,
# so that no claim depends on it.
#
# </details>
#
# **3.** *Open.* Claim 4 averages the density over three potentials. Runs that did not reach their end are not in the
# mean. Write a judge that counts them, too, and choose the number of failed runs above which it fails.
#
# <details><summary>Hint</summary>
#
# `load_result("pure_solvents", scale)` holds the runs of each potential. A judge is a function from a scale to an
# `Outcome` (`electrolyte_ml.paper.claims`).
#
# </details>
#
# <details><summary>What to look for</summary>
#
# A run that broke says that the potential met something it does not know. If the liquids with the largest density
# fluctuations break first, the mean over the others is biased. Choose the number before you look at the result.
#
# </details>
