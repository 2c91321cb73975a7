use super::*;
use values::Secret;

const NOW: Timestamp = Timestamp(1_795_219_200_000); // 2026-11-21

/// The common names of issuer and subject, and the CA as it stands in its file.
fn opened(data: &Path, realm: &str) -> (String, String, Vec<u8>) {
    let served = Pki::open(data, realm, NOW).expect("certificates can be made").served.current();
    let (_, server) = x509_parser::parse_x509_certificate(&served.cert[0]).expect("our own certificate");
    (server.issuer().to_string(), server.subject().to_string(), fs::read(data.join("pki/ca.pem")).expect("ca.pem"))
}

#[test]
fn a_second_start_changes_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let first = opened(data.path(), "harbour.example");
    assert_eq!(opened(data.path(), "harbour.example"), first);
}

#[test]
fn a_new_realm_has_a_ca_that_may_sign_for_it() {
    let data = tempfile::tempdir().expect("a folder");
    let (_, _, before) = opened(data.path(), "doorpost.local");
    let (issuer, subject, after) = opened(data.path(), "harbour.example");
    assert_ne!(before, after);
    assert_eq!(issuer, "CN=Doorpost server CA harbour.example");
    assert_eq!(subject, "CN=doorpost.harbour.example");
    assert_eq!(fs::read(data.path().join("pki/ca-of-doorpost.local.pem")).expect("kept"), before);
    assert_eq!(opened(data.path(), "harbour.example").2, after);
}

#[test]
fn a_realm_that_was_changed_by_mistake_gets_its_ca_back() {
    let data = tempfile::tempdir().expect("a folder");
    let right = opened(data.path(), "harbour.example");
    assert_ne!(opened(data.path(), "harbuor.example").2, right.2);
    let back = opened(data.path(), "harbour.example");
    assert_eq!((back.0, back.2), (right.0, right.2));
}

#[test]
fn a_ca_without_its_key_is_not_replaced_behind_the_operators_back() {
    let data = tempfile::tempdir().expect("a folder");
    let (_, _, before) = opened(data.path(), "harbour.example");
    fs::remove_file(data.path().join("pki/ca.key")).expect("our own file");
    let Err(error) = Pki::open(data.path(), "harbour.example", NOW) else { panic!("it must be refused") };
    assert!(error.to_string().contains("bring it back from a backup"), "{error}");
    assert_eq!(fs::read(data.path().join("pki/ca.pem")).expect("kept"), before);
}

#[test]
fn a_server_certificate_of_a_ca_that_is_gone_or_without_its_key_is_made_anew() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = data.path().join("pki");
    let (_, _, first_ca) = opened(data.path(), "harbour.example");
    let first = fs::read(pki.join("server.pem")).expect("server.pem");
    // A power cut between the two files: the key is another one's.
    fs::copy(pki.join("ca.key"), pki.join("server.key")).expect("our own files");
    opened(data.path(), "harbour.example");
    let second = fs::read(pki.join("server.pem")).expect("server.pem");
    assert_ne!(second, first);
    for kind in ["pem", "key"] {
        fs::remove_file(pki.join("ca").with_extension(kind)).expect("our own file");
    }
    let (_, _, second_ca) = opened(data.path(), "harbour.example");
    assert_ne!(second_ca, first_ca);
    assert_ne!(fs::read(pki.join("server.pem")).expect("server.pem"), second);
}

/// A client's clock.
#[derive(Debug)]
struct At(Timestamp);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(self.0.0 / 1_000).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A device that trusts this CA and this name, on a connection in memory.
struct Device {
    client: rustls::ClientConnection,
    server: rustls::ServerConnection,
}

impl Device {
    fn connect(server: &Arc<ServerConfig>, ca: &CertificateDer<'static>, at: Timestamp) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_details(provider, Arc::new(At(at)))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = server_name("harbour.example").try_into().expect("a name");
        let client = rustls::ClientConnection::new(Arc::new(config), name)?;
        let mut device = Self { client, server: rustls::ServerConnection::new(Arc::clone(server))? };
        while device.client.is_handshaking() || device.server.is_handshaking() {
            device.exchange()?;
        }
        Ok(device)
    }

    fn exchange(&mut self) -> Result<(), rustls::Error> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).expect("into memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            self.server.read_tls(&mut wire).expect("out of memory");
            self.server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).expect("into memory");
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            self.client.read_tls(&mut wire).expect("out of memory");
            self.client.process_new_packets()?;
        }
        Ok(())
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().expect("TLS has certificates")[0].clone().into_owned()
    }

    /// Sends a word and has it read.
    fn talks(&mut self) -> bool {
        use std::io::{Read, Write};
        self.client.writer().write_all(b"still here").expect("into memory");
        self.exchange().expect("an open connection");
        let mut heard = [0; 10];
        self.server.reader().read_exact(&mut heard).is_ok() && &heard == b"still here"
    }
}

fn days(days: i64) -> Timestamp {
    Timestamp(NOW.0 + days * authority::DAY_MS)
}

