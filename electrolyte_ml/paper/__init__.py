"""What belongs to the paper that the notebooks rebuild.

Scales and their protocols, measured values, stored results, claims with verdicts, and the runner of the
notebooks.
"""
