"""Damaged rows: they are named, left out where that is safe, and never hide other experiments."""

import dataclasses
import json
import logging
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.contracts.stored import achieved, claimed, database, plan, small
from tests.working import work_through
from tuner.cli.status import store_table
from tuner.errors import DamagedRecord, StoreError, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, Notice
from tuner.records import ExperimentRecord, ExperimentState
from tuner.stores import Store
from tuner.stores.opening import open_progress, open_records
from tuner.trial import Measurement


@pytest.fixture
def searched(store: Store) -> Store:
    """The small experiment with three trials at batch size 64, and another one that nobody has begun."""
    with claimed(store) as claim:
        for point in range(3):
            claim.finish(claim.start(plan(point)), achieved(3 + point), loss=1.0)
    store.submit(small(name="other"))
    return store


def damage(store_url: str, statement: str, **values: object) -> None:
    """Change the database behind the store's back."""
    with database(store_url) as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def trial_id(store_url: str, number: int) -> int:
    with database(store_url) as connection:
        found = connection.execute(
            text("SELECT trial_id FROM trials JOIN study ON study.study_id = trials.study_id WHERE number = :n"),
            {"n": number},
        ).scalar_one()
        assert isinstance(found, int)
        return found


def make_unreadable(store_url: str) -> None:
    damage(store_url, "UPDATE experiment SET settings = 'no JSON' WHERE name = 'small'")


def read(store_url: str, name: str = "small") -> ExperimentRecord:
    with closing(open_records(store_url)) as records:
        return records.record(name)


def notices_of_a_worker(store: Store) -> Iterator[str]:
    """What a worker says that can train nothing here."""
    said: list[Event] = []

    def build(experiment: Experiment) -> Objective:
        raise TunerError("trains nothing")

    work_through(store, emit=said.append, build=build)
    return (each.text for each in said if isinstance(each, Notice))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("settings", "no JSON", "the experiment small cannot be read: Expecting value"),
        ("settings", "[]", r"the experiment small cannot be read: its settings is '\[\]', and no table"),
        ("settings", json.dumps(small(name="third").to_table()), "its settings are those of 'third'"),
        (
            "settings",
            json.dumps({**small().to_table(), "speed": 1}),
            "settings of small mean nothing .*: speed: is not",
        ),
        ("state", "asleep", "its state is 'asleep', and none of open, paused, cancelled"),
    ],
)
def test_an_experiment_that_cannot_be_read_is_one_row(
    searched: Store, store_url: str, column: str, value: str, reason: str
) -> None:
    damage(store_url, f"UPDATE experiment SET {column} = :value WHERE name = 'small'", value=value)

    with closing(open_progress(store_url)) as progress:
        found = progress.survey()
        with pytest.raises(DamagedRecord, match=reason):
            progress.read("small")

    assert [each.experiment.name for each in found.experiments] == ["other"]
    assert [each.name for each in found.unreadable] == ["small"]
    assert found == found.__class__(found.experiments, found.unreadable)
    assert store_table(found) is not None
    with pytest.raises(DamagedRecord, match=reason):
        read(store_url)
    assert read(store_url, "other").studies


def test_a_worker_leaves_an_unreadable_experiment_alone_and_reads_the_others(searched: Store, store_url: str) -> None:
    make_unreadable(store_url)

    said = list(notices_of_a_worker(searched))

    assert [each.split(":")[0] for each in said if "left alone" in each] == [
        "small, batch size 64",
        "small, batch size 8",
        "other is left to other workers",
    ]
    assert "trains nothing; left alone until" in said[-1]


@pytest.mark.parametrize("statement", ["stage = 'asleep'", "space = '{'", "stage = 'asleep', batch_size = 7"])
def test_a_worker_leaves_a_damaged_study_alone_and_reads_the_others(
    searched: Store, store_url: str, statement: str
) -> None:
    damage(store_url, f"UPDATE study SET {statement} WHERE study_id = (SELECT min(study_id) FROM study)")

    said = list(notices_of_a_worker(searched))

    assert any("small" in each and "cannot be read" in each and "left alone" in each for each in said)
    assert any(each.startswith("other is left to other workers: trains nothing") for each in said)


def test_an_unreadable_experiment_can_be_paused_and_deleted(searched: Store, store_url: str) -> None:
    make_unreadable(store_url)

    searched.set_state("small", ExperimentState.PAUSED)
    assert {each.experiment for each in searched.open_studies()} == {"other"}
    searched.delete("small")

    assert list(searched.names()) == ["other"]
    with database(store_url) as connection:
        assert connection.scalar(text("SELECT count(*) FROM trials")) == 0


