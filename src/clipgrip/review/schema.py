"""The schema of review.db. The list only grows; a migration, once released, is never edited."""

from __future__ import annotations

from clipgrip.runs.seal import TABLE

MIGRATIONS = (
    """
    CREATE TABLE secret (value BLOB NOT NULL);
    CREATE TABLE class (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        prompt TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('active', 'merged', 'gone')),
        merged_into INTEGER REFERENCES class(id)
    );
    CREATE TABLE answer (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL UNIQUE,
        image TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('class', 'unsure', 'ask')),
        class INTEGER REFERENCES class(id),
        purpose TEXT NOT NULL CHECK (purpose IN ('review', 'audit', 'settle', 'import')),
        person TEXT NOT NULL,
        at TEXT NOT NULL,
        seconds REAL,
        round INTEGER NOT NULL,
        proposed INTEGER REFERENCES class(id),
        confidence REAL,
        CHECK ((verdict = 'class') = (class IS NOT NULL))
    );
    CREATE INDEX answer_image ON answer (image);
    CREATE TABLE undo (
        answer INTEGER PRIMARY KEY REFERENCES answer(number),
        person TEXT NOT NULL,
        at TEXT NOT NULL
    );
    CREATE TABLE round (
        number INTEGER PRIMARY KEY,
        folder TEXT NOT NULL,
        run TEXT NOT NULL,
        at TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    CREATE TABLE change (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        action TEXT NOT NULL,
        person TEXT NOT NULL,
        at TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    """,
    TABLE,
)

SEALED = {
    "secret": "value",
    "class": "id, name, prompt, state, merged_into",
    "answer": "number, token, image, verdict, class, purpose, person, at, seconds, round, proposed, confidence",
    "undo": "answer, person, at",
    "round": "number, folder, run, at, facts",
    "change": "number, action, person, at, facts",
}
"""The columns that are sealed."""
