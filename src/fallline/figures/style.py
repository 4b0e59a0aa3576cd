"""The one visual language: what each colour, line and letter means in every figure, in light and in dark.

A variant has a colour and a line style; its rates differ by lightness, the larger the stronger. Every colour of a
figure comes from here, so `counterparts` can turn a light figure into a dark one by exchanging words.
"""

import re
import textwrap
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go


class Look(NamedTuple):
    """How a variant is drawn."""

    light: str  # colour on light paper, #RRGGBB
    dark: str  # colour on dark paper
    dash: str  # Plotly's line style
    rough_dash: str  # the nearest to it that Plotly's 3-D has
    symbol: str  # marker


# Okabe and Ito's palette (2008), which colour-blind readers can tell apart; darkened on light paper and lightened on
# dark until text in these colours has a contrast of at least 4.5.
LOOKS = {
    "batch": Look("#0066A6", "#5FB5EE", "10px,4px", "dash", "square"),
    "stochastic": Look("#BC4A00", "#FF9552", "2px,3px", "dot", "diamond"),
    "mini-batch": Look("#00785A", "#35CFA0", "solid", "solid", "circle"),
    "automatic": Look("#95418F", "#E3A0DC", "8px,3px,2px,3px", "dashdot", "star"),
    "baseline": Look("#5B6675", "#A3AEBC", "4px,4px", "dash", "x"),
}


class Paper(NamedTuple):
    """Colours of everything that is not a run."""

    paper: str
    ink: str
    muted: str
    grid: str
    axis: str
    alarm: str
    valley: tuple[str, ...]  # of a surface, from the lowest place up


PAPERS = {
    "light": Paper(
        "#FFFFFF", "#1B2430", "#586374", "#E8EBF0", "#B4BDC9", "#B3261E",
        ("#8DAFD3", "#AEC7E1", "#CBDBEB", "#E2EBF4", "#F5F8FB"),
    ),
    "dark": Paper(
        "#141920", "#E7ECF2", "#A3AEBC", "#28303B", "#4B5767", "#FF8A80",
        ("#557CA8", "#42618A", "#324A69", "#26364B", "#1B2532"),
    ),
}  # fmt: skip

LEVELS = 5  # steps of lightness that an eye tells apart
FADES = (0.62, 0.48, 0.34, 0.17, 0.0)  # share of paper mixed into a level's colour
BAND = 0.16  # opacity of a seed band
VEILS = (BAND, 0.06, 0.12, 0.22, 0.35, 0.55, 0.8)  # the opacities that figures may use
BUTTON = "#3B7FBF"  # Plotly paints a pressed button near white in every theme; this is readable on that and on dark
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
TITLE_WIDTH, HOW_WIDTH = 74, 104  # letters a line, where a figure stands alone
MARGINS = {"l": 74, "r": 24, "t": 26, "b": 58}


def colour(variant: str, level: int = LEVELS - 1, theme: str = "light") -> str:
    """The colour of a variant at a lightness level, 0 (faintest) … LEVELS − 1, as #RRGGBB."""
    strong = look(variant).light if theme == "light" else look(variant).dark
    return mix(strong, PAPERS[theme].paper, FADES[level])


def look(variant: str) -> Look:
    """How a variant is drawn; one that is not known, like a baseline."""
    return LOOKS.get(variant, LOOKS["baseline"])


def mix(over: str, under: str, share: float) -> str:
    """`over` with `share` of `under` mixed in, as #RRGGBB."""
    pairs = zip(_channels(over), _channels(under), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def veil(colour: str, opacity: float) -> str:
    """A colour made see-through, as rgba()."""
    red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{opacity:g})"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def levels(rates: list[float | None]) -> dict[float | None, int]:
    """A lightness level for each rate of one variant: the largest is the strongest, a single one has full colour."""
    order = sorted({rate for rate in rates if rate is not None})
    if len(order) <= 1:
        return dict.fromkeys(rates, LEVELS - 1)
    last = len(order) - 1
    ranks: dict[float | None, int] = {rate: round(k / last * (LEVELS - 1)) for k, rate in enumerate(order)}
    return {rate: ranks.get(rate, LEVELS - 1) for rate in rates}


