"""How the searches went, and what they cost."""

from collections.abc import Iterator, Sequence

from tuner.analysis.summary import StudyResults
from tuner.experiment.goals import ScoreUnit
from tuner.reports.figures import Drawing, draw_costs, draw_searches
from tuner.reports.findings import Findings
from tuner.reports.rows import search_table
from tuner.reports.sections.contract import Section


def searches(found: Findings) -> Section | None:
    """Trials by outcome, each of them in a figure, and the steps spent."""
    studies, unit = found.results.studies, found.experiment.goal.unit
    if not studies:
        return None
    return Section(
        name="searches",
        question="How did the searches go, and what did they cost?",
        answer=_costs(studies),
        drawings=tuple(_drawings(found)),
        tables=(search_table(studies, unit),),
        notes=(
            'The table has the number of trials by outcome. "Confirmed / search" says how far the best search trial '
            "looked better than it is: 1 is best.",
        ),
        values={
            "studies": [
                {
                    "batch_size": each.batch_size,
                    "trials": each.trials.to_json(unit),
                    "steps_spent": each.steps_spent,
                    "confirmation_steps_spent": each.confirmation_steps_spent,
                    "examples_spent": each.examples_spent,
                }
                for each in studies
            ]
        },
    )


def _costs(studies: Sequence[StudyResults]) -> str:
    search = sum(each.steps_spent for each in studies)
    confirmation = sum(each.confirmation_steps_spent for each in studies)
    examples = sum(each.examples_spent + each.confirmation_steps_spent * each.batch_size for each in studies)
    return (
        f"Searching took {search:,} gradient steps and confirming {confirmation:,}; "
        f"together they trained on {examples:,} examples."
    )


def _drawings(found: Findings) -> Iterator[Drawing]:
    unit = found.experiment.goal.unit
    if found.searches:
        yield Drawing(
            name="searches",
            figure=draw_searches(found.searches),
            alternative=f"Every search trial by its learning rate and {unit.ratio}, one panel a batch size",
            caption=f"Every search trial: {_heights(unit)}",
        )
    if any(each.steps_spent for each in found.results.studies):
        yield Drawing(
            name="costs",
            figure=draw_costs(found.results.studies),
            alternative="Gradient steps spent at each batch size",
            caption="Gradient steps spent at each batch size.",
        )


def _heights(unit: ScoreUnit) -> str:
    """What is shown of search trials."""
    if unit.counts_steps:
        return "the step at which it reached the target, was cut, or diverged."
    return "its best value; the best so far if it was cut; the top if it diverged."
