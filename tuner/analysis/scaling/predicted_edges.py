"""Whether a predicted optimum lies at an edge of the space: it is predicted again in a space that is wider everywhere.

A search has to guess what lies beyond a side. A prediction can look: every side that is not the parameter's own end is
widened at once, because an optimum in a corner, as along a ridge of constant `lr / (1 - momentum)`, may be no better
for widening either of its sides alone. The sides that the better optimum lies beyond are flagged.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tuner.analysis.edges.verdicts import is_natural
from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint
from tuner.analysis.scaling.prediction import Apply, predicted_curve
from tuner.analysis.words import percent
from tuner.errors import TunerError
from tuner.experiment import Experiment, SpaceSettings
from tuner.experiment.space import Range, Scale, Side

Json = dict[str, object]

WORTHWHILE = 0.01
"""Share of the steps that going beyond the space must save.

A search must allow for noise, and flags only what saves 10 % (`edges.outside`). Predictions have no noise: they are
exact to 1 % (`tests/objectives/test_nqm_predictions.py`), so whatever saves more is an optimum that the space excludes.
"""


@dataclass(frozen=True, slots=True)
class PredictedEdge:
    """A side of the space beyond which the optimum lies.

    Attributes:
        end: Where the range ends on that side.
        value: The parameter at the optimum of the wider space.
        saving: Share of the steps that the wider space saves; 1 if the target is reached only there.
    """

    parameter: str
    side: Side
    end: float
    value: float
    saving: float

    @property
    def sentence(self) -> str:
        """What this says, and what to do about it."""
        saving = (
            "only there the target is reached"
            if self.saving == 1
            else f"there it takes {percent(self.saving)} fewer steps"
        )
        return (
            f"The optimum is beyond the {self.side} end of {self.parameter}, {self.end:g}, at about {self.value:.5g}: "
            f"{saving}. Widen the range there."
        )

    def to_json(self) -> Json:
        """One entry of `edges`."""
        return {
            "parameter": self.parameter,
            "side": str(self.side),
            "end": self.end,
            "value": self.value,
            "saving": self.saving,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predicted optimum at each batch size, and where it lies in the space.

    Attributes:
        curve: The optima within the space.
        edges: The sides that each of them lies at, in the curve's order; empty for an optimum inside.
    """

    experiment: Experiment
    curve: ScalingCurve
    edges: tuple[tuple[PredictedEdge, ...], ...]

    @property
    def at_box_edge(self) -> bool:
        """Whether an optimum lies at an edge of the space."""
        return any(self.edges)

    def to_json(self) -> Json:
        """What `tuner predict --json` prints; null stands for an infinite number of steps."""
        return {
            "predictions": [
                {
                    "batch_size": each.batch_size,
                    "steps": None if math.isinf(each.score) else int(each.score),
                    "params": dict(each.hyperparameters),
                    **({"reason": each.reason} if each.reason else {}),
                    "edges": [edge.to_json() for edge in edges],
                }
                for each, edges in zip(self.curve.points, self.edges, strict=True)
            ]
        }


def predictions(experiment: Experiment, *, apply: Apply = map) -> Predictions:
    """The fewest steps at each batch size within the experiment's space, and the sides of it that are in their way.

    Args:
        experiment: Whose objective is a `Predictor`.
        apply: Calls a function for each batch size.

    Raises:
        TunerError: The objective cannot be predicted, or not in this space or the wider one, or not to this target.
    """
    curve = predicted_curve(experiment, apply=apply)
    wider = experiment.space.changed({name: widened(each) for name, each in experiment.space.ranges()})
    if wider == experiment.space:
        return Predictions(experiment, curve, tuple(() for _ in curve.points))
    try:
        beyond = predicted_curve(replace(experiment, space=wider), apply=apply)
    except TunerError as error:
        advice = 'give `natural = "low"`, `"high"` or `"both"` to a range that ends where its parameter does'
        raise TunerError(f"{error}, in the wider space that shows whether optima lie at an edge; {advice}") from error
    pairs = zip(curve.points, beyond.points, strict=True)
    return Predictions(experiment, curve, tuple(tuple(_edges(experiment.space, *pair)) for pair in pairs))


def widened(limits: Range) -> Range:
    """The range with every side further out that is not the parameter's own end.

    A linear range that would be widened to 1 goes half of the way: a momentum cannot be 1.

    >>> widened(Range(1e-3, 1.0, scale=Scale.LOG))
    Range(low=0.0001, high=10.0, scale=<Scale.LOG: 'log'>, integer=False, natural=<Natural.NEITHER: 'neither'>)
    """
    low, high = (limits.end(side) if is_natural(limits, side) else limits.widen(side).end(side) for side in Side)
    if limits.scale is Scale.LINEAR and limits.high < high == 1:
        high = (limits.high + 1) / 2
    return replace(limits, low=low, high=high)


def _edges(space: SpaceSettings, inside: ScalingPoint, beyond: ScalingPoint) -> Iterator[PredictedEdge]:
    """The sides of a space that the optimum of a wider one lies beyond, if it is worthwhile."""
    if math.isinf(beyond.score) or beyond.score > (1 - WORTHWHILE) * inside.score:
        return
    for name, limits in space.ranges():
        value = float(beyond.hyperparameters[name])
        if value not in limits:
            side = Side.LOW if value < limits.low else Side.HIGH
            yield PredictedEdge(name, side, limits.end(side), value, 1 - beyond.score / inside.score)
