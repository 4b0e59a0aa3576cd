"""Pictures of arrays: every line is named at its end, nothing without a place is drawn, and light turns into dark."""

import json
import re

import numpy as np
import pytest

from fallline.figures import draw_lines, draw_walks
from fallline.figures.style import PAPERS, counterparts


def test_every_line_has_its_name_at_its_end_in_its_colour():
    figure = draw_lines({"up": [1.0, 2.0, 3.0], "down": ([0.0, 5.0], [3.0, 2.9])}, "Two lines")
    assert [trace.name for trace in figure.data] == ["up", "down"]
    assert [(note.text, note.x, note.y) for note in figure.layout.annotations] == [("up", 2.0, 3.0), ("down", 5.0, 2.9)]
    assert [note.font.color for note in figure.layout.annotations] == [trace.line.color for trace in figure.data]
    up, down = (note.yshift for note in figure.layout.annotations)
    assert up > down  # they end close together, and are moved apart


def test_what_has_no_place_on_an_axis_in_decades_is_left_out():
    figure = draw_lines({"a": [1.0, 0.0, np.nan, 1e-3, np.inf]}, "Gaps", log="y")
    assert figure.data[0].x.tolist() == [0.0, 3.0]
    assert figure.layout.annotations[0].y == pytest.approx(-3.0)


def test_a_line_that_leaves_the_frame_is_named_where_it_leaves():
    figure = draw_lines({"a": [1.0, 1e-3, 1e-9]}, "Deep", log="y", low=1e-4)
    assert (figure.layout.annotations[0].x, figure.layout.annotations[0].y) == (1.0, pytest.approx(-3.0))
    assert figure.layout.yaxis.range[0] == pytest.approx(-4.0, abs=0.5)


def test_a_walk_is_drawn_over_the_heights_of_its_ground():
    path = np.array([[1.0, 1.0], [0.5, 0.2], [0.0, 0.0]])
    figure = draw_walks(lambda w: (w**2).sum(axis=-1), {"a walk": path}, "A bowl", (-1, 1, -1, 2), log=False)
    ground = figure.data[0]
    assert ground.z.min() == pytest.approx(0.0, abs=1e-3)
    assert ground.z.max() == pytest.approx(5.0, abs=1e-3)
    assert (
        np.unravel_index(ground.z.argmax(), ground.z.shape)[0] == len(ground.y) - 1
    )  # the far corner is up, not across
    assert np.column_stack([figure.data[1].x, figure.data[1].y]).tolist() == path.tolist()


@pytest.mark.parametrize("drawn", ["lines", "walks"])
def test_a_sketch_has_a_dark_counterpart(drawn):
    def draw(theme):
        if drawn == "lines":
            return draw_lines({name: [1.0, 2.0] for name in "abcde"}, "Five", dots="a", theme=theme)
        walks = {name: [[0.0, 0.0], [1.0, 1.0]] for name in "abc"}
        return draw_walks(lambda w: w[..., 0] ** 2, walks, "Three", (0, 1, 0, 1), theme=theme)

    swap = {json.dumps(light): json.dumps(dark) for light, dark in counterparts().items()}
    text = re.sub("|".join(map(re.escape, swap)), lambda found: swap[found.group()], draw("light").to_json())
    assert json.loads(text) == json.loads(draw("dark").to_json())
    assert PAPERS["dark"].paper in text
