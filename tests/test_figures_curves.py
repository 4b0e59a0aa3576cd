"""Curves: what they say, by value; how they are drawn, by count."""

import math

import numpy as np
import pytest

from fallline.figures import curves_of, draw_curves, plot_traces
from fallline.figures.axes import decades, round_numbers, short, time_axis
from fallline.figures.bands import BEYOND, FLOOR, SHOWN, band_of, thinned
from fallline.figures.labels import dodge
from fallline.figures.style import LEVELS, LOOKS, PAPERS, colour, counterparts, levels, template
from fallline.words import count, listed, number, passes, percent, seconds
from walks import a_walk, halving, running_away


def test_a_band_holds_the_median_and_ten_to_ninety_per_cent_of_the_seeds():
    runs = [a_walk([10.0, value]) for value in (1.0, 2.0, 3.0, 4.0, 5.0)]
    band = band_of("five", runs)
    assert band.middle.tolist() == [10.0, 3.0]
    assert band.low[1] == pytest.approx(1.4)
    assert band.high[1] == pytest.approx(4.6)
    assert (band.seeds, band.diverged, band.lost) == (5, 0, False)


def test_excess_is_relative_to_the_scale_and_never_below_the_floor():
    band = band_of("", [a_walk([3.0, 2.0, 1.0])], "excess")
    assert band.middle.tolist() == [1.0, 0.5, FLOOR]
    assert band.name == "batch · rate 0.1"


def test_one_per_cent_is_reached_at_the_median_over_seeds_of_the_first_look_within_it():
    slow = a_walk([3.0, 3.0, 3.0, 3.0, 1.0])
    fast = a_walk([3.0, 1.0, 3.0, 3.0, 3.0])
    middling = a_walk([3.0, 3.0, 1.01, 3.0, 3.0])
    band = band_of("", [slow, fast, middling], "excess")
    assert band.reached["updates"] == 2
    assert band.reached["visits"] == 200
    assert band.reached["epochs"] == 2.0
    assert band_of("", [a_walk([3.0, 2.9])], "excess").reached is None


def test_a_seed_that_ran_away_is_beyond_the_frame_from_there_on():
    band = band_of("", [running_away(3), running_away(3), halving(6)], "excess")
    assert band.lost
    assert band.middle[5] == BEYOND
    assert np.isfinite(band.middle).all()


def test_a_loss_that_is_no_number_draws_like_one_beyond_all_bounds():
    band = band_of("", [a_walk([3.0, math.nan])], "loss")
    assert band.lost
    assert band.middle[1] == BEYOND


@pytest.mark.parametrize("looks", [1, 2, SHOWN, SHOWN + 1, 10_000])
def test_thinning_keeps_both_ends_and_fits_on_a_screen(looks):
    keep = thinned(looks, SHOWN)
    assert keep[0] == 0
    assert keep[-1] == looks - 1
    assert len(keep) == min(looks, len(keep)) <= SHOWN
    assert (np.diff(keep) > 0).all()


def test_the_finding_names_the_first_within_one_per_cent_and_who_never_gets_there():
    groups = {
        "mini-batch 10 · rate 0.1": [halving(11, variant="mini-batch")],
        "batch · rate 0.01": [a_walk(np.linspace(3, 2, 11), rate=0.01)],
    }
    facts = curves_of(groups, y="excess")
    assert (
        facts.finding == "Mini-batch 10 · rate 0.1 is within 1 % after 7 passes; batch · rate 0.01 never in 10 passes"
    )


@pytest.mark.parametrize(
    ("groups", "options", "finding"),
    [
        ({"": [halving(3)]}, {}, "The loss falls from 3 to 1.5 in 2 passes"),
        ({"": [halving(3)]}, {"x": "updates"}, "The loss falls from 3 to 1.5 in 2 updates"),
        ({"a": [halving(3)], "b": [halving(4)]}, {}, "B ends lowest: the loss falls from 3 to 1.25 in 3 passes"),
        ({"": [running_away()]}, {"y": "excess"}, "Every run diverges, at rate 0.9"),
        (
            {"a": [a_walk([3.0, 2.0])]},
            {"y": "excess"},
            "Nothing comes within 1 % in 1 pass: a is closest, 50 % above the optimum",
        ),
    ],
)
def test_every_picture_states_its_finding_with_a_number(groups, options, finding):
    assert curves_of(groups, **options).finding == finding


