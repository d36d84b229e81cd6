"""A weaker target or a smaller budget is answered from stored curves as a search for it would have been."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.commands import tuner
from tests.toy import SMALL, Toy, steps_to
from tests.working import work_through
from tuner.analysis.other_goals import OtherGoal, judged_again
from tuner.analysis.summary import results
from tuner.errors import TunerError
from tuner.experiment import parse
from tuner.objective import Target
from tuner.records import Curve, Role, TrialEnd
from tuner.stores import Store
from tuner.stores.opening import open_store
from tuner.trial import Outcome

EXPERIMENT = parse(SMALL.replace('"random"', '"quasi_random"'), source="toy.toml")


def curves_of(store: Store, batch_size: int, round: int) -> Mapping[int, Curve]:
    return store.curves("toy", batch_size, round=round)


def asked(store: Store, *, target: Target | None = None, within_steps: int | None = None) -> OtherGoal:
    """The toy experiment, searched and judged again."""
    store.submit(EXPERIMENT)
    work_through(store, build=lambda _: Toy())
    return judged_again(store.record("toy"), partial(curves_of, store), target=target, within_steps=within_steps)


def test_steps_to_a_weaker_target_are_those_of_the_curve(store: Store) -> None:
    other = asked(store, target=Target(0.2))

    for study in other.record.studies:
        for each in study.finished(*Role):
            rate = float(each.plan.hyperparameters["learning_rate"])
            if each.end is not None and each.end.outcome is Outcome.ACHIEVED:
                assert each.end.steps == steps_to(0.2, rate)
    found = other.results
    confirmed = [each.confirmed for each in found.studies]
    winners = [each.confirmed for each in results(store.record("toy")).studies]
    for now, before in zip(confirmed, winners, strict=True):
        assert now is not None
        assert before is not None
        assert now.hyperparameters == before.hyperparameters
        assert now.score == steps_to(0.2, float(now.hyperparameters["learning_rate"])) < before.score
    assert other.estimated == 0  # the toy measures everything


def test_the_own_target_changes_nothing(store: Store) -> None:
    other = asked(store, target=Target(0.03))

    own = store.record("toy")
    for now, before in zip(other.results.studies, results(own).studies, strict=True):
        assert now == dataclasses.replace(before, edges=(), doubt=None)


def test_a_smaller_budget_cuts_what_took_longer(store: Store) -> None:
    best = min(each.steps for each in ends(asked(store)) if each.outcome is Outcome.ACHIEVED)

    none = asked(store, within_steps=best - 1)
    some = asked(store, within_steps=best)

    assert not [each for each in ends(none) if each.outcome is Outcome.ACHIEVED]
    assert {each.steps for each in ends(some) if each.outcome is Outcome.ACHIEVED} == {best}
    assert max(each.steps for each in ends(some)) <= best
    assert none.results.studies[0].best is None


def ends(other: OtherGoal) -> list[TrialEnd]:
    trials = [each for study in other.record.studies for each in study.finished(*Role)]
    return [each.end for each in trials if each.end is not None]


@pytest.mark.parametrize(
    ("asked_for", "message"),
    [
        (
            {"target": Target(0.01)},
            "validation/error below 0.01 is not weaker than the goal, which is validation/error ",
        ),
        (
            {"target": Target(0.5, above=True)},
            "--above 0.5 does not fit: the goal is validation/error below 0.03; use --",
        ),
        ({"within_steps": 401}, "--within-steps 401 must lie between 1 and the budget of the experiment, 400 steps"),
        ({"within_steps": 0}, "--within-steps 0 must lie between 1 and"),
    ],
)
def test_what_the_curves_cannot_tell_is_refused(store: Store, asked_for: dict[str, object], message: str) -> None:
    with pytest.raises(TunerError) as caught:
        asked(store, **asked_for)  # type: ignore[arg-type]

    assert str(caught.value).startswith(message)


def test_the_command_says_what_the_winners_were_chosen_for(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'runs' / 'tuner.db'}")) as store:
        asked(store)

    shown = tuner(tmp_path, "results", "toy", "--below", "0.2")
    as_json = tuner(tmp_path, "results", "toy", "--below", "0.2", "--within-steps", "100", "--json")
    printed = json.loads(as_json.stdout)
    wrong = tuner(tmp_path, "results", "toy", "--below", "0.001")

    assert "steps to validation/error below 0.2, within 400 steps" in shown.stdout
    assert "The winners were chosen for validation/error below 0.03, within 400" in shown.stdout
    assert printed["goal"]["below"] == 0.2
    assert printed["chosen_for"] == {"metric": "validation/error", "target": "below 0.03", "within": "400 steps"}
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr
