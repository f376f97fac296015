"""Messages stay short, whatever a user has written where a word was meant."""

import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.errors import ElectrolyteError, InputError, shortened
from electrolyte_ml.structures import parse_composition

LONG = "x" * 200_000


@pytest.mark.parametrize("kind", [ElectrolyteError, InputError])
def test_long_words_are_shortened_and_the_rest_is_kept(kind):
    text = str(kind(f"set.xyz: frame 3: no key {LONG!r}; the keys are energy, forces"))
    assert len(text) < 600
    assert text.startswith("set.xyz: frame 3: no key 'xxx") and text.endswith("xxx'; the keys are energy, forces")
    assert f"({len(LONG) + 3 - 200} characters)" in text  # with its quotes and the semicolon


def test_many_words_are_shortened_too_and_paths_are_not():
    assert len(shortened("EC=4 " * 40_000)) < 3000
    path = "/" + "/".join(["folder"] * 50) + "/set.xyz"
    assert shortened(f"{path}: no such file") == f"{path}: no such file"


@pytest.mark.parametrize(
    "words",
    [["info", LONG], ["box", LONG, "--density", "1", "-o", "b.xyz"], ["md", "a", LONG, "--time", "1"],
     ["train", "a.xyz", "--species", LONG], ["label", "a.xyz", "--reference", LONG], ["active-learn", LONG],
     ["md", "a", "b", "--time", LONG], ["produce", LONG]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_commands_do_not_repeat_them(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) in (1, 2)
    captured = capsys.readouterr()
    assert "error: " in captured.err and len(captured.err) < 3000
    assert "fault of electrolyte-ml" not in captured.err


def test_a_composition_does_not_repeat_them():
    with pytest.raises(InputError) as caught:
        parse_composition(LONG)
    assert len(str(caught.value)) < 1000
