"""Files of other tools as they really are: whose answer, for which image, and what is said of the rest."""

from __future__ import annotations

import base64
import io
import json
import struct
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from projects import Place
from review_helpers import Browser, answer, decided, id_of

from clipgrip.data.rows import Row
from clipgrip.data.sources import BytesSource
from clipgrip.errors import DataError
from clipgrip.review import classes as edits
from clipgrip.review.exchange import claims, imported
from clipgrip.review.exchange.finding import Finder
from clipgrip.review.session import ReviewSession


def bring(session: ReviewSession, form: str, value: Any, person: str = "Ito") -> dict[str, Any]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return imported(session, form, data, person)


def reasons(told: dict[str, Any]) -> dict[str, int]:
    """Why entries were left out -> how many."""
    return {line["reason"]: line["n"] for line in told["table"] if line["kind"] == "left"}


def how(told: dict[str, Any]) -> dict[str, int]:
    return {line["reason"]: line["n"] for line in told["table"] if line["kind"] == "taken"}


# -- which image is meant ---------------------------------------------------------------------------------------------


def finder(*paths: str) -> Finder:
    """A finder of images whose content hash is their path."""
    return Finder(Row(path, (path,), -1, "pool", BytesSource(b"")) for path in paths)


NAMES = (
    "cap é 01.png",
    "a+b.png",
    "100%.png",
    "n01.png",
    "sub/n15.png",
    "傷 1.png",
    "v1.2.final.png",
    "no ending",
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/data/local-files/?d=cap%20%C3%A9%2001.png", "cap é 01.png"),
        ("/data/local-files/?d=images/100%25.png", "100%.png"),
        ("/data/local-files/?d=a%2Bb.png", "a+b.png"),
        ("/data/local-files/?d=C%3A%5Cimages%5Csub%5Cn15.png", "sub/n15.png"),
        ("http://localhost:8080/data/local-files/?d=images/n01.png", "n01.png"),
        ("/data/upload/3/1a2b3c4d-n01.png", "n01.png"),
        ("http://localhost:8080/data/upload/3/1a2b3c4d-n01.png", "n01.png"),
        ("/label-studio/data/upload/3/1a2b3c4d-n01.png", "n01.png"),
        ("/data/upload/3/1a2b3c4d-cap%20%C3%A9%2001.png", "cap é 01.png"),
        ("/data/upload/2/9d6c486e-cap_%C3%A9_01.png", "cap é 01.png"),
        ("/data/upload/2/119cfef9-ab.png", "a+b.png"),
        ("/data/upload/2/119cfef9-100.png", "100%.png"),
        ("https://bucket.example/d/n01.png?X-Amz-Signature=ab&X-Amz-Date=2", "n01.png"),
        ("https://host/x/%E5%82%B7%201.png#frag", "傷 1.png"),
        ("s3://bucket/deep/sub/n15.png", "sub/n15.png"),
        ("gs://bucket/n01.png", "n01.png"),
        ("azure-blob://box/n01.png", "n01.png"),
        ("file:///C:/images/sub/n15.png", "sub/n15.png"),
        ("C:\\images\\sub\\n15.png", "sub/n15.png"),
        ("cap e\u0301 01.png", "cap é 01.png"),
        ("v1.2.final", "v1.2.final.png"),
        ("photos/n01", "n01.png"),
        ("no ending", "no ending"),
        ("n01_png.rf.0123456789abcdef0123456789abcdef.jpg", "n01.png"),
        ("cap-01_png.rf.AbCdEfGh0123456789ab.jpg", None),
        ("a-b_png.rf.AbCdEfGh0123456789ab.jpg", "a+b.png"),
        ("deadbeef-n01.png", None),
        ("s3://bucket/deadbeef-n01.png", None),
        ("good-n01.png", None),
        ("/data/upload/good-n01.png", None),
        ("http://[::1/n01.png", "n01.png"),
        ("?d=", None),
        ("", None),
        ("%", None),
    ],
)  # fmt: skip
def test_a_path_is_read_as_the_tool_wrote_it(written: str, meant: str | None) -> None:
    assert finder(*NAMES).find(written).image == meant


def test_an_address_in_a_bucket_is_read_out_of_base64() -> None:
    coded = base64.urlsafe_b64encode(b"s3://bucket/sub/n15.png").decode().rstrip("=")
    for path in (f"/tasks/5/resolve/?fileuri={coded}", f"/tasks/5/presign/?fileuri={coded}"):
        assert finder(*NAMES).find(path).image == "sub/n15.png"


