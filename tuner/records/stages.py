"""Stages: how far a study has come, and which other studies it has to wait for.

The candidates of a confirmation come from the neighbouring batch sizes too, and whether an optimum is in doubt depends
on all batch sizes. A study waits for the records of those studies, and for nothing else. A study that is searched waits
for nobody, so somebody can always go on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far a study has come.

    `SEARCH`: its points are being run. `CHOOSE`: the search is over, and its best points have run on a fresh seed each;
    the winner is being chosen and reported. `CONFIRMED`: the winner has been reported. `SECOND_LOOK`: the winner was in
    doubt, and the study is searched and confirmed again.
    """

    SEARCH = "search"
    CHOOSE = "choose"
    CONFIRMED = "confirmed"
    SECOND_LOOK = "second look"


@dataclass(frozen=True, slots=True)
class StudyStage:
    """How far the study of one batch size has come.

    Attributes:
        is_over: Whether nobody works on it any more: it is complete, or was set aside.
    """

    batch_size: int
    stage: Stage
    is_over: bool


def neighbours(batch_size: int, batch_sizes: Iterable[int]) -> tuple[int, ...]:
    """The next smaller and the next larger of some batch sizes, as far as there are any.

    >>> neighbours(16, [64, 8, 16, 4]), neighbours(4, [64, 8, 16, 4])
    ((8, 64), (8,))
    """
    sizes = set(batch_sizes)
    smaller = max((each for each in sizes if each < batch_size), default=None)
    larger = min((each for each in sizes if each > batch_size), default=None)
    return tuple(each for each in (smaller, larger) if each is not None)


def waits_for(batch_size: int, studies: Sequence[StudyStage]) -> tuple[int, ...]:
    """The batch sizes that a study has to wait for before it can go on, smallest first.

    To choose its winner it needs the searches of its neighbours. To judge its optimum it needs the winners of all. A
    study that was set aside is not waited for.

    Args:
        batch_size: The study's.
        studies: Those of the experiment, this one included.
    """
    stages = {each.batch_size: each for each in studies}
    needed: Iterable[int] = ()
    behind: tuple[Stage, ...] = ()
    match stages[batch_size].stage:
        case Stage.CHOOSE:
            needed, behind = neighbours(batch_size, stages), (Stage.SEARCH,)
        case Stage.CONFIRMED:
            needed, behind = stages, (Stage.SEARCH, Stage.CHOOSE)
    return tuple(sorted(each for each in needed if stages[each].stage in behind and not stages[each].is_over))
