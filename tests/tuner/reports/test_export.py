"""Exports of curves in which some values are estimates, and some metrics are measured now and then."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.stored import claimed, plan, small
from tuner.experiment import from_table
from tuner.reports.export import write_csv, write_json
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.trial import Measurement, Outcome, TrialResult

CURVE = (
    Measurement(1, {"train/loss": 2.0, "validation/error": 0.9}, {"validation/error": 512}),
    Measurement(2, {"train/loss": 1.0, "validation/error": 0.02, "test/error": 0.03}),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as opened:
        opened.submit(small())
        with claimed(opened) as claim:
            claim.finish(claim.start(plan(0)), TrialResult(Outcome.ACHIEVED, 2, 400, CURVE), loss=1.0)
        yield opened


def test_a_row_says_how_many_examples_it_rests_on_and_leaves_out_what_was_not_measured(store: Store) -> None:
    out = io.StringIO()
    write_csv(store, "small", out)
    out.seek(0)

    rows = [(each["step"], each["test/error"], each["examples"]) for each in csv.DictReader(out)]
    assert rows == [("1", "", "512"), ("2", "0.03", "")]


def test_a_text_that_a_spreadsheet_would_run_is_quoted_and_a_number_is_not(tmp_path: Path) -> None:
    texts = ["=cmd|' /c calc'!A0", "@sum", "+1", "-1", "\t=1", "adam"]
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        space = {"learning_rate": {"value": -0.5}, "rule": {"options": texts}}
        store.submit(from_table({**small().to_table(), "space": space}))
        with claimed(store) as claim:
            for number, text in enumerate(texts):
                given = replace(plan(number), hyperparameters={"learning_rate": -0.5, "rule": text})
                claim.finish(claim.start(given), TrialResult(Outcome.ACHIEVED, 2, 400, CURVE[:1]), loss=1.0)
        out = io.StringIO()
        write_csv(store, "small", out)
    out.seek(0)

    rows = [*csv.DictReader(out)]
    assert [each["rule"] for each in rows] == ["'=cmd|' /c calc'!A0", "'@sum", "'+1", "'-1", "'\t=1", "adam"]
    assert {each["learning_rate"] for each in rows} == {"-0.5"}


def test_json_has_null_for_what_was_not_measured_and_for_all_examples(store: Store) -> None:
    out = io.StringIO()
    write_json(store, "small", out)

    (trial,) = json.loads(out.getvalue())["trials"]
    assert trial["curve"] == {
        "step": [1, 2],
        "examples": [512, None],
        "train/loss": [2.0, 1.0],
        "validation/error": [0.9, 0.02],
        "test/error": [None, 0.03],
    }
