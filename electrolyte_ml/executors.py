"""Choice of where the items of all maps are computed: by processes of this machine, or by any executor.

An executor is a `concurrent.futures.Executor`. A new one for the command line is a function without arguments that
returns it, and a line in `FACTORIES`; one of your own is named ``MODULE:FUNCTION``.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from electrolyte_ml.errors import ElectrolyteError, InputError, first_line

VARIABLE = "ELECTROLYTE_ML_EXECUTOR"
LOCAL = "local"
FACTORIES = {
    "slurm": "electrolyte_ml.clusters:slurm",
    "pbs": "electrolyte_ml.clusters:pbs",
    "dask": "electrolyte_ml.clusters:dask",
}

# Starts the executor in use once, and returns it, or None for processes of this machine. It is per thread: threads of
# workers begin without it.
_in_use: ContextVar[Callable[[], Executor | None]] = ContextVar("executor")


@contextmanager
def use_executor(executor: Executor | str) -> Iterator[None]:
    """Send the work of the block to an executor: labels, trajectories, fits, production runs.

    An executor that is named starts with the first map of the block. The number of jobs of functions in the block,
    which counts processes of this machine, has then no effect.

    Parameters
    ----------
    executor
        Any `concurrent.futures.Executor`, which stays open; or a name: ``"local"`` for processes of this machine, as
        without this block, ``"slurm"``, ``"pbs"``, ``"dask"``, or ``"MODULE:FUNCTION"`` for a function without
        arguments that returns an executor. An executor that was named is shut down at the end of the block.

    Raises
    ------
    InputError
        There is no such executor.
    ElectrolyteError
        At the first map: the executor cannot be started.

    Examples
    --------
    >>> from concurrent.futures import ProcessPoolExecutor
    >>> with ProcessPoolExecutor(4) as pool, use_executor(pool):  # doctest: +SKIP
    ...     active_learn("runs/ec")
    """
    with ExitStack() as stack:
        if isinstance(executor, str):
            check_executor(executor)

        @functools.cache
        def start() -> Executor | None:
            return stack.enter_context(_started(executor)) if isinstance(executor, str) else executor

        token = _in_use.set(start)
        try:
            yield
        finally:
            _in_use.reset(token)


class WaitingExecutor(ThreadPoolExecutor):
    """Executor over a library of which ``submit`` returns an object with a blocking method ``result``.

    Threads wait for the results. Dask and submitit are such libraries.

    Parameters
    ----------
    submit
        Function that takes a function with its arguments and returns the object.
    """

    def __init__(self, submit: Callable[..., Any]) -> None:
        super().__init__()
        self._submit = submit

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call, and return the future of its result."""
        return super().submit(self._submit(fn, *args, **kwargs).result)


def current_executor() -> Executor | None:
    """Return the executor in use, ``None`` for processes of this machine.

    It is started by the first call. Outside of all `use_executor` blocks it is the one that the environment variable
    ``ELECTROLYTE_ML_EXECUTOR`` names, which is shut down when this process ends.
    """
    start = _in_use.get(None)
    return _of_environment(os.environ.get(VARIABLE, LOCAL)) if start is None else start()


@functools.cache
def _of_environment(name: str) -> Executor | None:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(_started(name))


@contextmanager
def _started(name: str) -> Iterator[Executor | None]:
    """Start an executor by its name, and shut it down at the end of the block; parameters as for `use_executor`."""
    if name == LOCAL:
        yield None
        return
    with ExitStack() as stack:
        try:
            executor = stack.enter_context(_factory(name)())
        except ElectrolyteError:
            raise
        except Exception as error:
            raise ElectrolyteError(f"the executor {name} cannot be started: {first_line(error)}") from error
        if not isinstance(executor, Executor):
            raise InputError(f"{name} returns a {type(executor).__name__}, not a concurrent.futures.Executor")
        yield executor


def check_executor(name: str) -> None:
    """Raise `InputError` if there is no executor of a name, without starting it."""
    if name != LOCAL:
        _factory(name)


def _factory(name: str) -> Callable[[], AbstractContextManager[Executor]]:
    """Return the function that starts an executor: an `Executor` is a context manager, which returns itself.

    Raises
    ------
    InputError
        There is no such name, module or function.
    """
    module_name, colon, function_name = FACTORIES.get(name, name).partition(":")
    if not (module_name and colon and function_name):
        raise InputError(f"there is no executor {name!r}, but {', '.join((LOCAL, *FACTORIES))} or MODULE:FUNCTION")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # an installed command does not look there by itself
    try:
        return getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"the executor {name} cannot be loaded: {first_line(error)}") from error
