"""The report: one HTML file that says what was reproduced, on what evidence, and holds every executed notebook.

Reading order: sections, claims, notebooks, page.
"""

from electrolyte_ml.paper.report.notebooks import ExecutedNotebook
from electrolyte_ml.paper.report.page import render_report

__all__ = ["ExecutedNotebook", "render_report"]
