"""What a store counts for `tuner status` is what its record says."""

import math
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contracts.stored import achieved, diverged, finished, plan, small
from tuner.errors import StoreError
from tuner.records import Role
from tuner.records.progress import StudyProgress
from tuner.stores import Store
from tuner.stores.opening import open_progress
from tuner.stores.relational.progress_reader import ProgressReader


@pytest.fixture
def progress(store: Store, store_url: str) -> Iterator[ProgressReader]:
    """What is counted in the store of the small experiment."""
    with closing(open_progress(store_url)) as reader:
        yield reader


def study(progress: ProgressReader) -> StudyProgress:
    """The study of batch size 64."""
    (found,) = progress.read("small")
    return found.studies[1]


def test_a_study_that_nobody_has_begun_counts_nothing(progress: ProgressReader) -> None:
    (found,) = progress.read()

    assert found.experiment == small()
    assert found.studies == (StudyProgress(8, 1, complete=False), StudyProgress(64, 1, complete=False))


def test_trials_are_counted_by_role_and_end_over_all_rounds(store: Store, progress: ProgressReader) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        for point, result in enumerate((achieved(7), diverged())):
            claim.finish(claim.start(plan(point)), result, loss=1.0)
        claim.fail(claim.start(plan(2)), reason="out of memory")
        claim.open_round(small().space.at(8))
        claim.finish(claim.start(plan(2)), achieved(5), loss=1.0)
        claim.finish(claim.start(plan(2, repeat=1, role=Role.CHOOSE)), achieved(4), loss=1.0)
        claim.finish(claim.start(plan(3, role=Role.PROBE)), achieved(4), loss=1.0)
        claim.start(plan(2, repeat=2, role=Role.CHOOSE))
        found = study(progress)

    assert (found.round, found.searched, found.confirmed, found.running, found.failed) == (2, 3, 1, 1, 1)
    assert (found.probed, found.done) == (1, 5)
    assert (found.best, found.reported) == (5, ())
    left = study(progress)
    assert (left.running, left.interrupted, left.failed) == (0, 1, 1)  # its worker let go of it, and nothing is wrong


def test_the_seeds_that_report_are_told_of_a_complete_study(store: Store, progress: ProgressReader) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        for repeat, result in enumerate((achieved(7), diverged())):
            claim.finish(claim.start(plan(0, repeat=repeat, role=Role.REPORT)), result, loss=1.0)
        claim.complete()

    assert study(progress).reported == (7, math.inf)
    assert study(progress).complete


def test_a_living_worker_is_named_with_what_it_did_since(store: Store, progress: ProgressReader) -> None:
    with store.claim("small", 64, worker="host/1", device="auto") as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
    with store.claim("small", 64, worker="host/2", device="auto") as claim:
        assert claim is not None
        ended = claim.finish(claim.start(plan(1)), achieved(), loss=1.0).ended
        claim.start(plan(2))
        found = study(progress)

    assert found.holder is not None
    assert (found.holder.worker, found.holder.device) == ("host/2", "cuda:0")
    assert (found.recent, found.latest) == (1, ended)
    assert (study(progress).holder, study(progress).recent) == (None, 0)


def test_a_study_that_was_set_aside_is_told_with_its_error(store: Store, progress: ProgressReader) -> None:
    with store.claim("small", 64) as claim:
        assert claim is not None
        claim.set_aside(error="it is broken")

    assert study(progress).error == "it is broken"


def test_one_experiment_or_all_are_counted(store: Store, progress: ProgressReader) -> None:
    store.submit(small(name="other"))
    with store.claim("small", 64) as claim:
        assert claim is not None
        claim.finish(claim.start(plan(0)), achieved(), loss=1.0)

    every = progress.read()
    assert [each.experiment.name for each in every] == ["small", "other"]
    assert [list(progress.read(each.experiment.name)) for each in every] == [[each] for each in every]
    with pytest.raises(StoreError, match=r"there is no experiment digits in .*; stored: small, other$"):
        progress.read("digits")


def test_best_values_are_counted_as_scores_with_those_of_the_seeds(store: Store, progress: ProgressReader) -> None:
    """A score is a power of two, whose exponent was told to the sampler."""
    with store.claim("small", 64) as claim:
        assert claim is not None
        for point, exponent in enumerate((-1.0, -3.0, -2.0)):
            claim.finish(claim.start(plan(point)), finished(), loss=exponent)
        claim.finish(claim.start(plan(3)), diverged(), loss=-9.0)
        for repeat, (result, exponent) in enumerate(((finished(), -5.25), (diverged(), 1.0), (finished(), -4.0))):
            claim.finish(claim.start(plan(0, repeat=repeat, role=Role.REPORT)), result, loss=exponent)
        claim.complete()

    assert study(progress).best == 1 / 8
    assert study(progress).reported == pytest.approx((2**-5.25, 1 / 16, math.inf))
    assert study(progress).damaged == 0
