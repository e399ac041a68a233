"""Every page in both languages, with hostile names shown as text and nothing inline."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from projects import Place, picture, project, quick, rows
from review_helpers import Browser, answer, id_of, truth
from waiting import until

from clipgrip.data.portable import folder_names
from clipgrip.review import classes as edits
from clipgrip.review import job
from clipgrip.review.exchange import EXPORTS
from clipgrip.review.queues import audit, doubtful
from clipgrip.review.rounds import next_round
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.review.web.texts import AUDIT_RESET
from clipgrip.runs.pipeline import run
from clipgrip.words import Words

PAGES = (
    "/", "/review", "/review?queue=surest", "/review?queue=helpful", "/review?queue=disagree", "/review?queue=asked",
    "/review?queue=second",
    "/review?queue=answered", "/review?queue=audit", "/review?class=1&n=50&skip=3", "/review?class=99", "/one",
    "/one?queue=disagree", "/one?queue=answered", "/audit", "/classes", "/rounds", "/work", "/files",
)  # fmt: skip
LANGUAGES = ("en", "ja")


class Parsed(HTMLParser):
    """Elements with their attributes, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            json.loads(data)  # data for the page's script, and nothing else
        assert self.inside != "style"
        self.texts.append(data)

    def shown(self) -> str:
        values = [v for _, attributes in self.elements for v in attributes.values() if v]
        return "\n".join([*self.texts, *values])


