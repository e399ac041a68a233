"""A file of embeddings goes the whole circle without a model: run, stop, go on, open, predict, audit, report."""

from __future__ import annotations

import csv
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedded import NAMES, N, arrays, right_by_text, with_labels, with_texts
from projects import Dying, Log, command, outputs

from clipgrip.advice.labels import label_sentences
from clipgrip.backbone import registry
from clipgrip.config import project
from clipgrip.data import embedfiles, embedlarge
from clipgrip.data.embeddings import read_embeddings
from clipgrip.errors import ConfigError, DataError, RunError
from clipgrip.estimator import GripClassifier
from clipgrip.report.build import build_report
from clipgrip.report.from_run import facts
from clipgrip.runs import precomputed
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.pipeline import run
from clipgrip.runs.precomputed import FILE
from clipgrip.runs.reopen import reopen
from clipgrip.serving.batch import predict_files
from clipgrip.serving.predictor import Predictor
from clipgrip.words import LANGUAGES, Words


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks for one fails."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr(registry, "load_backbone", refuse)
    monkeypatch.setattr("clipgrip.runs.embedding.load_backbone", refuse)
    return


def made(path: Path, **options: Any) -> Outcome:
    return run(project({"images": path, "out": path.parent / "run", "rounds": 2, **options}))


def right(folder: Path, new: Path) -> float:
    predictor = Predictor.open(folder)
    found, truth = predict_files(predictor, new), arrays(1)["truth"]
    answers = [predictor.classes.display[c] for c in found.probs.argmax(1).tolist()]
    pairs = zip(found.rows, answers, strict=True)
    return float(np.mean([answer == NAMES[truth[int(row.path)]] for row, answer in pairs]))


def new_images(path: Path, *names: str) -> Path:
    found = arrays(1)
    np.savez(path, **{name: found[name] for name in names})
    return path


def test_texts_answer_the_second_bank_betters_and_new_images_are_predicted(tmp_path: Path) -> None:
    outcome = made(with_texts(tmp_path / "e.npz"))
    assert outcome.run.facts["paradigm"] == "UL"
    assert outcome.run.facts["eyes"][0]["name"] == "dino"
    assert outcome.run.facts["eyes"][0]["weight"] > 0
    truth = arrays()["truth"]
    rows = [int(row.path) for row in outcome.embeds.pool_rows]
    hits = [
        float((answers.pool.argmax(1).numpy() == truth[rows]).mean())
        for answers in (outcome.zero_shot, outcome.answers)
    ]
    assert hits[1] > hits[0] + 0.05
    assert right(outcome.folder, new_images(tmp_path / "new.npz", "dino", "clip")) > right_by_text(
        1
    )


def test_labels_alone_are_enough_and_no_text_is_spoken_of(tmp_path: Path) -> None:
    outcome = made(with_labels(tmp_path / "e.npz"))
    assert outcome.run.facts["paradigm"] == "SSL"
    assert outcome.metrics["zero_shot"] is None
    assert outcome.metrics["estimate"] is None
    assert outcome.metrics["knowledge"] == []
    assert outcome.metrics["final"]["test"]["accuracy"] > 0.9
    assert right(outcome.folder, new_images(tmp_path / "new.npz", "dino")) > 0.9
    text = " ".join(label_sentences(outcome.run.facts["labels"], Words("en")))
    assert "No class has an embedding, so the labels alone decide." in text
    for language in LANGUAGES:
        assert "dino" not in build_report(facts(outcome), language)  # a single bank is no eye


