//! What the Registrar commits, in one transaction; and the way back, from rows to [`Loaded`].

use crate::audit::{self, Chain};
use crate::error::StoreError;
use crate::people::{self, uncount};
use crate::seal::SealingKey;
use crate::{access_point, print, site, wifi};
use policy::snapshot::Loaded;
use policy::{Actor, Change, Record};
use rusqlite::Connection;
use values::Timestamp;

/// Changes that stand or fall together, and what the audit log says of them.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub changes: Vec<Change>,
    pub audit: Vec<Record>,
    pub actor: Actor,
    /// The time of the ledger rows.
    pub at: Timestamp,
}

/// Writes a transaction; the answer is the generation that the snapshot now has, one more than before.
pub(crate) fn apply(db: &Connection, key: &SealingKey, transaction: &Transaction) -> Result<u64, StoreError> {
    let mut changes: Vec<&Change> = transaction.changes.iter().collect();
    changes.sort_by_key(|change| rank(change));
    for change in changes {
        put(db, key, transaction.at, change)?;
    }
    for record in &transaction.audit {
        audit::append(db, Chain::Core, record, Some(transaction.actor))?;
    }
    let generation: i64 = db
        .prepare_cached("UPDATE box SET generation = generation + 1 WHERE id = 1 RETURNING generation")?
        .query_row([], |row| row.get(0))?;
    Ok(uncount(generation))
}

/// What others refer to comes first. The order among changes of the same rank stays.
const fn rank(change: &Change) -> u8 {
    match change {
        Change::Admin(_)
        | Change::Site(_)
        | Change::Team(_)
        | Change::Device(_)
        | Change::DeviceRemoved(_)
        | Change::AccessPointCertificate(_)
        | Change::AccessPointCertificateRemoved(_) => 0,
        Change::Member(_) => 1,
        Change::Pass(_) | Change::Credential(_) | Change::VlanTest(_) => 2,
        Change::PrintReserved { .. } | Change::PrintSettled { .. } | Change::PrintCredited { .. } => 3,
    }
}

fn put(db: &Connection, key: &SealingKey, at: Timestamp, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Admin(phc) => people::put_admin(db, key, phc.as_ref()),
        Change::Site(model) => site::put_generation(db, model.generation, at),
        Change::Member(member) => people::put_member(db, member),
        Change::Team(team) => people::put_team(db, team),
        Change::Pass(pass) => people::put_pass(db, pass),
        Change::Credential(credential) => people::put_credential(db, key, credential),
        Change::Device(device) => people::put_device(db, device),
        Change::DeviceRemoved(name) => people::remove_device(db, name),
        Change::AccessPointCertificate(issued) => access_point::put_certificate(db, issued),
        Change::AccessPointCertificateRemoved(name) => access_point::remove_certificate(db, name),
        Change::VlanTest(test) => wifi::put_vlan_test(db, test),
        Change::PrintReserved { reservation, account } => print::reserve(db, at, reservation, account),
        Change::PrintSettled { job, member: _, settlement, charged_minor, account } => {
            print::settle(db, at, *job, *settlement, *charged_minor, account)
        }
        Change::PrintCredited { member, amount_minor, account } => {
            print::credit(db, at, *member, *amount_minor, account)
        }
    }
}

/// Everything that the first snapshot of a run is made from.
pub(crate) fn load(db: &Connection, key: &SealingKey) -> Result<Loaded, StoreError> {
    let generation: i64 = db.query_row("SELECT generation FROM box WHERE id = 1", [], |row| row.get(0))?;
    Ok(Loaded {
        generation: uncount(generation),
        admin: people::load_admin(db, key)?,
        members: people::load_members(db)?,
        teams: people::load_teams(db)?,
        passes: people::load_passes(db)?,
        credentials: people::load_credentials(db, key)?,
        devices: people::load_devices(db)?,
        print_accounts: print::load_accounts(db)?,
        reservations: print::load_reservations(db)?,
        vlan_tests: wifi::load_vlan_tests(db)?,
        access_point_certificates: access_point::load_certificates(db)?,
    })
}
