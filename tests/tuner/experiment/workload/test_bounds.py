"""The workload is asked about every batch size of a file before anything is trained, and when a space is widened."""

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.toy import SMALL, Toy
from tests.tuner.narrow import EXCLUDED, work
from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.summary import edges
from tuner.errors import ConfigError, Problem
from tuner.experiment import Experiment, load, parse, preset_text
from tuner.experiment.space import Choice, Fixed, Range, Scale, SearchSpace, Side
from tuner.experiment.workload.bounds import Trainable, bounds_of
from tuner.records import Role
from tuner.stores import Store
from tuner.stores.opening import open_store

Given = tuple[Mapping[str, tuple[float, float]], int, int]
ASKED: list[Given] = []
"""Bounds, batch size and budget of each question."""


@dataclass(frozen=True, slots=True)
class Bounded(Toy):
    """A toy that takes learning rates up to `most`."""

    most: float = 10.0
    raises: bool = False

    def check_bounds(self, bounds: Mapping[str, tuple[float, float]], *, batch_size: int, max_steps: int) -> None:
        ASKED.append((bounds, batch_size, max_steps))
        if self.raises:
            raise ZeroDivisionError("a slip")
        low, high = bounds["learning_rate"]
        wrong = [each for each in (low, high) if not 0 < each <= self.most]
        if wrong:
            raise ConfigError([Problem("space.learning_rate", f"may be {wrong[0]:g}")])


def bounded(text: str = SMALL, *, settings: str = "", **changes: str) -> Experiment:
    text = text.replace('kind = "tests.toy:Toy"', f'kind = "{__name__}:Bounded"\n{settings}')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    ASKED.clear()
    return parse(text, source="toy.toml")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'tuner.db'}")) as opened:
        yield opened


RULED = SMALL.replace(
    'learning_rate = { low = 1e-3, high = 10, scale = "log" }',
    'learning_rate = { rule = "linear", base = 6, base_batch_size = 8 }',
)


def test_it_is_asked_for_the_range_and_the_budget_of_each_batch_size() -> None:
    bounded(SMALL.replace("within_steps = 400", "within_epochs = 1"))

    assert ASKED == [({"learning_rate": (1e-3, 10.0)}, 8, 128), ({"learning_rate": (1e-3, 10.0)}, 16, 64)]


def test_a_rule_is_refused_where_it_leads_too_far() -> None:
    with pytest.raises(ConfigError) as raised:
        bounded(RULED)

    assert [each[0]["learning_rate"] for each in ASKED] == [(6.0, 6.0), (12.0, 12.0)]
    assert str(raised.value) == "toy.toml: space.learning_rate: may be 12"


def test_the_same_problem_of_several_batch_sizes_is_said_once() -> None:
    with pytest.raises(ConfigError) as raised:
        bounded(settings="most = 1.0")

    assert str(raised.value) == "toy.toml: space.learning_rate: may be 10"


def test_a_problem_with_other_numbers_at_each_batch_size_is_said_once_with_the_batch_sizes() -> None:
    with pytest.raises(ConfigError) as raised:
        bounded(RULED.replace("base = 6,", "base = 60,").replace("[8, 16]", "[8, 16, 32]"))

    assert str(raised.value) == "toy.toml: space.learning_rate: may be 60 (likewise at batch size 16, 32)"


def test_many_problems_are_cut_short() -> None:
    problems = [Problem(f"space.x{number}", "may be 12") for number in range(32)]

    assert str(ConfigError(problems)).splitlines()[-1] == "... and 12 more problems"


def test_an_error_of_its_own_is_no_traceback() -> None:
    with pytest.raises(ConfigError, match=r"objective: Bounded.check_bounds raised ZeroDivisionError: a slip"):
        bounded(settings="raises = true")


def test_options_have_bounds_if_they_are_numbers() -> None:
    space = SearchSpace(
        {
            "rate": Range(0.1, 1.0, scale=Scale.LOG),
            "depth": Choice((3, 1.5, 2)),
            "name": Choice(("a", "b")),
            "mixed": Choice((1, "b")),
            "flag": Choice((True, False)),
            "held": Fixed(4),
            "word": Fixed("x"),
        }
    )

    numbers = {"rate": (0.1, 1.0), "depth": (1.5, 3.0), "held": (4.0, 4.0)}
    found = bounds_of(space)
    assert {name: ends for name, ends in found.items() if not any(map(math.isnan, ends))} == numbers
    assert found.keys() - numbers.keys() == {"name", "mixed", "flag", "word"}


