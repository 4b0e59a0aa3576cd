"""Take the pictures of the README and the docs again: `python docs/pictures.py` (needs Chromium, which playwright drives)."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

import fallline
from fallline.figures import draw_bowl

IMAGES = Path(__file__).resolve().parent / "images"
WIDTH = 900


def main() -> None:
    """Compare on the diabetes data; keep the picture that carries the verdict, and that of sketched curvature."""
    found = fallline.compare("diabetes")
    figure = found.plot()
    figure.layout.updatemenus = ()  # a picture has no buttons
    take(figure, IMAGES / "diabetes.png")
    take(draw_bowl(found.bowl), IMAGES / "bowl.png")


def take(figure: Any, path: Path) -> None:
    """Draw a Plotly figure in a browser and save what it shows."""
    height = figure.layout.height
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page = Path(folder) / "figure.html"
        figure.update_layout(width=WIDTH).write_html(page, config={"displayModeBar": False})
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        sheet = browser.new_page(viewport={"width": WIDTH, "height": height})
        sheet.goto(page.as_uri())
        sheet.wait_for_timeout(2000)
        sheet.screenshot(path=path, clip={"x": 8, "y": 8, "width": WIDTH - 8, "height": height - 8})


if __name__ == "__main__":
    main()
