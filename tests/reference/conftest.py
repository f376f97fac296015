"""A tiny reference that counts how often it is asked: springs to the origin, as a command."""

import sys
import textwrap

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import reference


@pytest.fixture
def spring(tmp_path):
    """Make `spring(extra)`: a command reference whose program first runs `extra`, and the file where it counts."""
    folder = tmp_path / "program"
    folder.mkdir()
    log = folder / "log"

    def make(extra="", **settings):
        # Plain Python without imports that take time; the energy is sum(r^2)/2, so that forces are -r.
        (folder / "spring.py").write_text(
            textwrap.dedent(
                """
                import os, sys, time
                lines = open(sys.argv[1]).read().splitlines()
                n = int(lines[0])
                rows = [line.split() for line in lines[2:2 + n]]
                r = [[float(x) for x in row[1:4]] for row in rows]
                with open({log!r}, "a") as stream:
                    stream.write(f"{{os.getpid()}} {{r[0][0]}}\\n")
                energy = sum(x * x for row in r for x in row) / 2
                {extra}
                lattice = [word for word in lines[1].split('"') if word.count(" ") == 8]
                cell = f'Lattice="{{lattice[0]}}" pbc="T T T" ' if lattice else ""
                with open(sys.argv[2], "w") as stream:
                    stream.write(f"{{n}}\\n{{cell}}Properties=species:S:1:pos:R:3:forces:R:3 energy={{energy!r}}\\n")
                    for row, x in zip(rows, r):
                        stream.write(" ".join([row[0]] + [repr(v) for v in x] + [repr(-v) for v in x]) + "\\n")
                """
            ).format(log=str(log), extra=extra)
        )
        return reference.get(make.command, name="springs", **settings)

    make.command = f"command:{sys.executable} -S {folder / 'spring.py'} {{input}}.extxyz {{output}}.extxyz"
    make.log = log
    make.calls = lambda: log.read_text().splitlines() if log.exists() else []
    return make


@pytest.fixture
def pairs():
    """Ten pairs of atoms that differ in one distance; around the origin, so that forces to it sum to zero."""
    return [Atoms("CO", [[0.1 * i, 0, -0.75], [-0.1 * i, 0, 0.75]]) for i in range(1, 11)]


@pytest.fixture
def spring_energy():
    return lambda atoms: 0.5 * np.sum(atoms.positions**2)
