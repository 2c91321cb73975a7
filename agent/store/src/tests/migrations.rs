//! The schema: made from nothing, refused when it is newer, strict.

use super::*;
use crate::connection::{CORE, EVENTS};
use rusqlite::Connection;

#[test]
fn an_empty_folder_gets_the_newest_schema() {
    let dir = folder();
    drop(open(dir.path()));
    for database in [CORE, EVENTS] {
        let db = Connection::open(dir.path().join(database.file)).expect("opens");
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect("a pragma");
        assert_eq!(pragma("user_version"), database.newest(), "{}", database.file);
        assert_ne!(pragma("application_id"), 0);
        let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).expect("a pragma");
        assert_eq!(mode, "wal");
    }
}

#[test]
fn the_writer_syncs_each_commit_of_core_and_checks_references() {
    let dir = folder();
    for (database, synchronous) in [(CORE, 2), (EVENTS, 1)] {
        let db = database.open_writer(dir.path()).expect("opens");
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect("a pragma");
        assert_eq!(pragma("synchronous"), synchronous, "{}", database.file);
        assert_eq!((pragma("foreign_keys"), pragma("secure_delete"), pragma("trusted_schema")), (1, 1, 0));
    }
}

#[test]
fn a_file_of_a_newer_doorpost_is_refused_and_left_alone() {
    let dir = folder();
    drop(open(dir.path()));
    Connection::open(dir.path().join("core.db")).expect("opens").pragma_update(None, "user_version", 99).expect("set");
    let refused = Store::open(dir.path(), key()).map(|_| ()).expect_err("refused");
    assert_eq!(refused, StoreError::Newer { file: "core.db".to_owned(), found: 99, known: CORE.newest() });
    assert!(refused.is_configuration());
    assert!(matches!(crate::verify(dir.path()), Err(StoreError::Newer { .. })));
}

#[test]
fn credentials_and_sessions_of_an_older_schema_stay() {
    let dir = folder();
    let db = Connection::open(dir.path().join("core.db")).expect("opens");
    for migration in
        [include_str!("../../migrations/core/0001_first.sql"), include_str!("../../migrations/core/0002_audit.sql")]
    {
        db.execute_batch(migration).expect("an old schema");
    }
    db.execute_batch(&format!(
        "PRAGMA application_id = {}; PRAGMA user_version = 2;
         INSERT INTO member (id, revision, name, email, plan, state, shows_presence, added_at)
             VALUES ('mbr_00000000000000000000000001', 1, 'Mara', 'm@x.example', 'resident', 'active', 0, 1);
         INSERT INTO credential (id, revision, member, label, kind, uid, issued_at)
             VALUES ('crd_00000000000000000000000001', 1, 'mbr_00000000000000000000000001', 'badge', 'badge', '04A1B2C3', 1);
         INSERT INTO wifi_session (id, access_point, acct_session_id, username, started_at, seen_at, rx_bytes, tx_bytes)
             VALUES ('ses_00000000000000000000000001', 'hall', 'a1', 'mara1', 1, 1, 0, 0);",
        CORE.application_id()
    ))
    .expect("an old row");
    drop(db);
    drop(CORE.open_writer(dir.path()).expect("brought up to date"));
    let db = Connection::open(dir.path().join("core.db")).expect("opens");
    let uid: String = db.query_row("SELECT uid FROM credential", [], |row| row.get(0)).expect("still there");
    assert_eq!(uid, "04A1B2C3");
    let nas: String = db.query_row("SELECT nas FROM wifi_session", [], |row| row.get(0)).expect("still there");
    assert_eq!(nas, "", "which NAS it is of was not known");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let dir = folder();
    let db = Connection::open(dir.path().join("core.db")).expect("opens");
    db.execute_batch("PRAGMA application_id = 5; CREATE TABLE theirs (x)").expect("made");
    drop(db);
    assert!(matches!(Store::open(dir.path(), key()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn every_table_is_strict() {
    let dir = folder();
    drop(open(dir.path()));
    for database in [CORE, EVENTS] {
        let db = Connection::open(dir.path().join(database.file)).expect("opens");
        let mut select = db
            .prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'")
            .expect("a statement");
        let tables: Vec<(String, bool)> = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        assert!(tables.len() >= 3);
        assert!(tables.iter().all(|(_, strict)| *strict), "{tables:?}");
    }
    let db = CORE.open_writer(dir.path()).expect("opens");
    let refused = db.execute("INSERT INTO box (id, generation, was_closed) VALUES (2, 0, 1)", []);
    assert!(refused.is_err(), "the box has one row");
    let refused = db.execute("UPDATE box SET generation = 'many'", []);
    assert!(refused.is_err(), "a text is no number");
}

#[test]
fn the_ledger_and_the_log_of_changes_refuse_to_be_edited() {
    let dir = folder();
    let (store, _) = open(dir.path());
    store.apply_blocking(transaction(vec![Change::Member(member(1))], vec![record(1, 1)])).expect("applied");
    drop(store);
    let db = CORE.open_writer(dir.path()).expect("opens");
    db.execute(
        "INSERT INTO print_ledger (at, kind, member, pages, charged_minor, amount_minor) SELECT 1, 'credit', id, 0, 0, 5 FROM member",
        [],
    )
    .expect("a credit");
    for sql in [
        "UPDATE print_ledger SET amount_minor = 6",
        "DELETE FROM print_ledger",
        "UPDATE audit SET body = '{}'",
        "DELETE FROM audit",
    ] {
        assert!(db.execute(sql, []).is_err(), "{sql}");
    }
}
