"""Figures, each usable alone: `X_of(traces…)` gathers the facts, `draw_X(facts)` draws them with Plotly."""

from fallline.figures.curves import curves_of, draw_curves, plot_traces
from fallline.figures.surface import draw_relief, draw_surface

__all__ = ["curves_of", "draw_curves", "draw_relief", "draw_surface", "plot_traces"]
