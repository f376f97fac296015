"""Settings of the JupyterLab that `make lab` starts: notebooks are saved without what changes from run to run."""

from typing import Any

from electrolyte_ml.paper.notebooks import make_portable


def save_portable(model: dict[str, Any], **others: Any) -> None:
    """Change the model of a notebook before it is written."""
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        make_portable(model["content"])


c.ContentsManager.pre_save_hook = save_portable  # noqa: F821 (c is Jupyter's configuration)