def test_a_class_that_nothing_speaks_for_is_never_answered(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("\n".join([*NAMES, "hole"]), "utf-8")
    outcome = made(with_labels(tmp_path / "e.npz"), classes=tmp_path / "classes.txt")
    assert float(outcome.answers.pool[:, 4].max()) < 1e-3


def test_one_image_of_each_class_may_stand_in_the_place_of_its_text(tmp_path: Path) -> None:
    found = arrays()
    np.savez(tmp_path / "e.npz", dino=found["dino"])
    np.savez(tmp_path / "shots.npz", class_embeds=found["dino"][:4], class_names=np.array(NAMES))
    outcome = made(tmp_path / "e.npz", class_embeds=tmp_path / "shots.npz")
    assert outcome.manifest.classes.display == NAMES
    rows = [int(row.path) for row in outcome.embeds.pool_rows]
    answers = outcome.answers.pool.argmax(1).numpy()
    assert (answers == found["truth"][rows]).mean() > 0.9


def test_classes_are_found_by_their_name_in_any_order(tmp_path: Path) -> None:
    lines = ["name,prompt", *(f"{name}さん,{name}" for name in reversed(NAMES))]
    (tmp_path / "classes.csv").write_text("\n".join(lines), "utf-8")
    turned = made(with_texts(tmp_path / "e.npz"), classes=tmp_path / "classes.csv")
    plain = made(tmp_path / "e.npz", out=tmp_path / "plain")
    assert turned.manifest.classes.display == tuple(f"{name}さん" for name in reversed(NAMES))
    assert (turned.zero_shot.pool.flip(1) - plain.zero_shot.pool).abs().max() < 1e-5


def test_equal_embeddings_go_on_with_the_same_run_and_others_begin_another(tmp_path: Path) -> None:
    path = with_texts(tmp_path / "e.npz")
    first = made(path)
    before = outputs(first.folder)
    with_texts(path)
    again = made(path)
    assert (again.folder, again.run.id) == (first.folder, first.run.id)
    assert outputs(first.folder) == before
    with_texts(path, logit_scale=np.array(50.0))
    assert made(path).folder != first.folder


@pytest.mark.parametrize("at", [5, 40])
def test_a_stopped_run_goes_on_to_the_same_answers(tmp_path: Path, at: int) -> None:
    path, other = with_texts(tmp_path / "e.npz"), tmp_path / "other"
    whole = made(path)

    def stop() -> None:
        raise KeyboardInterrupt

    options = {"images": path, "out": other, "rounds": 2}
    with pytest.raises(KeyboardInterrupt):
        run(project(options), Dying(at, stop))
    done = run(project(options))
    assert (done.answers.pool == whole.answers.pool).all()
    assert done.run.id == whole.run.id


def test_a_run_is_opened_while_its_file_is_there_and_says_so_where_it_is_not(
    tmp_path: Path,
) -> None:
    path = with_texts(tmp_path / "e.npz")
    outcome = made(path)
    assert (reopen(outcome.folder).answers.pool == outcome.answers.pool).all()
    moved = path.rename(tmp_path / "moved.npz")
    with pytest.raises(DataError, match="no such file"):
        reopen(outcome.folder)
    moved.rename(path)
    bank = arrays()["clip"]
    bank[0] += 1
    with_texts(path, clip=bank)
    assert [issue.reason for issue in _left(outcome.folder)] == ["changed"]


def _left(folder: Path) -> Any:
    from clipgrip.runs.events import Listener
    from clipgrip.runs.prepare import prepare_stored
    from clipgrip.runs.store import open_store

    with open_store(folder) as store:
        stored = store.run()
        assert stored is not None
        return prepare_stored(folder, store, stored, Listener()).issues


def test_a_run_reads_its_file_once_and_opening_it_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = [], embedfiles.read_arrays
    monkeypatch.setattr(
        embedfiles, "read_arrays", lambda path, n: reads.append(path) or read(path, n)
    )
    outcome = made(with_texts(tmp_path / "e.npz"))
    assert len(reads) == 1
    reopen(outcome.folder)
    assert len(reads) == 2


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_large_arrays_stay_in_their_file_and_give_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ending: str
) -> None:
    bank, texts = arrays()["clip"].astype(kind), tmp_path / "texts.npz"
    np.savez(texts, class_embeds=arrays()["class_embeds"], class_names=np.array(NAMES))
    path = tmp_path / f"e{ending}"
    np.save(path, bank) if ending == ".npy" else np.savez(path, image_embeds=bank)
    once = made(path, class_embeds=texts)
    whole, before = read_embeddings(path).hashes, once.run.id
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    again = read_embeddings(shutil.copy(path, tmp_path / f"f{ending}"))
    assert isinstance(again.banks["image_embeds"], np.memmap)
    assert np.array_equal(again.hashes, whole)
    other = made(Path(again.path), class_embeds=texts, out=tmp_path / "large")
    assert other.run.id == before
    assert torch.equal(other.answers.pool, once.answers.pool)


