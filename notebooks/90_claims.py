# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 90  Claims
#
# **You will learn** what of the paper holds here: every quantitative claim, with the paper's value, ours, experiment's where
# there is one, and a verdict that code has reached from stored results.
#
# **It rebuilds** nothing new: it reads what the notebooks before have left in `results/`.

# %%
from collections import Counter

from IPython.display import HTML, display

from electrolyte_ml.paper.claims import claims_html, judge_claims
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.results import load_result

scale = scales.scale()
claims = judge_claims(scale)
print(f"{scale.name} scale, labels by {claims[0].reference}")
print("stored results:", "pure_solvents" if load_result("pure_solvents", scale) else "none; run notebook 04 first")

# %% [markdown]
# ## How a claim is judged
#
# There are three kinds. *Exact* claims, counts and formulas, must hold at every scale. *Protocol* claims hold when the paper
# scale of `paper/scales.py` has these very numbers. *Values* and *trends* are physics,
#
# $$|\rho / \rho_\mathrm{exp} - 1| \le 6\,\%, \qquad \sigma_\rho / \rho \le 2\,\%,$$
#
# for instance, and are judged at the standard scale and above. The quick scale runs the same machinery in boxes that are too
# small to judge by: its values are shown, and no verdict is given on them. "Not reproduced" and "not run at this scale" are
# honest verdicts, too.

# %%
display(HTML(claims_html(claims)))

# %%
for verdict, count in Counter(claim.outcome.verdict for claim in claims).most_common():
    print(f"{count:3}  {verdict}")

# %% [markdown]
# ## Exercises
#
# 1. Take a claim that has not been run and say what it would cost: which notebook, how many labels of how many atoms, how
#    many nanoseconds. `scales.PAPER` has the numbers, the README the time of a label.
# 2. Change one number of `scales.PAPER` and run this notebook again. Which row notices?
# 3. Claim 4 averages over three potentials. Write a judge that also counts those whose runs did not reach their end, and
#    find a value at which it should fail.
