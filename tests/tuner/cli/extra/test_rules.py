"""`tuner rules`: what people type, read and see go wrong."""

import json
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.commands import read_until, started, tuner
from tests.toy import SMALL, Toy, ToyTrainer, steps_to
from tests.working import work_through
from tuner.analysis.summary import results
from tuner.cli.app import app
from tuner.errors import TunerError
from tuner.experiment import Experiment, parse
from tuner.objective import Objective
from tuner.records import ExperimentState, Role
from tuner.search.tasks.extra import Extra, unchanged
from tuner.service import runs
from tuner.service.runs import RunOutcome
from tuner.stores.opening import open_store
from tuner.trial import TrialSpec


def searched(folder: Path, text: str = SMALL) -> str:
    """A folder in which the toy has been searched. The URL of its store."""
    url = f"sqlite:///{folder / 'runs' / 'tuner.db'}"
    with closing(open_store(url)) as store:
        store.submit(parse(text, source="toy.toml"))
        work_through(store)
    return url


def test_rules_are_trained_once_and_their_costs_printed(tmp_path: Path, uri: str) -> None:
    url = searched(tmp_path)

    first = tuner(tmp_path, "rules", "toy", "--json", "--workers", "1", "--mlflow", uri)
    again = tuner(tmp_path, "rules", "toy")

    assert first.returncode == again.returncode == 0
    found = json.loads(first.stdout)
    assert (found["from"], found["complete"]) == (8, True)
    for rule in found["rules"]:
        (at,) = rule["batch_sizes"]
        assert at["steps"] == steps_to(0.03, at["params"]["learning_rate"])
        assert at["ratio"] == pytest.approx(at["steps"] / at["tuned_steps"])
    assert "6 of 6 trials" in first.stderr
    assert "batch size 16: is complete, and is given" not in again.stdout
    assert "With the linear rule from batch size 8, training comes to at most" in again.stdout
    assert "What does a rule of thumb cost?" in (tmp_path / "runs" / "toy" / "report.html").read_text()
    with closing(open_store(url)) as store:
        assert len(store.record("toy").studies[1].finished(Role.RULE)) == 6


@pytest.mark.slow
def test_an_interruption_ends_with_130_and_the_same_command_goes_on(tmp_path: Path, uri: str) -> None:
    slow = SMALL.replace('kind = "tests.toy:Toy"', 'kind = "tests.toy:Toy"\npause = 0.05')
    url = searched(tmp_path, slow.replace("points = 12", "points = 4"))

    with started(tmp_path, "rules", "toy", "--checkpoints", "kept", "--mlflow", uri) as process:
        read_until(process, "batch size 16: is complete, and is given 6 trials more")
        process.send_signal(signal.SIGINT)
        said = process.communicate()[0]
    assert process.returncode == 130
    assert "the same command goes on from here" in said

    assert tuner(tmp_path, "rules", "toy", "--checkpoints", "kept", "--mlflow", uri).returncode == 0
    with closing(open_store(url)) as store:
        trials = store.record("toy").studies[1].finished(Role.RULE)
    assert len({(each.plan.point, each.plan.repeat) for each in trials}) == len(trials) == 6


def test_what_cannot_be_trained_is_one_clear_line(tmp_path: Path) -> None:
    url = searched(tmp_path)

    def error(*arguments: str) -> str:
        raised = CliRunner().invoke(app, ["rules", "toy", "--store", url, *arguments]).exception
        assert isinstance(raised, TunerError)
        return str(raised)

    assert error("--from", "32") == "batch size 32 of toy has no confirmed optimum to start from; these have: 8, 16"
    with closing(open_store(url)) as store:
        store.set_state("toy", ExperimentState.CANCELLED)
    assert error() == "toy was cancelled, which is for good: nothing more is trained for it"


def test_what_an_error_ended_is_told_and_tried_again_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = searched(tmp_path)
    tasks: list[Extra] = []

    def run_and_log(*_: object, task: Extra, **__: object) -> RunOutcome:
        workload = no_disk if not tasks else unchanged
        tasks.append(replace(task, workload=workload))
        with closing(open_store(url)) as store:
            record = store.record("toy")
            task.submit(store, record.experiment)
            work_through(store, task=tasks[-1])
        return RunOutcome(results(record), tmp_path / "report.html", False, (), record.state, True)

    monkeypatch.setattr(runs, "run_and_log", run_and_log)
    first, second, third = (CliRunner().invoke(app, ["rules", "toy", "--store", url]) for _ in range(3))

    told = "6 trials ended with an error: OSError: no space left; the same command tries again"
    assert [told in each.stdout for each in (first, second, third)] == [True, False, False]
    assert "3 of 3 ended with an error" in first.stdout
    assert len(tasks) == 2  # the third time nothing is left


def no_disk(_: Objective) -> Objective:
    return Full()


class Full(Toy):
    """The toy on a full disk."""

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> ToyTrainer:
        return FullTrainer(self, batch_size, lanes, "cpu")


class FullTrainer(ToyTrainer):
    def load(self, lane: int, trial: TrialSpec, checkpoint: bytes | None = None) -> None:
        raise OSError("no space left")


@pytest.mark.parametrize("command", ["rules", "diagnose"])
def test_options_of_ray_want_its_engine(command: str) -> None:
    done = CliRunner().invoke(app, [command, "toy", "--trainers", "2"])

    assert done.exit_code == 2
    assert "is for --engine ray" in done.stderr


def test_the_workload_is_loaded_before_gpus_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, events = searched(tmp_path), []
    monkeypatch.setattr(Experiment, "build_objective", lambda _: events.append("loaded"))
    monkeypatch.setattr(runs, "run_and_log", lambda *_, **__: events.append("run"))

    assert CliRunner().invoke(app, ["rules", "toy", "--store", url]).exit_code == 0

    assert events[:2] == ["loaded", "run"]