#[test]
fn the_server_certificate_is_renewed_while_the_box_runs_and_devices_notice_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let tls = pki.device_facing_tls().expect("a configuration");
    let mut open = Device::connect(&tls, pki.authority(), NOW).expect("trusted");
    assert!(!pki.renew(days(700)).expect("there is time"), "100 days are left");
    assert!(pki.renew(days(720)).expect("it can be made"), "80 days are left");
    assert!(!pki.renew(days(720)).expect("done"), "once is enough");
    let next = Device::connect(&tls, pki.authority(), days(720)).expect("trusted by the same CA and name");
    assert_ne!(next.certificate(), open.certificate());
    assert!(open.talks(), "an open connection goes on");
    // The old one would have been refused by now.
    let late = Device::connect(&tls, pki.authority(), days(801)).expect("the new one is good");
    assert_eq!(late.certificate(), next.certificate());
    let again = Pki::open(data.path(), "harbour.example", days(721)).expect("what is on disk is what is served");
    assert_eq!(again.served.current().cert, pki.served.current().cert);
}

#[test]
fn a_renewal_that_fails_leaves_the_certificate_that_serves() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let tls = pki.device_facing_tls().expect("a configuration");
    let obstacle = data.path().join("pki/server.key.new");
    fs::create_dir(&obstacle).expect("our own folder");
    let error = pki.renew(days(720)).expect_err("it cannot be written");
    let told = not_renewed_record(&error, days(720));
    assert_eq!((told.outcome, told.code.as_str()), (Outcome::Warning, "certificate-not-renewed"));
    assert!(told.sentence.contains("Check the disk"), "{}", told.sentence);
    Device::connect(&tls, pki.authority(), days(720)).expect("the old one serves until its end");
    fs::remove_dir(&obstacle).expect("our own folder");
    assert!(pki.renew(days(720)).expect("mended"));
}

#[test]
fn a_new_certificate_that_could_not_be_read_back_is_taken_the_next_time() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    // It stands on the disk, and this daemon knows nothing of it.
    let made = Pki::open(data.path(), "harbour.example", days(720)).expect("it can be made").served.current();
    assert_ne!(made.cert, pki.served.current().cert);
    assert!(pki.renew(days(720)).expect("it can be read"));
    assert_eq!(made.cert, pki.served.current().cert);
}

/// `openssl ARGS`: what it says on standard output, or on standard error when it refuses.
fn openssl(args: &[&str]) -> Result<String, String> {
    let done = std::process::Command::new("openssl").args(args).output().expect("openssl is installed");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() { Ok(said(&done.stdout) + &said(&done.stderr)) } else { Err(said(&done.stderr)) }
}

#[test]
fn openssl_reads_both_kinds_of_pkcs12_and_believes_the_certificate() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let device = pki.issue_device("harbour.example", None, NOW).expect("it can be made");
    let (file, ca) = (data.path().join("device.p12"), data.path().join("pki/device-ca.pem"));
    let (file, ca) = (file.to_str().expect("text"), ca.to_str().expect("text"));
    for (protection, flags, told) in [
        (pkcs12::Protection::Modern, &[][..], ["MAC: sha256", "PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256"]),
        (
            pkcs12::Protection::Legacy,
            &["-legacy"][..],
            ["MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC", "Shrouded Keybag"],
        ),
    ] {
        for password in ["7k2p9-q4c8d-3fghj-kmnpq", ""] {
            let bytes = device.pkcs12(protection, &Secret::new(password.to_owned())).expect("it can be written");
            fs::write(file, bytes).expect("our own file");
            let pass = format!("pass:{password}");
            let read = [&["pkcs12", "-in", file, "-passin", &pass, "-noenc", "-info"], flags].concat();
            let text = openssl(&read).unwrap_or_else(|error| panic!("{protection:?} {password:?}: {error}"));
            assert!(told.iter().all(|told| text.contains(told)), "{text}");
            assert!(text.contains(&format!("friendlyName: {}", device.identity)), "{text}");
            let whole = data.path().join("device.pem");
            fs::write(&whole, text).expect("our own file");
            let whole = whole.to_str().expect("text");
            let at = (NOW.0 / 1_000).to_string();
            openssl(&["verify", "-attime", &at, "-purpose", "sslclient", "-CAfile", ca, whole]).expect("believed");
            openssl(&["verify", "-attime", &at, "-purpose", "sslserver", "-CAfile", ca, whole]).expect_err("no server");
            let key = openssl(&["pkey", "-in", whole, "-pubout"]).expect("the key");
            assert_eq!(key, openssl(&["x509", "-in", whole, "-pubkey", "-noout"]).expect("the certificate"));
            let wrong = [&["pkcs12", "-in", file, "-passin", "pass:wrong", "-noenc"], flags].concat();
            assert!(openssl(&wrong).expect_err("sealed").contains("invalid password"));
        }
    }
}

