//! What one login, and all of them together, may take of the box: time, memory, and places in the table of sessions.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Writer};
use values::MacAddress;

/// An Access-Request of one of 65,536 devices; no two with the same `round` of one are alike.
fn request(device: u16, round: u16, state: Option<&[u8]>, eap: &[u8]) -> (SocketAddr, Vec<u8>) {
    let ([high, low], [round_high, round_low]) = (device.to_be_bytes(), round.to_be_bytes());
    let mut authenticator = [0; 16];
    authenticator[..4].copy_from_slice(&[high, low, round_high, round_low]);
    let mut writer = Writer::request(Code::AccessRequest, round_low, authenticator)
        .text(AttributeType::CALLING_STATION_ID, &MacAddress([2, 0, 0, 2, high, low]).to_string())
        .eap_message(eap);
    if let Some(state) = state {
        writer = writer.attribute(AttributeType::STATE, state);
    }
    (SocketAddr::new(POINT.ip(), device), writer.finish(SECRET).expect("it fits"))
}

/// Sends it, and has each conversation run as a worker does; what is answered.
fn ask(world: &mut World, (from, datagram): (SocketAddr, Vec<u8>)) -> Option<Reply> {
    world.input(Input::Received { socket: Socket::Authentication, from, datagram: datagram.clone() });
    let mut reply = None;
    while let Some(output) = world.engine.poll_output() {
        match output {
            Output::Compute { token, mut conversation, input } => {
                let step = conversation.handle(input);
                world.input(Input::Computed { token, conversation, step });
            }
            Output::Send { datagram: answer, .. } => reply = Some(Reply::to(&datagram, &answer)),
            Output::Record(record) => world.records.push(record),
            Output::Present(_) => {}
            Output::Account { .. } | Output::FindKey { .. } | Output::VlanPassed { .. } | Output::Close { .. } => {
                panic!("nothing but logins")
            }
        }
    }
    reply
}

/// A device that sends one message in fragments and never its last.
struct Sender {
    device: u16,
    round: u16,
    state: Vec<u8>,
    /// The Identifier of the Request that is to be answered.
    identifier: u8,
}

impl Sender {
    const FRAGMENT_BYTES: usize = 3_000;

    fn begin(world: &mut World, device: u16) -> Self {
        let reply = ask(world, request(device, 0, None, &identity(1))).expect("an answer");
        let mut sender = Self { device, round: 0, state: Vec::new(), identifier: 0 };
        sender.hear(&reply);
        sender
    }

    fn hear(&mut self, reply: &Reply) {
        assert_eq!(reply.code, Code::AccessChallenge);
        self.state = reply.state().expect("a State");
        self.identifier = reply.packet().eap_message().expect("an EAP-Request")[1];
    }

    /// One more fragment; whether it was acknowledged.
    fn send(&mut self, world: &mut World) -> bool {
        let head: &[u8] = if self.round == 0 { &[0xc0, 0, 1, 0, 0] } else { &[0x40] };
        let length = u16::try_from(5 + head.len() + Self::FRAGMENT_BYTES).expect("it fits").to_be_bytes();
        let packet = [&[2, self.identifier, length[0], length[1], 21], head, &[0x16; Self::FRAGMENT_BYTES]].concat();
        self.round += 1;
        let reply = ask(world, request(self.device, self.round, Some(&self.state), &packet)).expect("an answer");
        let is_acknowledged = reply.code == Code::AccessChallenge;
        if is_acknowledged {
            self.hear(&reply);
        }
        is_acknowledged
    }
}

#[test]
fn messages_half_put_together_have_one_budget_and_who_needs_little_gets_on() {
    let mut world = World::new();
    let mut modest = Sender::begin(&mut world, 1);
    assert!(modest.send(&mut world) && modest.send(&mut world));
    let mut greedy: Vec<Sender> = (1_000..1_400).map(|device| Sender::begin(&mut world, device)).collect();
    for _ in 0..21 {
        // Those that were shed are told so at their next fragment, and do not come back.
        greedy.retain_mut(|sender| sender.send(&mut world));
        assert!(world.engine.logins.held_bytes() <= 16 * 1024 * 1024);
    }
    assert!(world.engine.logins.held_bytes() > 15 * 1024 * 1024, "it was spent");
    let shed = world.engine.counters().eap_messages_shed;
    assert!((100..200).contains(&shed), "{shed} of 400");
    let told = world.codes().into_iter().filter(|code| *code == "eap-no-room").count();
    assert_eq!(told as u64, shed, "each of them is told why");
    assert!(modest.send(&mut world), "who came before with little");
    let mut late = Sender::begin(&mut world, 2);
    assert!(late.send(&mut world) && late.send(&mut world), "and who comes now");
    assert!(world.engine.logins.is_consistent());
    world.pass(Duration::from_secs(61));
    assert_eq!((world.engine.logins(), world.engine.logins.held_bytes()), (0, 0));
}

