"""An experiment whose hyperparameters are all fixed has one point at each batch size, and is confirmed as any other."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.toy import SMALL, Toy, ToyTrainer, steps_to
from tests.tuner.narrow import work
from tuner.analysis.sensitivity.summary import sensitivity
from tuner.analysis.summary import edges, results
from tuner.cli import tables
from tuner.experiment import Experiment, parse
from tuner.records import ExperimentRecord, Role, Stage
from tuner.reports.export import write_csv
from tuner.reports.page import write_report
from tuner.service.dashboards import importances_shown
from tuner.stores import Store
from tuner.stores.dashboard_view import DashboardView
from tuner.stores.opening import open_store
from tuner.trial import TrialSpec

RULED = (
    SMALL.replace(
        'learning_rate = { low = 1e-3, high = 10, scale = "log" }',
        'learning_rate = { rule = "linear", base = 0.01, base_batch_size = 8 }',
    )
    .replace("[8, 16]", "[8, 16, 32]")
    .replace("neighbours = false", "neighbours = true")
    .replace("probes = 0", "probes = 4")
)
RATES = {8: 0.01, 16: 0.02, 32: 0.04}


@dataclass(frozen=True, slots=True)
class TwoToy(Toy):
    """The toy with a second hyperparameter that multiplies the learning rate."""

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"learning_rate", "factor"})

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> "TwoToyTrainer":
        return TwoToyTrainer(self, batch_size, lanes, "cpu")


@dataclass(slots=True)
class TwoToyTrainer(ToyTrainer):
    """The toy's trainer with the product of both."""

    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        given = trial.hyperparameters
        product = float(given["learning_rate"]) * float(given["factor"])
        super(TwoToyTrainer, self).load(lane, replace(trial, hyperparameters={"learning_rate": product}), checkpoint)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as opened:
        yield opened


def experiment(*changes: tuple[str, str]) -> Experiment:
    text = RULED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(text, source="toy.toml")


def ran(store: Store, settings: Experiment) -> ExperimentRecord:
    work(store, settings)
    return store.record("toy")


def printed(content: object) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(content)
    return console.export_text()


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cma_es", "quasi_random", "random"])
def test_each_study_has_one_point_which_fresh_seeds_report(store: Store, sampler: str) -> None:
    record = ran(store, experiment(('"random"', f'"{sampler}"')))

    assert [each.complete for each in record.studies] == [True] * 3
    for study in record.studies:
        assert [each.plan.role for each in study.trials] == [Role.SEARCH, *[Role.REPORT] * 3]
        assert all(each.plan.hyperparameters == {"learning_rate": RATES[study.batch_size]} for each in study.trials)
        assert len({each.plan.seed for each in study.trials}) == 4
    steps = [each.confirmed.score for each in results(record).studies if each.confirmed is not None]
    assert steps == [steps_to(0.03, rate) for rate in RATES.values()]


def test_no_optimum_is_doubted_and_no_choice_biased(store: Store) -> None:
    # Batch size 32 takes three times the steps: if the points had been tuned, it would be in doubt.
    record = ran(store, experiment(('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\nslow_at_batch_size = 32')))

    found = results(record)

    assert found.studies[2].confirmed is not None
    assert found.studies[1].best_score is not None
    assert found.studies[2].confirmed.score > 2 * found.studies[1].best_score
    assert found.doubts == ()
    assert found.selection_bias is None
    assert all(each.stage is not Stage.SECOND_LOOK for each in record.studies)


def test_there_are_no_edges_and_no_sensitivity_and_the_tables_say_so(store: Store) -> None:
    record = ran(store, experiment())

    assert edges(record).verdicts == ()
    assert sensitivity(record).studies == ()
    assert "toy: every hyperparameter is fixed or follows a rule: no edges\n" in printed(
        tables.edges_table(edges(record))
    )
    assert "follows a rule: no sensitivity" in printed(tables.sensitivity_table(sensitivity(record)))
    told = printed(tables.results_table(results(record)))
    assert "0.02" in told
    assert "searched: steps of the one point's first seed" in told
    assert "confirmed: the point's median over fresh seeds" in told
    assert "another search" not in told


