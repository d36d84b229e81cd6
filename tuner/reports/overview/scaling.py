"""What the experiment is for: the steps, or the best value, against the batch size."""

from tuner.analysis.scaling.curve import NotFitted, ScalingFit
from tuner.analysis.summary import Json
from tuner.analysis.words import percent
from tuner.reports.figures import Drawing, draw_best, draw_scaling
from tuner.reports.figures.best_values import caption
from tuner.reports.findings import Findings
from tuner.reports.sections.contract import Section


def scaling(found: Findings) -> Section | None:
    """The measured curve, with its fit."""
    drawing = _drawing(found)
    if drawing is None:
        return None
    counts_steps = found.experiment.goal.unit.counts_steps
    subject = "the steps to the target" if counts_steps else f"the {found.experiment.goal.unit.best}"
    return Section(
        name="scaling",
        question=f"How does the batch size change {subject}?",
        answer=_answer(found),
        drawings=(drawing,),
        notes=(found.explanation.sentence,) if found.explanation else (),
        values=_values(found),
    )


def _answer(found: Findings) -> str:
    """How well the curve is known."""
    unit, reached = found.experiment.goal.unit, found.curve.reached()
    if not unit.counts_steps:
        ends = (f"{unit.text(each.score)} at batch size {each.batch_size:,}" for each in (reached[0], reached[-1]))
        return f"The {unit.best} is {' and '.join(ends)}."
    if isinstance(found.fit, NotFitted):
        return found.fit.sentence
    lies = f"Medians lie {percent(2**found.fit.residual - 1)} off the fit (root mean square)."
    if found.fit.is_extrapolated:
        return f"The steps still fall at the largest batch size that was searched. {lies}"
    least = f"{found.fit.least_steps:,.0f}"
    return f"However large the batch, about {least} steps are left; at the critical batch size it is twice that. {lies}"


def _drawing(found: Findings) -> Drawing | None:
    """The main figure; None before anything is confirmed."""
    unit = found.experiment.goal.unit
    if not unit.counts_steps:
        if not found.curve.reached():
            return None
        return Drawing(
            name="best",
            figure=draw_best(found.results.studies),
            alternative=f"The {unit.best} against batch size, both logarithmic",
            caption=caption(unit),
        )
    if not found.curve.points and not found.curve.unreached:
        return None
    return Drawing(
        name="scaling",
        figure=draw_scaling(
            found.curve,
            found.fit,
            budgets={size: found.experiment.goal.at(size).within_steps for size in found.curve.unreached},
            model=found.explanation.curve if found.explanation else None,
        ),
        alternative="Steps to target against batch size, both logarithmic",
        caption="Steps to target against batch size: confirmed medians, each reporting seed and their spread.",
    )


def _values(found: Findings) -> Json:
    """The curve and its fit."""
    unit, fitted = found.experiment.goal.unit, found.fit
    points = [
        {
            "batch_size": each.batch_size,
            unit.key: unit.value(each.score),
            "per_seed": [unit.value(score) for score in each.per_seed],
        }
        for each in found.curve.points
    ]
    if isinstance(fitted, ScalingFit):
        fit: Json | None = {
            "critical_batch_size": fitted.critical_batch_size,
            "low": fitted.low,
            "high": fitted.high,
            "least_steps": fitted.least_steps,
            "measured_to": fitted.measured_to,
        }
    else:
        fit = None
    ends = None if found.regions is None else found.regions.perfect_end.to_json()
    return {"points": points, "unreached": list(found.curve.unreached), "fit": fit, "perfect_scaling_ends": ends}
