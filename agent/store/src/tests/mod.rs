//! What the store promises, tried on real files. Each test has its own folder.

mod audit;
mod changes;
mod failure;
mod intents;
mod ledger;
mod migrations;
mod room;

use crate::{SealingKey, Store, StoreError, Transaction};
use policy::snapshot::Loaded;
use policy::{Actor, Change, Credential, CredentialKind, Member, MemberStatus, Noun, Outcome, Record, Window};
use std::path::Path;
use tempfile::TempDir;
use values::{CredentialId, EventId, MemberId, Pii, Secret, Timestamp};

const NT_HASH: [u8; 16] = *b"\x88\x46\xf7\xea\xee\x8f\xb1\x17\xad\x06\xbd\xd8\x30\xb7\x58\x6c";

fn folder() -> TempDir {
    TempDir::new().expect("a folder for the test")
}

fn key() -> SealingKey {
    SealingKey::from_bytes(&Secret::new([7; 32]))
}

fn open(dir: &Path) -> (Store, Loaded) {
    Store::open(dir, key()).expect("the store opens")
}

/// An id that is the same in each run: `n` in each of its bytes' places.
fn member_id(n: u32) -> MemberId {
    MemberId::from_random(u128::from(n).to_be_bytes())
}

fn event_id(n: u32) -> EventId {
    EventId::from_random(u128::from(n).to_be_bytes())
}

fn member(n: u32) -> Member {
    Member {
        id: member_id(n),
        revision: 1,
        name: Pii(format!("Mara Holm {n}")),
        email: Pii(format!("mara{n}@harbour.example")),
        plan: "resident".parse().expect("a name"),
        team: None,
        status: MemberStatus::Active,
        valid: Window { from: Some(Timestamp(1_000)), until: None },
        home_site: None,
        shows_presence: false,
        added_at: Timestamp(1_000),
    }
}

fn wifi_key(n: u32) -> Credential {
    Credential {
        id: CredentialId::from_random(u128::from(n).to_be_bytes()),
        revision: 1,
        member: member_id(n),
        label: Pii("phone".to_owned()),
        kind: CredentialKind::WifiKey { username: format!("mara{n}"), nt_hash: Secret::new(NT_HASH) },
        issued_at: Timestamp(2_000),
        revoked_at: None,
    }
}

fn record(n: u32, member: u32) -> Record {
    Record::new(
        event_id(n),
        Timestamp(i64::from(n) * 10),
        Noun::Wifi,
        Outcome::Allowed,
        "wifi-admitted",
        "On the Wi-Fi.",
    )
    .member(Some(member_id(member)))
    .place("ap-front")
    .fact("vlan", 10)
    .personal("mac", format!("02:00:00:00:00:{n:02x}"))
    .personal("username", format!("mara{member}@harbour.example"))
}

fn transaction(changes: Vec<Change>, audit: Vec<Record>) -> Transaction {
    Transaction { changes, audit, actor: Actor::Console, at: Timestamp(5_000) }
}

fn apply(store: &Store, changes: Vec<Change>) -> Result<u64, StoreError> {
    store.apply_blocking(transaction(changes, Vec::new()))
}
