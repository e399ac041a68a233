"""GripClassifier behaves as scikit-learn's users expect, and answers as the command does."""

from __future__ import annotations

import warnings
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from projects import CLASSES, SEEN, Place, picture, project, rows
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from clipgrip import ClassNames, ClipgripError, GripClassifier, Method, Refinement
from clipgrip.errors import BackboneError, ConfigError, DataError, PromptError, RunError
from clipgrip.runs.pipeline import run
from clipgrip.training.loop import Recipe

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning"),
]


@pytest.fixture
def untrained(tiny_clip: Path) -> GripClassifier:
    return GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=3)


@pytest.fixture(scope="module")
def fitted(place: Place, tiny_clip: Path, shared_cache: Path) -> GripClassifier:
    from projects import quick

    with quick(shared_cache):
        model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=3)
        return model.fit(paths(place))


def paths(place: Place) -> list[str]:
    return [str(place.images / name) for name in place.truth]


def some_labels(place: Place, unlabeled: Any, as_index: bool) -> list[Any]:
    """Every second image labeled."""
    names: list[Any] = list(place.truth.values())
    values = [CLASSES.index(name) for name in names] if as_index else names
    return [unlabeled if number % 2 else value for number, value in enumerate(values)]


def test_parameters_can_be_read_set_and_cloned(untrained: GripClassifier) -> None:
    untrained.set_params(seed=7, strategy="fpl", k=2)
    copy = clone(untrained)
    assert copy is not untrained
    assert copy.get_params() == untrained.get_params()
    assert set(copy.get_params()) >= {"class_names", "backbone", "prompt", "strategy", "preset"}
    assert not hasattr(copy, "predictor_")


@pytest.mark.parametrize("prompt", ["textual", "visual", "multimodal"])
def test_a_method_of_ones_own_is_taken_and_its_prompt_can_be_loaded(
    place: Place, tiny_clip: Path, tmp_path: Path, prompt: str
) -> None:
    own = Method(
        init="random",
        n_ctx=3,
        n_tokens=2,
        recipe=Recipe(steps=2),
        refine="auto",
        select="everything",
        refinement=Refinement(neighbours=2),
    )
    model = GripClassifier(
        CLASSES, backbone=str(tiny_clip), prompt=prompt, rounds=2, method=own
    ).fit(paths(place))
    assert clone(model).method == own
    model.save(tmp_path / "model")
    loaded = GripClassifier.load(tmp_path / "model")
    expected = model.predict_proba(paths(place))
    np.testing.assert_allclose(loaded.predict_proba(paths(place)), expected, atol=1e-6)
    (tmp_path / "model" / "class_embeds.safetensors").unlink()
    again = GripClassifier.load(tmp_path / "model").predict_proba(paths(place))
    np.testing.assert_allclose(again, expected, atol=1e-6)


def test_fit_returns_itself_and_leaves_its_parameters_alone(
    place: Place, untrained: GripClassifier
) -> None:
    before = untrained.get_params()
    assert untrained.fit(paths(place)) is untrained
    assert untrained.get_params() == before
    check_is_fitted(untrained)
    assert [done.number for done in untrained.rounds_] == [1, 2, 3]
    assert_array_equal(untrained.classes_, sorted(CLASSES))
    assert_array_equal(untrained.class_names_, CLASSES)


@pytest.mark.parametrize("as_index", [True, False])
@pytest.mark.parametrize("unlabeled", [-1, None, ""])
def test_labels_are_names_or_positions_and_unlabeled_is_minus_one_or_none(
    place: Place, untrained: GripClassifier, unlabeled: Any, as_index: bool
) -> None:
    untrained.fit(paths(place), some_labels(place, unlabeled, as_index))
    reference = clone(untrained).fit(paths(place), some_labels(place, -1, True))
    assert untrained.paradigm_ == "SSL"
    assert_array_equal(
        in_display_order(untrained, paths(place)), in_display_order(reference, paths(place))
    )


def in_display_order(model: GripClassifier, given: list[str]) -> Any:
    """Columns in the order of class_names: after positions they are already, after names they are sorted."""
    by_name = model.classes_.dtype.kind == "U"
    order = [list(model.classes_).index(name) for name in CLASSES] if by_name else [0, 1, 2, 3]
    return model.predict_proba(given)[:, order]


def test_labels_may_be_a_numpy_array(place: Place, untrained: GripClassifier) -> None:
    untrained.fit(paths(place), np.array(some_labels(place, -1, True)))
    assert untrained.paradigm_ == "SSL"
    clone(untrained).fit(paths(place), np.array(list(place.truth.values())))


def test_labels_of_some_classes_only_make_it_trzsl(place: Place, untrained: GripClassifier) -> None:
    known = [name if name in SEEN else None for name in place.truth.values()]
    untrained.fit(paths(place), known)
    assert untrained.paradigm_ == "TRZSL"
    pseudo = {int(label) for done in untrained.rounds_ for label in done.pseudolabels.labels}
    assert pseudo <= {2, 3}
    assert clone(untrained).set_params(candidates="all").fit(paths(place), known).paradigm_ == "SSL"