def test_the_whole_name_goes_before_one_that_is_cut() -> None:
    both = finder("good-part.png", "part.png", "1a2b3c4d-part.png")
    assert both.find("/data/upload/good-part.png").image == "good-part.png"
    assert both.find("/data/upload/7/1a2b3c4d-part.png").image == "1a2b3c4d-part.png"
    assert both.find("/data/upload/7/00000000-part.png").image == "part.png"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("x/a.png", "x/a.png"),
        ("images/x/a.png", "x/a.png"),
        ("a.png", None),
        ("z/a.png", None),
        ("/data/upload/3/1a2b3c4d-a.png", None),
        ("https://host/a.png", None),
        ("a", None),
        ("x/a", "x/a.png"),
        ("b.png", "b.png"),  # the exact path
        ("https://host/b.png", None),
        ("/data/upload/3/b.png", None),
        ("c", None),
    ],
)
def test_a_name_that_two_images_have_means_neither(written: str, meant: str | None) -> None:
    place = finder("x/a.png", "y/a.png", "b.png", "x/b.png", "c.png", "c.bmp").find(written)
    assert place.image == meant
    assert place.ambiguous == (meant is None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("P0.PNG", "p0.png"),
        ("LOT/p1.png", "lot/P1.png"),
        ("https://host/P0.png?sig=1", "p0.png"),
        ("a.PNG", None),  # two are called so
        ("p0.jpg", None),
    ],
)
def test_a_name_in_other_upper_and_lower_case_is_found_and_said(
    written: str, meant: str | None
) -> None:
    place = finder("p0.png", "lot/P1.png", "x/a.png", "x/A.png").find(written)
    assert place.image == meant
    if meant is not None:
        assert place.how == "case"
    assert finder("a.png", "A.png").find("A.png").how == "path"


def test_two_names_of_a_file_that_differ_in_case_alone_are_two_images(
    session: ReviewSession,
) -> None:
    """Of which one is not here: its label goes to no other."""
    name, other = (row.path for row in session.snapshot.view.rows[:2])
    lines = (f"{name.upper()},dent", f"{name},steel", f"{other.upper()},dent")
    told = bring(session, "csv", "\n".join(("path,label", *lines)).encode())
    assert (how(told), reasons(told)) == ({"path": 1, "case": 1}, {"no-image": 1})
    assert decided(session) == {name: "steel", other: "dent"}


def test_names_of_our_own_class_folders_come_back_from_other_tools(session: ReviewSession) -> None:
    row = session.snapshot.view.rows[3]
    exported = f"{row.sha256[:12]}-another name.jpg"
    for path in (f"dent/{exported}", f"/data/upload/2/1a2b3c4d-{exported.replace(' ', '_')}"):
        assert Finder(session.snapshot.view.rows).find(path).image == row.sha256
    assert Finder(session.snapshot.view.rows).find(f"dent/{'0' * 12}-{row.path}").image is None


def test_two_names_that_label_studio_makes_one_mean_neither() -> None:
    both = finder("a+b.png", "ab.png")
    assert both.find("/data/upload/2/119cfef9-ab.png").ambiguous
    assert both.find("/data/local-files/?d=ab.png").image == "ab.png"


def test_a_percent_code_that_two_names_may_mean_means_neither() -> None:
    both = finder("100%.png", "100%25.png")
    assert both.find("/data/local-files/?d=100%25.png").ambiguous
    assert both.find("100%25.png").image == "100%25.png"


def test_the_label_of_a_test_image_goes_to_no_image_under_review(
    session: ReviewSession, parts: Place
) -> None:
    name = sorted(parts.test_paths)[0]
    told = bring(session, "csv", f"path,label\n{name},dent\n".encode())
    assert (told["answers"], reasons(told)) == (0, {"elsewhere": 1})


# -- Label Studio -----------------------------------------------------------------------------------------------------


def choice(label: str | list[str], question: str = "class", **more: Any) -> dict[str, Any]:
    labels = [label] if isinstance(label, str) else label
    return {
        "from_name": question,
        "to_name": "image",
        "type": "choices",
        "value": {"choices": labels, **more},
    }


def task(path: str, *annotations: Any, **more: Any) -> dict[str, Any]:
    listed = [one if isinstance(one, dict) else {"result": one} for one in annotations]
    return {"id": 1, "data": {"image": path}, "annotations": listed, **more}


def paths(session: ReviewSession) -> list[str]:
    return [row.path for row in session.snapshot.view.rows]


