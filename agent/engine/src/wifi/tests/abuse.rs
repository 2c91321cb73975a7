//! Devices that guess, flood or are left behind: what they cost, and whom they may not keep out.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Packet, Writer};
use std::collections::BTreeMap;

/// An Access-Request of one of 65,536 devices, from one of as many ports.
fn knock(device: u16, port: u16, identifier: u8, state: Option<&[u8]>, eap: &[u8]) -> (SocketAddr, Vec<u8>) {
    let [high, low] = device.to_be_bytes();
    let mac = values::MacAddress([2, 0, 0, 1, high, low]);
    let mut authenticator = [0; 16];
    authenticator[..3].copy_from_slice(&[high, low, identifier]);
    let mut writer = Writer::request(Code::AccessRequest, identifier, authenticator)
        .text(AttributeType::CALLING_STATION_ID, &mac.to_string())
        .eap_message(eap);
    if let Some(state) = state {
        writer = writer.attribute(AttributeType::STATE, state);
    }
    (SocketAddr::new(POINT.ip(), port), writer.finish(SECRET).expect("it fits"))
}

/// A try of device `n`, by an Identifier that differs from the last.
fn try_once(world: &mut World, n: u8, text: &str) -> Code {
    world.pass(Duration::from_millis(1));
    let request = world.stamped(n, n, None, &identity(1));
    let reply = world.exchange(&request).expect("an answer");
    match reply.code {
        Code::AccessChallenge => {
            let state = reply.state().expect("a State");
            let request = world.stamped(n, n, Some(&state), &proof(2, text));
            world.exchange(&request).expect("an answer").code
        }
        code => code,
    }
}

#[test]
fn a_device_that_guesses_is_refused_at_the_door_and_let_try_again_later() {
    let mut world = World::new();
    for _ in 0..11 {
        assert_eq!(try_once(&mut world, 9, "user-1/77"), Code::AccessReject);
    }
    let before = *world.engine.counters();
    let door = {
        let request = world.stamped(9, 9, None, &identity(7));
        world.exchange(&request)
    }
    .expect("an answer at once");
    assert_eq!((door.code, door.packet().eap_message()), (Code::AccessReject, Some(vec![4, 7, 0, 4])));
    let after = *world.engine.counters();
    assert_eq!((after.access_challenges, after.logins_held_back), (before.access_challenges, 1));
    assert_eq!(world.engine.logins(), 0, "nothing was begun for it");
    let told = world.records.last().expect("it is written down");
    assert_eq!(
        (told.code.as_str(), told.member),
        ("too-many-tries", Some(member_id(1))),
        "so that `why` can tell the member"
    );
    world.pass(Duration::from_secs(1));
    assert_eq!(try_once(&mut world, 9, "user-1/1"), Code::AccessAccept, "the right key, after a second");
    for _ in 0..10 {
        assert_eq!(try_once(&mut world, 9, "user-1/77"), Code::AccessReject);
    }
    assert_eq!(try_once(&mut world, 9, "user-1/1"), Code::AccessAccept, "what it did before is forgotten");
}

#[test]
fn a_name_is_held_back_for_strangers_and_never_for_its_owners_device() {
    let mut world = World::new();
    assert_eq!(try_once(&mut world, 1, "user-1/1"), Code::AccessAccept);
    for n in 50..70 {
        assert_eq!(try_once(&mut world, n, "user-1/77"), Code::AccessReject);
    }
    let accepts = world.engine.counters().access_accepts;
    let stranger = world.login(90, "user-1/1");
    assert_eq!(stranger.code, Code::AccessReject, "even with the right key");
    assert_eq!(world.records.last().map(|record| record.code.as_str()), Some("too-many-tries"));
    let guess = world.login(91, "user-2/77");
    let shape = |reply: &Reply| reply.packet().attributes().map(|a| (a.kind, a.value.len())).collect::<Vec<_>>();
    assert_eq!(shape(&stranger), shape(&guess), "it looks like a wrong key");
    assert_eq!(try_once(&mut world, 1, "user-1/1"), Code::AccessAccept);
    assert_eq!(world.engine.counters().access_accepts, accepts + 1);
    assert_eq!(try_once(&mut world, 2, "user-2/2"), Code::AccessAccept, "nor anybody else's");
    world.pass(Duration::from_secs(61));
    assert_eq!(try_once(&mut world, 90, "user-1/1"), Code::AccessAccept, "a hold ends by itself");
}

