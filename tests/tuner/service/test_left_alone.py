"""What a worker leaves alone: for a time that grows, and never for ever."""

import dataclasses
import re
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from tests.toy import SMALL
from tuner.errors import ConfigError, Problem
from tuner.experiment import Experiment, parse
from tuner.objective import Objective
from tuner.recorders import Event, Notice, StudyFinished
from tuner.service.watch import LeftAlone
from tuner.service.worker import Worker
from tuner.stores import OpenStudy, Store

ONE = parse(SMALL, source="toy.toml")
STUDY = ("toy", 16)
OPEN = [OpenStudy("toy", 16, is_free=True), OpenStudy("toy", 8, is_free=True, waits_for=(16,))]


@dataclass
class Clock:
    """Goes on by some seconds whenever somebody looks at it."""

    step: float = 0.0
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def rests(left: LeftAlone, clock: Clock, *, failures: int, passes: bool, work: float = 0.0) -> list[float]:
    """How long a study is left alone after each of its failures, each of which comes after some work."""
    found = []
    for _ in range(failures):
        left.leave([STUDY], "no", passes=passes)
        began = clock.now
        while left.has(STUDY):
            clock.now += 0.05
        found.append(clock.now - began)
        clock.now += work
    return found


def test_an_error_that_lasts_is_tried_again_after_a_minute_and_at_least_every_half_hour() -> None:
    clock = Clock()

    found = rests(LeftAlone(clock), clock, failures=9, passes=False)

    most = [60, 120, 240, 480, 960, 1800, 1800, 1800, 1800]
    assert all(most / 2 <= seconds <= most + 0.1 for seconds, most in zip(found, most, strict=True))


def test_an_error_that_passes_is_tried_again_within_seconds() -> None:
    clock = Clock()

    found = rests(LeftAlone(clock), clock, failures=8, passes=True)

    most = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert all(most / 2 <= seconds <= most + 0.1 for seconds, most in zip(found, most, strict=True))


def test_work_that_went_well_for_long_begins_the_count_anew() -> None:
    clock = Clock()

    found = rests(LeftAlone(clock), clock, failures=5, passes=False, work=2000)

    assert all(seconds <= 60.1 for seconds in found)


def test_studies_that_fail_together_are_left_alone_for_as_long() -> None:
    clock = Clock()
    left = LeftAlone(clock)
    both = [STUDY, ("toy", 8)]

    left.leave(both, "no", passes=False)

    while left.has(STUDY):
        assert left.has(both[1])
        clock.now += 0.5
    assert not left.has(both[1])


def test_what_has_gone_well_is_not_left_alone_any_more() -> None:
    left = LeftAlone(Clock())
    left.leave([STUDY], "no", passes=False)
    assert left.has_given_up(STUDY)

    left.forget([STUDY])

    assert not left.has(STUDY)
    assert not left.is_any_due(OPEN)


def test_only_what_is_free_and_whose_time_has_come_is_due() -> None:
    clock = Clock()
    left = LeftAlone(clock)
    left.leave([STUDY], "no", passes=False)
    assert not left.is_any_due(OPEN)

    clock.now += 61

    assert left.is_any_due(OPEN)
    assert not left.is_any_due([dataclasses.replace(OPEN[0], is_free=False), OPEN[1]])


def test_the_sentence_of_an_idle_worker_says_what_is_open_and_why_it_does_nothing() -> None:
    left = LeftAlone(Clock())
    left.leave([STUDY], "its table is gone", passes=False)

    said = left.idle_sentence(OPEN)

    pattern = (
        r"2 studies are open, and this worker can go on with none: "
        r"toy batch size 16 is left alone until \d\d:\d\d \(its table is gone\); 1 waits for those"
    )
    assert re.fullmatch(pattern, said)


@pytest.fixture
def _looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits looks often at its clock, by which hours pass in seconds."""
    monkeypatch.setattr("tuner.service.watch.SLICE_SECONDS", 0.01)


def worker(store: Store, events: list[Event], clock: Clock, **more: object) -> Worker:
    """A worker by this clock, which stops after an hour."""
    made = Worker(
        name="worker",
        store=store,
        device="cpu",
        recording=lambda _: nullcontext(events.append),
        tell=events.append,
        stopping=lambda: clock.now > 3 * 3600,
        clock=clock,
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def said(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice)]


@pytest.mark.usefixtures("_looking_often")
def test_a_workload_that_cannot_be_made_is_tried_again_and_again_until_it_can(store: Store) -> None:
    store.submit(ONE)
    clock, events, failures = Clock(step=10.0), list[Event](), iter(range(4))

    def build(experiment: Experiment) -> Objective:
        if next(failures, None) is not None:
            raise ConfigError([Problem("objective.kind", "my_lab is not installed")])
        return experiment.build_objective()

    def is_done() -> bool:
        return clock.now > 6 * 3600 or sum(isinstance(each, StudyFinished) for each in events) == 2

    worker(store, events, clock, build=build, stopping=is_done).run()

    assert all(each.complete for each in store.record("toy").studies)
    told = said(events)
    left = [each for each in told if "is left to other workers" in each]
    idle = [each for each in told if "this worker can go on with none" in each]
    assert len(left) == 4
    assert idle
    assert told == [each for each in told if each in left or each in idle]
    assert "my_lab is not installed" in idle[0]


@pytest.mark.usefixtures("_looking_often")
def test_a_worker_that_can_do_nothing_says_so_less_and_less_often(store: Store) -> None:
    store.submit(ONE)
    clock, events = Clock(step=10.0), list[Event]()

    def build(experiment: Experiment) -> Objective:
        raise ConfigError([Problem("objective.kind", "my_lab is not installed")])

    worker(store, events, clock, build=build).run()

    idle = [each for each in said(events) if "2 studies are open, and this worker can go on with none" in each]
    left = [each for each in said(events) if "is left to other workers" in each]
    assert 6 <= len(idle) <= 12  # in three hours
    assert 8 <= len(left) <= 20
    assert len(said(events)) == len(idle) + len(left)


def test_it_is_known_whether_a_store_that_was_away_keeps_a_study_from_being_searched() -> None:
    left = LeftAlone(Clock())

    left.leave([STUDY], "no", passes=False)
    assert not left.is_any_passing(OPEN)
    left.leave([STUDY], "no", passes=True)
    assert left.is_any_passing(OPEN)
    assert not left.is_any_passing(OPEN[1:])
    left.forget([STUDY])
    assert not left.is_any_passing(OPEN)
