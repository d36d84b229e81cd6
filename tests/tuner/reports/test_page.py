import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.tuner.analysis.landscapes import Landscape, search
from tests.tuner.synthetic import Workload, digits, ended, experiment_record, study, trial
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.practice.summary import practice
from tuner.experiment import from_table
from tuner.records import ExperimentRecord, PointRun, Role
from tuner.reports.assembly import sections
from tuner.reports.content import Content, content
from tuner.reports.findings import Findings, findings
from tuner.reports.overview.reproduction import reproduction
from tuner.reports.overview.space import edges
from tuner.reports.page import write_report
from tuner.reports.rows import optima_table, search_table
from tuner.reports.sections.contract import Item

SIZES = [4, 32, 256]


class Page(HTMLParser):
    """A page's text, tags and ids, where its links and references lead, and what it would fetch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.sources: list[str] = []
        self._texts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.ids += [named["id"] or ""] if "id" in named else []
        self.targets += [value or "" for name, value in attrs if name in {"href", "xlink:href"}]
        self.sources += [value or "" for name, value in attrs if name in {"src", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self._texts.append(data)


@pytest.fixture(scope="module")
def record() -> ExperimentRecord:
    return experiment_record(digits(batch_sizes=SIZES))


@pytest.fixture(scope="module")
def found(record: ExperimentRecord) -> Findings:
    return findings(record)


@pytest.fixture(scope="module")
def folder(record: ExperimentRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(record, tmp_path_factory.mktemp("report"), store="sqlite:///runs/tuner.db").parent


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def said(record: ExperimentRecord) -> Content:
    """What the report of an experiment says."""
    return content(findings(record))


def rows(found: Findings) -> Iterator[tuple[str, ...]]:
    yield from optima_table(found.results).rows
    yield from search_table(found.results.studies, found.experiment.goal.unit).rows


def test_the_page_fetches_nothing(page: Page) -> None:
    assert page.sources == []
    assert not {"script", "link", "iframe", "img"} & set(page.tags)


def test_every_reference_leads_somewhere_and_no_id_is_there_twice(folder: Path, page: Page) -> None:
    inside = {each.removeprefix("#") for each in page.targets if each.startswith("#")}
    files = {each for each in page.targets if not each.startswith("#")}

    assert len(page.ids) == len(set(page.ids))
    assert inside <= set(page.ids)
    assert {"scaling", "optima", "edges", "cautions", "reproduction"} <= inside
    assert files == {each.name for each in folder.iterdir() if each.suffix in {".png", ".svg"}}


def test_every_figure_lies_beside_the_page_in_both_formats(folder: Path, page: Page) -> None:
    pictures = {each.stem for each in folder.glob("*.svg")}

    assert pictures == {each.stem for each in folder.glob("*.png")}
    assert len(pictures) == page.tags.count("svg") > 8
    assert all((folder / f"{each}.png").read_bytes().startswith(b"\x89PNG") for each in pictures)


def test_nothing_unfinished_is_left_behind(folder: Path) -> None:
    assert not [each for each in folder.iterdir() if each.suffix not in {".html", ".json", ".svg", ".png"}]


def test_the_page_names_each_batch_size_and_its_confirmed_steps(record: ExperimentRecord, page: Page) -> None:
    for each in record.studies:
        confirmed = confirm(each, record.experiment.confirmation)
        assert confirmed is not None
        assert f" {each.batch_size} {confirmed.score:,.0f} {confirmed.low:,.0f} to {confirmed.high:,.0f} " in page.text


def test_the_page_says_how_sure_its_medians_are_and_how_much_too_good_the_search_looked(
    found: Findings, page: Page
) -> None:
    bias = found.results.selection_bias

    assert bias is not None
    assert "the median over all training seeds at this very point, which it covers with 94 % probability" in page.text
    assert f"winners took {bias.ratio:.2f} times as many steps when confirmed" in page.text


def test_the_page_says_which_hyperparameters_matter(found: Findings, page: Page) -> None:
    for each in found.sensitivity().studies:
        shown = " ".join(f"{weight:.0%}".replace("%", " %") for weight in each.importances.values())
        assert f" {each.batch_size} 0 0 - - - {shown} " in page.text  # this search had no points without a model


def test_the_page_says_how_to_run_it_again(page: Page) -> None:
    assert "tuner run digits.toml" in page.text
    assert "tuner replay digits --batch-size 4 --trial" in page.text
    assert "sqlite:///runs/tuner.db" in page.text
    assert "optuna 5" in page.text


def test_the_settings_shown_are_the_experiments(record: ExperimentRecord, found: Findings) -> None:
    settings = reproduction(found).listings[1].text

    assert from_table(tomllib.loads(settings)) == record.experiment


def test_the_same_record_gives_the_same_page(record: ExperimentRecord, folder: Path, tmp_path: Path) -> None:
    again = write_report(record, tmp_path, store="sqlite:///runs/tuner.db")

    assert again.read_bytes() == (folder / "report.html").read_bytes()


def test_a_new_report_replaces_the_old_one(record: ExperimentRecord, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")

    write_report(ExperimentRecord(record.experiment, ()), tmp_path)

    assert "old" not in (tmp_path / "report.html").read_text(encoding="utf-8").split()


def test_the_numbers_lie_beside_the_page(found: Findings, folder: Path) -> None:
    told = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)

    asked = {each.name: each for each in (*sections(found), reproduction(found, store="sqlite:///runs/tuner.db"))}
    assert told["answer"] == content(found).answer
    assert told["sections"].keys() == asked.keys()
    assert all(each["values"] for each in told["sections"].values())
    for name, each in told["sections"].items():
        assert (each["question"], each["answer"]) == (asked[name].question, asked[name].answer)


def test_what_is_not_finite_is_null_in_the_numbers(tmp_path: Path) -> None:
    write_report(
        experiment_record(digits(batch_sizes=[2, 64, 256]), Workload(floor=30, critical=240, noise=0.25)), tmp_path
    )

    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)

    assert None in told["sections"]["scaling"]["values"]["points"][0]["per_seed"]


def test_the_first_screen_says_what_to_train_with_and_how_sure_that_is(
    record: ExperimentRecord, found: Findings
) -> None:
    told = content(found)
    answered = practice(record, found.curve)
    assert answered is not None
    choice = answered.choices[0]
    (advised,) = [each for each in found.results.studies if each.batch_size == choice.advised]

    confirmed = advised.confirmed
    assert confirmed is not None
    assert told.advice.startswith(f"Batch size {choice.advised} with learning rate ")
    assert told.advice.endswith(f": {confirmed.score:,.0f} steps. {choice.advice}")
    assert (
        f"within {confirmed.interval.low:,.0f} to {confirmed.interval.high:,.0f} (94 % interval from 5" in told.sureness
    )


def test_names_and_values_are_escaped(tmp_path: Path) -> None:
    table = digits().to_table() | {"goal": {"metric": "<script>m</script>", "below": 0.1, "within_steps": 10}}
    table["space"] = {"<b>x": {"options": ["<i>a", "<i>b"]}}
    experiment = from_table(table | {"batch_sizes": [8]})
    run = PointRun(0, 0, Role.SEARCH, {"<b>x": "<i>a"})
    record = study(trial(0, ended(5), run=run), space=experiment.space.at(8), batch_size=8)

    page = Page(write_report(ExperimentRecord(experiment, (record,)), tmp_path))

    assert not {"script", "i"} & set(page.tags)
    assert "<script>m</script>" in page.text
    assert "<b>x" in page.text


def test_the_answer_names_the_critical_batch_size_and_its_interval() -> None:
    told = said(experiment_record(digits()))

    assert told.answer.startswith("The critical batch size is about 1")
    assert "95 % interval over seeds" in told.answer
    assert "Perfect scaling ends at about batch size " in told.answer
    assert told.state == ""


def test_an_experiment_that_has_not_started_has_an_honest_page(tmp_path: Path) -> None:
    page = Page(write_report(ExperimentRecord(digits(), ()), tmp_path))

    assert "No study is confirmed yet." in page.text
    assert "0 of 10 studies are complete" in page.text
    assert "svg" not in page.tags


def test_one_study_has_no_fit_and_says_so() -> None:
    told = said(experiment_record(digits(batch_sizes=[64])))

    assert told.answer == "A curve needs 3 batch sizes that reached the target; 1 batch size did."


def test_a_study_that_is_still_searched_is_not_confirmed_yet() -> None:
    experiment = digits(batch_sizes=[64, 128])
    found = findings(ExperimentRecord(experiment, (Workload().search(experiment, 64),)))

    assert next(rows(found))[:2] == ("64", "not confirmed yet")
    assert "0 of 2 studies are complete" in content(found).state
    assert content(found).advice == ""


def test_studies_that_nothing_reached_are_reported_as_such(tmp_path: Path) -> None:
    record = experiment_record(digits(batch_sizes=[2, 4]), Workload(floor=200.0, critical=3000.0))

    page = Page(write_report(record, tmp_path))

    assert "Nothing confirmed reached the target" in page.text
    assert "within 4,000 steps at batch size 2, 4" in page.text
    assert "No study has an optimum yet." in page.text
    assert (tmp_path / "scaling.svg").exists()


def test_an_optimum_outside_its_space_is_called_so() -> None:
    record = search(Landscape((0.5, 1.4, 0.5, 0.5), (12.0,) * 4, None, math.inf, noise=0.1), seed=0)

    found = findings(ExperimentRecord(digits(batch_sizes=[64]), (record,)))

    section = edges(found)
    (note,) = section.items
    assert section.answer.startswith("In 1 of 1 studies the optimum is probably outside")
    assert note.urgent
    assert re.fullmatch(r"The optimum may be beyond the high end of b \(\d+ %\): widen the range there.", note.sentence)
    assert search_table(found.results.studies, found.experiment.goal.unit).rows[0][-1] == "b"
    assert content(found).cautions[0].sentence == section.answer


def test_seeds_that_did_not_reach_the_target_are_pointed_out() -> None:
    record = experiment_record(digits(batch_sizes=[2, 64, 256]), Workload(floor=30.0, critical=240.0, noise=0.25))

    found = findings(record)

    assert any("not every reporting seed reached the target" in each.sentence for each in content(found).cautions)
    assert any("not reached" in cell for row in rows(found) for cell in row)


def test_a_workload_without_momentum_has_no_effective_learning_rate(tmp_path: Path) -> None:
    table = digits().to_table() | {"batch_sizes": [8]}
    table["space"] = {"learning_rate": {"low": 0.001, "high": 10.0, "scale": "log"}}
    experiment = from_table(table)
    run = PointRun(0, 0, Role.SEARCH, {"learning_rate": 0.5})
    record = study(trial(0, ended(50), run=run), space=experiment.space.at(8), batch_size=8)

    page = Page(write_report(ExperimentRecord(experiment, (record,)), tmp_path))

    assert "effective learning rate" not in page.text
    assert (tmp_path / "searches.png").exists()


@pytest.mark.parametrize("deterministic", [True, False])
def test_kernels_that_may_differ_are_told(record: ExperimentRecord, deterministic: bool) -> None:
    objective = {**record.experiment.objective, "deterministic": deterministic}
    cautions = said(replace(record, experiment=replace(record.experiment, objective=objective))).cautions

    assert any("deterministic = false" in each.sentence for each in cautions) is not deterministic


def test_what_could_not_be_read_is_said_to_be_left_out(record: ExperimentRecord) -> None:
    damaged = "digits, batch size 4, round 1, trial 3 cannot be read: its steps is -3, and no whole number from 0"
    found = findings(replace(record, damaged=(damaged,)))

    assert content(found).cautions[0] == Item(f"Left out: {damaged}.", urgent=True)
    assert found.results.to_json()["damaged"] == [damaged]
