"""An optimum in doubt is tagged in MLflow, and untagged when it no longer is."""

from dataclasses import replace
from pathlib import Path

from tests.tuner.recorded import Held, recorded
from tuner.analysis.scaling.doubts import Doubt
from tuner.analysis.summary import results
from tuner.recorders.mlflow.overview import log_answers
from tuner.recorders.mlflow.run_content import DOUBT_TAG, STUDY_TAG
from tuner.recorders.mlflow.runs import Tracking
from tuner.recorders.mlflow.sync import sync

DOUBT = Doubt(128, 90.0, 31.0, (64,))


def tags(uri: str) -> dict[str, str]:
    """The doubt of each study's run, where it has one."""
    runs = Tracking(uri, "digits", Held(recorded())).runs(STUDY_TAG)
    return {each.tags[STUDY_TAG]: each.tags[DOUBT_TAG] for each in runs if DOUBT_TAG in each.tags}


def test_the_run_of_a_study_in_doubt_says_why_and_later_that_it_is_not(tmp_path: Path) -> None:
    uri, what = f"sqlite:///{tmp_path / 'mlflow.db'}", recorded()
    sync(what.record, what.curves, Tracking(uri, "digits", Held(what)))
    found = results(what.record)
    first, second = found.studies

    log_answers(replace(found, studies=(first, replace(second, doubt=DOUBT))), Tracking(uri, "digits", Held(what)))
    assert tags(uri) == {"digits/batch_size=128/round=1": DOUBT.sentence}

    log_answers(replace(found, studies=(first, replace(second, doubt=None))), Tracking(uri, "digits", Held(what)))
    assert tags(uri) == {"digits/batch_size=128/round=1": ""}
