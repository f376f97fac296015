"""Scales are chosen by name, by the environment, and by nothing else."""

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import scales
from electrolyte_ml.paper.protocols import reference_of
from electrolyte_ml.structures import parse_composition


def test_quick_is_the_default(monkeypatch):
    monkeypatch.delenv("ELECTROLYTE_ML_SCALE", raising=False)
    assert scales.scale() is scales.QUICK


def test_environment_chooses_and_the_argument_overrides(monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_SCALE", "standard")
    assert scales.scale() is scales.STANDARD
    assert scales.scale("paper") is scales.PAPER


def test_unknown_scale_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="quick, standard, paper"):
        scales.scale("huge")


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path / "elsewhere"))
    assert scales.QUICK.directory == tmp_path / "elsewhere" / "quick"


@pytest.mark.parametrize("name", scales.SCALES)
def test_every_cell_is_a_composition(name):
    scale = scales.scale(name)
    cells = [scale.tour.cell, *scale.pure_solvents.cells, *scale.pure_solvents.larger_cells]
    cells += scale.pure_solvents.density.cells
    cells += scale.electrolyte.density.cells
    if scale.conductivity:
        cells += scale.conductivity.cells
    if scale.mixture_density:
        cells += scale.mixture_density.density.cells
    if scale.ion_pair_training:
        training = scale.ion_pair_training
        cells += [*training.cells, training.rdf_cell]
        assert len(training.cells) == len(training.densities)
    for cell in cells:
        assert sum(parse_composition(cell).values()) > 0


def test_another_reference_is_taken_for_everything_that_is_labelled(monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_REFERENCE", "gfn2-xtb")
    scale = scales.scale("paper")
    named = [scale.reference, scale.mixture_training.learning.reference, scale.ion_pair_training.learning.reference]
    assert [(one.name, one.settings) for one in named] == [("gfn2-xtb", {})] * 3
    assert reference_of(scale).name == "GFN2-xTB"
    assert scale.charges.reference.make().name == "GFN1-xTB"  # of droplets and dipoles
    assert scales.PAPER.reference.name == "vasp-pbe-d3"


def test_results_of_a_source_tree_are_in_it(monkeypatch, root):
    monkeypatch.delenv("ELECTROLYTE_ML_RESULTS", raising=False)
    assert scales.QUICK.directory == root / "results" / "quick"
