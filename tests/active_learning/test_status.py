"""The status table, as text, HTML and CSV."""

import csv
import json
from dataclasses import replace

from electrolyte_ml.active_learning import IterationStatus, StatusTable

ROWS = [
    IterationStatus(0, 20, 20, 0, 20, None, 1.5, 0.25, 12.0, {"completed": 2}),
    IterationStatus(1, 31, 5, 1, 24, 13.25, 1.25, 0.125, 8.5, {"completed": 1, "grade": 8, "<odd>": 1}),
]


def test_text_has_one_line_per_iteration_under_aligned_headings():
    lines = str(StatusTable(ROWS)).splitlines()
    assert len(lines) == 3
    assert lines[2].split()[:9] == ["1", "31", "5", "1", "24", "13.2", "1.25", "0.125", "8.5"]
    assert lines[2].endswith("8 grade, 1 <odd>, 1 completed")
    assert lines[0].index("saved") + len("saved") == lines[2].index("31") + 2


def test_html_is_escaped():
    html = StatusTable(ROWS)._repr_html_()
    assert html.count("<tr>") == 3
    assert "&lt;odd&gt;" in html


def test_csv_and_json_keep_every_digit():
    read = list(csv.DictReader(StatusTable(ROWS).to_csv().splitlines()))
    assert [row["max_grade"] for row in read] == ["", "13.25"]
    assert read[1]["size"] == "24"
    assert json.loads(StatusTable(ROWS).to_json())[1]["stops"] == {"completed": 1, "grade": 8, "<odd>": 1}


def test_ranks_and_what_is_undetermined_are_shown():
    free = ["the difference C - H of ln s", "the difference O - H of ln s"]
    row = replace(ROWS[1], ranks={"mtp": [57, 61], "qrd": [2, 4]}, undetermined=free)
    lines = str(StatusTable([ROWS[0], row])).splitlines()
    assert "mtp 57/61, qrd 2/4" in lines[2]
    assert lines[3:] == ["The training set does not fix the difference C - H of ln s, the difference O - H of ln s."]
    assert str(StatusTable([row, ROWS[0]])).count("\n") == 2  # the last set leaves nothing undetermined
    assert lines[3] in StatusTable([row])._repr_html_()
    written = next(csv.DictReader(StatusTable([row]).to_csv().splitlines()))
    assert (written["ranks"], written["undetermined"]) == ("mtp 57/61, qrd 2/4", "; ".join(free))
    assert IterationStatus(**json.loads(StatusTable([row]).to_json())[0]) == row


def test_ranks_by_species_and_what_the_seeding_lacks_are_shown():
    text = "The seeding ends before it covers Li."
    row = replace(ROWS[0], species_ranks={"H": [97, 97], "Li": [80, 97]}, shortage=text, undetermined=[])
    table = StatusTable([row, ROWS[1]])
    lines = str(table).splitlines()
    assert "Li 80/97" in lines[1] and "H 97/97" not in lines[1]
    assert "full" in StatusTable.line(replace(row, species_ranks={"H": [97, 97]}))
    assert lines[3:] == [text]
    assert f"<p>{text}</p>" in table._repr_html_()
    written = next(csv.DictReader(table.to_csv().splitlines()))
    assert (written["species_ranks"], written["shortage"]) == ("H 97/97, Li 80/97", text)
    assert IterationStatus(**json.loads(table.to_json())[0]) == row
