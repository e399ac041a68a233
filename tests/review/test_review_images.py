"""The images themselves: those that are gone, and the pixels of large ones."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

from PIL import Image
from review_helpers import Browser

from clipgrip.data.sources import BytesSource, FileSource
from clipgrip.review.session import ReviewSession


def test_images_that_are_gone_are_counted_and_named(session: ReviewSession, tmp_path: Path) -> None:
    browser = Browser(session)
    assert 'id="gone"' not in browser.get("/").text
    rows = [
        replace(row, source=FileSource(str(tmp_path / "gone.png")))
        for row in session.snapshot.view.rows[:2]
    ]
    browser = Browser(session)
    assert browser.server.presence.look([*rows, *session.snapshot.view.rows[2:]]) == tuple(
        r.path for r in rows
    )
    page = browser.get("/").text
    assert "2 images are no longer where they were" in page
    assert rows[0].path in page


def test_the_true_size_and_the_pixels_of_a_large_image(session: ReviewSession) -> None:
    browser = Browser(session)
    row = session.snapshot.view.rows[0]
    made = io.BytesIO()
    Image.effect_noise((2400, 40), 90).convert("RGB").save(made, "PNG")
    data = made.getvalue()
    large = replace(row, source=BytesSource(data), sha256=hashlib.sha256(data).hexdigest())
    browser.server.row = lambda _: large  # type: ignore[method-assign]
    assert browser.get("/api/size/x").json() == {"longest": 2400}
    widths = [
        Image.open(io.BytesIO(browser.get(f"/image/x{more}").content)).width
        for more in ("", "?full=true")
    ]
    assert widths == [1600, 2400]
