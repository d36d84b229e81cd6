"""Which studies wait for which, and that somebody can always go on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.records import Stage, StudyStage, neighbours, waits_for


def stages(**each: str) -> list[StudyStage]:
    """Stages by batch size, as in `b8="choose"`."""
    return [StudyStage(int(name[1:]), Stage(stage), is_over=False) for name, stage in each.items()]


def test_neighbours_are_the_next_smaller_and_the_next_larger() -> None:
    assert neighbours(16, [4, 64, 16, 8, 1024]) == (8, 64)
    assert neighbours(4, [4, 64, 16]) == (16,)
    assert neighbours(8, [8]) == ()


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("search", ()), ("choose", (16,)), ("confirmed", (4, 16, 64)), ("second look", ())],
)
def test_a_choice_waits_for_its_neighbours_searches_and_a_judgement_for_all_winners(
    stage: str, expected: tuple[int, ...]
) -> None:
    found = stages(b4="search", b8="choose", b16="search", b32="confirmed", b64="choose")
    own = [replace(each, stage=Stage(stage)) if each.batch_size == 8 else each for each in found]
    own[0] = replace(own[0], stage=Stage.CHOOSE)  # a neighbour whose search is over

    assert waits_for(8, own) == expected


def test_a_study_that_was_set_aside_is_not_waited_for() -> None:
    found = stages(b4="search", b8="choose", b16="search")
    found[2] = replace(found[2], is_over=True)

    assert waits_for(8, found) == (4,)


@given(st.lists(st.tuples(st.sampled_from(list(Stage)), st.booleans()), min_size=1, max_size=12))
def test_somebody_can_always_go_on(given_stages: list[tuple[Stage, bool]]) -> None:
    found = [StudyStage(2**index, stage, is_over) for index, (stage, is_over) in enumerate(given_stages)]
    going = [each for each in found if not each.is_over]

    assert not going or any(not waits_for(each.batch_size, found) for each in going)
