"""Whoever reads the record knows its rounds: results, tables, the report, replay and exports."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.tuner.narrow import limited, searched, work
from tuner.analysis.summary import results
from tuner.cli import printing, status, tables
from tuner.errors import TunerError
from tuner.records import Role
from tuner.reports.export import write_csv, write_json
from tuner.reports.findings import findings
from tuner.reports.overview.reproduction import commands
from tuner.reports.overview.space import rounds
from tuner.reports.page import write_report
from tuner.search.replay import replay
from tuner.stores import Store
from tuner.stores.opening import open_progress, open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of one study of several rounds, without probes."""
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('widened') / 'tuner.db'}")) as opened:
        work(opened, limited("1e-4", "1e-2", more="probes = 0"))
        yield opened


def test_results_tell_the_story_of_the_rounds(store: Store) -> None:
    (study,) = results(store.record("toy")).studies
    entry = json.loads(json.dumps(study.to_json(), allow_nan=False))
    first, *_, last = entry["history"]
    assert entry["rounds"] == len(entry["history"]) > 1
    assert (first["round"], first["points"]) == (1, 40)
    assert first["widened"] == [{"parameter": "learning_rate", "side": "high", "from": 0.01, "to": 0.1}]
    assert last["widened"] == []
    assert entry["best"]["round"] > 1
    assert entry["best"]["steps"] == min(each["best_steps"] for each in entry["history"] if each["best_steps"])
    assert entry["confirmed"]["round"] > 1
    assert entry["trials"]["achieved"] + entry["trials"]["censored"] == sum(each["points"] for each in entry["history"])
    assert study.story[0].endswith("then learning_rate high 0.01 -> 0.1.")


def test_a_trial_of_any_round_is_replayed(store: Store) -> None:
    record = store.record("toy")

    for each in searched(store).rounds[:2]:
        outcome = replay(record, batch_size=8, round=each.round, number=4)
        assert outcome.same
        assert outcome.recorded == each.trials[4]
    with pytest.raises(TunerError, match=r"batch size 8 of toy has no round 9; it has \d, from 1"):
        replay(record, batch_size=8, round=9, number=0)
    with pytest.raises(TunerError, match="round 2 of batch size 8 of toy has no trial 99"):
        replay(record, batch_size=8, round=2, number=99)


def test_exports_hold_every_round(store: Store) -> None:
    table, document = io.StringIO(), io.StringIO()
    write_csv(store, "toy", table)
    write_json(store, "toy", document)

    expected = {(each.round, each.number) for each in searched(store).all_trials(*Role)}
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    exported = json.loads(document.getvalue())["trials"]
    assert {(int(row["round"]), int(row["trial"])) for row in rows} == expected
    assert {(each["round"], each["trial"]) for each in exported} == expected
    assert all(each["curve"]["step"] for each in exported if each["state"] == "finished")


def test_the_report_tells_the_story_of_the_rounds(store: Store, tmp_path: Path) -> None:
    record = store.record("toy")

    page = write_report(record, tmp_path / "report").read_text()
    found = findings(record)
    section, asked = rounds(found), commands(found.results)
    assert section is not None
    assert [each.head for each in section.items] == ["Batch size 8."] * searched(store).round
    assert section.question in page
    assert "Round 1: 40 points, best" in page
    assert asked[1].startswith("tuner replay toy --batch-size 8 --trial ")
    assert asked[1].endswith((" --round 2", " --round 3"))


def test_tables_show_the_round_and_its_points(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    study = searched(store)
    trials = len(study.finished(*Role))

    with closing(open_progress(store.url)) as progress:
        printing.show(status.status_table(progress.read("toy")))
    printing.show(tables.results_table(results(store.record("toy"))))
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split()[:6] == ["toy", "8", "done,", "round", str(study.round), f"{trials}/{trials}"]
    assert "batch size 8: Round 1: 40 points, best" in printed
    assert "then learning_rate high 0.01 -> 0.1." in printed
