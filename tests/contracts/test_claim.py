"""What a claim must guarantee: one owner at a time, no orphans, and nothing lost when a worker dies at any point."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import optuna
import pytest
from sqlalchemy import create_engine, text

from tests.contracts.stored import achieved, plan, small
from tuner.errors import StoreError
from tuner.records import StudyRecord, TrialRecord, TrialState
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.stores.urls import parse

ORPHANED = "orphaned: its worker ended without a word"
INTERRUPTED = "interrupted: its worker let go of the study"


def run_sql(url: str, statement: str) -> None:
    """A statement behind the store's back."""
    engine = create_engine(parse(url))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def worker(url: str, code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has claimed batch size 64 and then runs this code."""
    program = f"""
import os, signal, sys
import tuner.stores.relational.claims
from tests.contracts.stored import achieved, plan
from tuner.stores.opening import open_store
with open_store(sys.argv[1]).claim("small", 64) as claim:
    assert claim is not None
    {code}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def claim_when_free(store: Store) -> StudyRecord:
    """What the next owner finds. A server may notice a moment later than we that a process has died."""
    for _ in range(1000):
        with store.claim("small", 64) as claim:
            if claim is not None:
                return claim.record()
    raise AssertionError("the dead worker's claim was never released")


def ends(record: StudyRecord) -> list[tuple[TrialState, str]]:
    return [(each.state, each.reason) for each in record.trials]


def told_to_optuna(store: Store) -> list[tuple[str, float | None]]:
    """What Optuna holds of each trial."""
    trials = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url).trials
    return [(each.state.name, each.value) for each in trials]


def test_a_study_has_one_owner(store: Store, store_url: str) -> None:
    with closing(open_store(store_url)) as other:
        with store.claim("small", 64) as claim, other.claim("small", 64) as refused, other.claim("small", 8) as free:
            assert claim is not None
            assert refused is None
            assert free is not None
        with other.claim("small", 64) as released:
            assert released is not None


def test_a_store_does_not_claim_twice(store: Store) -> None:
    with store.claim("small", 64) as claim, store.claim("small", 64) as again:
        assert claim is not None
        assert again is None


def test_experiments_are_claimed_apart(store: Store) -> None:
    store.submit(small(name="other"))

    with store.claim("small", 64) as one, store.claim("other", 64) as another:
        assert one is not None
        assert another is not None


def test_trials_left_running_fail_on_leaving(store: Store) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
        claim.start(plan(1))

    assert ends(store.record("small").studies[1]) == [(TrialState.FINISHED, ""), (TrialState.FAILED, INTERRUPTED)]


def test_an_error_leaves_the_claim_in_order_and_goes_on(store: Store) -> None:
    def work() -> None:
        with store.claim("small", 64) as claim:
            assert claim is not None
            claim.start(plan(0))
            raise ZeroDivisionError("the code broke")

    with pytest.raises(ZeroDivisionError, match="the code broke"):
        work()
    assert ends(store.record("small").studies[1]) == [(TrialState.FAILED, INTERRUPTED)]
    with store.claim("small", 64) as released:
        assert released is not None


def test_a_claim_dies_with_its_process(store: Store, store_url: str) -> None:
    with worker(store_url, "claim.start(plan(0)); print('ready', flush=True); sys.stdin.read()") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with store.claim("small", 64) as refused:
            assert refused is None
        process.kill()
        process.wait()

        assert ends(claim_when_free(store)) == [(TrialState.FAILED, ORPHANED)]


@pytest.mark.parametrize("killed_at", ["write_measurements", "insert_curve", "end_trial"])
def test_a_worker_killed_while_it_finishes_a_trial_leaves_nothing_of_it(
    store: Store, store_url: str, killed_at: str
) -> None:
    owner = "type(claim.database)" if killed_at == "write_measurements" else "tuner.stores.relational.claims"
    die = f"{owner}.{killed_at} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)"
    code = f"number = claim.start(plan(0)); {die}; claim.finish(number, achieved(), loss=1.5)"
    with worker(store_url, code) as process:
        assert process.wait() == -9

    record = claim_when_free(store)

    assert ends(record) == [(TrialState.FAILED, ORPHANED)]
    assert store.curves("small", 64) == {}
    assert told_to_optuna(store) == [("FAIL", None)]


@pytest.mark.parametrize("failed", [False, True])
def test_a_trial_that_an_earlier_version_had_not_told_optuna_of_is_told(
    store: Store, store_url: str, failed: bool
) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        number = claim.start(plan(0))
        claim.fail(number, reason="bad luck") if failed else claim.finish(number, achieved(), loss=1.5)
    run_sql(store_url, "DELETE FROM trial_values")
    run_sql(store_url, "UPDATE trials SET state = 'RUNNING'")

    record = claim_when_free(store)

    assert ends(record) == [(TrialState.FAILED, "bad luck") if failed else (TrialState.FINISHED, "")]
    assert told_to_optuna(store) == [("FAIL", None) if failed else ("COMPLETE", 1.5)]


def test_a_claim_that_was_taken_over_cannot_write(store: Store, store_url: str) -> None:
    lost = "the claim of small/batch_size=64/round=1 is lost: another worker has taken it since"
    with store.claim("small", 64) as claim:
        assert claim is not None
        number = claim.start(plan(0))
        run_sql(store_url, "UPDATE study SET epoch = epoch + 1")

        with pytest.raises(StoreError, match=lost):
            claim.finish(number, achieved(), loss=1.0)
        with pytest.raises(StoreError, match=lost):
            claim.fail(number, reason="")
        with pytest.raises(StoreError, match=lost):
            claim.start(plan(1))
        with pytest.raises(StoreError, match=lost):
            claim.complete()

    record = store.record("small").studies[1]
    assert [each.state for each in record.trials] == [TrialState.RUNNING]
    assert not record.complete
    assert store.curves("small", 64) == {}


def test_leaving_a_lost_claim_is_no_error(store: Store, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        run_sql(store_url, "UPDATE study SET epoch = epoch + 1")

    assert "another worker has taken it since; what was running is left to the next worker" in caplog.text


def test_a_released_claim_cannot_write(store: Store) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None

    with pytest.raises(StoreError, match=r"the claim of small/batch_size=64 (is lost|has been given up already)"):
        claim.start(plan(0))
    assert store.record("small").studies[1].trials == ()


def test_the_next_owner_writes_under_its_own_claim(store: Store) -> None:
    def one(point: int) -> TrialRecord:
        with store.claim("small", 64) as claim:
            assert claim is not None
            return claim.finish(claim.start(plan(point)), achieved(), loss=float(point))

    assert [one(point).number for point in range(3)] == [0, 1, 2]
    assert len(store.curves("small", 64)) == 3
