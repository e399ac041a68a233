"""How fast and how safe the review is: answers under load and kills, pages of 200 images, 100,000 images, a million.

python -m benchmarks.review [load] [pages] [many] [million]    # needs chromium and CLIPGRIP_DATA for the pages
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.record import RESULTS, machine, record
from benchmarks.served import CHROMIUM, Served, own_cache, photographs, synthetic
from clipgrip.review.web import thumbs

BROWSERS, PER_SECOND, SECONDS, KILLS = 4, 20, 60, 10
PAGE = 200
COUNT, MILLION = 100_000, 1_000_000
TRASH = "photos/trash"
HEAR = """
window.said = []; window.waits = []; window.asked = new Map();
document.addEventListener("saved", ({ detail }) => {
  for (const token of detail) {
    window.said.push(token);
    if (window.asked.has(token)) window.waits.push(performance.now() - window.asked.get(token));
  }
});
"""
PRESS = """(key) => {
  const before = new Set(Object.values(localStorage).flatMap((v) => JSON.parse(v).map?.((a) => a.token) ?? []));
  const began = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  for (const value of Object.values(localStorage)) {
    const answers = JSON.parse(value);
    if (Array.isArray(answers)) for (const one of answers) {
      if (one.token && !before.has(one.token)) window.asked.set(one.token, began);
    }
  }
}"""
BEGIN = f"""(every) => {{
  const press = {PRESS};
  let n = 0;
  window.pressed = 0;
  window.timer = setInterval(() => {{ press("1234"[n++ % 4]); window.pressed += 1; }}, every);
}}"""
UNSENT = "() => Object.keys(localStorage).filter((k) => /:[0-9a-f]{32}$/.test(k)).length === 0"
LOADED = """() => [...document.images].every((image) => image.complete && image.naturalWidth)
  ? performance.getEntriesByType("navigation")[0].loadEventEnd : 0"""


def main() -> None:
    """Measure what is asked for, print, and write ``results/review.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=" ".join(PARTS))
    wanted = parser.parse_args().parts
    path = RESULTS / "review.json"
    result = json.loads(path.read_text()) if path.is_file() else {}
    result = {name: result[name] for name in PARTS if name in result}
    print(machine())
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder, chromium() as browser:
            own_cache(Path(folder))
            when = {"date": date.today().isoformat()}
            result[name] = when | PARTS[name](Path(folder), browser) | {"busy": busy()}
        print(name, json.dumps(result[name], indent=1), flush=True)
        record("review", result)


def busy() -> float:
    """Load of the machine (processes that want a core, in the last five minutes)."""
    return round(os.getloadavg()[1], 1)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def visit(browser: Browser, server: Served, name: str) -> Page:
    """A person in a browser context of their own."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    cookie = {"name": "clipgrip_person", "value": quote(name), "url": server.address}
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.add_init_script(HEAR)
    return page


def load(folder: Path, browser: Browser) -> dict[str, Any]:
    """20 answers a second from 4 browsers: first in peace, then while the server is killed again and again."""
    server = Served(synthetic(folder, 6000))
    server.start()
    pages = [visit(browser, server, f"person {n}") for n in range(BROWSERS)]
    for page in pages:
        page.goto(f"{server.address}/one")
    quiet = _press(pages, lambda: time.sleep(SECONDS / 2))
    began, downs = time.perf_counter(), []
    stormy = _press(pages, lambda: downs.extend(_kills(server)))
    seconds = time.perf_counter() - began
    for page in pages:
        page.wait_for_function(UNSENT)
    said = [token for page in pages for token in page.evaluate("() => window.said")]
    stored = server.stored()
    server.kill()
    return {
        "browsers": BROWSERS,
        "in_peace": quiet,
        "killed": KILLS,
        "while_killed_seconds": round(seconds, 1),
        "while_killed_pressed": stormy["pressed"],
        "seconds_down": [round(down, 1) for down in downs],
        "said_saved": len(set(said)),
        "said_but_not_stored": len(set(said) - set(stored)),
        "stored_but_not_said": len(set(stored) - set(said)),
        "stored_twice": len(stored) - len(set(stored)),
    }


def _press(pages: Sequence[Page], during: Any) -> dict[str, Any]:
    """Let every page answer by its own clock while something happens."""
    began = time.perf_counter()
    for page in pages:
        page.evaluate("() => { window.waits = []; }")
        page.evaluate(BEGIN, 1000 * len(pages) / PER_SECOND)
    during()
    pressed = 0
    for page in pages:
        pressed += page.evaluate("() => { clearInterval(window.timer); return window.pressed; }")
    seconds = time.perf_counter() - began
    waits = [wait for page in pages for wait in page.evaluate("() => window.waits")]
    return {"pressed": pressed, "a_second": round(pressed / seconds, 1), **_waits(waits)}


def _kills(server: Served) -> list[float]:
    """Kill at random moments of the whole time; each restart's seconds. It takes longer where starting is slow."""
    rng, downs, began = random.Random(0), [], time.perf_counter()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 2 * SECONDS / KILLS))
        server.kill()
        downs.append(server.start())
    time.sleep(max(0.0, SECONDS - (time.perf_counter() - began)))
    return downs


