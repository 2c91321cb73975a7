-- The audit chain; the same tables stand in core.db (changes) and in events.db (decisions). The columns to search by are
-- computed from `body`, so there is nothing beside the hashed text that could be changed unseen.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    prev_hash  BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    id         TEXT    GENERATED ALWAYS AS (json_extract(body, '$.id')) VIRTUAL,
    at         INTEGER GENERATED ALWAYS AS (json_extract(body, '$.at')) VIRTUAL,
    noun       TEXT    GENERATED ALWAYS AS (json_extract(body, '$.noun')) VIRTUAL,
    member     TEXT    GENERATED ALWAYS AS (json_extract(body, '$.member')) VIRTUAL,
    place      TEXT    GENERATED ALWAYS AS (json_extract(body, '$.place')) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX audit_id ON audit (id);
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_member ON audit (member, at, id) WHERE member IS NOT NULL;
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

-- Personal values and the salts of their commitments. Deleting a row erases the value; the chain keeps the commitment.
CREATE TABLE audit_personal (
    seq    INTEGER NOT NULL REFERENCES audit (seq) ON DELETE CASCADE,
    field  TEXT NOT NULL,
    value  TEXT NOT NULL,
    salt   BLOB NOT NULL CHECK (length(salt) = 16),
    PRIMARY KEY (seq, field)
) STRICT, WITHOUT ROWID;

-- What the first row of the chain follows: nothing, or the last row that retention removed.
CREATE TABLE audit_base (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    seq   INTEGER NOT NULL,
    hash  BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_base (id, seq, hash) VALUES (1, 0, zeroblob(32));
