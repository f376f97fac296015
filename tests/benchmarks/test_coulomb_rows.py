"""The rows of the Coulomb sum: errors of the forces, and why there is no peer."""

import numpy as np
import pytest

from electrolyte_ml._benchmarks import cases, coulomb, openmm_peer
from electrolyte_ml._benchmarks.contest import KERNEL, OURS
from electrolyte_ml.potentials.coulomb import Ewald, ParticleMesh


@pytest.fixture(scope="module")
def box():
    return cases.solution(286)


def test_boxes_are_whole_molecules_and_neutral():
    for n, atoms in ((1, 143), (300, 286), (2000, 2002)):
        assert len(cases.solution(n)) == atoms
    model = cases.charge_model()
    charges = model.type_charges({"H": 68, "C": 37, "O": 30, "Li": 1, "P": 1, "F": 6})
    assert all(abs(charges[symbol] - cases.CHARGES[symbol]) < 0.05 for symbol in charges)


def test_errors_are_those_of_the_accuracy_of_the_mesh(box):
    found = {contest.code: contest for contest in coulomb.contests(box)}
    assert list(found)[:2] == [OURS, KERNEL]
    assert ParticleMesh.accuracy / 10 < found[OURS].error == found[KERNEL].error < ParticleMesh.accuracy
    for contest in found.values():
        contest.call()


def test_forces_of_the_peer(box):
    pytest.importorskip("openmm", reason="OpenMM, the peer of the Coulomb sums, is not installed")
    model = cases.charge_model()
    geometry = model.geometry(box)
    charges = model.charges(geometry)
    exact = Ewald().solve(geometry, charges).forces
    error = np.sqrt(((openmm_peer.coulomb_forces(box, charges) - exact) ** 2).sum(1).mean())
    assert error < ParticleMesh.accuracy < 1e-2 * np.sqrt((exact**2).sum(1).mean())
    assert openmm_peer.coulomb_call(box, charges)().wall > 0


def test_the_row_says_why_there_is_no_peer(box, monkeypatch):
    assert "too small" in openmm_peer.hindrance(cases.solution(143)) or not openmm_peer.find_spec("openmm")
    monkeypatch.setattr(openmm_peer, "find_spec", lambda name: None)
    contests = list(coulomb.contests(box))
    assert [contest.note is None for contest in contests] == [False, True]
    assert "OpenMM is not installed (the extra `crosscheck`)" in contests[0].note
