"""The tables that the watch and people's answers are kept in, in line.db and journal.db alike.

What stands here is a first version: a change to it is a migration of both files.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

FIRST = """
    CREATE TABLE said (
      number INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, image TEXT NOT NULL, class TEXT NOT NULL,
      by TEXT NOT NULL, at TEXT NOT NULL, why TEXT NOT NULL, name TEXT NOT NULL, predicted TEXT NOT NULL,
      confidence REAL NOT NULL, version TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX said_image ON said (image);
    CREATE TABLE monitor (
      version TEXT PRIMARY KEY, begun_at TEXT NOT NULL, period INTEGER NOT NULL, before INTEGER NOT NULL,
      through INTEGER NOT NULL, data BLOB NOT NULL
    );
    CREATE TABLE alarm (
      number INTEGER PRIMARY KEY, version TEXT NOT NULL, period INTEGER NOT NULL, at INTEGER NOT NULL,
      rang_at TEXT NOT NULL, facts TEXT NOT NULL, response TEXT
    );
    CREATE TABLE watched (
      version TEXT NOT NULL, number INTEGER NOT NULL, answer INTEGER NOT NULL, PRIMARY KEY (version, number)
    );
    CREATE TABLE withdrawal (
      version TEXT NOT NULL, scope TEXT NOT NULL, at TEXT NOT NULL, facts TEXT NOT NULL,
      PRIMARY KEY (version, scope)
    );
    CREATE TABLE scope (version TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, after INTEGER NOT NULL,
      PRIMARY KEY (version, name));
"""
ALBUM = """
    CREATE TABLE alarm_picture (
      alarm INTEGER NOT NULL, image TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (alarm, image)
    );
    CREATE INDEX alarm_picture_image ON alarm_picture (image);
"""


class Newer(Exception):
    """A newer program wrote the file."""


def migrate(db: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """The newest tables, whatever the file holds; within the caller's transaction."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise Newer
    if version == len(scripts):
        return  # nothing is written, so a full disk keeps nobody from reading
    for script in scripts[version:]:
        for statement in filter(str.strip, script.split(";\n")):
            db.execute(statement)
    db.execute(f"PRAGMA user_version={len(scripts)}")
