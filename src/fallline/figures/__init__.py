"""Figures, each usable alone: `X_of(traces…)` gathers the facts, `draw_X(facts)` draws them with Plotly."""

from fallline.figures.ahead import ahead_of, draw_ahead
from fallline.figures.along import directions_of, draw_directions, draw_noise, draw_rates, noise_of, rates_of
from fallline.figures.along_networks import edge_of, scale_of
from fallline.figures.arrays import draw_lines, draw_walks
from fallline.figures.bowl import draw_bowl
from fallline.figures.curves import curves_of, draw_curves, plot_traces
from fallline.figures.fan import draw_fan, draw_history, fan_of, history_of
from fallline.figures.finder import draw_finder, finder_of
from fallline.figures.findings import draw_found, found_of
from fallline.figures.grid import draw_grid, grid_of
from fallline.figures.layers import draw_layers, layers_of
from fallline.figures.predictions import draw_predictions, predictions_of
from fallline.figures.race import draw_race, race_of
from fallline.figures.regions import draw_regions, regions_of
from fallline.figures.surface import draw_relief, draw_surface
from fallline.figures.sweep import batch_sweep_of, draw_batch_sweep, draw_sweep, sweep_of

__all__ = [
    "ahead_of",
    "batch_sweep_of",
    "curves_of",
    "directions_of",
    "draw_ahead",
    "draw_batch_sweep",
    "draw_bowl",
    "draw_curves",
    "draw_directions",
    "draw_fan",
    "draw_finder",
    "draw_found",
    "draw_grid",
    "draw_history",
    "draw_layers",
    "draw_lines",
    "draw_noise",
    "draw_predictions",
    "draw_race",
    "draw_rates",
    "draw_regions",
    "draw_relief",
    "draw_surface",
    "draw_sweep",
    "draw_walks",
    "edge_of",
    "fan_of",
    "finder_of",
    "found_of",
    "grid_of",
    "history_of",
    "layers_of",
    "noise_of",
    "plot_traces",
    "predictions_of",
    "race_of",
    "rates_of",
    "regions_of",
    "scale_of",
    "sweep_of",
]