def pages(browser: Browser) -> Iterator[tuple[str, Parsed]]:
    """Each page, checked for what none may hold."""
    for path in PAGES:
        told = browser.get(path)
        assert told.status_code == 200, (path, told.text)
        assert "http://" not in told.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in told.text
        page = Parsed(told.text)
        for tag, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes), path
            assert "style" not in attributes, path
            assert tag not in ("style", "iframe", "object", "embed", "base"), path
            for name in ("src", "href", "action"):
                value = attributes.get(name)
                assert value is None or (value.startswith("/") and not value.startswith("//")), path
            if tag == "script":
                assert attributes.get("src") or attributes["type"] == "application/json"
        yield path, page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_of_a_review_that_has_just_begun(session: ReviewSession, language: str) -> None:
    for path, page in pages(Browser(session, language)):
        (html,) = [attributes for tag, attributes in page.elements if tag == "html"]
        assert html["lang"] == language
        assert (Words("ja")("Random audit") in page.texts) == (language == "ja"), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_with_many_answers_changed_classes_and_rounds(
    session: ReviewSession, parts: Place, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipgrip.review.rounds.harms", lambda _: False)
    ids = truth(session, parts)
    for row in audit(session.snapshot)[:9].tolist():
        answer(session, row, int(ids[row]), purpose="audit")
    for n, row in enumerate(doubtful(session.snapshot)[:8].tolist()):
        answer(session, row, 1 + n % 4, "")
        if n % 2:
            answer(session, row, 1 + n % 3, "Ito")
        if n == 6:
            answer(session, row, None, verdict="ask")
    next_round(session.folder, "Sato")
    session.load()
    edits.add(session, "rust", "rusty", "Sato")
    edits.edit(session, 1, "キズ", "scratch", "")
    edits.split(session, 3, ["good", "very good"], "Ito")
    edits.merge(session, 2, 1, "Ito")
    edits.remove(session, 4, "Ito")
    browser = Browser(session, language)
    assert browser.post("/api/import/csv", b"path,label\npart 01.png,rust\n").json()["answers"] == 1
    assert browser.post("/api/rounds/back", {"number": 1}).status_code == 200
    for _ in pages(browser):
        pass
    session.folder.joinpath("next-round.json").unlink(missing_ok=True)
    for values in (
        {"state": "running", "stage": "embed", "done": 3, "total": 9},
        {"state": "failed", "error": "<b>broken</b>"},
        {"state": "stopped", "stage": "no such stage"},
        {"state": "done", "round": 2},
    ):
        job.write(session.folder, job.Progress(**values))  # type: ignore[arg-type]
        for _ in pages(browser):
            pass
        told = browser.get("/api/rounds").json()
        assert told["state"] == ("stopped" if values["state"] == "running" else values["state"])
        assert told["stage"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_when_all_is_answered(
    session: ReviewSession, parts: Place, language: str
) -> None:
    ids = truth(session, parts)
    for row in audit(session.snapshot).tolist():
        answer(session, row, int(ids[row]), purpose="audit")
    texts = dict(pages(Browser(session, language)))
    assert not [a for tag, a in texts["/review"].elements if tag == "div" and "data-image" in a]


def test_the_language_is_the_browsers_until_it_is_chosen(session: ReviewSession) -> None:
    def language(browser: Browser) -> str | None:
        return next(a["lang"] for tag, a in Parsed(browser.get("/").text).elements if tag == "html")

    for header, wanted in (
        ("ja", "ja"), ("ja-JP,en;q=0.5", "ja"), ("en-US,ja;q=0.9", "en"), ("de,fr", "en"), ("", "en"), ("de, JA", "ja"),
    ):  # fmt: skip
        assert language(Browser(session, header)) == wanted, header
    browser = Browser(session, "ja")
    assert browser.post("/api/choice", {"language": "en", "person": "佐藤 <b>"}).status_code == 200
    page = Parsed(browser.get("/").text)
    assert language(browser) == "en"
    assert "佐藤 <b>" in page.texts
    assert browser.post("/api/choice", {"language": "de"}).status_code == 400


def test_a_name_is_text_without_control_characters(session: ReviewSession) -> None:
    browser = Browser(session)
    browser.post("/api/choice", {"person": " a\x00b\n\u202ec "})
    given = {"token": "t" * 16, "image": session.snapshot.view.rows[0].sha256, "klass": 1}
    told = browser.post("/api/answers", {"answers": [given]})
    assert told.json() == {"saved": ["t" * 16], "new": 1}
    assert session.snapshot.answers[0].person == "abc"


def test_the_audit_never_shows_what_the_model_says(session: ReviewSession) -> None:
    browser = Browser(session)
    page = Parsed(browser.get("/audit").text)
    held = json.loads(next(text for text in page.texts if '"purpose"' in text))
    assert held["purpose"] == "audit"
    assert held["examples"] == {}
    assert len(held["images"]) == held["left"] == 34
    for one in (*held["images"], *browser.get("/api/next?queue=audit").json()["images"]):
        assert set(one) == {"image", "name", "path", "state", "said"}


def test_answers_undo_and_promise_through_the_page(session: ReviewSession) -> None:
    browser = Browser(session)
    browser.post("/api/choice", {"person": "佐藤"})
    images = [one["image"] for one in browser.get("/api/next?n=3").json()["images"]]
    given = [
        {"token": f"token-{n}-abc", "image": i, "klass": 2, "seconds": 1.2}
        for n, i in enumerate(images)
    ]
    assert browser.post("/api/answers", {"answers": given}).json()["new"] == 3
    assert browser.post("/api/answers", {"answers": given}).json()["new"] == 0
    left = browser.get("/api/next").json()
    assert not {one["image"] for one in left["images"]} & set(images)
    told = browser.post("/api/undo", {"tokens": ["token-0-abc", "token-9-abc"]}).json()
    assert told == {"undone": ["token-0-abc"], "images": images[:1]}
    assert browser.get("/api/next").json()["left"] == left["left"] + 1
    assert {a.person for a in session.snapshot.answers} == {"佐藤"}
    audited = [one["image"] for one in browser.get("/api/next?queue=audit").json()["images"]]
    wrong = {"token": "token-a-abc", "image": audited[0], "verdict": "class", "klass": None}
    assert browser.post("/api/answers", {"answers": [wrong]}).status_code == 400
    told = browser.post("/api/promise", {"max_error": 45, "confidence": 50})
    assert told.json() == {"decided_by_model": 0, "pool": 34, "notes": []}
    assert browser.post("/api/promise", {"max_error": 50}).status_code == 400


def test_a_full_disk_is_no_refusal_so_the_page_keeps_its_answers(session: ReviewSession) -> None:
    browser = Browser(session)
    db = session.store._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    given = [
        {"token": f"token-{n:04}", "image": session.snapshot.view.rows[n % 30].sha256, "klass": 2}
        for n in range(999)
    ]
    told = browser.post("/api/answers", {"answers": given})
    assert told.status_code == 503
    assert "Make space" in told.json()["error"]
    assert session.snapshot.answers == ()
    assert session.store.answers() == []


def test_words_are_tried_before_they_are_kept(session: ReviewSession) -> None:
    browser = Browser(session, "ja")
    body = {"id": 2, "name": "dent", "prompt": "round red cat"}
    told = browser.post("/api/classes/preview", body).json()
    assert str(len(session.snapshot.view.rows)) in told["sentence"]
    assert session.snapshot.classes.stored[1].prompt == "dent"
    assert browser.post("/api/classes", {"action": "edit", **body}).json() == {"saved": True}
    assert session.snapshot.classes.stored[1].prompt == "round red cat"
    long = {"action": "edit", "id": 2, "name": "dent", "prompt": "long word " * 49}
    told = browser.post("/api/classes", long)
    assert told.status_code == 400
    assert browser.get("/").status_code == 200
    odd = b'{"action": "add", "name": "\\ud800"}'
    assert browser.post("/api/classes", odd).status_code == 400


def test_pictures_are_made_anew_and_a_changed_file_is_not_shown(
    parts: Place, session: ReviewSession, tmp_path: Path
) -> None:
    browser = Browser(session)
    row = session.snapshot.view.rows[0]
    for kind in ("thumb", "image"):
        told = browser.get(f"/{kind}/{row.sha256}")
        assert told.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(told.content)).size == (40, 36)
    other = session.snapshot.view.rows[1]
    place = parts.images / other.path
    kept = place.read_bytes()
    try:
        picture(999).save(place)
        told = browser.get(f"/image/{other.sha256}")
        assert (told.status_code, "no longer the file" in told.text) == (404, True)
        place.unlink()
        assert browser.get(f"/image/{other.sha256}").status_code == 404
        assert browser.get("/export/folders").status_code == 200
    finally:
        place.write_bytes(kept)


# -- hostile names ----------------------------------------------------------------------------------------------------

NAMES = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{7*7}}", "\u202egnp.esrever", "=cmd|' /C calc'!A1",
    "../../up", "CON", "</textarea><b>", "n" * 200, "con.txt",
)  # fmt: skip
FILES = (
    "<svg onload=alert(1)>.png", '"><img src=x onerror=alert(2)>.png', "{{7*7}}.png", "\u202egnp.png",
    "=cmd|' C calc'!A1.png", "aux.png", "y" * 200 + ".png", "'quoted' & \"double\".png", "改行\nなし.png",
    "a\\b.png", "<!--<script>.png",
)  # fmt: skip


