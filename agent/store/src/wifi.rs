//! Wi-Fi sessions and tests of VLANs as rows. Whoever writes one says everything about it each time; this file only keeps it.

use crate::error::StoreError;
use crate::people::{all, count, parsed, parsed_maybe, stamp, stamp_maybe, uncount};
use policy::SessionRow;
use policy::wifi::{TestState, VlanTest};
use rusqlite::{Connection, Row, params};
use values::{CredentialId, MacAddress, MemberId, Pii};

pub(crate) fn save_session(db: &Connection, session: &SessionRow) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO wifi_session (id, access_point, acct_session_id, member, credential, username, mac, ip,
            network, vlan, started_at, seen_at, ended_at, rx_bytes, tx_bytes, end_cause, nas)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        session.id.to_string(),
        session.access_point.as_str(),
        session.acct_session_id,
        session.member.map(|member| member.to_string()),
        session.credential.map(|credential| credential.to_string()),
        session.username.0,
        session.mac.map(|mac| mac.to_string()),
        session.ip.as_ref().map(|ip| ip.0.to_string()),
        session.network.as_ref().map(|network| network.as_str()),
        session.vlan,
        session.started_at.0,
        session.seen_at.0,
        session.ended_at.map(|at| at.0),
        count(session.rx_bytes),
        count(session.tx_bytes),
        session.end_cause,
        session.nas,
    ])?;
    Ok(())
}

pub(crate) fn load_open(db: &Connection) -> Result<Vec<SessionRow>, StoreError> {
    all(db, "SELECT * FROM wifi_session WHERE ended_at IS NULL ORDER BY started_at", [], read)
}

/// The devices that were on the Wi-Fi by a credential, the most recent last.
pub(crate) fn load_known_devices(db: &Connection) -> Result<Vec<(CredentialId, MacAddress)>, StoreError> {
    let sql = "SELECT credential, mac FROM wifi_session WHERE credential IS NOT NULL AND mac IS NOT NULL
        GROUP BY credential, mac ORDER BY max(seen_at)";
    all(db, sql, [], |row| Ok((parsed(row, "credential")?, parsed(row, "mac")?)))
}

pub(crate) fn newest(db: &Connection, member: Option<MemberId>, limit: u32) -> Result<Vec<SessionRow>, StoreError> {
    match member {
        Some(member) => all(
            db,
            "SELECT * FROM wifi_session WHERE member = ?1 ORDER BY started_at DESC LIMIT ?2",
            params![member.to_string(), limit],
            read,
        ),
        None => all(db, "SELECT * FROM wifi_session ORDER BY started_at DESC LIMIT ?1", [limit], read),
    }
}

pub(crate) fn put_vlan_test(db: &Connection, test: &VlanTest) -> Result<(), StoreError> {
    let (member, until, passed_at) = match test.state {
        TestState::Open { member, until } => (Some(member.to_string()), Some(until.0), None),
        TestState::Passed { at } => (None, None, Some(at.0)),
    };
    db.execute(
        "INSERT OR REPLACE INTO vlan_test (network, vlan, member, until, passed_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![test.network.as_str(), test.vlan, member, until, passed_at],
    )?;
    Ok(())
}

pub(crate) fn load_vlan_tests(db: &Connection) -> Result<Vec<VlanTest>, StoreError> {
    let tests = all(db, "SELECT * FROM vlan_test", [], |row| {
        let state = match (parsed_maybe(row, "member")?, stamp_maybe(row, "until")?, stamp_maybe(row, "passed_at")?) {
            (Some(member), Some(until), _) => Some(TestState::Open { member, until }),
            (_, _, Some(at)) => Some(TestState::Passed { at }),
            (_, _, None) => None, // the table's CHECKs leave no such row
        };
        let (network, vlan) = (parsed(row, "network")?, row.get("vlan")?);
        Ok(state.map(|state| VlanTest { network, vlan, state }))
    })?;
    Ok(tests.into_iter().flatten().collect())
}

fn read(row: &Row<'_>) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: parsed(row, "id")?,
        access_point: parsed(row, "access_point")?,
        nas: row.get("nas")?,
        acct_session_id: row.get("acct_session_id")?,
        member: parsed_maybe(row, "member")?,
        credential: parsed_maybe(row, "credential")?,
        username: Pii(row.get("username")?),
        mac: parsed_maybe(row, "mac")?,
        ip: parsed_maybe(row, "ip")?.map(Pii),
        network: parsed_maybe(row, "network")?,
        vlan: row.get("vlan")?,
        started_at: stamp(row, "started_at")?,
        seen_at: stamp(row, "seen_at")?,
        ended_at: stamp_maybe(row, "ended_at")?,
        rx_bytes: uncount(row.get("rx_bytes")?),
        tx_bytes: uncount(row.get("tx_bytes")?),
        end_cause: row.get("end_cause")?,
    })
}
