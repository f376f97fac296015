"""Errors that a user can act on; the command line prints them without a traceback."""


class ElectrolyteError(Exception):
    """Base of the errors that this package raises; the message is one line."""


class InputError(ElectrolyteError, ValueError):
    """The input is at fault: the message names the file, line, atom or setting."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if the message is empty."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
