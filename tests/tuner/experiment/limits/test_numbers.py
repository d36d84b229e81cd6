"""Numbers that nobody means are refused where they stand, and what an earlier version stored is read all the same."""

import json
import math
import typing
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.commands import tuner
from tests.toy import SMALL, TOY
from tuner.errors import ConfigError
from tuner.experiment import Experiment, SearchSettings, check, from_table, parse, preset_text
from tuner.experiment.components import available, find_named
from tuner.experiment.growth import grown
from tuner.experiment.limits.numbers import Count, Few, Within, limits_hold
from tuner.experiment.search_settings import ConfirmationSettings
from tuner.experiment.settings import read
from tuner.stores.opening import open_store

DIGITS = preset_text("digits")
HUGE = 10**18
DIGESTS = {
    "digits": "6b720d62a68c",
    "nqm-adam": "a80b2080bfe0",
    "nqm-ema": "f484ce21eef2",
    "nqm-kfac": "a078155e3120",
    "nqm-momentum": "13182f0feb56",
    "nqm-sgd": "62c35390a850",
}
"""Of the presets, as they were before there were limits."""


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, source="mine.toml")
    return str(caught.value).splitlines()


def with_setting(table: str, key: str, value: str) -> str:
    """The toy's file with a setting of a table that it may lack."""
    kept = "\n".join(line for line in TOY.splitlines() if not line.startswith(f"{key} ="))
    header = f"[{table}]"
    return (
        kept.replace(header, f"{header}\n{key} = {value}") if header in kept else f"{kept}\n{header}\n{key} = {value}"
    )


@pytest.mark.parametrize(
    ("table", "key", "most"),
    [
        ("goal", "within_steps", "1,000,000,000"),
        ("search", "points", "10,000"),
        ("search", "width", "256"),
        ("search", "ask_ahead", "256"),
        ("search", "probes", "100"),
        ("search", "max_rounds", "20"),
        ("search", "round_points", "10,000"),
        ("search", "second_look_points", "10,000"),
        ("confirmation", "candidates", "1,000"),
        ("confirmation", "choose_seeds", "1,000"),
        ("confirmation", "report_seeds", "1,000"),
        ("measuring", "test_steps", "1,000"),
    ],
)
def test_a_number_has_a_most(table: str, key: str, most: str) -> None:
    at_most = most.replace(",", "_")

    assert parse(with_setting(table, key, at_most), source="mine.toml")
    assert refused(with_setting(table, key, f"{int(at_most) + 1}")) == [
        f"mine.toml: {table}.{key}: should be at most {most}, not {int(at_most) + 1}"
    ]
    assert refused(with_setting(table, key, f"{HUGE}"))[0].endswith(f"should be at most {most}, not {HUGE}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "batch_sizes = [8, 16]",
            f"batch_sizes = [8, {2**63 - 1}]",
            f"batch_sizes.1: should be at most 1,000,000,000, not {2**63 - 1}",
        ),
        (
            "batch_sizes = [8, 16]",
            f"batch_sizes = [8, {2**63}]",
            "batch_sizes.1: is a whole number of 64 bits; at most 63",
        ),
        ("batch_sizes = [8, 16]", f"batch_sizes = {[*range(1, 102)]}", "batch_sizes: should have at most 100 entries"),
        (
            "batch_sizes = [8, 16]",
            f"batch_sizes = {[*range(1, 100_001)]}",
            "batch_sizes: has 100,000 entries; at most 1,000",
        ),
        ("within_steps = 400", "within_steps = 1e30", "goal.within_steps: should be a valid integer, not 1e+30"),
        (
            "within_steps = 400",
            f"within_steps = {{ 8 = 1, 16 = {HUGE} }}",
            f"goal.within_steps.16: should be at most 1,000,000,000, not {HUGE}",
        ),
        ("below = 0.03", "below = 1e-300", "goal.below: should be at least 1e-30, not 1e-300"),
        ("below = 0.03", "below = 1e300", "goal.below: should be at most 1e+30, not 1e+300"),
        ("below = 0.03", "below = inf", "goal.below: should be a finite number, not inf"),
        (
            "below = 0.03",
            f"below = 0.03\nalso_below = {[0.1 + each for each in range(21)]}",
            "goal.also_below: should have at most 20 entries",
        ),
        ("seed = 3", f"seed = {2**63}", "seed: is a whole number of 64 bits; at most 63"),
        ("seed = 3", "seed = -1", "seed: should be greater than or equal to 0, not -1"),
        (
            "points = 12",
            "points = 12\nslack = 1e9",
            "search.slack: should be at most 1,000,000 or inf, not 1000000000.0",
        ),
        ("points = 12", "points = 12\nslack = nan", "search.slack: should be greater than or equal to 1, not nan"),
        (
            "points = 12",
            "points = 12\noptimism = 1e308",
            "search.optimism: should be at most 1,000,000 or inf, not 1e+308",
        ),
        (
            'kind = "random"',
            f'kind = "tpe", startup = {HUGE}',
            f"search.sampler.startup: should be at most 10,000, not {HUGE}",
        ),
        (
            'kind = "random"',
            f'kind = "cma_es", startup = {HUGE}',
            f"search.sampler.startup: should be at most 10,000, not {HUGE}",
        ),
        (
            'kind = "random"',
            f'kind = "gp", startup = {HUGE}',
            f"search.sampler.startup: should be at most 10,000, not {HUGE}",
        ),
        ('kind = "random"', 'kind = "gp", noise = 1e300', "search.sampler.noise: should be at most 100, not 1e+300"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_in_a_line(old: str, new: str, message: str) -> None:
    assert old in TOY
    first, *_ = refused(TOY.replace(old, new))

    assert first.startswith(f"mine.toml: {message}")
    assert len(first) < 500


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hidden = [128]", f"hidden = [{10**9}]", "objective.model.hidden.0: should be at most 16,384"),
        ("hidden = [128]", f"hidden = {[8] * 65}", "objective.model.hidden: should have at most 64 entries"),
        (
            "hidden = [128]",
            "hidden = [16384, 16384]",
            "objective.model: hidden has 268,435,456 weights between its layers; at most 67,108,864",
        ),
        (
            '{ kind = "mlp", hidden = [128] }',
            f'{{ kind = "cnn", ghost_size = {HUGE} }}',
            "objective.model.ghost_size: should be at most 1,000,000,000",
        ),
        (
            'kind = "classification"',
            f'kind = "classification"\nmicrobatch = {HUGE}',
            "objective.microbatch: should be at most 1,000,000,000",
        ),
        (
            '{ kind = "digits" }',
            f'{{ kind = "arrays", file = "x", seed = {2**40} }}',
            "objective.data.seed: should be less than or equal to 4294967295",
        ),
        (
            '{ kind = "digits" }',
            '{ kind = "arrays", file = "x", test = nan }',
            "objective.data.test: should be less than or equal to 1, not nan",
        ),
    ],
)
def test_a_number_of_a_component_has_a_most(old: str, new: str, message: str) -> None:
    assert old in DIGITS

    assert refused(DIGITS.replace(old, new))[0].startswith(f"mine.toml: {message}")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (f"dimension = {10**9}", "objective.dimension: should be at most 100,000"),
        ("exponent = 1e308", "objective.exponent: should be at most 10"),
        ("noise_scale = 1e308", "objective.noise_scale: should be at most 1e+30"),
        ("start = inf", "objective.start: should be at most 1e+30"),
    ],
)
def test_a_number_of_the_noisy_quadratic_model_has_a_most(setting: str, message: str) -> None:
    text = preset_text("nqm-sgd").replace('kind = "nqm"', f'kind = "nqm"\n{setting}')

    assert refused(text)[0].startswith(f"mine.toml: {message}")


