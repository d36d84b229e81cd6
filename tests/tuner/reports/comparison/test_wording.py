"""What a comparison says of intervals, budgets and searches, and what its figures show."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tuner.synthetic import Workload, digits, experiment_record
from tuner.analysis.comparison import Comparison, Contrast, Interval, Quantity, Verdict, compare
from tuner.experiment import Experiment
from tuner.records import ExperimentRecord, no_curves
from tuner.reports.comparison import budgets, cautions, headline, write_comparison
from tuner.reports.comparison.figures import drawings
from tuner.reports.comparison.wording import of_fit, of_scores

SIZES = [4, 16, 64, 256, 1024]


def record(name: str, *, floor: float = 24.0, seed: int = 0, **changes: object) -> ExperimentRecord:
    workload = Workload(floor=floor, noise=0.05, generator=np.random.default_rng(seed))
    return experiment_record(digits(name=name, **{"batch_sizes": SIZES, "search": {"points": 20}, **changes}), workload)


def compared(*records: ExperimentRecord) -> Comparison:
    return compare([(each, no_curves) for each in records])


def best_within(name: str, **budget: object) -> ExperimentRecord:
    """An experiment for the best value; how its trials ended does not matter."""
    goal = {"metric": "validation/error", "best": "lowest", **budget}
    asked: Experiment = digits(name=name, batch_sizes=SIZES, goal=goal)
    return replace(record(name), experiment=asked)


@pytest.mark.parametrize(
    ("over_seeds", "repeated", "sentence"),
    [
        (
            Interval(1.2, 1.9),
            Interval(1.1, 2.0),
            "The critical batch size of b is 1.50 times that of a (1.20 to 1.90 over seeds, 1.10 to 2.00 over repeated "
            "searches), a difference beyond both intervals.",
        ),
        (
            Interval(1.2, 1.9),
            Interval(0.9, 2.0),
            "The critical batch size of b is 1.50 times that of a (1.20 to 1.90 over seeds, 0.90 to 2.00 over repeated "
            "searches), more than seeds explain, but repeated searches might show no difference.",
        ),
        (
            Interval(1.2, math.inf),
            None,
            "The critical batch size of b is 1.50 times that of a (1.20 to infinite over seeds), more than seeds "
            "explain; how far searches differ cannot be estimated.",
        ),
        (
            Interval(0.9, 1.9),
            None,
            "The critical batch size of b is 1.50 times that of a (0.90 to 1.90 over seeds), no difference beyond what "
            "seeds explain.",
        ),
        (None, None, "Whether the critical batch sizes of b and a differ is not known: too few seeds."),
    ],
)
def test_a_sentence_claims_no_more_than_the_intervals(
    over_seeds: Interval | None, repeated: Interval | None, sentence: str
) -> None:
    why = "" if over_seeds else "too few seeds"

    assert of_fit(Contrast("b", "a", Quantity.CRITICAL, None, 1.5, over_seeds, repeated, why)) == sentence


def test_a_batch_size_that_only_one_reached_is_no_lack_of_a_difference() -> None:
    found = compared(record("a"), record("b"))
    same = Contrast("b", "a", Quantity.SCORE, 64, 1.0, Interval(0.9, 1.1), Interval(0.8, 1.2))
    never = Contrast("b", "a", Quantity.SCORE, 16, math.inf, why="not reached by b")
    fewer = Contrast("b", "a", Quantity.SCORE, 4, 0.5, Interval(0.4, 0.6), Interval(0.3, 0.7))

    assert of_scores(found, [fewer, never], found.experiments[1]) == (
        "b needs fewer steps than a at batch size 4, beyond both intervals; "
        "nothing can be said at batch size 16 (not reached by b)."
    )
    assert of_scores(found, [same, never], found.experiments[1]) == (
        "At the shared batch size 64 b and a do not differ beyond the intervals; "
        "nothing can be said at batch size 16 (not reached by b)."
    )


def test_budgets_of_another_kind_are_said_to_ask_another_question() -> None:
    steps, epochs = best_within("steps", within_steps=200), best_within("epochs", within_epochs=10, train_examples=1097)
    longer = best_within("longer", within_steps=400)

    assert budgets(compared(steps, epochs)).startswith(
        "The budgets differ in kind (steps 200 steps, epochs 10 epochs), and so do the questions."
    )
    assert budgets(compared(steps, longer)).startswith("The budgets differ (steps 200 steps, longer 400 steps)")
    assert budgets(compared(steps, best_within("same", within_steps=200))) == ""
    assert budgets(compared(record("one"), record("other"))) == ""


def test_what_may_be_behind_a_difference_is_said() -> None:
    more = record(
        "more", search={"points": 30}, objective={**digits().objective, "model": {"kind": "mlp", "hidden": [9]}}
    )
    unfinished = record("unfinished")
    unfinished = replace(unfinished, studies=tuple(replace(each, complete=False) for each in unfinished.studies))

    said = list(cautions(compared(record("one"), more, unfinished)))

    assert said[0] == "unfinished is not complete: its results may still change."
    assert "The optima were not looked for alike (search.points): a difference may come from that." in said
    assert not any("settings: what each" in each for each in said)


def test_figures_show_every_median_and_every_ratio() -> None:
    found = compared(record("slow", floor=48.0), record("fast", floor=24.0, seed=1))
    shown = {each.name: each.figure.axes[0] for each in drawings(found)}

    for at, each in enumerate(found.experiments):
        medians = next(line for line in shown["scaling"].get_lines() if line.get_gid() == each.name)
        relative = next(line for line in shown["normalised"].get_lines() if line.get_gid() == each.name)
        scores = [point.score for point in each.curve.points]
        assert list(np.asarray(medians.get_ydata())) == scores
        assert list(np.asarray(relative.get_ydata())) == [score / scores[0] for score in scores]
        assert (np.asarray(medians.get_xdata()) / SIZES).max() == pytest.approx(1.035 ** (2 * at - 1))
    lines = shown["ratios"].get_lines()
    ratios = [each for line in lines if line.get_gid() == "ratio" for each in np.asarray(line.get_ydata())]
    assert ratios == [each.ratio for each in found.contrasts if each.quantity is Quantity.SCORE]
    beyond = [each.verdict is Verdict.BEYOND for each in found.contrasts if each.quantity is Quantity.SCORE]
    assert [line.get_markerfacecolor() != "white" for line in lines if line.get_gid() == "ratio"] == beyond
    assert {*beyond} == {True, False}
    assert "fast needs fewer steps than slow at batch size 4, beyond both intervals" in headline(found)


def test_long_names_make_no_name_that_a_file_cannot_have(tmp_path: Path) -> None:
    page = write_comparison(compared(*(record(each * 100) for each in "abc")), tmp_path, command="tuner compare ...")

    assert page.exists()
    assert len(page.name) < 200
