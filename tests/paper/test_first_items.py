"""First items of each stage: inputs, one line where a program is missing, labels, fits and trajectories."""

import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from electrolyte_ml.active_learning.sections import ReferenceSettings
from electrolyte_ml.cli import main
from electrolyte_ml.errors import ElectrolyteError
from electrolyte_ml.executors import use_executor
from electrolyte_ml.paper import reproduce as module
from electrolyte_ml.paper.first_items import first_items, prove_stages
from electrolyte_ml.paper.protocols import label_store
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD

LJ = ReferenceSettings("lj", {"sigma": 1.0, "epsilon": 0.01, "rc": 3.0})


def test_every_stage_with_labels_has_a_first_one():
    assert [first.stage for first in first_items(STANDARD)] == ["pure solvents", "mixtures", "ion pairs", "correction"]
    paper = first_items(PAPER)
    assert [first.stage for first in paper] == ["pure solvents", "mixtures", "ion pairs"]
    assert paper[0].learning.reference == PAPER.reference
    assert paper[2].learning.reference == PAPER.ion_pair_training.learning.reference


def test_without_vasp_the_paper_scale_ends_in_one_line_before_any_notebook(tmp_path, monkeypatch, capsys):
    for name in ("ASE_VASP_COMMAND", "VASP_COMMAND", "VASP_SCRIPT", "VASP_PP_PATH", "ELECTROLYTE_ML_REFERENCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    monkeypatch.setattr("electrolyte_ml.cli.paper._plan", lambda scale: "the plan")
    monkeypatch.setattr(module, "execute", lambda *_, **__: pytest.fail("a notebook was run"))
    assert main(["reproduce", "--scale", "paper"]) == 1
    printed, errors = capsys.readouterr()
    (line,) = errors.splitlines()
    assert line.startswith(
        "error: pure solvents of the paper scale: PBE-D3(0), VASP: the command that runs VASP is not set"
    )
    assert printed.splitlines()[0] == "the plan"
    for stage, encut in (("pure_solvents", 550), ("ion_pairs", 750)):
        folder = tmp_path / "paper" / "first_items" / stage
        assert re.search(rf"ENCUT = {encut}\b", (folder / "INCAR").read_text())
        assert (folder / "POSCAR").exists() and (folder / "KPOINTS").exists()
    assert not (tmp_path / "paper" / "labels").exists()


def test_a_missing_program_is_told_before_any_notebook(tmp_path, monkeypatch, capsys):
    wrong = ReferenceSettings("cp2k-pbe-d3", {"program": "no-such-cp2k"})
    scale = replace(
        STANDARD.with_reference(LJ),
        correction=replace(STANDARD.correction, learning=replace(STANDARD.correction.learning, reference=wrong)),
    )
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    monkeypatch.setattr("electrolyte_ml.paper.scales.scale", lambda name: scale)
    monkeypatch.setattr("electrolyte_ml.cli.paper._plan", lambda scale: "the plan")
    monkeypatch.setattr(module, "execute", lambda *_, **__: pytest.fail("a notebook was run"))
    assert main(["reproduce", "--scale", "standard"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: correction of the standard scale: there is no program 'no-such-cp2k'")


def test_first_labels_are_stored_and_first_fits_run_in_workers(tmp_path, capsys):
    scale = replace(QUICK.with_reference(LJ), results=tmp_path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers, use_executor(workers):
        prove_stages(scale)
    printed = capsys.readouterr().out.splitlines()
    stages = ["pure solvents", "mixtures", "ion pairs"]
    expected = [f"First {item}, {stage}" for item in ("label", "fit and trajectory") for stage in stages]
    assert [line.split(" (")[0] for line in printed] == expected
    assert printed[3].endswith(f"): {QUICK.pure_solvents.learning.model.name}, 248 parameters")
    for first in first_items(scale):
        assert label_store(scale).get(first.configuration, first.reference) is not None


def test_a_failed_label_is_named_with_its_stage(tmp_path):
    scale = replace(
        QUICK.with_reference(ReferenceSettings("command:false {input}.extxyz {output}.extxyz")), results=tmp_path
    )
    with pytest.raises(ElectrolyteError, match=r"first label, pure solvents \(EC=4\): false failed with exit status 1"):
        prove_stages(scale)
