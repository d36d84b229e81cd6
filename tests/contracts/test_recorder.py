"""What every recorder keeps to: it takes all events of a run, returns at once and never raises."""

import io
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.tuner.recorded import Cell, Held, recorded
from tuner.recorders import Notice, Recorder, StudyBroken
from tuner.recorders.mlflow.recorder import MlflowRecorder
from tuner.recorders.progress.lines import LineProgress
from tuner.recorders.progress.notebook import NotebookProgress
from tuner.recorders.progress.terminal import TerminalProgress

Make = Callable[[Path], Recorder]

MAKERS: dict[str, Make] = {
    "mlflow": lambda folder: MlflowRecorder(
        f"sqlite:///{folder}/mlflow.db", Held(recorded()).open, tell=lambda notice: None, patience=60
    ),
    "mlflow-unusable": lambda folder: MlflowRecorder(
        "nonsense://", Held(recorded()).open, tell=lambda notice: None, patience=60
    ),
    "lines": lambda folder: LineProgress(io.StringIO()),
    "notebook": lambda folder: NotebookProgress(Cell()),
    "terminal": lambda folder: TerminalProgress(Console(file=io.StringIO(), force_terminal=True)),
}


@pytest.fixture(params=list(MAKERS))
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Recorder:
    return MAKERS[request.param](tmp_path)


def test_it_takes_every_event_of_a_run_at_once(recorder: Recorder) -> None:
    what = recorded(trials=20)
    events = [*what.events(), Notice("a notice"), StudyBroken(64, "a reason")]
    recorder.open(what.experiment)
    started = time.monotonic()
    for event in events:
        recorder.record(event)
    seconds = time.monotonic() - started
    recorder.close()

    assert seconds < 0.5


def test_it_can_be_closed_without_having_been_opened(recorder: Recorder) -> None:
    recorder.record(Notice("nothing is open"))
    recorder.close()


def test_it_can_be_closed_in_the_middle_of_a_study(recorder: Recorder) -> None:
    what = recorded()
    recorder.open(what.experiment)
    for event in list(what.events())[:3]:
        recorder.record(event)
    recorder.close()


def test_events_pass_between_processes() -> None:
    for event in recorded().events():
        assert pickle.loads(pickle.dumps(event)) == event or "nan" in repr(event)
