"""``python folder_watched.py PLACE URL [once]``: a watched folder with the fake model, to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from folder_fakes import Line

from clipgrip_line.commands.watch import end_by_signal
from clipgrip_line.folder import compaction, journal
from clipgrip_line.folder.assembly import Wishes

journal.COMPACTED, compaction.WHOLE, compaction.AT_ONCE = 1, 5, 3
"""Old files are forgotten all the time, so that kills meet it."""


def main(place: str, url: str, *once: str) -> int:
    line = Line(Path(place))
    wishes = Wishes(sort="copy", keep_bytes=10**6, keep_rate=0.3, webhook=url)
    give_up = 0.0 if once else 60.0
    with line.watch(wishes, poll=0.02, give_up=give_up, patience=2.0) as watch:
        end_by_signal(watch)
        if once:
            watch.once()
            return int(watch.left() > 0)
        print("running", flush=True)
        watch.run()
    print(line.lines[-1], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
