"""The form in which notebooks are stored: without what changes from run to run, or from machine to machine.

    python -m electrolyte_ml.paper.notebooks notebooks/*.ipynb

JupyterLab stores them in this form, too, where ``make lab`` has started it (``.jupyter/jupyter_server_config.py``):
saving a notebook in which nothing was changed leaves its file as it was.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from electrolyte_ml.files import atomic_write

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}  # as JupyterLab writes it
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
_WIDGET, _PICTURE = "application/vnd.jupyter.widget-view+json", "image/png"


def make_portable(document: Any) -> None:
    """Remove from a notebook the state of widgets, the times of its cells, and the version of its Python.

    Of each widget the picture or the text that stands for it is kept: without its kernel it is an empty frame. Pictures
    are stored with 256 colours, which takes a third of the space and is not visible in figures.

    Parameters
    ----------
    document : dict or nbformat.NotebookNode
        A notebook of nbformat 4; it is changed.
    """
    metadata = document["metadata"]
    metadata.pop("widgets", None)
    metadata["kernelspec"], metadata["language_info"] = dict(KERNEL), deepcopy(LANGUAGE)
    for cell in document["cells"]:
        cell["metadata"].pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(_WIDGET, None)
            if _PICTURE in data:
                data[_PICTURE] = _with_palette(data[_PICTURE])


def _with_palette(encoded: str) -> str:
    """Return a picture (base64 of a PNG file) with 256 colours, or as it is if that is smaller or cannot be read."""
    from PIL import Image

    try:
        picture = Image.open(BytesIO(base64.b64decode(encoded)))
        if picture.format != "PNG" or picture.mode not in ("RGB", "RGBA"):
            return encoded
        if picture.mode == "RGBA" and np.asarray(picture)[:, :, 3].min() < 255:  # transparent
            return encoded
    except (ValueError, OSError):
        return encoded
    smaller = BytesIO()
    palette = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(smaller, "PNG", optimize=True)
    result = base64.b64encode(smaller.getvalue()).decode()
    return min(result, encoded, key=len)


def main(paths: Sequence[str]) -> None:
    """Store notebooks in this form; files that have it already are not touched."""
    import nbformat

    for path in map(Path, paths):
        before = path.read_text()
        document = nbformat.reads(before, as_version=4)
        make_portable(document)
        after = nbformat.writes(document).rstrip("\n") + "\n"
        if after != before:
            atomic_write(path, after)
            print(f"{path}: stored without times, widgets and versions")


if __name__ == "__main__":
    main(sys.argv[1:])
