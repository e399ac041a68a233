"""A model copied by hand is checked, copied whole, and then found by its name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from projects import command
from safetensors.torch import load_file, save_file
from zoo import ZOO

from clipgrip.backbone import registry
from clipgrip.backbone.checkpoint import Checkpoint
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.model_import import add_model
from clipgrip.backbone.model_store import added_folder, added_models, models_root, remove_model
from clipgrip.errors import BackboneError
from clipgrip.files import part_name

NAME = "openai/clip-vit-base-patch32"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLIPGRIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_clip, tmp_path / "brought"))


def test_an_added_model_is_found_by_its_hub_name_without_a_connection(folder: Path) -> None:
    made = add_model(folder, NAME)
    shutil.rmtree(folder)
    backbone = registry.load_backbone(NAME)
    assert backbone.fingerprint == made.model.fingerprint
    assert backbone.text.encode_texts(["cat"]).shape == (1, backbone.embed_dim)
    status = {model.name: model for model in registry.models()}
    assert status[NAME].folder == made.model.folder


def test_without_a_name_it_is_called_as_its_folder_and_listed(folder: Path) -> None:
    add_model(folder)
    assert [model.name for model in added_models()] == ["brought"]
    assert registry.models()[-1].name == "brought"
    assert registry.load_backbone("brought").embed_dim == 24
    with pytest.raises(BackboneError, match='Did you mean "brought"'):
        registry.find_folder("brougt")


def test_only_what_is_needed_is_copied_and_what_can_run_code_is_named(folder: Path) -> None:
    for name in ("pytorch_model.bin", "modeling_own.py", "README.md", "optimizer.pt"):
        (folder / name).write_text("anything")
    made = add_model(folder)
    assert made.left == ("modeling_own.py", "optimizer.pt", "pytorch_model.bin")
    copied = {path.name for path in made.model.folder.iterdir()}
    expected = {"config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"}
    assert copied == expected | {"tokenizer_config.json", "clipgrip.json"}


def test_links_are_followed_as_in_the_hubs_cache(folder: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
    made = add_model(linked)
    assert not any(path.is_symlink() for path in made.model.folder.iterdir())
    assert Checkpoint.open(made.model.folder).fingerprint() == made.model.fingerprint


def test_weights_in_several_files_come_with_their_index(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {
        "model-00001-of-2.safetensors": names[::2],
        "model-00002-of-2.safetensors": names[1::2],
    }
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    made = add_model(folder)
    assert ClipBackbone("split", made.model.folder).fingerprint == made.model.fingerprint


@pytest.mark.parametrize("name", ["siglip", "chinese-clip", "dual-encoder"])
def test_models_of_other_families_are_added_too(name: str, tmp_path: Path) -> None:
    made = add_model(ZOO[name](tmp_path / name), f"some/{name}")
    assert ClipBackbone(name, made.model.folder).text.encode_texts(["cat"]).shape[0] == 1


def test_a_folder_of_nothing_is_told_all_that_either_kind_of_model_needs(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackboneError, match=r"config\.json is missing.* tokenizer\.json"):
        add_model(tmp_path / "empty")


def test_only_a_pickle_is_refused_with_the_command_that_converts_it(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        BackboneError, match=r"pytorch_model.bin.*never opened.*\n.*save_pretrained"
    ):
        add_model(folder, NAME)
    assert added_models() == []


def test_a_damaged_model_is_found_when_it_is_added_and_leaves_nothing(
    folder: Path, root: Path
) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"] = torch.full_like(
        weights["text_projection.weight"], torch.nan
    )
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BackboneError, match=r"text tower.*copy the model again"):
        add_model(folder)
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:900])
    with pytest.raises(BackboneError, match="Copy the model again"):
        add_model(folder)
    assert not root.exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_copy_that_fails_leaves_nothing_behind(
    call: str, folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(BackboneError, match=r"No space left on device.*CLIPGRIP_MODELS"):
        add_model(folder)
    monkeypatch.undo()
    assert list(root.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_copied(
    folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BackboneError, match="GB free"):
        add_model(folder)
    assert list(root.iterdir()) == []


def test_what_a_killed_copy_left_is_never_found_and_goes_with_the_next_one_that_of_a_living_stays(
    folder: Path, root: Path
) -> None:
    living = Path(part_name(root))
    dead = root / living.name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")  # beyond all numbers
    for path in (living, dead, root / "models--torn"):
        path.mkdir(parents=True)
    (dead / "half").write_bytes(b"weights")
    add_model(folder)
    assert {path.name for path in root.iterdir()} == {
        living.name,
        "models--torn",
        "models--brought",
    }
    assert [model.name for model in added_models()] == ["brought"]
    assert added_folder("torn") is None


def test_the_same_model_may_be_added_again_another_one_not(folder: Path) -> None:
    assert add_model(folder, NAME) == add_model(folder, NAME)
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    with pytest.raises(BackboneError, match=r"there already.*--name.*models remove"):
        add_model(folder, NAME)


@pytest.mark.parametrize(
    "name", ["nano", "Nano", "../up", "a/b/c", "a--b", ".hidden", "a b", "x/", "a/..b"]
)
def test_a_name_that_cannot_be_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(BackboneError, match=r"cannot be called.*one slash"):
        add_model(folder, name)


@pytest.mark.parametrize("name", ["x", "x/y", "a/clip-1"])
def test_a_name_may_be_short(name: str, folder: Path) -> None:
    assert add_model(folder, name).model.name == name


def test_a_removed_model_is_gone_and_an_unknown_one_lists_the_others(folder: Path) -> None:
    made = add_model(folder, "own/model")
    with pytest.raises(BackboneError, match=r"Added are: own/model.*Did you mean"):
        remove_model("own/modle")
    assert remove_model("own/model") == made.model.folder
    assert added_models() == []
    assert list(models_root().iterdir()) == []


def test_the_commands_say_fingerprint_folder_and_what_is_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pytorch_model.bin").write_text("anything")
    told = command(capsys, "models", "add", folder, "--name", NAME)
    assert told.code == 0, told.err
    fingerprint = added_models()[0].fingerprint
    for words in (fingerprint, f"--backbone {NAME}", "not copied   pytorch_model.bin"):
        assert words in told.out
    assert f"{NAME:<37}  here" in command(capsys, "models").out
    assert "removed" in command(capsys, "models", "remove", NAME).out
    gone = command(capsys, "models", "remove", NAME)
    assert (gone.code, "Added are: none" in gone.err) == (2, True)


def test_doctor_finds_a_model_that_changed_since_it_was_added(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = add_model(folder)
    config = made.model.folder / "config.json"
    config.write_text(config.read_text() + "\n")
    told = command(capsys, "doctor")
    assert told.code == 1
    assert "brought: changed since it was added" in told.out
