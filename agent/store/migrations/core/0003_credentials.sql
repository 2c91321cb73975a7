-- Three more kinds of credential. SQLite cannot change a CHECK, so the table is made anew.
CREATE TABLE credential_new (
    id          TEXT PRIMARY KEY,
    revision    INTEGER NOT NULL,
    member      TEXT NOT NULL REFERENCES member (id),
    label       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    username    TEXT,
    uid         TEXT,
    nt_hash     BLOB,                           -- sealed: it is as good as the key itself
    sha256      BLOB,                           -- of 128 random bits, or of a certificate's DER
    expires_at  INTEGER,                        -- a certificate's notAfter
    mac         TEXT,
    passphrase  BLOB,                           -- sealed JSON: the passphrase and its PMK on each SSID
    issued_at   INTEGER NOT NULL,
    revoked_at  INTEGER,
    CHECK (CASE kind
        WHEN 'wifi-key'    THEN username IS NOT NULL AND nt_hash IS NOT NULL AND coalesce(uid, sha256, expires_at, mac, passphrase) IS NULL
        WHEN 'badge'       THEN uid IS NOT NULL AND coalesce(username, nt_hash, sha256, expires_at, mac, passphrase) IS NULL
        WHEN 'print-token' THEN username IS NOT NULL AND length(sha256) = 32 AND coalesce(uid, nt_hash, expires_at, mac, passphrase) IS NULL
        WHEN 'device-certificate' THEN length(sha256) = 32 AND expires_at IS NOT NULL AND coalesce(username, uid, nt_hash, mac, passphrase) IS NULL
        WHEN 'wifi-passphrase'    THEN passphrase IS NOT NULL AND coalesce(username, uid, nt_hash, sha256, expires_at) IS NULL
        WHEN 'registered-device'  THEN mac IS NOT NULL AND coalesce(username, uid, nt_hash, sha256, expires_at, passphrase) IS NULL
        ELSE 0 END)
) STRICT, WITHOUT ROWID;
INSERT INTO credential_new (id, revision, member, label, kind, username, uid, nt_hash, sha256, issued_at, revoked_at)
    SELECT id, revision, member, label, kind, username, uid, nt_hash, sha256, issued_at, revoked_at FROM credential;
DROP TABLE credential;
ALTER TABLE credential_new RENAME TO credential;
