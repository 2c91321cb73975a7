//! The simulated access point before a RADIUS server and beside a peer of its CoA port: what it accepts and what it refuses.

use proto::eap::MethodKind;
use proto::radius::{AttributeType, Code, Packet, ReplyRule, Writer};
use std::net::SocketAddr;
use std::time::Duration;
use support::access_point::{AccessPoint, Answer, Login, LoginError, Usage};
use support::eap_peer::{PeerError, TlsOffer, Trust};
use support::eap_server::{RadiusServer, SERVER_NAME, SESSION_TIMEOUT_S, Users, VLAN, pki, settings};
use tokio::net::UdpSocket;
use values::MacAddress;

const SECRET: &str = "testing123";
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn server() -> RadiusServer {
    RadiusServer::start(settings(1_000), Users::of(&[("mara", "correct horse")]), SECRET).expect("a loopback socket")
}

async fn access_point(server: &RadiusServer, secret: &str) -> AccessPoint {
    AccessPoint::bind(server.address, server.address, secret, loopback()).await.expect("loopback sockets")
}

#[tokio::test]
async fn a_member_gets_in_by_each_method_with_the_keys_compared() {
    let server = server();
    let access_point = access_point(&server, SECRET).await;
    for method in [MethodKind::Ttls, MethodKind::Peap] {
        for tls in [TlsOffer::Tls12, TlsOffer::Tls13] {
            let mut login = Login::new("mara", "correct horse", method, MAC);
            login.tls = tls;
            login.trust = Trust::Ca { pem: pki().ca_pem.clone().into(), server_name: SERVER_NAME.into() };
            let accepted = access_point.login(login).await.expect("a login");
            assert_eq!((accepted.vlan, accepted.session_timeout_s), (Some(VLAN), Some(SESSION_TIMEOUT_S)));
            assert_eq!(accepted.tls13, tls == TlsOffer::Tls13);
            access_point.start(&accepted.session).await.expect("Start is acknowledged");
            let usage = Usage { sent_bytes: 1 << 33, received_bytes: 7 };
            access_point.interim(&accepted.session, usage).await.expect("Interim-Update is acknowledged");
            assert_eq!(access_point.live_sessions().len(), 1);
            access_point.stop(&accepted.session, usage).await.expect("Stop is acknowledged");
            assert!(access_point.live_sessions().is_empty());
        }
    }
    access_point.restart().await.expect("Accounting-On is acknowledged");
}

#[tokio::test]
async fn refusals_have_names() {
    let server = server();
    let access_point = access_point(&server, SECRET).await;
    let wrong = access_point.login(Login::new("mara", "wrong", MethodKind::Peap, MAC)).await;
    assert!(matches!(wrong, Err(LoginError::Rejected { .. })), "{wrong:?}");
    let mut distrustful = Login::new("mara", "correct horse", MethodKind::Peap, MAC);
    distrustful.trust = Trust::Ca { pem: pki().ca_pem.clone().into(), server_name: "other.example".into() };
    let refused = access_point.login(distrustful).await;
    assert!(matches!(refused, Err(LoginError::Rejected { .. })), "{refused:?}");
    let mut odd = Login::new("mara", "correct horse", MethodKind::Peap, MAC);
    odd.trust = Trust::Ca { pem: pki().ca_pem.clone().into(), server_name: "not a name".into() };
    let odd = access_point.login(odd).await;
    assert!(matches!(odd, Err(LoginError::Peer(PeerError::Settings(_)))), "{odd:?}");
}

#[tokio::test]
async fn a_server_with_another_secret_is_silent() {
    let server = server();
    let stranger = access_point(&server, "another secret").await.with_patience(Duration::from_millis(100));
    let login = stranger.login(Login::new("mara", "correct horse", MethodKind::Ttls, MAC)).await;
    assert!(matches!(login, Err(LoginError::NoReply)), "{login:?}");
}

/// Sends a Disconnect-Request; gives the reply's code and Error-Cause.
async fn disconnect(to: SocketAddr, secret: &str, acct_session_id: &str) -> Option<(Code, Option<u32>)> {
    let socket = UdpSocket::bind(loopback()).await.expect("a loopback socket");
    let request = Writer::request(Code::DisconnectRequest, 9, [0; 16])
        .text(AttributeType::ACCT_SESSION_ID, acct_session_id)
        .finish(secret.as_bytes())
        .expect("it is small");
    socket.send_to(&request, to).await.expect("loopback");
    let mut buffer = [0; 4_096];
    let length = tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await.ok()?.ok()?;
    let reply = Packet::decode(&buffer[..length]).expect("a RADIUS packet");
    let authenticator = request[4..20].try_into().expect("sixteen octets");
    reply
        .verify_reply(9, &authenticator, secret.as_bytes(), ReplyRule::MessageAuthenticatorRequired)
        .expect("a genuine reply");
    Some((reply.code(), reply.integer(AttributeType::ERROR_CAUSE)))
}

#[tokio::test]
async fn a_disconnect_is_obeyed_refused_or_ignored_as_told() {
    let server = server();
    let access_point = access_point(&server, SECRET).await;
    let mut disconnects = access_point.disconnects();
    let login = Login::new("mara", "correct horse", MethodKind::Ttls, MAC);
    let session = access_point.login(login).await.expect("a login").session;
    access_point.start(&session).await.expect("Start is acknowledged");
    let (coa, id) = (access_point.coa_address(), session.acct_session_id.as_str());

    assert_eq!(disconnect(coa, "another secret", id).await, None);
    assert_eq!(disconnect(coa, SECRET, "unknown").await, Some((Code::DisconnectNak, Some(503))));
    access_point.answer_disconnects(Answer::Refuse);
    assert_eq!(disconnect(coa, SECRET, id).await, Some((Code::DisconnectNak, Some(501))));
    access_point.answer_disconnects(Answer::Silent);
    assert_eq!(disconnect(coa, SECRET, id).await, None);
    access_point.answer_disconnects(Answer::Obey);
    assert_eq!(access_point.live_sessions().len(), 1);
    assert_eq!(disconnect(coa, SECRET, id).await, Some((Code::DisconnectAck, None)));
    assert!(access_point.live_sessions().is_empty());

    let mut answers = Vec::new();
    while let Ok(disconnect) = disconnects.try_recv() {
        answers.push(disconnect.answered);
    }
    let nak = Some(Code::DisconnectNak);
    assert_eq!(answers, [nak, nak, None, Some(Code::DisconnectAck)], "the forged one is not among them");
}