def test_a_skipped_annotation_is_no_answer_and_said(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    skipped = {"was_cancelled": True, "result": [choice("dent")]}
    told = bring(session, "label-studio", [task(a, skipped), task(b, skipped, [choice("steel")])])
    assert (told["answers"], reasons(told)) == (1, {"skipped": 2})
    assert decided(session) == {b: "steel"}
    assert told["table"][-1]["first"] == [a, b]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"annotations": [{"result": [choice("dent")]}, {"result": [choice("steel")]}]}, "disagree"),
        ({"annotations": [{"result": [choice(["dent", "steel"])]}]}, "ticks"),
        ({"annotations": [{"result": [choice(["dent", "blurred"])]}]}, "ticks"),
        ({"annotations": [{"result": [choice(["dent", "steel"])]}, {"result": [choice("dent")]}]}, "ticks"),
        ({"annotations": [{"result": [choice("dent", "before"), choice("steel")]}]}, "questions"),
        ({"annotations": [{"result": [choice("steel", "before"), choice("steel")]}]}, "questions"),
        ({"annotations": [{"result": [choice("dent")]}, {"result": [choice("rust")]}]}, "class"),
        ({"annotations": [{"result": [choice("dent", x=1, y=1, width=9, height=9)]}]}, "kind"),
        ({"annotations": [{"result": [{"type": "taxonomy", "value": {"taxonomy": [["metal", "dent"]]}}]}]}, "kind"),
        ({"annotations": [{"result": [{"type": "rectanglelabels", "value": {"rectanglelabels": ["dent"]}}]}]}, "kind"),
        ({"completions": [{"result": [choice("dent")]}]}, "kind"),
        ({"annotations": [], "predictions": [{"result": [choice("dent")]}]}, "no-label"),
        ({"annotations": [], "drafts": [{"result": [choice("dent")]}]}, "draft"),
        ({"annotations": [{"result": []}]}, "no-label"),
        ({"annotations": [{"result": [choice([])]}]}, "no-label"),
    ],
)  # fmt: skip
def test_what_is_no_answer_to_one_question_is_left_out_and_said(
    session: ReviewSession, made: dict[str, Any], reason: str
) -> None:
    told = bring(session, "label-studio", [{"data": {"image": paths(session)[0]}, **made}])
    assert told["answers"] == 0
    assert decided(session) == {}
    assert reasons(told) == {reason: 1} or (reason == "questions" and reasons(told) == {reason: 2})
    assert told["table"][-1]["text"]


def test_two_people_who_agree_give_one_answer(session: ReviewSession) -> None:
    a = paths(session)[0]
    told = bring(session, "label-studio", [task(a, [choice("dent")], [choice("dent")])])
    assert (told["answers"], reasons(told)) == (1, {})


def test_another_question_beside_the_class_is_left_out(session: ReviewSession) -> None:
    a, b, c, *_ = paths(session)
    made = [
        task(a, [choice("bright", "light"), choice("dent")]),
        task(b, [choice("steel"), choice("dark", "light")]),
        task(c, [choice("dark", "light")]),
    ]
    told = bring(session, "label-studio", made)
    assert decided(session) == {a: "dent", b: "steel"}
    assert reasons(told) == {"other": 3}
    assert told["problems"] == []