def test_paths_a_folder_pillow_images_and_arrays_give_the_same_answers(
    place: Place, untrained: GripClassifier
) -> None:
    opened = [Image.open(path).convert("RGB") for path in paths(place)]
    arrays = [np.asarray(image) for image in opened]
    by_path = untrained.fit(paths(place)).predict_proba(paths(place))
    for images in (place.images, str(place.images)):
        assert_array_equal(clone(untrained).fit(images).predict_proba(images), by_path)
    for images in (opened, arrays, np.stack(arrays)):
        answers = untrained.predict_proba(images)
        np.testing.assert_allclose(answers, by_path, atol=1e-3)
        assert clone(untrained).fit(images).predict(images).shape == (len(by_path),)


def test_answers_come_in_the_order_of_the_images_and_repeat_with_them(
    place: Place, fitted: GripClassifier
) -> None:
    given = paths(place)
    mixed = [given[5], given[0], given[5], given[31], given[0]]
    proba = fitted.predict_proba(given)
    assert_array_equal(fitted.predict_proba(mixed), proba[[5, 0, 5, 31, 0]])
    assert_array_equal(fitted.predict(mixed), fitted.classes_[proba.argmax(1)][[5, 0, 5, 31, 0]])
    assert proba.shape == (32, 4)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-5)


def test_score_is_the_accuracy_for_names_for_positions_and_with_weights(
    place: Place, fitted: GripClassifier
) -> None:
    given, truth = paths(place), np.array(list(place.truth.values()))
    right = fitted.predict(given) == truth
    positions = [CLASSES.index(name) for name in truth]
    assert fitted.score(given, truth.tolist()) == pytest.approx(right.mean())
    assert fitted.score(given, positions) == pytest.approx(right.mean())
    weights = np.arange(32.0)
    expected = np.average(right, weights=weights)
    assert fitted.score(given, positions, weights) == pytest.approx(expected)


def test_score_counts_no_unlabeled_image(place: Place, fitted: GripClassifier) -> None:
    given, labels = paths(place), some_labels(place, -1, True)
    right = fitted.predict(given) == list(place.truth.values())
    assert fitted.score(given, labels) == pytest.approx(right[::2].mean())


@pytest.mark.parametrize("labels", [[0], [-1] * 32, [99] * 32, ["nothing"] * 32])
def test_score_refuses_labels_that_do_not_fit(
    place: Place, fitted: GripClassifier, labels: list[Any]
) -> None:
    with pytest.raises(DataError):
        fitted.score(paths(place), labels)


def test_a_saved_classifier_answers_the_same_after_loading(
    place: Place, fitted: GripClassifier, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "saved")
    fitted.save(tmp_path / "again")
    loaded = GripClassifier.load(tmp_path / "saved")
    assert_array_equal(loaded.predict_proba(paths(place)), fitted.predict_proba(paths(place)))
    params, original = loaded.get_params(), fitted.get_params()
    assert original["engine"] == "auto"
    chosen = {**original, "engine": "torch"}  # what was chosen stays
    assert {**params, "class_names": tuple(params["class_names"])} == chosen
    for file in (tmp_path / "saved").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_loaded_classifier_keeps_the_prompt_texts_of_its_classes(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    names = ClassNames(("キズ", "良品"), ("scratch", "good part"))
    model = GripClassifier(names, backbone=str(tiny_clip), strategy="zero-shot")
    model.fit(paths(place)).save(tmp_path)
    loaded = GripClassifier.load(tmp_path)
    again = clone(loaded).fit(paths(place))
    assert_array_equal(again.predict_proba(paths(place)), model.predict_proba(paths(place)))
    assert set(loaded.predict(paths(place))) <= {"キズ", "良品"}


def test_the_folder_of_a_run_is_a_saved_classifier(place: Place, finished: Path) -> None:
    loaded = GripClassifier.load(finished)
    answers = dict(zip(place.truth, loaded.predict(paths(place)), strict=True))
    assert answers == {row["path"]: row["label"] for row in rows(finished / "predictions.csv")}


@pytest.mark.parametrize("paradigm", ["UL", "SSL", "TRZSL"])
def test_fit_learns_what_the_command_learns_from_the_same_data(
    place: Place, tiny_clip: Path, tmp_path: Path, paradigm: str
) -> None:
    labels = place.labels(paradigm)
    outcome = run(project(place, tiny_clip, tmp_path / "run", labels=labels))
    pool = [path for path in place.truth if path not in place.test_paths]
    known = {row["path"]: row["label"] for row in rows(labels)} if labels else {}
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=3)
    model.fit([str(place.images / path) for path in pool], [known.get(path) for path in pool])
    by_class = GripClassifier.load(outcome.folder).predict_proba(paths(place))
    assert_array_equal(model.predict_proba(paths(place)), by_class)


