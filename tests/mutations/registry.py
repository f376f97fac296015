"""Formats by name, and the damage that is done to their files."""

import re

import numpy as np

WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"1e999",
    b"1e308",
    b"-7.5",
    b"9" * 12,
    b"9" * 400,
    b"abc",
    b"",
    b"2.5",
    b'"',
    b"]",
    b"\xff",
]
FORMATS = {}


def format_of(name, text=True):
    """Register a format: a function that makes the file of this name, and returns how one is read and checked."""

    def register(make):
        FORMATS[name] = (make, text)
        return make

    return register


def mutated(whole, rng, text):
    """Return bytes with one to three faults: changed, lost, doubled, cut, or a number replaced by another.

    Half of the faults of a binary file are near its beginning: the headers there are few bytes among many numbers.
    """
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, 4))):
        length, kind = max(1, len(content)), rng.random()
        at = int(rng.integers(length))
        if not text and rng.random() < 0.5:
            at = int(length ** rng.random()) - 1
        if text and kind < 0.4:
            words = list(re.finditer(rb"[-+]?\d[-+\w.]*", bytes(content[at : at + 400])))
            if words:
                word = words[int(rng.integers(len(words)))]
                content[at + word.start() : at + word.end()] = WORDS[int(rng.integers(len(WORDS)))]
        elif kind < 0.6:
            content[at : at + 1] = bytes([int(rng.integers(256))])
        elif kind < 0.7:
            del content[at : at + int(rng.integers(1, 30))]
        elif kind < 0.8:
            content[at : at + 1] = b"9" * int(rng.integers(1, 6))
        elif kind < 0.9 and not text:
            content[at - at % 4 : at - at % 4 + 4] = int(rng.choice([-1, 0, 1, 2**31 - 1])).to_bytes(
                4, rng.choice(["big", "little"]), signed=True
            )
        elif kind < 0.95:
            content[at:at] = content[at : at + int(rng.integers(1, 60))]
        else:
            del content[at:]
    return bytes(content)


def finite(*values):
    """Check that all numbers are finite."""
    for value in values:
        array = np.asarray(value, float)
        assert np.isfinite(array).all(), f"not finite: {array.ravel()[~np.isfinite(array.ravel())][:3]}"
