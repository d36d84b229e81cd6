"""Searches for the best value within a budget, from the first trial to the report, with a workload of known answers."""

import json
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import optuna
import pytest
from rich.console import Console, RenderableType

from tests.toy import SMALL, Toy, ToyTrainer, half_life
from tests.working import work_through
from tuner.analysis.other_goals import judged_again
from tuner.analysis.scaling.curve import NotFitted, scaling_curve
from tuner.analysis.scaling.doubts import doubts
from tuner.analysis.scaling.explanation import explain
from tuner.analysis.scaling.prediction import predicted_curve
from tuner.analysis.sensitivity.summary import sensitivity
from tuner.analysis.summary import edges, results
from tuner.cli import tables
from tuner.cli.status import store_table
from tuner.errors import StoreError, TunerError
from tuner.experiment import Experiment, load, parse
from tuner.objective import Target
from tuner.recorders import Event, StudyBroken
from tuner.recorders.mlflow.answers import answer
from tuner.recorders.mlflow.descriptions import experiment_description
from tuner.recorders.mlflow.run_content import study_run, trial_run
from tuner.records import ExperimentRecord, Role, TrialRecord
from tuner.reports.assembly import sections
from tuner.reports.content import content
from tuner.reports.drawings import Figures, drawings
from tuner.reports.findings import findings
from tuner.reports.stored import stored_results
from tuner.search.replay import replay
from tuner.stores import Store
from tuner.stores.opening import open_progress, open_store
from tuner.trial import Measurement, Outcome

STEPS = 60
BEST = parse(
    SMALL.replace("below = 0.03", 'best = "lowest"').replace("within_steps = 400", f"within_steps = {STEPS}"),
    source="toy.toml",
)
"""Trials at learning rates above 1 diverge; those that finish are best at their end."""


