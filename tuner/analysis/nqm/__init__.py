"""The noisy quadratic model (Zhang et al. 2019, arXiv 1907.04164): exact steps to target, optima and bounds."""

from tuner.analysis.nqm.annealing import ScheduledOptimum, optimal_schedule
from tuner.analysis.nqm.crossing import Never, Steps
from tuner.analysis.nqm.model import NoisyQuadratic, lower_bound, noisy_quadratic, power_law
from tuner.analysis.nqm.optimum import Box, Optimum, optimal
from tuner.analysis.nqm.rule import Method, Rule
from tuner.analysis.nqm.schedule import LinearDecay, PiecewiseConstant, Schedule
from tuner.analysis.nqm.training import expected_loss, steady_state_risk, steps_to_target

__all__ = [
    "Box",
    "LinearDecay",
    "Method",
    "Never",
    "NoisyQuadratic",
    "Optimum",
    "PiecewiseConstant",
    "Rule",
    "Schedule",
    "ScheduledOptimum",
    "Steps",
    "expected_loss",
    "lower_bound",
    "noisy_quadratic",
    "optimal",
    "optimal_schedule",
    "power_law",
    "steady_state_risk",
    "steps_to_target",
]