def test_a_large_file_that_changes_while_it_is_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    path, texts = tmp_path / "e.npy", tmp_path / "texts.npz"
    np.savez(texts, class_embeds=arrays()["class_embeds"], class_names=np.array(NAMES))
    np.save(path, arrays()["clip"])
    of_run, times = precomputed.unit, itertools.count(1)

    def changing(vectors: Any) -> Any:
        os.utime(path, ns=(1, next(times)))
        return of_run(vectors)

    monkeypatch.setattr(precomputed, "unit", changing)
    with pytest.raises(DataError, match=r"e\.npy was changed while it was read"):
        made(path, class_embeds=texts)
    monkeypatch.undo()
    assert len(made(path, class_embeds=texts).answers.pool) == N


def test_a_large_array_that_is_damaged_or_cut_off_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedlarge, "LARGE", 1)
    np.save(tmp_path / "e.npy", arrays()["clip"])
    np.savez(tmp_path / "e.npz", clip=arrays()["clip"])
    content = bytearray((tmp_path / "e.npz").read_bytes())
    content[900] ^= 1
    (tmp_path / "e.npz").write_bytes(content)
    (tmp_path / "e.npy").write_bytes((tmp_path / "e.npy").read_bytes()[:-40])
    for name in ("e.npz", "e.npy"):
        with pytest.raises(DataError, match=f"{name}: cannot be read as NumPy"):
            read_embeddings(tmp_path / name)


def test_a_run_whose_record_of_the_banks_is_damaged_says_so(tmp_path: Path) -> None:
    outcome = made(with_texts(tmp_path / "e.npz"))
    (outcome.folder / FILE).write_bytes(b"nothing")
    with pytest.raises(RunError, match=FILE):
        reopen(outcome.folder)
    with pytest.raises(RunError, match=FILE):
        Predictor.open(outcome.folder)


@pytest.mark.parametrize("strategy", ["zero-shot", "supervised", "fpl"])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_every_strategy_and_preset_runs(tmp_path: Path, strategy: str, preset: str) -> None:
    path = with_texts(tmp_path / "e.npz", labels=np.where(np.arange(N) < 16, arrays()["truth"], -1))
    outcome = made(path, strategy=strategy, preset=preset, rounds=None)
    assert len(outcome.answers.pool) == N


def test_the_head_alone_predicts_where_the_class_embeddings_are_lost(tmp_path: Path) -> None:
    outcome = made(with_texts(tmp_path / "e.npz"))
    new = new_images(tmp_path / "new.npz", "clip", "dino")
    before = predict_files(Predictor.open(outcome.folder), new).probs
    (outcome.folder / "class_embeds.safetensors").unlink()
    after = predict_files(Predictor.open(outcome.folder), new).probs
    assert (before - after).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("names", "says"), [(("clip",), 'no bank "dino" of 12'), (("dino",), 'no bank "clip" of 16')]
)
def test_a_bank_that_is_missing_in_new_embeddings_is_named(
    tmp_path: Path, names: tuple[str, ...], says: str
) -> None:
    outcome = made(with_texts(tmp_path / "e.npz"))
    with pytest.raises(DataError, match=says):
        right(outcome.folder, new_images(tmp_path / "new.npz", *names))