@pytest.mark.parametrize("given", ['{ value = "x" }', "{ value = true }", '{ options = ["a", 0.1] }'])
def test_a_hyperparameter_of_a_network_is_a_number(given: str) -> None:
    text = preset_text("digits").replace(
        'learning_rate = { low = 1e-3, high = 10, scale = "log" }', f"learning_rate = {given}"
    )

    with pytest.raises(ConfigError, match=r"space.learning_rate: has a value that is no number; give numbers"):
        parse(text, source="digits.toml")


def test_a_range_is_widened_to_just_inside_an_end_that_is_refused() -> None:
    digits = load("digits")
    momentum = SearchSpace({**digits.space.at(64).parameters, "momentum": Range(0.0, 0.9)})
    wider = SearchSpace({**momentum.parameters, "momentum": Range(0.0, 1.0)})

    found = Trainable(digits.build_objective(), momentum, 64, 4000).wider(wider)

    assert found.parameters["momentum"] == Range(0.0, 0.9999)
    ends = Trainable(digits.build_objective(), found, 64, 4000)
    assert [ends.ends_at("momentum", each) for each in Side] == [False, True]  # not to 0.9999999


def test_a_side_that_the_workload_refuses_is_not_widened() -> None:
    space = SearchSpace({"learning_rate": Range(0.1, 10.0, scale=Scale.LOG), "other": Range(0.0, 1.0)})
    wider = SearchSpace({"learning_rate": Range(0.01, 100.0, scale=Scale.LOG), "other": Range(0.0, 2.0)})

    found = Trainable(Bounded(most=10.0), space, 8, 400).wider(wider)

    assert found.parameters == {"learning_rate": Range(0.01, 10.0, scale=Scale.LOG), "other": Range(0.0, 2.0)}
    assert Trainable(Toy(), space, 8, 400).wider(wider) == wider


def test_what_the_workload_has_against_the_space_itself_keeps_nothing_from_being_widened() -> None:
    space = SearchSpace({"learning_rate": Range(0.1, 20.0, scale=Scale.LOG)})
    wider = SearchSpace({"learning_rate": Range(0.1, 200.0, scale=Scale.LOG)})

    trainable = Trainable(Bounded(most=10.0), space, 8, 400)

    assert trainable.wider(wider) == wider
    assert trainable.holds({"learning_rate": 50.0})


def excluded(most: float) -> Experiment:
    """A search of learning rates up to 0.01, with its optimum at 0.1, of a toy that takes them up to `most`."""
    return replace(EXCLUDED, objective={"kind": f"{__name__}:Bounded", "most": most})


def test_a_search_neither_widens_nor_probes_where_the_workload_ends(store: Store) -> None:
    probing = replace(excluded(0.01), search=replace(EXCLUDED.search, probes=4))

    work(store, probing)

    (study,) = store.record("toy").studies
    assert study.round == 1
    assert max(float(each.plan.hyperparameters["learning_rate"]) for each in study.all_trials(*Role)) <= 0.01
    assert study.complete


def test_a_side_where_the_workload_ends_is_no_box_edge_as_long_as_its_code_is_there(store: Store) -> None:
    work(store, excluded(0.01))
    record = store.record("toy")

    found = edges(record)
    elsewhere = edges(replace(record, experiment=replace(record.experiment, objective={"kind": "not_here:Workload"})))

    assert [(each.verdict, each.side) for _, each in found.verdicts] == [(Verdict.WORKLOAD_LIMIT, Side.HIGH)]
    assert not found.is_suspicious
    assert [each.verdict for _, each in elsewhere.verdicts] == [Verdict.BOX_EDGE]
    assert elsewhere.is_suspicious


def test_the_same_search_is_widened_where_the_workload_goes_on(store: Store) -> None:
    work(store, excluded(10.0))

    (study,) = store.record("toy").studies
    assert study.round > 1
