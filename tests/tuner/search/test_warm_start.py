"""With a warm start a study begins with its neighbour's optimum, whatever interrupts it."""

import csv
import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toy import SMALL, Toy
from tests.tuner.narrow import work
from tests.working import work_through
from tuner.analysis.optimum.confirmation import confirm
from tuner.analysis.summary import results
from tuner.cli import printing, tables
from tuner.experiment import Experiment, parse
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import Origin, Role, StudyRecord, TrialPlan, TrialState
from tuner.reports.export import write_csv
from tuner.reports.findings import findings
from tuner.reports.overview.space import rounds
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.stores.relational.claims import StudyClaim

COLD = parse(SMALL.replace('"random"', '"tpe"').replace("[8, 16]", "[4, 8, 16]"), source="toy.toml")
WARM = replace(COLD, search=replace(COLD.search, warm_start=True))
SAME, LINEAR, SQUARE_ROOT = ScalingRule


class Died(BaseException):
    """A worker's end without a word."""


def studies(store: Store) -> dict[int, StudyRecord]:
    return {each.batch_size: each for each in store.record("toy").studies}


def winner(study: StudyRecord) -> tuple[int, float]:
    """Number and learning rate of the search trial that was confirmed."""
    found = confirm(study, COLD.confirmation)
    assert found is not None
    return found.trial, float(found.hyperparameters["learning_rate"])


def searched(study: StudyRecord) -> list[tuple[object, ...]]:
    plans = [each.plan for each in sorted(study.finished(Role.SEARCH), key=lambda each: each.plan.point)]
    return [(each.point, each.seed, each.hyperparameters["learning_rate"], each.origin) for each in plans]


def trials(store: Store) -> list[tuple[object, ...]]:
    return [(each.number, each.plan, each.end) for study in studies(store).values() for each in study.trials]


def finished(tmp_path: Path, experiment: Experiment, name: str) -> list[tuple[object, ...]]:
    """All trials of a run of its own."""
    with closing(open_store(f"sqlite:///{tmp_path / name}.db")) as store:
        work(store, experiment)
        return trials(store)


def test_the_first_points_of_a_study_are_its_neighbours_optimum_by_each_rule(store: Store) -> None:
    work(store, WARM)

    found = studies(store)
    for size, neighbour in ((8, 16), (4, 8)):
        trial, rate = winner(found[neighbour])
        first = [(point, at, origin) for point, _, at, origin in searched(found[size])[:4]]
        assert first[:3] == [
            (0, rate, Origin(neighbour, 1, trial, SAME)),
            (1, rate / 2, Origin(neighbour, 1, trial, LINEAR)),
            (2, pytest.approx(rate / 2**0.5, rel=1e-12), Origin(neighbour, 1, trial, SQUARE_ROOT)),
        ]
        assert first[3][2] is None


def test_the_study_searched_first_begins_by_itself(store: Store) -> None:
    work(store, WARM)

    assert not any(each.plan.origin for each in studies(store)[16].finished(Role.SEARCH))


def test_without_a_warm_start_a_study_is_the_same_whatever_others_there_are(store: Store, tmp_path: Path) -> None:
    cold = replace(COLD, confirmation=replace(COLD.confirmation, neighbours=False))
    work(store, cold)

    alone = finished(tmp_path, replace(cold, batch_sizes=(4,)), "alone")
    assert repr(alone) == repr([(each.number, each.plan, each.end) for each in studies(store)[4].trials])


def test_a_study_has_as_many_points_with_a_warm_start_as_without(store: Store) -> None:
    work(store, WARM)

    assert [len(each.finished(Role.SEARCH)) for each in studies(store).values()] == [12, 12, 12]


def test_confirmation_runs_do_not_count_as_points_taken_over(store: Store) -> None:
    work(store, WARM)

    for study in studies(store).values():
        own = {each.plan.point for each in study.finished(Role.SEARCH)}
        confirming = [each.plan for each in study.finished(Role.CHOOSE, Role.REPORT) if each.plan.point in own]
        assert confirming
        assert all(each.origin is None for each in confirming)


