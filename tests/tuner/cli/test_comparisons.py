"""`tuner compare`: what it prints and writes, and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tuner as api
from tests.commands import tuner
from tests.working import search_toys
from tuner.cli.app import app
from tuner.errors import TunerError


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    search_toys(folder)
    return folder


def test_it_says_where_experiments_differ_and_writes_a_page_with_its_figures(toys: Path, tmp_path: Path) -> None:
    done = tuner(toys, "compare", "toy", "slow", "--output", str(tmp_path / "there"))

    assert done.returncode == 0, done.stderr
    assert "slow needs more steps than toy at batch size 32, beyond the intervals over seeds" in done.stdout
    assert "at the other 2 shared batch sizes there is no such difference" in done.stdout
    assert re.search(r"objective.slow_at_batch_size +- +32", done.stdout)
    assert {each.name for each in (tmp_path / "there").iterdir()} == {
        "compare-toy-slow.html",
        *(f"compare-toy-slow-{name}.{kind}" for name in ("scaling", "normalised", "ratios") for kind in ("svg", "png")),
    }
    assert f"page: {tmp_path}/there/compare-toy-slow.html" in done.stdout
    assert "tuner compare toy slow" in (tmp_path / "there" / "compare-toy-slow.html").read_text()


def test_as_json_it_holds_every_ratio_with_its_verdict(toys: Path) -> None:
    found = json.loads(tuner(toys, "compare", "toy", "slow", "--json").stdout)

    assert found["goal"] == "validation/error below 0.03"
    assert [each["experiment"] for each in found["experiments"]] == ["toy", "slow"]
    assert found["differences"] == [{"path": "objective.slow_at_batch_size", "values": {"toy": None, "slow": 32}}]
    assert found["report"] == "runs/compare-toy-slow.html"
    at = {each["batch_size"]: each for each in found["contrasts"] if each["quantity"] == "score"}
    assert {size: each["verdict"] for size, each in at.items()} == {8: "within", 16: "within", 32: "beyond_seeds"}
    assert at[8]["ratio"] == 1
    assert at[32]["ratio"] == pytest.approx(3, rel=0.1)
    assert at[32]["over_seeds"] == {"low": at[32]["ratio"], "high": at[32]["ratio"]}
    points = {each["batch_size"]: each for each in found["experiments"][1]["points"]}
    assert points[32]["steps"] / found["experiments"][0]["points"][2]["steps"] == at[32]["ratio"]


def test_a_weaker_target_judges_all_of_them(toys: Path) -> None:
    store = f"sqlite:///{toys}/runs/tuner.db"

    found = api.compare("toy", "weak", store=store, below=0.1).found

    weak = [each.confirmed.score for each in api.results("weak", store=store).studies if each.confirmed]
    assert found.unit.wanted == "validation/error below 0.1"
    assert [each.score for each in found.experiments[1].curve.points] == weak
    assert "The winners were chosen for validation/error below 0.03" in found.experiments[0].note
    assert found.experiments[1].note == ""


@pytest.mark.parametrize(
    ("names", "targets", "message"),
    [
        (("toy", "toy"), {}, "toy is named twice; name each experiment once"),
        (("toy", "new"), {}, "nothing of new is confirmed yet; `tuner status new` says how far it is"),
        (("toy", "weak"), {}, "--below 0.1 judges them all by the weakest of these targets"),
        (("toy", "weak"), {"below": 0.05}, "weak: validation/error below 0.05 is not weaker than the goal"),
        (("toy", "slow"), {"below": 0.1, "above": 0.1}, "--below and --above cannot both be given"),
        (("toy", "slow"), {"below": -1.0}, "must be a positive number"),
        (("toy",), {}, "1 experiments cannot be compared; name 2 to 8"),
        (tuple("abcdefghi"), {}, "9 experiments cannot be compared; name 2 to 8"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    toys: Path, names: tuple[str, ...], targets: dict[str, float], message: str
) -> None:
    with pytest.raises(TunerError, match=re.escape(message)):
        api.compare(*names, store=f"sqlite:///{toys}/runs/tuner.db", **targets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("toy", "weak"), "error: the goals differ: validation/error below 0.03 in toy, validation/error below 0.1 in"),
        (("toy", "slow", "--output", "/proc/none"), "cannot be written to /proc/none"),
    ],
)
def test_the_command_refuses_in_one_line(toys: Path, arguments: tuple[str, ...], message: str) -> None:
    done = tuner(toys, "compare", *arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_name_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["compare", "toy"])

    assert done.exit_code == 2
    assert "toy alone cannot be compared; name two" in done.output


def test_from_python_the_figures_come_with_the_answer(toys: Path) -> None:
    store = f"sqlite:///{toys}/runs/tuner.db"

    found = api.compare("toy", "slow", store=store)

    assert found.answer.endswith("at the other 2 shared batch sizes there is no such difference.")
    assert list(found.figures) == ["scaling", "normalised", "ratios"]
    assert found.contrasts[-1].batch_size == 32
    assert found.to_json()["goal"] == "validation/error below 0.03"
    assert repr(found) == "<comparison of toy, slow>"
    assert "<b>toy, slow</b>" in found._repr_html_()
