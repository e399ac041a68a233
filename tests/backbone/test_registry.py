"""Names become folders on this machine, and nothing is fetched unasked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from clipgrip.backbone import registry
from clipgrip.errors import BackboneError

NAME = "openai/clip-vit-base-patch32"


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache; any download fails the test."""
    import huggingface_hub
    import huggingface_hub.constants

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.delenv(registry.ONLINE_VARIABLE, raising=False)
    return tmp_path / "hub"


def put_into_cache(cache: Path, source: Path, revision: str, main: bool) -> Path:
    model = cache / f"models--{NAME.replace('/', '--')}"
    folder = model / "snapshots" / revision
    shutil.copytree(source, folder)
    if main:
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text(revision)
    return folder


def test_a_folder_is_loaded(tiny_clip: Path) -> None:
    assert registry.load_backbone(str(tiny_clip)).embed_dim == 24


def test_a_model_that_is_not_here_says_how_to_bring_it() -> None:
    with pytest.raises(BackboneError) as raised:
        registry.load_backbone(NAME)
    assert f"hf download {NAME}" in str(raised.value)
    assert "CLIPGRIP_ONLINE=1" in str(raised.value)


def test_a_cached_model_is_found_by_its_main_revision(hub_cache: Path, tiny_clip: Path) -> None:
    put_into_cache(hub_cache, tiny_clip, "0older", main=False)
    folder = put_into_cache(hub_cache, tiny_clip, "1main", main=True)
    assert registry.find_folder(NAME) == folder
    assert registry.load_backbone(NAME).name == NAME


def test_a_revision_with_safetensors_is_preferred_to_a_main_one_without(
    hub_cache: Path, tiny_clip: Path
) -> None:
    main = put_into_cache(hub_cache, tiny_clip, "0main", main=True)
    (main / "model.safetensors").rename(main / "pytorch_model.bin")
    converted = put_into_cache(hub_cache, tiny_clip, "1converted", main=False)
    assert registry.find_folder(NAME) == converted


def test_a_pinned_revision_is_taken_and_no_other(hub_cache: Path, tiny_clip: Path) -> None:
    put_into_cache(hub_cache, tiny_clip, "a" * 40, main=True)
    pinned = put_into_cache(hub_cache, tiny_clip, "b" * 40, main=False)
    named = pinned.parents[1] / "refs" / "refs" / "pr" / "7"
    named.parent.mkdir(parents=True)
    named.write_text("b" * 40)
    for revision in ("b" * 40, "refs/pr/7"):
        backbone = registry.load_backbone(f"{NAME}@{revision}")
        assert (backbone.name, backbone.revision) == (f"{NAME}@{revision}", "b" * 40)
    assert registry.load_backbone(NAME).revision == "a" * 40
    with pytest.raises(BackboneError, match=rf"(?s){NAME}@v1 is not .*--revision v1") as raised:
        registry.find_folder(f"{NAME}@v1")
    assert "clipgrip models add" in str(raised.value)
    with pytest.raises(BackboneError, match="neither a folder nor a model"):
        registry.find_folder(f"{NAME}@../../etc")


def test_a_folder_has_no_revision(tiny_clip: Path) -> None:
    assert registry.load_backbone(str(tiny_clip)).revision is None


def test_a_model_that_is_only_a_pickle_everywhere_comes_with_the_command_that_converts_it(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    pickled = Path(shutil.copytree(tiny_clip, tmp_path / "pickled"))
    (pickled / "model.safetensors").unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(pickled))
    monkeypatch.setattr(huggingface_hub, "get_repo_discussions", lambda *a, **k: iter([]))
    with pytest.raises(BackboneError, match=r"no safetensors weights.*\n.*save_pretrained"):
        registry.load_backbone(NAME, online=True)
    with pytest.raises(BackboneError, match="@v1 has no safetensors"):
        registry.load_backbone(f"{NAME}@v1", online=True)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_online_fetches_the_hubs_conversion_where_main_is_a_pickle(
    how: str, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    pickled = Path(shutil.copytree(tiny_clip, tmp_path / "pickled"))
    (pickled / "model.safetensors").unlink()
    asked = []

    def fake_download(name: str, allow_patterns: list[str], revision: str | None = None) -> str:
        assert not any("bin" in pattern for pattern in allow_patterns)
        asked.append((name, revision))
        return str(pickled if revision is None else tiny_clip)

    class Request:
        status, git_reference = "open", "refs/pr/7"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake_download)
    monkeypatch.setattr(huggingface_hub, "get_repo_discussions", lambda *a, **k: iter([Request]))
    if how == "environment":
        monkeypatch.setenv(registry.ONLINE_VARIABLE, "1")
    backbone = registry.load_backbone(NAME, online=True if how == "argument" else None)
    assert backbone.name == NAME
    assert asked == [(NAME, None), (NAME, "refs/pr/7")]


def test_a_failed_download_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(BackboneError, match=r"cannot be fetched.*no route to host"):
        registry.load_backbone(NAME, online=True)


@pytest.mark.parametrize("name", ["nanoo", "clip", "./no/such/folder", "a/b/c", "../up"])
def test_a_name_that_means_nothing_lists_the_known_ones(name: str) -> None:
    with pytest.raises(BackboneError, match=NAME):
        registry.find_folder(name)


def test_a_misspelt_name_is_corrected() -> None:
    with pytest.raises(BackboneError, match='Did you mean "nano"'):
        registry.find_folder("nanoo")


def test_the_list_of_models_says_which_are_here_and_how_large(
    hub_cache: Path, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_nano_folder", lambda: tiny_clip)
    put_into_cache(hub_cache, tiny_clip, "main", main=True)
    status = {model.name: model for model in registry.models()}
    assert status[NAME].folder is not None
    assert status[NAME].megabytes == 1
    assert status["nano"].folder == tiny_clip
    absent = status["openai/clip-vit-large-patch14"]
    assert (absent.folder, absent.megabytes) == (None, 1711)
