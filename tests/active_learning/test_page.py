"""The status page: what it shows at each stage of a run, and that it is kept up to date."""

import json
import time
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from electrolyte_ml.active_learning import ActiveLearningSettings, IterationStatus
from electrolyte_ml.active_learning.page import PAGE, read_run, remaining, render, status_page, write_page
from electrolyte_ml.active_learning.timeline import timeline_svg
from electrolyte_ml.errors import InputError

NOW = time.strptime("2026-01-02 03:04:05", "%Y-%m-%d %H:%M:%S")
SEED = IterationStatus(0, 20, 20, 0, 20, None, 1.5, 0.25, 60.0, {"completed": 2}, {"mtp": [57, 61]})


def row(number, saved, stops, **changes):
    given = {
        "iteration": number, "saved": saved, "selected": min(saved, 5), "failed": 0, "size": 20 + number,
        "max_grade": 3.0 if saved else 1.5, "energy_rmse": 1.5, "force_rmse": 0.2, "seconds": 100.0 * number,
        "stops": stops,
    }  # fmt: skip
    return IterationStatus(**{**given, **changes})


@pytest.fixture
def folder(tmp_path):
    """`folder(rows, stages, quiet=, most=)`: the records of a run with these iterations, and stages of the next one."""

    def make(rows, stages=(), quiet=2, most=10):
        settings = ActiveLearningSettings.from_toml(write_settings(tmp_path, quiet, most))
        first = tmp_path / "iteration_000"
        first.mkdir()
        (first / "settings.toml").write_text(settings.to_toml())
        (first / "reference.json").write_text(json.dumps({"reference": "GFN1-xTB", "settings": {}}))
        for number, one in enumerate(rows):
            path = tmp_path / f"iteration_{number:03d}"
            path.mkdir(exist_ok=True)
            (path / "status.json").write_text(json.dumps(vars(one)))
            for name in ("trajectories", "labels", "fit"):
                (path / f"{name}.json").write_text(json.dumps({"seconds": 30.0 + number}))
        if stages is not None and (rows or stages):
            path = tmp_path / f"iteration_{len(rows):03d}"
            path.mkdir(exist_ok=True)
            for name in stages:
                (path / f"{name}.json").write_text(json.dumps({"seconds": 1.0}))
        return tmp_path

    return make


def write_settings(folder, quiet, most):
    path = folder / "given.toml"
    path.write_text(
        f'composition = "EC=4"\ndensity = 1.3\n[stopping]\nquiet_iterations = {quiet}\nmax_iterations = {most}\n'
    )
    return path