def counterparts() -> dict[str, str]:
    """Every colour of a light figure → the colour in its place on dark paper."""
    light, dark = PAPERS["light"], PAPERS["dark"]
    pairs = [(colour(v, k), colour(v, k, "dark")) for v in LOOKS for k in range(LEVELS)]
    for name in Paper._fields[:-1]:
        pairs.append((getattr(light, name), getattr(dark, name)))
    pairs.extend(zip(light.valley, dark.valley, strict=True))
    veiled = [(veil(a, opacity), veil(b, opacity)) for a, b in pairs for opacity in VEILS]
    return dict(pairs + veiled)


def plain(text: str) -> str:
    """Text that Plotly shows letter by letter, whatever it holds: Plotly reads its strings as HTML."""
    return escape(text, quote=False)


def figure(title: str, how: str, theme: str = "light", height: int = 440, **layout: Any) -> go.Figure:
    """An empty figure that states its finding above and how to read it below the title.

    The two sentences also stand in `layout.meta`, from where a page sets them as text of its own. `height` and `margin`
    are those of the picture without them; `room` is what else stands between, such as buttons.
    """
    paper = PAPERS[theme]
    heading = "<br>".join(map(plain, textwrap.wrap(together(title), TITLE_WIDTH)))
    guide = "<br>".join(map(plain, textwrap.wrap(how, HOW_WIDTH)))
    lines = heading.count("<br>") * 23 + guide.count("<br>") * 16
    meta = {"title": title, "how": how, **layout.pop("meta", {})}
    margin = {**MARGINS, **layout.pop("margin", {})}
    top = 78 + lines + layout.pop("room", 0) + margin["t"] - MARGINS["t"]
    return go.Figure(
        layout={
            "template": template(theme),
            "title": {
                "text": heading,
                "subtitle": {"text": guide},
                "y": 1,
                "yref": "container",
                "pad": {"t": 18 + 11 * heading.count("<br>")},
            },
            "height": height + top - margin["t"],
            "margin": {**margin, "t": top},
            "meta": {**meta, "margin": margin, "height": height},
            "paper_bgcolor": paper.paper,
            "plot_bgcolor": paper.paper,
            **layout,
        }
    )


def together(text: str) -> str:
    """Text in which no line ends between a number and what belongs to it."""
    text = re.sub(r" · ", "\N{NO-BREAK SPACE}· ", text)
    text = re.sub(r"\b(rate|after) (?=\d)", "\\1\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=\d) (?=%|pass|update|[mµ]?s\b|min\b)", "\N{NO-BREAK SPACE}", text)


def template(theme: str) -> dict[str, Any]:
    """Letters, axes and boxes on light or dark paper."""
    paper = PAPERS[theme]
    axis = {
        "gridcolor": paper.grid, "linecolor": paper.axis, "tickcolor": paper.axis, "zerolinecolor": paper.grid,
        "zeroline": False, "ticks": "outside", "ticklen": 4, "showline": True, "automargin": True,
        "tickfont": {"color": paper.muted, "size": 12},
        "title": {"font": {"color": paper.muted, "size": 13}, "standoff": 10},
    }  # fmt: skip
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": paper.ink},
            "title": {
                "x": 0, "xanchor": "left", "xref": "paper", "yanchor": "top",
                "font": {"size": 18, "color": paper.ink, "weight": 600},
                "subtitle": {"font": {"size": 13, "color": paper.muted}},
            },
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": paper.paper, "bordercolor": paper.axis, "font": {"color": paper.ink}},
            "legend": {"font": {"color": paper.ink}, "bgcolor": veil(paper.paper, 0.8)},
            "annotationdefaults": {"font": {"size": 12}, "showarrow": False},
        }
    }  # fmt: skip


def plotly_code() -> str:
    """Plotly's own JavaScript, 4.8 MB, for a page that holds it itself."""
    from plotly.offline import get_plotlyjs

    code: str = get_plotlyjs()
    return code


def guide_line(theme: str, alarming: bool = False) -> dict[str, Any]:
    """The thin line of an optimum, a level or a limit."""
    paper = PAPERS[theme]
    return {"color": paper.alarm if alarming else paper.axis, "width": 1}
