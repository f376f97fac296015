"""Values of settings that a run is continued with: the same, or the same somewhere else."""

import pytest

from electrolyte_ml.production.settings import EquilibrationSettings
from electrolyte_ml.settings import edited_files, file_contents, relative_within, same_value, to_toml


@pytest.fixture
def places(tmp_path):
    for name, content in {"a": "1", "b": "1", "c": "2"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "set.xyz").write_text(content)
    return tmp_path


def test_files_and_folders_of_one_content_are_the_same(places):
    for ending in ("", "/set.xyz"):
        a, b, c = (str(places / name) + ending for name in "abc")
        assert same_value(a, b) and not same_value(a, c)
        assert same_value((1, [a]), (1, (b,))) and not same_value([a], [a, a])
        assert same_value({"x": {"file": a}}, {"x": {"file": b}}) and not same_value({"x": a}, {"y": a})


def test_a_file_that_has_moved_keeps_its_name(places):
    gone, now = "/no/such/place/set.xyz", str(places / "a" / "set.xyz")
    assert same_value(gone, now)
    assert not same_value(gone, str(places / "a")) and not same_value(now, gone)


@pytest.mark.parametrize(
    ("one", "other"), [("EC=4", "EC=5"), (1, 2), (None, "x"), ("/a", 1), (1, True + 1), ("a/x", "b/x")]
)
def test_other_values_are_others(one, other):
    assert not same_value(one, other)
    assert same_value(one, one)


def test_paths_below_the_root_are_written_relative_to_the_file(tmp_path):
    values = {"labels": str(tmp_path / "run" / "labels"), "sets": (str(tmp_path / "ec"), "EC=4"), "n": 3}
    found = relative_within(values, tmp_path / "run", tmp_path / "run" / "iteration_000")
    assert found == {"labels": "../labels", "sets": (str(tmp_path / "ec"), "EC=4"), "n": 3}


def test_a_list_that_was_emptied_stays_empty():
    """It would come back from the file as its default."""
    text = to_toml(EquilibrationSettings(annealing=()))
    assert "annealing = []" in text


def test_commands_are_the_same_wherever_their_files_are(places):
    a, b, c = (f"command:python {places / name}/set.xyz --model={places / name}/set.xyz {{input}}" for name in "abc")
    assert same_value(a, b) and not same_value(a, c)
    assert same_value(
        "command:/gone/set.xyz -m=/gone/set.xyz '{input}'", a.replace("python ", "").replace("--model", "-m")
    )
    assert not same_value("command:python x", "command:python y") and not same_value(a, a.removeprefix("command:"))


def test_files_of_a_command_move_with_its_run(tmp_path):
    text = f"command:{tmp_path}/run/dft --model={tmp_path}/run/m.nep {tmp_path}/other {{input}}"
    found = relative_within({"name": text}, tmp_path / "run", tmp_path / "run" / "iteration_000")
    assert found == {"name": f"command:./../dft --model=./../m.nep {tmp_path}/other {{input}}"}


def test_files_that_settings_name_are_known_by_content(places):
    molecules = {"X": {"file": str(places / "a" / "set.xyz")}, "Y": {"smiles": "CC"}}
    before = file_contents(molecules, "molecules") | file_contents(str(places / "c" / "set.xyz"), "start")
    assert before.keys() == {"molecules.X.file", "start"}
    assert file_contents(None, "start") == file_contents("EC=4", "start") == {}
    (places / "a" / "set.xyz").write_text("edited")
    assert edited_files(before, file_contents(molecules, "molecules")) == ["the content of molecules.X.file"]
    (places / "a" / "set.xyz").unlink()  # what has been deleted since is taken as it was
    assert edited_files(before, file_contents(molecules, "molecules")) == []
    assert edited_files(None, before) == []  # a record of an older version
