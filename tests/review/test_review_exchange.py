"""Labels out and in again, and what no file may do."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from projects import Place, rows
from review_helpers import Browser, answer, decided, truth

from clipgrip.errors import DataError
from clipgrip.review import classes as edits
from clipgrip.review.exchange import EXPORTS, IMPORTS, exported, imported
from clipgrip.review.queues import audit, doubtful
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.runs.watch.standing import Standing
from clipgrip.trust.terms import Terms

LABELS = {
    "csv": "csv",
    "labels": "csv",
    "folders": "folders",
    "label-studio": "label-studio",
    "coco": "coco",
    "fiftyone": "fiftyone",
}
"""Export -> the import that reads it."""


def written(session: ReviewSession, form: str) -> bytes:
    made = exported(session.snapshot, session.store, form)
    assert made.name
    assert made.media
    data = b"".join(made)
    assert len(data) == made.size
    return data


def label(session: ReviewSession, place: Place) -> dict[str, str]:
    """A review with every kind of state; the decided labels."""
    ids, looked = truth(session, place), doubtful(session.snapshot).tolist()
    for row in looked[:12]:
        answer(session, row, int(ids[row]))
    answer(session, looked[12], 1)
    answer(session, looked[12], 2, "Ito")
    answer(session, looked[13], None)
    answer(session, looked[14], None, verdict="ask")
    edits.edit(session, 1, 'キズ, "long"', "scratch", "Sato")
    edits.merge(session, 2, 4, "Sato")
    return decided(session)


@pytest.fixture
def second(session: ReviewSession, tmp_path: Path) -> Iterator[ReviewSession]:
    """A second review of the same run."""
    folder = Path(shutil.copytree(session.folder, tmp_path / "fresh"))
    (folder / "review.db").unlink()
    for part in ("-wal", "-shm"):
        (folder / f"review.db{part}").unlink(missing_ok=True)
    with open_review(folder, create=True) as store:
        yield ReviewSession(folder, store)


@pytest.fixture
def fresh(second: ReviewSession) -> ReviewSession:
    """The second review with the classes that the first has after `label`."""
    edits.edit(second, 1, 'キズ, "long"', "scratch", "Ito")
    edits.merge(second, 2, 4, "Ito")
    return second


@pytest.mark.parametrize("form", LABELS)
def test_what_goes_out_comes_in_as_the_same_labels(
    session: ReviewSession, fresh: ReviewSession, parts: Place, form: str
) -> None:
    labels = label(session, parts)
    told = imported(fresh, LABELS[form], written(session, form), "Ito")
    shown = {key: told[key] for key in ("answers", "problems", "more", "note")}
    assert shown == {
        "answers": len(labels) + 2,
        "problems": [],
        "more": 0,
        "note": "",
    }  # and the two that were given
    assert sum(line["n"] for line in told["table"] if line["kind"] == "taken") == told["answers"]
    found = decided(fresh)
    given = {
        row.path
        for n, row in enumerate(session.snapshot.view.rows)
        if session.snapshot.states.file_label[n] >= 0
    }
    assert {path: name for path, name in found.items() if path not in given} == labels
    assert {a.person for a in fresh.snapshot.answers} == {"Ito"}
    assert {a.purpose for a in fresh.snapshot.answers} == {"import"}
    assert all(a.seconds is None for a in fresh.snapshot.answers)
    again = imported(fresh, LABELS[form], written(session, form), "Ito")
    assert again["answers"] == 0


def test_what_the_model_decided_comes_back_as_nobodys_answer(
    session: ReviewSession, second: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = "clipgrip.review.exchange.content.asked_for"
    monkeypatch.setattr(promised, lambda _: Terms(0.9, 0.5))
    for row in audit(session.snapshot)[:16].tolist():
        answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")
    data = written(session, "csv")
    path = session.folder / "out.csv"
    path.write_bytes(data)
    lines = rows(path)
    model = [line for line in lines if line["decided_by"] == "model"]
    assert model
    assert all(line["label"] == line["model_label"] for line in model)
    imported(second, "csv", data, "Ito")
    assert len(decided(second)) == sum(line["decided_by"] in ("person", "file") for line in lines)
    monkeypatch.setattr("clipgrip.review.deciding.standing", lambda *_, **__: Standing())
    path.write_bytes(written(session, "csv"))
    assert {line["decided_by"] for line in rows(path)} <= {"person", "file", ""}


def test_class_folders_hold_the_bytes_of_the_files(session: ReviewSession, parts: Place) -> None:
    labels = label(session, parts)
    archive = zipfile.ZipFile(io.BytesIO(written(session, "folders")))
    pictures = [name for name in archive.namelist() if name != "folders.csv"]
    found = {name.partition("/")[2].partition("-")[2]: name for name in pictures}
    assert len(found) == len(labels) + 2
    for path in labels:
        name = found[PurePosixPath(path).name]
        assert archive.read(name) == (parts.images / path).read_bytes()
    assert {name.partition("/")[0] for name in pictures} <= {
        "キズ, _long_",
        "good part",
        "steel",
    }


def test_the_history_holds_every_key_press_also_those_taken_back(
    session: ReviewSession, parts: Place
) -> None:
    first = answer(session, 3, 2, seconds=2.5)
    session.undo(first.token, "Ito")
    answer(session, 3, None, "Abe", seconds=None)
    path = session.folder / "history.csv"
    path.write_bytes(written(session, "history"))
    one, two = rows(path)
    told = [one[key] for key in ("person", "class", "seconds", "taken_back_by")]
    assert told == ["Sato", "dent", "2.50", "Ito"]
    assert (two["person"], two["verdict"], two["class"], two["taken_back_by"]) == (
        "Abe",
        "unsure",
        "",
        "",
    )
    assert one["path"] == session.snapshot.view.rows[3].path


def test_labels_csv_begins_a_run_of_its_own(session: ReviewSession, parts: Place) -> None:
    label(session, parts)
    path = session.folder / "labels.csv"
    path.write_bytes(written(session, "labels"))
    assert {line["path"]: line["label"] for line in rows(path)}.items() >= decided(session).items()
    assert list(rows(path)[0]) == ["path", "label"]


def test_the_formats_hold_what_other_tools_read(session: ReviewSession, parts: Place) -> None:
    labels = label(session, parts)
    n = len(labels) + 2
    coco = json.loads(written(session, "coco"))
    assert {one["id"] for one in coco["categories"]} == {1, 2, 3}
    assert len(coco["images"]) == len(session.snapshot.view.rows)
    assert len(coco["annotations"]) == n
    assert {one["image_id"] for one in coco["annotations"]} <= {one["id"] for one in coco["images"]}
    studio = json.loads(written(session, "label-studio"))
    assert sum(len(task["annotations"]) for task in studio) == n
    assert all(task["predictions"][0]["result"][0]["value"]["choices"] for task in studio)
    fiftyone = json.loads(written(session, "fiftyone"))
    assert len(fiftyone["labels"]) == n
    assert fiftyone["labels"][str(PurePosixPath(next(iter(labels))).with_suffix(""))] in range(3)


def studio(path: str, name: str) -> bytes:
    value = {"choices": [name]}
    result = [{"from_name": "x", "to_name": "y", "type": "choices", "value": value}]
    return json.dumps([{"data": {"image": path}, "annotations": [{"result": result}]}]).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/data/upload/7/1a2b3c4d-{}", "/data/local-files/?d={}", "{}", "photos\\deep\\{}", "/somewhere/else/{}",
        "s3://bucket/{}",
    ],
)  # fmt: skip
def test_paths_as_label_studio_writes_them(session: ReviewSession, path: str) -> None:
    name = session.snapshot.view.rows[2].path
    told = imported(session, "label-studio", studio(path.format(name), "dent"), "Ito")
    assert (told["answers"], told["problems"]) == (1, [])
    assert decided(session) == {name: "dent"}


def test_what_cannot_be_used_is_listed_with_its_place(session: ReviewSession) -> None:
    name = session.snapshot.view.rows[2].path
    lines = [
        "path,label",
        "no.png,dent",
        f"{name},dnt",
        f"{name},-1",
        f"{name},",
        f"{name},dent",
        f"{name},steel",
    ]
    told = imported(session, "csv", "\n".join(lines).encode(), "Ito")
    assert told["answers"] == 0  # two different labels: neither is taken
    assert told["problems"] == [
        'the file line 2: no image "no.png" in this review',
        'the file line 3: unknown class "dnt". Did you mean "dent"?',
        f'the file line 7: "{name}" has two different labels',
    ]
    many = "path,label\n" + "no.png,dent\n" * 30
    told = imported(session, "csv", many.encode(), "Ito")
    assert (len(told["problems"]), told["more"]) == (20, 10)


def test_an_import_of_audited_images_leaves_them_in_the_audit(session: ReviewSession) -> None:
    row = int(audit(session.snapshot)[0])
    answer(session, row, 2, purpose="audit")
    name = session.snapshot.view.rows[row].path
    imported(session, "csv", f"path,label\n{name},steel\n".encode(), "Ito")
    opinion = session.snapshot.opinions.get(session.snapshot.view.rows[row].sha256)
    assert opinion is not None
    assert (opinion.state.word, opinion.audit) == ("disagree", True)


BROKEN: dict[str, list[Any]] = {
    "csv": [b"", b"\x81\xff\xfe\x00", b"a,b\n1,2\n", b'path,label\n"open', b"path,label\na,b,c,d\n", b"path\n"],
    "label-studio": [
        [1], ["x"], [{}], [{"data": 1}], [{"data": {}}], [{"data": {"image": 5}}],
        [{"data": {"image": "x"}, "annotations": "abc"}], [{"data": {"image": "x"}, "annotations": {"a": 1}}],
        [{"data": {"image": "x"}, "annotations": ["abc"]}], [{"data": {"image": "x"}, "annotations": [{"result": 5}]}],
        [{"data": {"image": "x"}, "annotations": [{"result": [{"value": {"choices": "dent"}}]}]}],
        [{"data": {"image": "x"}, "annotations": [{"result": [{"value": [1]}]}]}], {},
    ],
    "folders": [b"", b"PK", b"PK\x05\x06" + b"x" * 30, b"PK\x03\x04" + bytes(60)],
    "coco": [
        [], {}, {"images": [], "annotations": []}, {"images": 1, "annotations": [], "categories": []},
        {"images": ["x"], "annotations": [], "categories": []},
        {"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 1}],
         "categories": [{"id": 1, "name": "dent"}]},
        {"images": [], "annotations": [{"image_id": 1, "category_id": 1}], "categories": []},
        {"images": [{"id": []}], "annotations": [], "categories": []},
        {"images": [[]], "annotations": [1], "categories": [None]},
    ],
    "fiftyone": [[], {}, {"labels": []}, {"labels": {"x": [1]}}, {"labels": {"x": 1.5}},
        {"classes": ["a"], "labels": {"x": 5}},
    ],
}  # fmt: skip
NOT_JSON = [b"", b"{", b"\xff\xfe", b"[" * 100000, b'"x"', b"NaN", b"1e999", b"null"]


@pytest.mark.parametrize("form", BROKEN)
def test_a_file_of_another_kind_is_refused_with_a_sentence(
    session: ReviewSession, form: str
) -> None:
    values = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in BROKEN[form]]
    browser = Browser(session)
    for data in values + (NOT_JSON if form != "csv" else []):
        with pytest.raises(DataError) as error:
            imported(session, form, data, "Ito")
        assert str(error.value).endswith((".", "?")), data[:80]
        told = browser.post(f"/api/import/{form}", data)
        assert told.status_code == 400
        assert told.json()["error"] == str(error.value)
    assert session.snapshot.answers == ()


def test_odd_text_is_listed_and_never_breaks_the_answer(session: ReviewSession) -> None:
    told = Browser(session).post(
        "/api/import/fiftyone", b'{"labels": {"\\ud800": "dent", "x\\u0000": "<b>"}}'
    )
    assert told.status_code == 200
    assert len(told.json()["problems"]) == 2
    told = Browser(session).post(
        "/api/import/coco",
        json.dumps(
            {
                "images": [{"id": 1, "file_name": None, "sha256": []}],
                "annotations": [{"image_id": 1, "category_id": 1}],
                "categories": [{"id": 1, "name": []}],
            }
        ).encode(),
    )
    assert told.status_code == 200


def test_an_unknown_format_names_the_known_ones(session: ReviewSession) -> None:
    with pytest.raises(DataError, match=r"Known: csv.*Did you mean"):
        exported(session.snapshot, session.store, "cocoo")
    with pytest.raises(DataError, match="Known: csv"):
        imported(session, "xml", b"", "Ito")
    assert set(LABELS.values()) == set(IMPORTS)
    assert set(LABELS) < set(EXPORTS)
