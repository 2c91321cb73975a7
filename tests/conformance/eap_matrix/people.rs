//! The people of the matrix: one member for each thing that can be the matter, and the key that her device has.

use crate::cases::Who;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::daemon::Daemon;

pub struct Key {
    pub username: String,
    pub password: String,
    /// Of her device, with its private key.
    pub certificate: PathBuf,
}

pub struct People(BTreeMap<Who, Key>);

impl People {
    pub fn of(daemon: &Daemon) -> Self {
        let all = [
            Who::Member,
            Who::InTeam,
            Who::WithoutRealm,
            Who::WithDomain,
            Who::WrongKey,
            Who::Unknown,
            Who::Suspended,
            Who::Ended,
            Who::OutsideHours,
            Who::Revoked,
            Who::DeviceLimit,
            Who::NoWifiInPlan,
            Who::UnknownCertificate,
            Who::ForeignCertificate,
        ];
        Self(all.into_iter().map(|who| (who, key_of(daemon, who))).collect())
    }

    pub fn key(&self, who: Who) -> &Key {
        self.0.get(&who).expect("all of them have one")
    }
}

fn key_of(daemon: &Daemon, who: Who) -> Key {
    let plan = match who {
        Who::OutsideHours => "flex",
        Who::DeviceLimit => "desk",
        Who::NoWifiInPlan => "mailbox",
        _ => "resident",
    };
    let team = (who == Who::InTeam).then_some("studio");
    let member = daemon.add_member(&format!("{who:?}"), plan, team);
    let issued = daemon.cli(&["wifi", "issue", &member]);
    let text = |key: &str| issued[key].as_str().expect("text").to_owned();
    let (username, password) = (text("username"), text("password"));
    let certificate = daemon.data.join(format!("{who:?}.pem"));
    let path = certificate.to_str().expect("our folder has a plain name");
    let certified = daemon.cli(&["wifi", "certificate", &member, "--format", "pem", "--out", path]);
    let bare = username.split('@').next().unwrap_or_default().to_owned();
    let key = Key { username, password, certificate };
    match who {
        Who::WithoutRealm => Key { username: bare, ..key },
        Who::WithDomain => Key { username: format!("HARBOUR\\{}", bare.to_uppercase()), ..key },
        Who::WrongKey => Key { password: "not her key at all".to_owned(), ..key },
        Who::Unknown => Key { username: "nobody@harbour.example".to_owned(), ..key },
        Who::Suspended => {
            daemon.cli(&["member", "suspend", &member]);
            key
        }
        Who::Ended => {
            daemon.cli(&["member", "end", &member]);
            key
        }
        Who::Revoked => {
            daemon.cli(&["wifi", "revoke", &text("credential_id")]);
            daemon.cli(&["wifi", "revoke", certified["credential_id"].as_str().expect("text")]);
            key
        }
        Who::UnknownCertificate => {
            let ca = std::fs::read_to_string(daemon.data.join("pki/device-ca.pem")).expect("the device CA");
            let ca_key = std::fs::read_to_string(daemon.data.join("pki/device-ca.key")).expect("its key");
            let ca_key = rcgen::KeyPair::from_pem(&ca_key).expect("a key");
            write_certificate(&key.certificate, &rcgen::Issuer::from_ca_cert_pem(&ca, ca_key).expect("a CA"));
            key
        }
        Who::ForeignCertificate => {
            let mut ca = rcgen::CertificateParams::default();
            ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            write_certificate(&key.certificate, &rcgen::Issuer::new(ca, rcgen::KeyPair::generate().expect("a key")));
            key
        }
        Who::Member | Who::InTeam | Who::OutsideHours | Who::DeviceLimit | Who::NoWifiInPlan => key,
    }
}

/// A device's certificate that was not made by the box.
fn write_certificate(path: &Path, issuer: &rcgen::Issuer<'_, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "device");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    std::fs::write(path, certificate.pem() + &key.serialize_pem()).expect("a file in our folder");
}
