"""A promise at work: a daily audit watches it, it falls by itself, and only a new audit brings it back."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from projects import CLASSES, Place, Told, command, picture, project, rows

from clipgrip.report.board.figures import figures
from clipgrip.report.board.from_review import board_facts
from clipgrip.report.board.from_run import BoardRequest, kept_promise
from clipgrip.report.board.notes import sources
from clipgrip.report.board.results import Results
from clipgrip.report.board.verdict import withdrawn_text
from clipgrip.review.deciding import standing_at_work
from clipgrip.runs.audit_store import StoredPromise, add_promise
from clipgrip.runs.pipeline import run as run_of
from clipgrip.runs.promised import AUTOMATION
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import bundled_promise, standing
from clipgrip.runs.watch.store import open_watch
from clipgrip.runs.watch.upholding import run_scopes, upheld
from clipgrip.sentences import quoted
from clipgrip.trust.terms import Terms
from clipgrip.words import Language, Words
from clipgrip_line.promises import Promise

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def line(tmp_path: Path) -> Path:
    (tmp_path / "line").mkdir()
    return tmp_path / "line"


def promise(run: Path, audit: str = "a1", threshold: float = 0.0, **more: Any) -> None:
    """As ``audit automate`` stores it, for every answer."""
    scope = {"group": "all", "threshold": threshold, "images": 9, "audited": 9, "wrong": 0}
    facts = {"max_error": 0.05, "confidence": 0.95, "about": "delivered", "scopes": [scope]}
    with open_store(run) as store:
        stored = store.run()
        assert stored is not None
        said = StoredPromise(audit, "Sato", "2026-01-01T00:00:00+00:00", facts | more)
        add_promise(store, stored.id, said)


def bring(line: Path, seeds: range) -> None:
    for seed in seeds:
        picture(seed, 50 * (seed % 4)).save(line / f"{seed:05d}.png")


def watch(capsys: Any, run: Path, line: Path) -> Told:
    return command(capsys, "watch", run, line, "--out", run.parent / "p.csv")


def day(capsys: Any, run: Path, line: Path, seeds: range, *, right: bool, draw: int = 20) -> Told:
    """New images, a draw, and a person who finds the model right, or wrong on all of them."""
    bring(line, seeds)
    watch(capsys, run, line)
    sheet = run.parent / f"daily-{seeds.start}.csv"
    drawn = command(capsys, "audit", "draw", run, "--daily", draw, "--out", sheet)
    assert drawn.code == 0, drawn.err
    fill(run, sheet, right=right)
    return command(capsys, "audit", "read", run, "--answers", sheet, "--by", "Sato")


def fill(run: Path, sheet: Path, *, right: bool, most: int = 99) -> None:
    answers = {Path(row["path"]).name: row["label"] for row in rows(run.parent / "p.csv")}
    cells = rows(sheet)
    for n, row in enumerate(cells):
        label = answers[Path(row["path"]).name]
        other = next(name for name in ("dent", "steel") if name != label)
        row["answer"] = (label if right else other) if n < most else ""
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, cells[0])
        writer.writeheader()
        writer.writerows(cells)


def test_a_promise_that_holds_stands_and_one_that_breaks_is_withdrawn_by_itself(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    good = day(capsys, run, line, range(1000, 1030), right=True)
    assert good.code == 0, good.err
    assert "stands; 0 of 20 daily answers wrong" in good.out
    (run / AUTOMATION).write_text("path,decided_by\n")
    bad = day(capsys, run, line, range(2000, 2030), right=False)
    assert bad.code == 1
    assert f"{run / AUTOMATION} was written before and still names the model" in bad.out
    assert "withdrawn on" in bad.out
    assert "a promise was withdrawn, so its images go to people" in bad.out
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"model"}
    after = watch(capsys, run, line)
    assert "×" in after.out
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"person"}
    assert "people to decide" in after.err
    shutil.rmtree(run.parent / "p.csv", ignore_errors=True)
    predicted = command(capsys, "predict", run, line, "--out", run.parent / "q.csv")
    assert predicted.code == 0
    assert {row["decided_by"] for row in rows(run.parent / "q.csv")} == {"person"}
    japanese = command(capsys, "watch", "status", run, "--lang", "ja")
    assert "取り消し" in japanese.out


def test_right_answers_do_not_bring_a_withdrawn_promise_back_but_a_new_audit_does(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    day(capsys, run, line, range(1000, 1030), right=False)
    day(capsys, run, line, range(2000, 2030), right=True)
    promise(run)  # from the answers of the same audit
    watch(capsys, run, line)
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"person"}
    assert "until a new audit promises anew" in command(capsys, "watch", "status", run).out
    promise(run, "a2")
    at_once = command(capsys, "watch", "status", run)  # before any image is looked at again
    assert (at_once.code, "○ quiet" in at_once.out) == (0, True)
    assert "A later audit has promised anew." in at_once.out
    assert "until a new audit" not in at_once.out
    told = watch(capsys, run, line)
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"model"}
    assert told.code == 0
    with open_watch(run) as store:
        first, second = upheld(store, run_scopes(run))
    assert first.withdrawn is not None
    assert (second.withdrawn, second.answers) == (None, 0)  # earlier answers are not its own
    assert first.alpha + second.alpha < 0.0075


def test_versions_say_of_what_each_promise_is_by_which_rule_and_whether_it_stands(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = {"decided_by_model": 7, "pool": 9}
    promise(run, "old", look=2, about="pool", **decided)  # as version 0.1 kept it
    promise(run, "new", rule="betting", planned=40, **decided)
    told = command(capsys, "versions", run)
    assert told.code == 0, told.err
    old, new = (one for one in told.out.splitlines() if "promise of 2026-01-01" in one)
    assert "of the images that the model decides here, at most 5% are wrong, 95% sure" in old
    assert "the model decides 7 of 9; proven by looks at sizes fixed before" in old
    assert "also those put right in the audit, at most 5%" in new
    assert "an exact test at the 40 answers planned" in new
    assert "withdrawn" not in old + new
    day(capsys, run, line, range(1000, 1030), right=False)
    told = command(capsys, "versions", run, "--lang", "ja")
    assert told.out.count("稼働中に取り消し") == 2
    kept = json.loads(command(capsys, "versions", run, "--json").out)["rounds"][0]["kept"]
    assert [(one["audit"], one["withdrawn"]) for one in kept] == [("old", True), ("new", True)]


def test_the_audit_of_a_withdrawn_promise_cannot_be_automated_again(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = run.parent / "audit.csv"
    command(capsys, "audit", "draw", run, "--count", 5, "--out", sheet)
    promise(run, rows(sheet)[0]["audit"].split("-")[1])
    day(capsys, run, line, range(1000, 1030), right=False)
    told = command(capsys, "audit", "automate", run, "--answers", sheet)
    assert told.code == 2
    assert "withdrawn at work" in told.err


def test_only_what_is_promised_is_drawn_and_goes_to_people(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(1000, 1040))
    watch(capsys, run, line)
    levels = sorted(float(row["model_confidence"]) for row in rows(run.parent / "p.csv"))
    promise(run, threshold=levels[20])
    watch(capsys, run, line)
    for row in rows(run.parent / "p.csv"):  # what no promise holds is a person's
        assert (row["decided_by"] == "model") == (float(row["model_confidence"]) >= levels[20])
    told = day(capsys, run, line, range(1040, 1060), right=False, draw=60)
    assert "withdrawn on" in told.out
    drawn = {Path(row["path"]).name for row in rows(run.parent / "daily-1040.csv")}
    watch(capsys, run, line)
    for row in rows(run.parent / "p.csv"):
        inside = float(row["model_confidence"]) >= levels[20]
        assert row["decided_by"] == "person"
        assert (Path(row["path"]).name in drawn) == inside


def test_a_draw_takes_images_since_the_last_one_and_says_so_where_there_is_none(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = command(capsys, "audit", "draw", run, "--daily", 5, "--out", run.parent / "0.csv")
    assert (nobody.code, "is not watched yet" in nobody.err) == (2, True)
    bring(line, range(1000, 1010))
    watch(capsys, run, line)
    first = command(capsys, "audit", "draw", run, "--daily", 5, "--out", run.parent / "1.csv")
    assert "No promise stands" in first.out
    again = command(capsys, "audit", "draw", run, "--daily", 5, "--out", run.parent / "2.csv")
    assert (again.code, "no new image came since the last draw" in again.err) == (2, True)
    assert f"clipgrip watch look {quoted(run)} IMAGES" in again.err
    bring(line, range(2000, 2003))
    watch(capsys, run, line)
    command(capsys, "audit", "draw", run, "--daily", 5, "--out", run.parent / "3.csv")
    assert {Path(row["path"]).name for row in rows(run.parent / "3.csv")} == {
        "02000.png",
        "02001.png",
        "02002.png",
    }


def test_answers_count_once_from_the_top_and_are_not_changed(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    bring(line, range(1000, 1010))
    watch(capsys, run, line)
    sheet = run.parent / "d.csv"
    command(capsys, "audit", "draw", run, "--daily", 6, "--out", sheet)
    empty = sheet.read_text("utf-8-sig")
    fill(run, sheet, right=True, most=2)
    read = ("audit", "read", run, "--answers", sheet, "--json")
    assert json.loads(command(capsys, *read).out)["answers_new"] == 2
    fill(run, sheet, right=True)
    assert json.loads(command(capsys, *read).out)["answers_new"] == 4
    assert json.loads(command(capsys, *read).out)["answers_new"] == 0
    fill(run, sheet, right=False)
    changed = command(capsys, *read)
    assert (changed.code, "answered otherwise" in changed.out + changed.err) == (2, True)
    lines = empty.splitlines()
    other = ["dent", "steel"]
    twice = [lines[1] + name for name in other]
    sheet.write_text("\n".join([lines[0], *twice, *lines[2:]]))
    both = command(capsys, *read, "--correct")
    assert (both.code, "two different answers" in both.out + both.err) == (2, True)
    sheet.write_text("\n".join([lines[0], *lines[1:3], lines[3] + "dent", *lines[4:]]))
    gap = command(capsys, *read)
    assert (gap.code, "without a gap" in gap.out + gap.err) == (2, True)


def test_a_sheet_of_another_line_is_refused(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(1000, 1010))
    watch(capsys, run, line)
    sheet = run.parent / "d.csv"
    command(capsys, "audit", "draw", run, "--daily", 6, "--out", sheet)
    mark = rows(sheet)[0]["audit"]
    sheet.write_text(sheet.read_text("utf-8-sig").replace(mark, "daily-1-00000000"))
    told = command(capsys, "audit", "read", run, "--answers", sheet)
    assert (told.code, "another line" in told.err) == (2, True)


def test_a_promise_by_class_is_watched_by_class(run: Path) -> None:
    scopes = [
        {"group": name, "threshold": threshold, "images": 9, "audited": 9, "wrong": 0}
        for name, threshold in (("dent", 0.1), ("steel", None), ("scratch", 0.2))
    ]
    promise(run, scopes=scopes)
    found = run_scopes(run)
    assert [(one.name, one.classes, one.share) for one in found] == [
        ("dent", frozenset({1}), 1 / 3),
        ("scratch", frozenset({0}), 1 / 3),
    ]
    assert found[0].is_wrong(1, 0)
    assert not found[0].is_wrong(1, 1)


def test_misses_are_wrong_where_the_truth_is_a_defect(run: Path) -> None:
    scope = {"group": "misses", "threshold": 0.1, "classes": ["good part", "steel"]}
    promise(run, scopes=[scope])
    (found,) = run_scopes(run)
    assert not found.is_wrong(2, 3)
    assert found.is_wrong(2, 0)
    assert not found.holds(0, 0.9)


def test_a_folder_of_which_nothing_can_be_read_is_no_quiet_day(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(2))
    for path in line.iterdir():
        path.write_bytes(path.read_bytes()[:90])
    told = watch(capsys, run, line)
    assert told.code == 2
    assert "none of the files can be labeled" in told.err


def test_a_board_signs_no_promise_that_was_withdrawn(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run, decided_by_model=9, pool=20)
    assert kept_promise(reopen(run), Terms()) is not None
    day(capsys, run, line, range(1000, 1030), right=False)
    assert kept_promise(reopen(run), Terms()) is None
    results = Results(board_facts(run, BoardRequest("2026-11-29")))
    told: dict[Language, str] = {"en": "was withdrawn at work on", "ja": "に取り消しました"}
    for language, words in told.items():
        say = Words(language)
        assert words in withdrawn_text(results, say)
        decided, left = (one for one in figures(results, say) if "B" in one.sources)
        assert (decided.value, left.value) == ("0%", "100%")
        assert words in decided.note
        (source,) = (one.text for one in sources(results, say) if one.letter == "B")
        assert words in source, "not that no promise was made"


def test_a_board_reads_the_promise_that_speaks_of_every_wrong_label(run: Path) -> None:
    """A newer one for misses and overkill says nothing of one defect that is taken for another."""
    whole = {"threshold": 0.0, "images": 4, "audited": 4, "wrong": 0}
    apart = [{"group": name, **whole} for name in ("misses", "overkill")]
    promise(run, "ok0.a2", scopes=apart, decided_by_model=12, pool=20)
    only = kept_promise(reopen(run), Terms(0.05))
    assert only is not None
    assert only.about == "apart"
    promise(run, "a1", decided_by_model=9, pool=20)
    promise(run, "ok0.a3", scopes=apart, decided_by_model=12, pool=20)
    found = kept_promise(reopen(run), Terms(0.05))
    assert found is not None
    several = len(reopen(run).manifest.classes) > 2
    assert (found.about, found.by_model) == (("delivered", 9) if several else ("apart", 12))


def test_a_stricter_reading_that_proves_nothing_leaves_all_to_people(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    none = {"group": "all", "threshold": None, "images": 0, "audited": 0, "wrong": 0}
    promise(run, max_error=0.001, scopes=[none])
    bring(line, range(1000, 1004))
    watch(capsys, run, line)
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"person"}


@pytest.mark.parametrize("out", ["p.csv", "p.parquet"])
def test_a_first_audit_that_proves_nothing_leaves_all_to_people_and_says_why(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    bring(line, range(1000, 1004))
    asked = ("predict", run, line, "--out", run.parent / out)
    assert "people" not in command(capsys, *asked).err  # without any audit the model decides
    none = {"group": "all", "threshold": None, "images": 0, "audited": 0, "wrong": 0}
    promise(run, scopes=[none], pool=20, decided_by_model=0)
    told = command(capsys, *asked)
    assert "has not proven yet that at most 5% are wrong: 4 of these images are for peo" in told.err
    assert (
        "誤りが5%以下であることをまだ証明できていません"
        in command(capsys, *asked, "--lang", "ja").err
    )
    if out == "p.csv":
        assert {row["decided_by"] for row in rows(run.parent / out)} == {"person"}
    said = command(capsys, "versions", run).out
    assert "no promise stands" in said
    assert "not proven yet, 95% sure, that of all labels within the scope" in said
    assert "まだ証明されていません" in command(capsys, "versions", run, "--lang", "ja").out


def test_a_renewed_promise_is_not_said_to_wait_for_an_audit(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    day(capsys, run, line, range(1000, 1030), right=False)
    assert "until a new audit promises anew" in watch(capsys, run, line).err
    promise(run, "a2", threshold=1.1)
    assert "lie within no promise of the audit" in watch(capsys, run, line).err
    promise(run, "a3")
    assert "people" not in watch(capsys, run, line).err


def test_no_place_of_the_budget_is_spent_twice_by_promising_anew(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    bring(line, range(1000, 1004))
    watch(capsys, run, line)
    by_class = [
        {"group": name, "threshold": 0.0, "images": 9, "audited": 9, "wrong": 0}
        for name in ("dent", "steel")
    ]
    promise(run, scopes=by_class)
    promise(run, max_error=0.1)
    watch(capsys, run, line)
    with open_watch(run) as store:
        places = list(store.db.execute("SELECT position, sum(share) FROM scope GROUP BY position"))
    assert places == [(1, 1.0), (2, 1.0)]


def test_answers_that_were_changed_in_the_file_are_not_sealed_anew(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    day(capsys, run, line, range(1000, 1010), right=True, draw=4)
    with sqlite3.connect(run / "watch.db") as db:
        db.execute("UPDATE answer SET label = (label + 1) % 4")
    bring(line, range(2000, 2004))
    told = watch(capsys, run, line)
    assert (told.code, "damaged" in told.err or "changed" in told.err) == (2, True)


@pytest.mark.parametrize("group", ["all", "misses"])
def test_no_promise_holds_an_answer_that_no_audited_image_could_get(
    place: Place, tiny_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    out, told = tmp_path / "run", ["scratch", "dent"]
    run_of(project(place, tiny_clip, out, prompt="multimodal", may_occur=told))
    scope = {"group": group, "threshold": 0.0, "images": 9, "audited": 9, "wrong": 0}
    promise(out, scopes=[scope | {"classes": list(CLASSES)}])
    predicted = command(capsys, "predict", out, place.images, "--out", tmp_path / "p.csv")
    assert predicted.code == 0, predicted.err
    decided = {(row["label"] in told, row["decided_by"]) for row in rows(tmp_path / "p.csv")}
    assert (False, "person") in decided
    assert decided <= {(True, "model"), (False, "person")}
    bundle = bundled_promise(standing(out))
    assert bundle is not None
    assert [one.classes for one in bundle.scopes] == [{0, 1}]


def test_what_a_round_promises_is_the_same_in_versions_as_in_predict_after_going_back_to_it(
    run: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = Path(shutil.copytree(finished, run / "newer"))
    promise(newer, pool=24, decided_by_model=24, planned=None, rule="betting")
    monkeypatch.setattr("clipgrip.review.store.round_folders", lambda _: [run, newer, run])
    assert bundled_promise(standing_at_work(run)) == Promise(0.0, 0.0, ())
    told = json.loads(command(capsys, "versions", run, "--json").out)
    assert [len(one["promise"]["scopes"]) for one in told["rounds"]] == [0, 1]


def test_a_board_forgets_what_was_kept_of_an_audit_before_the_promise_of_it_that_fell(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other groups had been promised by the same answers; predict goes by the newest alone."""
    promise(run, pool=24, decided_by_model=24, rule="betting")
    scope = {"threshold": 0.0, "images": 12, "audited": 2, "wrong": 0}
    apart = [
        scope | {"group": "misses", "classes": ["good part"]},
        scope | {"group": "overkill", "classes": ["scratch", "dent", "steel"]},
    ]
    promise(run, pool=24, decided_by_model=20, rule="betting", scopes=apart)
    outcome = reopen(run)
    before = kept_promise(outcome, Terms(0.05))
    assert before is not None
    assert before.by_model == 24
    for start in (1000, 2000, 3000):
        day(capsys, run, line, range(start, start + 30), right=False)
    found = standing(run)
    assert found is not None
    assert found.fallen_of("a1")
    kept = kept_promise(outcome, Terms(0.05))
    assert (0 if kept is None else kept.by_model) == (10 if found.scopes else 0)