def test_before_fit_every_question_is_refused(untrained: GripClassifier, tmp_path: Path) -> None:
    for ask in (untrained.predict, untrained.predict_proba, untrained.save):
        with pytest.raises(NotFittedError, match="Call fit"):
            ask(tmp_path)
    with pytest.raises(NotFittedError):
        untrained.score([], [])


def test_a_model_that_knows_nothing_of_the_classes_is_said_in_a_warning(
    place: Place, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.trust.knowledge import Finding

    classifier = GripClassifier(CLASSES, backbone=str(tiny_clip), strategy="zero-shot")
    found = (Finding("alike", {}),)
    monkeypatch.setattr("clipgrip.estimator.guesses.knowledge", lambda *_: found)
    with pytest.warns(UserWarning, match=r"take its answers for guesses\. .* as y\.$"):
        classifier.fit(paths(place))
    monkeypatch.setattr("clipgrip.estimator.guesses.labels_teach", lambda *_: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(paths(place))
    monkeypatch.undo()
    monkeypatch.setattr("clipgrip.estimator.guesses.knowledge", lambda *_: ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(paths(place))


def test_labels_for_a_folder_are_refused(place: Place, untrained: GripClassifier) -> None:
    with pytest.raises(DataError, match="not with a folder"):
        untrained.fit(place.images, [0, 1])


def test_labels_of_another_length_or_of_no_class_are_refused(
    place: Place, untrained: GripClassifier
) -> None:
    for labels in ([0], [4] * 32, [-2] * 32, ["scrach"] * 32):
        with pytest.raises(DataError):
            untrained.fit(paths(place), labels)


def test_an_image_that_cannot_be_decoded_is_named(
    place: Place, fitted: GripClassifier, untrained: GripClassifier, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(Path(paths(place)[0]).read_bytes()[:700])
    with pytest.raises(DataError, match=r"1 of 2 images cannot be decoded: .*bad\.png"):
        fitted.predict([paths(place)[0], str(bad)])
    with pytest.raises(DataError, match=r"gone\.png cannot be read"):
        fitted.predict([str(tmp_path / "gone.png")])
    with pytest.warns(UserWarning, match="cannot be used") as said:
        untrained.fit([*paths(place), str(bad)])
    assert [issue.reason for issue in untrained.issues_] == ["corrupt"]
    (lost,) = [str(one.message) for one in said if "cannot be used" in str(one.message)]
    assert lost.startswith(f"1 of {len(paths(place)) + 1} images cannot be used and are left out: ")
    assert "bad.png (" in lost
    assert lost.endswith("issues_ has all of them: path, reason and detail.")


def test_many_lost_pictures_of_a_folder_are_one_warning_and_what_was_never_a_picture_none(
    place: Place, untrained: GripClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipgrip.estimator.guesses.knowledge", lambda *_: ())
    for path in paths(place):
        copy(path, tmp_path / Path(path).name)
    (tmp_path / "notes.txt").write_text("by hand", "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        untrained.fit(tmp_path)
    for number in range(7):
        (tmp_path / f"empty{number}.png").touch()
    with pytest.warns(UserWarning, match="7 of 39 images .* and 2 more") as said:
        untrained.fit(tmp_path)
    assert len(said) == 1
    assert untrained.issues_.tally() == "7 empty-file, 1 not-an-image"


def test_an_empty_list_has_no_answers(fitted: GripClassifier) -> None:
    assert fitted.predict_proba([]).shape == (0, 4)
    assert fitted.predict([]).shape == (0,)


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("strategy", "gripp", ConfigError),
        ("preset", "papr", ConfigError),
        ("prompt", "acoustic", ConfigError),
        ("seed", -1, ConfigError),
        ("rounds", 0, ConfigError),
        ("k", 0, ConfigError),
        ("template", "no place", ConfigError),
        ("template", "{} comes first", ConfigError),
        ("backbone", "nanno", BackboneError),
        ("class_names", ["one"], DataError),
        ("class_names", ["a", "a"], DataError),
        ("class_names", ["a", "word " * 90], PromptError),
    ],
)
def test_parameters_that_are_not_allowed_are_refused_in_fit(
    place: Place, untrained: GripClassifier, parameter: str, value: Any, error: type[ClipgripError]
) -> None:
    untrained.set_params(**{parameter: value})
    with pytest.raises(error):
        untrained.fit(paths(place))


def test_a_folder_without_a_prompt_and_a_damaged_prompt_are_refused(
    fitted: GripClassifier, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        GripClassifier.load(tmp_path)
    fitted.save(tmp_path)
    data = bytearray((tmp_path / "prompt.safetensors").read_bytes())
    data[-3] ^= 1
    (tmp_path / "prompt.safetensors").write_bytes(data)
    with pytest.raises(PromptError, match="damaged"):
        GripClassifier.load(tmp_path)


def test_an_image_in_memory_is_labeled_without_a_file(fitted: GripClassifier) -> None:
    assert fitted.predict([picture(77), np.asarray(picture(78))[..., 0]]).shape == (2,)
