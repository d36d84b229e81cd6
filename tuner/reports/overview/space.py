"""The space around the optima: how careful tuning must be, and whether the optima are inside."""

from collections.abc import Iterator, Sequence

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.summary import Results, StudyResults
from tuner.analysis.words import percent
from tuner.reports.figures import Drawing, draw_scatters, draw_tolerances
from tuner.reports.findings import Findings
from tuner.reports.rows import in_digits, sensitivity_table
from tuner.reports.sections.contract import Item, Section

NOT_SEARCHED = "Nothing is searched"


def tuning(found: Findings) -> Section | None:
    """How far hyperparameters may be off, which of them matter, and what share of the space trains."""
    table = sensitivity_table(found.sensitivity())
    if not table.rows:
        return None
    return Section(
        name="tuning",
        question="How careful must tuning be?",
        answer="As careful as the bars are short: they hold the values of a hyperparameter that come close to the "
        "optimum. The table says which hyperparameters matter most.",
        drawings=tuple(_drawings(found)),
        tables=(table,),
        notes=(
            "Share of the search space that trains: 95 % intervals, estimated from the quasi-random and random points "
            "only. A trial that was cut before it showed its outcome counts once as yes and once as no. Importance is "
            f"the share of the variation of {found.experiment.goal.unit.ratio} over the space that a hyperparameter "
            "explains (fANOVA); diverged trials are included.",
        ),
        values=found.sensitivity().to_json(),
    )


def _drawings(found: Findings) -> Iterator[Drawing]:
    """Tolerances, and where training works."""
    if any(each.profiles for each in found.sensitivity().studies):
        yield Drawing(
            name="tolerances",
            figure=draw_tolerances(found.sensitivity()),
            alternative="Values of each hyperparameter that come close to the optimum, against batch size",
            caption="How far each hyperparameter may be off if the others are tuned to it, from all trials and a "
            "Gaussian process fitted to them. A bar that ends with the axis may go on beyond the search space.",
        )
    if found.scatters:
        yield Drawing(
            name="scatters",
            figure=draw_scatters(found.scatters),
            alternative="Search trials by learning rate and momentum, one panel a batch size",
            caption="Where training works: every search trial by learning rate and momentum. Along a dotted line the "
            "effective learning rate lr / (1 - m) is constant, a power of ten.",
        )


def edges(found: Findings) -> Section:
    """Whether an optimum may be outside its space."""
    studies = found.results.studies
    return Section(
        name="edges",
        question="Are the optima inside the search space?",
        answer=edges_summary(found.results),
        items=tuple(_edge_items(studies)),
        values={
            "edges": [{"batch_size": study.batch_size, **each.to_json()} for study in studies for each in study.edges]
        },
    )


def edges_summary(found: Results) -> str:
    """How many optima may be outside."""
    if not found.experiment.space.is_searched:
        return f"{NOT_SEARCHED}, so there are no edges: these points are no optima."
    known = [study for study in found.studies if study.best is not None]
    if not known:
        return "No study has an optimum yet."
    if outside := len(outside_of(known)):
        return f"In {outside} of {len(known)} studies the optimum is probably outside the space that was searched."
    return "Every optimum is inside the space that was searched, or as far as training or the parameter allows."


def outside_of(studies: Sequence[StudyResults]) -> list[StudyResults]:
    """The studies whose optimum is probably outside."""
    return [each for each in studies if any(edge.verdict is Verdict.BOX_EDGE for edge in each.edges)]


def _edge_items(studies: Sequence[StudyResults]) -> Iterator[Item]:
    """Every verdict but `inside`."""
    for study in studies:
        for edge in study.edges:
            if edge.verdict is not Verdict.INSIDE:
                aside = f"Best value {in_digits(edge.value)}, at {percent(edge.position)} of the range."
                yield Item(edge.sentence, _head(study), aside, urgent=edge.verdict is Verdict.BOX_EDGE)


def rounds(found: Findings) -> Section | None:
    """What each round of a search came to, where there were several."""
    studies = found.results.studies
    items = tuple(Item(line, _head(each)) for each in studies for line in each.story)
    if not items:
        return None
    return Section(
        name="rounds",
        question="Which spaces were searched, one after another?",
        answer="While an optimum is at an edge of its space, the next round widens the space on that side. Each round "
        "goes on from the results of the rounds before.",
        items=items,
        values={
            "studies": [
                {"batch_size": each.batch_size, "history": [story.to_json() for story in each.history]}
                for each in studies
            ]
        },
    )


def _head(study: StudyResults) -> str:
    return f"Batch size {study.batch_size:,}."
