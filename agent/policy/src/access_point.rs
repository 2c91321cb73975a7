//! Which access point a RadSec certificate belongs to, and whether it may come by it. Owns the name that such a certificate
//! has and the decision; refuses to know TLS: whoever asks has verified the chain and that the peer has the key.
//!
//! An access point has one certificate. A new one takes the old one's place at once, and withdrawing it leaves none, so there
//! is no list of revoked ones: what is not the one in the database is refused.

use crate::reason::Reason;
use crate::snapshot::Snapshot;
use std::net::IpAddr;
use values::{AccessPointName, Now, Timestamp};

/// The certificate that an access point was given. Lives in the database; the site file says whether it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointCertificate {
    pub access_point: AccessPointName,
    pub revision: u64,
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What a client certificate that our infrastructure CA signed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// Its DNS names (subjectAltName).
    pub names: Vec<String>,
}

/// The DNS name in an access point's certificate: `lobby.accesspoint.harbour.example`.
#[must_use]
pub fn certificate_name(access_point: &AccessPointName, realm: &str) -> String {
    format!("{access_point}.accesspoint.{realm}")
}

/// The access point that a peer is.
///
/// # Errors
/// Why it may not come by RadSec.
pub fn recognise(
    snapshot: &Snapshot,
    certificate: &ClientCertificate,
    from: IpAddr,
    now: Now,
) -> Result<AccessPointName, Reason> {
    let suffix = format!(".accesspoint.{}", snapshot.site.site.realm);
    let named = certificate.names.iter().filter_map(|name| name.strip_suffix(&suffix)?.parse::<AccessPointName>().ok());
    let name = named.into_iter().next().ok_or(Reason::CertificateOfNoAccessPoint)?;
    may_use_radsec(snapshot, &name)?;
    let access_point = name.to_string();
    let issued = snapshot.access_point_certificates.get(&name);
    let Some(issued) = issued.filter(|issued| issued.fingerprint == certificate.fingerprint) else {
        return Err(Reason::AccessPointCertificateReplaced { access_point });
    };
    if now.is_trusted() && issued.expires_at <= now.stamp() {
        return Err(Reason::AccessPointCertificateExpired { access_point });
    }
    let point = snapshot.site.access_points.get(&name);
    let expected = point.and_then(|point| point.radsec.as_ref()).and_then(|radsec| radsec.from);
    match expected {
        Some(expected) if expected != from.to_canonical() => {
            Err(Reason::AccessPointElsewhere { access_point, expected: expected.to_string() })
        }
        Some(_) | None => Ok(name),
    }
}

/// Whether the site file has the access point and lets it come by RadSec.
///
/// # Errors
/// It does not.
pub fn may_use_radsec(snapshot: &Snapshot, name: &AccessPointName) -> Result<(), Reason> {
    let access_point = name.to_string();
    match snapshot.site.access_points.get(name).map(|point| &point.radsec) {
        None => Err(Reason::UnknownAccessPoint { access_point }),
        Some(None) => Err(Reason::AccessPointWithoutRadsec { access_point }),
        Some(Some(_)) => Ok(()),
    }
}