class Checker(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(dict(attrs))


def test_a_running_page_refreshes_itself_and_needs_nothing_else(folder):
    text = render(read_run(folder([SEED], ["trajectories"])), NOW, running=12.0)
    page = Checker(text)
    assert {"http-equiv": "refresh", "content": "10"} in page.attributes
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert not any("src" in attributes or "href" in attributes for attributes in page.attributes)
    assert page.tags.count("svg") == 5
    assert "2026-01-02 03:04:05" in text and "GFN1-xTB" in text and "mtp 57/61" in text
    assert "Iteration 1: selecting and labelling, for 12 s." in text


@pytest.mark.parametrize(
    "rows, stages, words",
    [
        ([], (), "Seeding: dynamics with the reference"),
        ([], ("sampling",), "Seeding: first fit"),
        ([SEED], (), "Iteration 1: exploring with the potential"),
        ([SEED], ("trajectories",), "Iteration 1: selecting and labelling"),
        ([SEED], ("trajectories", "labels"), "Iteration 1: fitting"),
    ],
)
def test_the_stage_is_the_first_without_a_record(folder, rows, stages, words):
    assert words in render(read_run(folder(rows, stages)), NOW, running=1.0)


def test_trajectories_and_labels_are_counted(folder):
    directory = folder([SEED])
    for k in range(3):
        (directory / "iteration_001" / f"trajectory_{k:02d}").mkdir()
    (directory / "iteration_001" / "trajectory_01" / "result.json").write_text("{}")
    assert read_run(directory).doing.endswith(": 1 trajectories ended, 2 running or to be continued")


def test_the_remaining_time_is_bounded(folder):
    """After iterations of 100, 200 and 300 s, one of them quiet: one more at least, and seven at most."""
    rows = [SEED, row(1, 8, {"grade": 2}), row(2, 3, {"completed": 2}), row(3, 0, {"completed": 2})]
    state = read_run(folder(rows, most=10))
    assert (state.quiet, state.least, state.most) == (1, 1, 7)
    text = remaining(state, running=40.0)
    assert "at least 60 s more (1 iterations" in text  # 100 s, of which 40 have passed
    assert "at most 35 min (7 iterations" in text  # 7 x 300 s
    assert "This step took 33 s in the previous iteration, and takes longer now." in text
    assert "cannot be predicted" in text


def test_before_the_first_iteration_nothing_is_promised(folder):
    assert remaining(read_run(folder([SEED]))) == (
        "The remaining time is not known before the first iteration is complete."
    )


def test_a_stop_for_another_reason_than_length_is_not_quiet(folder):
    state = read_run(folder([SEED, row(1, 0, {"completed": 1, "molecules": 1}), row(2, 0, {"completed": 2})]))
    assert state.quiet == 1


def test_ends_are_told_apart(folder):
    quiet = [row(k, 0, {"completed": 2}) for k in (1, 2)]
    text = render(read_run(folder([SEED, *quiet], None)), NOW)
    assert "Converged" in text and 'http-equiv="refresh"' not in text


def test_the_last_iteration_allowed(folder):
    state = read_run(folder([SEED, row(1, 4, {"grade": 2})], None, most=1))
    assert state.ended.startswith("Not converged after the last iteration allowed")


def test_text_from_outside_is_escaped(folder):
    directory = folder([SEED, row(1, 4, {"<b>odd</b>": 2})])
    text = render(read_run(directory), NOW, message="Stopped: <script>")
    assert "<script>" not in text and "<b>odd" not in text and "&lt;b&gt;odd" in text


def test_the_page_follows_the_run_and_says_how_it_ended(folder):
    directory = folder([SEED])
    with pytest.raises(ValueError), status_page(directory, seconds=0.02):
        wait_for(directory, "exploring with the potential")
        (directory / "iteration_001" / "trajectories.json").write_text(json.dumps({"seconds": 1.0}))
        wait_for(directory, "selecting and labelling")
        raise ValueError("the disk is <full>")
    text = (directory / PAGE).read_text()
    assert "Stopped: the disk is &lt;full&gt;" in text and 'http-equiv="refresh"' not in text
    assert not list(directory.glob(".*tmp"))


def wait_for(directory, words):
    for _ in range(500):
        if (directory / PAGE).exists() and words in (directory / PAGE).read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"the page never said {words!r}")


def test_a_page_can_be_written_for_a_run_that_is_not_running(folder):
    path = write_page(folder([SEED]))
    assert path.name == "status.html" and "probably not running" in path.read_text()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        read_run(tmp_path)


def test_the_timeline_is_valid_and_draws_every_value():
    rows = [SEED, row(1, 8, {"grade": 2}, max_grade=1e6), row(2, 0, {"completed": 1, "nan": 1})]
    root = ElementTree.fromstring(timeline_svg(rows, 2.0, 10.0))
    panels = list(root)
    assert len(panels) == 5
    assert [len(panel.findall("circle")) for panel in panels] == [6, 2, 3, 3, 0]  # the seeding has no grade
    bars = [rect for rect in panels[4].findall("rect") if float(rect.get("width")) > 10]
    heights = [float(rect.get("height")) for rect in bars]
    assert len(bars) == 4 and heights[0] == heights[1] == pytest.approx(2 * heights[2], abs=0.2)
    for panel in panels:
        for circle in panel.findall("circle"):
            assert 40 <= float(circle.get("cy")) <= 178
