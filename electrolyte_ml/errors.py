"""Errors that a user can act on; the command line prints them without a traceback."""


class ElectrolyteError(Exception):
    """Anything this package refuses or fails at, said in one line."""


class InputError(ElectrolyteError, ValueError):
    """The input is at fault: the message names the file, line, atom or setting."""
