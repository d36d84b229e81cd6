"""What every store must do: keep what it is given, and say clearly what it cannot."""

import json
import math
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, text

from tests.contracts.stored import POINT, achieved, claimed, database, diverged, finished, plan, small
from tuner.errors import StoreError
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import Origin, Role, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_records, open_store
from tuner.stores.relational.tables import SCHEMA_VERSION, ours
from tuner.trial import Measurement, Outcome, TrialResult

ORIGIN = Origin(8, 2, 17, ScalingRule.SQUARE_ROOT)


def test_a_submitted_experiment_is_read_back(store: Store) -> None:
    record = store.record("small")

    assert record.experiment == small()
    assert [(each.batch_size, each.round, each.complete, each.trials) for each in record.studies] == [
        (8, 1, False, ()),
        (64, 1, False, ()),
    ]
    assert all(each.space == small().space.at(8) for each in record.studies)


def test_names_are_listed_oldest_first(store: Store) -> None:
    store.submit(small(name="a-later-one"))

    assert list(store.names()) == ["small", "a-later-one"]


def test_submitting_the_same_again_changes_nothing(store: Store) -> None:
    with claimed(store) as claim:
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
    before = store.record("small")

    store.submit(small())

    assert store.record("small") == before


def test_an_experiment_keeps_the_defaults_of_the_version_that_stored_it(store: Store) -> None:
    earlier = small(name="earlier", confirmation={"candidates": 3, "choose_seeds": 5})
    store.submit(earlier)

    store.submit(small(name="earlier"))

    assert store.record("earlier").experiment == earlier
    with pytest.raises(StoreError, match=r"confirmation\.candidates = 3, now 2"):
        store.submit(small(name="earlier", confirmation={"candidates": 2}))


def test_another_experiment_of_the_same_name_is_refused(store: Store) -> None:
    changed = small(seed=1, search={"sampler": {"kind": "tpe"}, "points": 6})

    with pytest.raises(
        StoreError,
        match=r"an experiment small with other settings is stored already \("
        r"search\.sampler\.kind = 'random', now 'tpe'; seed = 0, now 1\); give this one another name",
    ):
        store.submit(changed)
    assert store.record("small").experiment == small()


def test_only_a_few_of_many_differences_are_shown(store: Store) -> None:
    confirmation = {"candidates": 1, "choose_seeds": 1, "report_seeds": 1}
    changed = small(seed=1, batch_sizes=[4], confirmation=confirmation, objective={"kind": "toy", "size": 3})

    with pytest.raises(StoreError, match=r"; and 2 more\); give"):
        store.submit(changed)


def test_a_trial_is_read_back_as_it_was_stored(store: Store) -> None:
    before = datetime.now(UTC)
    with claimed(store) as claim:
        number = claim.start(replace(plan(7, repeat=2, role=Role.REPORT), origin=ORIGIN))
        stored = claim.finish(number, achieved(3), loss=1.25)
        record = claim.record()

    assert record.trials == (stored,)
    assert (stored.number, stored.state, stored.reason) == (0, TrialState.FINISHED, "")
    assert stored.plan == replace(plan(7, repeat=2, role=Role.REPORT), origin=ORIGIN)
    assert stored.plan.hyperparameters == POINT
    assert stored.end is not None
    assert (stored.end.steps, stored.end.limit, stored.end.spent, stored.end.loss) == (3, 400, 3, 1.25)
    assert stored.end.final == achieved(3).final
    assert stored.ended is not None
    assert before - timedelta(seconds=1) <= stored.started <= stored.ended <= datetime.now(UTC)


def test_times_are_utc_wherever_the_worker_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        with claimed(store) as claim:
            stored = claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
    time.tzset()

    assert abs(datetime.now(UTC) - stored.started) < timedelta(minutes=1)
    assert store.record("small").studies[1].trials == (stored,)


def test_numbers_that_are_not_finite_survive(store: Store) -> None:
    with claimed(store) as claim:
        number = claim.start(plan(0))
        claim.finish(number, diverged(), loss=12.0)

    assert repr(store.curves("small", 64)[number]) == repr(diverged().curve)
    end = store.record("small").studies[1].trials[0].end
    assert end is not None
    assert math.isnan(end.final["train/loss"])


def test_what_a_value_rests_on_and_what_was_not_measured_are_kept(store: Store) -> None:
    curve = (
        Measurement(1, {"train/loss": 2.0, "validation/error": 0.9}, {"validation/error": 512}),
        Measurement(2, {"train/loss": 1.0, "validation/error": 0.02, "test/error": 0.03}),
    )
    with claimed(store) as claim:
        number = claim.start(plan(0))
        claim.finish(number, TrialResult(Outcome.ACHIEVED, 2, 400, curve), loss=1.0)

    assert store.curves("small", 64) == {number: curve}


def test_curves_are_kept_whole_and_by_trial(store: Store) -> None:
    with claimed(store) as claim:
        first, second, failed, _ = (claim.start(plan(point)) for point in range(4))
        claim.finish(second, achieved(190), loss=7.0)
        claim.finish(first, achieved(2), loss=1.0)
        claim.fail(failed, reason="out of memory")

        assert store.curves("small", 64) == {first: achieved(2).curve, second: achieved(190).curve}
        assert store.curves("small", 8) == {}


