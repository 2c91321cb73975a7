-- The newest test of each network's VLAN. Open: a member's devices try it until a moment; passed: it is used.
CREATE TABLE vlan_test (
    network    TEXT PRIMARY KEY,
    vlan       INTEGER NOT NULL,
    member     TEXT REFERENCES member (id),
    until      INTEGER CHECK ((until IS NULL) = (member IS NULL)),
    passed_at  INTEGER CHECK ((passed_at IS NULL) = (member IS NOT NULL))
) STRICT, WITHOUT ROWID;