def test_a_diverged_run_is_drawn_until_it_leaves_the_frame_and_marked_with_its_rate():
    facts = curves_of({"good": [halving()], "bad": [running_away()]}, y="excess")
    figure = draw_curves(facts)
    bad = next(trace for trace in figure.data if trace.name == "bad")
    assert bad.y[-1] == facts.top
    assert max(bad.y) == facts.top
    assert 0 < bad.x[-1] < 100  # between the start at 1 and the next look at 10, in row visits
    assert any(note.text == "batch diverges at rate 0.9" for note in figure.layout.annotations)
    assert sum(trace.marker.symbol == "triangle-up" for trace in figure.data) == 1


def test_one_line_and_one_band_a_setting_and_no_band_for_a_single_seed():
    figure = plot_traces({"one": [halving()], "three": [halving() for _ in range(3)]}, y="excess")
    parts = [trace.meta["part"] for trace in figure.data]
    assert sorted(parts) == ["band", "line", "line"]
    assert [note.text for note in figure.layout.annotations if note.name == "end"] == ["one", "three"]


def test_the_switch_moves_every_line_and_every_name_to_the_other_axis():
    figure = plot_traces({"one": [halving(5)], "two": [halving(5, batch=10)] * 2})
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["updates", "row visits", "seconds"]
    data, layout = buttons[0].args
    assert [len(x) for x in data["x"]] == [len(trace.x) for trace in figure.data]
    assert max(max(x) for x in data["x"]) == 4
    assert {"xaxis.title.text", "xaxis.type", "xaxis.range", "annotations[0].x", "annotations[1].x"} <= set(layout)


def test_epochs_are_an_axis_too():
    figure = plot_traces({"": [halving(5)]}, x="epochs")
    assert figure.data[0].x[-1] == 4.0
    assert len(figure.layout.updatemenus[0].buttons) == 4


def test_a_trace_plots_itself():
    figure = halving().plot(y="excess", theme="dark")
    assert len(figure.data) == 1
    assert figure.layout.paper_bgcolor == PAPERS["dark"].paper


@pytest.mark.parametrize(
    ("groups", "options", "error"),
    [
        ({"": [halving()]}, {"x": "weeks"}, KeyError),
        ({"": [halving()]}, {"y": "height"}, KeyError),
        ({"": [halving(optimum=None)]}, {"y": "excess"}, KeyError),
        ({}, {}, ValueError),
    ],
)
def test_what_cannot_be_drawn_is_refused(groups, options, error):
    with pytest.raises(error):
        plot_traces(groups, **options)


def test_names_are_shown_letter_by_letter():
    figure = plot_traces({"<b>x</b>": [halving()]})
    assert figure.data[0].name == "&lt;b&gt;x&lt;/b&gt;"
    assert "<b>x" not in figure.to_json().replace("\\u003c", "<")


