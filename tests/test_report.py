"""The report: one file, no network, nothing of the user's data read as markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fallline.bowl import Bowl, Panel
from fallline.figures import draw_fan, fan_of
from fallline.figures.style import plotly_code
from fallline.objectives import Function
from fallline.plane import surface_of
from fallline.report import write_report
from fallline.report.page import LIMIT, safe_json
from fallline.report.pictures import finals_of, pictures_of
from walks import a_walk, halving, running_away

CHROMIUM = Path("/usr/bin/chromium")
WICKED = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def traces():
    found = []
    for seed in range(3):
        noise = 1 + 0.1 * seed
        found.append(halving(11, seed=seed, variant="batch", path=path_of(11, noise)))
        found.append(
            a_walk(1 + noise * 2.0 * 0.8 ** np.arange(41), step=5, batch=10, seed=seed, variant="mini-batch", rate=0.05,
                   name="mini-batch 10 · rate 0.05", path=path_of(41, noise))
        )  # fmt: skip
    return [*found, running_away(path=path_of(6, -9.0))]


def path_of(looks, noise):
    share = 1 - 0.5 ** np.linspace(0, 10, looks)
    return np.stack([4.0 * share, 5.0 * share * noise], axis=1)


def surfaces(found):
    objective = Function(lambda w: float((w - [4, 5]) @ (w - [4, 5])), lambda w: 2 * (w - [4, 5]), [0.0, 0.0])
    return [surface_of(objective, found, points=15, best=np.array([4.0, 5.0]))]


def summary(**changes):
    return {
        "fallline": "9.9.9",
        "data": {"source": "houses.csv", "n": 100, "d": 1, "task": "regression", "target": "price", "classes": None,
                 "columns": ["size", WICKED], "notes": ["size was standardised", WICKED]},
        "objective": {"loss": "squared_error", "text": "mean of ½(z − y)²"},
        "budget": {"kind": "visits", "amount": 1000, "text": "1,000 row visits"},
        "optimum": {"value": 1.0, "by": "the closed form", "start": 3.0, "scale": 2.0},
        "limits": {"batch": 0.5, "text": "batch is stable below 0.5"},
        "entries": [
            {"name": "batch · rate 0.1", "variant": "batch", "rate": 0.1, "rate_over_limit": 0.2, "seeds": 3,
             "excess": [0.001, 0.002, 0.003], "visits_to_1pct": [700, 700, None], "seconds_to_1pct": [0.7, 0.8, None],
             "diverged": 0},
            {"name": "batch · rate 0.9", "variant": "batch", "rate": 0.9, "seeds": [0], "excess": [1e9],
             "visits_to_1pct": [None], "seconds_to_1pct": [None], "diverged": 1},
        ],
        "baselines": [{"name": "closed form", "seconds": 0.001, "excess": 0.0, "passes": None, "seconds_to_1pct": 0.001,
                       "note": WICKED}],
        "verdict": {"headline": "Batch is first, after 7 passes", "sentences": ["One.", "Two.", WICKED],
                    "differences": [{"a": "x", "b": "y", "p": 0.01, "real": True, "text": WICKED}],
                    "better_tool": "the closed form"},
        "plan": f"# {WICKED}\n", "command": "fallline compare houses.csv --target price", **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    found = traces()
    x = np.linspace(0, 1, 20)
    fan = draw_fan(fan_of(x, 5 + 4 * x, found[0], names=(WICKED, "price")))
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(summary(), found, surfaces(found), path, [("The line", fan)])


class Outline(HTMLParser):
    """Which elements there are, and whatever could load something."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads, self.ids, self.handlers = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value[:1] != "#"]
        self.ids += [value for name, value in attrs if name == "id"]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def outline(path):
    parser = Outline()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_the_file_loads_nothing_and_forbids_the_network(written):
    found = outline(written)
    assert found.loads == []
    assert "link" not in found.tags
    rest = written.read_text(encoding="utf-8").replace(plotly_code(), "")
    assert not re.search(r"https?://", rest)
    assert "default-src 'none'" in rest


def test_plotly_is_inside_once_and_the_rest_is_small(written):
    page = written.read_text(encoding="utf-8")
    assert page.count(plotly_code()) == 1
    assert len(page.encode()) - len(plotly_code().encode()) < 3_000_000


