"""clipgrip compare lines runs up by content, joins them, and refuses what does not belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from projects import Place, command, project, rows

from clipgrip.runs import comparison
from clipgrip.runs.comparison import compare
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.types import Labels, Probs


@pytest.fixture
def two(
    place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Path, Path]:
    """A zero-shot run and a tuned one over the same images."""
    quick.chdir(tmp_path)
    for name, strategy in (("first", "zero-shot"), ("second", "fpl")):
        run(project(place, tiny_clip, tmp_path / name, strategy=strategy))
    return tmp_path / "first", tmp_path / "second"


def test_the_table_has_each_run_and_each_consensus(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "compare", *two, "--out", "both.csv")
    assert told.code == 0, told.err
    for words in ("first ", "second ", "geometric mean", "Dawid-Skene", "32 images in common"):
        assert words in told.out
    assert "err alike" in told.out
    written = rows(Path("both.csv"))
    assert len(written) == 32
    assert list(written[0]) == [
        "path", "consensus", "confidence", "disagreement", "first", "second",
    ]  # fmt: skip
    signals = [float(row["disagreement"]) for row in written]
    assert signals == sorted(signals, reverse=True)


def test_images_with_different_answers_are_the_doubtful_ones_however_unsure_all_runs_are() -> None:
    first = torch.tensor([[0.52, 0.48], [0.52, 0.48], [0.99, 0.01], [0.51, 0.49]])
    second = torch.tensor([[0.48, 0.52], [0.55, 0.45], [0.51, 0.49], [0.40, 0.60]])
    compared = comparison.Comparison(
        names=("a", "b"),
        families=("one", "other"),
        classes=("cat", "dog"),
        paths=("1", "2", "3", "4"),
        ballots=torch.stack([first, second]),
        truth=torch.full((4,), -1),
        left_out=0,
    )
    assert compared.doubtful == 2
    assert (compared.disagreement >= comparison.DOUBTFUL).tolist() == [True, False, False, True]
    disagreeing = [1 - one.agreement for one in compared.answerers[:2]]
    assert compared.doubtful == sum(4 * share for share in disagreeing), "each is one run's own"


def test_json_has_the_runs_own_accuracy(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(command(capsys, "compare", *two, "--json").out)
    for folder, answerer in zip(two, told["answerers"], strict=False):
        known = json.loads((folder / "metrics.json").read_text("utf-8"))["final"]["test"]
        assert answerer["tested"] == known["n"]
        assert answerer["accuracy"] == pytest.approx(known["accuracy"])


def test_other_class_orders_and_paths_are_lined_up(
    two: tuple[Path, Path], place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(place.folder, moved)
    names = (moved / "classes.txt").read_text().split("\n")[:-1]
    (moved / "classes.txt").write_text("\n".join(reversed(names)) + "\n")
    other = Place(moved, place.truth)
    run(project(other, tiny_clip, tmp_path / "third", strategy="zero-shot"))
    compared = compare([reopen(two[0]), reopen(tmp_path / "third")])
    assert compared.left_out == 0
    assert compared.disagreement.max() < 1e-3
    assert [a.accuracy for a in compared.answerers[:1]] == [compared.answerers[1].accuracy]


def test_other_classes_are_refused(
    two: tuple[Path, Path],
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    classes = tmp_path / "others.txt"
    classes.write_text("scratch\ndent\ngood part\nsteel\nrust\n")
    run(project(place, tiny_clip, tmp_path / "third", strategy="zero-shot", classes=classes))
    told = command(capsys, "compare", two[0], tmp_path / "third")
    assert told.code == 2
    assert "different classes: rust" in told.err
    assert "encoding images" not in told.err, "before any image is encoded"


def test_of_many_differing_classes_the_first_are_named_and_the_others_counted(
    two: tuple[Path, Path],
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Found by a reader: the list ended after five names as if there were no more."""
    classes = tmp_path / "others.txt"
    more = "\n".join(f"more {number}" for number in range(7))
    classes.write_text(f"scratch\ndent\ngood part\nsteel\n{more}\n")
    run(project(place, tiny_clip, tmp_path / "third", strategy="zero-shot", classes=classes))
    told = command(capsys, "compare", two[0], tmp_path / "third")
    assert "more 0, more 1, more 2, more 3, more 4 and 2 more stand in one" in told.err
    told = command(capsys, "--lang", "ja", "compare", two[0], tmp_path / "third")
    assert "more 3、more 4、ほか2件" in told.err


