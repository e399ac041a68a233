"""The classifier as an object: cloned, copied, pickled, seeded, shown in a notebook and as a table."""

from __future__ import annotations

import builtins
import copy
import io
import pickle
import re
from html import escape
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from projects import CLASSES, Place
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import GripClassifier, Method
from clipgrip.errors import ConfigError, DataError, MissingPackage, RunError

pytestmark = pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning")


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors()


@pytest.fixture(scope="module")
def on_images(place: Place, tiny_clip: Path, shared_cache: Path) -> GripClassifier:
    from projects import quick

    with quick(shared_cache):
        model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=2)
        return model.fit([str(place.images / name) for name in place.truth])


def by_joblib(model: GripClassifier) -> Any:
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_answers_the_same_and_holds_no_model(
    place: Place, on_images: GripClassifier, given: Vectors, way: str
) -> None:
    paths = [str(place.images / name) for name in place.truth]
    expected = on_images.predict_proba(paths)
    assert on_images.predictor_.backbone is not None
    copied = COPIES[way](on_images)
    assert "backbone" not in vars(copied.predictor_)
    assert_array_equal(copied.predict_proba(paths), expected)
    assert [done.number for done in copied.rounds_] == [1, 2]
    assert on_images.rounds_[0].learner is not None
    model = on_texts(given).fit(given.X)
    assert_array_equal(COPIES[way](model).predict(given.X), model.predict(given.X))


def test_a_pickle_is_small(on_images: GripClassifier) -> None:
    assert len(pickle.dumps(on_images)) < 100_000


def test_class_embeds_are_a_parameter_like_any_other(given: Vectors) -> None:
    model = on_texts(given)
    assert model.get_params()["class_embeds"] is given.class_embeds
    copied = clone(model)
    assert_array_equal(copied.class_embeds, given.class_embeds)
    assert_array_equal(
        copied.fit(given.X).predict_proba(given.X), model.fit(given.X).predict_proba(given.X)
    )


def test_random_state_is_scikit_learns_name_for_the_seed(given: Vectors) -> None:
    options = {"preset": "paper", "k": 4}  # batches are drawn
    seeded = on_texts(given, seed=5, **options).fit(given.X).predict_proba(given.X)
    stated = on_texts(given, random_state=5, **options).fit(given.X).predict_proba(given.X)
    assert_array_equal(seeded, stated)
    source = np.random.RandomState(0)
    assert on_texts(given, random_state=source).fit(given.X).random_state is source
    with pytest.raises(ConfigError, match="seed = -1"):
        on_texts(given, random_state=-1).fit(given.X)


def test_a_classifier_can_be_fitted_again_on_something_else(
    place: Place, given: Vectors, tiny_clip: Path, quick: object
) -> None:
    model = on_texts(given).fit(given.X)
    model.set_params(class_names=CLASSES, backbone=str(tiny_clip), class_embeds=None)
    model.fit(place.images)
    assert not hasattr(model, "n_features_in_")
    assert model.predict(place.images).shape == (32,)
    model.set_params(class_names=NAMES, backbone="embeddings", class_embeds=given.class_embeds)
    assert model.fit(given.X).predict(given.X).shape == (60,)
    assert model.predictor_ is None


def test_before_fit_embeddings_are_refused_too(given: Vectors) -> None:
    for ask in (on_texts(given).predict, on_texts(given).predict_proba, on_texts(given).to_frame):
        with pytest.raises(NotFittedError, match="Call fit"):
            ask(given.X)


def test_a_classifier_of_embeddings_says_how_it_is_kept(given: Vectors, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"joblib\.dump"):
        on_texts(given).fit(given.X).save(tmp_path)


def test_a_table_of_answers_names_images_and_classes(
    place: Place, on_images: GripClassifier
) -> None:
    paths = [str(place.images / name) for name in place.truth]
    table = on_images.to_frame(paths, probabilities=True)
    assert list(table) == ["path", "label", "confidence", *(f"p({name})" for name in CLASSES)]
    assert table["path"].tolist() == paths
    assert_array_equal(table["label"], on_images.predict(paths))
    proba = on_images.predict_proba(paths)
    assert_array_equal(table["confidence"], proba.max(1))
    assert_array_equal(table[[f"p({name})" for name in on_images.classes_]], proba)
    assert list(on_images.to_frame(place.images)) == ["path", "label", "confidence"]
    assert on_images.to_frame(place.images)["path"][0] == "part 00.png"


