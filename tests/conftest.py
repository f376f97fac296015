"""What every test shares: one thread per kernel, and the data others made where they are present."""

import os
import shutil
import signal
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Commands in the background of a shell ignore SIGINT, under nohup SIGHUP; programs that tests end would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data that others made: never part of the repository, so the test is skipped without it."""
    folder = Path(os.environ.get("ELECTROLYTE_ML_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("others' data are not here (set ELECTROLYTE_ML_SHARED to their folder)")
    return folder


@pytest.fixture(scope="session")
def liquid():
    """Build random liquids: `liquid(n, species, seed, side=, skew=, pbc=)`, no two atoms closer than 0.9 Å."""
    import numpy as np
    from ase import Atoms
    from ase.geometry import get_distances

    def build(n, species=("H", "C", "O"), seed=0, *, side=None, skew=0.0, pbc=True) -> Atoms:
        rng = np.random.default_rng(seed)
        side = side or (12.0 * n) ** (1 / 3)  # Å
        cell = side * (np.eye(3) + skew * rng.uniform(-1, 1, (3, 3)))
        positions = np.zeros((0, 3))
        while len(positions) < n:
            new = rng.uniform(0, 1, 3) @ cell
            if not len(positions) or get_distances(new, positions, cell=cell, pbc=pbc)[1].min() > 0.9:
                positions = np.vstack([positions, new])
        symbols = [species[k % len(species)] for k in range(n)]
        return Atoms(symbols, positions, cell=cell, pbc=pbc)

    return build


@pytest.fixture(scope="session")
def spheres():
    """32 soft spheres, E = sum over ordered pairs of 0.02 (5 Å - r)^2 eV, and their potential.

    A moment tensor potential of level 2: the compiled steps run, and cheaply.
    """
    import numpy as np
    from ase.build import bulk

    from electrolyte_ml.potentials import MomentTensorPotential

    potential = MomentTensorPotential.random(
        2, ("Ar",), radial_basis_size=1, cutoff=5.0, min_distance=0.5, scaling=0.02
    )
    atoms = bulk("Ar", "fcc", 7.2, cubic=True).repeat(2)
    atoms.rattle(0.1, seed=1)
    return atoms, potential.with_parameters(np.array([1.0, 0.0, 1.0]))


@pytest.fixture(scope="session")
def untrained():
    """`untrained(text)`: a `.mtp` file as MLIP's templates are, without any parameters."""

    def strip(text):
        kept, skipping = [], False
        for line in text.splitlines():
            skipping = (skipping or line.strip() == "radial_coeffs") and not line.startswith("alpha_moments_count")
            if not skipping and not line.startswith(("species_coeffs", "moment_coeffs")):
                kept.append(line)
        return "\n".join(kept) + "\n"

    return strip


@pytest.fixture(scope="module")
def on_a_telephone():
    """`on_a_telephone(path, scheme)`: width of a page in a window of 390 px, and what axe finds serious in it."""
    browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    axe = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
    if not axe.is_file():
        pytest.skip("axe-core is absent: npm install axe-core, or name its axe.min.js in AXE_CORE")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with browsers.sync_playwright() as play:
        if chromium is None and not Path(play.chromium.executable_path).exists():
            pytest.skip("there is no Chromium")
        browser = play.chromium.launch(executable_path=chromium)

        def look(path: Path, scheme: str) -> tuple[int, list[str]]:
            page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
            page.goto(path.as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
            page.evaluate(axe.read_text())
            found = page.evaluate("axe.run(document)")["violations"]
            page.close()
            return width, [
                f"{entry['id']}: {node['html']}"
                for entry in found
                if entry["impact"] in ("serious", "critical")
                for node in entry["nodes"]
            ]

        yield look
        browser.close()