def test_many_long_curves_are_thinned_until_they_fit(tmp_path):
    many = [
        a_walk(1 + 2 * 0.999 ** np.arange(2000), name=f"setting {k}", rate=0.001 * (k + 1), seed=seed)
        for k in range(90)
        for seed in range(2)
    ]
    path = write_report(summary(), many, [], tmp_path / "large.html")
    assert path.stat().st_size - len(plotly_code().encode()) <= LIMIT + 10


def test_what_the_data_says_is_never_read_as_markup(written):
    found = outline(written)
    assert found.tags.count("script") == 3  # Plotly, the figures, the page's own
    assert "img" not in found.tags
    assert found.handlers == []
    page = written.read_text(encoding="utf-8")
    assert WICKED not in page
    assert "&lt;/script&gt;" in page


def test_json_in_a_script_element_cannot_end_it():
    text = safe_json({WICKED: ["<!--", "\u2028&"]})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {WICKED: ["<!--", "\u2028&"]}


def test_the_page_is_read_from_the_top_down(written):
    found = outline(written)
    page = written.read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    order = [page.index(part) for part in ("<h1>", 'data-figure="lead"', "<table>", "<details", 'id="repeat"')]
    assert order == sorted(order)
    assert found.tags.count("h1") == found.tags.count("main") == 1
    assert len(found.ids) == len(set(found.ids))
    assert {"curves", "surface", "rates", "sizes", "more-0", "data", "tools", "noise", "repeat"} <= set(found.ids)


def test_who_never_reached_one_per_cent_and_who_diverged_is_in_the_table(written):
    page = written.read_text(encoding="utf-8")
    assert "700 <small>(7 passes)</small>" in page
    assert '<strong class="alarm">1 of 1</strong>' in page
    assert "never" in page


def test_every_figure_has_its_finding_and_how_to_read_it_as_text(written):
    page = written.read_text(encoding="utf-8")
    figures = page.count("<figure>")
    assert figures == page.count("<figcaption>") == page.count('role="img"') >= 8


def test_where_settings_were_run_again_on_fresh_seeds_the_verdicts_picture_shows_those(tmp_path):
    tried = [halving(seed=0), halving(seed=1, rate=0.2, name="batch · rate 0.2"), running_away(seed=0)]
    again = [a_walk([3.0, 1.5], seed=seed) for seed in (7, 8, 9)]
    entry = {**summary()["entries"][0], "final": True, "seeds": [7, 8, 9]}
    other = {**summary()["entries"][1], "final": False, "seeds": [0]}
    assert finals_of([*tried, *again], {"entries": [entry, other]}) == again
    pictures = {one.key: one for one in pictures_of([*tried, *again], [], {"entries": [entry, other]}, (), 60)}
    assert "median of 3 seeds" in pictures["lead"].how
    assert [line["name"] for line in pictures["lead"].figure["data"] if line["meta"]["part"] == "line"] == [
        "batch · rate 0.9", "batch · rate 0.1",
    ]  # fmt: skip
    assert "median" not in pictures["curve-0"].how


def test_the_automatic_solver_is_explained_in_words_and_one_picture(tmp_path):
    x = np.linspace(-1.0, 1.0, 9)
    heights = x[:, None] ** 2 + 4.0 * x**2
    panel = Panel(x, x, heights, np.array([[0.9, 0.4], [0.0, 0.0]]), True, 4.0)
    bowl = Bowl((WICKED, "size"), panel, panel, (0.01, 0.1, 1.0), 0.9, float("nan"), False, 100, 100, 100)
    own = {"name": "automatic", "variant": "automatic", "rate": None, "seeds": [0], "excess": [1e-5], "visits_to_1pct": [200],
           "seconds_to_1pct": [0.01], "seconds_to_1e-4": [0.02], "estimate": [8e-6], "bound": [2e-5], "diverged": 0,
           "solver": "exact Newton steps", "reasons": [WICKED]}  # fmt: skip
    entries = [own, *summary()["entries"]]
    path = write_report(summary(entries=entries), traces(), [], tmp_path / "solved.html", bowl=bowl)
    page = path.read_text(encoding="utf-8").replace(plotly_code(), "")
    for words in ("round bowl", "exact Newton steps", "takes none", "by its own estimate", "at most 0.002 %"):
        assert words in page
    assert 'data-figure="bowl"' in page
    assert WICKED not in page
    assert "The automatic solver" not in write_report(summary(), traces(), [], tmp_path / "none.html").read_text(
        "utf-8"
    )


