"""Every command on stores of which one value, row or table is damaged: a line at the most, and never a traceback."""

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.damaged import Damage, damaged_copy, damages, make_store
from tests.toy import SMALL
from tests.working import work_through
from tuner.cli.app import app
from tuner.errors import StoreError, TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.stores.dashboard_view import DashboardView
from tuner.stores.opening import open_store

ACTIONS = 6
"""How many of them are tried on each damaged store."""

Actions = Mapping[str, Callable[[str], str]]
"""What is done with the store at a URL; returns what is said."""


def told(url: str, *arguments: str) -> str:
    """What a command says, also on standard error; an assertion fails where it would end with a traceback."""
    done = CliRunner(env={"TUNER_STORE": url, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}).invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        if not isinstance(done.exception, TunerError):
            raise done.exception
        assert len(str(done.exception).splitlines()) == 1, done.exception
        assert "Traceback" not in done.output
        return f"{done.output}error: {done.exception}"
    return done.output


def worked(url: str) -> str:
    """What a worker says that reads all that is open, and cannot train it here."""

    def build(experiment: Experiment) -> Objective:
        raise TunerError("it was read")

    said: list[str] = []
    with closing(open_store(url)) as store:
        work_through(store, emit=lambda event: said.append(str(event)), build=build)
    return "\n".join(said)


def viewed(url: str) -> str:
    """What optuna-dashboard is shown."""
    with closing(open_store(url, create=False)) as store:
        view = DashboardView(store.optuna_url)
        found = [view.get_all_trials(each._study_id) for each in view.get_all_studies()]
        view.engine.dispose()
    return f"{sum(map(len, found))} trials"


def of_commands(*commands: Sequence[str]) -> Actions:
    return {" ".join(each): lambda url, each=each: told(url, *each) for each in commands}  # type: ignore[misc]


QUICK: Actions = {
    **of_commands(["status"], ["results", "toy", "--json"], ["export", "toy"]),
    "worker": worked,
    "dashboard": viewed,
    **of_commands(["delete", "toy", "--yes"]),
}
ALL: Actions = {
    **QUICK,
    **of_commands(
        *(["status", "toy"], ["results", "toy", "--below", "0.1"], ["edges", "toy"], ["sensitivity", "toy"]),
        *(["export", "toy", "--format", "json"], ["report", "toy"], ["sync", "toy"]),
        ["replay", "toy", "--batch-size", "8", "--trial", "0"],
        *(["submit", "toy.toml"], ["pause", "toy"], ["resume", "toy"], ["cancel", "toy"]),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing is wrong."""
    path = tmp_path_factory.mktemp("sound") / "tuner.db"
    make_store(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the toy's file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(SMALL.replace("points = 12", "points = 13"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path


def said_of(sound: Path, damage: Damage, action: Callable[[str], str]) -> str:
    """What an action says of a store that is damaged so."""
    url = damaged_copy(sound, damage, Path("damaged.db"))
    with suppress(StoreError):
        return action(url)
    return "error"


def tracebacks(sound: Path, found: Sequence[Damage], actions: Actions) -> list[str]:
    """The cases that end otherwise than with an answer or a line."""
    ended = []
    for damage in found:
        for name, action in actions.items():
            try:
                said_of(sound, damage, action)
            except Exception as error:
                ended.append(f"{damage}, {name}: {type(error).__name__}: {str(error)[:200]}")
    return ended


def one_for_each_place(sound: Path, chance: random.Random) -> Sequence[Damage]:
    """A damage for each column and each table, drawn from those there are."""
    places: dict[tuple[str, str], list[Damage]] = {}
    for each in sorted(damages(sound), key=str):
        places.setdefault((each.table, each.column), []).append(each)
    return [chance.choice(each) for each in places.values()]


@pytest.mark.timeout(900)
def test_commands_on_damaged_stores_end_with_an_answer_or_a_line(sound: Path, folder: Path) -> None:
    some = random.Random(0).sample(sorted(damages(sound), key=str), 25)

    assert tracebacks(sound, some, QUICK) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_command_ends_in_a_traceback_wherever_a_store_is_damaged(sound: Path, folder: Path) -> None:
    chance = random.Random(1)

    ended = [
        each
        for damage in one_for_each_place(sound, chance)
        for each in tracebacks(sound, [damage], dict(chance.sample(sorted(ALL.items()), ACTIONS)))
    ]

    assert ended == []
