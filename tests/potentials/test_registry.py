"""Kinds of potentials by name."""

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, Potential, kind, kinds, register, registry
from electrolyte_ml.potentials.pairwise import ZBL


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Nothing that a test registers outlives it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def made(name, qualified="Made"):
    """A class of potentials of this kind."""
    return type(qualified, (Potential,), {"kind": name, "__qualname__": qualified})


def test_what_is_there():
    assert kind("mtp") is MomentTensorPotential and kind("zbl") is ZBL
    assert set(kinds()) >= {"mtp", "zbl", "qrd", "fixed"}


def test_registered_by_a_decorator():
    model = register(made("spring"))
    assert kind("spring") is model and "spring" in kinds()


@pytest.mark.parametrize("name", ["mtp", "zbl"])
def test_a_name_of_the_package_is_taken(name):
    with pytest.raises(InputError, match=f"another kind of potential named '{name}'"):
        register(made(name))
    assert kind(name) in (MomentTensorPotential, ZBL)


def test_a_registered_name_is_taken_by_other_classes_only():
    """A class that is defined again, as a notebook does, takes its own place."""
    first = register(made("spring"))
    with pytest.raises(InputError, match="another kind of potential named 'spring'"):
        register(made("spring", "Other"))
    assert kind("spring") is first
    again = register(made("spring"))
    assert kind("spring") is again and kinds().count("spring") == 1


def test_a_kind_of_an_installed_package(monkeypatch):
    monkeypatch.setattr(registry, "_installed", lambda: {"zbl2": EntryPoint("zbl2", f"{__name__}:Installed", "")})
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, SimpleNamespace(Installed=Installed)))
    assert "zbl2" in kinds() and kind("zbl2") is Installed


class Installed(ZBL):
    """A class that an entry point names."""

    kind = "zbl2"


def test_unknown_names():
    register(made("spring"))
    with pytest.raises(InputError, match="unknown kind of potential 'zlb': did you mean 'zbl'"):
        kind("zlb")
    with pytest.raises(InputError, match="unknown kind of potential 'sprung': did you mean 'spring'"):
        kind("sprung")
    with pytest.raises(InputError, match="unknown kind of potential 'coulomb': there are mtp, zbl, .*spring"):
        kind("coulomb")