/// A neighbour who guesses once a minute, all day, always from the same device or from a new one each time.
#[test]
fn a_guess_a_minute_keeps_no_new_device_waiting() {
    for devices in [1, 60] {
        let mut world = World::new();
        for n in 0..120 {
            world.pass(Duration::from_secs(60));
            assert_eq!(try_once(&mut world, 100 + n % devices, "user-1/77"), Code::AccessReject);
        }
        world.pass(Duration::from_secs(20));
        assert_eq!(try_once(&mut world, 90, "user-1/1"), Code::AccessAccept, "{devices} devices that guess");
    }
}

#[test]
fn who_was_known_before_a_restart_is_known_after_it() {
    let mut world = World::new();
    world.engine.trust(vec![(credential_id(1), mac(1))]);
    for n in 50..70 {
        try_once(&mut world, n, "user-1/77");
    }
    assert_eq!(try_once(&mut world, 1, "user-1/1"), Code::AccessAccept);
}

#[test]
fn a_member_who_is_resumed_does_not_wait_for_what_her_device_tried_meanwhile() {
    let mut world = World::new();
    world.suspend(1);
    for _ in 0..40 {
        assert_eq!(try_once(&mut world, 1, "user-1/1"), Code::AccessReject);
    }
    assert!(world.engine.counters().logins_held_back > 0, "it costs no TLS for ever");
    world.resume(1);
    assert_eq!(try_once(&mut world, 1, "user-1/1"), Code::AccessAccept);
}

#[test]
fn a_device_that_tries_all_day_writes_a_row_a_minute() {
    let mut world = World::new();
    for _ in 0..600 {
        try_once(&mut world, 9, "user-1/77");
        world.pass(Duration::from_secs(2));
    }
    world.pass(Duration::from_secs(75));
    let count = |code: &str| world.codes().iter().filter(|known| **known == code).count();
    let (wrong, held) = (count("wrong-key"), count("too-many-tries"));
    assert!((10..=22).contains(&wrong) && (10..=22).contains(&held), "{wrong} {held}");
    let also: u64 =
        world.records.iter().filter_map(|record| record.facts.get("also")).filter_map(|n| n.parse::<u64>().ok()).sum();
    let rows = u64::try_from(world.records.len()).expect("few");
    assert_eq!(rows + also, 600, "each try is counted");
}

#[test]
fn a_crowd_that_only_knocks_gives_way_and_who_is_in_the_middle_does_not() {
    let mut world = World::new();
    let middle = world.go_on(1);
    for device in 0..6_000 {
        let (from, datagram) = knock(device, device, 1, None, &identity(1));
        world.receive(Socket::Authentication, from, &datagram);
    }
    assert_eq!(world.engine.logins(), 4_096);
    assert_eq!(world.engine.counters().logins_crowded_out, 6_001 - 4_096);
    let last = access_request(200, 1, middle.state().as_deref(), &proof(3, "user-1/1"));
    assert_eq!(world.exchange(&last).map(|reply| reply.code), Some(Code::AccessAccept));
    assert_eq!(world.login(2, "user-2/2").code, Code::AccessAccept, "who comes now finds a place");
    world.pass(Duration::from_secs(11));
    assert_eq!(world.engine.logins(), 0, "knocking alone is forgotten soon");
    assert!(world.engine.logins.is_consistent());
}

#[test]
fn a_crowd_that_stops_in_the_middle_gives_way_once_it_is_silent() {
    let mut world = World::new();
    for device in 0..4_096 {
        let (from, datagram) = knock(device, device, 1, None, &identity(1));
        let sent = world.receive(Socket::Authentication, from, &datagram);
        let state = Reply::to(&datagram, &sent[0].2).state();
        let (from, datagram) = knock(device, device, 2, state.as_deref(), &proof(2, "more"));
        world.receive(Socket::Authentication, from, &datagram);
    }
    let (from, datagram) = knock(9_000, 1, 9, None, &identity(1));
    assert_eq!(
        world.receive(Socket::Authentication, from, &datagram),
        [],
        "nobody under way is given up for a newcomer"
    );
    assert_eq!(world.engine.counters().logins_shed, 1);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.login(2, "user-2/2").code, Code::AccessAccept);
    assert!(world.engine.logins.is_consistent());
}

#[test]
fn one_device_has_few_logins_at_a_time() {
    let mut world = World::new();
    for port in 1..100 {
        let (from, datagram) = knock(1, port, 1, None, &identity(1));
        world.receive(Socket::Authentication, from, &datagram);
    }
    assert_eq!(world.engine.logins(), 16);
    assert!(world.engine.logins.is_consistent());
}

/// What a worker has to do, and when it has done it: two of them, with the costs of real ones in microseconds.
#[derive(Default)]
struct Workers {
    free_at_us: [u64; 2],
}

