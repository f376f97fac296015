import importlib.util
import sys

import pytest


@pytest.fixture(scope="session")
def script(root):
    """`script(name)`: import a script of the folder `benchmarks`."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", root / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
