"""Words of a command, and the files that they name."""

from pathlib import Path

import pytest

from electrolyte_ml.commands import change_paths, located_files, paths_of


def upper(path):
    return path.upper() if path.startswith("/") else path


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("dft {input} {output}", "dft {input} {output}"),
        ("/a/dft -x /b {input}", "/A/DFT -x /B {input}"),
        ("dft --model=/m.nep x=/y {input}", "dft --model=/M.NEP x=/Y {input}"),
        ("dft '/a b/c' {input}", "dft '/A B/C' {input}"),
        ("dft '--model=/a b' \"it's\"", "dft '--model=/A B' 'it'\"'\"'s'"),
        ("dft '{input}  x'", "dft '{input}  x'"),
        ("dft 'not closed", "dft 'not closed"),
    ],
)
def test_paths_of_words_and_options_are_changed_and_nothing_else(command, changed):
    assert change_paths(command, upper) == changed
    again = paths_of(changed)
    assert again == [upper(part) for part in paths_of(command)]


@pytest.fixture
def folder(tmp_path):
    for name in ("dft.py", "m.nep", "sh"):
        (tmp_path / name).touch()
    return tmp_path


def test_files_beside_the_settings_are_found_there(folder):
    found = located_files("command:python3 dft.py --model=m.nep -x none.py {input} {output}", folder)
    assert found == f"command:python3 {folder}/dft.py --model={folder}/m.nep -x none.py {{input}} {{output}}"
    assert located_files({"potential": "m.nep", "n": 3, "name": "x"}, folder) == {
        "potential": f"{folder}/m.nep",
        "n": 3,
        "name": "x",
    }
    assert located_files("GFN1-xTB", folder) == "GFN1-xTB"


def test_a_program_on_the_search_path_is_no_file_of_the_folder(folder):
    assert located_files("command:sh {input}", folder) == "command:sh {input}"
    assert located_files("command:./sh {input}", folder) == f"command:{folder}/sh {{input}}"
    assert located_files("command:x" + "y" * 5000, folder) == "command:x" + "y" * 5000
    assert located_files("a\0b", Path(folder)) == "a\0b"
