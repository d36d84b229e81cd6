"""What people see in a browser: optuna-dashboard, the MLflow UI and the report of a finished run, in real Chromium."""

import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.commands import free_port, read_until, started, tuner
from tests.working import search_toys
from tuner.records import SHOWN

pytestmark = pytest.mark.browser

QUIET = """
    --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --disable-quic
    --no-first-run
"""
PATIENCE_MILLISECONDS = 30_000
"""How long a page may take to show something on a busy machine."""


SEARCHED, CONFIRMING = 12, 2 + 3
"""Trials of each study: of the search, and run again to choose the winner and to report it."""
TRIALS = SEARCHED + CONFIRMING


class Best(NamedTuple):
    """A trial's number, and its steps to target."""

    trial: int
    steps: int


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    programs = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, programs), None)
    if program is None:
        absent = "no Chromium is installed: there is no chromium, chromium-browser or google-chrome to run"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        started_browser = playwright.chromium.launch(executable_path=program, args=QUIET.split())
        yield started_browser
        started_browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    opened.set_default_timeout(PATIENCE_MILLISECONDS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def dashboard(finished: Path) -> Iterator[str]:
    """The address of optuna-dashboard on the toy's store."""
    port = free_port()
    with started(finished, "dashboard", "--port", str(port)) as server:
        read_until(server, "optuna-dashboard on")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def mlflow(finished: Path) -> Iterator[str]:
    """The address of the MLflow UI on the toy's runs."""
    port = free_port()
    with started(finished, "mlflow", "--port", str(port)) as server:
        read_until(server, "Uvicorn running on")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def best(finished: Path) -> Best:
    """The best trial of the search at batch size 8."""
    results = json.loads(tuner(finished, "results", "toy", "--json").stdout)
    found = results["studies"][0]["best"]
    return Best(found["trial"], found["steps"])


def test_the_dashboard_lists_every_study(page: Page, dashboard: str) -> None:
    page.goto(dashboard)

    for name in ("toy/batch_size=8/round=1", "toy/batch_size=16/round=1"):
        for shown in (name, f"{name} confirmation"):
            expect(page.get_by_text(re.compile(rf"\d\. {shown}$"))).to_be_visible()


def test_a_study_page_draws_every_trial_of_the_search_and_names_the_best(
    page: Page, dashboard: str, best: Best
) -> None:
    page.goto(f"{dashboard}/dashboard/studies/1")

    expect(page.get_by_text(f"Best Trial (number={best.trial})")).to_be_visible()
    expect(page.get_by_text(str(math.log2(best.steps)))).to_be_visible()
    expect(page.locator("#plot-history .scatterlayer .trace").first.locator(".point")).to_have_count(SEARCHED)
    expect(page.locator("#graph-intermediate-values .scatterlayer .trace")).to_have_count(SEARCHED)


def test_confirmation_trials_are_on_a_page_of_their_own(page: Page, dashboard: str) -> None:
    page.goto(dashboard)
    page.get_by_text("toy/batch_size=8/round=1 confirmation").click()

    expect(page.locator("#plot-history .scatterlayer .trace").first.locator(".point")).to_have_count(CONFIRMING)


def test_a_trial_of_the_dashboard_says_how_it_ended(page: Page, dashboard: str, best: Best) -> None:
    page.goto(f"{dashboard}/dashboard/studies/1/trials?numbers={best.trial}")

    expect(page.get_by_text(f"{SEARCHED} Trials")).to_be_visible()
    expect(page.get_by_text("Intermediate Values")).to_be_visible()
    for attribute in ("outcome achieved", "role search", f"steps {best.steps}"):
        expect(page.get_by_text(attribute, exact=True)).to_be_visible()


def test_mlflow_shows_a_run_for_each_study_with_those_of_its_trials_below(page: Page, mlflow: str, best: Best) -> None:
    open_runs(page, mlflow)

    expect(page.get_by_text(f"{2 * (1 + TRIALS) + 1} matching runs")).to_be_visible()
    for name in ("batch_size=8", "batch_size=16", "report"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    page.get_by_role("row").filter(has=page.get_by_text("batch_size=8", exact=True)).get_by_role("button").click()

    expect(page.get_by_role("link", name=f"batch_size=8 trial={best.trial}", exact=True)).to_be_visible()


def test_mlflow_shows_the_confirmed_answer_above_the_runs_and_among_the_tags_of_a_study(
    page: Page, mlflow: str, finished: Path
) -> None:
    results = json.loads(tuner(finished, "results", "toy", "--json").stdout)
    steps = [f"{each['confirmed']['steps']:,.0f}" for each in results["studies"]]
    open_runs(page, mlflow)

    headline = f"Confirmed steps to validation/error below 0.03: {steps[0]} at 8, {steps[1]} at 16."
    expect(page.get_by_text(headline)).to_be_visible()

    page.get_by_role("link", name="batch_size=8", exact=True).click()

    expect(page.get_by_text(f"{steps[0]} steps (").first).to_be_visible()


def test_mlflow_shows_what_a_trial_came_to_and_its_curve(page: Page, mlflow: str, best: Best) -> None:
    open_runs(page, mlflow)
    page.get_by_role("row").filter(has=page.get_by_text("batch_size=8", exact=True)).get_by_role("button").click()
    page.get_by_role("link", name=f"batch_size=8 trial={best.trial}", exact=True).click()

    expect(page.get_by_role("row").filter(has_text="steps_to_target")).to_contain_text(str(best.steps))
    for name in ("validation/error", "test/error", "learning_rate", "outcome", "seed"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()

    page.get_by_role("tab", name="Model metrics").click()

    drawn = page.locator(".js-plotly-plot").first.locator(".scatterlayer .trace").first.locator(".point")
    expect(drawn).to_have_count(min(best.steps, SHOWN))


def test_mlflow_shows_the_report(page: Page, mlflow: str) -> None:
    open_runs(page, mlflow)
    page.get_by_role("link", name="report", exact=True).click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report.html", exact=True).click()

    expect(page.frame_locator("iframe").get_by_role("heading", name="toy", exact=True)).to_be_visible()


def test_the_report_is_one_file_that_shows_every_batch_size(page: Page, finished: Path) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    report = (finished / "runs" / "toy" / "report.html").as_uri()
    page.goto(report, wait_until="networkidle")

    expect(page.get_by_role("heading", name="toy", exact=True)).to_be_visible()
    for table in page.get_by_role("table").all():
        expect(table.get_by_role("row")).to_contain_text(["batch size", "8", "16"])
    assert said == []
    assert asked == [report]


def test_the_comparison_is_one_file_that_fits_on_a_phone(page: Page, tmp_path: Path) -> None:
    search_toys(tmp_path)
    tuner(tmp_path, "compare", "toy", "slow")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 390, "height": 800})
    comparison = (tmp_path / "runs" / "compare-toy-slow.html").as_uri()
    page.goto(comparison, wait_until="networkidle")

    expect(page.get_by_role("heading", name="toy and slow", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="beyond seeds").last).to_contain_text("32")
    expect(page.get_by_role("row").filter(has_text="objective.slow_at_batch_size")).to_contain_text("32")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.locator("figure svg")).to_have_count(3)
    for link in page.get_by_role("link", name="PNG").all():
        assert (tmp_path / "runs" / (link.get_attribute("href") or "")).is_file()
    assert asked == [comparison]


