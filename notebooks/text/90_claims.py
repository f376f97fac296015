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
# **You will learn** which claims of the paper hold here: each with the paper's value, ours, the measured one where there is
# one, a verdict that code computes, and what the verdict is judged from.
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
# There are three kinds of claim.
#
# - *Exact* claims must hold at every scale. The object itself counts: a potential its own parameters.
# - *Protocols* are judged from the numbers that the paper scale of `paper/scales.py` hands to the code: to the fit, to the
#   dynamics, to the monitors, and into the input files of the reference.
# - *Values* and *trends* are physics, for instance
#   $|\rho / \rho_\mathrm{exp} - 1| \le 6\,\%$ and $\sigma_\rho / \rho \le 2\,\%$. They are judged from results stored at the
#   standard scale or above. The boxes of the quick scale are too small: their values are marked "shown at the quick scale"
#   and not judged.
#
# The verdicts are
#
# - **reproduced** and **not reproduced**: judged, and the last column names the stored result, object or function;
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
# 1. Take a claim that has not been run and estimate its cost: which notebook, how many labels of how many atoms, how
#    many nanoseconds. `scales.PAPER` holds the numbers, the README the time of a label.
# 2. Change one number of `scales.PAPER` and run this notebook again. Which verdict changes, and which number changes none?
# 3. Claim 4 averages over three potentials. Write a judge that also counts the runs that did not reach their end, and
#    choose the number at which it fails.
