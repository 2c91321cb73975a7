//! RadSec at the real binary, in TLS of the test's own: who is let in and who is told what to mend, which bytes end a
//! connection, and that everything goes over one (RFC 6613; RFC 6614; RFC 5997).

use proto::radius::radsec::SECRET;
use proto::radius::{AttributeType, Code, Packet, ReplyRule, Writer};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;
use std::time::{Duration, Instant};
use support::daemon::{Daemon, demo_site};
use support::radsec_client::{ClientIdentity, Offer, RadSecClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(10);
/// What DESIGN 6 promises between a suspension and its Disconnect-Request.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);
/// A packet may take ten seconds.
const SLOW_MAX: Duration = Duration::from_secs(14);
const RANDOM: [u8; 16] = [7; 16];

/// The demo's site with four access points more: two by RadSec from anywhere, one from an address of its own, and the demo's own
/// by UDP alone.
fn start(word: &str) -> Daemon {
    let points =
        "access_points:\n  attic: {radsec: true}\n  hall: {radsec: true}\n  shed: {radsec: true, address: 192.0.2.7}\n";
    let site = demo_site(None, None);
    assert!(site.contains("access_points:\n"));
    Daemon::start_with(word, &site.replace("access_points:\n", points))
}

struct Issued {
    identity: ClientIdentity,
    ca: String,
}

fn issue(daemon: &Daemon, name: &str) -> Issued {
    let issued = daemon.cli(&["accesspoint", "certificate", name]);
    let text = |key: &str| issued[key].as_str().expect("PEM").to_owned();
    assert_eq!(text("name"), format!("{name}.accesspoint.harbour.example"));
    Issued { identity: ClientIdentity { certificate: text("certificate"), key: text("key") }, ca: text("ca") }
}

fn server_ca(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.data.join("pki/ca.pem")).expect("the box's CA")
}

async fn connect(daemon: &Daemon, issued: &Issued) -> RadSecClient {
    let offer = Offer { ca: &issued.ca, identity: Some(&issued.identity), tls13: true, alpn: true };
    RadSecClient::connect(daemon.listening.radsec, &offer).await.expect("a connection")
}

fn status_server(identifier: u8) -> Vec<u8> {
    Writer::request(Code::StatusServer, identifier, RANDOM).finish(SECRET).expect("it fits")
}

/// Asks whether the box is there, and checks the answer as RFC 5997 wants it.
async fn is_answered(client: &mut RadSecClient, identifier: u8) -> bool {
    let Some(answer) = client.ask(&status_server(identifier)).await else { return false };
    let packet = Packet::decode(&answer).expect("RADIUS");
    let rule = ReplyRule::MessageAuthenticatorRequired;
    assert_eq!(packet.code(), Code::AccessAccept);
    assert_eq!(packet.verify_reply(identifier, &RANDOM, SECRET, rule), Ok(()));
    true
}

