"""Execution of the notebooks in order, the verdicts on the claims, and the report of both."""

import asyncio
import html
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.executors import LOCAL, VARIABLE, check_executor
from electrolyte_ml.files import atomic_write
from electrolyte_ml.paper.claims import JudgedClaim, format_claims, judge_claims, judge_shipped_claims
from electrolyte_ml.paper.notebooks import make_portable
from electrolyte_ml.paper.places import checkout, results_root
from electrolyte_ml.paper.report import ExecutedNotebook, render_report
from electrolyte_ml.paper.scales import Scale, scale

# Figures go into the notebook, whatever backend the user's environment names.
_INLINE = "module://matplotlib_inline.backend_inline"


@dataclass(frozen=True)
class Reproduction:
    """Executed notebooks, judged claims, and the file of the report."""

    notebooks: list[ExecutedNotebook]
    claims: list[JudgedClaim]
    report: Path

    @property
    def failed(self) -> list[str]:
        """Names of the notebooks that did not run to their end."""
        return [notebook.name for notebook in self.notebooks if notebook.failure]


def find_notebooks(only: str | None = None) -> list[Path]:
    """Return the notebooks of the source tree, the index first, or those whose names begin with `only`.

    Raises
    ------
    InputError
        Without a source tree, or when no notebook has that number.
    """
    root = checkout()
    if root is None:
        raise InputError("the notebooks come with the source tree: run make reproduce in a clone of it")
    notebooks = sorted((root / "notebooks").glob("index.ipynb")) + sorted(
        (root / "notebooks").glob("[0-9][0-9]_*.ipynb")
    )
    chosen = [path for path in notebooks if only is None or path.stem.startswith(only)]
    if not chosen:
        names = ", ".join(path.stem for path in notebooks) or "none at all"
        raise InputError(f"no notebook's name begins with {only!r}; there are {names}")
    return chosen


def reproduce(scale_name: str | None = None, only: str | None = None, executor: str | None = None) -> Reproduction:
    """Run the notebooks at a scale and write the report, printing a line for each and the claims at the end.

    Labels, potentials and results stay in ``results/<scale>/``, so that a second run computes no label again. If a
    notebook fails, its error is printed and the others still run.

    Parameters
    ----------
    scale_name
        ``"quick"``, ``"standard"`` or ``"paper"``; by default that of the environment, else quick.
    only
        Beginning of the name of the notebook to run, such as ``"04"``; all by default.
    executor
        Name of the executor of labels, fits and runs, as for `use_executor`; by default that of the environment, else
        processes of this machine.

    Raises
    ------
    InputError
        For an unknown scale, notebook or executor, before anything runs.
    """
    chosen = scale(scale_name)
    paths = find_notebooks(only)
    _check_tools()
    where = executor or os.environ.get(VARIABLE, LOCAL)
    check_executor(where)
    print(f"{len(paths)} notebooks at the {chosen.name} scale; labels and results are kept in {chosen.directory}")
    started = time.perf_counter()
    executed = []
    environment = {"ELECTROLYTE_ML_SCALE": chosen.name, "ELECTROLYTE_ML_RESULTS": str(results_root()), VARIABLE: where}
    with _environment(**environment):
        for number, path in enumerate(paths, 1):
            notebook = execute(path, label=f"[{number}/{len(paths)}] {path.stem}")
            executed.append(notebook)
            _save_executed(notebook, chosen)
            verdict = f"FAILED: {notebook.failure}" if notebook.failure else "done"
            print(f"[{number}/{len(paths)}] {path.stem:<30} {notebook.seconds:6.1f} s  {verdict}", flush=True)
    claims, shipped = judge_claims(chosen), judge_shipped_claims()
    report = chosen.directory / "report.html"
    atomic_write(report, render_report(executed, claims, chosen, time.perf_counter() - started, shipped))
    print(f"\n{format_claims(claims, shipped=shipped)}\n")
    result = Reproduction(executed, claims, report)
    if result.failed:
        print(f"{len(result.failed)} of {len(executed)} notebooks failed: {', '.join(result.failed)}")
    print(f"Report: {report}")
    return result


def execute(path: Path, label: str | None = None) -> ExecutedNotebook:
    """Execute a notebook in a kernel of this Python, in the folder of the notebook.

    Parameters
    ----------
    path
        The ``.ipynb`` file, which is not changed.
    label
        Label of the progress line; no progress is shown without one.

    Returns
    -------
    ExecutedNotebook
        With the outputs up to the first error; of widgets, with the text that stands for them.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    document = nbformat.read(path, as_version=4)
    for cell in document.cells:
        if cell.cell_type == "code":  # else outputs of an earlier run would remain behind a failure
            cell.outputs, cell.execution_count = [], None
    cells = sum(cell.cell_type == "code" for cell in document.cells)
    shown = label is not None and sys.stdout.isatty()
    bar = tqdm(total=cells, desc=label, unit="cell", leave=False, disable=not shown, file=sys.stdout)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    class Client(NotebookClient):
        """Show the last line that the running cell printed, and leave signals to this process."""

        async def async_start_new_kernel(self, **options: Any) -> None:
            # The handlers of nbclient only end the kernel: after Ctrl-C the next notebook would begin.
            for number, handler in handlers.items():
                if asyncio.get_running_loop().remove_signal_handler(number):
                    signal.signal(number, handler)
            await super().async_start_new_kernel(**options)

        def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
            if shown and msg["msg_type"] == "stream":
                lines = [line for line in re.split(r"[\r\n]", msg["content"]["text"]) if line.strip()]
                bar.set_postfix_str(lines[-1].strip()[:60] if lines else "")
            return super().output(outs, msg, display_id, cell_index)

        def handle_comm_msg(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
            text = msg["content"]["data"].get("state", {}).get("value")
            if shown and isinstance(text, str):  # of the widget of a progress bar
                bar.set_postfix_str(html.unescape(text).strip()[:60])
            super().handle_comm_msg(outs, msg, cell_index)

    client = Client(
        document,
        timeout=None,
        kernel_name="python3",
        coalesce_streams=True,  # keep the last state of a progress line
        extra_arguments=["--log-level=ERROR"],  # hide the warning of each kernel about its transport
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda **_: bar.update(),
    )
    failure = None
    started = time.perf_counter()
    try:
        with _environment(MPLBACKEND=_INLINE):
            client.execute()
    except CellExecutionError as error:
        failure = f"{error.ename}: {error.evalue}".splitlines()[0][:300]
    except Exception as error:  # the kernel died, no port was free, ...: continue with the other notebooks
        failure = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    finally:
        bar.close()
    make_portable(document)
    return ExecutedNotebook(path.stem, document, time.perf_counter() - started, failure)


def _save_executed(notebook: ExecutedNotebook, at: Scale) -> None:
    import nbformat

    atomic_write(at.directory / "notebooks" / f"{notebook.name}.ipynb", nbformat.writes(notebook.document) + "\n")


def _check_tools() -> None:
    try:
        import latex2mathml  # noqa: F401
        import nbclient  # noqa: F401
        import nbconvert  # noqa: F401
    except ImportError as error:
        raise ElectrolyteError(
            f"{error.name} is needed to run the notebooks: pip install '.[notebooks]' in the source tree"
        ) from None


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables within the block; kernels inherit them."""
    old = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