def test_the_report_says_that_nothing_is_searched(store: Store, tmp_path: Path) -> None:
    record = ran(store, experiment())

    page = write_report(record, tmp_path).read_text(encoding="utf-8")

    assert "Nothing is searched: each study has one point, which is reported on 3 fresh seeds." in page
    assert "Nothing is searched, so there are no edges: these points are no optima." in page
    assert "The one point: median steps" in page
    assert "another search finds" not in page
    assert "looks better than it is" not in page
    assert "rule = &#34;linear&#34;" in page


def test_the_export_has_the_value_of_each_batch_size(store: Store) -> None:
    ran(store, experiment())
    out = io.StringIO()

    write_csv(store, "toy", out)

    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert {(int(each["batch_size"]), float(each["learning_rate"])) for each in rows} == set(RATES.items())


def test_the_dashboard_has_no_importances_to_show(store: Store, tmp_path: Path) -> None:
    ran(store, experiment())
    view = DashboardView(f"sqlite:///{tmp_path / 'tuner.db'}")

    studies = view.get_all_studies()

    assert len(studies) == 6  # a search and a confirmation at each batch size
    assert all(importances_shown(store, view, each._study_id) == [] for each in studies)
    assert all(each.params == {} for study in studies for each in view.get_all_trials(study._study_id))


def test_a_point_that_the_search_s_seed_missed_with_is_reported_all_the_same(store: Store) -> None:
    record = ran(store, experiment(("within_steps = 400", "within_steps = 90")))

    found = {each.batch_size: each.confirmed for each in results(record).studies}

    assert steps_to(0.03, RATES[8]) > 90 > steps_to(0.03, RATES[16])
    assert {size: each.reached for size, each in found.items() if each is not None} == {8: 0, 16: 3, 32: 3}


def test_a_point_that_never_got_there_is_told_as_one(store: Store) -> None:
    record = ran(store, experiment(("within_steps = 400", "within_steps = 40")))

    (told,) = [each.unreached.sentence for each in results(record).studies[:1] if each.unreached is not None]

    assert told.startswith("The only point never brought validation/error below 0.03 within 40 steps; it ended at 0.")
    assert told.endswith(". Tried: learning_rate = 0.01.")


def test_a_larger_budget_runs_the_point_again_where_it_had_missed(store: Store) -> None:
    small = experiment(("within_steps = 400", "within_steps = 90"))
    ran(store, small)

    record = ran(store, replace(small, goal=replace(small.goal, within_steps=200)))

    first, second, third = record.studies
    assert (first.round, second.round, third.round) == (2, 1, 1)
    assert [len(each.finished(Role.SEARCH)) for each in record.studies] == [2, 1, 1]
    assert [each.confirmed.score for each in results(record).studies if each.confirmed] == [
        steps_to(0.03, rate) for rate in RATES.values()
    ]


def test_a_warm_start_takes_nothing_over(store: Store) -> None:
    record = ran(store, experiment(("probes = 4", "probes = 4\nwarm_start = true")))

    assert all(each.plan.origin is None for study in record.studies for each in study.trials)


@pytest.mark.parametrize("warm_start", ["false", "true"])
def test_what_is_searched_beside_a_rule_is_taken_from_neighbours_but_not_the_rule_s_value(
    store: Store, warm_start: str
) -> None:
    ruled = experiment(
        ('kind = "tests.toy:Toy"', 'kind = "tests.tuner.search.test_nothing_searched:TwoToy"'),
        ("probes = 4", f"probes = 4\nwarm_start = {warm_start}"),
        ("base_batch_size = 8 }", 'base_batch_size = 8 }\nfactor = { low = 1, high = 100, scale = "log" }'),
    )

    record = ran(store, ruled)

    for study in record.studies:
        rates = {each.plan.hyperparameters["learning_rate"] for each in study.all_trials(*Role)}
        assert rates == {RATES[study.batch_size]}
    borrowed = [each for study in record.studies for each in study.all_trials(Role.CHOOSE) if each.plan.origin]
    assert borrowed
    begun = [each for study in record.studies for each in study.all_trials(Role.SEARCH) if each.plan.origin]
    assert bool(begun) == (warm_start == "true")
