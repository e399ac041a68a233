"""The schema of watch.db. The list only grows; a migration, once released, is never edited."""

from __future__ import annotations

from clipgrip.runs.seal import TABLE

MIGRATIONS = (
    """
    CREATE TABLE line (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        run TEXT NOT NULL,
        alpha REAL NOT NULL,
        begun_at TEXT NOT NULL,
        facts TEXT NOT NULL,
        anchors BLOB NOT NULL
    );
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        period INTEGER NOT NULL,
        before INTEGER NOT NULL,
        monitors BLOB NOT NULL
    );
    CREATE TABLE seen (number INTEGER PRIMARY KEY, content INTEGER NOT NULL UNIQUE);
    CREATE TABLE image (
        number INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL,
        path TEXT NOT NULL,
        label INTEGER NOT NULL,
        confidence REAL NOT NULL,
        codes BLOB NOT NULL,
        seen_at TEXT NOT NULL,
        draw INTEGER,
        place INTEGER
    );
    CREATE TABLE alarm (
        number INTEGER PRIMARY KEY,
        period INTEGER NOT NULL,
        at INTEGER NOT NULL,
        rang_at TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    CREATE TABLE response (
        alarm INTEGER PRIMARY KEY REFERENCES alarm(number),
        verdict TEXT NOT NULL,
        note TEXT NOT NULL,
        said_by TEXT NOT NULL,
        said_at TEXT NOT NULL
    );
    CREATE TABLE answer (
        number INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        label INTEGER NOT NULL,
        predicted INTEGER NOT NULL,
        confidence REAL NOT NULL,
        said_by TEXT NOT NULL,
        said_at TEXT NOT NULL
    );
    CREATE TABLE draw (
        number INTEGER PRIMARY KEY,
        upto INTEGER NOT NULL,
        images INTEGER NOT NULL,
        drawn_at TEXT NOT NULL
    );
    CREATE TABLE scope (
        audit TEXT NOT NULL,
        name TEXT NOT NULL,
        threshold REAL NOT NULL,
        max_error REAL NOT NULL,
        position INTEGER NOT NULL,
        share REAL NOT NULL,
        after INTEGER NOT NULL,
        PRIMARY KEY (audit, name, threshold, max_error)
    );
    CREATE TABLE withdrawal (
        audit TEXT NOT NULL,
        scope TEXT NOT NULL,
        at TEXT NOT NULL,
        facts TEXT NOT NULL,
        PRIMARY KEY (audit, scope)
    );
    """,
    TABLE,
    """
    CREATE TABLE correction (
        number INTEGER PRIMARY KEY,
        answer INTEGER NOT NULL REFERENCES answer(number),
        label INTEGER NOT NULL,
        said_by TEXT NOT NULL,
        said_at TEXT NOT NULL
    );
    """,
    "DELETE FROM seal WHERE name = 'image'",  # it counts the scores too, by which a new normal begins
)

SEALED = {
    "line": "id, run, alpha, begun_at, facts, anchors",
    "state": "id, period, before, monitors",
    "alarm": "number, period, at, rang_at, facts",
    "response": "alarm, verdict, note, said_by, said_at",
    "image": "number, sha256, path, label, confidence, codes, draw, place",
    "draw": "number, upto, images, drawn_at",
    "answer": "number, sha256, label, predicted, confidence, said_by, said_at",
    "correction": "number, answer, label, said_by, said_at",
    "scope": "audit, name, threshold, max_error, position, share, after",
    "withdrawal": "audit, scope, at, facts",
}
"""All that decides whether an alarm rings and who labels an image."""