impl Workers {
    fn done_at(&mut self, now_us: u64, cost_us: u64) -> u64 {
        let first = usize::from(self.free_at_us[1] < self.free_at_us[0]);
        self.free_at_us[first] = self.free_at_us[first].max(now_us) + cost_us;
        self.free_at_us[first]
    }
}

enum Event {
    Knock(u16),
    Begin(u8),
    Computed { token: u64, conversation: Box<EapConversation>, step: EapStep },
    Heard { to: SocketAddr, datagram: Vec<u8> },
}

/// 20,000 EAP starts from 1,000 forged addresses in ten seconds, none of them finished, and 200 logins meanwhile.
#[test]
fn a_flood_of_starts_keeps_no_device_out() {
    let mut world = World::new();
    let (mut events, mut sequence, mut workers) = (BTreeMap::new(), 0_u64, Workers::default());
    let mut at = |events: &mut BTreeMap<_, _>, us: u64, event| {
        sequence += 1;
        events.insert((us, sequence), event);
    };
    for n in 0..20_000_u64 {
        at(&mut events, n * 500, Event::Knock(u16::try_from(n % 1_000).expect("below 1,000")));
    }
    for device in 0..200_u8 {
        at(&mut events, 100_000 + u64::from(device) * 49_000, Event::Begin(device));
    }
    let (start, mut accepted, mut knocks) = (world.now.mono, std::collections::BTreeSet::new(), 0_u32);
    while let Some(((now_us, _), event)) = events.pop_first() {
        world.set_time((start + Duration::from_micros(now_us)).max(world.now.mono));
        match event {
            Event::Knock(device) => {
                knocks += 1;
                let (from, datagram) =
                    knock(device, u16::try_from(knocks % 60_000).expect("a port"), 1, None, &identity(1));
                world.input(Input::Received { socket: Socket::Authentication, from, datagram });
            }
            Event::Begin(device) => {
                let (from, datagram) = real(device, 0, None, &identity(1));
                world.input(Input::Received { socket: Socket::Authentication, from, datagram });
            }
            Event::Computed { token, conversation, step } => world.input(Input::Computed { token, conversation, step }),
            Event::Heard { to, datagram } => {
                // Four round trips, as TTLS over TLS 1.3 has them.
                let device = u8::try_from(to.port() - 61_000).expect("one of ours");
                let packet = Packet::decode(&datagram).expect("ours");
                let round = packet.identifier() + 1;
                match packet.code() {
                    Code::AccessAccept => drop(accepted.insert(device)),
                    Code::AccessChallenge => {
                        let state = packet.first(AttributeType::STATE).map(<[u8]>::to_vec);
                        let text = if round < 4 { "more".to_owned() } else { format!("user-{0}/{0}", device % 5 + 1) };
                        let (from, datagram) = real(device, round, state.as_deref(), &proof(round, &text));
                        world.input(Input::Received { socket: Socket::Authentication, from, datagram });
                    }
                    code => panic!("device {device} got {code:?}"),
                }
            }
        }
        while let Some(output) = world.engine.poll_output() {
            match output {
                Output::Send { to, datagram, .. } if to.port() >= 61_000 => {
                    at(&mut events, now_us + 4_000, Event::Heard { to, datagram });
                }
                Output::Compute { token, conversation, input } => {
                    let is_first = matches!(&input, EapInput::Response(packet) if packet.get(4) == Some(&1));
                    let done = workers.done_at(now_us, if is_first { 30 } else { 400 });
                    let step = world.script.run(&conversation, input);
                    at(&mut events, done, Event::Computed { token, conversation, step });
                }
                Output::Record(record) => assert_eq!(record.code, "wifi-admitted"),
                Output::Send { .. } | Output::Present(_) => {}
                Output::Account { .. } | Output::Close { .. } | Output::FindKey { .. } | Output::VlanPassed { .. } => {
                    panic!("nothing but logins")
                }
            }
        }
    }
    assert_eq!(accepted.len(), 200, "every one of them");
    assert!(world.engine.logins() <= 4_096 && world.engine.logins.is_consistent());
    world.pass(Duration::from_secs(11));
    assert_eq!(world.engine.logins(), 0);
}

/// A request of a real login: five devices, one of each member, come forty times each, from a port of its own each time.
fn real(device: u8, round: u8, state: Option<&[u8]>, eap: &[u8]) -> (SocketAddr, Vec<u8>) {
    let port = 61_000 + u16::from(device);
    let (_, datagram) = knock(30_000 + u16::from(device % 5), port, round, state, eap);
    (SocketAddr::new(POINT.ip(), port), datagram)
}
