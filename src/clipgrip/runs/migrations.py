"""The schema of runs.db. The list only grows; a migration, once released, is never edited."""

from __future__ import annotations

from clipgrip.runs.seal import TABLE

MIGRATIONS = (
    """
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        created TEXT NOT NULL,
        finished TEXT,
        settings TEXT NOT NULL,
        data_fingerprint TEXT NOT NULL,
        backbone_fingerprint TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    CREATE TABLE class (
        run TEXT NOT NULL REFERENCES run(id),
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        prompt TEXT NOT NULL,
        PRIMARY KEY (run, position)
    );
    CREATE TABLE image (
        run TEXT NOT NULL REFERENCES run(id),
        sha256 TEXT NOT NULL,
        paths TEXT NOT NULL,
        label INTEGER NOT NULL,
        split TEXT NOT NULL,
        source TEXT NOT NULL,
        PRIMARY KEY (run, sha256)
    );
    CREATE TABLE round (
        run TEXT NOT NULL REFERENCES run(id),
        number INTEGER NOT NULL,
        k INTEGER NOT NULL,
        changed REAL NOT NULL,
        prompt BLOB NOT NULL,
        facts TEXT NOT NULL,
        PRIMARY KEY (run, number)
    );
    CREATE TABLE pseudolabel (
        run TEXT NOT NULL,
        round INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        label INTEGER NOT NULL,
        confidence REAL NOT NULL,
        PRIMARY KEY (run, round, sha256),
        FOREIGN KEY (run, round) REFERENCES round(run, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE training (
        run TEXT PRIMARY KEY REFERENCES run(id),
        round INTEGER NOT NULL,
        step INTEGER NOT NULL,
        state BLOB NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE audit_answer (
        run TEXT NOT NULL REFERENCES run(id),
        audit TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        label INTEGER NOT NULL,
        said_by TEXT NOT NULL,
        said_at TEXT NOT NULL,
        PRIMARY KEY (run, audit, sha256)
    );
    CREATE TABLE promise (
        number INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES run(id),
        audit TEXT NOT NULL,
        said_by TEXT NOT NULL,
        said_at TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    """,
    TABLE,
    """
    CREATE TABLE pseudolabels (
        run TEXT NOT NULL,
        round INTEGER NOT NULL,
        packed BLOB NOT NULL,
        PRIMARY KEY (run, round),
        FOREIGN KEY (run, round) REFERENCES round(run, number)
    );
    """,
)

SEALED = {
    "run": "id, created, settings, data_fingerprint, backbone_fingerprint, facts",
    "class": "run, position, name, prompt",
    "image": "run, sha256, paths, label, split, source",
    "round": "run, number, k, changed, prompt, facts",
    "pseudolabel": "run, round, sha256, label, confidence",
    "pseudolabels": "run, round, packed",
    "training": "run, round, step, state",
    "audit_answer": "run, audit, sha256, label, said_by, said_at",
    "promise": "number, run, audit, said_by, said_at, facts",
}
"""The sealed columns of each table: all but ``run.finished``, which is written after the row."""