def test_light_and_dark_differ_by_their_colours_only():
    facts = curves_of({"good": [halving()] * 2, "bad": [running_away()]}, y="excess")
    swap = counterparts()

    def darkened(value):
        if isinstance(value, dict):
            return {name: darkened(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [darkened(inner) for inner in value]
        return swap.get(value, value) if isinstance(value, str) else value

    light, dark = (draw_curves(facts, theme).to_plotly_json() for theme in ("light", "dark"))
    assert darkened(light) == darkened(dark)
    assert darkened(template("light")) == template("dark")
    assert light != dark


def contrast(one, other):
    def luminance(text):
        channels = [int(text[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("variant", LOOKS)
def test_names_in_a_variants_colour_can_be_read(variant, theme):
    assert contrast(colour(variant, theme=theme), PAPERS[theme].paper) >= 4.5


def test_no_two_variants_share_a_colour_or_a_line_style():
    assert len({look.light for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.dark for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.dash for look in LOOKS.values()}) == len(LOOKS)


def test_the_larger_the_rate_the_stronger_the_colour():
    order = levels([0.1, 0.01, 1.0])
    assert order == {0.01: 0, 0.1: 2, 1.0: LEVELS - 1}
    shades = [contrast(colour("batch", level), "#FFFFFF") for level in range(LEVELS)]
    assert shades == sorted(shades)
    assert levels([0.3]) == {0.3: LEVELS - 1}
    assert levels([None]) == {None: LEVELS - 1}


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([50.0], [50.0]),
        ([10.0, 90.0], [10.0, 90.0]),
        ([50.0, 50.0], [45.0, 55.0]),
        ([90.0, 10.0, 11.0], [90.0, 5.5, 15.5]),
        ([99.0, 99.0, 99.0], [80.0, 90.0, 100.0]),
        ([-5.0, 2.0], [0.0, 10.0]),
    ],
)
def test_names_that_would_overlap_move_apart_and_stay_in_order(wanted, places):
    assert dodge(wanted, 10.0, 0.0, 100.0) == pytest.approx(places)


def test_a_time_axis_is_straight_unless_that_would_hide_the_start():
    assert time_axis("visits", 1, 20, 100, 10).type == "linear"
    axis = time_axis("visits", 1, 2, 100, 10)
    assert axis.type == "log"
    assert axis.seen(0.0) == pytest.approx(10 ** axis.range[0], rel=2e-4)
    assert axis.mark(10.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (number(0.012345), "0.0123"), (number(1234.5), "1,230"), (number(-0.5), "−0.5"), (number(0), "0"),
        (number(4.561e-7), "4.56·10⁻⁷"), (number(2e9), "2·10⁹"), (number(None), "–"), (number(math.inf), "∞"),
        (number(99.96), "100"), (number(999.9), "1,000"),
        (percent(0.0123), "1.23 %"), (percent(1e-12), "less than 0.0001 %"), (percent(None), "–"),
        (percent(1e5), "more than 1,000,000 %"), (percent(99.999), "10,000 %"), (number(1.5e-4), "0.00015"),
        (seconds(0.0123), "12.3 ms"), (seconds(1.5e-5), "15 µs"), (seconds(3.0), "3 s"), (seconds(125.0), "2 min 5 s"),
        (seconds(None), "–"), (count(12300), "12,300"), (passes(1.0), "1 pass"), (passes(3.14159), "3.14 passes"),
        (listed(["a"]), "a"), (listed(["a", "b", "c"]), "a, b and c"), (listed([]), ""),
        (short(0.002, "s"), "2 ms"), (short(20000), "20k"), (short(0.01), "0.01"),
        (decades(0.005, 20), [0.01, 0.1, 1.0, 10.0]), (round_numbers(1.5, 30), [2.0, 5.0, 10.0, 20.0]),
    ],
)  # fmt: skip
def test_numbers_in_words_have_three_digits_and_a_unit(found, expected):
    assert found == expected


def solved(losses, answers=1, **about):
    """A solver's run: its estimate of the excess is finite from its first answer on."""
    trace = a_walk(losses, name="automatic", variant="automatic", rate=None, **about)
    trace.columns["excess"] = [np.inf] * answers + [0.1] * (len(losses) - answers)
    return trace


def test_a_solvers_curve_begins_at_its_first_useful_answer():
    facts = curves_of({"automatic": [solved([3.0, 1.5, 1.0002])], "batch": [halving()]}, y="excess")
    own, other = facts.bands
    assert own.times["visits"].tolist() == [100, 200]
    assert own.middle[0] == pytest.approx(0.25)
    assert other.times["visits"][0] == 0
    figure = draw_curves(facts)
    (line,) = [trace for trace in figure.data if trace.name == "automatic"]
    assert (line.mode, line.marker.symbol) == ("lines+markers", "star")
    assert min(line.x) == 100
    assert "from its first answer on" in figure.layout.meta["how"]


def test_a_solver_that_had_no_answer_is_not_drawn():
    facts = curves_of({"automatic": [solved([3.0])], "batch": [halving()]}, y="excess")
    assert [band.name for band in facts.bands] == ["batch"]
    with pytest.raises(ValueError, match="no traces"):
        curves_of({"automatic": [solved([3.0])]})


def test_an_exact_answer_stands_at_the_edge_and_leaves_the_others_room():
    facts = curves_of({"automatic": [solved([3.0, 1.0])], "batch": [halving(7)]}, y="excess")
    assert 1e-6 < facts.bottom < 1e-4
    (line,) = [trace for trace in draw_curves(facts).data if trace.name == "automatic"]
    assert line.y[0] == pytest.approx(facts.bottom, rel=1e-3)
    assert facts.bands[0].middle.tolist() == [pytest.approx(1e-8)]  # what is drawn at the edge is known as it is


def test_solvers_that_stop_at_unlike_steps_are_held_where_they_ended():
    runs = [solved([3.0, 1.5, 1.02]), solved([3.0, 1.5, 1.2, 1.01, 1.002])]
    (band,) = curves_of({"automatic": runs}, y="excess").bands
    assert band.looks == 4
    assert band.middle[-1] == pytest.approx((0.01 + 0.001) / 2)
