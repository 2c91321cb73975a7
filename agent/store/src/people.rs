//! Members, teams, passes, credentials, the administrator, and the devices that were given a password: rows <-> policy's
//! types. A change says everything about its object, so each is one upsert and applying it twice changes nothing.

use crate::error::StoreError;
use crate::seal::SealingKey;
use policy::{Credential, CredentialKind, Device, Member, MemberStatus, Pass, Team, Window};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
use values::{CredentialId, DeviceName, Pii, Secret, Timestamp};
use zeroize::Zeroizing;

/// What `box.key_check` says when it is unsealed with the right key.
const KEY_CHECK: &[u8] = b"doorpost core.db";
const KEY_CHECK_PLACE: &str = "box/1/key_check";
const ADMIN_PLACE: &str = "box/1/admin";

/// The number that SQLite keeps for a revision or generation: they count up from 1 and do not reach 2^63.
pub(crate) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn uncount(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// A text column as the type it was written from. What cannot be read any more is damage, not a guess.
pub(crate) fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| StoreError::corrupt("core.db", format!("column {column} holds what it cannot")))
}

pub(crate) fn parsed_maybe<T: FromStr>(row: &Row<'_>, column: &str) -> Result<Option<T>, StoreError> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(StoreError::corrupt("core.db", format!("column {column} holds what it cannot"))),
        },
    }
}

pub(crate) fn stamp(row: &Row<'_>, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp(row.get(column)?))
}

pub(crate) fn stamp_maybe(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// Every row of a query, read by `read`.
pub(crate) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = db.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(read(row)?);
    }
    Ok(out)
}

/// Proves that `key` is the one that this file was sealed under; a new file is marked with it.
pub(crate) fn check_key(db: &Connection, key: &SealingKey) -> Result<(), StoreError> {
    let mark: Option<Vec<u8>> = db.query_row("SELECT key_check FROM box WHERE id = 1", [], |row| row.get(0))?;
    match mark {
        Some(mark) if key.unseal(KEY_CHECK_PLACE, &mark)?.expose() == KEY_CHECK => Ok(()),
        Some(_) => Err(StoreError::WrongKey),
        None => {
            let mark = key.seal(KEY_CHECK_PLACE, KEY_CHECK)?;
            db.execute("UPDATE box SET key_check = ?1 WHERE id = 1", [mark])?;
            Ok(())
        }
    }
}

pub(crate) fn put_admin(db: &Connection, key: &SealingKey, phc: Option<&Secret<String>>) -> Result<(), StoreError> {
    let sealed = phc.map(|phc| key.seal(ADMIN_PLACE, phc.expose().as_bytes())).transpose()?;
    db.execute("UPDATE box SET admin = ?1 WHERE id = 1", [sealed])?;
    Ok(())
}

pub(crate) fn load_admin(db: &Connection, key: &SealingKey) -> Result<Option<Secret<String>>, StoreError> {
    let sealed: Option<Vec<u8>> = db.query_row("SELECT admin FROM box WHERE id = 1", [], |row| row.get(0))?;
    let Some(sealed) = sealed else { return Ok(None) };
    let phc = key.unseal(ADMIN_PLACE, &sealed)?;
    let phc = String::from_utf8(phc.expose().clone()).map_err(|_| StoreError::WrongKey)?;
    Ok(Some(Secret::new(phc)))
}

/// Seals a value that the site file refers to by `name`.
pub(crate) fn put_secret(db: &Connection, key: &SealingKey, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sealed = key.seal(&format!("secret/{name}/sealed"), value)?;
    db.execute(
        "INSERT INTO secret (name, sealed) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
        params![name, sealed],
    )?;
    Ok(())
}

pub(crate) fn secret(db: &Connection, key: &SealingKey, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
    let sealed: Option<Vec<u8>> =
        db.query_row("SELECT sealed FROM secret WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    sealed.map(|sealed| key.unseal(&format!("secret/{name}/sealed"), &sealed)).transpose()
}

pub(crate) fn put_team(db: &Connection, team: &Team) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO team (id, revision, name) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, name = excluded.name",
    )?
    .execute(params![team.id.to_string(), count(team.revision), team.name])?;
    Ok(())
}

pub(crate) fn load_teams(db: &Connection) -> Result<Vec<Team>, StoreError> {
    all(db, "SELECT * FROM team", [], |row| {
        Ok(Team { id: parsed(row, "id")?, revision: uncount(row.get("revision")?), name: row.get("name")? })
    })
}

