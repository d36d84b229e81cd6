"""A hyperparameter may follow from the batch size by a rule; a study is given its value."""

import math
import tomllib

import pytest

from tests.toy import SMALL
from tuner.errors import ConfigError
from tuner.experiment import from_table, parse, read_space
from tuner.experiment.batch_sizes.rules import Scaled, ScalingRule
from tuner.experiment.growth import differences, grown
from tuner.experiment.space import Fixed, Range, Scale

RATE = 'learning_rate = { low = 1e-3, high = 10, scale = "log" }'
LINEAR = 'learning_rate = { rule = "linear", base = 0.1, base_batch_size = 8 }'


def with_space(line: str) -> str:
    return SMALL.replace(RATE, line)


@pytest.mark.parametrize(
    ("rule", "expected"), [("linear", [0.0125, 0.1, 0.8]), ("sqrt", [0.1 / math.sqrt(8), 0.1, 0.1 * math.sqrt(8)])]
)
def test_the_value_follows_from_the_batch_size(rule: str, expected: list[float]) -> None:
    experiment = parse(with_space(LINEAR.replace("linear", rule)), source="toy.toml")

    spaces = [experiment.space.at(size).parameters["learning_rate"] for size in (1, 8, 64)]

    assert [each.value for each in spaces if isinstance(each, Fixed)] == pytest.approx(expected, rel=1e-11)


def test_a_value_has_no_more_than_twelve_digits() -> None:
    assert Scaled("linear", base=0.1, base_batch_size=8).at(24) == Fixed(0.3)  # 0.1 * 3 is 0.30000000000000004


def test_whole_numbers_follow_a_rule_to_the_nearest_and_never_to_zero() -> None:
    line = LINEAR.replace("base = 0.1", "base = 5, integer = true")
    spaces = [parse(with_space(line), source="toy.toml").space.at(size) for size in (1, 8, 12, 64)]

    values = [each.value for space in spaces for each in space.parameters.values() if isinstance(each, Fixed)]

    assert values == [1, 5, 8, 40]
    assert {type(each) for each in values} == {int}


def test_the_file_keeps_the_rule() -> None:
    experiment = parse(with_space(LINEAR), source="toy.toml")

    assert experiment.to_table()["space"] == {
        "learning_rate": {"rule": "linear", "base": 0.1, "base_batch_size": 8, "integer": False}
    }
    assert from_table(experiment.to_table()) == experiment


def test_another_base_is_another_experiment() -> None:
    stored = parse(with_space(LINEAR), source="toy.toml")
    given = parse(with_space(LINEAR.replace("0.1", "0.2")), source="toy.toml")

    (found,) = differences(stored, given)

    assert found.phrase == "space.learning_rate.base = 0.1, now 0.2"
    assert not found.adds
    assert given.digest != stored.digest


def test_a_new_batch_size_is_added_to_an_experiment_with_a_rule() -> None:
    stored = parse(with_space(LINEAR), source="toy.toml")
    given = parse(with_space(LINEAR).replace("[8, 16]", "[8, 16, 32]"), source="toy.toml")

    assert [each.addition for each in differences(stored, given)] == ["batch_sizes + 32"]
    assert grown(stored, given).space.at(32).parameters["learning_rate"] == Fixed(0.4)


def test_what_is_searched_stays_searched_beside_a_rule() -> None:
    text = with_space(f"{LINEAR}\nother = {{ low = 1, high = 2 }}")
    experiment = from_table(tomllib.loads(text))

    space = experiment.space.at(16)

    assert space.parameters == {"learning_rate": Fixed(0.2), "other": Range(1.0, 2.0)}
    assert experiment.space.is_searched
    assert not experiment.space.is_the_same_everywhere


def test_the_space_of_a_study_has_no_rules() -> None:
    with pytest.raises(ConfigError, match="learning_rate: is a rule; the space of one study has its value"):
        read_space({"learning_rate": {"rule": "linear", "base": 0.1, "base_batch_size": 8}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('rule = "cube", base = 0.1, base_batch_size = 8', "space.learning_rate.rule: should be 'linear' or 'sqrt'"),
        ('rule = "linear", base = 0.1', "space.learning_rate.base_batch_size: is missing; a rule needs it"),
        ('rule = "linear", base = 0, base_batch_size = 8', "space.learning_rate.base: should be greater than 0"),
        ('rule = "linear", base = 0.1, base_batch_size = 0', "space.learning_rate.base_batch_size: should be greater"),
        (
            'rule = "linear", base = 1, base_batch_size = 8, low = 1',
            "learning_rate.low: is not a setting of a rule",
        ),
    ],
)
def test_a_wrong_rule_is_named(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(with_space(f"learning_rate = {{ {given} }}"), source="toy.toml")


def test_stores_know_the_rules_by_the_words_they_have_kept() -> None:
    assert [ScalingRule(each).factor(4) for each in ("as it is", "linear", "square root")] == [1, 4, 2]


def test_a_range_beside_a_rule_is_the_same_at_every_batch_size() -> None:
    space = parse(SMALL, source="toy.toml").space

    assert space.at(8) == space.at(16)
    assert space.at(8).parameters == {"learning_rate": Range(1e-3, 10, scale=Scale.LOG)}
