"""Errors and warnings that a user can act on; the command line prints each as one line, without a traceback."""


class ElectrolyteError(Exception):
    """Base of the errors that this package raises; the message is one line."""


class InputError(ElectrolyteError, ValueError):
    """The input is at fault: the message names the file, line, atom or setting."""


class TrajectoryWarning(UserWarning):
    """A trajectory is not what was asked for: it ends early, its molecules change, or two of its facts disagree."""


class CompositionWarning(UserWarning):
    """A model is used at a composition for which its training set does not fix all that it needs."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if the message is empty."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
