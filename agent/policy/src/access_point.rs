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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Change, Command, plan};
    use crate::site::{AccessPoint, AccessPointProfile, MessageAuthenticatorRule, RadSecClient, Site, SiteModel};
    use crate::snapshot::Loaded;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use values::{Mono, SeededEntropy};

    const ANYWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 3));
    const AT: Timestamp = Timestamp(1_795_435_200_000);

    fn point(name: &str, radsec: Option<Option<IpAddr>>) -> (AccessPointName, AccessPoint) {
        let name: AccessPointName = name.parse().expect("a fixed name");
        let radsec = radsec.map(|from| RadSecClient { from });
        let (profile, message_authenticator) = (AccessPointProfile::Generic, MessageAuthenticatorRule::Required);
        (name.clone(), AccessPoint { name, udp: None, radsec, profile, message_authenticator })
    }

    /// `attic` comes from anywhere, `shed` from an address of its own, `lobby` not by RadSec.
    fn snapshot() -> Snapshot {
        let shed = "10.0.0.9".parse().ok();
        let model = SiteModel {
            generation: 1,
            ssids: Vec::new(),
            eap_methods: Vec::new(),
            site: Site {
                name: "Harbour Works".into(),
                realm: "harbour.example".into(),
                time_zone: jiff::tz::TimeZone::UTC,
                holidays: Default::default(),
                currency: "EUR".into(),
            },
            schedules: BTreeMap::new(),
            networks: BTreeMap::new(),
            access_points: [point("attic", Some(None)), point("shed", Some(shed)), point("lobby", None)].into(),
            printers: BTreeMap::new(),
            doors: BTreeMap::new(),
            plans: BTreeMap::new(),
        };
        Snapshot::load(Arc::new(model), Loaded::default())
    }

    fn submit(snapshot: &Snapshot, command: Command) -> Result<(Snapshot, Vec<Change>), Reason> {
        let now = Now::trusted(Mono(1), AT);
        let planned = plan(snapshot, crate::Actor::Console, command, now, &mut SeededEntropy(1))?;
        Ok((snapshot.with(&planned.changes), planned.changes))
    }

    fn issue(snapshot: &Snapshot, name: &str, n: u8) -> Result<Snapshot, Reason> {
        let access_point = name.parse().expect("a fixed name");
        let expires_at = Timestamp(AT.0 + 1_000);
        let command = Command::IssueAccessPointCertificate { access_point, fingerprint: [n; 32], expires_at };
        submit(snapshot, command).map(|(snapshot, _)| snapshot)
    }

    fn revoke(snapshot: &Snapshot, name: &str) -> Result<Snapshot, Reason> {
        let access_point = name.parse().expect("a fixed name");
        submit(snapshot, Command::RevokeAccessPointCertificate { access_point }).map(|(snapshot, _)| snapshot)
    }

    fn shown(name: &str, n: u8) -> ClientCertificate {
        ClientCertificate { fingerprint: [n; 32], names: vec!["other.example".into(), name.into()] }
    }

    fn outcome(snapshot: &Snapshot, name: &str, n: u8, from: IpAddr) -> &'static str {
        match recognise(snapshot, &shown(name, n), from, Now::trusted(Mono(1), AT)) {
            Ok(_) => "recognised",
            Err(reason) => reason.code(),
        }
    }

    #[test]
    fn an_access_point_is_who_has_its_newest_certificate() {
        let attic = "attic.accesspoint.harbour.example";
        let first = issue(&snapshot(), "attic", 1).expect("it may come by RadSec");
        assert_eq!(outcome(&first, attic, 1, ANYWHERE), "recognised");
        assert_eq!(outcome(&first, attic, 2, ANYWHERE), "access-point-certificate-replaced");
        let second = issue(&first, "attic", 2).expect("again");
        assert_eq!(outcome(&second, attic, 1, ANYWHERE), "access-point-certificate-replaced");
        assert_eq!(outcome(&second, attic, 2, ANYWHERE), "recognised");
        assert_eq!(second.access_point_certificates.values().next().map(|issued| issued.revision), Some(2));
        let none = revoke(&second, "attic").expect("it has one");
        assert_eq!(outcome(&none, attic, 2, ANYWHERE), "access-point-certificate-replaced");
        let again = revoke(&none, "attic").expect_err("it has none");
        assert_eq!(again.code(), "no-access-point-certificate");
    }

    #[test]
    fn names_addresses_and_the_site_file_are_asked_too() {
        let issued = issue(&snapshot(), "shed", 1).expect("it may come by RadSec");
        let shed = "shed.accesspoint.harbour.example";
        let (home, mapped) = ("10.0.0.9".parse().expect("fixed"), "::ffff:10.0.0.9".parse().expect("fixed"));
        for (name, from, expected) in [
            (shed, home, "recognised"),
            (shed, mapped, "recognised"),
            (shed, ANYWHERE, "access-point-elsewhere"),
            ("attic.accesspoint.harbour.example", home, "access-point-certificate-replaced"),
            ("lobby.accesspoint.harbour.example", home, "access-point-without-radsec"),
            ("cellar.accesspoint.harbour.example", home, "unknown-access-point"),
            ("shed.accesspoint.other.example", home, "certificate-of-no-access-point"),
            ("a.shed.accesspoint.harbour.example", home, "certificate-of-no-access-point"),
            ("shed", home, "certificate-of-no-access-point"),
        ] {
            assert_eq!(outcome(&issued, name, 1, from), expected, "{name} from {from}");
        }
        for (name, expected) in [("lobby", "access-point-without-radsec"), ("cellar", "unknown-access-point")] {
            assert_eq!(issue(&issued, name, 3).map(drop).map_err(|reason| reason.code()), Err(expected));
        }
    }

    #[test]
    fn a_certificate_ends_when_the_time_is_known() {
        let issued = issue(&snapshot(), "attic", 1).expect("it may come by RadSec");
        let certificate = shown("attic.accesspoint.harbour.example", 1);
        let at = |now| recognise(&issued, &certificate, ANYWHERE, now).map(drop).map_err(|reason| reason.code());
        let (before, after) = (Timestamp(AT.0 + 999), Timestamp(AT.0 + 1_000));
        assert_eq!(at(Now::trusted(Mono(1), before)), Ok(()));
        assert_eq!(at(Now::trusted(Mono(1), after)), Err("access-point-certificate-expired"));
        let unknown = Now { mono: Mono(1), wall: values::Wall::Unsynced(after) };
        assert_eq!(at(unknown), Ok(()), "TLS has looked at its dates with the clock there is");
    }
}