DAMAGES = [
    ("UPDATE trial_end SET outcome = 'odd' WHERE trial_id = :id", "its outcome is 'odd', and none of achieved"),
    ("UPDATE trial_end SET steps = -3 WHERE trial_id = :id", "its steps is -3, and no whole number from 0"),
    ("UPDATE trial_end SET steps = 4000 WHERE trial_id = :id", "its steps are 4000, more than its limit 400"),
    ("UPDATE trial_end SET final = '[' WHERE trial_id = :id", "Expecting value"),
    ("UPDATE trial_end SET role = 'report' WHERE trial_id = :id", "its result is that of another study or role"),
    ("UPDATE trial_end SET study_id = 0 WHERE trial_id = :id", "its result belongs to no study"),
    ("UPDATE trial_end SET study_id = 999 WHERE trial_id = :id", "its result is that of another study or role"),
    ("DELETE FROM trial_end WHERE trial_id = :id", "its result is missing"),
    ("DELETE FROM trial_user_attributes WHERE key = 'plan' AND trial_id = :id", "its plan is missing, and no text"),
    ("UPDATE trial_user_attributes SET value_json = '{}' WHERE key = 'plan' AND trial_id = :id", "hyperparameters"),
    ("UPDATE trials SET number = 7 WHERE trial_id = :id", "trial 1 is missing"),
    ("UPDATE trials SET number = 0 WHERE trial_id = :id", "trial 0 cannot be read: it is there twice"),
    ("UPDATE trials SET datetime_start = NULL WHERE trial_id = :id", "its start is missing, and no time"),
]


@pytest.mark.parametrize(("statement", "reason"), DAMAGES)
def test_a_damaged_trial_is_named_left_out_and_not_searched_on(
    searched: Store, store_url: str, caplog: pytest.LogCaptureFixture, statement: str, reason: str
) -> None:
    damage(store_url, statement, id=trial_id(store_url, 1))

    with caplog.at_level(logging.WARNING):
        record = read(store_url)

    assert "warning: small, batch size 64, round 1" in caplog.text
    assert reason in caplog.text
    assert reason in record.damaged[0]
    assert len(record.studies[1].trials) < 4
    with pytest.raises(DamagedRecord, match="small, batch size 64, round 1"):
        searched.record("small")
    with claimed(searched) as claim, pytest.raises(DamagedRecord, match="small, batch size 64, round 1"):
        claim.record()
    with claimed(searched, 8) as claim:
        assert claim.record().damaged == ()


def test_a_result_whose_trial_is_missing_is_named(searched: Store, store_url: str) -> None:
    last = trial_id(store_url, 2)
    for table in ("trial_user_attributes", "trial_values", "trial_params", "trial_intermediate_values", "trials"):
        damage(store_url, f"DELETE FROM {table} WHERE trial_id = :id", id=last)

    assert read(store_url).damaged == (
        "small, batch size 64, round 1 cannot be read whole: 1 of its trials is missing",
    )


@pytest.mark.parametrize("statement", ["outcome = 'odd'", "steps = -1"])
def test_a_result_that_cannot_be_read_is_not_counted(searched: Store, store_url: str, statement: str) -> None:
    damage(store_url, f"UPDATE trial_end SET {statement} WHERE trial_id = :id", id=trial_id(store_url, 0))

    with closing(open_progress(store_url)) as progress:
        (found,) = progress.read("small")

    assert (found.studies[1].searched, found.studies[1].damaged, found.studies[1].best) == (2, 1, 4)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE measurement SET step = -1 WHERE step = 2 AND trial_id = :id", "its step is -1"),
        ("UPDATE measurement SET examples = 0 WHERE step = 2 AND trial_id = :id", "its examples at step 2 is 0"),
        ("UPDATE measurement SET step = 1 WHERE step = 2 AND trial_id = :id", "its step 1 has a metric twice"),
        ("DELETE FROM measurement WHERE step = 4 AND trial_id = :id", "it ends at step 3, and the trial at 4"),
    ],
)
def test_a_damaged_curve_is_named_and_left_out(
    searched: Store, store_url: str, caplog: pytest.LogCaptureFixture, statement: str, reason: str
) -> None:
    damage(store_url, statement, id=trial_id(store_url, 1))

    with closing(open_records(store_url)) as records:
        curves = records.curves("small", 64)

    assert sorted(curves) == [0, 2]
    assert f"the curve of small, batch size 64, round 1, trial 1 cannot be read: {reason}" in caplog.text


def test_what_was_added_is_left_out_if_it_cannot_be_read(
    searched: Store, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    searched.submit(small(search={"sampler": {"kind": "random"}, "points": 6}))
    damage(store_url, "UPDATE experiment_growth SET added = '[1]'")

    record = read(store_url)

    assert record.growth == ()
    assert "what was added to small cannot be read: its phrase is 1, and no text; it is left out" in caplog.text
    assert searched.record("small").studies  # which no search depends on


def test_a_version_that_is_no_number_is_an_error(searched: Store, store_url: str) -> None:
    if store_url.startswith("postgresql"):
        pytest.skip("PostgreSQL lets no text into a column of numbers")
    damage(store_url, "UPDATE tuner_schema SET version = 'garbage'")

    with pytest.raises(StoreError, match="its version is 'garbage', and no whole number"):
        open_records(store_url)


def test_a_curve_whose_last_measurement_has_no_metrics_is_whole(searched: Store, store_url: str) -> None:
    curve = (*achieved().curve, Measurement(9, {}))
    result = dataclasses.replace(achieved(), curve=curve)
    with claimed(searched) as claim:
        number = claim.start(plan(3))
        claim.finish(number, result, loss=1.0)

    with closing(open_records(store_url)) as records:
        assert records.curves("small", 64)[number] == curve
