"""Goals: when and how a trial ends, which loss the sampler is told, and by which score trials are compared."""

from tuner.experiment.goals.best_within import Best, BestValue, BestWithin
from tuner.experiment.goals.contract import Goal, ScoreUnit, span
from tuner.experiment.goals.reach_target import ReachTarget, StepsToTarget

__all__ = ["Best", "BestValue", "BestWithin", "Goal", "ReachTarget", "ScoreUnit", "StepsToTarget", "span"]
