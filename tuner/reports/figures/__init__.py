"""Figures: each draws one value of the analysis and computes nothing."""

from tuner.reports.figures.best_values import draw_best
from tuner.reports.figures.drawing import Drawing
from tuner.reports.figures.landscape import draw_scatters, draw_tolerances
from tuner.reports.figures.optima import draw_optima
from tuner.reports.figures.scaling import draw_scaling
from tuner.reports.figures.searches import draw_costs, draw_searches

__all__ = [
    "Drawing",
    "draw_best",
    "draw_costs",
    "draw_optima",
    "draw_scaling",
    "draw_scatters",
    "draw_searches",
    "draw_tolerances",
]
