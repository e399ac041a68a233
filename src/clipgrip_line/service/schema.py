"""line.db: everything that the service remembers. Migrations are a list that only grows."""

from __future__ import annotations

from clipgrip_line.monitoring.tables import ALBUM, FIRST

MIGRATIONS = (
    FIRST
    + """
    CREATE TABLE answer (
      number INTEGER PRIMARY KEY, at TEXT NOT NULL, image TEXT NOT NULL, version TEXT NOT NULL,
      class TEXT NOT NULL, confidence REAL NOT NULL, top TEXT NOT NULL, decided TEXT NOT NULL,
      verdict TEXT NOT NULL, name TEXT NOT NULL, lot TEXT NOT NULL, serial TEXT NOT NULL,
      station TEXT NOT NULL, request TEXT NOT NULL, position INTEGER NOT NULL, shift TEXT NOT NULL,
      label INTEGER NOT NULL, sure REAL NOT NULL, codes BLOB, fresh INTEGER NOT NULL
    );
    CREATE INDEX answer_image ON answer (image);
    CREATE UNIQUE INDEX answer_request ON answer (request, position) WHERE request <> '';
    CREATE TABLE picture (image TEXT PRIMARY KEY, at TEXT NOT NULL, data BLOB NOT NULL);
    CREATE TABLE waiting (
      image TEXT PRIMARY KEY, answer INTEGER NOT NULL, why TEXT NOT NULL
    );
    CREATE INDEX waiting_order ON waiting (answer);
    CREATE TABLE tally (
      shift TEXT NOT NULL, class TEXT NOT NULL, verdict TEXT NOT NULL, n INTEGER NOT NULL,
      PRIMARY KEY (shift, class, verdict)
    );
    CREATE TABLE change (
      number INTEGER PRIMARY KEY, action TEXT NOT NULL, version TEXT NOT NULL, by TEXT NOT NULL,
      at TEXT NOT NULL, why TEXT NOT NULL
    );
    CREATE TABLE bundle (version TEXT PRIMARY KEY, file TEXT NOT NULL, at TEXT NOT NULL, facts TEXT NOT NULL);
    CREATE TABLE shadow (
      answer INTEGER PRIMARY KEY, version TEXT NOT NULL, class TEXT NOT NULL, confidence REAL NOT NULL,
      verdict TEXT NOT NULL
    );
    CREATE TABLE notice (number INTEGER PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL, sent TEXT);
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    """
    ALTER TABLE notice ADD COLUMN refused TEXT;
    CREATE TABLE compared (
      live TEXT NOT NULL, shadow TEXT NOT NULL, images INTEGER NOT NULL, differ INTEGER NOT NULL,
      PRIMARY KEY (live, shadow)
    );
    CREATE TABLE differing (answer INTEGER PRIMARY KEY, live TEXT NOT NULL, shadow TEXT NOT NULL);
    CREATE INDEX differing_order ON differing (live, shadow, answer);
    INSERT INTO compared SELECT a.version, s.version, count(*), sum(a.class <> s.class)
      FROM shadow s JOIN answer a ON a.number = s.answer GROUP BY a.version, s.version;
    INSERT INTO differing SELECT s.answer, a.version, s.version
      FROM shadow s JOIN answer a ON a.number = s.answer WHERE a.class <> s.class;
    """
    + ALBUM,
)
