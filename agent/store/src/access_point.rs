//! RadSec certificates of access points as rows.

use crate::error::StoreError;
use crate::people::{all, count, parsed, stamp, uncount};
use policy::access_point::AccessPointCertificate;
use rusqlite::{Connection, params};
use values::AccessPointName;

pub(crate) fn put_certificate(db: &Connection, issued: &AccessPointCertificate) -> Result<(), StoreError> {
    db.execute(
        "INSERT OR REPLACE INTO access_point_certificate (access_point, revision, fingerprint, issued_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            issued.access_point.as_str(),
            count(issued.revision),
            issued.fingerprint,
            issued.issued_at.0,
            issued.expires_at.0
        ],
    )?;
    Ok(())
}

pub(crate) fn remove_certificate(db: &Connection, access_point: &AccessPointName) -> Result<(), StoreError> {
    db.execute("DELETE FROM access_point_certificate WHERE access_point = ?1", [access_point.as_str()])?;
    Ok(())
}

pub(crate) fn load_certificates(db: &Connection) -> Result<Vec<AccessPointCertificate>, StoreError> {
    all(db, "SELECT * FROM access_point_certificate", [], |row| {
        Ok(AccessPointCertificate {
            access_point: parsed(row, "access_point")?,
            revision: uncount(row.get("revision")?),
            fingerprint: row.get("fingerprint")?,
            issued_at: stamp(row, "issued_at")?,
            expires_at: stamp(row, "expires_at")?,
        })
    })
}
