"""Makes docs/operations/pictures: each page of a review in both languages, from generated parts.

python -m tools.screenshots    # needs chromium; fonts-noto-cjk for Japanese
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.served import CHROMIUM, Served, own_cache
from clipgrip.config import project
from clipgrip.data.samples import surfaces
from clipgrip.runs.pipeline import run

PICTURES = Path(__file__).parents[1] / "docs" / "operations" / "pictures"
PAGES = {
    "overview": "/",
    "audit": "/audit",
    "review": "/review?n=50",
    "one": "/one",
    "classes": "/classes",
    "rounds": "/rounds",
    "files": "/files",
}
PEOPLE = {"en": ("Aki Mori", "Bo Lind"), "ja": ("森 亜紀", "林 望")}
NAMES = {
    "no defect": "良品",
    "scratch": "キズ",
    "dent": "打痕",
    "burr": "バリ",
    "stain": "汚れ",
    "crack": "割れ",
    "hole": "穴",
    "rust": "サビ",
}
COLOURS = (128, 64, 48, 32, 24)
MOST = 150_000
"""Bytes of a picture."""
ANSWER = """async ([queue, purpose, labels, n, every]) => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const ids = new Map(page.classes.map((one) => [one.name, one.id]));
  const csrf = document.querySelector("meta[name=csrf]").content;
  const found = await (await fetch(`/api/next?queue=${queue}&n=${n}`)).json();
  const answers = found.images.map((one, number) => ({
    token: crypto.randomUUID(), image: one.image, purpose, seconds: 1.2 + (number * 7 % 20) / 10,
    ...(number % every ? { klass: ids.get(labels[one.path]) } : { verdict: "unsure" }),
  }));
  const told = await fetch("/api/answers", { method: "POST", body: JSON.stringify({ answers }),
    headers: { "content-type": "application/json", "x-csrf-token": csrf } });
  if (!told.ok) throw new Error(await told.text());
}"""
POST = """async ([path, body]) => {
  const csrf = document.querySelector("meta[name=csrf]").content;
  const told = await fetch(path, { method: "POST", body: JSON.stringify(body),
    headers: { "content-type": "application/json", "x-csrf-token": csrf } });
  if (!told.ok) throw new Error(await told.text());
}"""


def main() -> None:
    """A small review with a round, then a picture of each page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        own_cache(Path(folder))
        server, truth = _review(Path(folder))
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            _work(browser, server, truth)
            _picture(browser, server, "en")
            _rename(browser, server)
            _picture(browser, server, "ja")
        finally:
            browser.close()
            server.kill()


def _review(folder: Path) -> tuple[Served, dict[str, str]]:
    sample = surfaces(folder / "sample", pool=40, test=0)
    out = folder / "metal-parts"
    options = {"images": sample.images, "classes": sample.classes, "strategy": "fpl", "out": out}
    run(project({**options, "template": "a photo of a metal surface with {}."}))
    with sample.truth.open(encoding="utf-8-sig", newline="") as file:
        truth = {row["path"]: row["label"] for row in csv.DictReader(file)}
    server = Served(out)
    server.start()
    return server, truth


def _work(browser: Browser, server: Served, truth: Mapping[str, str]) -> None:
    """Two people answer, the model learns, and they answer a little more."""
    with _visit(browser, server, "en", 0) as aki, _visit(browser, server, "en", 1) as bo:
        for page in (aki, bo):
            page.goto(server.address + "/one")
        aki.evaluate(ANSWER, ["audit", "audit", truth, 60, 40])
        aki.evaluate(ANSWER, ["doubtful", "review", truth, 20, 99])
        bo.evaluate(ANSWER, ["doubtful", "review", truth, 24, 12])
        aki.evaluate(POST, ["/api/rounds/start", {}])
        aki.goto(server.address + "/rounds")
        aki.wait_for_selector(".round .gain")
        aki.goto(server.address + "/one")
        aki.evaluate(ANSWER, ["audit", "audit", truth, 12, 99])
        aki.evaluate(ANSWER, ["doubtful", "review", truth, 9, 99])


def _rename(browser: Browser, server: Served) -> None:
    """Classes are called as Japanese readers call them; what the model reads stays."""
    with _visit(browser, server, "ja", 0) as page:
        page.goto(server.address + "/classes")
        lines = page.evaluate(
            """() => [...document.querySelectorAll("tr[data-class]")].map((row) => ({ id: Number(row.dataset.class),
            name: row.querySelector(".name-field").value, prompt: row.querySelector(".prompt-field").value }))"""
        )
        for line in lines:
            if line["name"] in NAMES:
                edit = {"action": "edit", **line, "name": NAMES[line["name"]]}
                page.evaluate(POST, ["/api/classes", edit])


def _picture(browser: Browser, server: Served, language: str) -> None:
    with _visit(browser, server, language, 0) as page:
        for name, path in PAGES.items():
            page.goto(server.address + path)
            page.wait_for_selector("html[data-ready=yes]", state="attached")
            if name == "review":
                for _ in range(3):
                    page.keyboard.press("Shift+ArrowRight")
            page.wait_for_function("() => [...document.images].every((image) => image.complete)")
            _keep(page, PICTURES / f"{name}-{language}.png")


def _keep(page: Page, place: Path) -> None:
    """With the largest palette that is small enough."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in COLOURS:
        picture.quantize(colours, dither=Image.Dither.NONE).save(place, optimize=True)
        if place.stat().st_size <= MOST:
            break
    print(f"{place.name} {place.stat().st_size // 1024} kB")


@contextmanager
def _visit(browser: Browser, server: Served, language: str, number: int) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale=language)
    cookies: list[Any] = [
        {"name": f"clipgrip_{name}", "value": quote(value), "url": server.address}
        for name, value in (("person", PEOPLE[language][number]), ("language", language))
    ]
    context.add_cookies(cookies)
    page = context.new_page()
    page.set_default_timeout(300_000)
    yield page
    context.close()


if __name__ == "__main__":
    main()