def test_a_run_is_not_compared_with_itself(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for again in (two[0], two[0] / ".." / "first"):
        told = command(capsys, "compare", *two, again)
        assert told.code == 2
        assert "first was given twice" in told.err
        assert "Give each run once" in told.err


def test_one_run_alone_is_refused(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "compare", two[0])
    assert told.code == 2
    assert "two or more" in told.err


def test_enough_shared_test_images_calibrate_every_run_before_it_votes(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def flat(probs: Probs, labels: Labels) -> Probs:
        asked.append(int((labels >= 0).sum()))
        return torch.full_like(probs, 1 / probs.shape[1])

    assert "25 shared test images mend it" in command(capsys, "compare", *two).out
    monkeypatch.setattr(comparison, "ENOUGH", 2)
    monkeypatch.setattr(comparison, "calibrated", flat)
    told = json.loads(command(capsys, "compare", *two, "--json").out)
    tested = told["answerers"][0]["tested"]
    assert told["calibrated_by"] == tested > 2
    assert asked == [tested] * 2
    assert {row["disagreement"] for row in rows(Path("comparison.csv"))} == {"0.000000"}


@pytest.fixture
def config(place: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project file that needs no option."""
    quick.chdir(tmp_path)
    values = project(place, tiny_clip, tmp_path / "out", strategy="fpl").model_dump(mode="json")
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    toml = tmp_path / "project.toml"
    toml.write_text(
        "\n".join(f"{key} = {json.dumps(value)}" for key, value in texts.items()), "utf-8"
    )
    return toml


def test_a_project_is_run_in_several_ways_and_compared_in_one_command(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = ("--config", config, "--prompt", "textual", "--prompt", "visual", "--json")
    told = command(capsys, "compare", *ways)
    assert told.code == 0, told.err
    names = [one["name"] for one in json.loads(told.out)["answerers"]]
    assert names[:2] == ["out-textual", "out-visual"]
    assert "pseudolabels" in told.err
    for name in names[:2]:
        assert (config.parent / name / "predictions.csv").is_file()
    again = command(capsys, "compare", *ways)
    assert again.out == told.out
    assert "pseudolabels" not in again.err  # opened, not run again
    with_another = command(
        capsys, "compare", "out-visual", "--config", config, "--backbone", place_of(config)
    )
    assert with_another.code == 0, with_another.err
    assert "out-visual" in with_another.out


def place_of(config: Path) -> str:
    """The backbone's folder as the project file has it."""
    line = next(
        line for line in config.read_text("utf-8").splitlines() if line.startswith("backbone")
    )
    return str(json.loads(line.partition(" = ")[2]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "there is nothing to compare"),
        (["--config", "project.toml"], "one run alone cannot be compared"),
        (
            ["--config", "project.toml", "--prompt", "visual", "--prompt", "visual"],
            "two of these runs would be in",
        ),
        (
            ["--config", "project.toml", "--prompt", "wave", "--prompt", "visual"],
            '--prompt "wave" is not known',
        ),
        (["--config", "gone.toml", "--prompt", "visual"], "gone.toml cannot be read"),
        (["out", "--prompt", "visual"], "Add --config project.toml"),
        (["gone", "--config", "project.toml"], "gone holds no run"),
        (
            ["--config", "project.toml", "--backbone", "nano", "--backbone", "no/such"],
            "models add such",
        ),
    ],
)
def test_ways_that_cannot_be_compared_are_refused_before_anything_runs(
    config: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "compare", *arguments)
    assert told.code == 2
    assert words in told.err
    assert [path.name for path in config.parent.iterdir()] == ["project.toml"]