def test_what_was_promised_of_an_earlier_round_is_not_promised_of_the_next(
    run: Path, finished: Path, line: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(run)
    newer = Path(shutil.copytree(finished, run / "newer"))
    monkeypatch.setattr("clipgrip.review.store.round_folders", lambda _: [run, newer])
    bring(line, range(1000, 1004))
    told = command(capsys, "predict", run, line, "--out", run.parent / "p.csv")
    assert told.code == 0, told.err
    assert {row["decided_by"] for row in rows(run.parent / "p.csv")} == {"person"}


def test_a_daily_answer_is_put_right_and_the_first_one_stays_in_the_record(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    told = day(capsys, run, line, range(1000, 1010), right=True, draw=6)
    assert "0 of 6 daily answers wrong" in told.out
    sheet = run.parent / "daily-1000.csv"
    fill(run, sheet, right=True)
    cells = rows(sheet)
    other = next(name for name in ("dent", "steel") if name != cells[2]["answer"])
    sheet.write_text(
        sheet.read_text("utf-8-sig").replace(
            f"{cells[2]['path']},{cells[2]['answer']}", f"{cells[2]['path']},{other}"
        )
    )
    read = ("audit", "read", run, "--answers", sheet, "--by", "Ito")
    refused = command(capsys, *read)
    assert (refused.code, "--correct" in refused.err) == (2, True)
    told = command(capsys, *read, "--correct")
    assert told.code == 0, told.err
    assert "1 answer corrected" in told.out
    assert "1 of 6 daily answers wrong (1 of these answers was corrected" in told.out
    with open_watch(run) as store:
        first = store.db.execute("SELECT said_by, label FROM answer ORDER BY number").fetchall()
        (again,) = store.db.execute("SELECT said_by, label FROM correction").fetchall()
    assert {by for by, _ in first} == {"Sato"}
    assert again[0] == "Ito"
    assert again[1] != first[2][1]
    facts = json.loads(command(capsys, *read, "--correct", "--json").out)
    assert (facts["answers_corrected"], facts["promises"][0]["corrected"]) == (0, 1)
    japanese = command(capsys, "watch", "status", run, "--lang", "ja")
    assert "訂正されました" in japanese.out


def test_a_withdrawn_promise_does_not_come_back_by_corrected_answers_but_says_so(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(run)
    day(capsys, run, line, range(1000, 1030), right=False)
    sheet = run.parent / "daily-1000.csv"
    fill(run, sheet, right=True)
    told = command(capsys, "audit", "read", run, "--answers", sheet, "--correct")
    assert "withdrawn on" in told.out
    assert "20 of these answers were corrected" in told.out


def test_a_sheet_that_was_lost_is_written_again_with_its_answers(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(1000, 1010))
    watch(capsys, run, line)
    first, again = run.parent / "1.csv", run.parent / "again.csv"
    command(capsys, "audit", "draw", run, "--daily", 5, "--out", first)
    fill(run, first, right=True, most=2)
    command(capsys, "audit", "read", run, "--answers", first)
    before = rows(first)
    first.unlink()
    none = command(capsys, "audit", "draw", run, "--daily", 5, "--out", run.parent / "2.csv")
    assert "still waits for 3 answers; --again 1" in none.err
    told = command(capsys, "audit", "draw", run, "--again", 1, "--out", again)
    assert told.code == 0, told.err
    assert "answers given so far: 2" in told.out
    assert rows(again) == before
    unknown = command(capsys, "audit", "draw", run, "--again", 7, "--out", run.parent / "3.csv")
    assert (unknown.code, "Known: 1" in unknown.err) == (2, True)


def test_an_image_that_shows_another_picture_by_now_is_not_drawn_and_is_named_when_read(
    run: Path, line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(line, range(1000, 1006))
    watch(capsys, run, line)
    (line / "01000.png").unlink()
    (line / "01001.png").write_bytes((line / "01002.png").read_bytes())
    sheet = run.parent / "d.csv"
    told = command(capsys, "audit", "draw", run, "--daily", 6, "--out", sheet)
    drawn = {Path(row["path"]).name for row in rows(sheet)}
    assert drawn == {f"0100{n}.png" for n in range(2, 6)}
    assert "01000.png is gone or holds another picture" in told.err
    fill(run, sheet, right=True)
    (line / "01003.png").write_bytes((line / "01002.png").read_bytes())
    read = command(capsys, "audit", "read", run, "--answers", sheet)
    assert read.code == 0, read.err
    assert "01003.png is gone or holds another picture" in read.err
