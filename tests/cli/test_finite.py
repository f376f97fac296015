"""What comes out is finite, or an error names the configuration: potentials with absurd coefficients."""

import json
import re

import pytest


@pytest.fixture
def absurd(potential):
    """Return a function that writes the potential with all moment coefficients equal to a value."""

    def build(value):
        text = potential.read_text()
        count = len(re.search(r"moment_coeffs = \{([^}]*)\}", text)[1].split(","))
        path = potential.with_name(f"absurd_{value}.mtp")
        path.write_text(re.sub(r"moment_coeffs = \{[^}]*\}", f"moment_coeffs = {{{', '.join([value] * count)}}}", text))
        return path

    return build


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e200", "1e160"])
def test_errors_that_overflow_are_refused(run_fails, absurd, labelled, value):
    for options in ((), ("--json",)):
        line = run_fails("evaluate", absurd(value), labelled, *options)
        assert "configuration 1: energy, forces or stress of the potential are not finite" in line


@pytest.mark.parametrize("value", ["1e308", "1e200"])
def test_grades_that_overflow_are_refused(run_fails, absurd, labelled, box, value):
    assert "has no finite dE/dtheta" in run_fails("grade", absurd(value), box, "--train", labelled)


def test_json_of_errors_has_numbers_or_null(run, potential, labelled, tmp_path):
    text = run("evaluate", potential, labelled, "--json")

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(text, parse_constant=refuse)["force_rmse"] < 1e-6
