"""Rules on a small network that is really trained."""

import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.working import work_through
from tuner.analysis.rules.costs import rule_costs
from tuner.analysis.rules.points import base_of, wanted_runs
from tuner.experiment import from_table, preset_text
from tuner.records import Role
from tuner.search.replay import replay
from tuner.search.tasks.extra import Extra
from tuner.stores.opening import open_store

FEW = {
    "batch_sizes": [32, 256],
    "goal": {"metric": "validation/error", "below": 0.1, "within_steps": 4000},
    "search": {"points": 10, "probes": 0, "max_rounds": 1},
    "confirmation": {"candidates": 1, "neighbours": False, "choose_seeds": 1, "report_seeds": 3},
}


@pytest.mark.slow
def test_digits_are_trained_with_every_rule_and_each_trial_can_be_replayed(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as store:
        store.submit(from_table({**tomllib.loads(preset_text("digits")), **FEW}))
        work_through(store)
        searched = store.record("digits")
        work_through(store, task=Extra("digits", wanted_runs(searched, base_of(searched, None))))
        record = store.record("digits")

    found = rule_costs(record)
    trial = record.studies[1].finished(Role.RULE)[0]
    assert (found.base, found.batch_sizes, len(found.costs), found.is_complete) == (32, (256,), 4, True)
    for _, (cost,) in found.costs:
        assert cost.ratio is not None
        assert cost.low <= cost.ratio <= cost.high
    assert trial.end is not None
    assert "test/error" in trial.end.final
    assert replay(record, batch_size=256, number=trial.number).same