def test_one_broken_task_refuses_only_itself(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    odd: list[Any] = [
        task(a, [choice("dent")]),
        7,
        {"data": {}},
        task(b, {"result": 5}, [choice("steel")]),
    ]
    told = bring(session, "label-studio", odd)
    assert decided(session) == {a: "dent", b: "steel"}
    assert reasons(told) == {"malformed": 3}


def test_an_image_under_another_key_is_found(session: ReviewSession) -> None:
    a = paths(session)[0]
    made = {
        "data": {"foto": f"/data/upload/1/1a2b3c4d-{a}", "line": "B"},
        "annotations": [{"result": [choice("dent")]}],
    }
    assert bring(session, "label-studio", [made])["answers"] == 1


def test_json_min_csv_and_tsv_of_label_studio_are_read(session: ReviewSession) -> None:
    a, b, c, d, *_ = paths(session)
    facts = {
        "annotator": 1,
        "annotation_id": 2,
        "created_at": "2026",
        "updated_at": "2026",
        "lead_time": 1.5,
    }
    rows = [
        {
            "image": f"/data/upload/1/1a2b3c4d-{a}",
            "id": 1,
            "class": "dent",
            "light": "dark",
            **facts,
        },
        {"image": b, "id": 2, "class": {"choices": ["dent", "steel"]}, **facts},
        {"image": c, "id": 3, "class": "dent", **facts},
        {"image": c, "id": 3, "class": "steel", **facts},
        {"image": d, "id": 4, "boxes": [{"x": 1, "rectanglelabels": ["dent"]}], **facts},
    ]
    told = bring(session, "label-studio", rows)
    assert decided(session) == {a: "dent"}
    assert reasons(told) == {"ticks": 1, "disagree": 1, "kind": 1, "other": 1}
    for form, mark in (("label-studio", ","), ("csv", ","), ("label-studio", "\t"), ("csv", "\t")):
        lines = [
            mark.join(("image", "id", "choice", "annotator", "annotation_id", "created_at")),
            mark.join((f"/data/upload/1/1a2b3c4d-{b}", "1", "steel", "1", "1", "2026")),
            mark.join((c, "2", '"{""choices"": [""dent"", ""steel""]}"', "1", "2", "2026")),
            mark.join((d, "3", "", "1", "3", "2026")),
        ]
        told = bring(session, form, "\n".join(lines).encode(), f"Abe {form} {mark}")
        assert (told["answers"], reasons(told)) == (1, {"ticks": 1, "no-label": 1})


def test_a_column_of_the_tasks_own_data_is_no_answer(session: ReviewSession) -> None:
    a, b, c, *_ = paths(session)
    given = {"annotator": 1, "annotation_id": 5, "created_at": "2026", "lead_time": None}
    nobody = dict.fromkeys(given)
    rows: list[dict[str, Any]] = [
        {"image": a, "guess": "dent", "id": 1, "choice": "steel", **given},
        {"image": b, "guess": "dent", "id": 2, **nobody},
        {"image": c, "guess": "dent", "id": 3, **given},
    ]
    told = bring(session, "label-studio", rows)
    assert decided(session) == {a: "steel"}
    assert reasons(told) == {"no-label": 1, "other": 2}
    lines = [
        "annotation_id,annotator,choice,guess,id,image",
        f'7,"1",dent,steel,1,{c}',
        f',"","",steel,2,{b}',
    ]
    told = bring(session, "label-studio", "\n".join(lines).encode(), "Abe")
    assert (decided(session)[c], b in decided(session)) == ("dent", False)
    assert reasons(told) == {"no-label": 1, "other": 1}


def test_data_before_the_id_of_a_line_of_json_min_are_no_answer(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    facts = {"annotator": 1, "annotation_id": 5, "created_at": "2026"}
    rows = [{"image": a, "guess": "dent", "lot": "L7", "id": 1, "choice": "steel", **facts}]
    told = bring(session, "label-studio", rows)
    assert (decided(session), reasons(told)) == ({a: "steel"}, {"other": 2})
    ordered = [dict(sorted({"image": b, "id": 2, "choice": "steel", **facts}.items()))]
    assert bring(session, "label-studio", ordered)["answers"] == 1  # by a program that sorts


def test_tasks_that_nobody_answered_bring_no_answer_whatever_their_data(
    session: ReviewSession,
) -> None:
    nobody = {"annotator": None, "annotation_id": None}
    rows = [{"image": path, "guess": "dent", **nobody} for path in paths(session)]
    told = bring(session, "label-studio", rows)
    assert (told["answers"], reasons(told)) == (0, {"no-label": len(rows)})


# -- FiftyOne, COCO, Roboflow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("dent", "dent"),
        (1, "dent"),
        ({"label": "dent", "confidence": 0.9}, "dent"),
        ({"label": "dent", "attributes": {"station": "A"}}, "dent"),
        ({"label": 1}, "dent"),
        ([{"label": "dent"}], "dent"),
        (["dent"], "dent"),
        (["dent", "dent"], "dent"),
        (["dent", "steel"], "ticks"),
        ([], "no-label"),
        (None, "no-label"),
        ({"label": None}, "no-label"),
        (True, "malformed"),
        (False, "malformed"),
        ({"label": True}, "malformed"),
        (1.0, "malformed"),
        (-1, "malformed"),
        (9, "malformed"),
        ([{"label": "dent", "bounding_box": [0, 0, 1, 1]}], "kind"),
        ({"classifications": [{"label": "dent"}]}, "dent"),
        ({"classifications": [{"label": "dent"}, {"label": "steel"}]}, "ticks"),
    ],
)  # fmt: skip
def test_labels_of_fiftyone_with_all_that_may_stand_beside_them(
    session: ReviewSession, value: Any, label: str
) -> None:
    a, b, *_ = paths(session)
    names = ["steel", "dent"]
    told = bring(
        session, "fiftyone", {"classes": names, "labels": {Path(a).stem: value, b: "steel"}}
    )
    assert decided(session).pop(b) == "steel"
    if label == "dent":
        assert (decided(session)[a], reasons(told)) == ("dent", {})
    else:
        assert (a in decided(session), reasons(told)) == (False, {label: 1})


