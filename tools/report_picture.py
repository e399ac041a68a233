"""Make docs/report.png: the first screen of the demo's report.

python -m tools.report_picture DEMO/digits/grip/report.html    # of `clipgrip demo`; needs chromium
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.served import CHROMIUM

PICTURE = Path(__file__).parents[1] / "docs" / "report.png"


def main(report: Path) -> None:
    """Open the report and keep what its reader sees first."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 1010})
        page.goto(report.resolve().as_uri())
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    shot.quantize(64).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
