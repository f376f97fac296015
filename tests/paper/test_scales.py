"""Scales are chosen by name, by the environment, and by nothing else."""

import pytest

from electrolyte_ml import settings
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import parse_composition


def test_quick_is_the_default(monkeypatch):
    monkeypatch.delenv("ELECTROLYTE_ML_SCALE", raising=False)
    assert settings.scale() is settings.QUICK


def test_environment_chooses_and_the_argument_overrides(monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_SCALE", "standard")
    assert settings.scale() is settings.STANDARD
    assert settings.scale("paper") is settings.PAPER


def test_unknown_scale_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="quick, standard, paper"):
        settings.scale("huge")


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path / "elsewhere"))
    assert settings.QUICK.directory == tmp_path / "elsewhere" / "quick"


@pytest.mark.parametrize("name", settings.SCALES)
def test_every_cell_is_a_composition(name):
    scale = settings.scale(name)
    cells = [*scale.pure_solvents.cells, *scale.pure_solvents.density.cells]
    if scale.conductivity:
        cells += scale.conductivity.cells
    if scale.mixture_density:
        cells += scale.mixture_density.density.cells
    if scale.ion_pair_training:
        training = scale.ion_pair_training
        cells += [training.pair_cell, training.aggregate_cell, training.rdf_cell]
    for cell in cells:
        assert sum(parse_composition(cell).values()) > 0
