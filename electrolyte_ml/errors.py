"""Errors that a user can act on; the command line prints them without a traceback."""


class ElectrolyteError(Exception):
    """Anything this package refuses or fails at, said in one line."""


class InputError(ElectrolyteError, ValueError):
    """The input is at fault: the message names the file, line, atom or setting."""


def first_line(error: BaseException) -> str:
    """Return what an error of another package says first, or its name if it says nothing."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