def least(learning_rate: float, steps: int = STEPS) -> float:
    """The lowest error of the toy within so many steps."""
    return 2 ** -(steps / half_life(learning_rate))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which the search has been done."""
    where = f"sqlite:///{tmp_path_factory.mktemp('best')}/tuner.db"
    with closing(open_store(where)) as store:
        store.submit(BEST)
        work_through(store)
    return where


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    with closing(open_store(url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def record(store: Store) -> ExperimentRecord:
    return store.record("toy")


def printed(shown: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=200).print(shown)
    return out.getvalue()


def searched(record: ExperimentRecord) -> list[TrialRecord]:
    return [trial for study in record.studies for trial in study.finished(Role.SEARCH)]


def test_trials_end_with_their_budget_diverge_or_are_cut_as_hopeless(record: ExperimentRecord) -> None:
    for each in searched(record):
        rate = float(each.plan.hyperparameters["learning_rate"])
        assert each.end is not None
        if rate > 1:
            assert each.end.outcome is Outcome.INFEASIBLE
        elif each.end.outcome is Outcome.FINISHED:
            assert (each.end.steps, each.end.spent) == (STEPS, STEPS)
            assert each.score == pytest.approx(least(rate))
        else:
            assert each.end.outcome is Outcome.CENSORED
            assert least(rate) > min(one.score for one in searched(record))


def test_the_winner_is_the_point_with_the_lowest_error_and_its_median_is_that_error(record: ExperimentRecord) -> None:
    for study, found in zip(record.studies, results(record).studies, strict=True):
        rates = [float(each.plan.hyperparameters["learning_rate"]) for each in study.finished(Role.SEARCH)]
        best = min((each for each in rates if each <= 1), key=least)
        assert found.confirmed is not None
        assert found.confirmed.hyperparameters["learning_rate"] == best
        assert found.confirmed.score == pytest.approx(least(best))
        assert (found.confirmed.reached, found.doubt, found.unreached) == (3, None, None)


def test_results_are_values_and_the_step_of_each(record: ExperimentRecord) -> None:
    found = results(record)
    told = json.loads(json.dumps(found.to_json()))

    assert told["goal"] == {"metric": "validation/error", "best": "lowest", "within_steps": STEPS}
    for study, each in zip(found.studies, told["studies"], strict=True):
        assert each["best"]["value"] == pytest.approx(study.best_score)
        assert each["best"]["step"] == STEPS
        assert each["confirmed"]["value"] == each["confirmed"]["low"] == each["confirmed"]["high"]
        assert "steps" not in each["best"]
        assert "steps" not in each["confirmed"]
        assert each["history"][0]["best_value"] == each["best"]["value"]
        assert each["trials"]["finished"] > 0
        assert "achieved" not in each["trials"]


def test_what_is_printed_speaks_of_values_and_not_of_steps_to_a_target(record: ExperimentRecord, url: str) -> None:
    value = f"{results(record).studies[0].best_score:.4g}"
    with closing(open_progress(url)) as reader:
        shown = [store_table(reader.survey())]
    shown += [tables.results_table(results(record)), tables.sensitivity_table(sensitivity(record))]
    said = [printed(each) for each in (*shown, tables.edges_table(edges(record)))]

    assert "toy: lowest validation/error, within 60 steps" in said[1]
    assert all(value in each for each in said[:2])
    assert "lower is better" in said[1]
    assert "at most 1.1x the optimum's validation/error" in said[2]
    assert "saves over 10 % of validation/error" in said[3]
    assert not any("target" in each for each in said[1:])


def test_a_report_shows_the_best_value_and_no_critical_batch_size(record: ExperimentRecord) -> None:
    found = findings(record)
    page = content(found)

    names = [each.name for each in drawings(found)]
    assert names[0] == "best"
    assert "scaling" not in names
    assert Figures(found).best().axes[0].get_ylabel() == "validation/error"
    assert isinstance(found.fit, NotFitted)
    assert page.question.startswith(
        "How low does validation/error get, within 60 steps, at 2 batch sizes from 8 to 16?"
    )
    assert page.answer.startswith("The lowest validation/error is ")
    said = " ".join(text for each in sections(found) for text in (each.question, each.answer, *each.notes))
    assert "target" not in said
    assert "critical" not in said


def test_the_figure_of_the_best_draws_medians_and_seeds_and_intervals(record: ExperimentRecord) -> None:
    studies = results(record).studies
    axes = Figures(findings(record)).best().axes[0]
    drawn = {line.get_gid(): line for line in axes.lines}

    sizes, medians = np.asarray(drawn["median"].get_xdata()), np.asarray(drawn["median"].get_ydata())
    assert sizes.tolist() == [8, 16]
    assert medians.tolist() == [each.confirmed.score for each in studies if each.confirmed]
    assert {"seeds", "interval"} <= drawn.keys()
    low, high = axes.get_ylim()
    assert len([each for each in axes.get_yticks() if low <= each <= high]) > 2  # though they lie close together


def test_figures_and_the_dashboard_say_what_is_counted(record: ExperimentRecord, url: str) -> None:
    figure = Figures(findings(record)).searches()
    dashboard = optuna.load_study(study_name="toy/batch_size=8/round=1", storage=url)

    assert [each.get_text() for each in figure.legends[0].get_texts()] == [
        "trained for its budget",
        "cut early",
        "diverged",
    ]
    assert dashboard.metric_names == ["log2 of validation/error"]


def test_the_python_api_gives_the_value(url: str) -> None:
    best = stored_results("toy", url).best(8)

    assert best is not None
    assert best.steps is None
    assert best.value == pytest.approx(least(float(best.hyperparameters["learning_rate"])))


@pytest.mark.parametrize("outcome", [Outcome.FINISHED, Outcome.CENSORED, Outcome.INFEASIBLE])
def test_a_replay_ends_the_same_with_the_same_value(record: ExperimentRecord, outcome: Outcome) -> None:
    study, trial = next(
        (study, each)
        for study in record.studies
        for each in study.finished(Role.SEARCH)
        if each.end is not None and each.end.outcome is outcome
    )

    again = replay(record, batch_size=study.batch_size, number=trial.number)
    assert trial.end is not None
    other = replace(again, recorded=replace(trial, end=replace(trial.end, loss=trial.end.loss + 0.1)))

    assert again.same
    assert other.same == (outcome is not Outcome.FINISHED)
    assert (f"(validation/error {trial.score:.4g})" in again.sentence) == (outcome is Outcome.FINISHED)


def test_mlflow_is_told_the_value_and_its_step(record: ExperimentRecord) -> None:
    study, found = record.studies[0], results(record).studies[0]
    trial = next(each for each in study.finished(Role.SEARCH) if math.isfinite(each.score))
    assert trial.end is not None
    assert found.confirmed is not None
    run = trial_run(BEST, trial, trial.end, (), batch_size=8, round=1)
    metrics = {each.name: each.value for each in (*run.metrics, *study_run(BEST, study).metrics)}
    told = answer(BEST, found)

    assert metrics["best_step"] == STEPS
    assert metrics["best_value"] == pytest.approx(found.best_score)
    assert not {"steps_to_target", "best_steps", "trials_achieved"} & metrics.keys()
    assert run.parameters["goal"] == "lowest validation/error"
    assert told.metrics["confirmed_value"] == pytest.approx(found.confirmed.score)
    assert told.tags["answer"].startswith(f"validation/error {found.confirmed.score:.4g} (")
    assert "is the lowest validation/error at batch size 8 (median of 3 fresh seeds" in told.description
    assert experiment_description(results(record), "").startswith("Confirmed lowest validation/error: **")


def test_other_targets_and_budgets_predictions_and_fits_are_refused_in_a_sentence(record: ExperimentRecord) -> None:
    with pytest.raises(TunerError, match="is the lowest validation/error; --below, --above and"):
        judged_again(record, lambda *_: {}, target=Target(0.5))
    fitted = explain(record)
    assert isinstance(fitted, NotFitted)
    assert fitted.sentence.endswith("and the goal is the lowest validation/error.")
    computed = load("nqm-sgd")
    goal = replace(BEST.goal, metric="validation/loss")
    with pytest.raises(TunerError, match="computed for a target below, not lowest validation/loss"):
        predicted_curve(replace(computed, goal=goal))


def test_no_optimum_is_in_doubt_whatever_the_others_came_to(record: ExperimentRecord) -> None:
    curve = scaling_curve(record)
    worse = [replace(each, score=16 * each.score, per_seed=(16 * each.score,) * 3) for each in curve.points[1:]]

    assert doubts(replace(curve, points=(curve.points[0], *worse)), load("digits").goal)
    assert doubts(replace(curve, points=(curve.points[0], *worse)), BEST.goal) == ()


def test_another_budget_is_another_experiment(store: Store) -> None:
    with pytest.raises(StoreError, match=r"goal.within_steps = 60, now 80"):
        store.submit(replace(BEST, goal=replace(BEST.goal, within_steps=80)))


class NegativeTrainer(ToyTrainer):
    """The toy, whose error falls below its ideal."""

    def _step(self, lane: int) -> Measurement:
        found = super()._step(lane)
        return replace(found, metrics={**found.metrics, "validation/error": -1.0})


@dataclass(frozen=True, slots=True)
class Negative(Toy):
    """The toy, trained so."""

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> NegativeTrainer:
        return NegativeTrainer(self, batch_size, lanes, device)


def test_a_value_beyond_the_ideal_sets_a_study_aside_and_says_what_to_write(tmp_path: Path) -> None:
    events: list[Event] = []

    def build(_: Experiment) -> Negative:
        return Negative()

    with closing(open_store(f"sqlite:///{tmp_path}/tuner.db")) as store:
        store.submit(BEST)
        work_through(store, emit=events.append, build=build)

    (first, *_) = [each for each in events if isinstance(each, StudyBroken)]
    assert "measured validation/error = -1 at step 1, better than 0, which the goal takes for the ideal" in first.reason
