"""The report: its structure, what it says of the claims, and how it looks in a browser to those who need help."""

import base64
import re
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from electrolyte_ml import figures
from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN, NOT_RUN_AT_SCALE, REPRODUCED, Outcome
from electrolyte_ml.paper.claims.verdicts import JudgedClaim
from electrolyte_ml.paper.places import checkout
from electrolyte_ml.paper.report import ExecutedNotebook, render_report
from electrolyte_ml.paper.report.claims import sections_of, summarise
from electrolyte_ml.paper.report.sections import PLACES
from electrolyte_ml.paper.scales import QUICK
from electrolyte_ml.progress import PROGRESS

bs4 = pytest.importorskip("bs4")

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + bytes(20)).decode()
ALT = "Density of the pure liquids (Fig. 1a). density at 300 K (g/cm³) from 1 to 1.4. ours: 1.39."
FILE = "file: quick/pure_solvents.json, labels by GFN1-xTB"


def picture(name="density_comparison", alt=ALT, caption="Density of the pure liquids (Fig. 1a). Reference: GFN1-xTB."):
    metadata = {"image/png": {"alt": alt}, "electrolyte_ml": {"figure": name, "caption": caption}} if name else {}
    return new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"}, metadata=metadata)


def shown(html):
    return new_output("display_data", {"text/html": html, "text/plain": "Table"})


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def notebook(name, *cells, failure=None):
    return ExecutedNotebook(name, new_notebook(cells=list(cells)), 12.0, failure)


