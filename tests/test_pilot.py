"""A pilot: its power calculation against other ways to reckon it, inputs that no pilot keeps, and a file that stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clipgrip.errors import ConfigError, DataError
from clipgrip.metrics import wilson_interval
from clipgrip.pilot.criteria import Criterion, Measured, Rule, judge, overall
from clipgrip.pilot.plan import Pilot, plan
from clipgrip.pilot.power import (
    answers_for_precision,
    answers_for_yes,
    chance,
    draw_size,
    exact_half_width,
    yes_counts,
)
from clipgrip.pilot.store import in_force, read_versions, write_version

CLASSES = ("OK", "scratch", "dent")
MADE = "2026-11-10T09:00:00+00:00"


def pilot(**more: Any) -> Pilot:
    given: dict[str, Any] = {
        "classes": CLASSES,
        "images": 3000,
        "precision": 0.05,
        "criteria": (Criterion.of("accuracy", "0.9:0.85"), Criterion.of("misses", "0.05")),
        "ok_classes": ("OK",),
    }
    return Pilot(**{**given, **more})


@pytest.mark.parametrize("text", ["0.9:0.85", "0.5:0.4", "0.98", "0.02:0.01"])
@pytest.mark.parametrize("name", ["accuracy", "misses"])
@pytest.mark.parametrize("rule", ["proven", "estimate"])
def test_the_count_that_just_gives_a_yes_is_the_judges_own(
    text: str, name: str, rule: Rule
) -> None:
    limit = text.split(":")[0]
    criterion = Criterion.of(name, limit)
    for n in (1, 2, 7, 40, 113, 500):
        verdicts = [
            judge(criterion, Measured(k / n, wilson_interval(k, n)), rule) for k in range(n + 1)
        ]
        good = [k for k, said in enumerate(verdicts) if said == "yes"]
        count = int(yes_counts(criterion, rule, n))
        if criterion.higher:
            assert count == (min(good) if good else n + 1)
        else:
            assert count == (max(good) if good else -1)


def test_chances_are_those_of_a_simulation() -> None:
    criterion, rng = Criterion.of("accuracy", "0.9:0.85"), np.random.default_rng(0)
    told = chance(criterion, "proven", 200, 0.93)
    assert told.yes + told.conditions + told.no == pytest.approx(1)
    seen = [
        judge(criterion, Measured(k / 200, wilson_interval(int(k), 200)), "proven")
        for k in rng.binomial(200, 0.93, 4000)
    ]
    for said, share in (("yes", told.yes), ("conditions", told.conditions), ("no", told.no)):
        assert seen.count(said) / 4000 == pytest.approx(share, abs=0.03)  # type: ignore[arg-type]


def test_a_false_yes_is_rare_at_the_limit_itself() -> None:
    for limit in ("0.8", "0.9", "0.95"):
        for n in (100, 300, 1000):
            assert chance(Criterion.of("accuracy", limit), "proven", n, float(limit)).yes < 0.05
    for limit in ("0.02", "0.05", "0.1"):
        assert chance(Criterion.of("misses", limit), "proven", 500, float(limit)).yes < 0.05


def test_the_number_for_a_yes_keeps_its_power_and_a_tenth_beyond() -> None:
    criterion = Criterion.of("accuracy", "0.9")
    n = answers_for_yes(criterion, "proven", 0.95)
    assert n is not None
    assert all(chance(criterion, "proven", m, 0.95).yes >= 0.8 for m in range(n, round(1.1 * n)))
    assert chance(criterion, "proven", n - 1, 0.95).yes < 0.8
    assert answers_for_yes(criterion, "proven", 0.9) is None


def test_precision_is_reckoned_exactly_and_normal_beside() -> None:
    told = answers_for_precision(0.05, 0.5)
    assert told.normal == 385  # the number of every textbook
    assert told.exact >= told.normal
    rare = answers_for_precision(0.01, 0.99)
    assert rare.exact > rare.normal
    assert exact_half_width(rare.exact, 0.99) <= 0.01 < exact_half_width(rare.exact - 1, 0.99)
    n, wrong = 200, 20
    ends = stats.beta.ppf(0.025, wrong, n - wrong + 1), stats.beta.ppf(0.975, wrong + 1, n - wrong)
    assert exact_half_width(n, 0.9) == pytest.approx((ends[1] - ends[0]) / 2)


def test_enough_images_are_drawn_for_a_rare_kind() -> None:
    n = draw_size(30, 0.05)
    assert stats.binom.sf(29, n, 0.05) >= 0.8 > stats.binom.sf(29, n - 1, 0.05)


def test_a_plan_says_what_each_promise_needs() -> None:
    worked = plan(pilot(shares={"OK": 0.6}, class_precision=0.1, seconds=6))
    needs = {need.purpose: need for need in worked.needs}
    assert needs["precision"].images is not None
    assert needs["misses"].answers is not None
    assert needs["misses"].images is not None
    assert needs["misses"].images > 2 * needs["misses"].answers  # two in five are no OK part
    assert needs["class precision"].images is not None
    assert worked.images == max(need.images or 0 for need in worked.needs)
    assert worked.minutes == worked.images / 10
    assert {one.truth for one in worked.chances["accuracy"]} == {0.8, 0.85, 0.9, 0.925, 0.95}


def test_a_share_to_automate_needs_the_audit_that_can_prove_it() -> None:
    wanted = pilot(images=20_000, criteria=(Criterion.of("automated", "0.6", 0.02),))
    without, some = (need for need in plan(wanted).needs if need.purpose == "automated")
    assert without.images is not None
    assert some.images is not None
    assert without.images < some.images


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"precision": 0.0}, "half width"),
        ({"precision": 0.5}, "half width"),
        ({"precision": 0.01, "images": 500}, "needs .* images drawn at random"),
        ({"class_precision": 0.02, "images": 600}, "of each class"),
        ({"images": 0}, "needs one at least"),
        ({"seconds": 0}, "seconds"),
        ({"expected": 1.0}, "between 0 and 1"),
        ({"rule": "guess"}, "proven, estimate"),
        ({"ok_classes": ("fine",)}, "is no class. Give one of these"),
        ({"ok_classes": CLASSES}, "nothing could be missed"),
        ({"ok_classes": ()}, "--ok-class"),
        ({"shares": {"OK": 1.2}}, "between 0 and 1"),
        ({"shares": {"rust": 0.2}}, "is no class. Give one of these"),
        ({"shares": {"OK": 0.6, "dent": 0.5}}, "sum to 1.1"),
        ({"shares": {"OK": 0.6, "dent": 0.4}}, "something has to be left"),
        ({"images": 500, "criteria": (Criterion.of("misses", "0.001"),)}, "cannot be proven"),
        ({"criteria": (Criterion.of("accuracy", "0.9"),) * 2}, "given twice"),
        ({"images": 19, "precision": 0.4, "criteria": (Criterion.of("automated", "0.9", 0.02),)}, "no audit can"),
    ],
)  # fmt: skip
def test_what_no_pilot_can_keep_is_refused_with_a_sentence(
    more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(pilot(**more))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("accuracy", "1", "between 0 and 1"),
        ("accuracy", "0.9:0.95", "at most the limit"),
        ("misses", "0.05:0.01", "at least the limit"),
        ("misses", "few", "is no number"),
        ("misses", "nan", "between 0 and 1"),
        ("payback", "-3", "months above 0"),
        ("payback", "inf", "months above 0"),
        ("acuracy", "0.9", 'Did you mean "accuracy"'),
        ("automated", "0.5", "needs the largest error"),
    ],
)
def test_a_criterion_that_makes_no_sense_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Criterion.of(name, text)


def test_the_usual_edge_stays_a_share() -> None:
    assert Criterion.of("accuracy", "0.9").edge == pytest.approx(0.85)
    assert 0 < Criterion.of("accuracy", "0.04").edge < 0.04
    assert 0.9 < Criterion.of("misses", "0.9").edge < 1
    assert Criterion.of("payback", "12").edge == 18


def test_the_worst_judgement_decides() -> None:
    assert overall(["yes", "yes"]) == "yes"
    assert overall(["yes", "conditions"]) == "conditions"
    assert overall(["conditions", "unknown"]) == "unknown"
    assert overall(["no", "unknown", "yes"]) == "no"
    assert overall([]) == "unknown"


def test_criteria_are_written_once_and_a_change_is_a_version_with_date_and_reason(
    tmp_path: Path,
) -> None:
    place, first = tmp_path / "pilot.json", pilot()
    kept = write_version(place, first, plan(first), made=MADE, by="Sato")
    before = place.read_bytes()
    with pytest.raises(ConfigError, match="stays as it is"):
        write_version(place, first, plan(first), made=MADE)
    second = pilot(criteria=(Criterion.of("accuracy", "0.8"),))
    later = "2026-11-12T09:00:00+00:00"
    changed = write_version(place, second, plan(second), made=later, reason="line 3 was added")
    assert place.read_bytes() == before
    assert (changed.number, changed.file) == (2, "pilot-2.json")
    assert json.loads((tmp_path / "pilot-2.json").read_text("utf-8"))["replaces"] == kept.digest
    one, two = read_versions(place)
    assert (one.pilot, one.by, two.pilot, two.reason) == (first, "Sato", second, "line 3 was added")
    assert in_force((one, two), None) == two
    assert in_force((one, two), "2026-11-11T00:00:00+00:00") == one
    assert in_force((one, two), "2026-11-09T00:00:00+00:00") is None


def test_there_is_nothing_to_revise_before_the_first_version(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to revise"):
        write_version(tmp_path / "pilot.json", pilot(), plan(pilot()), made=MADE, reason="x")


def test_a_pilot_that_was_changed_afterwards_is_found(tmp_path: Path) -> None:
    place = tmp_path / "pilot.json"
    write_version(place, pilot(), plan(pilot()), made=MADE)
    write_version(place, pilot(), plan(pilot()), made=MADE, reason="again")
    place.write_text(place.read_text("utf-8").replace('"limit": 0.9', '"limit": 0.88'), "utf-8")
    with pytest.raises(DataError, match="was changed"):
        read_versions(place)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "other"}', '{"format": "clipgrip-pilot-1"}', "\udcff"]
)
def test_what_is_no_pilot_is_refused(content: str, tmp_path: Path) -> None:
    place = tmp_path / "pilot.json"
    place.write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(DataError, match="not a pilot"):
        read_versions(place)
    with pytest.raises(DataError, match="cannot be read"):
        read_versions(tmp_path / "gone.json")


def test_a_killed_write_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("clipgrip_line.files.os.fsync", fail)
    with pytest.raises(OSError, match="full"):
        write_version(tmp_path / "pilot.json", pilot(), plan(pilot()), made=MADE)
    assert list(tmp_path.iterdir()) == []


def test_one_changed_digit_of_a_pilot_is_found_without_a_later_version(tmp_path: Path) -> None:
    place = tmp_path / "pilot.json"
    write_version(place, pilot(), plan(pilot()), made=MADE)
    place.write_text(place.read_text("utf-8").replace('"limit": 0.9', '"limit": 0.8'), "utf-8")
    with pytest.raises(DataError, match="changed after it was written, or is damaged"):
        read_versions(place)


def test_a_pilot_of_the_format_without_digest_is_read(tmp_path: Path) -> None:
    place = tmp_path / "pilot.json"
    kept = write_version(place, pilot(), plan(pilot()), made=MADE)
    content = json.loads(place.read_text("utf-8"))
    del content["sha256"]
    place.write_text(json.dumps({**content, "format": "clipgrip-pilot-1"}), "utf-8")
    (read,) = read_versions(place)
    assert (read.pilot, read.made) == (kept.pilot, kept.made)


def test_where_its_page_cannot_be_written_no_pilot_is_kept(tmp_path: Path) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    place = tmp_path / "pilot.json"
    with pytest.raises(OSError, match="No space"):
        write_version(place, pilot(), plan(pilot()), made=MADE, before=full)
    assert list(tmp_path.iterdir()) == []
    heard: list[object] = []
    kept = write_version(place, pilot(), plan(pilot()), made=MADE, before=heard.append)
    assert heard == [kept]


def test_a_precision_beyond_the_images_names_the_one_that_fits() -> None:
    with pytest.raises(
        ConfigError, match=r"Give a larger --precision, such as (0\.\d+), or"
    ) as caught:
        plan(pilot(images=600, precision=0.01))
    fits = float(str(caught.value).split("such as ")[1].split(",")[0])
    assert plan(pilot(images=600, precision=fits)).images <= 600
    with pytest.raises(ConfigError, match="larger --precision"):
        plan(pilot(images=600, precision=fits - 0.01))
