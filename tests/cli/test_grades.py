"""The command `grade`."""

import json

import pytest


def test_grade_is_one_inside_and_larger_outside(run, tmp_path, potential, labelled, box):
    grades = json.loads(run("grade", potential, labelled, "--train", labelled, "--json"))["grades"]
    assert len(grades) == 6
    assert max(grades) == pytest.approx(1.0, abs=2e-3)
    outside = json.loads(run("grade", potential, box, "--train", labelled, "--json"))
    assert outside["max"] > 2.0
    assert f"{outside['max']:.4g}" in run("grade", potential, box, "--train", labelled)
