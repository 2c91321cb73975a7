-- The RadSec certificate of each access point that has one; another is worth nothing.
CREATE TABLE access_point_certificate (
    access_point  TEXT PRIMARY KEY,
    revision      INTEGER NOT NULL,
    fingerprint   BLOB NOT NULL CHECK (length(fingerprint) = 32),
    issued_at     INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
