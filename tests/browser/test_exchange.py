"""Labels in and out through the page: what became of a file is said, whatever became of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from browsing import Serving, visiting
from playwright.sync_api import Browser

TEXTS = {
    "en": (
        "taken",
        "left out",
        "2 answers brought in.",
        "Saved:",
        "the image file is gone",
        "of the 160 images",
        "Choose a file",
        "No file is chosen.",
    ),
    "ja": (
        "取り込み",
        "対象外",
        "2件を取り込みました。",
        "保存しました",
        "画像ファイルがない",
        "160枚のうち1枚",
        "ファイルを選ぶ",
        "ファイルが選ばれていません。",
    ),
}


def tasks() -> bytes:
    def task(path: str, *labels: str, cancelled: bool = False) -> dict[str, object]:
        value = {"choices": list(labels)}
        result = [{"from_name": "class", "to_name": "image", "type": "choices", "value": value}]
        annotation = {"was_cancelled": cancelled, "result": result}
        return {"data": {"image": path}, "annotations": [annotation]}

    return json.dumps(
        [
            task("/data/local-files/?d=images/part%20001.png", "dent"),
            task("/data/upload/3/1a2b3c4d-part_002.png", "scratch"),
            task("part 003.png", "dent", cancelled=True),
            task("part 004.png", "dent", "scratch"),
            task("elsewhere.png", "dent"),
        ]
    ).encode()


@pytest.mark.parametrize("language", TEXTS)
def test_the_page_says_what_became_of_a_file(
    browser: Browser, own_server: Serving, reviewed_run: Path, tmp_path: Path, language: str
) -> None:
    taken, out, brought, saved, gone, banner, choose, unchosen = TEXTS[language]
    file = tmp_path / "tasks.json"
    file.write_bytes(tasks())
    lost = reviewed_run.parent / "images" / "part 001.png"
    with visiting(browser, own_server, f"Aki {language}", language) as aki:
        aki.open("/files")
        aki.page.select_option("select[name=form]", "label-studio")
        aki.page.click("#import button")
        aki.page.wait_for_selector(f"text={unchosen} >> nth=1")
        with aki.page.expect_file_chooser() as asking:
            aki.page.click(
                f"text={choose}"
            )  # the browser's own button speaks the browser's language
        asking.value.set_files(file)
        assert aki.page.inner_text("#chosen") == "tasks.json"
        aki.page.click("#import button")
        aki.page.wait_for_selector("#problems table")
        told = aki.page.inner_text("#problems")
        assert brought in aki.page.inner_text("#told")
        for words in (taken, out, "part%20001.png", "elsewhere.png", "part 003.png"):
            assert words in told
        lost.rename(tmp_path / "away.png")
        try:
            aki.open("/files")
            assert banner in aki.page.inner_text("#gone")
            with aki.page.expect_download() as coming:
                aki.page.click("a[data-form=coco]")
            aki.page.wait_for_selector("#exported table")
            assert saved in aki.page.inner_text("#exported")
            assert gone in aki.page.inner_text("#exported")
            left = json.loads(Path(coming.value.path()).read_text("utf-8"))["info"]["left_out"]
            assert [one["path"] for one in left] == ["part 001.png"]
            aki.page.click("#studio summary")
            aki.page.fill("#prefix", "images")
            with aki.page.expect_download() as coming:
                aki.page.click("a[data-form=label-studio]")
            found = json.loads(Path(coming.value.path()).read_text("utf-8"))
            assert {"/data/local-files/?d=images/part%20002.png"} <= {
                t["data"]["image"] for t in found
            }
            if place := os.environ.get("CLIPGRIP_SHOTS"):
                aki.page.select_option("select[name=form]", "label-studio")
                aki.page.set_input_files("input[type=file]", file)
                aki.page.click("#import button")
                aki.page.wait_for_selector("#problems table")
                aki.page.screenshot(path=f"{place}/files-{language}.png", full_page=True)
        finally:
            (tmp_path / "away.png").rename(lost)
