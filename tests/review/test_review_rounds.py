"""The next round: what it learns from, what it never sees, stopped and gone on with, run beside the page."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from projects import SEEN, Dying, Place, command, project
from review_helpers import Browser, answer, id_of, truth
from waiting import LONG, until

from clipgrip.errors import RunError
from clipgrip.review import classes as edits
from clipgrip.review import job
from clipgrip.review import rounds as rounds_module
from clipgrip.review.measure import measured_rows
from clipgrip.review.overview import overview, terms_of
from clipgrip.review.queues import audit, doubtful
from clipgrip.review.rounds import go_back, harms, loss_p_value, manifest_of, next_round
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import ReviewRound, open_review
from clipgrip.runs.lock import locked
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store


def work(
    session: ReviewSession, place: Place, audited: int = 10, reviewed: int = 6
) -> tuple[set[str], set[str]]:
    """Audit and review with the truth; the hashes of both."""
    ids = truth(session, place)
    shown = audit(session.snapshot)[:audited].tolist()
    for row in shown:
        answer(session, row, int(ids[row]), purpose="audit")
    looked = doubtful(session.snapshot)[:reviewed].tolist()
    for row in looked:
        answer(session, row, int(ids[row]))
    return {session.snapshot.view.rows[n].sha256 for n in shown}, {
        session.snapshot.view.rows[n].sha256 for n in looked
    }


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds are put to use whatever they bring: what a random model brings is chance."""
    monkeypatch.setattr("clipgrip.review.rounds.harms", lambda _: False)


def first_manifest(session: ReviewSession) -> Any:
    with open_store(session.folder) as store:
        return store.manifest(session.snapshot.round.rounds[0].run)


def test_peoples_labels_are_learned_and_the_audit_becomes_the_test(
    session: ReviewSession, parts: Place
) -> None:
    audited, reviewed = work(session, parts)
    first = first_manifest(session)
    manifest = manifest_of(first, session.snapshot.classes.stored, session.snapshot.opinions)
    ids = dict(
        zip((row.sha256 for row in session.snapshot.view.rows), truth(session, parts), strict=True)
    )
    for before, row in zip(first.rows, manifest.rows, strict=True):
        if row.sha256 in audited:
            assert (row.split, row.label) == ("test", ids[row.sha256] - 1)
        elif row.sha256 in reviewed:
            assert (row.split, row.label) == ("pool", ids[row.sha256] - 1)
        else:
            assert row == before


def test_undecided_images_are_unlabeled_and_changed_classes_are_those_of_now(
    session: ReviewSession, parts: Place
) -> None:
    rows = doubtful(session.snapshot)[:5].tolist()
    answer(session, rows[0], 2)
    answer(session, rows[1], 3)
    answer(session, rows[2], 1)
    answer(session, rows[2], 4, "Ito")
    answer(session, rows[3], None)
    answer(session, rows[4], 4)
    edits.merge(session, 2, 1, "Sato")
    edits.split(session, 3, ["good round part", "good square part"], "Sato")
    edits.edit(session, 4, "鋼", "steel", "Sato")
    manifest = manifest_of(
        first_manifest(session), session.snapshot.classes.stored, session.snapshot.opinions
    )
    assert manifest.classes.display == ("scratch", "鋼", "good round part", "good square part")
    labels = {row.sha256: row.label for row in manifest.rows if row.split == "pool"}
    hashes = [session.snapshot.view.rows[row].sha256 for row in rows]
    assert [labels[image] for image in hashes] == [0, -1, -1, -1, 1]
    assert sum(label == 0 for label in labels.values()) == 3  # two were given
    kept = {row.label for row in manifest.rows if row.split == "test"}
    assert kept == {0, -1, 1}  # dent counts as scratch, good part is gone


def test_nothing_new_is_no_round(session: ReviewSession) -> None:
    with pytest.raises(RunError, match="Answer some images first"):
        next_round(session.folder)
    given = answer(session, int(doubtful(session.snapshot)[0]), 1)
    session.undo(given.token, "Sato")
    with pytest.raises(RunError, match="Answer some images first"):
        next_round(session.folder)
    assert len(session.store.rounds()) == 1