def classified(label: str | None, **more: Any) -> dict[str, Any]:
    """A field as FiftyOne 1.22.1 writes it into samples.json."""
    return {"_id": {"$oid": "6b0b"}, "_cls": "Classification", "tags": [], "label": label, **more}


def sample(path: str, **fields: Any) -> dict[str, Any]:
    facts = {"tags": ["lot"], "_media_type": "image", "_rand": 0.5, "created_at": {"$date": "2026"}}
    metadata = {"_cls": "ImageMetadata", "width": 9, "height": 9}
    return {"filepath": path, "metadata": metadata, **facts, **fields}


def test_of_every_field_of_a_sample_the_ground_truth_is_read(session: ReviewSession) -> None:
    a, b, c, d, e, *_ = paths(session)
    both = [classified("dent"), classified("steel")]
    samples = [
        sample(a, ground_truth=classified("dent", confidence=0.9), old=classified("steel")),
        sample(f"/data/set/{b}", predictions=classified("dent", confidence=0.4)),
        sample(c, ground_truth={"_cls": "Classifications", "classifications": both}),
        sample(d, boxes={"_cls": "Detections", "detections": [{"label": "dent"}]}),
        sample(e),
        {"tags": []},
    ]
    told = bring(session, "fiftyone", {"name": "parts", "samples": samples})
    assert decided(session) == {a: "dent"}
    wanted = {"other": 1, "model": 1, "ticks": 1, "kind": 1, "no-label": 1, "malformed": 1}
    assert reasons(told) == wanted


def test_without_a_ground_truth_the_only_field_like_classes_is_read(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    samples = [
        sample(a, defect=classified("dent"), light=classified("dark")),
        sample(b, defect=classified("steel")),
    ]
    told = bring(session, "fiftyone", {"samples": samples})
    assert (decided(session), reasons(told)) == ({a: "dent", b: "steel"}, {"other": 1})
    samples = [sample(a, before=classified("dent"), after=classified("steel"))]
    told = bring(session, "fiftyone", {"samples": samples}, "Abe")
    assert (told["answers"], reasons(told)) == (0, {"questions": 1})


@pytest.mark.parametrize(
    ("column", "answers"),
    [
        ("ground_truth.label,ground_truth.confidence", 1),
        ("defect.label,predictions.label", 1),
        ("defect.label,ground_truth.label", 0),
        ("predictions.label,x", None),
        ("defect.label,light.label", None),
    ],
)
def test_a_csv_of_fiftyone_names_its_field(
    session: ReviewSession, column: str, answers: int | None
) -> None:
    a, *_ = paths(session)
    lines = f"filepath,{column}\n/data/{a},dent,\n".encode()
    if answers is None:
        with pytest.raises(DataError, match='no column "label"'):
            bring(session, "csv", lines)
    else:
        assert bring(session, "csv", lines)["answers"] == answers


def coco(images: list[Any], annotations: list[Any]) -> dict[str, Any]:
    categories = [{"id": 1, "name": "dent"}, {"id": 2, "name": "steel"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_one_bad_row_of_coco_refuses_only_itself(session: ReviewSession) -> None:
    a, b, c, *_ = paths(session)
    images: list[Any] = [
        {"id": 1, "file_name": a},
        {"id": "2", "file_name": b},
        {"id": 3},
        {"id": 4, "file_name": c},
    ]
    annotations: list[Any] = [
        {"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": "2"}, {"image_id": 9, "category_id": 1},
        {"image_id": 1, "category_id": 77}, None, {"image_id": 3, "category_id": 1},
        {"image_id": True, "category_id": 1},
    ]  # fmt: skip
    told = bring(session, "coco", coco(images, annotations))
    assert decided(session) == {a: "dent", b: "steel"}
    assert reasons(told) == {"malformed": 6, "no-label": 1}


def test_labels_from_boxes_around_parts_are_said(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    images = [
        {"id": n, "file_name": name, "width": 40, "height": 30} for n, name in ((1, a), (2, b))
    ]
    boxes: list[Any] = [
        {"image_id": 1, "category_id": 1, "bbox": [5, 5, 10, 10]},
        {"image_id": 2, "category_id": 1, "bbox": [0, 0, 40, 30]},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 10**400, None]},
    ]
    told = bring(session, "coco", coco(images, boxes))
    assert told["answers"] == 2
    assert [(line["n"], line["first"]) for line in told["table"] if line["kind"] == "note"] == [
        (1, [a])
    ]


def test_an_id_that_stands_for_two_images_means_neither(session: ReviewSession) -> None:
    a, b, c, *_ = paths(session)
    images = [{"id": 1, "file_name": a}, {"id": 1, "file_name": b}, {"id": 2, "file_name": c}]
    told = bring(
        session,
        "coco",
        coco(images, [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 1}]),
    )
    assert decided(session) == {c: "dent"}
    assert reasons(told)["malformed"] == 2


def test_names_from_before_roboflow_are_found(session: ReviewSession) -> None:
    a, b, *_ = paths(session)
    renamed = f"{Path(a).stem.replace(' ', '-')}_png.rf.0123456789abcdef0123456789abcdef.jpg"
    images = [
        {"id": 1, "file_name": renamed},
        {"id": 2, "file_name": "x.rf.0123456789.jpg", "extra": {"name": b}},
    ]
    told = bring(
        session,
        "coco",
        coco(images, [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 2}]),
    )
    assert (decided(session), how(told)) == ({a: "dent", b: "steel"}, {"name": 1, "path": 1})


