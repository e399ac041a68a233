"""A run that is told which classes may occur takes its images for no other, and forgets none of the others."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from projects import CLASSES, Log, Place, outputs, project, rows

from clipgrip import GripClassifier, config
from clipgrip.cli.results import summary
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.errors import ConfigError, DataError
from clipgrip.fewshot.head import Head
from clipgrip.fewshot.joint import Joint
from clipgrip.method import PRESETS
from clipgrip.report.build import build_report
from clipgrip.report.from_run import facts
from clipgrip.runs.pipeline import run
from clipgrip.runs.prepare import Prepared, prepare_arrays
from clipgrip.runs.reopen import reopen
from clipgrip.runs.tasks import make_task
from clipgrip.runs.untuned_model import residual
from clipgrip.serving.predictor import Predictor
from clipgrip.trust.naming import naming

NAMES = ClassNames.from_names(CLASSES)
TWO = "scratch,good part"
OTHERS = ["dent", "steel"]


def unlabeled(n: int = 6) -> torch.Tensor:
    return torch.full((n,), -1)


def test_other_classes_are_no_candidates() -> None:
    task = make_task(unlabeled(), NAMES, all_candidates=False, may_occur=[TWO])
    assert task.candidates.tolist() == [True, False, True, False]
    assert task.absent_classes == (1, 3)
    assert task.shares_classes


def test_a_label_shows_that_its_class_occurs_and_that_is_said() -> None:
    notes: list[str] = []
    labels = torch.tensor([0, 1, -1, -1])
    task = make_task(labels, NAMES, all_candidates=False, may_occur=[TWO], note=notes.append)
    assert task.candidates.tolist() == [True, True, True, False]
    assert task.shares_classes  # so that labels teach as they do where all may occur
    assert notes == [
        "Images are labeled dent, which may_occur leaves out: these classes occur, so they are added to it."
    ]


def test_seen_classes_are_none_of_the_unlabeled_images() -> None:
    labels = torch.tensor([0, 1, -1, -1])
    task = make_task(labels, NAMES, seen=[0, 1], all_candidates=False, may_occur=[TWO])
    assert task.candidates.tolist() == [False, False, True, False]
    assert task.seen.tolist() == [True, True, False, False]
    assert task.absent_classes == (3,)
    with pytest.raises(DataError, match="names seen classes only"):
        make_task(labels, NAMES, seen=[0, 1], all_candidates=False, may_occur=["scratch"])


def test_all_of_the_classes_leave_the_task_as_it_is() -> None:
    labels = torch.tensor([0, 1, -1, -1])
    task = make_task(labels, NAMES, all_candidates=False, may_occur=CLASSES)
    assert task.absent is None
    assert task.candidates.all()


@pytest.mark.parametrize(
    ("given", "says"),
    [("", "may_occur names no class"), ([], "may_occur names no class"), (5, "may_occur = 5")],
)
def test_no_name_and_no_text_are_refused(given: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        config.project({"images": tmp_path, "classes": tmp_path, "may_occur": given})


def test_a_file_lies_beside_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "today.txt").write_text("dent\nsteel\n")
    toml = tmp_path / "project.toml"
    toml.write_text('images = "x"\nclasses = "c.txt"\nmay_occur = "@today.txt"\n')
    assert config.project({}, toml).may_occur == ("dent", "steel")
    assert config.project({"may_occur": ["dent"]}, toml).may_occur == ("dent",)


def test_a_run_takes_its_images_for_none_but_these(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", may_occur=[TWO]))
    pool = {
        row["label"]
        for row in rows(tmp_path / "run" / "predictions.csv")
        if row["path"] not in place.test_paths
    }
    assert pool <= {"scratch", "good part"}
    assert outcome.metrics["settings"]["may_occur"] == ["scratch", "good part"]
    assert outcome.metrics["data"]["absent"] == OTHERS
    assert outcome.metrics["data"]["seen"] == []
    assert float(outcome.answers.pool[:, [1, 3]].sum()) == 0
    assert outcome.metrics["final"]["pool"]["coverage"] in (0.5, 1.0)
    assert "harmonic_mean" not in outcome.metrics["final"]["test"]
    again = reopen(tmp_path / "run")
    assert torch.equal(again.answers.pool, outcome.answers.pool)
    assert torch.equal(again.answers.test, outcome.answers.test)


def test_a_wrong_name_is_told_before_any_file_is_read(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipgrip.runs.pipeline.ingest", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(DataError, match='no class is called "scrach"'):
        run(project(place, tiny_clip, tmp_path / "run", may_occur=["scrach"]))


def test_equal_choices_are_one_run_and_others_another(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    first = run(project(place, tiny_clip, out, may_occur=[TWO]))
    before = outputs(out)
    again = run(project(place, tiny_clip, out, may_occur=["good part", "scratch"]))
    assert again.run.id == first.run.id
    assert outputs(out) == before
    without = run(project(place, tiny_clip, tmp_path / "other"))
    assert without.run.id != first.run.id
    assert "may_occur" not in without.run.settings
    assert "absent" not in without.metrics["data"]


def test_one_class_takes_all_images(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", may_occur=["dent"]))
    assert set(outcome.answers.pool.argmax(1).tolist()) == {1}


@pytest.mark.parametrize("strategy", ["zero-shot", "grip", "fpl", "supervised"])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_each_strategy_can_be_told(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    quick: pytest.MonkeyPatch,
    strategy: str,
    preset: str,
) -> None:
    labels = place.table("two.csv", [p for p in place.truth if place.truth[p] in CLASSES[:2]][:10])
    options = {"strategy": strategy, "preset": preset, "labels": labels, "may_occur": [TWO]}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **options))
    assert outcome.metrics["paradigm"] == "SSL"
    assert outcome.metrics["data"]["absent"] == ["steel"]
    assert float(outcome.answers.pool[:, 3].sum()) == 0


def test_screen_report_and_names_say_it(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    log = Log()
    labels = place.table("one.csv", [p for p in place.truth if place.truth[p] == "dent"][:2])
    chosen = project(place, tiny_clip, tmp_path / "run", labels=labels, may_occur=[TWO], test=None)
    outcome = run(chosen, log)
    assert sum("added to it" in note for note in log.notes) == 1
    text = summary(outcome.metrics, outcome.folder, tmp_path / "report.html")
    assert "3 of 4 classes may occur here, as you said." in text
    assert "Labels show that dent occur too" in text
    assert "No image here is taken for steel" not in text
    japanese = build_report(facts(outcome), "ja")
    assert "指定のとおり、4クラスのうち3クラス" in japanese


def vectors(n: int, width: int = 16, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(n, width, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1)


def arrays(
    may_occur: tuple[str, ...] | None, labels: torch.Tensor, *, guesses: bool = False
) -> Prepared:
    """Images of the first two of four classes, around their texts; with ``guesses`` the others' are like these."""
    texts = vectors(4)
    images = F.normalize(texts[torch.arange(40) % 2] + 0.5 * vectors(40, seed=1), dim=1)
    if guesses:
        texts = torch.cat([texts[:2], F.normalize(texts[:2] + 0.1 * vectors(2, seed=7), dim=1)])
    settings = Settings(backbone="embeddings", rounds=2, may_occur=may_occur)
    method = residual(PRESETS["default"]["textual"])
    return prepare_arrays(images, labels, NAMES, texts, 20.0, settings=settings, method=method)