@pytest.mark.parametrize("value", ["slack = inf", "optimism = inf"])
def test_what_may_be_infinite_stays_so(value: str) -> None:
    experiment = parse(TOY.replace("points = 12", f"points = 12\n{value}"), source="mine.toml")

    assert math.inf in (experiment.search.slack, experiment.search.optimism)


def test_no_number_of_a_file_is_without_a_most() -> None:
    shipped = [find_named(each, kind) for each in ("tuner.samplers", "objectives.models") for kind in available(each)]
    ours = [find_named("objectives", kind) for kind in available("objectives")]
    kinds = [*shipped, *ours, SearchSettings, ConfirmationSettings]
    bare = {
        f"{kind.__name__}.{name}"
        for kind in kinds
        if isinstance(kind, type)
        for name, hint in typing.get_type_hints(kind, include_extras=True).items()
        if {int, float} & set(_parts(hint)) and not any(isinstance(each, Within | Few) for each in _parts(hint))
    }

    assert len(kinds) > 10
    assert bare == {"SearchSettings.max_error_share"}  # between 0 and 1


def _parts(hint: object) -> list[object]:
    """A type and all that it is made of."""
    metadata = getattr(hint, "__metadata__", ())
    return [hint, *metadata, *(part for each in typing.get_args(hint) if each not in metadata for part in _parts(each))]


def test_the_presets_keep_their_digests() -> None:
    assert {each: parse(preset_text(each), source=each).digest[:12] for each in DIGESTS} == DIGESTS


def test_limits_hold_within_their_context_only() -> None:
    assert read(Count, 10**12) == 10**12
    with limits_hold(), pytest.raises(ConfigError, match="should be at most 1,000,000,000, not 1000000000000"):
        read(Count, 10**12)
    assert read(Count, 10**12) == 10**12


NAME = "tuner.db-" + "x" * 240


def older() -> Experiment:
    """An experiment of version 0.1 beyond every limit."""
    experiment = parse(SMALL, source="toy")
    search = replace(experiment.search, points=10**6, width=10**6, slack=1e12)
    larger = replace(experiment, name=NAME, seed=10**30, batch_sizes=tuple(range(1, 150)), search=search)
    space = {"learning_rate": {"low": 0.1, "high": 0.1000000001}}
    return from_table(json.loads(json.dumps({**larger.to_table(), "space": space})))


def test_what_an_earlier_version_stored_is_read_whatever_its_numbers_are() -> None:
    with pytest.raises(ConfigError) as caught:
        check({**older().to_table(), "seed": 0}, source="mine.toml")

    paths = {each.path for each in caught.value.problems}
    assert {"name", "batch_sizes", "search.points", "search.width", "search.slack", "space.learning_rate"} <= paths
    assert from_table(older().to_table()) == older()
    assert grown(older(), older()).digest == older().digest
    assert older().build_objective().train_examples == 1024


def test_what_an_earlier_version_stored_can_be_looked_at_and_deleted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    few = replace(older(), batch_sizes=(1, 2))
    with closing(open_store(url)) as store:
        store.submit(few)

    for command in (["status"], ["status", NAME], ["results", NAME], ["export", NAME], ["pause", NAME]):
        done = tuner(tmp_path, *command, "--store", url)
        assert (done.returncode, done.stderr) == (0, ""), command
    done = tuner(tmp_path, "delete", NAME, "--yes", "--store", url)

    assert (done.returncode, done.stderr) == (0, "")
    with closing(open_store(url)) as store:
        assert store.names() == []
