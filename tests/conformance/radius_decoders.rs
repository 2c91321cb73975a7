//! Two decoders of others read every kind of packet that the real daemon sends: the crate `radius` 0.4
//! (github.com/moznion/radius-rs) and tshark. A tap between a simulated access point and the daemon catches the packets.
//!
//! What the crate cannot judge, by its own faults: it makes and checks no Message-Authenticator (`is_authentic_request` is true of
//! every Access-Request); it reads no vendor's attribute; it takes a tagged number for five octets where RFC 2868, 3.1 has four, and
//! Tunnel-Password without the length octet of 3.5; its sums are made over the whole datagram, so a padded packet, which is legal,
//! is not authentic to it. tshark names the vendors' attributes and checks every reply's authenticator; neither checks
//! Message-Authenticator, which the simulated access point here and eapol_test elsewhere do.

use proto::eap::MethodKind;
use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2866, rfc2868, rfc2869};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::access_point::{AccessPoint, Login, LoginError, Usage};
use support::daemon::{Daemon, Folder, demo_site, free_udp_port};
use tokio::net::UdpSocket;
use values::MacAddress;

const SECRET: &str = "testing123";
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

/// Datagrams in the order in which they passed: true for those towards the server.
type Caught = Arc<Mutex<Vec<(bool, Vec<u8>)>>>;

