"""What a monitor found, as sentences: what changed, and what to do, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from clipgrip_line.trust.responding import Verdict
from clipgrip_line.trust.scope import group_name
from clipgrip_line.words import Words, mark

Light = Literal["quiet", "perhaps", "alarm"]
LIGHTS: dict[Light, tuple[str, str]] = {
    "quiet": ("○", mark("quiet: nothing speaks for a change")),
    "perhaps": (
        "△",
        mark("perhaps: something may be changing, look at the newest pictures when you can"),
    ),
    "alarm": ("×", mark("alarm: something has changed, act on it")),
}
WITHDRAWN = mark("alarm: a promise was withdrawn, so its images go to people")
WAS_WITHDRAWN = mark(
    "promise ({name}, at most {error} wrong): withdrawn on {date}, {wrong} of {n} daily answers were wrong, "
    "probably more since {since}. These images go to people until a new audit promises anew."
)
WAS_RENEWED = mark(
    "promise ({name}, at most {error} wrong): withdrawn on {date}, {wrong} of {n} daily answers were wrong, "
    "probably more since {since}. A later audit has promised anew."
)
CHANGES: dict[tuple[str, bool], str] = {
    ("brightness", False): mark("pictures are darker than before"),
    ("brightness", True): mark("pictures are brighter than before"),
    ("highlights", False): mark("the bright parts of pictures are darker than before"),
    ("highlights", True): mark("the bright parts of pictures are brighter than before"),
    ("sharpness", False): mark("pictures are less sharp than before"),
    ("sharpness", True): mark("pictures are sharper or noisier than before"),
    ("red", False): mark("pictures are greener than before (less red)"),
    ("red", True): mark("pictures are redder than before"),
    ("blue", False): mark("pictures are yellower than before (less blue)"),
    ("blue", True): mark("pictures are bluer than before"),
    ("size", False): mark("pictures have fewer pixels than before"),
    ("size", True): mark("pictures have more pixels than before"),
    ("shape", False): mark("pictures are narrower than before"),
    ("shape", True): mark("pictures are wider than before"),
    ("confidence", False): mark("the model is less sure of its answers than before"),
    ("confidence", True): mark("the model is surer of its answers than before"),
    ("distance", False): mark("pictures are more like the reference than before"),
    ("distance", True): mark("pictures are unlike those of the reference"),
    ("share", False): mark("the class “{name}” is answered less often than before"),
    ("share", True): mark("the class “{name}” is answered more often than before"),
}
NAMES = {
    "brightness": mark("brightness"),
    "highlights": mark("brightness of the bright parts"),
    "sharpness": mark("sharpness"),
    "red": mark("colour, red to green"),
    "blue": mark("colour, blue to green"),
    "size": mark("number of pixels"),
    "shape": mark("width to height"),
    "confidence": mark("confidence of the model"),
    "distance": mark("likeness to the reference"),
    "share": mark("share of the class “{name}”"),
}
LAMP = mark("Check lamp, exposure and outside light.")
LENS = mark("Check focus, dirt on the lens, vibration and compression.")
COLOUR = mark("Check white balance, lamp and material.")
CAMERA = mark("Check the camera's settings and what saves the pictures.")
UNKNOWN = mark(
    "Look at the pictures: perhaps a new product or a new defect. Answer some of them; a class that is missing needs "
    "a new run."
)
AGAIN = mark(
    "Look at the pictures: perhaps the same ones come again, or those that the model learned from; perhaps a camera or "
    "a folder stands still."
)
MIX = mark(
    "Look at the pictures: perhaps the mix of parts changed, perhaps one class is taken for another. Answer some."
)
ADVICE = {
    "brightness": LAMP,
    "highlights": LAMP,
    "sharpness": LENS,
    "red": COLOUR,
    "blue": COLOUR,
    "size": CAMERA,
    "shape": CAMERA,
    "confidence": UNKNOWN,
    "distance": UNKNOWN,
    "share": MIX,
}
VERDICTS: dict[Verdict, str] = {
    "fixed": mark("the cause is removed; images since then no longer count as normal"),
    "normal": mark("this is normal from now on; images since then are the new reference"),
    "nothing": mark("no cause was found; the reference stays"),
}


class Counted(Protocol):
    """A count of a total."""

    @property
    def count(self) -> int:
        """So many."""

    @property
    def total(self) -> int:
        """Of these."""


class Measured(Counted, Protocol):
    """A count with what can be said of the share."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends."""


