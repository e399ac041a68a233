"""Files for other tools, read as those tools read them; and nothing is missing without a word."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import mimetypes
import os
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from projects import Place
from pycocotools.coco import COCO
from review_helpers import Browser, answer, placed, show

from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.data.portable import folder_names
from clipgrip.data.rows import Row
from clipgrip.data.sources import BytesSource, TarSource
from clipgrip.data.tables import csv_bytes, parse_csv
from clipgrip.errors import RunError
from clipgrip.review import classes as edits
from clipgrip.review.exchange import EXPORTS, Options, exported, imported
from clipgrip.review.exchange.archives import MISSING
from clipgrip.review.exchange.class_folders import file_name
from clipgrip.review.exchange.studio_tasks import labeling_config
from clipgrip.review.exchange.writers import is_typed
from clipgrip.review.exchange.written import OTHER, PACKED, UNTYPED
from clipgrip.review.session import ReviewSession
from clipgrip.words import Words


def written(session: ReviewSession, form: str, **options: Any) -> bytes:
    return b"".join(exported(session.snapshot, session.store, form, Options(**options)))


# -- COCO -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def coco(session: ReviewSession, tmp_path: Path) -> COCO:
    for row in range(6):
        answer(session, row, 2)
    path = tmp_path / "coco.json"
    path.write_bytes(written(session, "coco"))
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def picture_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
def test_pycocotools_reads_all_of_coco(session: ReviewSession, coco: COCO, parts: Place) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        coco.info()
    labeled = 6 + int((session.snapshot.states.file_label >= 0).sum())
    assert len(coco.getAnnIds(areaRng=[1, 1e9])) == len(coco.getAnnIds(iscrowd=False)) == labeled
    assert len(coco.getImgIds()) == len(session.snapshot.view.rows)
    assert {one["name"] for one in coco.loadCats(coco.getCatIds())} == set(
        session.snapshot.classes.names.values()
    )
    for one in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(one["image_id"])[0]
        size = (image["width"], image["height"])
        assert size == picture_size(parts.images / image["file_name"])
        assert one["bbox"] == [0, 0, *size]
        assert coco.annToMask(one).sum() == one["area"] == size[0] * size[1]
    for key in ("info", "licenses", "images", "annotations", "categories"):
        assert key in coco.dataset


def test_sizes_are_those_that_people_see(session: ReviewSession, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    out = io.BytesIO()
    Image.new("RGB", (40, 20)).save(out, "JPEG", exif=exif)
    rows = list(session.snapshot.view.rows)
    content = hashlib.sha256(out.getvalue()).hexdigest()
    rows[0] = replace(rows[0], source=BytesSource(out.getvalue()), sha256=content)
    show(session, rows)
    images = json.loads(written(session, "coco"))["images"]
    turned = next(one for one in images if one["file_name"] == rows[0].path)
    assert (turned["width"], turned["height"]) == (20, 40)


# -- FiftyOne ---------------------------------------------------------------------------------------------------------


def fiftyone_reads(folder: Path, labels: dict[str, Any]) -> dict[str, str]:
    """Path -> label as FiftyOne 1.22.1 reads it: keys are paths without ending, dot files are not listed, and one file
    whose ending is not that of an image refuses them all."""
    keys = {}
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            if not name.startswith("."):
                path = os.path.relpath(os.path.join(root, name), folder)
                keys[os.path.splitext(path)[0]] = path
    found = {keys[key]: labels["classes"][label] for key, label in labels["labels"].items()}
    assert all((mimetypes.guess_type(path)[0] or "").startswith("image/") for path in found)
    return found


def test_fiftyone_reads_every_key_and_no_label_goes_to_another_image(
    session: ReviewSession, tmp_path: Path
) -> None:
    names = (
        "a.png",
        "a.bmp",
        "photo.",
        "no ending",
        "v1.2.final.png",
        "sub/b.png",
        ".hidden.png",
        "tar.gz.png",
        "é/ü.png",
    )
    placed(session, tmp_path / "data", *names)
    labels = json.loads(written(session, "fiftyone"))
    ours = {row.path: row for row in session.snapshot.view.rows if row.path in names}
    keys = {os.path.splitext(name)[0] for name in names}  # the other images are in another folder
    labels["labels"] = {key: value for key, value in labels["labels"].items() if key in keys}
    found = fiftyone_reads(tmp_path / "data", labels)
    assert set(found) == {
        "v1.2.final.png",
        "sub/b.png",
        "tar.gz.png",
        "é/ü.png",
    }
    for path, label in found.items():
        assert (
            label
            == session.snapshot.classes.names[
                int(session.snapshot.states.klass[session.snapshot.row(ours[path].sha256)])
            ]
        )
    left = {one["path"]: one["why"] for one in labels["left_out"]}
    assert set(left) == {"a.png", "a.bmp", ".hidden.png", "photo.", "no ending"}
    assert left["photo."] == left["no ending"] == UNTYPED


def test_webp_is_an_image_where_the_system_names_no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    strictly, common = {".png": "image/png"}, {".webp": "image/webp"}  # as Python 3.11 alone has it

    def guessed(path: str, strict: bool = True) -> tuple[str | None, None]:
        ending = os.path.splitext(path)[1]
        return strictly.get(ending) or (None if strict else common.get(ending)), None

    monkeypatch.setattr(mimetypes, "guess_type", guessed)
    assert is_typed("sub/a.webp")
    assert is_typed("a.png")
    assert not is_typed("photo.")


def test_what_keeps_fiftyone_from_reading_coco_is_said_and_stays_for_other_readers(
    session: ReviewSession, tmp_path: Path
) -> None:
    placed(session, tmp_path / "data", "no ending", "b.PNG")
    export = exported(session.snapshot, session.store, "coco")
    images = json.loads(b"".join(export))["images"]
    assert {"no ending", "b.PNG"} <= {one["file_name"] for one in images}
    note = export.written.summary(Words("en"))["note"]
    assert note.startswith("FiftyOne reads nothing")
    assert ": no ending. " in note


def test_a_twin_that_nobody_answered_takes_no_label_either(
    session: ReviewSession, tmp_path: Path
) -> None:
    placed(session, tmp_path / "data", "a.png")
    rows = list(session.snapshot.view.rows)
    rows[1] = replace(rows[1], paths=("a.jpg",))
    show(session, rows)
    labels = json.loads(written(session, "fiftyone"))
    assert "a" not in labels["labels"]
    assert [one["path"] for one in labels["left_out"]] == ["a.png"]


# -- class folders ----------------------------------------------------------------------------------------------------

SEP = "[-._ 0-9]"
KEYWORDS = "train|training|validation|valid|dev|val|test|testing|eval|evaluation"


def splits_of(path: str) -> list[str]:
    """What ``imagefolder`` of Hugging Face datasets takes for names of splits."""
    *folders, name = path.split("/")
    found = [one for one in folders if re.fullmatch(f"(.*{SEP})?({KEYWORDS})({SEP}.*)?", one)]
    return found + ([name] if re.fullmatch(f"(.*{SEP})?({KEYWORDS}){SEP}.*", name) else [])


def test_every_image_of_the_zip_is_one_for_imagefolder(
    session: ReviewSession, tmp_path: Path
) -> None:
    names = (
        "no ending",
        "photo.",
        "a.dat",
        "UP.PNG",
        "test_01.png",
        "my-val.png",
        "x train 3.png",
        "v1.2.final",
        "contest.png",
    )
    edits.edit(session, 1, "test", "scratch", "Ito")
    edits.edit(session, 2, "dev 2", "dent", "Ito")
    placed(session, tmp_path / "data", *names)
    archive = zipfile.ZipFile(io.BytesIO(written(session, "folders")))
    table = archive.read("folders.csv").decode("utf-8-sig").splitlines()
    assert {"folder,class", "test~,test", "dev~ 2,dev 2"} <= set(table)
    pictures = [path for path in archive.namelist() if path != "folders.csv"]
    assert len(pictures) == len(names) + int((session.snapshot.states.file_label >= 0).sum())
    for path in pictures:
        assert os.path.splitext(path)[1].lower() == ".png"
        assert splits_of(path) == []
    assert {path.rpartition("-")[2] for path in pictures} >= {
        "contest.png",
        "x train~ 3.png",
    }
    assert {path.split("/")[0] for path in pictures} >= {"test~", "dev~ 2"}


def test_folders_renamed_for_readers_come_back_as_their_classes(session: ReviewSession) -> None:
    answer(session, 0, 1)
    edits.edit(session, 1, "test", "scratch", "Ito")
    told = imported(session, "folders", written(session, "folders"), "Abe")
    assert (told["problems"], told["answers"]) == (
        [],
        1 + int((session.snapshot.states.file_label >= 0).sum()),
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000"])
def test_the_ending_is_that_of_the_format_where_the_name_has_none(form: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, form)
    row = Row("0" * 64, ("a/photo",), -1, "pool", BytesSource(b""))
    stem, ending = os.path.splitext(file_name(row, out.getvalue()))
    Image.init()
    assert (stem, Image.EXTENSION[ending]) == ("000000000000-photo", form)
    named = replace(row, paths=("a/photo.JPG",))
    assert file_name(named, out.getvalue()) == "000000000000-photo.JPG"


@pytest.mark.parametrize(("brand", "ending"), [(b"avif", ".avif"), (b"heic", ".heic")])
def test_the_ending_of_what_a_phone_writes_is_that_of_any_of_its_brands(
    brand: bytes, ending: str
) -> None:
    row = Row("0" * 64, ("IMG_0001",), -1, "pool", BytesSource(b""))
    for brands in (brand, b"mif1\0\0\0\0mif1" + brand):
        head = (8 + len(brands)).to_bytes(4) + b"ftyp" + brands
        assert file_name(row, head) == f"000000000000-IMG_0001{ending}"
    named = replace(row, paths=("IMG_0001.HIF",))
    assert file_name(named, head) == "000000000000-IMG_0001.HIF"


def test_two_classes_never_share_a_folder() -> None:
    made = folder_names(["test", "test~", "TEST", "a/b", "a?b", "train 1"])
    assert len({name.casefold() for name in made.values()}) == 6


# -- Label Studio -----------------------------------------------------------------------------------------------------


def test_tasks_carry_a_picture_that_can_be_shown(session: ReviewSession) -> None:
    tasks = json.loads(written(session, "label-studio"))
    assert len(tasks) == len(session.snapshot.view.rows)
    for task in tasks:
        kind, _, data = task["data"]["image"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 320


@pytest.mark.parametrize(
    ("prefix", "below"), [("images", "images/"), (".", ""), ("", ""), ("\\a b\\c/", "a b/c/")]
)
def test_tasks_may_name_local_files_of_label_studio(
    session: ReviewSession, tmp_path: Path, prefix: str, below: str
) -> None:
    placed(session, tmp_path, "傷 1+2%.png")
    tasks = json.loads(written(session, "label-studio", prefix=prefix))
    address = next(t["data"]["image"] for t in tasks if t["data"]["path"] == "傷 1+2%.png")
    assert address.isascii()
    assert parse_qs(urlsplit(address).query)["d"] == [below + "傷 1+2%.png"]
    told = imported(session, "label-studio", json.dumps(tasks).encode(), "Abe")
    assert told["problems"] == []


def test_the_labeling_interface_has_the_names_of_the_tasks(session: ReviewSession) -> None:
    config = labeling_config(['a "b" <c>', "dent"])
    assert '<Choice value="dent"/>' in config
    assert "&lt;c&gt;" in config
    result = json.loads(written(session, "label-studio"))[0]["predictions"][0]["result"][0]
    assert f'<Choices name="{result["from_name"]}" toName="{result["to_name"]}"' in config
    assert (
        "labeling" not in Browser(session).get("/files").text.partition('<pre id="config">')[2][:20]
    )
    assert "&lt;Choices" in Browser(session, "ja").get("/files").text


# -- what is missing --------------------------------------------------------------------------------------------------


@pytest.fixture
def gone(session: ReviewSession, parts: Place, tmp_path: Path) -> tuple[str, str]:
    """Two answered images: the file of one is gone, that of the other is another one by now."""
    names = ("gone.png", "changed.png", "here.png")
    placed(session, tmp_path / "data", *names)
    (tmp_path / "data" / "gone.png").unlink()
    Image.new("RGB", (9, 9)).save(tmp_path / "data" / "changed.png")
    return names[0], names[1]


def test_the_zip_says_what_is_missing_in_the_readers_language(
    session: ReviewSession, gone: tuple[str, str]
) -> None:
    made = exported(session.snapshot, session.store, "folders", Options(say=Words("ja")))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(made)))
    lines = archive.read(MISSING).decode("utf-8-sig").splitlines()
    assert "人のラベルがある画像は" in lines[0]
    assert all("image file" not in line for line in lines)


def test_the_zip_says_what_is_missing_in_it(session: ReviewSession, gone: tuple[str, str]) -> None:
    made = exported(session.snapshot, session.store, "folders")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(made)))
    text = archive.read(MISSING).decode("utf-8-sig")
    assert "gone.png: the image file is gone" in text
    assert "changed.png: the image file is another one by now" in text
    assert len(archive.namelist()) == made.written.labels + 1
    assert [path for path, _ in made.written.left] == ["changed.png", "gone.png"]
    told = imported(
        session, "folders", b"".join(exported(session.snapshot, session.store, "folders")), "Abe"
    )
    assert told["problems"] == []


def test_no_form_leaves_out_without_a_word(session: ReviewSession, gone: tuple[str, str]) -> None:
    browser = Browser(session)
    for form in EXPORTS:
        got = browser.get(f"/export/{form}?ticket={form}")
        assert got.headers["x-clipgrip-images"] == str(len(session.snapshot.view.rows))
        told = browser.get(f"/api/exported/{form}").json()
        left = [name for line in told["table"] for name in line["first"]]
        assert ("gone.png" in left) == (form in ("folders", "label-studio", "coco", "fiftyone"))
        assert int(got.headers["x-clipgrip-left-out"]) == sum(line["n"] for line in told["table"])
        if form in ("coco", "fiftyone"):
            assert b"the image file is gone" in got.content
    assert browser.get("/api/exported/never").json() == {"ready": False}
    ja = Browser(session, "ja")
    ja.get("/export/coco?ticket=x")
    texts = [line["text"] for line in ja.get("/api/exported/x").json()["table"]]
    assert "画像ファイルがない" in texts


def test_tables_keep_the_label_of_an_image_that_is_gone(
    session: ReviewSession, gone: tuple[str, str]
) -> None:
    table = parse_csv(written(session, "csv").decode("utf-8-sig"), "csv")
    lines = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert len(lines) == len(session.snapshot.view.rows)
    assert lines["gone.png"]["file"] == "missing"
    assert lines["gone.png"]["label"]
    assert lines["here.png"]["file"] == ""
    assert "gone.png" in written(session, "labels").decode()


def test_images_that_no_round_can_read_are_counted_on_every_page(
    session: ReviewSession, parts: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = session.snapshot.view.rows
    answer(session, 0, 2)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "empty cache"))
    files = [parts.images / row.path for row in rows[:3]]
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        session.load()
        assert [row.sha256 for row in session.snapshot.round.missing] == [
            row.sha256 for row in rows[:3]
        ]
        for language in ("en", "ja"):
            browser = Browser(session, language)
            for page in ("/", "/files", "/classes", "/rounds", "/review", "/one", "/audit"):
                text = browser.get(page).text
                assert re.search(rf"(3 of the {len(rows)} images|{len(rows)}枚のうち3枚)", text), (
                    page
                )
        table = parse_csv(written(session, "csv").decode("utf-8-sig"), "csv")
        lines = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
        assert len(lines) == len(rows)
        told = lines[rows[0].path]
        assert (told["label"], told["decided_by"], told["file"]) == ("dent", "person", "missing")
        made = exported(session.snapshot, session.store, "folders")
        assert b"".join(made)
        assert rows[0].path in dict(made.written.left)
        assert rows[0].path.encode() in written(session, "history")
        again = imported(session, "csv", f"path,label\n{rows[1].path},dent\n".encode(), "Abe")
        assert (again["answers"], again["table"][0]["reason"]) == (0, "elsewhere")
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)


# -- whole or not at all ----------------------------------------------------------------------------------------------


def during(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> None:
    """Let something happen after the review was looked at and before the file is written."""
    from clipgrip.review.exchange import exporting

    whole = exporting.export_content

    def then(*args: Any, **more: Any) -> Any:
        shot = whole(*args, **more)
        act()
        return shot

    monkeypatch.setattr(exporting, "export_content", then)


@pytest.mark.parametrize("form", EXPORTS)
def test_an_export_is_of_one_moment(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for row in range(8):
        answer(session, row, 2)
    before = written(session, form)
    during(session, monkeypatch, lambda: edits.merge(session, 2, 4, "Ito"))
    cut = re.compile(rb'"date_created": "[^"]*"')
    after = written(session, form)
    if form != "folders":
        assert cut.sub(b"", after) == cut.sub(b"", before)
    else:
        assert (
            zipfile.ZipFile(io.BytesIO(after)).namelist()
            == zipfile.ZipFile(io.BytesIO(before)).namelist()
        )


def test_classes_that_change_all_the_time_break_no_export(session: ReviewSession) -> None:
    for row in range(8):
        answer(session, row, 2)
    stop, errors = threading.Event(), []

    def rename() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            edits.edit(session, 2, f"dent {n}", f"dent {n}", "Ito")

    thread = threading.Thread(target=rename)
    thread.start()
    try:
        for _ in range(3):
            for form in EXPORTS:
                try:
                    written(session, form)
                except Exception as error:
                    errors.append((form, error))
    finally:
        stop.set()
        thread.join()
    assert errors == []


def test_a_full_disk_is_a_refusal_and_never_half_a_file(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(RunError, match=r"labels\.csv cannot be written.*No space left"):
        exported(session.snapshot, session.store, "labels")
    browser = Browser(session)
    assert browser.get("/export/labels?ticket=a").status_code == 409
    assert "No space left" in browser.get("/api/exported/a").json()["error"]


# -- cells that a spreadsheet would run -------------------------------------------------------------------------------


@pytest.mark.parametrize("first", "=+-@\t\r\n＝＋－＠﹦﹢﹣﹫")
def test_no_cell_begins_like_a_formula_in_any_width(first: str) -> None:
    cell = f"{first}cmd|' /C calc'!A1"
    data = csv_bytes(("path", "label"), [(cell, "x")])
    text = data.decode("utf-8-sig")
    assert f"'{first}cmd" in text
    assert parse_csv(text, "t").rows[0][0] == cell


# -- images that are no files of their own, and clocks that nobody set -------------------------------------------------


@pytest.fixture
def packed(session: ReviewSession, tmp_path: Path) -> str:
    """The path of an image that lies in a tar and is answered, as another is that lies in a file."""
    first, *rows = session.snapshot.view.rows
    data = first.source.read()
    (tmp_path / "some.tar").write_bytes(data)
    source = TarSource(str(tmp_path / "some.tar"), 0, len(data))
    show(session, [replace(first, paths=("some.tar/a.png",), source=source), *rows])
    for row in range(4):
        answer(session, row, 2)
    return "some.tar/a.png"


def test_no_reader_is_sent_to_a_file_that_is_within_another(
    session: ReviewSession, packed: str
) -> None:
    labels = json.loads(written(session, "fiftyone"))
    assert "some.tar/a" not in labels["labels"]
    assert labels["left_out"] == [{"path": packed, "why": PACKED}]
    tasks = json.loads(written(session, "label-studio", prefix="parts"))
    assert packed not in [task["data"]["path"] for task in tasks]
    tasks = json.loads(written(session, "label-studio"))
    assert packed in [task["data"]["path"] for task in tasks]
    made = exported(session.snapshot, session.store, "coco", Options())
    assert packed in [one["file_name"] for one in json.loads(b"".join(made))["images"]]
    assert packed in made.written.summary(Words("en"))["note"]


@pytest.mark.parametrize("now", [0.0, 5e9])
def test_class_folders_are_packed_on_a_clock_that_zip_knows_no_date_for(
    session: ReviewSession, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(session, 0, 2)
    usual, localtime = written(session, "folders"), time.localtime
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "localtime", lambda at=now: localtime(at))
    assert written(session, "folders") == usual


def test_no_label_goes_to_the_picture_that_took_the_place_of_another(
    session: ReviewSession, tmp_path: Path
) -> None:
    placed(session, tmp_path, "a.png", "b.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes())
    labels = json.loads(written(session, "fiftyone"))
    assert {"path": "a.png", "why": OTHER} in labels["left_out"]
    assert "a" not in labels["labels"]
    assert "b" in labels["labels"]
    made = exported(session.snapshot, session.store, "label-studio", Options("parts"))
    assert b"b.png" in b"".join(made)
    assert ("a.png", OTHER) in made.written.left