def test_an_empty_summary_still_makes_a_page(tmp_path):
    path = write_report({}, [halving()], [], tmp_path / "bare.html")
    assert "A comparison of gradient descents" in path.read_text(encoding="utf-8")
    assert write_report({}, [], [], tmp_path / "nothing.html").exists()


def test_without_an_optimum_the_report_shows_the_loss(tmp_path):
    found = [halving(optimum=None), halving(optimum=None, seed=1)]
    page = write_report({}, found, [], tmp_path / "loss.html").read_text(encoding="utf-8")
    assert "The loss falls from 3 to 1" in page


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM} to look at the page with")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def looking_at(browser, written):
    """Opens the report in a window, and demands that it makes no error and asks for nothing."""
    troubles, contexts = [], []

    def look(width=1200, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:"))
                else troubles.append(request.url))  # fmt: skip
        page.goto(written.as_uri())
        page.wait_for_selector('[data-figure="lead"] .main-svg')
        return page

    yield look
    for context in contexts:
        context.close()
    assert troubles == []


def open_part(page, key):
    """Open a part and bring it into view, where it is drawn."""
    page.evaluate(f"document.querySelector('#{key}').open = true")
    page.evaluate(f"document.querySelector('#{key} .plot').scrollIntoView({{behavior: 'instant'}})")


DRAWN = "document.querySelector('[data-figure=lead]')"


@pytest.mark.browser
def test_one_switch_moves_the_time_axis_of_every_curve(looking_at):
    page = looking_at()
    open_part(page, "curves")
    page.wait_for_function("document.querySelector('[data-figure=curve-loss]').dataset.drawn")
    assert "row visits" in page.evaluate(f"{DRAWN}.layout.xaxis.title.text")
    page.focus("#axis input[value=visits]")
    page.keyboard.press("ArrowRight")
    for key in ("lead", "curve-loss"):
        title = page.evaluate(f"document.querySelector('[data-figure={key}]').layout.xaxis.title.text")
        assert "seconds" in title


@pytest.mark.browser
def test_dark_follows_the_system_and_the_button(looking_at):
    page = looking_at(color_scheme="dark")
    assert page.evaluate(f"{DRAWN}.layout.paper_bgcolor") == "#141920"
    page.click("#theme")
    assert page.evaluate(f"{DRAWN}.layout.paper_bgcolor") == "#FFFFFF"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.browser
def test_on_a_phone_nothing_is_wider_than_the_screen(looking_at):
    page = looking_at(390, 844, is_mobile=True, has_touch=True, device_scale_factor=2)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.evaluate("dispatchEvent(new Event('resize'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(f"{DRAWN}.layout.showlegend") is True


@pytest.mark.browser
def test_the_slider_walks_the_paths(looking_at):
    page = looking_at()
    open_part(page, "surface")
    page.wait_for_function("document.querySelector('[data-figure=surface-0-flat]').dataset.drawn")
    points = "document.querySelector('[data-figure=surface-0-flat]').data[1].x.length"
    whole = page.evaluate(points)
    page.focus('[data-walk="surface-0-flat"]')
    page.keyboard.press("Home")
    assert page.evaluate(points) == 1 < whole
    page.keyboard.press("End")
    assert page.evaluate(points) == whole


@pytest.mark.browser
def test_printing_opens_and_draws_everything_on_white(looking_at):
    page = looking_at(color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    flat = "[...document.querySelectorAll('.plot')].filter(div => !div.dataset.figure.endsWith('relief'))"
    assert page.evaluate(f"{flat}.every(div => div.dataset.drawn)")
    assert page.evaluate(f"{DRAWN}.layout.paper_bgcolor") == "#FFFFFF"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("[...document.querySelectorAll('details[open]')].map(part => part.id)") == ["more-0"]
    assert page.evaluate(f"{DRAWN}.layout.paper_bgcolor") == "#141920"


@pytest.mark.browser
def test_a_wicked_name_does_not_run(looking_at):
    page = looking_at()
    page.on("dialog", lambda dialog: pytest.fail("a script of the data ran"))
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