@pytest.mark.parametrize("labeled", [0, 4])
def test_nothing_learned_denies_an_absent_class(labeled: int) -> None:
    labels = torch.where(torch.arange(40) < labeled, torch.arange(40) % 2, -1)
    ready = arrays(("scratch", "dent"), labels)
    *_, last = ready.learn(ready.embeds.pool)
    learned = last.learner.prompt.learned()["residual"]
    assert float(learned[:2].abs().sum()) > 0
    assert float(learned[2:].abs().sum()) == 0  # before, each step pushed these texts away
    joint = last.joint
    assert joint is not None
    assert joint.absent == (2, 3)
    images = vectors(30, seed=2)
    text = (20.0 * images @ ready.start.zero_shot.T).log_softmax(1)
    found = joint.probs(images, text)
    kept = torch.cat([text[:, :2], text[:, 2:] - joint.reluctance], 1).softmax(1)
    torch.testing.assert_close(found[:, 2:], kept[:, 2:])


@pytest.mark.parametrize("labeled", [0, 4])
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_absent_classes_take_few_of_images_that_are_of_none(labeled: int, share: float) -> None:
    labels = torch.where(torch.arange(40) < labeled, torch.arange(40) % 2, -1)
    ready = arrays(("scratch", "dent"), labels, guesses=True)
    *_, last = ready.learn(ready.embeds.pool)
    assert last.joint is not None
    pool, tuned = ready.embeds.pool, last.learner.prompt.class_embeds().detach()
    joint = replace(last.joint, reluctance=0.0)
    text = (20.0 * pool @ joint.class_embeds(tuned).T).log_softmax(1)

    def taken(of: Joint) -> float:
        return float((of.probs(pool, text).argmax(1) > 1).double().mean())

    assert taken(joint) > 0.25  # these texts guess
    assert taken(joint.reluctant(pool, (tuned, 20.0), share)) <= share
    assert taken(last.joint) <= 0.05  # as the method says
    *_, last = arrays(("scratch", "dent"), labels).learn(pool)
    assert last.joint is not None
    assert last.joint.reluctance == 0  # a text that tells them apart says it alone


