"""A field's key in the file is its name, or what its mark says."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from tuner.errors import ConfigError
from tuner.experiment.settings import Key, fill


@dataclass(frozen=True)
class Settings:
    measured: Annotated[tuple[str, ...], Key("metrics")]
    seed: int = 0


def test_a_field_is_filled_from_the_key_that_its_mark_names() -> None:
    assert fill(Settings, {"metrics": ["error"]}, owner="it") == Settings(("error",))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"seed": 1}, "metrics: is missing; it needs it"),
        ({"metrics": [1]}, "metrics.0: should be a valid string, not 1"),
        ({"metrics": [], "measured": []}, "measured: is not a setting of it; it has metrics, seed"),
    ],
)
def test_problems_name_the_key(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fill(Settings, table, owner="it")