#[test]
fn a_device_certificate_names_nobody_and_ends_with_the_membership() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let month = Timestamp(days(30).0 + 567);
    let short = pki.issue_device("harbour.example", Some(month), NOW).expect("it can be made");
    assert_eq!(short.expires_at, Timestamp(days(30).0 / 1_000 * 1_000), "not beyond the membership");
    let long = pki.issue_device("harbour.example", Some(days(3_000)), NOW).expect("it can be made");
    assert_eq!(long.expires_at, Timestamp(days(365).0 / 1_000 * 1_000), "a year");
    assert_ne!(short.identity, long.identity);
    let (_, parsed) = x509_parser::parse_x509_certificate(&short.certificate).expect("our own certificate");
    assert_eq!(parsed.subject().to_string(), format!("CN={}", short.identity));
    assert_eq!(parsed.validity().not_after.timestamp() * 1_000, short.expires_at.0);
    let names = parsed.subject_alternative_name().expect("well formed").expect("there").value.general_names.len();
    assert_eq!(names, 2, "the e-mail form and the UPN");
    let usage = parsed.extended_key_usage().expect("well formed").expect("there").value;
    assert!(usage.client_auth && !usage.server_auth);
    use sha2::Digest;
    assert_eq!(short.fingerprint, <[u8; 32]>::from(sha2::Sha256::digest(&short.certificate)));
    let pem = long.pem();
    assert_eq!(pem.expose().matches("-----BEGIN CERTIFICATE-----").count(), 2);
    assert_eq!(pem.expose().matches("-----BEGIN PRIVATE KEY-----").count(), 1);
}

#[test]
fn openssl_verifies_what_was_signed_and_sees_a_change() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let contents = "<plist>Käse & \u{1f6dc}</plist>\n".repeat(50);
    let signed = pki.sign(contents.as_bytes()).expect("it can be signed");
    let (file, out) = (data.path().join("signed"), data.path().join("out"));
    let (file_text, out_text) = (file.to_str().expect("text"), out.to_str().expect("text"));
    let ca = data.path().join("pki/ca.pem");
    let at = (NOW.0 / 1_000).to_string();
    let verify = [
        "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any", "-attime", &at, "-in", file_text, "-out",
        out_text, "-CAfile",
    ];
    fs::write(&file, &signed).expect("our own file");
    openssl(&[&verify[..], &[ca.to_str().expect("text")]].concat()).expect("verified");
    assert_eq!(fs::read_to_string(&out).expect("what was signed"), contents);
    let other = data.path().join("pki/device-ca.pem");
    openssl(&[&verify[..], &[other.to_str().expect("text")]].concat()).expect_err("of another CA");
    let at = signed.windows(5).position(|five| five == b"plist").expect("the contents are inside");
    let mut changed = signed;
    changed[at] ^= 1;
    fs::write(&file, &changed).expect("our own file");
    openssl(&[&verify[..], &[ca.to_str().expect("text")]].concat()).expect_err("changed");
}

#[test]
fn the_tls_inside_eap_takes_the_new_certificate_too() {
    let data = tempfile::tempdir().expect("a folder");
    let pki = Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let eap = proto::eap::TlsConfigs::new(pki.served(), pki.device_cas().expect("the CA"), Arc::new(At(NOW)));
    let eap = eap.expect("a configuration").tunnel;
    let before = Device::connect(&eap, pki.authority(), NOW).expect("trusted").certificate();
    assert!(pki.renew(days(720)).expect("it can be made"));
    assert_ne!(Device::connect(&eap, pki.authority(), days(720)).expect("trusted").certificate(), before);
}

#[test]
fn what_the_ca_signs_for_others_is_not_believed() {
    let data = tempfile::tempdir().expect("a folder");
    Pki::open(data.path(), "harbour.example", NOW).expect("certificates can be made");
    let (folder, at) = (data.path().join("pki"), (NOW.0 / 1_000).to_string());
    let authority = Authority { folder: &folder, now: NOW };
    let (file, ca) = (folder.join("signed.pem"), folder.join("ca.pem"));
    let (file, ca) = (file.to_str().expect("text"), ca.to_str().expect("text"));
    // With its key in the wrong hands, it opens nothing but what is called by the realm.
    for (name, believed) in [
        ("doorpost.harbour.example", true),
        ("doorpost.local", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("bank.example", false),
        ("harbour.example.bank.example", false),
        ("notharbour.example", false),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
    ] {
        let key = authority.generate("signed").expect("a key");
        let mut params = authority.params("somebody", days(30));
        params.subject_alt_names = vec![match name.parse() {
            Ok(address) => rcgen::SanType::IpAddress(address),
            Err(_) => rcgen::SanType::DnsName(name.try_into().expect("a name")),
        }];
        let signed = params.signed_by(&key, &authority.issuer("ca").expect("the CA")).expect("it can be signed");
        fs::write(file, signed.pem()).expect("our own file");
        let verified = openssl(&["verify", "-attime", &at, "-CAfile", ca, file]);
        assert_eq!(verified.is_ok(), believed, "{name}: {verified:?}");
    }
}