pub(crate) fn put_member(db: &Connection, member: &Member) -> Result<(), StoreError> {
    let (state, state_at) = match member.status {
        MemberStatus::Active => ("active", None),
        MemberStatus::Suspended { since } => ("suspended", Some(since.0)),
        MemberStatus::Ended { at } => ("ended", Some(at.0)),
    };
    db.prepare_cached(
        "INSERT INTO member (id, revision, name, email, plan, team, state, state_at, valid_from, valid_until, home_site,
            shows_presence, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, name = excluded.name, email = excluded.email,
            plan = excluded.plan, team = excluded.team, state = excluded.state, state_at = excluded.state_at,
            valid_from = excluded.valid_from, valid_until = excluded.valid_until, home_site = excluded.home_site,
            shows_presence = excluded.shows_presence, added_at = excluded.added_at",
    )?
    .execute(params![
        member.id.to_string(),
        count(member.revision),
        member.name.0,
        member.email.0,
        member.plan.as_str(),
        member.team.map(|team| team.to_string()),
        state,
        state_at,
        member.valid.from.map(|at| at.0),
        member.valid.until.map(|at| at.0),
        member.home_site.as_ref().map(|partner| partner.as_str()),
        member.shows_presence,
        member.added_at.0,
    ])?;
    Ok(())
}

pub(crate) fn load_members(db: &Connection) -> Result<Vec<Member>, StoreError> {
    all(db, "SELECT * FROM member", [], |row| {
        let state: String = row.get("state")?;
        let status = match (state.as_str(), stamp_maybe(row, "state_at")?) {
            ("active", None) => MemberStatus::Active,
            ("suspended", Some(since)) => MemberStatus::Suspended { since },
            ("ended", Some(at)) => MemberStatus::Ended { at },
            (other, _) => return Err(StoreError::corrupt("core.db", format!("a member's state is `{other}`"))),
        };
        Ok(Member {
            id: parsed(row, "id")?,
            revision: uncount(row.get("revision")?),
            name: Pii(row.get("name")?),
            email: Pii(row.get("email")?),
            plan: parsed(row, "plan")?,
            team: parsed_maybe(row, "team")?,
            status,
            valid: Window { from: stamp_maybe(row, "valid_from")?, until: stamp_maybe(row, "valid_until")? },
            home_site: parsed_maybe(row, "home_site")?,
            shows_presence: row.get("shows_presence")?,
            added_at: stamp(row, "added_at")?,
        })
    })
}

pub(crate) fn put_pass(db: &Connection, pass: &Pass) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO pass (id, revision, member, plan, from_at, until_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        pass.id.to_string(),
        count(pass.revision),
        pass.member.to_string(),
        pass.plan.as_str(),
        pass.from.0,
        pass.until.0,
    ])?;
    Ok(())
}

pub(crate) fn load_passes(db: &Connection) -> Result<Vec<Pass>, StoreError> {
    all(db, "SELECT * FROM pass", [], |row| {
        Ok(Pass {
            id: parsed(row, "id")?,
            revision: uncount(row.get("revision")?),
            member: parsed(row, "member")?,
            plan: parsed(row, "plan")?,
            from: stamp(row, "from_at")?,
            until: stamp(row, "until_at")?,
        })
    })
}

fn nt_hash_place(id: CredentialId) -> String {
    format!("credential/{id}/nt_hash")
}

fn passphrase_place(id: CredentialId) -> String {
    format!("credential/{id}/passphrase")
}

/// What a kind of credential puts into its row; the other columns are NULL.
#[derive(Default)]
struct Columns<'a> {
    username: Option<&'a str>,
    uid: Option<&'a str>,
    nt_hash: Option<Vec<u8>>,
    sha256: Option<&'a [u8; 32]>,
    expires_at: Option<i64>,
    mac: Option<String>,
    passphrase: Option<Vec<u8>>,
}

/// A passphrase and its PMK on each SSID, as they are sealed.
#[derive(Serialize, Deserialize)]
struct SealedPassphrase {
    passphrase: Zeroizing<String>,
    pmks: BTreeMap<String, Zeroizing<[u8; 32]>>,
}

impl<'a> Columns<'a> {
    fn of(key: &SealingKey, credential: &'a Credential) -> Result<Self, StoreError> {
        let none = Self::default();
        Ok(match &credential.kind {
            CredentialKind::WifiKey { username, nt_hash } => {
                let sealed = key.seal(&nt_hash_place(credential.id), nt_hash.expose())?;
                Self { username: Some(username), nt_hash: Some(sealed), ..none }
            }
            CredentialKind::Badge { uid } => Self { uid: Some(&uid.0), ..none },
            CredentialKind::PrintToken { username, sha256 } => {
                Self { username: Some(username), sha256: Some(sha256), ..none }
            }
            CredentialKind::DeviceCertificate { fingerprint, expires_at } => {
                Self { sha256: Some(fingerprint), expires_at: Some(expires_at.0), ..none }
            }
            CredentialKind::RegisteredDevice { mac } => Self { mac: Some(mac.to_string()), ..none },
            CredentialKind::WifiPassphrase { passphrase, mac, pmks } => {
                let plain = SealedPassphrase {
                    passphrase: Zeroizing::new(passphrase.expose().clone()),
                    pmks: pmks.iter().map(|(ssid, pmk)| (ssid.clone(), Zeroizing::new(*pmk.expose()))).collect(),
                };
                let json = Zeroizing::new(serde_json::to_vec(&plain).map_err(|error| damaged(credential.id, &error))?);
                let sealed = key.seal(&passphrase_place(credential.id), &json)?;
                Self { mac: mac.map(|mac| mac.to_string()), passphrase: Some(sealed), ..none }
            }
        })
    }
}

