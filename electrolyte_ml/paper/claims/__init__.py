"""Claims of the paper, each with the function that judges it.

- *Exact* claims are counted from the objects themselves and hold at every scale.
- *Protocols* are judged from the arguments that the paper scale of :mod:`electrolyte_ml.paper.scales` passes to the
  code that fits, runs and labels.
- *Values* and *trends* are judged from stored results at the standard scale and above. At the quick scale the numbers
  are shown but not judged.

Reading order: verdicts, evidence, exact, protocols, solvents, electrolytes, ion_pairs, charges, table,
formats.
"""

from electrolyte_ml.paper.claims.formats import claims_html, format_claims
from electrolyte_ml.paper.claims.table import CLAIMS, judge_claims, judge_shipped_claims
from electrolyte_ml.paper.claims.verdicts import (
    NOT_REPRODUCED,
    NOT_RUN,
    NOT_RUN_AT_SCALE,
    REPRODUCED,
    Claim,
    JudgedClaim,
    Outcome,
)

__all__ = [
    "CLAIMS",
    "NOT_REPRODUCED",
    "NOT_RUN",
    "NOT_RUN_AT_SCALE",
    "REPRODUCED",
    "Claim",
    "JudgedClaim",
    "Outcome",
    "claims_html",
    "format_claims",
    "judge_claims",
    "judge_shipped_claims",
]
