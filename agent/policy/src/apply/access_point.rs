//! Commands about access points: their RadSec certificates.

use super::{Change, Decided, Desk, Note};
use crate::access_point::{AccessPointCertificate, may_use_radsec};
use crate::reason::Reason;
use crate::record::Noun;
use values::{AccessPointName, Timestamp};

impl Desk<'_> {
    pub(super) fn issue_access_point_certificate(
        &self,
        access_point: AccessPointName,
        fingerprint: [u8; 32],
        expires_at: Timestamp,
    ) -> Decided {
        may_use_radsec(self.snapshot, &access_point)?;
        let old = self.snapshot.access_point_certificates.get(&access_point);
        let sentence = match old {
            None => "An access point was given a RadSec certificate.",
            Some(_) => "An access point was given a new RadSec certificate; the one before is worth nothing now.",
        };
        let note = Note::new(Noun::Wifi, "access-point-certificate-issued", sentence)
            .at(&access_point)
            .fact("fingerprint", crate::snapshot::hex(&fingerprint))
            .fact("expires_at", expires_at.0);
        let revision = old.map_or(1, |old| old.revision + 1);
        let issued_at = self.now.stamp();
        let issued = AccessPointCertificate { access_point, revision, fingerprint, issued_at, expires_at };
        Ok((vec![Change::AccessPointCertificate(issued)], note))
    }

    pub(super) fn revoke_access_point_certificate(&self, name: &AccessPointName) -> Decided {
        if !self.snapshot.access_point_certificates.contains_key(name) {
            return Err(Reason::NoAccessPointCertificate { access_point: name.to_string() });
        }
        let sentence = "The RadSec certificate of an access point was withdrawn; its connections are closed.";
        let note = Note::new(Noun::Wifi, "access-point-certificate-revoked", sentence).at(name);
        Ok((vec![Change::AccessPointCertificateRemoved(name.clone())], note))
    }
}
