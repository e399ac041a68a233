"""``clipgrip bundle`` writes the file, ``clipgrip-line`` shows, checks and uses it, in both languages."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from line_command import line
from projects import Place, command

from clipgrip.data.classes import ClassNames
from clipgrip.runs.audit_store import StoredPromise, add_promise
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import bundled_promise, standing
from clipgrip.serving.bundling.card import card
from clipgrip.serving.bundling.members import names_of
from clipgrip_line.bundle import Bundle
from clipgrip_line.commands.predict import image_files

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")
pytestmark = pytest.mark.usefixtures("quick")
GIF = b"GIF89a" + bytes(40)


@pytest.fixture
def promised(finished: Path, tmp_path: Path) -> Path:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    scope = {"group": "all", "threshold": 0.5, "images": 9, "audited": 9, "wrong": 0}
    facts = {"max_error": 0.05, "confidence": 0.95, "about": "delivered", "scopes": [scope]}
    with open_store(run) as store:
        stored = store.run()
        assert stored is not None
        said = StoredPromise("a1", "Sato", "2026-01-01T00:00:00+00:00", facts)
        add_promise(store, stored.id, said)
    return run


def test_the_same_run_gives_the_same_bytes(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for name in ("a.clipgrip", "b.clipgrip"):
        told = command(capsys, "bundle", finished, "--out", tmp_path / name, "--json")
        assert told.code == 0, told.err
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert json.loads(told.out)["version"] == _version(capsys, tmp_path / "b.clipgrip")


def _version(capsys: pytest.CaptureFixture[str], path: Path) -> Any:
    return json.loads(line(capsys, "show", path, "--json").out)["version"]


def test_a_bundle_answers_as_predict_does_and_leaves_the_same_images_to_people(
    promised: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, theirs, ours = (tmp_path / name for name in ("m.clipgrip", "t.csv", "o.csv"))
    assert command(capsys, "bundle", promised, "--out", file).code == 0
    assert command(capsys, "predict", promised, place.images, "--out", theirs).code == 0
    assert line(capsys, "predict", file, place.images, "--out", ours).code == 0
    expected = {row["path"]: row for row in _rows(theirs)}
    found = {Path(row["path"]).name: row for row in _rows(ours)}
    assert expected.keys() == found.keys()
    assert {row["decided_by"] for row in found.values()} == {"model", "person"}
    for name, row in found.items():
        assert (row["class"], row["decided_by"]) == (
            expected[name]["label"],
            expected[name]["decided_by"],
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_promise_does_not_go_with_arithmetic_that_was_not_audited(
    promised: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "line.clipgrip"
    refused = command(capsys, "bundle", promised, "--out", file, "--precision", "int8")
    assert refused.code == 2
    assert "nobody has audited those" in " ".join(refused.err.split())
    assert not file.exists()


def test_a_promise_that_was_withdrawn_leaves_every_image_to_people(promised: Path) -> None:
    found = standing(promised)
    assert found is not None
    stands = bundled_promise(found)
    assert stands is not None
    assert (stands.threshold, stands.rate, stands.confidence) == (0.5, 0.05, 0.95)
    fallen = bundled_promise(replace(found, scopes=()))
    assert fallen is not None
    assert fallen.scopes == ()


def test_what_was_promised_of_an_earlier_round_is_not_promised_of_this_one(finished: Path) -> None:
    assert bundled_promise(standing(finished)) is None
    later = bundled_promise(standing(finished, before=True))
    assert later is not None
    assert later.scopes == ()


def test_class_names_are_known_by_language_as_far_as_the_lists_say() -> None:
    japanese = ClassNames(("キズ", "良品"), ("a scratch", "a good part"))
    assert names_of(japanese) == {"ja": ["キズ", "良品"], "en": ["a scratch", "a good part"]}
    assert names_of(ClassNames(("キズ", "良品"), ("キズ", "良品"))) == {"ja": ["キズ", "良品"]}
    assert names_of(ClassNames(("dent", "ok"), ("dent", "ok"))) == {"en": ["dent", "ok"]}
    prompted = ClassNames(("赤", "青"), ("a photo of a red dot", "A close-up photo of a blue dot"))
    assert names_of(prompted) == {"ja": ["赤", "青"], "en": ["a red dot", "a blue dot"]}
    told = ClassNames(("赤", "青"), ("many small dots spread all over the surface", "a blue dot"))
    assert names_of(told) == {"ja": ["赤", "青"]}
    alike = ClassNames(("赤", "青"), ("a photo of a dot", "an image of a dot"))
    assert names_of(alike) == {"ja": ["赤", "青"]}


def test_without_the_packages_that_write_onnx_it_says_how_to_install_them(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = command(capsys, "bundle", finished, "--out", tmp_path / "m.clipgrip")
    assert told.code == 2
    assert "pip install 'clipgrip[onnx]'" in told.err


def test_what_it_shows_is_said_in_both_languages(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    english, japanese = line(capsys, "show", bundle), line(capsys, "show", bundle, "--lang", "ja")
    assert "OK are: good part" in english.out
    assert "OKとするクラス：good part" in japanese.out
    assert "# Model card" in line(capsys, "show", bundle, "--card").out
    assert "# モデルカード" in line(capsys, "show", bundle, "--card", "--lang", "ja").out


def test_the_card_of_a_model_that_knows_nothing_says_so(bundle: Path) -> None:
    model = Bundle(bundle).json("model.json")
    told = "take its answers for guesses"
    assert told not in card(model, "en")
    guessing = {**model, "info": {**model["info"], "guesses": True}}
    assert told in card(guessing, "en")
    assert "当てずっぽう" in card(guessing, "ja")


def test_the_list_of_components_is_cyclonedx(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(line(capsys, "show", bundle, "--sbom").out)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert {one["name"] for one in found["components"]} >= {"numpy", "pillow", "onnxruntime"}
    assert found["serialNumber"].startswith("urn:uuid:")


def test_check_tries_every_part(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = line(capsys, "check", bundle, "--json")
    assert (told.code, json.loads(told.out)["whole"]) == (0, True)


def test_errors_are_a_sentence_and_code_two(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "d.clipgrip"
    damaged.write_bytes(bundle.read_bytes()[:-100])
    for lang, words in (("en", "is cut off"), ("ja", "途中で切れています")):
        told = line(capsys, "check", damaged, "--lang", lang)
        assert told.code == 2
        assert words in told.err
        assert "Traceback" not in told.err
    told = line(capsys, "predict", bundle, tmp_path / "none", "--json")
    assert (told.code, json.loads(told.out)["kind"]) == (2, "LineError")
    assert line(capsys, "nothing").code == 2


def test_files_that_are_no_images_are_listed_and_the_others_answered(
    bundle: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    good = place.images / "part 00.png"
    told = line(capsys, "predict", bundle, tmp_path / "broken.png", good, "--json")
    found = json.loads(told.out)
    assert told.code == 1
    assert [one["path"] for one in found["answers"]] == [str(good)]
    assert [one["path"] for one in found["refused"]] == [str(tmp_path / "broken.png")]
    assert "part 00.png" in line(capsys, "predict", bundle, good, "--lang", "ja").out


@pytest.mark.parametrize(
    ("ok", "why"), [(["bad"], "is no class"), (["scratch", "dent", "good part", "steel"], "every")]
)
def test_ok_classes_are_some_of_the_runs(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ok: list[str], why: str
) -> None:
    options = [part for name in ok for part in ("--ok-class", name)]
    told = command(capsys, "bundle", finished, "--out", tmp_path / "m.clipgrip", *options)
    assert told.code == 2
    assert why in told.err
    assert not (tmp_path / "m.clipgrip").exists()


def test_a_file_that_is_no_bundle_of_ours_is_never_replaced(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.clipgrip").write_text("mine")
    assert command(capsys, "bundle", finished, "--out", tmp_path / "m.clipgrip").code == 2
    assert (tmp_path / "m.clipgrip").read_text() == "mine"


def test_it_runs_where_the_training_stack_is_not(bundle: Path, place: Place) -> None:
    block = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'scipy', 'sklearn', 'pydantic', 'clipgrip', 'onnx', 'jaxtyping'):\n"
        "    sys.modules[name] = None\n"
        "from clipgrip_line.cli import main\n"
        f"sys.exit(main(['predict', {str(bundle)!r}, {str(place.images)!r}]))\n"
    )
    told = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "part 00.png" in told.stdout


def test_a_table_replaces_nothing(
    bundle: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "names.csv"
    mine.write_text("good part\n", "utf-8")
    told = line(capsys, "predict", bundle, place.images, "--out", mine)
    assert told.code == 2
    assert "is there already and stays" in told.err
    told = line(capsys, "answers", tmp_path / "line", "--out", mine)
    assert told.code == 2
    assert mine.read_text("utf-8") == "good part\n"


def test_a_table_opens_in_excel(
    bundle: Path, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.csv"
    assert line(capsys, "predict", bundle, place.images, "--out", out).code == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_language_may_be_given_before_the_command_as_with_clipgrip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after = line(capsys, "check", tmp_path / "none.clipgrip", "--lang", "ja")
    for words in (["--lang", "ja"], ["--lang=ja"]):
        before = line(capsys, *words, "check", tmp_path / "none.clipgrip")
        assert (before.code, before.err) == (after.code, after.err)
    as_json = line(capsys, "--json", "--lang", "ja", "check", tmp_path / "none.clipgrip")
    assert as_json.code == 2
    assert "error" in json.loads(as_json.out)
    assert line(capsys, "--lang", "ja").code == 2


def test_a_file_that_is_called_like_a_picture_is_asked_for_so_that_it_is_said(
    tmp_path: Path,
) -> None:
    for name, data in (("a.dat", GIF), ("empty.PNG", b""), ("text.jpeg", b"no"), ("b.md", b"no")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in image_files([tmp_path])] == ["a.dat", "empty.PNG", "text.jpeg"]