/// An Accounting-Request about a session of this user.
fn accounting(identifier: u8, status: u32, session: &str, username: &str) -> Vec<u8> {
    Writer::request(Code::AccountingRequest, identifier, [0; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, status)
        .text(AttributeType::ACCT_SESSION_ID, session)
        .text(AttributeType::USER_NAME, username)
        .text(AttributeType::CALLING_STATION_ID, "02-00-00-00-00-07")
        .finish(SECRET)
        .expect("it fits")
}

const START: u32 = 1;
const STOP: u32 = 2;

/// The event says what happened in words that name what to do.
fn assert_told(daemon: &Daemon, code: &str, words: &[&str]) {
    let event = daemon.wait_for_event(code);
    let sentence = event["sentence"].as_str().expect("a sentence");
    assert_eq!(event["outcome"], "warning", "{event}");
    words.iter().for_each(|words| assert!(sentence.contains(words), "{code}: {sentence}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_point_with_its_certificate_is_served_over_each_tls_and_alpn() {
    let daemon = start("radsec-served");
    let issued = issue(&daemon, "attic");
    for (tls13, alpn) in [(true, true), (true, false), (false, true), (false, false)] {
        let offer = Offer { ca: &issued.ca, identity: Some(&issued.identity), tls13, alpn };
        let mut client = RadSecClient::connect(daemon.listening.radsec, &offer).await.expect("a connection");
        for identifier in 0..3 {
            assert!(is_answered(&mut client, identifier).await, "TLS 1.3 {tls13}, ALPN {alpn}");
        }
    }
    let issued_event = daemon.wait_for_event("access-point-certificate-issued");
    assert_eq!((&issued_event["place"], &issued_event["facts"]["actor"]), (&"attic".into(), &"console".into()));
    let list = daemon.cli(&["accesspoint", "list"]);
    let attic = &list["access_points"][0];
    assert_eq!((&attic["name"], &attic["radsec"]), (&"attic".into(), &true.into()), "{list}");
    assert_eq!(attic["certificate"]["fingerprint"], issued_event["facts"]["fingerprint"]);
}

/// A CA with this name and key.
struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn foreign() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // The name of ours: a name proves nothing.
        params.distinguished_name.push(DnType::CommonName, "Doorpost infrastructure CA");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self(Issuer::from_ca_cert_pem(&pem, key).expect("a CA"))
    }

    fn of_the_box(daemon: &Daemon) -> Self {
        let read = |kind: &str| std::fs::read_to_string(daemon.data.join(format!("pki/infrastructure-ca.{kind}")));
        let key = KeyPair::from_pem(&read("key").expect("the CA's key")).expect("a key");
        Self(Issuer::from_ca_cert_pem(&read("pem").expect("the CA"), key).expect("a CA"))
    }

    /// A client certificate with this name, good until this year.
    fn sign(&self, name: &str, until: i32) -> ClientIdentity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("a name"))];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        ClientIdentity { certificate, key: key.serialize_pem() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_let_in_is_told_of_with_what_to_mend() {
    let daemon = start("radsec-refused");
    let ca = server_ca(&daemon);
    let ours = Authority::of_the_box(&daemon);
    let attic = "attic.accesspoint.harbour.example";
    let shed = issue(&daemon, "shed").identity;
    let replaced = issue(&daemon, "hall").identity;
    issue(&daemon, "hall");
    let never_issued = ours.sign(attic, 2040);
    let cases = [
        (None, "radsec-no-certificate", vec!["without a certificate", "doorpost accesspoint certificate"]),
        (
            Some(Authority::foreign().sign(attic, 2040)),
            "radsec-foreign-certificate",
            vec!["did not sign", "doorpost accesspoint certificate"],
        ),
        (
            Some(ours.sign(attic, 2021)),
            "radsec-expired-certificate",
            vec!["expired", "doorpost accesspoint certificate"],
        ),
        (Some(never_issued), "access-point-certificate-replaced", vec!["`attic`", "install the newest one"]),
        (Some(replaced), "access-point-certificate-replaced", vec!["`hall`", "has been replaced"]),
        (
            Some(ours.sign("lobby.accesspoint.harbour.example", 2040)),
            "access-point-without-radsec",
            vec!["`lobby`", "radsec: true"],
        ),
        (Some(ours.sign("cellar.accesspoint.harbour.example", 2040)), "unknown-access-point", vec!["`cellar`"]),
        (
            Some(ours.sign("relay-street.harbour.example", 2040)),
            "certificate-of-no-access-point",
            vec!["no access point's"],
        ),
        (Some(ours.sign("attic.accesspoint.other.example", 2040)), "certificate-of-no-access-point", vec!["this site"]),
        // Another access point's certificate: good where that one is, 192.0.2.7.
        (Some(shed), "access-point-elsewhere", vec!["`shed`", "192.0.2.7"]),
    ];
    for (identity, code, words) in &cases {
        for tls13 in [true, false] {
            let offer = Offer { ca: &ca, identity: identity.as_ref(), tls13, alpn: true };
            let served = match RadSecClient::connect(daemon.listening.radsec, &offer).await {
                Ok(mut client) => is_answered(&mut client, 1).await,
                Err(_) => false,
            };
            assert!(!served, "{code} with TLS 1.3 {tls13}");
        }
        // Two refusals for one reason in a minute are one row; the second names another access point only in these cases.
        if !words.contains(&"has been replaced") && !words.contains(&"this site") {
            assert_told(&daemon, code, words);
        }
    }
    assert!(daemon.wifi_sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_replaced_or_withdrawn_is_cut_off_at_once() {
    let daemon = start("radsec-revoked");
    let (first, hall) = (issue(&daemon, "attic"), issue(&daemon, "hall"));
    let (mut attic, mut bystander) = (connect(&daemon, &first).await, connect(&daemon, &hall).await);
    assert!(is_answered(&mut attic, 1).await && is_answered(&mut bystander, 1).await);

    let second = issue(&daemon, "attic");
    assert!(attic.is_closed().await, "the old certificate's connection");
    assert_told(&daemon, "access-point-certificate-replaced", &["`attic`", "install the newest one"]);
    let mut attic = connect(&daemon, &second).await;
    assert!(is_answered(&mut attic, 1).await);

    daemon.cli(&["accesspoint", "revoke", "attic"]);
    assert!(attic.is_closed().await, "the withdrawn certificate's connection");
    let (code, said) = daemon.try_cli(&["accesspoint", "revoke", "attic"]).expect_err("there is none any more");
    assert!(code == 1 && said.contains("no-access-point-certificate"), "{said}");
    let (code, said) = daemon.try_cli(&["accesspoint", "certificate", "lobby"]).expect_err("it comes by UDP");
    assert!(code == 1 && said.contains("radsec: true"), "{said}");
    assert!(is_answered(&mut bystander, 2).await, "nobody else is touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_radius_end_a_connection_and_an_unknown_code_does_not() {
    let daemon = start("radsec-framing");
    let issued = issue(&daemon, "attic");
    let with = |mut packet: Vec<u8>, change: &dyn Fn(&mut Vec<u8>)| {
        change(&mut packet);
        packet
    };
    let wrong = [
        ("a length of 19", with(status_server(1), &|packet| packet[2..4].copy_from_slice(&[0, 19]))),
        ("a length of 4097", with(status_server(1), &|packet| packet[2..4].copy_from_slice(&[16, 1]))),
        ("an attribute that is too long", with(status_server(1), &|packet| packet[21] = 200)),
        ("an attribute of one octet", with(status_server(1), &|packet| packet[21] = 1)),
        ("a wrong Message-Authenticator", with(status_server(1), &|packet| packet[30] ^= 1)),
        ("accounting with another secret", with(accounting(1, START, "1", "x"), &|packet| packet[10] ^= 1)),
    ];
    for (what, bytes) in wrong {
        let mut client = connect(&daemon, &issued).await;
        assert!(is_answered(&mut client, 0).await);
        client.send(&bytes).await.expect("it is open");
        assert!(client.is_closed().await, "{what}");
    }
    assert_told(&daemon, "wifi-malformed", &["not RADIUS", "closed"]);

    let mut client = connect(&daemon, &issued).await;
    let unknown = with(status_server(1), &|packet| packet[0] = 200);
    client.send(&unknown).await.expect("it is open");
    let unsigned = [&[1, 2, 0, 26][..], &RANDOM, &[1, 6], b"mara"].concat();
    client.send(&unsigned).await.expect("it is open");
    assert!(is_answered(&mut client, 3).await, "what is unknown or unsigned is dropped, and the connection stays");
    assert_told(&daemon, "wifi-no-message-authenticator", &["Message-Authenticator"]);

    // A packet in single octets, and two in one piece.
    for octet in status_server(4) {
        client.send(&[octet]).await.expect("it is open");
    }
    assert!(client.receive().await.is_some());
    client.send(&[status_server(5), status_server(6)].concat()).await.expect("it is open");
    assert!(client.receive().await.is_some() && client.receive().await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_over_the_next_connection_gets_the_first_answer() {
    let daemon = start("radsec-duplicate");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, _) = daemon.issue_wifi_key(&mara);
    let issued = issue(&daemon, "attic");
    let request = accounting(9, START, "A-1", &username);
    let mut first = connect(&daemon, &issued).await;
    let answer = first.ask(&request).await.expect("an answer");
    drop(first);
    let mut second = connect(&daemon, &issued).await;
    assert_eq!(second.ask(&request).await, Some(answer), "the same octets");
    assert_eq!(daemon.wifi_sessions().len(), 1);

    // The same identifier over another access point's connection is another request.
    let hall = issue(&daemon, "hall");
    let mut other = connect(&daemon, &hall).await;
    other.ask(&accounting(9, START, "H-1", &username)).await.expect("an answer");
    let points: Vec<Value> = daemon.wifi_sessions().iter().map(|session| session["access_point"].clone()).collect();
    assert_eq!(points, ["hall"], "the device has roamed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_goes_back_over_the_access_points_own_connection() {
    let daemon = start("radsec-disconnect");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, _) = daemon.issue_wifi_key(&mara);
    let issued = issue(&daemon, "attic");
    let mut client = connect(&daemon, &issued).await;
    client.ask(&accounting(1, START, "A-7", &username)).await.expect("an answer");
    daemon.wait_until("an open session", SOON, || (daemon.wifi_sessions().len() == 1).then_some(()));

    daemon.cli(&["member", "suspend", &mara]);
    let request = tokio::time::timeout(DISCONNECT_MAX, client.receive()).await.expect("in time").expect("a request");
    let packet = Packet::decode(&request).expect("RADIUS");
    assert_eq!(packet.code(), Code::DisconnectRequest);
    assert_eq!(packet.verify_signed_request(SECRET), Ok(()));
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("A-7"));
    assert!(packet.integer(AttributeType::EVENT_TIMESTAMP).is_some());
    assert!(packet.first(AttributeType::MESSAGE_AUTHENTICATOR).is_some());
    let ack = Writer::reply(Code::DisconnectAck, &packet).finish(SECRET).expect("it fits");
    client.send(&ack).await.expect("it is open");
    daemon.wait_for_event("wifi-disconnected");
    daemon.wait_until("the end", SOON, || daemon.wifi_sessions().is_empty().then_some(()));
    client.ask(&accounting(2, STOP, "A-7", &username)).await.expect("the Stop is answered all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_point_has_four_connections_and_the_oldest_makes_room() {
    let daemon = start("radsec-connections");
    let issued = issue(&daemon, "attic");
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = connect(&daemon, &issued).await;
        assert!(is_answered(&mut client, 1).await);
        clients.push(client);
    }
    assert!(clients[0].is_closed().await);
    for client in &mut clients[1..] {
        assert!(is_answered(client, 2).await);
    }
    let list = daemon.cli(&["accesspoint", "list"]);
    assert_eq!(list["access_points"][0]["connections"], 4, "{list}");
}

/// A proxy in front of many access points, after a power cut: every identifier is out, of each kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_requests_as_there_are_identifiers_are_answered_over_one_connection() {
    let daemon = start("radsec-burst");
    let issued = issue(&daemon, "attic");
    let mut client = connect(&daemon, &issued).await;
    let both = |n: u8| [status_server(n), accounting(n, START, &format!("A-{n}"), "nobody")].concat();
    client.send(&(0..=255).flat_map(both).collect::<Vec<u8>>()).await.expect("it is open");
    let mut answered = [[false; 256]; 2];
    for _ in 0..512 {
        let answer = client.receive().await.expect("an answer");
        let packet = Packet::decode(&answer).expect("RADIUS");
        let kind = usize::from(packet.code() == Code::AccountingResponse);
        answered[kind][usize::from(packet.identifier())] = true;
    }
    assert!(answered.iter().flatten().all(|answered| *answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_a_packet_drop_by_drop_or_does_not_read_is_cut() {
    let daemon = start("radsec-slow");
    let issued = issue(&daemon, "attic");
    let (mut slow, mut deaf) = (connect(&daemon, &issued).await, connect(&daemon, &issued).await);
    assert!(is_answered(&mut slow, 1).await && is_answered(&mut deaf, 1).await);

    // More than the kernel and the box hold for it.
    let requests: Vec<u8> = (0..=255).flat_map(status_server).collect();
    let deafened = async { while deaf.send(&requests).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(60), deafened).await.expect("it is cut");

    let began = Instant::now();
    let mut drops = status_server(2).into_iter();
    while let Some(octet) = drops.next().filter(|_| began.elapsed() < SLOW_MAX) {
        if slow.send(&[octet]).await.is_err() || !slow.is_silent_for(Duration::from_secs(1)).await {
            break;
        }
    }
    assert!(began.elapsed() < SLOW_MAX, "it is cut after ten seconds");
    let mut next = connect(&daemon, &issued).await;
    assert!(is_answered(&mut next, 1).await, "and may come again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_not_done_have_few_places_and_little_time() {
    let daemon = start("radsec-handshakes");
    let issued = issue(&daemon, "attic");
    let began = Instant::now();
    // Eight that say nothing take the places of their address; the ninth and a genuine one find none.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(daemon.listening.radsec).await.expect("it listens"));
    }
    let offer = Offer { ca: &issued.ca, identity: Some(&issued.identity), tls13: true, alpn: true };
    assert!(RadSecClient::connect(daemon.listening.radsec, &offer).await.is_err(), "all places are taken");
    for mut client in silent {
        assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0, "it is closed");
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(9), "after five seconds, not {took:?}");
    assert_told(&daemon, "radsec-too-slow", &["127.0.0.1", "in time"]);
    let mut client = connect(&daemon, &issued).await;
    assert!(is_answered(&mut client, 1).await, "there is room again");

    // What is no TLS at all, and a client that does not believe the box.
    let mut plain = TcpStream::connect(daemon.listening.radsec).await.expect("it listens");
    plain.write_all(&status_server(1)).await.expect("it is open");
    let _ = plain.read(&mut [0; 64]).await;
    assert_told(&daemon, "radsec-not-tls", &["TLS 1.2 or 1.3"]);
    let foreign = Authority::foreign().sign("doorpost.harbour.example", 2040).certificate;
    let offer = Offer { ca: &foreign, ..offer };
    assert!(RadSecClient::connect(daemon.listening.radsec, &offer).await.is_err());
    assert_told(&daemon, "radsec-refused-by-client", &["pki/ca.pem"]);
}
