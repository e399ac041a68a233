"""journal.db: the tables of a watched folder. Migrations are a list that only grows."""

from __future__ import annotations

from clipgrip_line.monitoring.tables import ALBUM, FIRST

MIGRATIONS = (
    """
    CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE answers(
      image BLOB PRIMARY KEY, verdict TEXT NOT NULL, content TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE items(
      number INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, size INTEGER NOT NULL,
      mtime INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, image BLOB, reason TEXT);
    CREATE TABLE files(
      path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE waiting(
      channel TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(channel, number)) WITHOUT ROWID;
    CREATE TABLE dead(
      channel TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
      PRIMARY KEY(channel, number)) WITHOUT ROWID;
    """,
    """
    CREATE TABLE counts(kind TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counts SELECT kind, count(*) FROM items GROUP BY kind;
    INSERT INTO counts SELECT 'verdict ' || verdict, count(*) FROM answers GROUP BY verdict;
    ALTER TABLE files ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX files_number ON files(number);
    CREATE INDEX items_image ON items(image) WHERE image IS NOT NULL;
    CREATE TABLE known(image BLOB PRIMARY KEY, saying INTEGER NOT NULL, sure INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE sayings(
      number INTEGER PRIMARY KEY, class TEXT NOT NULL, verdict TEXT NOT NULL, decided TEXT NOT NULL,
      version TEXT NOT NULL, UNIQUE(class, verdict, decided, version));
    CREATE TABLE seen(
      number INTEGER PRIMARY KEY, at TEXT NOT NULL, image TEXT NOT NULL, version TEXT NOT NULL,
      name TEXT NOT NULL, label INTEGER NOT NULL, sure REAL NOT NULL, codes BLOB, fresh INTEGER NOT NULL);
    CREATE TABLE drawn(
      number INTEGER PRIMARY KEY, image TEXT NOT NULL UNIQUE, name TEXT NOT NULL, class TEXT NOT NULL,
      sure REAL NOT NULL, version TEXT NOT NULL);
    CREATE TABLE reply(
      alarm INTEGER PRIMARY KEY, verdict TEXT NOT NULL, note TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL);
    """
    + FIRST,
    ALBUM,
)