def test_a_table_of_answers_keeps_the_index_and_speaks_of_names(given: Vectors) -> None:
    rows = pd.DataFrame(given.X, index=range(100, 160))
    model = on_texts(given).fit(rows.to_numpy(), given.positions)
    table = model.to_frame(rows)
    assert list(table) == ["label", "confidence"]
    assert_array_equal(table.index, rows.index)
    assert set(table["label"]) == set(NAMES)


def test_a_table_without_pandas_says_how_to_get_it(
    given: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, real = on_texts(given).fit(given.X), builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage, match="pip install pandas"):
        model.to_frame(given.X)


def test_a_notebook_shows_the_classes_and_every_name_is_escaped(given: Vectors) -> None:
    names = ("<script>alert(1)</script>", "three", "one & two")
    model = on_texts(given, class_names=names)
    before = model._repr_mimebundle_()["text/html"]
    assert "columns" not in re.sub("<style>.*?</style>", "", before, flags=re.DOTALL)
    model.fit(given.X)
    for shown in (model._repr_mimebundle_()["text/html"], model._repr_html_()):
        assert "3 classes, in the order of predict_proba's columns" in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<script>alert" not in shown
        assert "one &amp; two" in shown
    with sklearn.config_context(display="text"):
        assert not hasattr(model, "_repr_html_")


@pytest.mark.parametrize(
    "name", ["prompt.safetensors", "class_embeds.safetensors", "head.safetensors"]
)
def test_save_replaces_what_it_saved_and_no_file_of_anybody_else(
    on_images: GripClassifier, tmp_path: Path, name: str
) -> None:
    on_images.save(tmp_path / "model")
    on_images.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    (tmp_path / "model" / name).write_bytes(b"mine")
    with pytest.raises(RunError, match=f"{name} is there already.*Save into another folder"):
        on_images.save(tmp_path / "model")
    found = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert found == {**before, name: b"mine"}


def test_save_into_a_file_a_link_or_the_folder_of_a_run_is_refused(
    on_images: GripClassifier, finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(RunError, match="is a file"):
        on_images.save(tmp_path / "file")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "prompt.safetensors").symlink_to(tmp_path / "file")
    with pytest.raises(RunError, match="is there already"):
        on_images.save(tmp_path / "model")
    assert (tmp_path / "file").read_bytes() == b"mine"
    run = (finished / "prompt.safetensors").read_bytes()
    with pytest.raises(RunError, match="is there already"):
        on_images.save(finished)
    assert (finished / "prompt.safetensors").read_bytes() == run


@pytest.mark.usefixtures("quick")
def test_a_classifier_saved_without_labels_leaves_no_head_of_an_earlier_one(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    items = [str(place.images / path) for path in place.truth]
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1)
    model.fit(items, list(place.truth.values())).save(tmp_path)
    assert (tmp_path / "head.safetensors").is_file()
    model.set_params(strategy="zero-shot").fit(items).save(tmp_path)
    assert not (tmp_path / "head.safetensors").exists()
    assert GripClassifier.load(tmp_path).predictor_ is not None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"strategy": "fpl", "rounds": 10}, '1 of 10 rounds: the strategy "fpl" has no more'),
        ({"strategy": "zero-shot", "rounds": 3}, "none of 3 rounds"),
        (
            {"method": Method(stop_below=1.0), "rounds": 5},
            "2 of 5 rounds: in one of them fewer than 100%",
        ),
        ({"method": Method(stop_below=0.0, stop=()), "rounds": 2}, ""),
    ],
)
def test_a_fit_says_why_it_ran_fewer_rounds_than_were_asked_for(
    given: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = vectors()
    model = on_texts(known, verbose=1, **given).fit(known.X)
    assert model.rounds_reason_.startswith(reason)
    assert bool(model.rounds_reason_) == bool(reason)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" of ")[0] for line in lines[: len(model.rounds_)]] == [
        f"round {done.number}" for done in model.rounds_
    ]
    assert lines[len(model.rounds_) :] == ([model.rounds_reason_] if reason else [])
    shown = escape(model.rounds_reason_)
    assert shown in model._repr_html_()
    assert pickle.loads(pickle.dumps(model)).rounds_reason_ == model.rounds_reason_


def test_a_fit_on_labels_alone_says_that_no_round_was_run() -> None:
    known = vectors()
    model = GripClassifier(backbone="embeddings", rounds=10).fit(known.X, known.y)
    assert model.rounds_ == []
    assert "labels alone" in model.rounds_reason_
