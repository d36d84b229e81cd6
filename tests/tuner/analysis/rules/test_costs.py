"""What rules cost, on the noisy quadratic model, where every training run is known beforehand."""

import math
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from objectives.nqm import QuadraticWorkload
from tests.working import work_through
from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, value_of
from tuner.analysis.nqm import Never, Steps, steps_to_target
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.rules.costs import RuleCosts, rule_costs
from tuner.analysis.rules.points import base_of, wanted_runs
from tuner.analysis.rules.starts import measured_costs
from tuner.errors import TunerError
from tuner.experiment import Experiment, from_table
from tuner.records import RULES_FROM, ExperimentRecord, PointRun, Role, StudyRecord, TrialRecord
from tuner.reports.figures.rules import draw_rules
from tuner.reports.findings import findings
from tuner.reports.sections.rules import cell, rules_section
from tuner.search.tasks.extra import Extra
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.trial import Outcome, Value

EXACT = 0.03
"""How far measured steps may be from computed ones: a loss is measured at one step of every 3 %."""
QUADRATIC = """
name = "quadratic"
batch_sizes = [64, 256, 16384]
objective = { kind = "nqm", method = "heavy_ball" }
goal = { metric = "validation/loss", below = 0.03, within_steps = 400_000 }
search = { sampler = { kind = "quasi_random" }, points = 12, probes = 0, max_rounds = 1 }
confirmation = { candidates = 1, neighbours = false, choose_seeds = 1, report_seeds = 3 }
[space]
learning_rate = { low = 0.01, high = 2, scale = "log" }
momentum = { low = 0, high = 0.9, scale = "reverse_log" }
"""
EXPERIMENT = from_table(tomllib.loads(QUADRATIC))