@pytest.mark.usefixtures("used")
def test_a_round_learns_from_people_never_from_the_audit_and_tells_what_it_brought(
    session: ReviewSession, parts: Place
) -> None:
    audited, reviewed = work(session, parts)
    before, ids = session.snapshot.view.label.copy(), truth(session, parts)
    old = dict(zip(session.snapshot.view.row_by_hash, before.tolist(), strict=True))
    done = next_round(session.folder, "Ito")
    assert (done.number, done.folder) == (2, "round-2")
    outcome = reopen(session.folder / done.folder)
    assert not {row.sha256 for row in outcome.embeds.pool_rows} & audited
    labels = outcome.embeds.pool_labels.tolist()
    learned = {
        row.sha256
        for row, label in zip(outcome.embeds.pool_rows, labels, strict=True)
        if label >= 0
    }
    assert reviewed < learned
    assert len(learned) == len(reviewed) + 2
    session.load()
    assert tuple(session.store.rounds()) == session.snapshot.round.rounds
    assert (session.snapshot.round.number, session.store.changes()[-1].person) == (2, "Ito")
    judged = [row for row, one in enumerate(session.snapshot.view.rows) if one.sha256 in audited]
    right = [
        int((values[judged] == ids[judged]).sum())
        for values in (before, session.snapshot.view.label)
    ]
    facts = done.facts
    assert (facts["audited"], facts["labels"]) == (10, 8)
    assert [facts["right_before"], facts["right_after"]] == right
    assert right[1] - right[0] == facts["put_right"] - facts["put_wrong"]
    changed = sum(
        old[i] != session.snapshot.view.label[n]
        for i, n in session.snapshot.view.row_by_hash.items()
    )
    assert facts["changed"] >= changed
    assert sorted(measured_rows(session.snapshot)) == sorted(
        judged
    )  # no answer of this round's draw yet
    assert not {session.snapshot.view.rows[row].sha256 for row in audit(session.snapshot)} & (
        audited | reviewed
    )
    assert overview(session.snapshot, terms_of(0.02, 0.95)).fresh == 0


def test_an_image_that_was_learned_is_never_measured_on(
    session: ReviewSession, parts: Place
) -> None:
    _, reviewed = work(session, parts)
    row = session.snapshot.view.row_by_hash[min(reviewed)]
    next_round(session.folder)
    answer(session, row, 1, "Ito", purpose="audit")  # from a page that was open meanwhile
    session.load()
    assert session.snapshot.states.audit[row]
    assert row not in measured_rows(session.snapshot)


def test_the_answers_after_a_round_began_are_fresh(session: ReviewSession, parts: Place) -> None:
    work(session, parts, audited=0)  # nothing measures the round, so it is put to use
    next_round(session.folder)
    answer(session, int(doubtful(session.snapshot)[0]), 1)  # of round 1, while round 2 was learning
    session.load()
    assert overview(session.snapshot, terms_of(0.02, 0.95)).fresh == 1


def test_a_stopped_round_goes_on_to_the_same_result(
    session: ReviewSession, parts: Place, tmp_path: Path
) -> None:
    work(session, parts)
    copy = shutil.copytree(session.folder, tmp_path / "copy")
    whole = next_round(copy)

    def stop() -> None:
        raise KeyboardInterrupt

    for at in (1, 2, 4):
        with pytest.raises(KeyboardInterrupt):
            next_round(session.folder, "", Dying(at, stop))
        assert len(session.store.rounds()) == 1
    done = next_round(session.folder)
    assert (done.number, done.folder, done.run) == (whole.number, whole.folder, whole.run)
    timeless = {"seconds": 0}
    assert done.facts | timeless == whole.facts | timeless
    prompts = [(f / "round-2" / "prompt.safetensors").read_bytes() for f in (copy, session.folder)]
    assert prompts[0] == prompts[1]


