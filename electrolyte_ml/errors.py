"""Errors and warnings that a user can act on; the command line prints each as one line, without a traceback."""

import re

_LONGEST_WORD, _LONGEST_MESSAGE = 400, 2400  # characters; a path may have some hundreds


class ElectrolyteError(Exception):
    """Base of the errors that this package raises; the message is one line, with long words of the user shortened."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shortened(str(message)))


class InputError(ElectrolyteError, ValueError):
    """The input is at fault: the message names the file, line, atom or setting."""


class TrajectoryWarning(UserWarning):
    """A trajectory is not what was asked for: it ends early, its molecules change, or two of its facts disagree."""


class CompositionWarning(UserWarning):
    """A model is used at a composition for which its training set does not fix all that it needs."""


def shortened(message: str) -> str:
    """Return a message in which neither a word nor the whole is so long that nobody can read it.

    Messages quote what a user has written, and that may be a file's content where a name was meant.
    """
    too_long = rf"\S{{{_LONGEST_WORD + 1},}}"
    message = re.sub(too_long, lambda word: _middle_left_out(word[0], _LONGEST_WORD // 2), message)
    return message if len(message) <= _LONGEST_MESSAGE else _middle_left_out(message, _LONGEST_MESSAGE)


def _middle_left_out(text: str, length: int) -> str:
    """Return the beginning and the end of a text, and between them how much is left out."""
    return f"{text[: length // 2]}… ({len(text) - length} characters) …{text[-(length // 2) :]}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if the message is empty."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