/// Passes datagrams between `server` and whoever sent the last one, and keeps a copy.
async fn tap(listen: SocketAddr, server: SocketAddr) -> (SocketAddr, Caught) {
    let caught = Caught::default();
    let (front, back) = (UdpSocket::bind(listen).await, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await);
    let (front, back) = (front.expect("a loopback socket"), back.expect("a loopback socket"));
    let address = front.local_addr().expect("it is bound");
    let copy = Arc::clone(&caught);
    tokio::spawn(async move {
        let (mut there, mut here) = ([0; 4_096], [0; 4_096]);
        let mut client = None;
        loop {
            let (towards, length) = tokio::select! {
                Ok((length, from)) = front.recv_from(&mut there) => {
                    client = Some(from);
                    (true, length)
                }
                Ok((length, _)) = back.recv_from(&mut here) => (false, length),
            };
            let datagram = if towards { &there[..length] } else { &here[..length] };
            copy.lock().expect("nobody panics with it").push((towards, datagram.to_vec()));
            match (towards, client) {
                (true, _) => drop(back.send_to(datagram, server).await),
                (false, Some(client)) => drop(front.send_to(datagram, client).await),
                (false, None) => {}
            }
        }
    });
    (address, caught)
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn code(datagram: &[u8]) -> Code {
    Code::from(datagram[0])
}

/// Replies of the server, each with its request by the identifier; all of them read and authentic.
fn replies(caught: &Caught) -> Vec<Packet> {
    let caught = caught.lock().expect("nobody panics with it").clone();
    let mut found = Vec::new();
    for (at, (_, reply)) in caught.iter().enumerate().filter(|(_, (towards, _))| !towards) {
        let requests = caught[..at].iter().rev();
        let request = requests.into_iter().find(|(towards, request)| *towards && request[1] == reply[1]);
        let (_, request) = request.expect("every reply has a request");
        assert!(Packet::is_authentic_response(reply, request, SECRET.as_bytes()), "{:?}", code(reply));
        assert!(!Packet::is_authentic_response(reply, request, b"another secret"), "it can say no");
        found.push(Packet::decode(reply, SECRET.as_bytes()).expect("a packet"));
    }
    found
}

/// Requests of the server.
fn requests(caught: &Caught) -> Vec<Packet> {
    let caught = caught.lock().expect("nobody panics with it").clone();
    let sent = caught.iter().filter(|(towards, _)| *towards).map(|(_, datagram)| datagram);
    let read = |datagram: &Vec<u8>| {
        assert!(Packet::is_authentic_request(datagram, SECRET.as_bytes()), "{:?}", code(datagram));
        assert!(!Packet::is_authentic_request(datagram, b"another secret"), "it can say no");
        Packet::decode(datagram, SECRET.as_bytes()).expect("a packet")
    };
    sent.map(read).collect()
}

fn only(packets: &[Packet], code: Code) -> &Packet {
    let mut of_code = packets.iter().filter(|packet| packet.get_code() == code);
    of_code.next().unwrap_or_else(|| panic!("no {code:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_decoder_reads_every_kind_of_packet_that_we_send() {
    let coa = loopback(free_udp_port());
    let site =
        demo_site(None, Some(coa.port())).replace("secret: testing123", "secret: testing123\n    profile: mikrotik");
    let site =
        site.replace("devices: 5}", "devices: 5, rate_down_mbit: 50, rate_up_mbit: 10, idle_timeout_minutes: 30}");
    let site = site.replace("\nplans:\n", "\nplans:\n  slow: {wifi: {network: members, devices: 5, rate_down_mbit: 5, rate_up_mbit: 1, idle_timeout_minutes: 30}}\n");
    let daemon = Daemon::start_with("radius-crate", &site);
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let (username, password) = daemon.issue_wifi_key(&mara);

    let (auth, authentication) = tap(loopback(0), daemon.listening.radius_auth).await;
    let (acct, accounting) = tap(loopback(0), daemon.listening.radius_acct).await;
    let point = AccessPoint::bind(auth, acct, SECRET, loopback(0)).await.expect("loopback sockets");
    let (_, dynamic) = tap(coa, point.coa_address()).await;
    let (mut changes, mut disconnects) = (point.changes(), point.disconnects());

    let accepted = point.login(Login::new(&username, &password, MethodKind::Ttls, MAC)).await.expect("a login");
    point.start(&accepted.session).await.expect("Start is acknowledged");
    point.interim(&accepted.session, Usage { sent_bytes: 1, received_bytes: 2 }).await.expect("it is acknowledged");
    daemon.cli(&["member", "plan", &mara, "slow"]);
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, changes.recv()).await.expect("in time").expect("a CoA-Request");
    daemon.cli(&["member", "suspend", &mara]);
    tokio::time::timeout(soon, disconnects.recv()).await.expect("in time").expect("a Disconnect-Request");
    let refused = point.login(Login::new(&username, "wrong", MethodKind::Ttls, MAC)).await;
    assert!(matches!(refused, Err(LoginError::Rejected { .. })), "{refused:?}");

    judge_by_tshark(&tshark(&capture(&[(1_812, &authentication), (1_813, &accounting), (3_799, &dynamic)])));
    let access = replies(&authentication);
    let challenge = only(&access, Code::AccessChallenge);
    assert_eq!(rfc2865::lookup_state(challenge).map(|state| state.len()), Some(16));
    assert!(rfc2869::lookup_eap_message(challenge).is_some());
    assert!(
        access.iter().all(|packet| rfc2869::lookup_message_authenticator(packet).is_some_and(|sum| sum.len() == 16))
    );
    assert!(rfc2869::lookup_eap_message(only(&access, Code::AccessReject)).is_some());
    judge_accept(only(&access, Code::AccessAccept), &username);

    let accounted = replies(&accounting);
    assert!(accounted.len() >= 2 && accounted.iter().all(|packet| packet.get_code() == Code::AccountingResponse));

    let asked = requests(&dynamic);
    let id = &accepted.session.acct_session_id;
    for code in [Code::CoARequest, Code::DisconnectRequest] {
        let packet = only(&asked, code);
        assert_eq!(rfc2866::lookup_acct_session_id(packet).and_then(Result::ok).as_ref(), Some(id));
        assert_eq!(
            rfc2865::lookup_calling_station_id(packet).and_then(Result::ok).as_deref(),
            Some("02-00-00-00-00-01")
        );
    }
}

/// No packet is malformed, every reply's authenticator is right, and each kind is there with what it says.
fn judge_by_tshark(told: &str) {
    assert!(!told.contains("Malformed") && !told.contains("Expert Info") && !told.contains("[incorrect"), "{told}");
    let packets: Vec<&str> = told.split("RADIUS Protocol\n").skip(1).collect();
    for kind in
        ["Access-Accept", "Access-Challenge", "Access-Reject", "Accounting-Response", "CoA-ACK", "Disconnect-ACK"]
    {
        let mut of_kind = packets.iter().filter(|packet| packet.contains(&format!("Code: {kind} ("))).peekable();
        assert!(of_kind.peek().is_some(), "no {kind} in\n{told}");
        of_kind.for_each(|packet| assert!(packet.contains("[Valid Authenticator: True]"), "{packet}"));
    }
    let says = |kind: &str, expected: &[&str]| {
        let packet = packets.iter().find(|packet| packet.contains(&format!("Code: {kind} ("))).expect("each is there");
        expected.iter().for_each(|text| assert!(packet.contains(text), "{text} is not in\n{packet}"));
    };
    let accept = [
        "Termination-Action: RADIUS-Request (1)",
        "Idle-Timeout: 1800",
        "Tunnel-Type: VLAN (13)",
        "Tunnel-Medium-Type: IEEE-802 (6)",
        "Tunnel-Private-Group-Id: 10",
        "WISPr-Bandwidth-Max-Up: 10000000",
        "WISPr-Bandwidth-Max-Down: 50000000",
        "Mikrotik-Rate-Limit: 10000000/50000000",
        "Mikrotik-Wireless-VLANID: 10",
    ];
    says("Access-Accept", &accept);
    says("CoA-Request", &["Mikrotik-Rate-Limit: 1000000/5000000", "Idle-Timeout: 1800", "Acct-Session-Id: sim-"]);
    says("Disconnect-Request", &["Acct-Session-Id: sim-", "Calling-Station-Id: 02-00-00-00-00-01"]);
}

/// A capture file of raw IPv4 (pcap, link type 101): the port of who is asked, and what passed there.
fn capture(conversations: &[(u16, &Caught)]) -> Vec<u8> {
    const CLIENT_PORT: u16 = 40_000;
    let mut file = Vec::new();
    [0xA1B2_C3D4_u32, 0x0002_0004, 0, 0, 65_535, 101].iter().for_each(|word| file.extend(word.to_be_bytes()));
    for &(port, caught) in conversations {
        for (seconds, (towards, datagram)) in (1_u32..).zip(caught.lock().expect("nobody panics with it").iter()) {
            let (from, to) = if *towards { (CLIENT_PORT, port) } else { (port, CLIENT_PORT) };
            let udp_length = u16::try_from(datagram.len() + 8).expect("a datagram");
            let length = u32::from(udp_length) + 20;
            [seconds, 0, length, length].iter().for_each(|word| file.extend(word.to_be_bytes()));
            file.extend([0x45, 0]);
            file.extend((udp_length + 20).to_be_bytes());
            file.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
            [from, to, udp_length, 0].iter().for_each(|word| file.extend(word.to_be_bytes()));
            file.extend(datagram);
        }
    }
    file
}

/// tshark's long account of the capture, with the secret at hand.
fn tshark(capture: &[u8]) -> String {
    let folder = Folder::new("tshark");
    let file = folder.0.join("radius.pcap");
    std::fs::write(&file, capture).expect("a file in our folder");
    let output = Command::new("tshark")
        .args(["-o", &format!("radius.shared_secret:{SECRET}"), "-o", "radius.validate_authenticator:TRUE", "-V", "-r"])
        .arg(&file)
        .output()
        .expect("tshark is installed (Debian package tshark)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn judge_accept(accept: &Packet, username: &str) {
    let bare = username.split('@').next();
    assert_eq!(rfc2865::lookup_user_name(accept).and_then(Result::ok).as_deref(), bare);
    assert_eq!(rfc2865::lookup_idle_timeout(accept).and_then(Result::ok), Some(1_800));
    let seconds = rfc2865::lookup_session_timeout(accept).and_then(Result::ok);
    assert!(seconds.is_some_and(|seconds| (1..=14_400).contains(&seconds)), "{seconds:?}");
    assert_eq!(rfc2865::lookup_termination_action(accept).and_then(Result::ok), Some(1));
    assert_eq!(rfc2869::lookup_acct_interim_interval(accept).and_then(Result::ok), Some(600));
    assert!(rfc2865::lookup_class(accept).is_some());
    let octets = |kind| accept.lookup(kind).map(|value| value.encode_bytes());
    assert_eq!(octets(rfc2868::TUNNEL_TYPE_TYPE), Some(vec![0, 0, 0, 13]));
    assert_eq!(octets(rfc2868::TUNNEL_MEDIUM_TYPE_TYPE), Some(vec![0, 0, 0, 6]));
    let group = rfc2868::lookup_tunnel_private_group_id(accept).and_then(Result::ok).map(|(group, _)| group);
    assert_eq!(group.as_deref(), Some("10"));
}
