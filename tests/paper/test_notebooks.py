"""The form in which notebooks are stored."""

import base64
import subprocess
import sys
from io import BytesIO

import nbformat
import numpy as np
import pytest

from electrolyte_ml.paper.notebooks import KERNEL, main, make_portable

VIEW = "application/vnd.jupyter.widget-view+json"


def notebook(version, times, state):
    """Return one notebook as different machines leave it after a run."""
    slider = nbformat.v4.new_output("display_data", data={VIEW: {"model_id": state}, "text/plain": "a slider"})
    cell = nbformat.v4.new_code_cell(
        "1 + 1", id="a", metadata={"execution": {"shell.execute_reply": times}}, outputs=[slider]
    )
    language = {"name": "python", "version": version, "pygments_lexer": "ipython3"}
    metadata = {"language_info": language, "kernelspec": {"name": "python3", "display_name": version}}
    return nbformat.v4.new_notebook(cells=[cell], metadata={**metadata, "widgets": {"state": state}})


def test_notebooks_of_two_machines_are_stored_alike():
    first, second = notebook("3.11.7", "2026-01-01", "x"), notebook("3.14.0", "2026-01-02", "y")
    for document in (first, second):
        make_portable(document)
    assert first == second
    assert first.metadata.kernelspec == KERNEL
    assert "version" not in first.metadata.language_info
    assert first.cells[0].outputs[0].data == {"text/plain": "a slider"}
    nbformat.validate(first)


def test_a_notebook_that_no_kernel_has_seen_is_stored_like_one_that_was_opened():
    fresh, opened = nbformat.v4.new_notebook(), notebook("3.11.7", "2026-01-01", "x")
    for document in (fresh, opened):
        make_portable(document)
    assert fresh.metadata == opened.metadata


def picture(pixels):
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def stored_picture(encoded):
    document = notebook("3.11.7", "2026-01-01", "x")
    document.cells[0].outputs = [nbformat.v4.new_output("display_data", data={"image/png": encoded})]
    make_portable(document)
    return document.cells[0].outputs[0].data["image/png"]


def test_figures_are_stored_with_a_palette_once():
    """Their colours change by little, and the file becomes smaller."""
    import matplotlib.pyplot as plt
    from PIL import Image

    figure, axes = plt.subplots()
    axes.scatter(*np.random.default_rng(0).random((2, 300)), c=np.linspace(0, 1, 300), cmap="cividis")
    axes.set_xlabel("energy (meV/atom)")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    once = stored_picture(encoded)
    before, after = (
        np.array(Image.open(BytesIO(base64.b64decode(text))).convert("RGB")).astype(int) for text in (encoded, once)
    )
    assert np.abs(after - before).mean() < 0.5 and np.abs(after - before).max() < 48
    assert len(once) < 0.6 * len(encoded)
    assert stored_picture(once) == once


def test_a_picture_that_a_palette_would_enlarge_is_stored_as_it_is():
    red, green = np.indices((256, 256), dtype=np.uint8)
    encoded = picture(np.stack([red, green, np.full_like(red, 90)], axis=-1))
    assert stored_picture(encoded) == encoded


def test_other_pictures_are_stored_as_they_are():
    transparent = np.zeros((4, 4, 4), dtype=np.uint8)
    for encoded in (picture(transparent), "no picture", base64.b64encode(b"no picture").decode()):
        assert stored_picture(encoded) == encoded


def test_a_file_that_has_this_form_is_not_touched(tmp_path, capsys):
    path = tmp_path / "00_first.ipynb"
    nbformat.write(notebook("3.11.7", "2026-01-01", "x"), path)
    main([str(path)])
    assert "00_first.ipynb: stored" in capsys.readouterr().out
    before = path.stat().st_mtime_ns
    main([str(path)])
    assert (path.stat().st_mtime_ns, capsys.readouterr().out) == (before, "")


def test_the_settings_of_the_lab_save_in_this_form(root):
    """The file is read as Jupyter reads it, in a process of its own: it names `c`, which Jupyter gives."""
    pytest.importorskip("traitlets")
    code = (
        "from traitlets.config import PyFileConfigLoader\n"
        f"settings = PyFileConfigLoader('jupyter_server_config.py', path={str(root / '.jupyter')!r}).load_config()\n"
        "content = {'nbformat': 4, 'metadata': {'widgets': 1}, 'cells': []}\n"
        "settings.ContentsManager.pre_save_hook(model={'type': 'notebook', 'content': content}, path='', cm=None)\n"
        "settings.ContentsManager.pre_save_hook(model={'type': 'file', 'content': 'text'}, path='', cm=None)\n"
        "assert 'widgets' not in content['metadata'], content"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
