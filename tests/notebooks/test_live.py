"""The notebooks in JupyterLab, driven by a browser: they run, sliders move figures, views turn, saving changes no file.

Needs playwright (``pip install playwright``) and Chromium, neither of which is among the requirements; without them
these tests are skipped. ``make test-browser`` runs them alone. Labels are computed in a temporary folder, unless
ELECTROLYTE_ML_RESULTS names one that has them.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from electrolyte_ml.paper.notebooks import make_portable
from electrolyte_ml.paper.places import checkout

ROOT = checkout()
LIVE = ("02_fitting", "03_active_learning", "07_charge_redistribution", "12_ionic_conductivity", "13_solvation_networks")
MINUTES = float(os.environ.get("BROWSER_MINUTES", "10"))  # at most, for one notebook; its slowest cell computes labels
SMALL = """\
from IPython.display import display
from electrolyte_ml import figures
from electrolyte_ml.analysis import OrnsteinUhlenbeckIons
from electrolyte_ml.structures import molecule

ions = OrnsteinUhlenbeckIons(counts=(2, 2))
currents = [ions.sample(20.0, 0.1, seed=k).current() for k in range(2)]
display(figures.view(molecule("EC")))
figures.plateau_sliders(
    currents, 0.1, ions.volume, ions.temperature, window_ps=(2.0, 4.0), reference="none", scale="quick"
)"""

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


def git(folder, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the notebooks in a repository of its own."""
    copy = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", copy, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (copy / ".gitignore").write_text(".ipynb_checkpoints/\n")
    small = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SMALL)])
    make_portable(small)
    nbformat.write(small, copy / "small.ipynb")
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "as shipped")
    return copy


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    """The address of a JupyterLab with the settings of `make lab`, those of the user left out."""
    own = tmp_path_factory.mktemp("jupyter")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter"),
        **{f"JUPYTER_{name}_DIR": str(own / name) for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "ELECTROLYTE_ML_RESULTS": os.environ.get("ELECTROLYTE_ML_RESULTS", str(own / "results")),
        "ELECTROLYTE_ML_SCALE": "quick",
    }
    environment.pop("MPLBACKEND", None)  # a kernel draws into the notebook
    command = [
        sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = own / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


class Lab:
    """One notebook in JupyterLab.

    Attributes
    ----------
    page : playwright page
    outside : list of str
        Addresses outside of this machine that were asked for, in vain.
    """

    def __init__(self, page, address):
        self.page, self.address, self.outside = page, address, []
        page.set_default_timeout(60_000 * MINUTES)
        page.route("**/*", self._route)

    def _route(self, route):
        if route.request.url.startswith(("http://127.0.0.1", "blob:", "data:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self, name):
        """Open a notebook and wait until its kernel has told Lab its language."""
        self.page.goto(f"{self.address}/lab/tree/{name}.ipynb?reset")
        self.page.wait_for_function(
            """name => {
                const panel = window.jupyterapp?.shell.currentWidget;
                return panel?.context?.path === name && panel.context.isReady && panel.content.widgets.length > 0
                    && panel.sessionContext?.session?.kernel?.status === 'idle';
            }""",
            arg=f"{name}.ipynb",
        )
        self.page.wait_for_timeout(1000)

    def run_all(self):
        """Run every cell; return the notebook as Lab has it."""
        self.page.evaluate(
            """() => { window.done = false;
                window.jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { window.done = true; }); }"""
        )
        self.page.wait_for_function("window.done", timeout=60_000 * MINUTES)
        return self.notebook()

    def notebook(self):
        return self.page.evaluate("window.jupyterapp.shell.currentWidget.content.model.toJSON()")

    def save(self):
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def cell(self, number):
        """Scroll to a cell, so that it is drawn, and return it."""
        self.page.evaluate(
            """async number => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = number;
                await notebook.scrollToItem(number, 'start');
            }""",
            number,
        )
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{number}']")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        program = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def lab(browser, server):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield Lab(page, server)
    page.close()


def cells_with(notebook, mime):
    """Numbers of the cells of which an output has this type."""
    return [
        number
        for number, cell in enumerate(notebook["cells"])
        if any(mime in output.get("data", {}) for output in cell.get("outputs", []))
    ]


@pytest.mark.parametrize("name", ["index", "04_pure_solvents", "13_solvation_networks"])
def test_saving_what_was_only_opened_changes_no_file(lab, folder, name):
    lab.open(name)
    before = (folder / f"{name}.ipynb").stat().st_mtime_ns
    lab.save()
    for _ in range(300):
        if (folder / f"{name}.ipynb").stat().st_mtime_ns != before:
            break
        lab.page.wait_for_timeout(100)
    assert (folder / f"{name}.ipynb").stat().st_mtime_ns != before, "the notebook was not saved"
    lab.page.wait_for_timeout(1000)  # its text twin is saved after it
    assert git(folder, "status", "--short") == ""
    assert not lab.outside


def test_links_of_the_index_open_notebooks(lab):
    lab.open("index")
    lab.page.locator(".jp-RenderedMarkdown a", has_text="13 Solvation").first.click()
    lab.page.wait_for_function("window.jupyterapp.shell.currentWidget?.context?.path === '13_solvation_networks.ipynb'")


@pytest.mark.notebooks
@pytest.mark.parametrize("name", ["small", "00_quickstart", *LIVE, "20_your_electrolyte"])
def test_notebook_runs_and_every_slider_moves_its_figure(lab, folder, name):
    lab.open(name)
    notebook = lab.run_all()
    errors = [output for cell in notebook["cells"] for output in cell.get("outputs", []) if output["output_type"] == "error"]
    assert not errors, errors[0]
    live = cells_with(notebook, "application/vnd.jupyter.widget-view+json")
    live = [n for n in live if "_sliders(" in notebook["cells"][n]["source"]]
    assert live or name not in LIVE
    for number in live:
        cell = lab.cell(number)
        picture, handle = cell.locator(".widget-image").first, cell.locator(".noUi-handle").first
        before = pixels(picture)
        handle.focus()
        handle.press("ArrowLeft")
        handle.press("ArrowLeft")
        for _ in range(600):
            if pixels(picture) != before:
                break
            lab.page.wait_for_timeout(200)
        assert pixels(picture) != before, notebook["cells"][number]["source"]
    for number in cells_with(notebook, "text/html"):
        frame = lab.cell(number).locator("iframe").first
        if frame.count():
            turn(lab.page, frame)
    assert not lab.outside
    lab.save()
    lab.page.wait_for_timeout(2000)
    stored = json.loads((folder / f"{name}.ipynb").read_text())
    assert "widgets" not in stored["metadata"] and "version" not in stored["metadata"]["language_info"]
    if name != "small":
        assert git(folder, "status", "--short", "--", "text") == ""  # outputs are new, texts are not
    git(folder, "checkout", "--quiet", ".")
    git(folder, "clean", "--quiet", "--force")


def pixels(image):
    """The bytes of a picture, as numbers."""
    return image.evaluate("async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))")


def turn(page, frame):
    """Drag the molecules of a view, and look at them before and after."""
    inside = frame.element_handle().content_frame()
    canvas = inside.wait_for_selector("canvas")
    seen = "document.querySelector('canvas').toDataURL()"
    before = inside.evaluate(seen)
    frame.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 190, steps=3)
    page.mouse.up()
    assert inside.evaluate(seen) != before