@pytest.fixture(scope="session")
def hostile_run(
    tiny_clip: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    place = tmp_path_factory.mktemp("hostile")
    images = place / "images"
    images.mkdir()
    for n, name in enumerate(FILES):
        picture(n + 500, 20 * n).save(images / name)
    picture(777).save(images / "plain.png")
    with open(os.fsencode(images) + b"/bad \xff.png", "wb") as file:
        buffer = io.BytesIO()
        picture(888).save(buffer, "PNG")
        file.write(buffer.getvalue())
    names = place / "classes.csv"
    lines = [
        "name,prompt",
        *(f'"{name.replace(chr(34), chr(34) * 2)}",word {n}' for n, name in enumerate(NAMES)),
    ]
    names.write_text("\n".join(lines) + "\n", "utf-8")
    with quick(shared_cache):
        options = {"classes": names, "test": None, "rounds": 1, "k": 1}
        run(project(Place(place, {}), tiny_clip, place / "run", **options))
    return place / "run"


@pytest.fixture
def hostile(
    hostile_run: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ReviewSession]:
    folder = Path(shutil.copytree(hostile_run, tmp_path / "<b>run"))
    with open_review(folder, create=True) as store:
        yield ReviewSession(folder, store)


def test_hostile_names_are_shown_as_text(hostile: ReviewSession) -> None:
    assert len(hostile.snapshot.view.rows) == len(FILES) + 2
    for n in range(len(hostile.snapshot.view.rows)):
        answer(hostile, n, 1 + n % len(NAMES), "<i>Ito</i>")
        answer(hostile, n, 1 + (n + n % 2) % len(NAMES), "{{7*7}}")
    edits.edit(hostile, 2, NAMES[1] + "2", "</script><script>", "<i>Ito</i>")
    for language in LANGUAGES:
        browser = Browser(hostile, language)
        for path, page in pages(browser):
            tags = [tag for tag, _ in page.elements]
            assert not [t for t, a in page.elements if t == "i" and not a], path
            assert tags.count("script") <= 3
            assert "u" not in tags
            assert all(a.get("src") != "x" for t, a in page.elements if t == "img")
            assert "49" not in [text.strip() for text in page.texts]
        overview = Parsed(browser.get("/").text).shown()
        for name in (NAMES[0], NAMES[2], NAMES[4]):
            assert name in overview
        names = {
            one["name"]
            for queue in ("answered", "disagree")
            for one in browser.get(f"/api/next?queue={queue}&n=100").json()["images"]
        }
        assert names >= {name for name in FILES if "\n" not in name}
        assert any("\udcff" in name for name in names)
        for row in hostile.snapshot.view.rows:
            assert browser.get(f"/thumb/{row.sha256}").status_code == 200
    found = browser.post("/api/classes/preview", {"id": 1, "name": NAMES[0], "prompt": "<u>"})
    assert found.headers["content-type"] == "application/json"


def test_hostile_names_are_exported_safely(hostile: ReviewSession, tmp_path: Path) -> None:
    for n in range(len(hostile.snapshot.view.rows)):
        answer(hostile, n, 1 + n % len(NAMES), "=SUM(A1)")
    browser = Browser(hostile)
    for form in EXPORTS:
        told = browser.get(f"/export/{form}")
        assert told.status_code == 200
        assert told.headers["content-disposition"].startswith("attachment; filename=")
        if form.endswith(("csv", "labels", "history")):
            table = tmp_path / f"{form}.csv"
            table.write_bytes(told.content)
            for line in rows(table):
                for value in line.values():
                    assert value[:1] not in ("=", "@", "\t", "\r"), value
        elif form != "folders":
            json.loads(told.content)
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/export/folders").content))
    names = [name for name in archive.namelist() if name != "folders.csv"]
    assert len(names) == len(hostile.snapshot.view.rows)
    assert len({name.partition("/")[0] for name in names}) == len(NAMES)
    for name in names:
        assert safe_on_windows(name), name
    archive.extractall(tmp_path / "out")
    out = (tmp_path / "out").resolve()
    made = [
        path for path in tmp_path.rglob("*.png") if not path.is_relative_to(tmp_path / "<b>run")
    ]
    assert len(made) == len(names)
    assert all(path.resolve().is_relative_to(out) for path in made)


def safe_on_windows(path: str) -> bool:
    folder, _, name = path.partition("/")
    return all(
        part
        and not set(part) & set('<>:"/\\|?*')
        and part.isprintable()
        and part == part.strip(" .")
        and part.split(".")[0].casefold() not in ("con", "aux", "nul", "prn", "com1", "lpt1")
        and len(part.encode()) < 250
        for part in (folder, name)
    )


def test_no_two_classes_share_a_folder() -> None:
    names = [
        "a/b",
        "a_b",
        "A_B",
        "a?b",
        "..",
        ".",
        "NUL",
        "nul_",
        "猫",
        "x" * 300,
        "x" * 301,
        "a_b 2",
    ]
    found = folder_names(names)
    assert list(found) == names
    assert len({folder.casefold() for folder in found.values()}) == len(names)
    assert all(safe_on_windows(f"{folder}/x.png") for folder in found.values())
    assert found["猫"] == "猫"


def test_the_page_of_a_loading_round_says_so(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(session)
    answer(session, int(doubtful(session.snapshot)[0]), id_of(session, "dent"))
    done = next_round(session.folder)
    job.write(
        session.folder, job.Progress(**(asdict(job.Progress()) | {"state": "done", "round": 2}))
    )
    browser.get("/")
    until(lambda: browser.get("/api/rounds").json()["current"] == done.number)
    told = browser.get("/api/rounds").json()
    assert (told["current"], told["state"]) == (2, "done")
    assert np.isfinite(session.snapshot.view.confidence).all()
    told_by_labels = "Of 30 labels, each held out in turn, 87% are answered right."
    monkeypatch.setattr("clipgrip.review.web.pages.label_sentences", lambda *_: [told_by_labels])
    page = browser.get("/rounds").text
    assert page.count(told_by_labels) == 1, "beside what no audit has measured"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_audit_page_says_before_any_round_what_a_round_does_to_the_audit(
    session: ReviewSession, language: str
) -> None:
    sentence = Words("ja" if language == "ja" else "en")(AUDIT_RESET)
    browser = Browser(session, language)
    for path in ("/audit", "/rounds"):
        assert sentence in browser.get(path).text
    assert sentence not in browser.get("/one").text
