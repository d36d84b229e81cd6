"""An experiment file says what is measured; everything wrong with it is said at once."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import TOY
from tuner.errors import ConfigError, TunerError
from tuner.experiment import (
    ConfirmationSettings,
    SearchSettings,
    from_table,
    load,
    parse,
    preset_text,
)
from tuner.experiment.space import Choice, Fixed, Range, Scale


def problems(text: str) -> list[str]:
    """What is wrong with a file, in the order it is said."""
    with pytest.raises(ConfigError) as caught:
        parse(text, source="toy.toml")
    return str(caught.value).splitlines()


def changed(*replacements: tuple[str, str]) -> str:
    """The toy's file with some of its text replaced."""
    text = TOY
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_valid_file_is_read_with_its_defaults() -> None:
    experiment = parse(TOY, source="toy.toml")

    assert experiment.batch_sizes == (8, 16)
    assert experiment.space.parameters == {"learning_rate": Range(1e-3, 10.0, scale=Scale.LOG)}
    assert (experiment.search.width, experiment.search.slack, experiment.confirmation.candidates) == (8, 2.0, 6)


def test_an_experiment_survives_being_stored() -> None:
    experiment = parse(TOY, source="toy.toml")

    assert from_table(experiment.to_table()) == experiment


def test_the_digest_ignores_layout_and_sees_every_setting() -> None:
    experiment = parse(TOY, source="toy.toml")

    assert parse("# a comment\n" + TOY, source="toy.toml").digest == experiment.digest
    assert parse(changed(("points = 12", "points = 13")), source="toy.toml").digest != experiment.digest


def test_the_digest_outlives_versions_that_add_settings() -> None:
    experiment = parse(TOY, source="toy.toml")
    stored = experiment.to_table()
    assert isinstance(search := stored["search"], dict)
    assert search.pop("warm_start") is False
    assert stored.pop("confirmation")

    assert from_table(stored).digest == experiment.digest
    assert parse(changed(("points = 12", "points = 12\nslack = 2.0")), source="toy.toml").digest == experiment.digest
    assert parse(changed(("points = 12", "points = 12\nslack = 3.0")), source="toy.toml").digest != experiment.digest


WITH_TPE = "65e90faf6264357040de0f4a666bd7787d41ad8307661de495d5c711a1d907fd"
"""The digest of the toy with the sampler `tpe`, as it was when every file had to name its sampler."""


def test_the_default_sampler_has_the_digest_of_the_one_that_is_named() -> None:
    named, left_out = changed(('"random"', '"tpe"')), changed(('sampler = { kind = "random" }', ""))

    assert parse(named, source="toy.toml").digest == WITH_TPE
    assert parse(left_out, source="toy.toml").digest == WITH_TPE


def test_a_file_without_search_and_confirmation_has_their_defaults() -> None:
    text, _, _ = TOY.partition("[search]")

    experiment = parse(text, source="toy.toml")

    assert (experiment.search, experiment.confirmation) == (SearchSettings(), ConfirmationSettings())
    assert (experiment.search.sampler, experiment.search.points) == ({"kind": "tpe"}, 50)
    assert parse(text + "[search]\n[confirmation]\n", source="toy.toml").digest == experiment.digest


