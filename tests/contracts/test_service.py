"""What a store must guarantee to many workers: what is open, who has what, and word of every change."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.contracts.stored import small
from tests.contracts.test_claim import claim_when_free, worker
from tuner.errors import StoreError
from tuner.records import ExperimentState, Holder
from tuner.stores import Claim, OpenStudy, Store
from tuner.stores.opening import open_store


@contextmanager
def claimed(store: Store, *, by: str = "host/1") -> Iterator[Claim]:
    """A claim of batch size 64 that is there for the taking."""
    with store.claim("small", 64, worker=by, device="cuda:1") as claim:
        assert claim is not None
        yield claim


def open_studies(store: Store) -> list[tuple[str, int]]:
    return [(each.experiment, each.batch_size) for each in store.open_studies()]


def holder(store: Store) -> Holder | None:
    return store.record("small").studies[1].holder


def test_the_oldest_experiment_comes_first_and_its_largest_batch_size(store: Store) -> None:
    store.submit(small(name="a-later-one"))

    assert open_studies(store) == [("small", 64), ("small", 8), ("a-later-one", 64), ("a-later-one", 8)]


def test_a_complete_study_is_not_open(store: Store) -> None:
    with claimed(store) as claim:
        claim.complete()

    assert open_studies(store) == [("small", 8)]


def test_a_study_that_was_set_aside_is_not_open_until_it_is_reopened(store: Store) -> None:
    with claimed(store) as claim:
        claim.set_aside(error="ZeroDivisionError: the toy is broken")

    assert open_studies(store) == [("small", 8)]
    assert [each.error for each in store.record("small").studies] == ["", "ZeroDivisionError: the toy is broken"]
    assert not store.record("small").studies[1].complete

    store.reopen("small")

    assert open_studies(store) == [("small", 64), ("small", 8)]
    assert store.record("small").studies[1].error == ""


@pytest.mark.parametrize("state", [ExperimentState.PAUSED, ExperimentState.CANCELLED])
def test_an_experiment_is_closed_to_workers_and_its_record_can_be_read(store: Store, state: ExperimentState) -> None:
    store.submit(small(name="other"))

    store.set_state("small", state)

    assert open_studies(store) == [("other", 64), ("other", 8)]
    assert store.record("small").state is state
    assert store.record("other").state is ExperimentState.OPEN


def test_a_paused_experiment_is_opened_again(store: Store) -> None:
    store.set_state("small", ExperimentState.PAUSED)
    store.submit(small())
    store.set_state("small", ExperimentState.OPEN)

    assert open_studies(store) == [("small", 64), ("small", 8)]


def test_a_cancelled_experiment_stays_cancelled(store: Store) -> None:
    store.set_state("small", ExperimentState.CANCELLED)

    with pytest.raises(StoreError, match="small was cancelled, which is for good; submit it again under another name"):
        store.set_state("small", ExperimentState.OPEN)
    with pytest.raises(StoreError, match="small was cancelled"):
        store.submit(small())
    with pytest.raises(StoreError, match="there is no experiment other"):
        store.set_state("other", ExperimentState.PAUSED)
    with pytest.raises(StoreError, match="there is no experiment other"):
        store.reopen("other")


def test_a_study_says_who_has_it_until_it_is_handed_back(store: Store, store_url: str) -> None:
    with closing(open_store(store_url)) as other:
        with claimed(store):
            found = holder(other)
            assert other.claimed() == {("small", 64)}
            assert other.open_studies() == [
                OpenStudy("small", 64, is_free=False),
                OpenStudy("small", 8, is_free=True),
            ]

        assert other.claimed() == set()
        assert holder(other) is None
    assert found is not None
    assert (found.worker, found.device) == ("host/1", "cuda:1")
    assert abs(datetime.now(UTC) - found.since) < timedelta(minutes=1)


def test_a_study_whose_worker_died_is_not_claimed(store: Store, store_url: str) -> None:
    with worker(store_url, "print('ready', flush=True); sys.stdin.read()") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert store.claimed() == {("small", 64)}
        process.kill()
        process.wait()

        claim_when_free(store)
    assert store.claimed() == set()


def test_a_claim_that_stands_is_checked_silently(store: Store) -> None:
    with claimed(store) as claim:
        claim.check()

        assert claim.experiment == small()


def test_a_listener_hears_or_looks_often(store: Store, store_url: str) -> None:
    with closing(open_store(store_url)) as other, store.listen() as listener:
        other.set_state("small", ExperimentState.PAUSED)

        assert listener.wait(5.0 if store_url.startswith("postgresql") else 0.0) or listener.poll_seconds < 1


@pytest.mark.parametrize("change", ["submit", "reopen", "complete", "set_aside", "hand_back"])
def test_what_makes_work_or_ends_it_is_announced(postgres_url: str, change: str) -> None:
    with closing(open_store(postgres_url)) as store, closing(open_store(postgres_url)) as other:
        store.submit(small())
        with store.listen() as listener:
            if change == "submit":
                other.submit(small(name="another"))
            elif change == "reopen":
                other.reopen("small")
            else:
                with claimed(other) as claim:
                    if change == "complete":
                        claim.complete()
                    elif change == "set_aside":
                        claim.set_aside(error="broken")
                    if change != "hand_back":
                        assert listener.wait(5.0)

            assert listener.wait(5.0)


def die_with_a_claim(store_url: str, *, after_a_trial: bool = False) -> None:
    """Another process that claims batch size 64 and is killed."""
    trial = "claim.finish(claim.start(plan(0)), achieved(), loss=1.0); " if after_a_trial else "claim.start(plan(0)); "
    with worker(store_url, f"{trial}os.kill(os.getpid(), signal.SIGKILL)") as process:
        assert process.wait() == -9


@pytest.mark.slow
def test_a_study_that_kills_five_workers_in_a_row_is_set_aside(store: Store, store_url: str) -> None:
    die_with_a_claim(store_url, after_a_trial=True)
    claim_when_free(store)  # and hands it back: no death
    for _ in range(5):
        assert ("small", 64) in open_studies(store)
        die_with_a_claim(store_url)
        while store.claimed():  # a server may notice a moment later than we
            pass
    claim_when_free(store)

    assert open_studies(store) == [("small", 8)]
    assert store.record("small").studies[1].error.startswith("5 workers in a row died before they had finished a trial")
