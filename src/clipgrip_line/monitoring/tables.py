"""The tables that the watch and people's answers are kept in, in line.db and journal.db alike.

What stands here is a first version: a change to it is a migration of both files.
"""

from __future__ import annotations

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
