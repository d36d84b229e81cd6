"""What `tuner predict` computed and `tuner fit` fitted, as tables."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.scaling.predicted_edges import PredictedEdge, Predictions
from tuner.cli.printing import legend, new_table, steps_phrase

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation


def predictions_table(found: Predictions) -> RenderableType:
    """The optimum at each batch size as computed, without a run, and below the table which range to widen."""
    names = list(found.experiment.space.parameters)
    never = bool(found.curve.unreached)
    rows: list[tuple[str | Text, ...]] = []
    for point, edges in zip(found.curve.points, found.edges, strict=True):
        values = [f"{point.hyperparameters[name]:.5g}" if name in point.hyperparameters else "-" for name in names]
        why = [point.reason] if never else []
        rows.append((str(point.batch_size), steps_phrase(point.score), *values, _flags(edges), *why))
    goal = found.experiment.goal
    return Group(
        Text.assemble((found.experiment.name, "bold"), f": fewest steps to {goal.phrase}, computed"),
        new_table(("batch size", "steps", *names, "at an edge", *(["why"] if never else [])), rows),
        legend(
            "computed from the model, not measured; each row has its best hyperparameters",
            "at an edge: inside is good; at a box edge the range should be wider, as it",
            "            keeps out an optimum with over 1 % fewer steps",
        ),
        *(
            Text(f"batch size {point.batch_size}: {edge.sentence}")
            for point, edges in zip(found.curve.points, found.edges, strict=True)
            for edge in edges
        ),
    )


def explanation_table(experiment: str, found: "Explanation", report: Path) -> RenderableType:
    """Measured steps beside those of the noisy quadratic model fitted to them."""
    names = list(dict.fromkeys(name for point in found.curve.points for name in point.hyperparameters))
    rows = []
    for measured, point in zip(found.measured.points, found.curve.points, strict=True):
        reached = math.isfinite(measured.score) and math.isfinite(point.score)
        ratio = f"{point.score / measured.score:.2f}" if reached else "-"
        values = [f"{point.hyperparameters[name]:.4g}" if name in point.hyperparameters else "-" for name in names]
        rows.append((str(point.batch_size), steps_phrase(measured.score), steps_phrase(point.score), ratio, *values))
    columns = ("batch size", "measured", "model", "model / measured", *(f"model's {name}" for name in names))
    return Group(
        Text.assemble((experiment, "bold"), ": ", found.sentence),
        new_table(columns, rows),
        legend(
            "measured, model: fewest steps to the target; a ratio of 1.00 is good",
            "model's ...: the hyperparameters at which the model needs the fewest steps",
        ),
        Text.assemble("both curves: ", (str(report), "bold")),
    )


def _flags(edges: Sequence[PredictedEdge]) -> Text:
    """The sides that an optimum lies at."""
    words = (Text(f"{each.parameter} {each.side}: box edge", "bold red") for each in edges)
    return Text("\n").join(words) if edges else Text("inside")