def test_answers_between_stop_and_start_go_to_a_folder_of_their_own(
    session: ReviewSession, parts: Place
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    work(session, parts, audited=0)  # nothing measures the round, so it is put to use
    with pytest.raises(KeyboardInterrupt):
        next_round(session.folder, "", Dying(4, stop))
    answer(session, int(doubtful(session.snapshot)[0]), 1)
    done = next_round(session.folder)
    assert done.facts["labels"] == 9
    session.load()
    assert session.snapshot.view.outcome.run.id == done.run


def test_classes_that_change_while_a_round_learns_are_for_the_next_one(
    session: ReviewSession, parts: Place
) -> None:
    work(session, parts)
    done = next_round(
        session.folder, "", Dying(4, lambda: edits.split(session, 1, ["long", "short"], "Ito"))
    )
    assert (done.facts["labels"], done.facts["audited"]) == (8, 10)
    session.load()
    assert [c.name for c in session.snapshot.classes.active] == [
        "dent",
        "good part",
        "steel",
        "long",
        "short",
    ]
    assert not session.snapshot.view.as_run


def test_classes_of_now_are_learned(session: ReviewSession, parts: Place) -> None:
    work(session, parts)
    edits.add(session, "rust", "rusty steel", "Sato")
    edits.merge(session, 1, 2, "Sato")
    answer(session, int(doubtful(session.snapshot)[0]), id_of(session, "rust"))
    done = next_round(session.folder)
    session.load()
    names = session.snapshot.view.outcome.manifest.classes.display
    assert names == ("dent", "good part", "steel", "rust")
    assert session.snapshot.view.as_run
    assert done.facts["labels"] == 9


def test_a_run_with_seen_classes_keeps_them_also_renamed(
    parts: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "trzsl"
    run(project(parts, tiny_clip, out, rounds=1, labels=parts.labels("TRZSL")))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        assert session.snapshot.view.outcome.run.facts["data"]["seen"] == list(SEEN)
        work(session, parts, 3, 2)
        edits.edit(session, id_of(session, "scratch"), "キズ", "scratch", "Sato")
        done = next_round(out)
        facts = reopen(out / done.folder).run.facts["data"]
        assert facts["seen"] == ["キズ", "dent"]
    assert not (out / "seen.txt").exists()  # handed on as a value


@pytest.mark.usefixtures("used")
def test_back_to_an_earlier_model_keeps_answers_and_audit(
    session: ReviewSession, parts: Place
) -> None:
    audited, _ = work(session, parts)
    next_round(session.folder)
    session.load()
    said = len(session.snapshot.answers)
    back = go_back(session.folder, 1, "Ito")
    session.load()
    assert (back.number, back.run, session.snapshot.round.number) == (
        3,
        session.snapshot.round.rounds[0].run,
        3,
    )
    assert len(session.snapshot.answers) == said
    assert {
        session.snapshot.view.rows[n].sha256 for n in measured_rows(session.snapshot)
    } >= audited
    for wrong in (0, 3, 9):
        with pytest.raises(RunError, match="no earlier round"):
            go_back(session.folder, wrong)


def test_the_folder_of_a_round_is_reviewed_from_the_folder_of_the_review(
    session: ReviewSession, parts: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    work(session, parts)
    next_round(session.folder)
    for name in ("review", "next"):
        progress = command(capsys, name, session.folder / "round-2")
        assert progress.code == 2
        assert f"Give {session.folder} instead" in progress.err
    assert not (session.folder / "round-2" / "review.db").exists()


# -- beside the page --------------------------------------------------------------------------------------------------


@pytest.fixture
def small(
    tiny_clip: Path,
    parts: Place,
    begun: Path,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A review with answers, ready for a round in another process, which knows no shortened presets."""
    monkeypatch.setenv("CLIPGRIP_CACHE", str(shared_cache))
    folder = Path(shutil.copytree(begun, tmp_path / "run"))
    with open_review(folder, create=True) as store:
        work(ReviewSession(folder, store), parts)
    yield folder
    if child := job._children.pop(folder.resolve(), None):
        child.wait()


def test_a_round_beside_the_page_from_start_over_kill_to_done(small: Path) -> None:
    assert job.progress(small).state == "none"
    job.stop(small)  # nothing to stop
    job.start(small, "Sato")
    progress = job.progress(small)
    assert (progress.state, progress.person) == ("running", "Sato")
    assert progress.pid != os.getpid()
    with pytest.raises(RunError, match="running already"):
        job.start(small, "Ito")
    child = job._children.pop(small.resolve())  # as after a restart of the server
    until(lambda: job._alive(small), "it does not begin")
    os.kill(child.pid, signal.SIGSTOP)  # so that it does not end meanwhile
    assert job.progress(small).state == "running"
    with pytest.raises(RunError, match="running already"):
        job.start(small, "Ito")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert job.progress(small).state == "stopped"
    job.start(small, "Ito")
    until(lambda: job.progress(small).state != "running", "the round does not end")
    progress = job.progress(small)
    assert (progress.state, progress.round, progress.error) == ("done", 2, ""), (
        small / job.LOG
    ).read_text()
    with open_review(small) as store:
        _, done, *_held = store.rounds()
        assert (done.number, done.facts, store.changes()[-1].person) == (2, progress.facts, "Ito")


def test_a_round_that_is_stopped_says_so(small: Path) -> None:
    job.start(small, "Sato")
    job.stop(small)
    until(lambda: job.progress(small).state != "running", "it does not stop")
    assert job.progress(small).state == "stopped"


def test_a_round_that_is_stopped_in_the_middle_says_so(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_to_stop(*_: object) -> None:
        job.stop(small)
        time.sleep(LONG)

    monkeypatch.setattr("clipgrip.review.rounds.next_round", told_to_stop)
    monkeypatch.setattr(job, "_alive", lambda _: True)
    job.write(small, job.Progress("running", os.getpid()))

    def unheard(*_: object) -> None:
        raise AssertionError("the round does not hear the signal")

    before = signal.signal(signal.SIGTERM, unheard)
    try:
        assert job.main(small, "Sato") == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert job.progress(small).state == "stopped"


def test_a_round_that_fails_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_review(folder, create=True) as store:
        ReviewSession(folder, store)
    assert job.main(folder, "Sato") == 2
    progress = job.progress(folder)
    assert progress.state == "failed"
    assert "Answer some images first" in progress.error

    def broken(*_: object) -> ReviewRound:
        raise ZeroDivisionError("of zero")

    monkeypatch.setattr("clipgrip.review.rounds.next_round", broken)
    with pytest.raises(ZeroDivisionError):
        job.main(folder, "Sato")
    assert job.progress(folder).error == "ZeroDivisionError: of zero"


def test_a_round_while_another_runs_is_refused(small: Path) -> None:
    module = [sys.executable, "-m", "clipgrip.review.job", small, ""]
    with locked(small):
        assert job.progress(small).state == "none"
        done = subprocess.run(module, check=False, capture_output=True)
    assert done.returncode == 2
    assert "in use by another clipgrip" in job.progress(small).error


def test_a_damaged_report_is_no_report(folder: Path) -> None:
    for text in ("", "{", "[]", '{"state": "running"}', '{"state": "done", "notes": [], "x": 1}'):
        (folder / job.NAME).write_text(text)
        assert job.progress(folder).state == "none"


@pytest.mark.parametrize(
    ("before", "after", "audited", "harm"),
    [(8, 7, 10, True), (8, 8, 10, False), (8, 9, 10, False), (0, 0, 0, False)],
)
def test_fewer_right_on_the_same_audited_images_is_harm(
    before: int, after: int, audited: int, harm: bool
) -> None:
    assert harms({"audited": audited, "right_before": before, "right_after": after}) == harm


def test_the_chance_of_a_loss_is_mcnemars() -> None:
    assert loss_p_value({"put_right": 0, "put_wrong": 5}) == pytest.approx(1 / 32)
    assert loss_p_value({"put_right": 2, "put_wrong": 2}) == pytest.approx(11 / 16)
    assert loss_p_value({"put_right": 0, "put_wrong": 0}) == 1


def test_a_round_that_harms_is_kept_but_not_used_until_somebody_asks(
    session: ReviewSession, parts: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(session, parts, reviewed=20)
    gain = rounds_module._gain

    def harmful(*given: Any) -> dict[str, Any]:
        worse = {"right_before": 8, "right_after": 3, "put_right": 0, "put_wrong": 5}
        return gain(*given) | worse

    monkeypatch.setattr(rounds_module, "_gain", harmful)
    before = session.snapshot.view.label.copy()
    done = next_round(session.folder, "Ito")
    session.load()
    assert [one.number for one in session.snapshot.round.rounds] == [1, 2, 3]
    assert session.snapshot.round.stored.run == session.snapshot.round.rounds[0].run
    assert session.snapshot.round.stored.facts["held"] == done.number == 2
    assert (session.snapshot.view.label == before).all()
    assert overview(session.snapshot, terms_of(0.02, 0.95)).step != "round"
    with pytest.raises(RunError, match="Answer some images first"):
        next_round(session.folder)
    for language, words in (("en", "Use this round anyway"), ("ja", "それでもこのモデルを使う")):
        browser = Browser(session, language)
        page = browser.get("/rounds").text
        assert words in page
        assert "3.1%" in page
        assert (f"of {done.facts['audited']} audited images 8 were right" in page) == (
            language == "en"
        )
        assert '<p class="note held">' in browser.get("/").text
    go_back(session.folder, done.number)
    session.load()
    assert session.snapshot.round.stored.run == done.run
    assert "held" not in session.snapshot.round.stored.facts


def test_the_work_is_one_bar_that_never_goes_back_and_tells_the_time_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(job.time, "monotonic", lambda: float(next(clock)))
    hear = job.FileListener(folder, "Sato")
    shares = []

    def progress(stage: str, done: int, total: int) -> job.Progress:
        hear.progress(stage, done, total)
        shares.append(hear.current["share"])
        return job.Progress(**hear.current)

    progress("embed", 0, 0)
    progress("embed", 9, 9)
    progress("embed", 0, 9)  # the images of the round before were read first
    assert progress("pixels", 9, 9).left is None
    hear.planned(4)
    for number in range(1, 5):
        for step in range(11):
            now = progress("round", step, 10)
        hear.round_done({"number": number})
    assert now.left is not None
    assert progress("answer", 9, 9).share == 1.0
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


def test_the_next_round_keeps_which_classes_may_occur_and_an_answer_outside_adds_its_own(
    parts: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, used: None
) -> None:
    out = tmp_path / "told"
    run(project(parts, tiny_clip, out, rounds=1, may_occur=["scratch", "dent"], test=None))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        assert set(session.snapshot.view.label.tolist()) <= {1, 2}
        rows = doubtful(session.snapshot)[:2].tolist()
        answer(session, rows[0], 1)
        answer(session, rows[1], 3)
        edits.edit(session, 2, "deep dent", "dent", "Sato")
        assert set(session.snapshot.view.label.tolist()) <= {1, 2}
    done = next_round(out)
    outcome = reopen(out / done.folder)
    assert outcome.run.settings["may_occur"] == ["scratch", "deep dent", "good part"]
    assert outcome.metrics["data"]["absent"] == ["steel"]


def test_a_class_that_an_audit_finds_or_a_person_adds_may_occur(
    parts: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, used: None
) -> None:
    out = tmp_path / "told"
    run(project(parts, tiny_clip, out, rounds=1, may_occur=["scratch"], test=None))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        edits.add(session, "oil", "an oil stain", "Sato")
        answer(session, int(audit(session.snapshot)[0]), 4, purpose="audit")
    outcome = reopen(out / next_round(out).folder)
    assert outcome.run.settings["may_occur"] == ["scratch", "steel", "oil"]


def test_a_class_into_which_one_that_may_occur_was_merged_may_occur(
    parts: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, used: None
) -> None:
    out = tmp_path / "told"
    run(project(parts, tiny_clip, out, rounds=1, may_occur=["scratch", "dent"], test=None))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        edits.merge(session, 1, 4, "Sato")
        assert set(session.snapshot.view.label.tolist()) <= {2, 4}
        edits.merge(session, 2, 4, "Sato")
        assert set(session.snapshot.view.label.tolist()) == {4}
        assert session.snapshot.view.confidence.min() == 1  # none of them was a number before
    outcome = reopen(out / next_round(out).folder)
    assert outcome.run.settings["may_occur"] == ["steel"]


def test_where_none_is_left_that_may_occur_all_others_may(
    parts: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, used: None
) -> None:
    out = tmp_path / "told"
    run(project(parts, tiny_clip, out, rounds=1, may_occur=["scratch"], test=None))
    with open_review(out, create=True) as store:
        session = ReviewSession(out, store)
        edits.remove(session, 1, "Sato")
        assert set(session.snapshot.view.label.tolist()) <= {2, 3, 4}
        assert 0 < session.snapshot.view.confidence.max() < 1
    outcome = reopen(out / next_round(out).folder)  # before, a sentence about seen classes
    assert "may_occur" not in outcome.run.settings
    assert "absent" not in outcome.metrics["data"]
