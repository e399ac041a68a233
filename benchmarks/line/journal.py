"""``python -m benchmarks.line.journal``: bytes that a watched folder's memory takes, by a million pictures.

Made-up answers go through the journal as the watch writes them, delivered at once, then with a server that is away.
At rest a picture costs what stays for ever; the constant is what the newest files, paths that are gone and the watch
take, whatever came before.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.record import record
from clipgrip_line.folder import compaction
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.recording import Found, Watchable

BATCH = 500
CLASSES = ("good part", "scratch on the edge", "dent", "stain", "burr")
OWED = {"answer": ("answers", "json", "webhook"), "repeat": (), "refused": ()}


def found(number: int, chance: random.Random) -> Found:
    """An answer as a bundle of five classes gives it."""
    image = hashlib.sha256(str(number).encode()).hexdigest()
    order = chance.sample(CLASSES, 3)
    top = [{"class": name, "confidence": round(chance.random(), 6)} for name in order]
    content = {
        "image_id": image,
        "class": order[0],
        "confidence": top[0]["confidence"],
        "top": top,
        "decided_by": "model",
        "verdict": "ng",
        "version": "0123456789ab",
    }
    codes = chance.randbytes(18)
    seen = Watchable(0, chance.random(), codes, chance.random() < 0.05)
    return Found(
        f"lot{number // 5000:05}/camera2-{number:09}.png",
        1_900_000,
        number,
        image,
        content,
        seen=seen,
    )


def fill(journal: Journal, first: int, n: int, chance: random.Random, *, delivered: bool) -> None:
    """Write ``n`` answers; what they owe is crossed off, where it is delivered; their files leave the folder."""
    for start in range(first, first + n, BATCH):
        batch = [found(number, chance) for number in range(start, start + BATCH)]
        journal.record(batch, "2026-11-28T12:00:00+09:00", OWED)
        for channel in OWED["answer"][: 3 if delivered else 2]:
            journal.done(channel, [one.number for one in journal.waiting(channel, BATCH)])
        with journal.quiet():  # the watch has bet on them
            journal.do(
                lambda db: db.execute("UPDATE monitor SET through=(SELECT max(number) FROM seen)")
            )
        journal.compact(())


def size(journal: Journal) -> int:
    """Bytes in use: pages that are free are used again."""
    db = journal.reader
    pages, free, each = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * each)


def main() -> int:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300_000)
    given = parser.parse_args()
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        journal.reader.execute(
            "PRAGMA synchronous=OFF"
        )  # the bytes are the same, and a laptop measures them
        journal.do(
            lambda db: db.execute("INSERT INTO monitor VALUES('v', '', 1, 0, 0, zeroblob(40000))")
        )
        settled = compaction.PATHS + 2 * compaction.WHOLE
        fill(journal, 0, settled, chance, delivered=True)
        before = size(journal)
        fill(journal, settled, given.pictures, chance, delivered=True)
        after = size(journal)
        waiting = 100_000
        fill(journal, settled + given.pictures, waiting, chance, delivered=False)
        spool = size(journal)
        found_ = {
            "pictures": given.pictures,
            "constant_bytes": before - round((after - before) / given.pictures * settled),
            "bytes_per_million_at_rest": round((after - before) / given.pictures * 1e6),
            "bytes_of_100000_messages_that_wait": spool - after,
        }
        journal.close()
    print(found_)
    print(record("line_journal", found_))
    return 0


if __name__ == "__main__":
    sys.exit(main())
