"""An experiment's name can be a folder's beside our own files, and part of a lock's."""

from pathlib import Path

import pytest

from tests.toy import TOY
from tuner.errors import ConfigError, TunerError
from tuner.experiment import from_table, parse, write_template
from tuner.experiment.limits.names import LETTERS
from tuner.service import locations


def named(name: str) -> str:
    return TOY.replace('name = "toy"', f'name = "{name}"')


@pytest.mark.parametrize("name", ["t", "x" * LETTERS, "models", "tuner-db", "my.tuner.db", "logs-2", "mlflow"])
def test_names_that_collide_with_nothing_are_taken(name: str) -> None:
    assert parse(named(name), source="mine.toml").name == name


@pytest.mark.parametrize(
    "name",
    [
        "tuner.db",
        "tuner.db-wal",
        "tuner.db-shm",
        "TUNER.DB",
        "mlflow.db",
        "MLflow.db-journal",
        "mlartifacts",
        "logs",
        "Logs",
    ],
)
def test_names_of_our_files_in_the_folder_of_the_reports_are_refused(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"mine\.toml: name: is taken by a file of tuner's own .* choose another name"
    ):
        parse(named(name), source="mine.toml")


def test_a_name_that_leaves_no_room_for_what_files_have_beside_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml: name: has 250 letters; at most 100"):
        parse(named("x" * 250), source="mine.toml")


@pytest.mark.parametrize("name", ["tuner.db-wal", "x" * 250])
def test_a_name_that_an_earlier_version_stored_is_read(name: str) -> None:
    table = {**parse(TOY, source="mine.toml").to_table(), "name": name}

    assert from_table(table).name == name


@pytest.mark.parametrize("name", ["tuner.db.toml", "x" * 101 + ".toml"])
def test_a_template_gets_no_name_that_would_be_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TunerError, match="is no name for an experiment's file"):
        write_template("module", tmp_path / name)


def test_the_files_that_names_must_not_collide_with_lie_where_reports_do() -> None:
    assert locations.report_folder("toy") == locations.RUNS / "toy"
    assert locations.store_url(None) == f"sqlite:///{locations.RUNS}/tuner.db"
    assert locations.tracking_uri(None) == f"sqlite:///{locations.RUNS}/mlflow.db"
