"""A picture whose end is missing waits for it, though a decoder would show it; at last it is answered without."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from folder_fakes import Clock, Line, identity, picture
from PIL import Image

from clipgrip_line.folder import loading
from clipgrip_line.pictures.images import decode


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def as_kind(kind: str) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture(3))) as image:
        image.save(out, kind)
    return out.getvalue()


def first_answer(line: Line, every: float) -> float:
    """When the model was first asked, of 20 looks from the time 1,000 on that give up after 60 seconds."""
    clock, answered = Clock(), list[float]()
    with line.watch(now=clock, give_up=60.0, poll=1.0) as watch:
        for _ in range(20):
            watch.turn()
            answered += [clock.at] if line.model.asked else []
            clock.at += every
    return answered[0]


@pytest.mark.parametrize(("kind", "missing"), [("PNG", 12), ("PNG", 1), ("JPEG", 2), ("GIF", 1)])
def test_what_a_camera_has_not_ended_is_not_answered_before_it_is_whole(
    line: Line, kind: str, missing: int
) -> None:
    data = as_kind(kind)
    decode(data[:-missing])  # it would be shown
    file = line.put("a.pic", data[:-missing])
    clock = Clock()
    with line.watch(now=clock, give_up=60.0, poll=1.0) as watch:
        for _ in range(6):
            watch.turn()
            clock.at += 9
        assert line.model.asked == []
        assert watch.facts()["files_waiting"] == 1
        file.write_bytes(data)
        for _ in range(3):
            watch.turn()
            clock.at += 9
    assert [row["image_id"] for row in line.rows()] == [identity(data)]
    assert line.rows("issues") == []


def test_what_is_never_ended_is_answered_once_when_it_has_stayed_so(line: Line) -> None:
    data = picture(3)[:-12]
    line.put("a.png", data)
    assert first_answer(line, every=5) == 1060.0
    assert [row["image_id"] for row in line.rows()] == [identity(data)]
    assert line.rows("issues") == []


def test_a_picture_whose_second_one_was_taken_away_waits_seconds_not_a_minute(line: Line) -> None:
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture(3))) as image:
        image.save(out, "MPO", save_all=True, append_images=[image.rotate(90)])
    whole = out.getvalue()
    data = whole[: whole.index(b"\xff\xd9\xff\xd8") + 2]
    line.put("a.jpg", data)
    assert 1005.0 <= first_answer(line, every=1) <= 1010.0
    assert [row["image_id"] for row in line.rows()] == [identity(data)]


def test_a_look_comes_when_patience_ends_however_far_apart_looks_are(line: Line) -> None:
    line.put("a.png", picture(3)[:100])
    clock = Clock()
    with line.watch(now=clock, give_up=7.0, poll=1.0) as watch:
        while not line.rows("issues"):
            watch.turn()
            clock.at += 1
            assert clock.at < 1020
    assert clock.at == 1008.0


def test_once_waits_for_an_end_and_then_takes_what_there_is(line: Line) -> None:
    data = picture(3)[:-1]
    line.put("a.png", data)
    assert line.once(give_up=0.2) == 0
    assert [row["image_id"] for row in line.rows()] == [identity(data)]


def test_a_cut_picture_whose_content_is_known_is_no_new_answer(line: Line) -> None:
    data = picture(3)[:-1]
    line.put("a.png", data)
    line.once()
    line.put("b.png", data)
    assert line.once() == 0
    assert len(line.rows()) == 1
    assert line.json("b.png")["image_id"] == identity(data)


def test_a_picture_that_memory_does_not_hold_stops_nothing(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(data: bytes) -> bool:
        raise MemoryError

    monkeypatch.setattr(loading, "is_whole", exhausted)
    line.put("a.png", picture(3))
    assert line.once(give_up=0.2) == 0
    assert [row["image_id"] for row in line.rows()] == [identity(picture(3))]
    assert line.rows("issues") == []
