"""What `tuner.results` returns: results, trials, curves and figures of what the store holds."""

import csv
import io
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

import tuner
from tests.commands import tuner as command
from tests.toy import SMALL, steps_to
from tests.tuner.recorded import recorded
from tuner.analysis import summary
from tuner.errors import TunerError
from tuner.experiment import from_table
from tuner.reports.stored import StoredResults, stored_results
from tuner.stores.opening import open_records, open_store


@pytest.fixture
def results(finished: Path) -> StoredResults:
    """Those of the toy, which was run to its end."""
    return tuner.results("toy", store=f"sqlite:///{finished}/runs/tuner.db")


def test_they_hold_what_the_analysis_makes_of_the_record(results: StoredResults) -> None:
    with closing(open_records(results.store)) as opened:
        found = summary.results(opened.record("toy"))

    assert (results.experiment, results.studies, results.doubts) == (found.experiment, found.studies, found.doubts)
    assert (results.at_box_edge, results.selection_bias) == (found.at_box_edge, found.selection_bias)
    assert results.to_json() == found.to_json()


def test_trials_are_a_row_each_with_their_hyperparameters_and_last_metrics(results: StoredResults) -> None:
    trials = results.trials

    search = trials[(trials["role"] == "search") & (trials["outcome"] == "achieved")]
    assert len(trials) == 2 * (12 + 2 + 3)
    assert search["steps"].tolist() == [steps_to(0.03, each) for each in search["learning_rate"]]
    assert (search["validation/error"] < 0.03).all()
    assert trials["steps"].dtype == "Int64"


def test_curves_are_the_rows_of_the_export(results: StoredResults, finished: Path) -> None:
    exported = list(csv.DictReader(io.StringIO(command(finished, "export", "toy").stdout)))

    curves = results.curves

    assert list(curves.columns) == [
        *("batch_size", "round", "trial", "step", "test/error", "train/loss", "validation/error", "examples")
    ]
    assert len(curves) == len(exported)
    assert curves["validation/error"].tolist() == [float(each["validation/error"]) for each in exported]
    assert len(curves.merge(results.trials, on=["batch_size", "round", "trial"])) == len(curves)
    assert results.curves is curves


def test_curves_can_be_read_after_the_current_folder_has_changed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    results = tuner.results("toy", store="sqlite:///runs/tuner.db")
    monkeypatch.chdir(tmp_path)

    assert len(results.curves) > 0


def test_the_best_point_is_the_winner(results: StoredResults) -> None:
    winner = results.studies[0].confirmed
    assert winner is not None

    best = results.best(8)

    assert best is not None
    assert (best.batch_size, best.hyperparameters, best.steps) == (8, winner.hyperparameters, winner.score)
    assert best.is_confirmed


def test_before_there_is_a_winner_it_is_that_of_the_search_or_none() -> None:
    both = StoredResults(recorded().record, store="")
    searched = [each for each in both.studies if each.confirmed is None and each.best is not None]

    assert searched
    for each in searched:
        best = both.best(each.batch_size)
        assert best is not None
        assert (best.steps, best.is_confirmed) == (each.best_score, False)


def test_an_unknown_batch_size_or_figure_says_which_there_are(results: StoredResults) -> None:
    with pytest.raises(TunerError, match="toy has no batch size 9; it has 8, 16"):
        results.best(9)
    with pytest.raises(TunerError, match=r"toy has no figure momentum; it has scaling, learning_rate, .*tolerances"):
        results.figures.optima("momentum")


def test_figures_are_those_of_the_report_and_show_themselves(results: StoredResults) -> None:
    figures = results.figures
    drawn = [figures.scaling(), figures.optima(), figures.tolerances(), figures.searches(), figures.costs()]

    labels = [each.axes[0].get_ylabel() for each in drawn]
    assert labels[:2] == ["steps to target", "learning rate"]
    assert labels[4] == "gradient steps spent"
    assert len({id(each) for each in drawn}) == len(drawn)


def test_a_notebook_shows_the_optima_as_a_table(results: StoredResults) -> None:
    shown = results._repr_html_()

    assert shown.count("<tr>") == 3
    assert "steps to validation/error below 0.03, within 400 steps; 2 of 2 batch sizes complete" in shown
    for study in results.studies:
        assert study.confirmed is not None
        assert f"<td>{study.confirmed.score:,.0f}</td>" in shown


def test_what_is_stored_is_no_part_of_its_name(results: StoredResults) -> None:
    assert repr(results) == "<results of toy: 2 of 2 batch sizes complete>"


def test_an_experiment_without_trials_has_empty_frames_and_no_figures(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with closing(open_store(url)) as store:
        store.submit(from_table(tomllib.loads(SMALL)))
    results = stored_results("toy", url)

    assert (len(results.trials), len(results.curves), results.best(8)) == (0, 0, None)
    assert "0 of 2 batch sizes complete" in results._repr_html_()
    with pytest.raises(TunerError, match="toy has no figure scaling; it has none yet"):
        results.figures.scaling()
