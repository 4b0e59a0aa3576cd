"""Take the pictures of the README and the docs again (needs Chromium, which playwright drives).

`python docs/pictures.py` takes all of them, `python docs/pictures.py momentum adam` those of two pages in concepts/. A concept's
page leaves a Plotly `figure` when its blocks have run; it is taken on light and on dark paper.
"""

import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch
from playwright.sync_api import sync_playwright
from sklearn.datasets import make_moons
from torch import nn

import fallline
from fallline.figures import draw_bowl
from fallline.figures.style import counterparts
from fallline.plan import Plan
from fallline.problem import Charges, problem_of
from fallline.torch import find_rate

DOCS = Path(__file__).resolve().parent
IMAGES, CONCEPTS = DOCS / "images", DOCS / "concepts"
WIDTH, NARROW = 900, 720
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main(names: list[str]) -> None:
    """Those of the named concepts; of all, and the comparison's, where none is named."""
    with a_browser() as browser:
        if not names:
            comparison(browser)
            forecasts(browser)
            explained(browser)
            rates(browser)
        for name in names or sorted(page.stem for page in CONCEPTS.glob("*.md") if page.stem != "README"):
            concept(browser, name)


def comparison(browser: Any) -> None:
    """Compare on the diabetes data; keep the picture that carries the verdict, and that of sketched curvature."""
    found = fallline.compare("diabetes")
    figure = found.plot()
    figure.layout.updatemenus = ()  # a picture has no buttons
    take(browser, figure, IMAGES / "diabetes.png")
    take(browser, draw_bowl(found.bowl), IMAGES / "bowl.png")


def forecasts(browser: Any) -> None:
    """The map of rates and batch sizes on the breast cancer data."""
    take(
        browser,
        problem_of("breast_cancer", None, Charges()).objective.forecast_map().plot(),
        IMAGES / "forecast-map-light.png",
    )


def explained(browser: Any) -> None:
    """A walk on few rows that comes down to its noise, and what is seen of it."""
    found = (
        Plan(step="plain", rate=0.04, batch_size=4, amount=12.0)
        .run(problem_of("diabetes", None, Charges()).objective)
        .explain()
    )
    met = found.trajectory()
    drawn = {"findings": found.plot(), "noise": met.plot_noise(), "directions": met.plot_directions()}
    for name, figure in drawn.items():
        take(browser, figure, IMAGES / f"explain-{name}-light.png")


def rates(browser: Any) -> None:
    """A rate that is found for a small network on two moons."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
    net = fallline.Net(module, make_moons(400, noise=0.2, random_state=0))
    found = find_rate(net, Plan(step="adam", rate=1.0, batch_size=32, amount=10, schedule="cosine"))
    take(browser, found.plot(), IMAGES / "find-rate-light.png")


def concept(browser: Any, name: str) -> None:
    """What the page's blocks leave as `figure`, in light and in dark."""
    space: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in BLOCK.findall((CONCEPTS / f"{name}.md").read_text(encoding="utf-8")):
            exec(compile(block, name, "exec"), space)
    (IMAGES / "concepts").mkdir(exist_ok=True)
    figure = space["figure"]
    for theme, seen in (("light", figure), ("dark", on_dark(figure))):
        take(browser, seen, IMAGES / "concepts" / f"{name}-{theme}.png", NARROW)


def on_dark(figure: Any) -> Any:
    """The same figure with every colour exchanged for its counterpart on dark paper."""
    swap = {json.dumps(light): json.dumps(dark) for light, dark in counterparts().items()}
    text = re.sub("|".join(map(re.escape, swap)), lambda found: swap[found.group()], figure.to_json())
    return go.Figure(json.loads(text))


@contextlib.contextmanager
def a_browser() -> Iterator[Any]:
    """Chromium without a window."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])


def take(browser: Any, figure: Any, path: Path, width: int = WIDTH) -> None:
    """Draw a Plotly figure in a browser and save what it shows."""
    height = figure.layout.height
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.update_layout(width=width).write_html(page, config={"displayModeBar": False})
        sheet = browser.new_page(viewport={"width": width + 16, "height": height + 16})
        sheet.goto(page.as_uri())
        sheet.wait_for_selector(".main-svg")
        sheet.wait_for_timeout(400)
        sheet.screenshot(path=path, clip={"x": 8, "y": 8, "width": width, "height": height})  # within the body's margin
        sheet.close()


if __name__ == "__main__":
    main(sys.argv[1:])