def test_quasi_random_points_keep_their_numbers_and_the_first_are_skipped(tmp_path: Path) -> None:
    points = []
    for each in (WARM, COLD):
        even = replace(each, search=replace(each.search, sampler={"kind": "quasi_random"}, max_rounds=1))
        with closing(open_store(f"sqlite:///{tmp_path / str(each.search.warm_start)}.db")) as store:
            work(store, even)
            points.append([(point, rate) for point, _, rate, _ in searched(studies(store)[8])])

    warm, cold = points
    assert warm[3:] == cold[3:]
    assert not {rate for _, rate in warm[:3]} & {rate for _, rate in cold}


def test_a_run_with_a_warm_start_is_the_same_every_time(tmp_path: Path) -> None:
    assert repr(finished(tmp_path, WARM, "one")) == repr(finished(tmp_path, WARM, "two"))


def die(patch: pytest.MonkeyPatch, store: Store, objective: Toy, *, batch_size: int, starts: int) -> None:
    """Work until so many trials of a study have been started, and no further."""
    start: Callable[[StudyClaim, TrialPlan], int] = StudyClaim.start

    def start_or_die(claim: StudyClaim, plan: TrialPlan) -> int:
        if claim.current.batch_size == batch_size and len(claim.record().trials) == starts:
            raise Died
        return start(claim, plan)

    store.submit(WARM)
    with patch.context() as changed:
        changed.setattr(StudyClaim, "start", start_or_die)
        with pytest.raises(Died):
            work_through(store, build=lambda _: objective)


@pytest.mark.parametrize("starts", [1, 2, 3, 4])
def test_a_worker_that_dies_among_the_first_points_loses_and_repeats_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: int
) -> None:
    die(monkeypatch, store, Toy(), batch_size=8, starts=starts)
    assert [each.state for each in studies(store)[8].trials] == [TrialState.FAILED] * starts

    work(store, WARM)

    found = searched(studies(store)[8])
    assert [each[0] for each in found] == list(range(12))
    assert [each[3] is not None for each in found] == [True] * 3 + [False] * 9
    with closing(open_store(f"sqlite:///{tmp_path / 'whole'}.db")) as whole:
        work(whole, WARM)
        assert found[:3] == searched(studies(whole)[8])[:3]


def test_an_interrupted_study_stays_with_its_neighbour_when_a_nearer_one_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(monkeypatch, store, Toy(breaks_at_batch_size=8), batch_size=4, starts=1)
    store.reopen(WARM.name)

    work(store, WARM)

    found = studies(store)
    trial, rate = winner(found[16])
    assert found[8].complete
    assert [(at, origin) for _, _, at, origin in searched(found[4])[:4]] == [
        (rate, Origin(16, 1, trial, SAME)),
        (rate / 4, Origin(16, 1, trial, LINEAR)),
        (rate / 2, Origin(16, 1, trial, SQUARE_ROOT)),
        (searched(found[4])[3][2], None),
    ]


def test_results_the_report_and_exports_say_what_a_study_began_from(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    work(store, WARM)
    record, out = store.record("toy"), io.StringIO()
    sentence = "Began from batch size 8's optimum (as it is, linear, square root)."

    printing.show(tables.results_table(results(record)))
    write_csv(store, "toy", out)

    smallest, *_, largest = results(record).studies
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert f"batch size 4: {sentence}" in capsys.readouterr().out
    assert (smallest.to_json()["warm_start"], largest.to_json()["warm_start"]) == (
        {"batch_size": 8, "round": 1, "trial": winner(studies(store)[8])[0], "rules": list(ScalingRule)},
        None,
    )
    section = rounds(findings(record))
    assert section is not None
    assert ("Batch size 4.", sentence) in [(each.head, each.sentence) for each in section.items]
    assert {row["origin"] for row in rows if row["batch_size"] == "4"} == {
        "",
        "batch size 8, as it is",
        "batch size 8, linear scaling",
        "batch size 8, square root scaling",
    }