def test_one_column_for_each_class_is_read(session: ReviewSession) -> None:
    a, b, c, d, *_ = paths(session)
    lines = [
        "filename, dent, steel, rust",
        f"{a}, 1, 0, 0",
        f"{b}, 0, 1, 1",
        f"{c}, 0, 0, 0",
        f"{d}, 0, 0, 1",
    ]
    told = bring(session, "csv", "\n".join(lines).encode())
    assert decided(session) == {a: "dent"}
    assert reasons(told) == {"ticks": 1, "no-label": 1, "class": 1}


# -- ZIP --------------------------------------------------------------------------------------------------------------


def image_bytes(session: ReviewSession, row: int) -> bytes:
    return session.snapshot.view.rows[row].source.read()


def zipped(*files: tuple[str | bytes, bytes]) -> bytes:
    """A ZIP; a name in bytes is written as it is, without the mark of UTF-8."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n, (name, data) in enumerate(files):
            plain = name if isinstance(name, str) else f"{n:0{len(name)}d}"
            archive.writestr(zipfile.ZipInfo(plain), data)
    packed = out.getvalue()
    for n, (name, _) in enumerate(files):
        if isinstance(name, bytes):
            packed = packed.replace(f"{n:0{len(name)}d}".encode(), name)
    return packed


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "gbk", "cp949"])
def test_names_without_the_mark_of_utf8_are_read_in_the_writers_encoding(
    session: ReviewSession, encoding: str
) -> None:
    from clipgrip.review import classes as edits

    name = (
        "크기" if encoding == "cp949" else "表良品"
    )  # the second byte of 表 in cp932 is a backslash
    edits.edit(session, 2, name, "dent", "Ito")
    told = bring(
        session,
        "folders",
        zipped((f"{name}/写真 01.png".encode(encoding, "ignore"), image_bytes(session, 0))),
    )
    assert (told["answers"], decided(session)) == (1, {paths(session)[0]: name})


def test_a_name_that_info_zip_keeps_in_utf8_is_read(session: ReviewSession) -> None:
    raw = b"d_nt/x.png"
    extra = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + "dent/ü.png".encode()
    info = zipfile.ZipInfo(raw.decode())
    info.extra = struct.pack("<HH", 0x7075, len(extra)) + extra
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, image_bytes(session, 0))
    assert bring(session, "folders", out.getvalue())["answers"] == 1


def test_folders_as_people_pack_them(session: ReviewSession) -> None:
    data = zipped(
        ("dent\\a.png", image_bytes(session, 0)),
        ("steel/lot 3/b.png", image_bytes(session, 1)),
        ("steel/lot 3/deep/b.png", image_bytes(session, 2)),
        ("photos 2026/dent/lot/c.png", image_bytes(session, 3)),
        ("flat.png", image_bytes(session, 4)),
        ("rust/lot0/d.png", image_bytes(session, 5)),
        ("dent/steel/e.png", image_bytes(session, 6)),
        ("dent/readme.txt", b"hello"),
        ("__MACOSX/dent/._a.png", b"\0\5\x16\7"), ("dent/._a.png", b"\0\5\x16\7"), ("dent/.DS_Store", b"x"),
        ("dent/Thumbs.db", b"x"), ("desktop.ini", b"x"),
    )  # fmt: skip
    told = bring(session, "folders", data)
    names = paths(session)
    assert decided(session) == {
        names[0]: "dent",
        names[1]: "steel",
        names[2]: "steel",
        names[3]: "dent",
    }
    assert reasons(told) == {"folder": 1, "class": 1, "folders": 1, "no-picture": 1, "litter": 5}


def test_folders_as_fiftyone_writes_them(session: ReviewSession) -> None:
    """Images without a label stand in a folder of their own, a class with a slash is a folder in a folder."""
    edits.edit(session, id_of(session, "dent"), "dent/deep", "a dent", "Sato")
    data = zipped(
        ("set/dent/deep/a.png", image_bytes(session, 0)),
        ("set/steel/b.png", image_bytes(session, 1)),
        ("set/_unlabeled/c.png", image_bytes(session, 2)),
        ("set/deep/d.png", image_bytes(session, 3)),
    )
    told = bring(session, "folders", data)
    names = paths(session)
    assert decided(session) == {names[0]: "dent/deep", names[1]: "steel"}
    assert reasons(told) == {"no-label": 1, "class": 1}


def test_folders_are_named_like_classes_as_in_a_run(session: ReviewSession) -> None:
    """Case, width and what stands between words do not count there either."""
    data = zipped(
        ("DENT/a.png", image_bytes(session, 0)), ("\uff53\uff54\uff45\uff45\uff4c/b.png", image_bytes(session, 1))
    )  # fmt: skip
    bring(session, "folders", data)
    assert decided(session) == {paths(session)[0]: "dent", paths(session)[1]: "steel"}


def test_the_folder_around_everything_may_be_called_like_a_class(session: ReviewSession) -> None:
    data = zipped(
        ("steel/dent/a.png", image_bytes(session, 0)),
        ("steel/scratch/b.png", image_bytes(session, 1)),
    )
    bring(session, "folders", data)
    assert decided(session) == {paths(session)[0]: "dent", paths(session)[1]: "scratch"}


def test_a_damaged_or_encrypted_file_in_a_zip_is_left_out_alone(session: ReviewSession) -> None:
    good, bad = image_bytes(session, 0), image_bytes(session, 1)
    data = zipped(("dent/a.png", good), ("dent/b.png", bad)).replace(bad, bad[:-1] + b"!")
    told = bring(session, "folders", data)
    assert (told["answers"], reasons(told)) == (1, {"unreadable": 1})


def test_another_content_under_a_known_name_is_taken_and_said(session: ReviewSession) -> None:
    out = io.BytesIO()
    from PIL import Image

    Image.open(io.BytesIO(image_bytes(session, 0))).resize((8, 8)).save(out, "PNG")
    told = bring(session, "folders", zipped((f"dent/{paths(session)[0]}", out.getvalue())))
    assert how(told) == {"other-content": 1}


# -- the table --------------------------------------------------------------------------------------------------------


def test_every_import_ends_with_a_table_in_the_readers_language(session: ReviewSession) -> None:
    a, b, c, *_ = paths(session)
    answer(session, 1, id_of(session, "dent"), "")
    answer(session, 2, id_of(session, "dent"), "")
    data = f"path,label\n{a},dent\n{b},dent\n{c},steel\nno.png,dent\n".encode()
    for language, taken in (("en", "found by path"), ("ja", "パスで一致")):
        told = Browser(session, language).post("/api/import/csv", data).json()
        kinds = {line["kind"]: (line["n"], line["first"]) for line in told["table"]}
        if language == "en":
            assert kinds == {
                "taken": (2, [a, c]), "changed": (1, [c]), "same": (1, [b]), "left": (1, ["no.png"]),
            }  # fmt: skip
            assert told["table"][0]["text"] == taken
        else:
            assert kinds["same"] == (3, [a, b, c])
            assert all(not line["text"].isascii() for line in told["table"])


def test_nothing_at_all_is_said_too(session: ReviewSession) -> None:
    for form, data in (
        ("csv", b"path,label\n"),
        ("label-studio", b"[]"),
        ("fiftyone", b'{"labels": {}}'),
    ):
        told = bring(session, form, data)
        assert (told["answers"], told["table"]) == (0, [])
        assert told["note"]


def test_a_file_of_which_no_row_is_right_is_refused(session: ReviewSession) -> None:
    with pytest.raises(DataError, match="Is this FiftyOne"):
        bring(session, "fiftyone", {"labels": {"x": True}})


def test_names_that_differ_in_blanks_or_in_how_an_accent_is_written_are_told_apart() -> None:
    names = ("\u00e9.png", "e\u0301.png", "  a.png", "b\t.png", "\u200b.png", "c.png")
    both = finder(*names)
    for name in names:
        assert both.find(name).image == name
        assert both.find(name.removesuffix(".png")).image == name
    assert both.find("a").image == "  a.png"
    assert both.find("folder/\u00e9.png").ambiguous


# -- tables and labels as people and tools hand them back --------------------------------------------------------------


def test_a_label_of_fiftyone_without_a_name_is_no_label(session: ReviewSession) -> None:
    one, other = (row.path for row in session.snapshot.view.rows[:2])
    name = session.snapshot.classes.active[0].name
    labels = {one: {"label": None, "confidence": 0.2}, other: [{"label": None}, {"label": name}]}
    told = bring(session, "fiftyone", {"classes": [], "labels": labels})
    assert (told["answers"], reasons(told), told["problems"]) == (1, {"no-label": 1}, [])


def test_a_parent_folder_is_no_part_of_a_path() -> None:
    found = finder("zero/a.png", "../test/zero/a.png").find("/data/test/zero/a.png")
    assert found.image == "../test/zero/a.png"


def test_json_in_the_place_of_a_table_is_called_so(session: ReviewSession) -> None:
    with pytest.raises(DataError, match="is JSON and no table"):
        bring(session, "csv", [{"path": "a.png", "label": "x"}])


def test_two_columns_of_labels_that_differ_are_no_answer(session: ReviewSession) -> None:
    one, other = (row.path for row in session.snapshot.view.rows[:2])
    name, second = (klass.name for klass in session.snapshot.classes.active[:2])
    table = f"path,label,class\n{one},{name},{second}\n{other},{name},{name}\n"
    told = bring(session, "csv", table.encode())
    assert (told["answers"], reasons(told)) == (1, {"disagree": 1})


def test_what_a_model_left_to_a_person_is_taken_with_a_word(session: ReviewSession) -> None:
    path, name = session.snapshot.view.rows[0].path, session.snapshot.classes.active[0].name
    table = f"path,label,verdict,decided_by\n{path},{name},person,person\n"
    told = bring(session, "csv", table.encode())
    notes = {line["reason"]: line["n"] for line in told["table"] if line["kind"] == "note"}
    assert (told["answers"], notes) == (1, {"unseen": 1})


COMMENT = {"type": "textarea", "from_name": "comment", "value": {"text": ["looks odd"]}}


@pytest.mark.parametrize("said", [((0,), (0,)), ((0,), (1,)), ((0,), ())])
def test_comments_of_two_people_change_nothing(
    said: tuple[tuple[int, ...], ...], session: ReviewSession
) -> None:
    names = [klass.name for klass in session.snapshot.classes.active]

    def annotation(places: tuple[int, ...]) -> dict[str, Any]:
        choice = {
            "type": "choices",
            "from_name": "choice",
            "value": {"choices": [names[place] for place in places]},
        }
        return {"result": [choice, COMMENT]}

    path = session.snapshot.view.rows[0].path
    annotations = [annotation(places) for places in said]
    told = bring(session, "label-studio", [{"data": {"image": path}, "annotations": annotations}])
    agree = len({places for places in said if places}) == 1
    assert told["answers"] == int(agree)
    assert reasons(told).get("disagree", 0) == int(not agree)


# -- much from little -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "coco", "fiftyone"])
def test_what_is_no_name_is_not_repeated_in_full(session: ReviewSession, form: str) -> None:
    long = "z" * 1_000_000
    files: dict[str, Any] = {
        "csv": f"path,label\n{long},scratch\n{session.snapshot.view.rows[0].path},{long}\n".encode(),
        "coco": {
            "images": [{"id": long, "file_name": long}],
            "categories": [{"id": 1, "name": long}],
            "annotations": [{"image_id": long, "category_id": 1}, {"image_id": long * 2}] * 20,
        },
        "fiftyone": {"classes": [], "labels": {long: long, long * 2: 7, "a": [long, "b"]}},
    }
    assert len(json.dumps(bring(session, form, files[form]))) < 100_000


def test_an_unknown_class_is_likened_to_one_only_where_it_is_shown(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(claims, "nearest", lambda name, known: asked.append(name) or "")
    path = session.snapshot.view.rows[0].path
    rows = "".join(f"{path},scrotch {n}\n" for n in range(500))
    told = bring(session, "csv", f"path,label\n{rows}".encode())
    assert reasons(told) == {"class": 500}
    assert len(asked) == len(told["problems"]) == 20
    monkeypatch.undo()
    told = bring(session, "csv", f"path,label\n{path},scrotch\n".encode())
    assert 'Did you mean "scratch"?' in told["problems"][0]


def test_thousands_of_folders_above_an_image_take_no_minutes(session: ReviewSession) -> None:
    out, image = io.BytesIO(), session.snapshot.view.rows[0]
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(200):
            archive.writestr(f"{n}{f'/{n}a' * 10_000}/scratch/x.png", b"x")
        archive.writestr("scratch/lot/a.png", image.source.read())
    begun = time.process_time()
    assert bring(session, "folders", out.getvalue())["answers"] == 1
    assert time.process_time() - begun < 10
