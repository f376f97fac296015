"""The program: help of every command, exit codes, and the commands that the README shows."""

import re
import shlex
import subprocess
import sys

import pytest

from electrolyte_ml.cli import build_parser, main

COMMANDS = [
    *("reproduce", "train", "evaluate", "grade", "select", "md", "active-learn", "label", "box", "new", "info"),
    *("conductivity", "plan-conductivity", "solvation", "benchmark", "warmup"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    example = text[text.index("example:") :].splitlines()[1].split()
    assert example[:2] == ["electrolyte-ml", command]
    build_parser().parse_args(example[1:])


def test_every_command_is_listed(capsys):
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert [name for name in listed if name in COMMANDS] == COMMANDS


def test_runs_as_a_module():
    process = subprocess.run([sys.executable, "-m", "electrolyte_ml", "--version"], capture_output=True, text=True)
    assert process.returncode == 0
    assert process.stdout.startswith("electrolyte-ml ")


def test_the_parser_loads_nothing_heavy():
    heavy = {"numpy", "scipy", "numba", "ase", "matplotlib", "MDAnalysis", "tqdm"}
    code = f"import sys, electrolyte_ml.cli as cli; cli.build_parser(); print(sorted({heavy!r} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_interrupt_is_quiet(monkeypatch, capsys, tmp_path):
    import electrolyte_ml.structures as structures

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(structures, "pack", interrupted)
    assert main(["box", "EC=1", "--density", "1", "-o", str(tmp_path / "box.xyz")]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_debug_shows_the_traceback(capsys, tmp_path):
    assert main(["info", str(tmp_path / "no.mtp"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_closed_pipe_is_quiet(potential):
    command = f"{sys.executable} -m electrolyte_ml info {potential} | true"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert process.stderr == ""


def test_every_command_of_the_readme_and_the_pages_parses(root):
    pages = [root / "README.md", *(root / "docs").glob("*.md"), *(root / "docs" / "tasks").glob("*.md")]
    lines = [line.strip() for page in pages for line in page.read_text().replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("electrolyte-ml ")]
    assert len(commands) > 40
    for words in commands:
        build_parser().parse_args(words[: words.index("||")] if "||" in words else words)


def test_the_readme_names_every_command_and_notebook(root):
    text = (root / "README.md").read_text()
    assert all(f"electrolyte-ml {command} " in text or f"`{command}`" in text for command in COMMANDS[:-2])
    assert {path.stem for path in (root / "notebooks").glob("[0-9]*.ipynb")} <= set(re.findall(r"\[(\d\d_\w+)\]", text))


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (["trian"], "did you mean train?"),
        (["simulate"], "did you mean md?"),
        (["Train"], "did you mean train?"),
        (["md", "a", "b", "--time", "1", "--temprature", "300"], "did you mean --temperature?"),
        (
            ["md", "a", "b", "--time", "1", "--ensemble", "nppt"],
            "there is no nppt, but nve, nvt, npt: did you mean npt?",
        ),
    ],
)
def test_a_wrong_word_gets_a_guess(words, guess, capsys):
    assert main(words) == 2
    assert guess in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-2e4", "-2.5E+3", "-.5", "-7", "3"])
def test_negative_numbers_are_no_options(value):
    args = build_parser().parse_args(["md", "a", "b", "--time", "1", "--pressure", value])
    assert args.pressure == float(value)


def test_a_long_word_is_not_repeated_whole(capsys):
    assert main(["x" * 200_000]) == 2
    assert len(capsys.readouterr().err) < 500