def test_a_single_bank_may_be_called_otherwise(tmp_path: Path) -> None:
    outcome = made(with_labels(tmp_path / "e.npz"))
    np.save(tmp_path / "new.npy", arrays(1)["dino"])
    assert right(outcome.folder, tmp_path / "new.npy") > 0.9


def test_a_bank_that_told_nothing_may_be_missing_which_is_said_but_stands_for_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(5).normal(size=(N, 16)).astype(np.float32)  # as wide as clip
    made(with_texts(tmp_path / "e.npz", dino=None, noise=noise), strategy="zero-shot")
    words = ["predict", tmp_path / "run", new_images(tmp_path / "new.npz", "clip")]
    for out in ("a.csv", "a.parquet"):
        told = command(capsys, *words, "--out", tmp_path / out)
        assert told.code == 0, told.err
        assert f'{words[2]} has no "noise". It counted nothing in this run' in told.err
    np.savez(tmp_path / "other.npz", noise=noise)
    told = command(capsys, *words[:2], tmp_path / "other.npz", "--out", tmp_path / "b.csv")
    assert told.code == 2
    assert 'no bank "clip" of 16 numbers' in told.err


def test_images_are_refused_where_embeddings_were_learned_from(tmp_path: Path) -> None:
    from pictures import random_image

    outcome = made(with_labels(tmp_path / "e.npz"))
    (tmp_path / "images").mkdir()
    random_image(0, 40, 40).save(tmp_path / "images" / "a.png")
    with pytest.raises(DataError, match="learned from a file of embeddings"):
        right(outcome.folder, tmp_path / "images")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prompt": "visual"}, "--prompt needs images"),
        ({"eye": ["texture"]}, "--eye needs images"),
        ({"engine": "onnx"}, "--engine needs images"),
        ({"template": "a drawing of a {}."}, "--template needs images"),
        ({"backbone": "some/model"}, "--backbone needs images"),
    ],
)
def test_settings_that_need_images_are_refused(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        made(with_texts(tmp_path / "e.npz"), **options)


def test_settings_that_embeddings_leave_no_room_for_are_said_to_have_no_effect(
    tmp_path: Path,
) -> None:
    log = Log()
    file = with_texts(tmp_path / "e.npz")
    run(project({"images": file, "out": tmp_path / "run", "rounds": 1, "backbone": "nano"}), log)
    assert any(note.endswith("Not used: backbone.") for note in log.notes)
    again = Log()
    run(project({"images": file, "out": tmp_path / "run", "rounds": 1}), again)
    assert not any("Not used" in note for note in again.notes)


def test_a_list_of_seen_classes_is_said_to_be_unused_where_labels_alone_decide(
    tmp_path: Path,
) -> None:
    (tmp_path / "seen.txt").write_text("ok\n", "utf-8")
    log = Log()
    file = with_labels(tmp_path / "e.npz")
    seen = tmp_path / "seen.txt"
    run(project({"images": file, "out": tmp_path / "run", "rounds": 1, "seen": seen}), log)
    assert any("--seen is not used: there are no texts" in note for note in log.notes)


@pytest.mark.parametrize("option", ["class_embeds", "backbone"])
def test_what_goes_with_embeddings_is_refused_beside_images(tmp_path: Path, option: str) -> None:
    from pictures import random_image

    (tmp_path / "images").mkdir()
    random_image(0, 40, 40).save(tmp_path / "images" / "a.png")
    (tmp_path / "classes.txt").write_text("ok\nscratch\n", "utf-8")
    given = {"class_embeds": tmp_path / "c.npy", "backbone": "embeddings"}[option]
    with pytest.raises(ConfigError, match="goes with a file of embeddings"):
        made(tmp_path / "images", classes=tmp_path / "classes.txt", **{option: given})


def test_a_class_without_an_embedding_is_named(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("ok\nhole\n", "utf-8")
    with pytest.raises(DataError, match=r'no class embedding for "hole"\. Known: ok, scratch'):
        made(with_texts(tmp_path / "e.npz"), classes=tmp_path / "classes.txt")
    (tmp_path / "e.npz").unlink()
    with_texts(tmp_path / "e.npz", class_names=None)
    with pytest.raises(DataError, match="4 class embeddings without names for 2 classes"):
        made(tmp_path / "e.npz", classes=tmp_path / "classes.txt")


def test_where_nothing_says_what_the_classes_are_it_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", arrays()["clip"])
    with pytest.raises(DataError, match="nothing says what the classes are"):
        made(tmp_path / "e.npy")
    (tmp_path / "classes.txt").write_text("ok\nscratch\n", "utf-8")
    with pytest.raises(DataError, match="neither class embeddings nor labels"):
        made(tmp_path / "e.npy", classes=tmp_path / "classes.txt")


def test_the_audit_draws_from_what_is_unlabeled(tmp_path: Path) -> None:
    outcome = made(with_labels(tmp_path / "e.npz"))
    assert len(Audit.of(outcome, 0).order) == len(outcome.task.unlabeled)


def test_the_estimator_takes_the_file_and_opens_its_run(tmp_path: Path) -> None:
    path = with_texts(tmp_path / "e.npz")
    fitted = GripClassifier(backbone="embeddings", rounds=2).fit(path)
    assert set(fitted.class_names_) == set(NAMES)
    new = new_images(tmp_path / "new.npz", "clip", "dino")
    truth = np.array(NAMES)[arrays(1)["truth"]]
    assert (fitted.predict(new) == truth).mean() > right_by_text(1)
    by_labels = GripClassifier(backbone="embeddings").fit(with_labels(tmp_path / "l.npz"))
    assert (by_labels.predict(arrays(1)["dino"]) == truth).mean() > 0.9


def test_the_estimator_takes_arrow_tables_and_columns_of_vectors(tmp_path: Path) -> None:
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    found = arrays()
    names = np.array(NAMES)[found["truth"]]
    frame = pd.DataFrame({"clip": list(found["clip"]), "dino": list(found["dino"])})
    tables = (frame, pa.table({"clip": found["clip"].tolist(), "dino": found["dino"].tolist()}))
    banks = GripClassifier(backbone="embeddings").fit([found["clip"], found["dino"]], names)
    for table in tables:
        fitted = GripClassifier(backbone="embeddings").fit(table, names)
        assert fitted.banks_.weights == pytest.approx(banks.banks_.weights, rel=1e-3)


def test_images_that_are_embedded_answer_as_the_images_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    from pictures import random_image

    images = tmp_path / "images"
    images.mkdir()
    for number in range(12):
        random_image(number, 40, 40).save(images / f"{number}.png")
    (tmp_path / "classes.txt").write_text("ok\nscratch\n", "utf-8")
    words = [str(images), "--classes", str(tmp_path / "classes.txt")]
    out = tmp_path / "e.npz"
    assert command(capsys, "embed", *words, "--eye", "texture", "--out", out).code == 0
    with np.load(out) as file:
        assert {"nano", "texture", "class_embeds", "ids", "paths"} <= set(file.files)
    plain = {"strategy": "zero-shot"}
    ours = made(out, **plain)
    theirs = made(images, classes=tmp_path / "classes.txt", out=tmp_path / "other", **plain)
    ways = [
        {
            row.path: answer
            for row, answer in zip(one.embeds.pool_rows, one.answers.pool, strict=True)
        }
        for one in (ours, theirs)
    ]
    assert all((ways[0][path] - ways[1][path]).abs().max() < 1e-4 for path in ways[1])


def test_predictions_are_a_table_of_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = made(with_labels(tmp_path / "e.npz"))
    new = new_images(tmp_path / "new.npz", "dino")
    answered = command(capsys, "predict", outcome.folder, new, "--out", tmp_path / "p.csv")
    assert answered.code == 0, answered.err
    with (tmp_path / "p.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == N
    assert rows[0]["path"] == "000000"