def test_a_trial_that_finished_keeps_its_score_to_the_last_bit(store: Store) -> None:
    loss = math.log2(0.02)
    with claimed(store) as claim:
        told = claim.finish(claim.start(plan(0)), finished(), loss=loss)

    (trial,) = store.record("small").studies[1].trials
    assert trial == told
    assert trial.end is not None
    assert (trial.end.outcome, trial.end.steps, trial.end.loss) == (Outcome.FINISHED, 4, loss)
    assert trial.score == 2**loss


def test_a_failed_trial_keeps_its_reason(store: Store) -> None:
    with claimed(store) as claim:
        claim.fail(claim.start(plan(0)), reason="the device is on fire")
        failed = claim.record().trials[0]

    assert (failed.state, failed.end, failed.reason) == (TrialState.FAILED, None, "the device is on fire")
    assert failed.ended is not None


def test_a_running_trial_is_seen_by_others(store: Store, store_url: str) -> None:
    with claimed(store) as claim, closing(open_store(store_url)) as other:
        claim.start(plan(0))
        running = other.record("small").studies[1].trials[0]

    assert (running.state, running.end, running.ended) == (TrialState.RUNNING, None, None)


def test_a_completed_study_stays_complete(store: Store) -> None:
    with claimed(store) as claim:
        claim.complete()
        assert claim.record().complete

    assert [each.complete for each in store.record("small").studies] == [False, True]


def test_only_a_running_trial_can_end(store: Store) -> None:
    with claimed(store) as claim:
        number = claim.start(plan(0))
        claim.finish(number, achieved(), loss=1.0)

        with pytest.raises(StoreError, match=r"trial 0 of small/batch_size=64/round=1 is not running"):
            claim.finish(number, achieved(), loss=1.0)
        with pytest.raises(StoreError, match=r"trial 5 of small/batch_size=64/round=1 is not running"):
            claim.fail(5, reason="")


def test_a_claim_can_be_used_from_another_thread(store: Store) -> None:
    with ThreadPoolExecutor(1) as bookkeeping, claimed(store) as claim:
        number = bookkeeping.submit(claim.start, plan(0)).result()
        bookkeeping.submit(claim.finish, number, achieved(), loss=1.0).result()

        assert [each.state for each in claim.record().trials] == [TrialState.FINISHED]


def test_a_name_that_is_not_there_is_answered_with_those_that_are(store: Store) -> None:
    with pytest.raises(StoreError, match=r"there is no experiment digits in .*; stored: small$"):
        store.record("digits")
    with pytest.raises(StoreError, match="there is no experiment digits"):
        store.curves("digits", 64)
    with pytest.raises(StoreError, match=r"small has no study of batch size 2; it has 8, 64"), claimed(store, 2):
        pass


def test_an_empty_store_says_so(store_url: str) -> None:
    with closing(open_store(store_url)) as store, pytest.raises(StoreError, match="stored: none yet"):
        store.record("digits")


def test_several_processes_can_open_a_fresh_store_at_once(store_url: str) -> None:
    code = """
import sys
from tests.contracts.stored import small
from tuner.stores.opening import open_records, open_store
from tuner.stores.relational.tables import ours
sys.stdin.readline()
store = open_store(sys.argv[1])
store.submit(small())
print(*store.names())
"""
    command = [sys.executable, "-c", code, store_url]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for each in openers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()

    assert [each.communicate()[0] for each in openers] == ["small\n"] * 3
    with closing(open_store(store_url)) as store:
        assert [each.batch_size for each in store.record("small").studies] == [8, 64]


def test_a_store_of_a_newer_version_is_refused_untouched(store: Store, store_url: str) -> None:
    store.close()
    with database(store_url) as connection:
        connection.execute(text(f"UPDATE tuner_schema SET version = {SCHEMA_VERSION + 1}"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'"))

    versions = rf"\(version {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}\)"
    with pytest.raises(StoreError, match=f"was written by a newer tuner {versions}; update"):
        open_store(store_url)


def test_settings_of_another_version_are_explained(store: Store, store_url: str) -> None:
    settings = {**small().to_table(), "speed": "high"}
    with database(store_url) as connection:
        connection.execute(text("UPDATE experiment SET settings = :settings"), {"settings": json.dumps(settings)})

    with pytest.raises(StoreError, match="settings of small mean nothing to this version of tuner: speed: is not"):
        store.record("small")


def test_what_a_database_raises_is_one_line(store: Store, store_url: str) -> None:
    with database(store_url) as connection:
        connection.execute(text("DROP TABLE measurement"))

    with pytest.raises(StoreError, match=r"^the store .* failed: .*measurement.*$") as raised:
        store.curves("small", 64)
    assert "\n" not in str(raised.value)


def test_a_store_that_is_being_made_is_waited_for(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader comes when Optuna's tables are there and our own are not yet."""
    half_made, waiting = threading.Event(), threading.Event()

    def pause(connection: Connection) -> None:
        half_made.set()
        waiting.wait(1)  # the reader is given time to find half of a store
        ours.create_all(connection)

    with ThreadPoolExecutor() as pool:
        monkeypatch.setattr("tuner.stores.relational.store.ours", SimpleNamespace(create_all=pause))
        made = pool.submit(open_store, store_url)
        assert half_made.wait(20)
        read = pool.submit(open_records, store_url)
        with closing(made.result()) as opened, closing(read.result()):
            assert list(opened.names()) == []