def light_text(light: Light, say: Words, *, rings: bool) -> str:
    """What a light means; where it is × and no alarm of the images ``rings``, a promise fell."""
    return say(WITHDRAWN if light == "alarm" and not rings else LIGHTS[light][1])


def changed(monitor: str, rises: bool, name: str | None, say: Words) -> str:
    """What an alarm is about, without a full stop."""
    text = CHANGES[monitor, rises]
    return say(text) if name is None else say(text, name=name)


def named(monitor: str, name: str | None, say: Words) -> str:
    """What a monitor watches."""
    text = NAMES[monitor]
    return say(text) if name is None else say(text, name=name)


def advised(monitor: str, rises: bool, say: Words) -> str:
    """What to do about it."""
    alike = (monitor, rises) in (("distance", False), ("confidence", True))
    return say(AGAIN if alike else ADVICE[monitor])


def since_when(facts: Mapping[str, Any], at: int, say: Words) -> str:
    """Since which image, most probably, and between which two; and at which it was noticed."""
    values = {
        "since": say.number(facts["since"]),
        "date": say.date(facts["since_at"]),
        "at": say.number(at),
    }
    if "since_between" not in facts:  # of version 0.2
        return say("since about new image {since} ({date}), noticed at image {at}", **values)
    first, last = (say.number(one) for one in facts["since_between"])
    if first == last:
        return say("since new image {since} ({date}), noticed at image {at}", **values)
    return say(
        "probably since new image {since} ({date}), almost surely between {first} and {last}; noticed at image {at}",
        first=first,
        last=last,
        **values,
    )


def response_words(response: Mapping[str, str] | None, say: Words) -> str:
    """Who answered an alarm, and what; empty while it rings."""
    if response is None:
        return ""
    text = say(
        "{date}, {by}: {verdict}",
        date=say.date(response["at"]),
        by=response["by"] or "–",
        verdict=say(VERDICTS[response["verdict"]]),  # type: ignore[index]
    )
    return f"{text} – {response['note']}" if response["note"] else text


def promise_words(
    group: str,
    max_error: float,
    wrong: Counted,
    fallen: Mapping[str, Any] | None,
    say: Words,
    *,
    renewed: bool = False,
) -> str:
    """How a promise fares at work: wrong daily answers within it, and when it was withdrawn.

    ``renewed``: whether an audit has promised anew since.
    """
    name = say("all classes") if group == "all" else say.translated(group_name(group))
    values = {"name": name, "error": say.percent(max_error)}
    if fallen is None:
        return "○ " + say(
            "promise ({name}, at most {error} wrong): stands; {wrong} of {n} daily answers wrong",
            wrong=wrong.count,
            n=wrong.total,
            **values,
        )
    return "× " + say(
        WAS_RENEWED if renewed else WAS_WITHDRAWN,
        date=say.date(fallen["at"]),
        since=say.date(fallen["since"]),
        wrong=fallen["wrong"],
        n=fallen["answers"],
        **values,
    )


def corrected_words(corrected: int, say: Words) -> str:
    """That answers were put right after they had counted; empty where none were."""
    if not corrected:
        return ""
    return say(" ({n} of these answers were corrected after the count)", n=corrected)


def audited_words(right: Measured, say: Words) -> str:
    """What all daily answers say of the model at work."""
    if not right.total:
        return say("no daily answer so far")
    return say(
        "right on {right} of {n} images of the daily audit (95% interval {span})",
        right=right.count,
        n=right.total,
        span=say.span(right.interval or (0.0, 1.0)),
    )
