"""What to train with: how soon, and with how many examples, each batch size reaches the target."""

from collections.abc import Iterator

from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.practice.choice import Choice
from tuner.analysis.practice.learning import LearningCurve, learning_curves
from tuner.analysis.practice.summary import Practice
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.practice import draw_efforts, draw_learning
from tuner.reports.findings import Findings
from tuner.reports.sections.contract import Section
from tuner.reports.sections.practice_table import practice_table

ESTIMATES = (
    " Dotted: estimates from a part of the validation set, as measuring ended once the target was certainly missed."
)


def what_to_train_with(found: Findings) -> Section | None:
    """The section; None if no batch size has reached a target."""
    answered = found.practice
    if answered is None:
        return None
    return Section(
        name="practice",
        question="What to train with?",
        answer=answered.advice,
        drawings=tuple(_drawings(found, answered)),
        tables=tuple(practice_table(each, price=answered.price) for each in answered.choices),
        notes=tuple(notes(answered)),
        values=answered.to_json(),
    )


def notes(found: Practice) -> Iterator[str]:
    """How certain it is, how it was computed, and what it does not say."""
    for each in found.choices:
        if each.certainty:
            yield f"{each.device}: {each.certainty}" if len(found.choices) > 1 else each.certainty
    if not found.is_timed:
        advice = f"; `tuner time {found.experiment}` measures how long a step takes, and adds the time to the target"
        yield f"No device has been timed, so steps stand for the time{advice if found.may_be_timed else ''}."
    else:
        yield (
            "The time to the target is the confirmed steps times the measured time of a step, of one trial that trains "
            "by itself."
        )
        if found.price is not None:
            yield f"The cost to the target is the time to it, at {found.price:g} an hour."
        yield from (_of_measuring(each) for each in found.choices if each.has_measuring)
    yield (
        "A batch size is worth it if no other is as soon done with as few examples. Advised is the one with the least "
        "product of the two, if it is certain to be sooner than the one with the fewest examples."
        + " Without intervals the medians decide."
        * any(each.why_no_interval for each in found.choices)
    )
    if found.unreached:
        yield f"The target was not reached at batch size {', '.join(f'{each:,}' for each in found.unreached)}."


def _of_measuring(choice: Choice) -> str:
    what = "The training code cannot train without measuring, so the times"
    return f"{what} on {choice.device} hold that of its measurements."


def _drawings(found: Findings, answered: Practice) -> Iterator[Drawing]:
    """Time against examples, and the learning curves if they are at hand."""
    pace = "time" if answered.is_timed else "steps"
    intervals = "" if found.curve.why_no_interval else f", with {PERCENT} intervals"
    yield Drawing(
        name="practice",
        figure=draw_efforts(answered.choices),
        alternative=f"{pace.capitalize()} to target against examples to target, both logarithmic, by batch size",
        caption=f"{pace.capitalize()} and examples to the target{intervals}. Filled: no other batch size is "
        "as soon done with as few examples. Ring: advised.",
    )
    if curves := learning_curves(found.record, found.curves):
        yield _learning(found, answered, curves)


def _learning(found: Findings, answered: Practice, curves: tuple[LearningCurve, ...]) -> Drawing:
    """The learning curves, in seconds too on the device that was fastest."""
    first, goal = answered.choices[0], found.experiment.goal
    seconds = {each.batch_size: each.timing.median for each in first.ways if each.timing is not None}
    against = f"steps, examples and seconds on this {first.device}" if first.device else "steps and examples"
    return Drawing(
        name="learning",
        figure=draw_learning(curves, metric=goal.metric, target=goal.target.value, seconds=seconds),
        alternative=f"{goal.metric} of the tuned optima against {against}, one line a batch size",
        caption=f"Learning curves of the tuned optima against {against}: the median of the seeds that report each, and "
        "the range of these seeds. A curve ends where half of them have reached the target (dashed)."
        f"{ESTIMATES * (not all(all(each.are_whole) for each in curves))}",
    )