#[test]
fn rubbish_keeps_no_login_alive() {
    let mut world = World::new();
    let state = world.go_on(1).state().expect("a State");
    for n in 0..14 {
        world.pass(Duration::from_secs(4));
        let rubbish = world.stamped(n, 1, Some(&state), &[2]);
        assert!(world.exchange(&rubbish).is_none(), "RFC 3748, 4.1: silently discarded");
        assert_eq!(world.engine.logins(), 1);
    }
    world.pass(Duration::from_secs(5));
    assert_eq!(world.engine.logins(), 0);
    assert_eq!(world.engine.counters().eap_discarded, 14);
    assert_eq!(world.codes(), ["eap-abandoned"]);
}

#[test]
fn a_login_ends_in_two_minutes_whatever_arrives() {
    let mut world = World::new();
    let mut state = world.go_on(1).state().expect("a State");
    for n in 0..23 {
        world.pass(Duration::from_secs(5));
        let more = world.stamped(n, 1, Some(&state), &proof(2, "more"));
        state = world.exchange(&more).expect("another challenge").state().expect("a State");
    }
    world.pass(Duration::from_secs(5));
    assert_eq!((world.engine.logins(), world.codes()), (0, vec!["eap-too-slow"]));
    let late = world.stamped(99, 1, Some(&state), &proof(2, "user-1/1"));
    assert_eq!(world.exchange(&late).map(|reply| reply.code), Some(Code::AccessReject), "told to begin anew");
}

/// Another session like the row, of a device of its own.
fn another(row: &SessionRow, n: u32) -> SessionRow {
    let [a, b, c, d] = n.to_be_bytes();
    let mut id = [7; 16];
    id[12..].copy_from_slice(&[a, b, c, d]);
    let mac = Some(MacAddress([2, 9, a, b, c, d]));
    SessionRow { id: SessionId::from_random(id), acct_session_id: format!("n{n}"), mac, member: None, ..row.clone() }
}

#[test]
fn nobody_is_let_in_who_could_not_be_followed() {
    let mut world = World::new();
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    let row = world.rows[0].clone();
    let open: Vec<SessionRow> = (0..15_359).map(|n| another(&row, n)).chain([row.clone()]).collect();
    let mut world = World::with(open);
    assert_eq!(world.presence.sessions.len(), 15_360);
    assert_eq!(world.login(2, "user-2/2").code, Code::AccessReject);
    assert_eq!(world.codes(), ["too-many-sessions"]);
    assert_eq!(world.engine.counters().sessions_refused, 1);
    assert_eq!(world.login(1, "user-1/1").code, Code::AccessAccept, "who is here may log in again");
    assert_eq!(world.presence.sessions.len(), 15_360);

    // Who is online without having been let in is followed all the same, as long as there is any place.
    let first = report(3, 3, 2, "b2", None);
    assert!(world.account(3, first));
    world.pass(Duration::from_secs(1));
    assert!(world.presence.is_here(member_id(2)));
    assert_eq!(disconnects(&world.suspend(2)).len(), 1);
}

#[test]
fn who_is_online_is_followed_before_who_may_be() {
    let mut world = World::new();
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    world.pass(Duration::from_secs(61));
    assert!(world.account(1, report(1, 3, 2, "b2", None)));
    let row = world.rows[0].clone();
    for n in 0..16_382 {
        let stage = session::Stage::Open { silent_at: Mono(u64::MAX) };
        world.engine.sessions.insert(session::Session::new(another(&row, n), stage, Duration::from_secs(60)));
    }
    assert!(world.engine.sessions.is_full());
    assert!(world.account(2, report(2, 3, 3, "c3", None)));
    world.pass(Duration::from_secs(1));
    assert!(world.presence.is_here(member_id(3)));
    let never_reported = class.parse().expect("a session");
    assert!(world.presence.session(never_reported).is_none());
    assert_eq!((world.engine.counters().sessions_crowded_out, world.engine.counters().sessions_shed), (1, 0));

    assert!(world.account(3, report(3, 3, 4, "d4", None)), "answered, or it would come again and again");
    assert_eq!(world.engine.counters().sessions_shed, 1);
    assert!(world.codes().contains(&"wifi-sessions-many"));
    assert!(world.account(4, report(4, 2, 3, "c3", None)));
    assert!(world.account(5, report(5, 3, 4, "d4", None)));
    world.pass(Duration::from_secs(1));
    assert!(world.presence.is_here(member_id(4)), "its next report finds the place that was left");
}