fn damaged(id: CredentialId, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::corrupt("core.db", format!("credential {id}: {error}"))
}

pub(crate) fn put_credential(db: &Connection, key: &SealingKey, credential: &Credential) -> Result<(), StoreError> {
    let columns = Columns::of(key, credential)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO credential (id, revision, member, label, kind, username, uid, nt_hash, sha256, expires_at, mac,
            passphrase, issued_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        credential.id.to_string(),
        count(credential.revision),
        credential.member.to_string(),
        credential.label.0,
        credential.kind.word(),
        columns.username,
        columns.uid,
        columns.nt_hash,
        columns.sha256,
        columns.expires_at,
        columns.mac,
        columns.passphrase,
        credential.issued_at.0,
        credential.revoked_at.map(|at| at.0),
    ])?;
    Ok(())
}

pub(crate) fn load_credentials(db: &Connection, key: &SealingKey) -> Result<Vec<Credential>, StoreError> {
    all(db, "SELECT * FROM credential", [], |row| {
        let id = parsed(row, "id")?;
        Ok(Credential {
            id,
            revision: uncount(row.get("revision")?),
            member: parsed(row, "member")?,
            label: Pii(row.get("label")?),
            kind: read_kind(row, key, id)?,
            issued_at: stamp(row, "issued_at")?,
            revoked_at: stamp_maybe(row, "revoked_at")?,
        })
    })
}

fn read_kind(row: &Row<'_>, key: &SealingKey, id: CredentialId) -> Result<CredentialKind, StoreError> {
    let kind: String = row.get("kind")?;
    match kind.as_str() {
        "wifi-key" => {
            let hash = key.unseal(&nt_hash_place(id), &row.get::<_, Vec<u8>>("nt_hash")?)?;
            let nt_hash: [u8; 16] = hash.expose().as_slice().try_into().map_err(|_| StoreError::WrongKey)?;
            Ok(CredentialKind::WifiKey { username: row.get("username")?, nt_hash: Secret::new(nt_hash) })
        }
        "badge" => Ok(CredentialKind::Badge { uid: Pii(row.get("uid")?) }),
        "print-token" => Ok(CredentialKind::PrintToken { username: row.get("username")?, sha256: row.get("sha256")? }),
        "device-certificate" => Ok(CredentialKind::DeviceCertificate {
            fingerprint: row.get("sha256")?,
            expires_at: stamp(row, "expires_at")?,
        }),
        "registered-device" => Ok(CredentialKind::RegisteredDevice { mac: parsed(row, "mac")? }),
        "wifi-passphrase" => {
            let json = key.unseal(&passphrase_place(id), &row.get::<_, Vec<u8>>("passphrase")?)?;
            let plain: SealedPassphrase = serde_json::from_slice(json.expose()).map_err(|error| damaged(id, &error))?;
            Ok(CredentialKind::WifiPassphrase {
                passphrase: Secret::new(plain.passphrase.to_string()),
                mac: parsed_maybe(row, "mac")?,
                pmks: plain.pmks.into_iter().map(|(ssid, pmk)| (ssid, Secret::new(*pmk))).collect(),
            })
        }
        other => Err(StoreError::corrupt("core.db", format!("credential {id} is of the unknown kind `{other}`"))),
    }
}

pub(crate) fn put_device(db: &Connection, device: &Device) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO device (name, revision, profile, password_sha256, added_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        device.name.as_str(),
        count(device.revision),
        device.profile.as_str(),
        device.password_sha256,
        device.added_at.0
    ])?;
    Ok(())
}

pub(crate) fn remove_device(db: &Connection, name: &DeviceName) -> Result<(), StoreError> {
    db.execute("DELETE FROM device WHERE name = ?1", [name.as_str()])?;
    Ok(())
}

pub(crate) fn load_devices(db: &Connection) -> Result<Vec<Device>, StoreError> {
    all(db, "SELECT * FROM device", [], |row| {
        Ok(Device {
            name: parsed(row, "name")?,
            revision: uncount(row.get("revision")?),
            profile: parsed(row, "profile")?,
            password_sha256: row.get("password_sha256")?,
            added_at: stamp(row, "added_at")?,
        })
    })
}