def open_runs(page: Page, mlflow: str) -> None:
    """Open the list of the toy's runs."""
    page.goto(mlflow)
    experiment = page.get_by_role("link", name="toy", exact=True).get_attribute("href")
    page.goto(f"{mlflow}/{experiment}/runs")


def report_of(finished: Path) -> str:
    """The address of the toy's report."""
    return (finished / "runs" / "toy" / "report.html").as_uri()


def test_the_report_fits_a_phone(page: Page, finished: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(report_of(finished))

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for said in ("Train with", "How sure", "Be careful"):
        expect(page.get_by_text(said, exact=True)).to_be_in_viewport()


def test_the_contents_of_the_report_lead_to_its_sections(page: Page, finished: Path) -> None:
    page.goto(report_of(finished))
    links = page.get_by_role("navigation").get_by_role("link")

    questions = page.get_by_role("heading", level=2).all_text_contents()
    assert links.all_text_contents() == questions
    links.last.click()
    expect(page.get_by_role("heading", name=questions[-1])).to_be_in_viewport()


def test_the_report_is_dark_where_a_reader_wants_it_and_light_on_paper(page: Page, finished: Path) -> None:
    page.goto(report_of(finished))

    def brightness(of: str, what: str) -> int:
        colour = page.locator(of).first.evaluate(f"element => getComputedStyle(element).{what}")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    def shown() -> tuple[int, int]:
        return brightness("body", "backgroundColor"), brightness("#scaling svg text", "fill")

    page.emulate_media(media="screen", color_scheme="light")
    light = shown()
    page.emulate_media(media="screen", color_scheme="dark")
    dark = shown()
    page.emulate_media(media="print", color_scheme="dark")
    assert shown() == light
    assert light[0] > 700 > 200 > light[1]
    assert dark[0] < 100 < 600 < dark[1]


def test_the_report_prints(page: Page, finished: Path) -> None:
    page.goto(report_of(finished))

    printed = page.pdf(format="A4")

    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20
