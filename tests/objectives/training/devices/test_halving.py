"""Full memory halves the branches of a recording."""

import logging
from functools import partial

import pytest
import torch

from objectives.training.devices.halving import in_parts
from objectives.training.devices.recording import RecordedBranches, Recorder
from tests.objectives.recorders import EagerRecorder


class Tries:
    """Recorders with room for so many branches; a recorder for each try."""

    def __init__(self, room: int) -> None:
        self._room, self._made = room, list[EagerRecorder]()

    def make(self) -> EagerRecorder:
        self._made.append(EagerRecorder(self._room))
        return self._made[-1]

    @property
    def recorded(self) -> list[list[int]]:
        """The branches of each recording of each try."""
        return [each.recorded for each in self._made]


def record(part: slice, recorder: Recorder) -> range:
    """Records those of five branches, which do nothing. Returns their numbers."""
    numbers = range(5)[part]
    recorder.record([lambda: None for _ in numbers], draws=False)
    return numbers


@pytest.mark.parametrize(
    ("room", "at_most", "tries", "said"),
    [
        (5, None, [[5]], []),
        (4, None, [[5], [3, 2]], [3]),
        (2, None, [[5], [3], [2, 2, 1]], [3, 2]),
        (1, None, [[5], [3], [2], [1] * 5], [3, 2, 1]),
        (5, 4, [[4, 1]], []),
        (5, 9, [[5]], []),
        (5, 1, [[1] * 5], []),
    ],
)
def test_as_many_branches_as_fit_are_recorded_together(
    room: int, at_most: int | None, tries: list[list[int]], said: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    made = Tries(room)

    with caplog.at_level(logging.WARNING):
        parts = in_parts(record, 5, make=made.make, at_most=at_most)

    assert made.recorded == tries
    assert [len(each) for each in parts] == tries[-1]
    assert [lane for each in parts for lane in each] == [0, 1, 2, 3, 4]
    assert [each.getMessage() for each in caplog.records] == [
        f"memory is full: {each} lanes are trained at once, and the others after them" for each in said
    ]


def test_memory_without_room_for_one_branch_is_full() -> None:
    made = Tries(0)

    with pytest.raises(torch.OutOfMemoryError):
        in_parts(record, 5, make=made.make)

    assert made.recorded == [[5], [3], [2], [1]]


def test_other_errors_stay_what_they_are() -> None:
    made = Tries(4)

    def fail(part: slice, recorder: Recorder) -> None:
        made.make()
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        in_parts(fail, 4, make=made.make)

    assert len(made.recorded) == 2  # one try, and the call that failed


def test_a_failed_try_changes_nothing() -> None:
    numbers = torch.arange(5.0)

    def step(lane: int) -> None:
        numbers[lane] += 1

    def recorded(part: slice, recorder: Recorder) -> RecordedBranches:
        steps = [partial(step, lane) for lane in range(5)[part]]
        return RecordedBranches(steps, [], touched=[numbers[part]], recorder=recorder)

    parts = in_parts(recorded, 5, make=Tries(2).make)
    assert numbers.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    for each in parts:
        each()

    assert numbers.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
