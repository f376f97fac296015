"""Errors and warnings for users, which the command line prints as one line each, without a traceback."""

import re

_LONGEST_WORD, _LONGEST_MESSAGE = 400, 2400  # characters; a path may have some hundreds


class ElectrolyteError(Exception):
    """Base class of the errors of this package; the message is one line, in which long quotations are shortened."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shortened(str(message)))


class InputError(ElectrolyteError, ValueError):
    """Error in the input; the message names the file, line, atom or setting."""


class TrajectoryWarning(UserWarning):
    """Warning that a trajectory ends early, that its molecules change, or that two of its facts disagree."""


class CompositionWarning(UserWarning):
    """Warning that a model is used at a composition for which its training set leaves parameters undetermined."""


def shortened(message: str) -> str:
    """Return a message without the middle of its overlong words, and of itself if it is too long.

    Messages quote input, which may be the whole content of a file in place of a name.
    """
    too_long = rf"\S{{{_LONGEST_WORD + 1},}}"
    message = re.sub(too_long, lambda word: _middle_left_out(word[0], _LONGEST_WORD // 2), message)
    return message if len(message) <= _LONGEST_MESSAGE else _middle_left_out(message, _LONGEST_MESSAGE)


def _middle_left_out(text: str, length: int) -> str:
    """Return the beginning and the end of a text, and between them the number of omitted characters."""
    return f"{text[: length // 2]}… ({len(text) - length} characters) …{text[-(length // 2) :]}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if the message is empty."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