@pytest.fixture
def notebooks():
    home = Path.home()
    return [
        notebook(
            "04_pure_solvents",
            new_markdown_cell("# 04  Pure solvents\n\n[Claims](90_claims.ipynb), [exercises](#Exercises), [x](x.md)."),
            new_code_cell("import numpy\nprint(1)", outputs=[stream("one line\n")]),
            new_markdown_cell("## Densities\n\n$$\\rho = m / V$$\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
            new_code_cell("draw()", outputs=[picture(), picture(caption="The last one.")]),
            new_code_cell(
                "work()",
                outputs=[
                    stream("\n".join(f"row {k}   {k}" for k in range(30))),
                    stream(f"{home}/some/file.py:1: UserWarning: beware\n", "stderr"),
                    new_output("display_data", {"text/plain": "Fit: 3/3 it, 00:01"}, metadata=PROGRESS),
                    new_output("display_data", {"text/plain": ""}, metadata=PROGRESS),
                    shown("<table><thead><tr><th>n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"),
                ],
            ),
            new_markdown_cell("## Exercises\n\n1. One."),
        ),
        notebook(
            "90_claims",
            new_markdown_cell("# 90  Claims"),
            new_markdown_cell("## Exercises"),
            new_code_cell("table()", outputs=[shown('<table class="claims"><thead></thead></table>')]),
            new_code_cell(
                "fail()", outputs=[new_output("error", ename="ValueError", evalue="no", traceback=[f"{home}/a.py"])]
            ),
            failure="ValueError: no",
        ),
    ]


def judged(outcomes, scale="quick"):
    default = Outcome(NOT_RUN_AT_SCALE)
    return [JudgedClaim(claim, outcomes.get(claim.label, default), scale, "GFN1-xTB") for claim in CLAIMS]


OUTCOMES = {
    "1a": Outcome(REPRODUCED, "383; 651", judged_from=("object: MomentTensorPotential.n_parameters: 383; 651",)),
    "4": Outcome(NOT_REPRODUCED, "EC 1.39 <1>", "EC 1.32", (FILE,), "1σ of 3 seeds: 0.01", "GFN1-xTB"),
    "5": Outcome(NOT_RUN_AT_SCALE, "1.0–1.2 g/cm³ (shown)", judged_from=(FILE,), reference="GFN1-xTB"),
    "28b": Outcome(NOT_RUN, "VASP is missing"),
}
SHIPPED = {"7": Outcome(REPRODUCED, "500 configurations", judged_from=("file: standard/x.json",), reference="PBE")}


@pytest.fixture
def page(notebooks):
    return render_report(notebooks, judged(OUTCOMES), QUICK, 90.0, judged(SHIPPED, "standard"))


@pytest.fixture
def tree(page):
    return bs4.BeautifulSoup(page, "html.parser")


# -- structure --------------------------------------------------------------------------------------------------------


def test_headings_are_in_order(tree):
    levels = [int(heading.name[1]) for heading in tree.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(heading.get_text(strip=True) for heading in tree.find_all(re.compile("^h[1-6]$")))


def test_every_picture_has_an_alternative_text_and_a_caption(tree):
    pictures = tree.find_all("img")
    assert len(pictures) == 2
    for image in pictures:
        assert image["alt"] == ALT and (image["width"], image["height"]) == ("640", "480")
        assert image.find_parent("figure").figcaption.get_text(strip=True).startswith("Fig. 04.")


def test_links_lead_somewhere_and_ids_are_unique(tree):
    ids = [element["id"] for element in tree.find_all(id=True)]
    assert len(ids) == len(set(ids))
    targets = [link["href"] for link in tree.find_all("a")]
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    assert {"#90_claims", "#04_pure_solvents-exercises", "#04_pure_solvents-densities"} <= set(targets)


def test_page_needs_no_other_file(tree):
    assert not tree.find_all(["script", "link", "object", "embed"])
    assert all(image["src"].startswith("data:") for image in tree.find_all("img"))
    assert "url(" not in tree.style.string and "@import" not in tree.style.string


def test_tables_have_a_head(tree):
    tables = tree.find_all("table")
    assert len(tables) > 3
    for table in tables:
        assert table.thead and table.thead.find_all("th")


def test_no_folder_of_this_machine_is_named(page):
    assert str(Path.home()) + "/" not in page and str(checkout()) not in page
    assert "~/some/file.py" in page


def test_code_and_logs_are_folded_and_progress_is_one_line(tree):
    assert not tree.find_all("details", open=True)
    for code in tree.find_all(class_="highlight"):
        assert code.find_parent("details")
    folded = [summary.get_text(strip=True) for summary in tree.select("section.notebook summary")]
    assert {"Code, 2 lines", "Output, 30 lines", "Messages, 1 line"} <= set(folded)
    assert "one line" in [pre.get_text() for pre in tree.find_all("pre") if not pre.find_parent("details")]
    assert [line.get_text() for line in tree.select(".progress")] == ["Fit: 3/3 it, 00:01"]


def test_a_failure_is_named_in_the_summary_and_where_it_happened(tree):
    assert "1 of 2 notebooks did not run to their end" in " ".join(tree.find(id="summary").get_text().split())
    assert "ValueError: no" in tree.find(id="contents").get_text()
    assert "The notebook stopped here: ValueError: no" in tree.find(id="90_claims").get_text()


def test_equations_become_mathml_and_the_table_of_claims_is_not_repeated(tree):
    assert tree.find("mfrac") or tree.find("math")
    assert "at the beginning of this report" in tree.find(id="90_claims").get_text()


def test_a_picture_without_a_description_says_so(notebooks):
    notebooks[0].document.cells[3].outputs[:] = [picture(name=None)]
    page = render_report(notebooks, judged({}), QUICK, 1.0)
    assert bs4.BeautifulSoup(page, "html.parser").img["alt"] == "A picture without a description, under “Densities”"


# -- claims -----------------------------------------------------------------------------------------------------------


def test_each_claim_has_one_row_of_this_run(tree):
    labels = [head.get_text(strip=True) for head in tree.select("table.claims tbody th")]
    assert sorted(labels) == sorted(claim.label for claim in CLAIMS)
    for claim in CLAIMS:
        rows = tree.find(id=f"claim-{claim.label}").find_all("tr")
        assert len(rows) == (2 if claim.label in SHIPPED else 1)


def test_a_row_names_verdict_value_uncertainty_measurement_reference_and_evidence(tree):
    cells = {cell.get("data-label"): cell for cell in tree.find(id="claim-4").find_all("td")}
    texts = {label: " ".join(cell.get_text().split()) for label, cell in cells.items()}
    assert texts["Verdict"] == f"✗ {NOT_REPRODUCED}" and texts["Here"] == "EC 1.39 <1>"
    assert (texts["Uncertainty"], texts["Measured"]) == ("1σ of 3 seeds: 0.01", "EC 1.32")
    assert texts["Scale and reference"] == "quick; GFN1-xTB"
    assert texts["Evidence"] == f"Notebook 04, Fig. 04.2 {FILE}"
    assert [link["href"] for link in cells["Evidence"].find_all("a")] == [
        "#04_pure_solvents",
        "#04_pure_solvents-figure-2",
    ]


def test_no_figure_is_linked_where_nothing_was_computed(tree):
    assert "Fig." not in tree.find(id="claim-9").find_all("td")[-1].get_text()


def test_every_claim_has_a_section_a_notebook_and_figures_that_it_draws():
    assert list(PLACES) == [claim.label for claim in CLAIMS]
    for place in PLACES.values():
        (path,) = (checkout() / "notebooks").glob(f"{place.notebook}_*.ipynb")
        code = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")
        for name in place.figures:
            assert name in figures.__all__ and f"figures.{name}(" in code


def test_summary_counts_what_stands_and_says_why_the_rest_is_open():
    sections = sections_of(judged(OUTCOMES), judged(SHIPPED, "standard"))
    texts = [part.text for part in summarise(sections, "quick")]
    n = len(CLAIMS)
    assert texts[0].endswith(f"{n} parts: 2 reproduced, 1 not reproduced, {n - 3} not judged.")
    labels = {part.text: [row.judged.claim.label for row in part.rows] for part in summarise(sections, "quick")}
    assert any(text.startswith("Of 2 numbers") and found == ["1a"] for text, found in labels.items())
    assert any(text.endswith("stored results, 1 is reproduced") and found == ["7"] for text, found in labels.items())
    assert labels["Not reproduced:"] == ["4"]
    assert any("although numbers are shown" in text and found == ["5"] for text, found in labels.items())
    assert any("missing on this machine" in text and found == ["28b"] for text, found in labels.items())
    assert any(text.startswith(f"{n - 5} are not judged because no result") for text in texts)
    assert any(text.startswith("1 verdict rests on results of the standard") for text in texts)


def test_summary_follows_the_verdicts():
    everything = {claim.label: Outcome(REPRODUCED, judged_from=("object: x",)) for claim in CLAIMS}
    texts = " ".join(part.text for part in summarise(sections_of(judged(everything), None), "quick"))
    assert f"{len(CLAIMS)} reproduced, 0 not reproduced, 0 not judged." in texts
    assert "not judged because" not in texts and "Not reproduced:" not in texts


def test_the_verdict_of_this_run_stands_above_a_shipped_one(notebooks):
    run = {"7": Outcome(NOT_REPRODUCED, "50 configurations", judged_from=(FILE,))}
    sections = sections_of(judged(run), judged(SHIPPED, "standard"))
    (row,) = (row for section in sections for row in section.rows if row.judged.claim.label == "7")
    assert row.judged.outcome.verdict == NOT_REPRODUCED and len(row.results) == 2
    page = render_report(notebooks, judged(run), replace(QUICK, name="quick"), 1.0, judged(SHIPPED, "standard"))
    texts = [row.get_text() for row in bs4.BeautifulSoup(page, "html.parser").find(id="claim-7").find_all("tr")]
    assert "50 configurations" in texts[0] and "500 configurations" in texts[1] and "standard; PBE" in texts[1]


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_fits_a_telephone_and_axe_finds_nothing(tmp_path, page, scheme, on_a_telephone):
    (tmp_path / "report.html").write_text(page)
    assert on_a_telephone(tmp_path / "report.html", scheme) == (390, [])