def computed(batch_size: int, point: dict[str, Value]) -> Steps:
    """Steps to target by the model."""
    workload = EXPERIMENT.build_objective()
    assert isinstance(workload, QuadraticWorkload)
    return steps_to_target(
        workload.model,
        workload.rule,
        batch_size=batch_size,
        learning_rate=float(point["learning_rate"]),
        coefficient=float(point["momentum"]),
        target=0.03,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of the experiment, searched and then trained with the rules from batch size 64."""
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('quadratic') / 'tuner.db'}")) as opened:
        opened.submit(EXPERIMENT)
        work_through(opened)
        searched = opened.record("quadratic")
        assert measured_costs(searched) == ()
        assert rules_section(findings(searched)) is None
        work_through(opened, task=Extra("quadratic", wanted_runs(searched, base_of(searched, None))))
        yield opened


@pytest.fixture(scope="module")
def record(store: Store) -> ExperimentRecord:
    return store.record("quadratic")


@pytest.fixture(scope="module")
def found(record: ExperimentRecord) -> RuleCosts:
    return rule_costs(record)


def test_a_rule_costs_what_the_model_computes(found: RuleCosts) -> None:
    checked = [each for _, costs in found.costs for each in costs]

    assert (found.base, found.batch_sizes, len(found.costs), found.is_complete) == (64, (256, 16384), 4, True)
    for each in checked:
        steps = computed(each.batch_size, dict(each.hyperparameters))
        if isinstance(steps, Never):
            assert each.fails
            assert each.failures == (("diverged", 3),)
        else:
            assert each.score == pytest.approx(steps, rel=EXACT)
            assert each.ratio == pytest.approx(steps / each.tuned, rel=EXACT)
            assert each.low == each.high == each.ratio  # the expected loss knows no seeds
    assert {each.fails for each in checked} == {True, False}


@pytest.mark.parametrize("seeds", [4, 5])
def test_the_interval_of_a_ratio_needs_five_seeds_of_both(record: ExperimentRecord, seeds: int) -> None:
    """Here seeds differ: each takes a hundredth more steps than the one before."""

    def more(trial: TrialRecord) -> TrialRecord:
        end, role = trial.end, trial.plan.role
        if end is None or role not in (Role.RULE, Role.REPORT) or end.outcome is not Outcome.ACHIEVED:
            return trial
        return replace(trial, end=replace(end, steps=round(end.steps * (1 + trial.plan.repeat / 100))))

    def grown(study: StudyRecord) -> StudyRecord:
        last = [each for each in study.trials if each.plan.repeat == 4 and each.plan.role in (Role.RULE, Role.REPORT)]
        added = [
            replace(each, number=1000 * new + each.number, plan=replace(each.plan, repeat=new))
            for new in range(5, 2 + seeds)
            for each in last
        ]
        return replace(study, trials=tuple(map(more, (*study.trials, *added))))

    settings = replace(record.experiment.confirmation, report_seeds=seeds)
    experiment = replace(record.experiment, confirmation=settings)
    costs = rule_costs(replace(record, experiment=experiment, studies=tuple(map(grown, record.studies)))).costs

    known = [each for _, own in costs for each in own if not each.fails]
    assert known
    assert all(len(each.per_seed) == each.tuned_seeds == seeds for each in known)
    assert {each.has_interval for each in known} == {seeds == 5}
    if seeds == 5:
        assert all(each.low < each.ratio < each.high for each in known if each.ratio is not None)


def test_the_rules_lead_where_they_say(record: ExperimentRecord, found: RuleCosts) -> None:
    settings = record.experiment.confirmation
    optima = {each.batch_size: confirm(each, settings) for each in record.studies}

    for rule, costs in found.costs:
        for each in costs:
            base, there = optima[64], optima[each.batch_size]
            assert base is not None
            assert there is not None
            growth = each.batch_size / 64
            factor = growth if rule.scaling == "linear" else growth**0.5
            before, after = value_of(rule.of, base.hyperparameters), value_of(rule.of, each.hyperparameters)
            kept = there if rule.of == EFFECTIVE_LEARNING_RATE else base
            assert before is not None
            assert after == pytest.approx(factor * before, rel=1e-9)
            assert each.hyperparameters["momentum"] == kept.hyperparameters["momentum"]


def test_what_has_run_keeps_its_number_and_is_not_wanted_again(record: ExperimentRecord) -> None:
    wanted = wanted_runs(record, base_of(record, None))

    task = Extra("quadratic", wanted)
    assert task.is_done(record.studies)
    assert {each.point for runs in wanted.values() for each in runs} == {RULES_FROM + each for each in range(4)}
    elsewhere = wanted_runs(record, base_of(record, 256))
    assert {each.point for each in elsewhere[16384]} == {RULES_FROM + each for each in range(4, 8)}


def test_rules_that_lead_to_the_same_point_are_trained_once(record: ExperimentRecord) -> None:
    same = [_with_momentum(each, 0.5) for each in record.studies]

    wanted = wanted_runs(replace(record, studies=tuple(same)), base_of(replace(record, studies=tuple(same)), None))

    assert {size: len({each.point for each in runs}) for size, runs in wanted.items()} == {256: 2, 16384: 2}


def _with_momentum(study, momentum: float):  # type: ignore[no-untyped-def]
    trials = [
        replace(each, plan=replace(each.plan, hyperparameters={**each.plan.hyperparameters, "momentum": momentum}))
        for each in study.trials
        if each.plan.role is not Role.RULE
    ]
    return replace(study, trials=tuple(trials))


def test_a_start_whose_points_were_run_for_another_is_not_shown(record: ExperimentRecord) -> None:
    """From 64 the square-root rule, and from 256 the linear rule, lead to four times the learning rate at 1,024."""
    small, same, large = (replace(each, trials=_without_rules(each)) for each in record.studies)
    settings, template = record.experiment.confirmation, record.studies[1].finished(Role.RULE)[0]
    there, own = confirm(small, settings), confirm(same, settings)
    assert there is not None
    assert own is not None
    moved = [
        replace(each, plan=replace(each.plan, hyperparameters=dict(there.hyperparameters)))
        if each.plan.hyperparameters == own.hyperparameters
        else each
        for each in same.trials
    ]
    alike = replace(record, studies=(small, replace(same, trials=tuple(moved)), replace(large, batch_size=1024)))

    def trained(study: StudyRecord, runs: Sequence[PointRun]) -> StudyRecord:
        plans = [
            replace(template.plan, point=run.point, repeat=run.repeat, hyperparameters=run.hyperparameters)
            for run in runs
        ]
        added = [replace(template, number=len(study.trials) + index, plan=plan) for index, plan in enumerate(plans)]
        return replace(study, trials=(*study.trials, *added))

    def with_rules(searched: ExperimentRecord, base: int) -> ExperimentRecord:
        runs = wanted_runs(searched, base_of(searched, base))
        return replace(
            searched, studies=tuple(trained(each, runs.get(each.batch_size, ())) for each in searched.studies)
        )

    first = with_rules(alike, 64)
    both = with_rules(first, 256)

    assert any(one.per_seed for _, costs in rule_costs(first, 256).costs for one in costs)
    assert [each.base for each in measured_costs(first)] == [64]
    assert [each.base for each in measured_costs(both)] == [64, 256]


def _without_rules(study: StudyRecord) -> tuple[TrialRecord, ...]:
    return tuple(each for each in study.trials if each.plan.role is not Role.RULE)


def test_its_section_says_where_rules_fail(record: ExperimentRecord) -> None:
    section = rules_section(findings(record))

    assert section is not None
    (table,), (drawing,) = section.tables, section.drawings
    assert [row[0] for row in table.rows] == ["256", "16,384"]
    assert table.rows[1][1] == "3 of 3 diverged"
    begins = "With the linear rule from batch size 64, no seed reached the target at batch size 16,384; elsewhere "
    assert section.notes[0].startswith(f"{begins}training comes to at most ")
    assert any("; it is worse than tuned at batch size 256 (exact, the same for" in each for each in section.notes)
    fails = "at 1 of 2 batch sizes, the smallest 16,384"
    assert f" fails with the linear rule {fails}, " in section.answer
    assert section.answer.endswith(": half of the seeds or fewer reached the target there.")
    lines = {each.get_gid() for each in drawing.figure.axes[0].get_lines()}
    assert {"tuned", "rule", "never"} <= lines
    assert "interval" not in lines  # the expected loss knows no seeds
    assert "(exact, the same for every seed)" in section.notes[0]
    assert section.values == {"starts": [rule_costs(record).to_json()]}


def test_a_rule_that_reached_the_target_on_a_few_seeds_did_not_never_reach_it(found: RuleCosts) -> None:
    (rule, (first, last)), *_ = found.costs
    few = replace(last, per_seed=(last.tuned, math.inf, math.inf), failures=(("missed the target", 2),))
    (said,) = replace(found, costs=((rule, (first, few)),)).sentences

    assert said.startswith(
        f"With the {rule.name} from batch size 64, half of the seeds or fewer reached the target at batch size 16,384;"
    )
    assert cell(few) == "2 of 3 missed the target"
    legend = draw_rules(replace(found, costs=((rule, (first, few)),))).axes[0].get_legend()
    assert legend is not None
    assert "half of the seeds or fewer reached the target" in [each.get_text() for each in legend.get_texts()]


def changed(**tables: object) -> Experiment:
    return from_table({**tomllib.loads(QUADRATIC), **tables})


RATE = {"low": 0.01, "high": 1, "scale": "log"}


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (changed(space={"learning_rate": {"value": 0.1}, "momentum": {"value": 0.5}}), "nothing was tuned"),
        (changed(space={"learning_rate": {"value": 0.1}, "momentum": RATE}), "learning_rate is not searched"),
    ],
)
def test_what_no_rule_can_be_asked_about_is_said(
    record: ExperimentRecord, experiment: Experiment, message: str
) -> None:
    with pytest.raises(TunerError, match=message):
        rule_costs(replace(record, experiment=experiment))


def test_a_batch_size_without_an_optimum_is_no_start(record: ExperimentRecord) -> None:
    small, middle, large = record.studies
    unfinished = replace(record, studies=(replace(small, complete=False), middle, large))

    assert rule_costs(unfinished).base == 256
    assert rule_costs(unfinished).left_out == (64,)
    with pytest.raises(TunerError, match=r"batch size 64 of quadratic has no confirmed optimum.*have: 256, 16384"):
        rule_costs(unfinished, 64)
    with pytest.raises(TunerError, match="at batch size 256 only"):
        rule_costs(replace(record, studies=(middle,)))
    with pytest.raises(TunerError, match="quadratic has no complete batch size"):
        rule_costs(replace(record, studies=()))


def test_without_momentum_there_are_two_rules(record: ExperimentRecord) -> None:
    alone = changed(space={"learning_rate": RATE, "momentum": {"value": 0.5}})

    costs = rule_costs(replace(record, experiment=alone)).costs

    assert [(str(rule.scaling), rule.of) for rule, _ in costs] == [
        ("linear", LEARNING_RATE),
        ("square root", LEARNING_RATE),
    ]


@pytest.mark.parametrize(("by_rule", "tuned"), [(1, 1), (2, 5), (5, 4)])
def test_too_few_seeds_have_no_interval_and_no_verdict(found: RuleCosts, by_rule: int, tuned: int) -> None:
    (rule, (first, _)), *_ = found.costs
    seeds = first.per_seed[:1] * by_rule
    few = replace(first, per_seed=seeds, low=0.0, high=math.inf, tuned_seeds=tuned, is_exact=False)
    alone = replace(found, costs=((rule, (few,)),))
    (said,) = alone.sentences

    fewest = min(by_rule, tuned)
    assert said.endswith(f", at batch size 256; too few seeds for an interval ({fewest}; at least 5).")
    assert (few.to_json(found.unit)["low"], few.to_json(found.unit)["high"]) == (None, None)
    assert "interval" not in {line.get_gid() for line in draw_rules(alone).axes[0].get_lines()}