def test_every_problem_of_a_file_is_said_at_once_with_its_path() -> None:
    text = changed(
        ("points = 12", "pionts = 12"),
        ('kind = "random"', 'kind = "ranodm"'),
        ("low = 1e-3, high = 10", "low = 0, high = 10"),
        ('"validation/error"', '"validation/eror"'),
        ("[8, 16]", "[8, 2048]"),
    )

    found = problems(text)

    assert len(found) == 5
    assert "toy.toml: space.learning_rate: low = 0 must be positive on a log scale" in found
    assert "toy.toml: search.pionts: is not a setting of search; did you mean points?" in found
    assert "toy.toml: search.sampler.kind: ranodm is not one of the samplers; did you mean random?" in found
    assert any("goal.metric: validation/eror is not a metric of tests.toy:Toy; it has" in each for each in found)
    assert "toy.toml: batch_sizes.1: 2048 is larger than the training set of 1024 examples" in found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "toy"', "", "name: is missing; an experiment needs it"),
        ('name = "toy"', 'name = "a/b"', "name: must be letters"),
        ("[8, 16]", "[8, 8]", "batch_sizes holds the same size twice"),
        ("[8, 16]", "[]", "batch_sizes: is empty"),
        ("[8, 16]", "[0]", "batch_sizes.0: should be greater than or equal to 1, not 0"),
        ("[8, 16]", "8", "batch_sizes: should be a valid"),
        ("points = 12", 'points = "12"', "search.points: should be a valid integer, not '12'"),
        ("points = 12", "slack = 0.5", "search.slack: should be greater than or equal to 1, not 0.5"),
        ("below = 0.03", "below = 0", "goal.below: should be greater than 0, not 0"),
        ("low = 1e-3, high = 10", "low = 10, high = 1", "low = 10 must be less than high = 1"),
        ("learning_rate =", "learning_rat =", "space.learning_rat: is not a hyperparameter of this objective"),
        ("learning_rate =", "learning_rat =", "space.learning_rate: is missing; the objective needs it"),
        ("learning_rate =", "momentum = 3\nlearning_rate =", "space.momentum: must be a table like"),
        ('"validation/error"', '"test/error"', "goal.metric: test/error must stay unseen by the search"),
        (
            'kind = "tests.toy:Toy"',
            'kind = "tests.nothing:Toy"',
            "tests.nothing:Toy cannot be imported",
        ),
        ('kind = "tests.toy:Toy"', 'kind = "tests.toy:half_life"', "tests.toy:half_life does not name a dataclass"),
        ('kind = "tests.toy:Toy"', 'kind = "tuner.experiment.space:Fixed"\nvalue = 1', "is not one of the objectives"),
        ('kind = "tests.toy:Toy"', 'knid = "tests.toy:Toy"', "objective.kind: is missing"),
        (
            'kind = "tests.toy:Toy"',
            'kind = "tests.toy:Toy"\nsize = 3',
            "objective.size: is not a setting",
        ),
        ('{ kind = "random" }', '"random"', "search.sampler: must be a table like"),
    ],
)
def test_a_bad_setting_is_named(old: str, new: str, message: str) -> None:
    assert any(message in line for line in problems(changed((old, new))))


def test_text_that_is_not_toml_is_an_error_with_its_line() -> None:
    assert "is not valid TOML" in problems("name = \n")[0]


def test_a_parameter_is_a_range_a_choice_or_fixed() -> None:
    space = """
    [space]
    learning_rate = { value = 0.1 }
    activation = { options = ["relu", "tanh"] }
    depth = { low = 1, high = 4, integer = true }
    """
    table = tomllib.loads(TOY) | tomllib.loads(space)

    parameters = from_table(table).space.parameters

    assert parameters == {
        "learning_rate": Fixed(0.1),
        "activation": Choice(("relu", "tanh")),
        "depth": Range(1, 4, integer=True),
    }


TABLES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(TABLES)
def test_no_table_whatever_gets_past_as_anything_but_a_config_error(value: object) -> None:
    table = tomllib.loads(TOY) | {"search": value, "goal": value}

    with pytest.raises(ConfigError):
        from_table(table)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(TunerError, match="did you mean digits"):
        preset_text("digit")


def test_a_missing_file_says_which_presets_there_are(tmp_path: Path) -> None:
    with pytest.raises(TunerError, match=r"cannot be read \(No such file or directory\).*digits"):
        load(str(tmp_path / "none.toml"))


def test_a_file_is_loaded_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TOY)

    assert load(str(path)).name == "toy"


def test_a_module_of_the_users_that_fails_is_a_problem_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_written.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)

    found = problems(changed(('kind = "tests.toy:Toy"', 'kind = "half_written:Bowl"')))

    assert found[0].startswith("toy.toml: objective.kind: half_written:Bowl cannot be imported: SyntaxError")


def test_an_infinite_slack_means_no_capping() -> None:
    assert parse(changed(("points = 12", "slack = inf")), source="toy.toml").search.slack == float("inf")
