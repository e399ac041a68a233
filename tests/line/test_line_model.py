"""A model at the line: golden images, promises, verdicts, threads, and images that are none."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from projects import picture

from clipgrip.serving.bundling.members import parts_of
from clipgrip_line.bundle import json_bytes, packed
from clipgrip_line.errors import LineError
from clipgrip_line.model import Model, Pixels
from clipgrip_line.promises import Promise, Scope
from clipgrip_line.trust.reference import Reference, read
from clipgrip_line.trust.scores import SCORES

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")


@pytest.fixture(scope="module")
def members(finished: Path, shared_cache: Path) -> dict[str, bytes]:
    from projects import quick

    with quick(shared_cache):
        return parts_of(finished, None, ok_classes=["good part"]).members


@pytest.fixture
def path(members: dict[str, bytes], tmp_path: Path) -> Path:
    made = tmp_path / "m.clipgrip"
    made.write_bytes(packed(members))
    return made


@pytest.fixture
def model(path: Path) -> Model:
    return Model.open(path, threads=1)


def png(number: int = 0) -> bytes:
    made = io.BytesIO()
    picture(number, 50 * (number % 4)).save(made, "PNG")
    return made.getvalue()


def pixels(model: Model, count: int) -> list[Pixels]:
    return [model.pixels(png(number)) for number in range(count)]


def changed(members: dict[str, bytes], name: str, change: Any, path: Path) -> None:
    content = json.loads(members[name])
    change(content)
    path.write_bytes(packed({**members, name: json_bytes(content)}))


def test_it_says_what_it_is(model: Model) -> None:
    assert model.classes == ("scratch", "dent", "good part", "steel")
    assert model.ok_classes == ("good part",)
    assert model.promise is None
    assert len(model.version) == 12
    assert model.info["prompt"] == "textual"


def test_golden_images_that_are_answered_otherwise_stop_it_unless_they_are_not_tried(
    members: dict[str, bytes], path: Path
) -> None:
    def turned(content: Any) -> None:
        content["images"][0]["probs"].reverse()

    changed(members, "golden.json", turned, path)
    with pytest.raises(LineError, match=r"golden/1\.png is answered otherwise"):
        Model.open(path, threads=1)
    assert Model.open(path, check=False, threads=1).classes


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m["towers"][0].update(kind="vision"), "vision"),
        (lambda m: m["classes"].append("more"), "classes"),
        (lambda m: m.pop("scoring"), "scoring"),
        (lambda m: m["towers"][0]["pixels"].update(resample=99), "99"),
        (lambda m: m.update(calibration={"kind": "magic"}), "magic"),
    ],
)
def test_parts_that_do_not_fit_are_said_in_a_sentence(
    change: Any, why: str, members: dict[str, bytes], path: Path
) -> None:
    changed(members, "model.json", change, path)
    with pytest.raises(LineError, match=f"do not fit each other.*{why}"):
        Model.open(path, threads=1)


def test_a_graph_that_is_none_is_said_in_a_sentence(members: dict[str, bytes], path: Path) -> None:
    path.write_bytes(packed({**members, "towers/model.onnx": b"no graph"}))
    with pytest.raises(LineError, match="do not fit each other"):
        Model.open(path, threads=1)


def test_bytes_that_are_no_image_are_refused_with_the_reason(model: Model) -> None:
    for data in (b"", b"hello", png()[:60]):
        with pytest.raises(LineError, match="not an image that can be read"):
            model.pixels(data)


def test_an_answer_names_three_classes_and_the_image_by_its_content(model: Model) -> None:
    (one,) = model.answer(pixels(model, 1))
    assert len(one.image_id) == 64
    assert one.top[0][0] == one.class_name
    assert one.top[0][1] == one.confidence
    assert json.loads(json.dumps(one.as_json()))["class"] == one.class_name


def test_no_images_have_no_answers(model: Model) -> None:
    assert model.answer([]) == []
    assert model.embed([]).shape == (0, model.width)


def test_without_a_promise_the_model_decides_and_ok_classes_say_ok(model: Model) -> None:
    for one in model.answer(pixels(model, 8)):
        assert one.decided == "model"
        assert one.verdict == ("ok" if one.class_name == "good part" else "ng")
    plain = replace(model, ok_classes=())
    assert {one.verdict for one in plain.answer(pixels(model, 8))} == {"class"}


def test_what_no_scope_holds_is_a_persons(model: Model) -> None:
    images = pixels(model, 8)
    probs = model.proba(images)
    label, most = int(probs[0].argmax()), float(probs[0].max())
    inside = Scope("all", frozenset({label}), round(most, 6), 0.05)
    promised = replace(model, promise=Promise(0.05, 0.95, (inside,)))
    said = promised.answer(images)
    for one, row in zip(said, probs, strict=True):
        holds = int(row.argmax()) == label and round(float(row.max()), 6) >= inside.threshold
        assert one.decided == ("model" if holds else "person")
        assert (one.verdict == "person") == (not holds)
    assert said[0].decided == "model"


def test_where_no_promise_stands_any_more_people_decide_all(model: Model) -> None:
    fallen = replace(model, promise=Promise(0.0, 0.0, ()))
    assert {one.verdict for one in fallen.answer(pixels(model, 4))} == {"person"}


def test_everything_goes_to_people_where_the_caller_says_so(model: Model) -> None:
    said = model.answer(pixels(model, 4), to_people=True)
    assert {(one.decided, one.verdict) for one in said} == {("person", "person")}


def test_a_promise_is_the_same_after_it_was_stored() -> None:
    made = Promise(0.02, 0.95, (Scope("a", frozenset({1, 2}), 0.7, 0.02),), "Sato", "2026-01-01")
    assert Promise.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert made.threshold == 0.7


def test_threads_together_answer_as_one_alone(model: Model) -> None:
    images = [png(number) for number in range(12)]
    alone = [model.answer([model.pixels(data)])[0] for data in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: model.answer([model.pixels(data)])[0], images))
    assert together == alone


def test_an_image_is_turned_upright_and_its_looks_are_noted(model: Model) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = io.BytesIO()
    picture(1).save(made, "JPEG", exif=exif)
    one = model.pixels(made.getvalue())
    assert (one.width, one.height) == (36, 40)  # 40 x 36, turned
    assert 0 < one.looks.brightness < 1
    assert one.arrays[0].dtype == np.uint8


def test_the_reference_of_the_watch_travels_with_it(members: dict[str, bytes]) -> None:
    said = json.loads(members["reference.json"])
    arrays = {
        name: np.load(io.BytesIO(members[f"reference/{name}.npy"]), allow_pickle=False)
        for name in ("anchors", "codes", "labels", "held_out", "far")
    }
    n = said["images"]
    assert arrays["codes"].shape == (n, len(said["scores"]))
    assert {len(arrays[name]) for name in ("labels", "held_out", "far")} == {n}
    assert len(arrays["anchors"]) == int((arrays["far"] == 0).sum())
    assert said["weight"] > 0
    assert said["scores"] != list(SCORES)  # which a line that knows no appearances leaves out


def test_a_reference_of_a_bundle_made_before_appearances_is_read_as_it_was(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    said, path = json.loads(members["reference.json"]), tmp_path / "made.clipgrip"
    classes = len(json.loads(members["model.json"])["classes"])

    def reference(facts: dict[str, Any]) -> Reference | None:
        path.write_bytes(packed({**members, "reference.json": json_bytes(facts)}))
        return read(path, classes)

    ours, before = reference(said), {"scores": list(SCORES), "images": said["images"]}
    assert ours is not None
    assert ours.anchors.weight == said["weight"]
    former = reference(before)
    assert former is not None
    assert former.anchors.weight == 0
    assert reference({**said, "scores": [*SCORES[:-1], "distance, appearance 99"]}) is None


@pytest.mark.parametrize("revision", [1, 99])
def test_an_eye_of_another_version_is_refused_with_what_to_do(
    members: dict[str, bytes], tmp_path: Path, revision: int
) -> None:
    facts = json.loads(members["model.json"])
    facts["towers"].append({"kind": "texture", "name": "texture", "revision": revision})
    made = tmp_path / "old.clipgrip"
    made.write_bytes(packed({**members, "model.json": json_bytes(facts)}))
    with pytest.raises(LineError, match=f"revision {revision}, here .*make a bundle of that run"):
        Model.open(made)