def test_the_text_divides_between_the_classes_and_what_was_learned_among_them() -> None:
    drawn = torch.Generator().manual_seed(3)
    weights = torch.randn(16, 2, generator=drawn, dtype=torch.float64)
    head = Head(
        torch.zeros(16).double(), 9 * weights, torch.zeros(2).double(), torch.tensor([0, 2])
    )
    images, text = vectors(20, seed=4), (20 * vectors(20, 4, seed=5)).log_softmax(1)
    whole, free = Joint(0.7, (head,), 4, absent=(1, 3)), Joint(0.7, (head,), 4)
    found, among = whole.probs(images, text), free.probs(images, text)[:, [0, 2]]
    torch.testing.assert_close(found[:, [1, 3]], text.exp()[:, [1, 3]])
    left = found[:, [0, 2]]
    torch.testing.assert_close(left / left.sum(1, keepdim=True), among / among.sum(1, keepdim=True))
    again = Joint.from_tensors(replace(whole, reluctance=0.25).tensors())
    assert (again.absent, again.reluctance) == ((1, 3), 0.25)
    assert "absent" not in free.tensors()
    moved = whole.renumbered([3, None, 0], torch.zeros(3, 16))
    assert moved.absent == (0,)


def test_new_images_may_be_of_any_class(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", may_occur=[TWO]))
    predictor = Predictor.open(tmp_path / "run")
    images = outcome.embeds.pool
    before = outcome.start.answers({}, outcome.embeds).pool
    found = predictor.predict_proba(images)
    if outcome.joint is not None:
        torch.testing.assert_close(found[:, [1, 3]], before[:, [1, 3]], atol=1e-5, rtol=1e-4)
    assert float(found[:, [1, 3]].sum()) > 0


def test_a_name_of_an_absent_class_is_not_judged() -> None:
    images, texts = vectors(60, seed=6), vectors(5, seed=7)
    found = naming(images, texts, 20.0, None, torch.tensor([0, 2, 4]))
    assert [one.position for one in found.names] == [0, 1, 2, 3, 4]
    assert [found.names[c].verdict for c in (1, 3)] == ["unknown", "unknown"]
    alone = naming(images, texts[[0, 2, 4]], 20.0)
    assert [found.names[c].fit for c in (0, 2, 4)] == [one.fit for one in alone.names]


def test_the_classifier_is_told_the_same(tmp_path: Path) -> None:
    ready = arrays(None, unlabeled(40))
    images, texts = ready.embeds.pool.numpy(), ready.start.zero_shot.numpy()
    given = {"backbone": "embeddings", "class_embeds": texts, "logit_scale": 20.0, "rounds": 2}
    path = tmp_path / "today.txt"
    path.write_text("dent\nscratch\n")
    answers = [
        GripClassifier(CLASSES, may_occur=one, **given).fit(images).predict_proba(images)
        for one in (["scratch", "dent"], "dent,scratch", f"@{path}")
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    partly = np.array([3, *[-1] * 39])
    model = GripClassifier(CLASSES, may_occur="scratch,dent", **given).fit(images, partly)
    assert model.paradigm_ == "SSL"
    with pytest.raises(DataError, match="no class is called"):
        GripClassifier(CLASSES, may_occur=["ring"], **given).fit(images)
    with pytest.raises(ConfigError, match="names no class"):
        GripClassifier(CLASSES, may_occur=[], **given).fit(images)
    with pytest.raises(ConfigError, match="may_occur needs class_embeds"):
        GripClassifier(CLASSES, may_occur=["dent"], backbone="embeddings").fit(images, partly)


def test_without_texts_it_is_not_used_and_that_is_said(
    tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    images = vectors(40, seed=8).numpy()
    np.savez(tmp_path / "seen.npz", image_embeds=images, paths=[f"{n}.png" for n in range(40)])
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label"), *((f"{n}.png", CLASSES[n % 3]) for n in range(9))]
        )
    log = Log()
    values = {
        "images": tmp_path / "seen.npz",
        "classes": tmp_path / "classes.txt",
        "labels": tmp_path / "labels.csv",
        "out": tmp_path / "run",
        "may_occur": ["dent"],
    }
    outcome = run(config.project(values), log)
    assert any(note.startswith("--may-occur is not used") for note in log.notes)
    assert "may_occur" not in outcome.run.settings
