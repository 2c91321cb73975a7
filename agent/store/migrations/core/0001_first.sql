-- core.db, schema 1: what must never be lost. Ids are the prefixed texts that people see; times are milliseconds since 1970.

-- One row about the box itself.
CREATE TABLE box (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    generation  INTEGER NOT NULL,               -- of the snapshot; one more with each transaction of changes
    admin       BLOB,                           -- the administrator's password hash, sealed; NULL until claimed
    key_check   BLOB,                           -- a known text sealed under DATA/secret.key: tells a wrong key at once
    was_closed  INTEGER NOT NULL                -- 1 after a clean stop
) STRICT;
INSERT INTO box (id, generation, was_closed) VALUES (1, 0, 1);

CREATE TABLE site_generation (
    generation  INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    sha256      BLOB,
    text        TEXT                            -- the site file as it was applied; holds no secrets, only references
) STRICT;

-- Values that the site file refers to by name, sealed.
CREATE TABLE secret (
    name    TEXT PRIMARY KEY,
    sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE team (
    id        TEXT PRIMARY KEY,
    revision  INTEGER NOT NULL,
    name      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    id              TEXT PRIMARY KEY,
    revision        INTEGER NOT NULL,
    name            TEXT NOT NULL,
    email           TEXT NOT NULL,
    plan            TEXT NOT NULL,
    team            TEXT REFERENCES team (id),
    state           TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'ended')),
    state_at        INTEGER CHECK ((state_at IS NULL) = (state = 'active')),
    valid_from      INTEGER,
    valid_until     INTEGER,
    home_site       TEXT,
    shows_presence  INTEGER NOT NULL CHECK (shows_presence IN (0, 1)),
    added_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pass (
    id          TEXT PRIMARY KEY,
    revision    INTEGER NOT NULL,
    member      TEXT NOT NULL REFERENCES member (id),
    plan        TEXT NOT NULL,
    from_at     INTEGER NOT NULL,
    until_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    id          TEXT PRIMARY KEY,
    revision    INTEGER NOT NULL,
    member      TEXT NOT NULL REFERENCES member (id),
    label       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    username    TEXT,
    uid         TEXT,
    nt_hash     BLOB,                           -- sealed: it is as good as the key itself
    sha256      BLOB,                           -- of 128 random bits
    issued_at   INTEGER NOT NULL,
    revoked_at  INTEGER,
    CHECK (CASE kind
        WHEN 'wifi-key'    THEN username IS NOT NULL AND nt_hash IS NOT NULL AND uid IS NULL AND sha256 IS NULL
        WHEN 'badge'       THEN uid IS NOT NULL AND username IS NULL AND nt_hash IS NULL AND sha256 IS NULL
        WHEN 'print-token' THEN username IS NOT NULL AND length(sha256) = 32 AND uid IS NULL AND nt_hash IS NULL
        ELSE 0 END)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    name             TEXT PRIMARY KEY,
    revision         INTEGER NOT NULL,
    profile          TEXT NOT NULL,
    password_sha256  BLOB NOT NULL CHECK (length(password_sha256) = 32),
    added_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where members stand with printing; print_ledger is the proof.
CREATE TABLE print_account (
    member          TEXT PRIMARY KEY REFERENCES member (id),
    month           TEXT NOT NULL,
    settled_pages   INTEGER NOT NULL,
    reserved_pages  INTEGER NOT NULL,
    credit_minor    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE print_reservation (
    job             TEXT PRIMARY KEY,
    member          TEXT NOT NULL REFERENCES member (id),
    printer         TEXT NOT NULL,
    month           TEXT NOT NULL,
    pages           INTEGER NOT NULL,
    included_pages  INTEGER NOT NULL,
    charge_minor    INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('open', 'needs-checking', 'closed'))
) STRICT, WITHOUT ROWID;
CREATE INDEX print_reservation_open ON print_reservation (member) WHERE state <> 'closed';

-- Append-only. `pages` counts towards `month`; `amount_minor` is what moves the credit: taken off by a reserve, what a settle
-- or void gives back, what a credit adds.
CREATE TABLE print_ledger (
    seq           INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('reserve', 'settle', 'void', 'needs-checking', 'credit')),
    member        TEXT NOT NULL REFERENCES member (id),
    job           TEXT REFERENCES print_reservation (job) CHECK ((job IS NULL) = (kind = 'credit')),
    month         TEXT,
    pages         INTEGER NOT NULL,
    counted_by    TEXT,
    charged_minor INTEGER NOT NULL,             -- what the job cost in the end; 0 but for a settle
    amount_minor  INTEGER NOT NULL
) STRICT;
CREATE INDEX print_ledger_member ON print_ledger (member);
CREATE UNIQUE INDEX print_ledger_reserved_once ON print_ledger (job) WHERE kind = 'reserve';
CREATE UNIQUE INDEX print_ledger_ended_once ON print_ledger (job) WHERE kind IN ('settle', 'void');
CREATE TRIGGER print_ledger_keeps BEFORE UPDATE ON print_ledger BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER print_ledger_stays BEFORE DELETE ON print_ledger BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;

-- Submissions as the print engine keeps them.
CREATE TABLE print_job (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    member      TEXT,
    is_final    INTEGER NOT NULL CHECK (is_final IN (0, 1)),
    updated_at  INTEGER NOT NULL,
    record      TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
CREATE INDEX print_job_unfinished ON print_job (seq) WHERE is_final = 0;
CREATE INDEX print_job_member ON print_job (member);

-- Sessions name members and credentials without a foreign key: what an access point reports is a fact and is not refused.
CREATE TABLE wifi_session (
    id               TEXT PRIMARY KEY,
    access_point     TEXT NOT NULL,
    acct_session_id  TEXT NOT NULL,
    member           TEXT,
    credential       TEXT,
    username         TEXT NOT NULL,
    mac              TEXT,
    ip               TEXT,
    network          TEXT,
    vlan             INTEGER,
    started_at       INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    ended_at         INTEGER,
    rx_bytes         INTEGER NOT NULL,
    tx_bytes         INTEGER NOT NULL,
    end_cause        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX wifi_session_open ON wifi_session (started_at) WHERE ended_at IS NULL;
CREATE INDEX wifi_session_member ON wifi_session (member, started_at);
CREATE INDEX wifi_session_started ON wifi_session (started_at);