def _waits(waits: Sequence[float]) -> dict[str, Any]:
    """Milliseconds from the key to "saved"."""
    if not waits:
        return {}
    cuts = statistics.quantiles(waits, n=20)
    return {
        "answers": len(waits),
        "median_ms": round(statistics.median(waits), 1),
        "p95_ms": round(cuts[18], 1),
        "max_ms": round(max(waits), 1),
    }


def pages(folder: Path, browser: Browser) -> dict[str, Any]:
    """200 photographs of 512 x 384 on a page, in a browser that has seen none of them."""
    root = Path(os.environ.get("CLIPGRIP_DATA", "")) / TRASH
    paths = sorted(path for path in root.rglob("*.*") if path.suffix in (".jpg", ".png"))
    if not paths:
        return {"skipped": f"no {TRASH} in CLIPGRIP_DATA"}
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    server = Served(photographs(folder, paths, names))
    server.start()
    kept = folder / "cache" / thumbs.FOLDER
    while len(list(kept.rglob("*.jpg"))) < min(400, len(set(paths))) - 20:
        time.sleep(0.3)
    warm = [_page_seconds(browser, server) for _ in range(5)]
    cold = []
    for _ in range(3):
        shutil.rmtree(kept)
        cold.append(_page_seconds(browser, server))
    server.kill()
    return {
        "images": PAGE,
        "warm_seconds": round(statistics.median(warm), 3),
        "warm_all": warm,
        "cold_seconds": round(statistics.median(cold), 3),
        "cold_all": cold,
    }


def _page_seconds(browser: Browser, server: Served, n: int = PAGE) -> float:
    page = visit(browser, server, "Aki")
    page.goto(f"{server.address}/review?n={n}")
    page.wait_for_function(LOADED)
    milliseconds = page.evaluate(LOADED)
    page.context.close()
    return round(milliseconds / 1000, 3)


def many(folder: Path, browser: Browser, count: int = COUNT) -> dict[str, Any]:
    """A project of 100,000 images, first without answers, then with 10,000."""
    server = Served(synthetic(folder, count))
    result: dict[str, Any] = {"images": count, "start_seconds": round(server.start(), 1)}
    result["start_processor_seconds"] = round(server.processor(), 1)
    page = visit(browser, server, "Aki")
    for answers in (0, 10_000):
        if answers:
            _import(page, answers)
        result[f"with_{answers}_answers"] = _figures(page, server)
    server.kill()
    result["start_again_seconds"] = round(server.start(), 1)
    result["memory_mb"] = server.memory()
    server.kill()
    return result


def _figures(page: Page, server: Served) -> dict[str, Any]:
    seconds, processor = {}, {}
    for name, path in (
        ("overview", "/"),
        ("grid_100", "/review?n=100"),
        ("one", "/one"),
        ("answered", "/review?queue=answered&n=100"),
        ("classes", "/classes"),
    ):
        used = server.processor()
        page.goto(server.address + path)
        first = server.processor() - used
        seconds[name] = round(statistics.median(_html_seconds(page, path) for _ in range(3)), 3)
        processor[name] = round(first, 2), round((server.processor() - used - first) / 3, 2)
    page.goto(server.address + "/one")
    press = f"async (n) => {{ const press = {PRESS}; {_ONE_BY_ONE} }}"
    page.evaluate("() => { window.waits = []; }")
    used = server.processor()
    page.evaluate(press, 40)
    return {
        "page_seconds": seconds,
        "page_processor_seconds_first_and_again": processor,
        "answer": _waits(page.evaluate("() => window.waits")),
        "answer_processor_ms": round((server.processor() - used) / 40 * 1000, 1),
        "memory_mb": server.memory(),
    }


_ONE_BY_ONE = """
for (let i = 0; i < n; i++) {
  const saved = new Promise((done) => document.addEventListener("saved", done, { once: true }));
  press("1234"[i % 4]);
  await saved;
}"""


def _html_seconds(page: Page, path: str) -> float:
    """Until the page's text is there."""
    script = """async (path) => { const began = performance.now(); await (await fetch(path)).text();
        return (performance.now() - began) / 1000; }"""
    return float(page.evaluate(script, path))


def _import(page: Page, count: int) -> None:
    """Answers as the page sends them, 1,000 at a time."""
    page.evaluate(
        """async (count) => {
        const csrf = document.querySelector("meta[name=csrf]").content;
        for (let skip = 0; skip < count; skip += 500) {
          const found = await (await fetch(`/api/next?queue=surest&n=500&skip=0`)).json();
          const answers = found.images.map((one) => (
            { token: crypto.randomUUID(), image: one.image, klass: one.class, seconds: 2 }));
          const kept = await fetch("/api/answers", { method: "POST", body: JSON.stringify({ answers }),
            headers: { "content-type": "application/json", "x-csrf-token": csrf } });
          if (!kept.ok) throw new Error(await kept.text());
        }
      }""",
        count,
    )


def million(folder: Path, browser: Browser) -> dict[str, Any]:
    """The same with a million images."""
    return many(folder, browser, MILLION)


PARTS = {"load": load, "pages": pages, "many": many, "million": million}

if __name__ == "__main__":
    main()
