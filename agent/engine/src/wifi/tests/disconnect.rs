//! Who has to go, and what is done until she is gone.

use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Code, Packet, Writer};

/// Member 1 online as session `a1`.
fn online() -> World {
    let mut world = World::new();
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    world.pass(Duration::from_secs(1));
    world
}

fn phase(world: &mut World) -> Option<SessionPhase> {
    world.pass(Duration::from_millis(100));
    world.presence.sessions.first().map(|view| view.phase)
}

fn answer(request: &[u8], code: Code, error_cause: Option<u32>) -> Vec<u8> {
    let mut reply = Writer::reply(code, &Packet::decode(request).expect("a request"));
    if let Some(cause) = error_cause {
        reply = reply.integer(AttributeType::ERROR_CAUSE, cause);
    }
    reply.finish(SECRET).expect("it fits")
}

#[test]
fn a_suspended_member_is_disconnected_at_once_and_the_answer_ends_the_session() {
    let mut world = online();
    let sent = world.suspend(1);
    let [request] = &disconnects(&sent)[..] else { panic!("one Disconnect-Request") };
    let packet = Packet::decode(request).expect("a packet");
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), Some("a1"));
    assert_eq!(packet.text(AttributeType::CALLING_STATION_ID), Some("02-00-00-00-00-01"));
    assert_eq!(packet.text(AttributeType::USER_NAME), Some("user-1"));
    let at = u32::try_from(world.now.stamp().seconds()).ok();
    assert_eq!(packet.integer(AttributeType::EVENT_TIMESTAMP), at);
    assert_eq!(packet.attributes().next().map(|first| first.kind), Some(AttributeType::MESSAGE_AUTHENTICATOR));
    assert_eq!(phase(&mut world), Some(SessionPhase::Disconnecting));
    world.receive(Socket::DynamicAuthorization, COA, &answer(request, Code::DisconnectAck, None));
    assert_eq!(phase(&mut world), None);
    assert_eq!(world.rows.last().and_then(|row| row.end_cause.as_deref()), Some("disconnected"));
    assert!(world.account(2, report(2, 2, 1, "a1", None).integer(AttributeType::ACCT_INPUT_OCTETS, 5)));
    assert_eq!(
        world.rows.last().map(|row| (row.rx_bytes, row.end_cause.clone())),
        Some((5, Some("disconnected".into())))
    );
    assert_eq!(disconnects(&world.pass(Duration::from_secs(60))).len(), 0);
}

#[test]
fn a_stop_that_overtakes_the_answer_confirms_too() {
    let mut world = online();
    let request = disconnects(&world.suspend(1)).remove(0);
    assert!(world.account(2, report(2, 2, 1, "a1", None)));
    world.receive(Socket::DynamicAuthorization, COA, &answer(&request, Code::DisconnectAck, None));
    assert_eq!(phase(&mut world), None);
    let end = ["wifi-disconnecting", "wifi-disconnected", "wifi-session-ended"];
    assert!(world.codes().ends_with(&end), "{:?}", world.codes());
    assert_eq!(world.engine.counters().disconnects_confirmed, 1);
}

#[test]
fn an_unanswered_request_is_repeated_six_times_with_the_same_bytes_and_then_shown() {
    let mut world = online();
    let mut sent = disconnects(&world.suspend(1));
    let mut after = Vec::new();
    for second in 1..=70 {
        let more = disconnects(&world.pass(Duration::from_secs(1)));
        if !more.is_empty() {
            after.push(second);
        }
        sent.extend(more);
    }
    assert_eq!(after, [1, 3, 7, 15, 31]);
    assert!(sent.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(phase(&mut world), Some(SessionPhase::DisconnectFailed));
    assert_eq!(world.codes().last(), Some(&"wifi-disconnect-silent"));
    assert_eq!(world.engine.counters().disconnects_unanswered, 1);
    let reported = report(5, 3, 1, "a1", None).finish(SECRET).expect("it fits");
    let sent = world.receive(Socket::Accounting, POINT, &reported);
    assert_eq!(disconnects(&sent).len(), 1, "it is still there, so it is told again");
}

#[test]
fn a_refusal_of_the_access_point_is_shown_and_a_session_it_does_not_know_is_over() {
    let mut world = online();
    let request = disconnects(&world.suspend(1)).remove(0);
    world.receive(Socket::DynamicAuthorization, COA, &answer(&request, Code::DisconnectNak, Some(501)));
    assert_eq!(phase(&mut world), Some(SessionPhase::DisconnectFailed));
    assert_eq!(world.codes().last(), Some(&"wifi-disconnect-refused"));

    let mut world = online();
    let request = disconnects(&world.suspend(1)).remove(0);
    world.receive(Socket::DynamicAuthorization, COA, &answer(&request, Code::DisconnectNak, Some(503)));
    assert_eq!(phase(&mut world), None);
}

#[test]
fn a_forged_answer_changes_nothing() {
    let mut world = online();
    let request = disconnects(&world.suspend(1)).remove(0);
    let packet = Packet::decode(&request).expect("a packet");
    let forged = Writer::reply(Code::DisconnectAck, &packet).finish(b"other").expect("it fits");
    world.receive(Socket::DynamicAuthorization, COA, &forged);
    let elsewhere = "10.0.0.3:3799".parse().expect("an address");
    world.receive(Socket::DynamicAuthorization, elsewhere, &answer(&request, Code::DisconnectAck, None));
    assert_eq!(phase(&mut world), Some(SessionPhase::Disconnecting));
}

#[test]
fn a_member_who_is_resumed_in_time_is_left_in_peace() {
    let mut world = online();
    assert_eq!(disconnects(&world.suspend(1)).len(), 1);
    assert_eq!(disconnects(&world.resume(1)).len(), 0);
    assert_eq!(phase(&mut world), Some(SessionPhase::Open));
    assert_eq!(disconnects(&world.pass(Duration::from_secs(60))).len(), 0);
}

#[test]
fn a_place_that_is_only_held_is_disconnected_too_and_again_when_it_is_reported() {
    let mut world = World::new();
    let class = world.login(1, "user-1/1").text(AttributeType::CLASS).expect("our Class");
    let request = disconnects(&world.suspend(1)).remove(0);
    let packet = Packet::decode(&request).expect("a packet");
    assert_eq!(packet.text(AttributeType::ACCT_SESSION_ID), None);
    world.receive(Socket::DynamicAuthorization, COA, &answer(&request, Code::DisconnectNak, Some(503)));
    let start = report(1, 1, 1, "a1", Some(&class)).finish(SECRET).expect("it fits");
    let sent = world.receive(Socket::Accounting, POINT, &start);
    assert_eq!(disconnects(&sent).len(), 1, "the Access-Accept and the revocation crossed");
}

#[test]
fn a_revoked_key_a_shorter_membership_and_another_network_send_the_device_away() {
    use policy::{Change, Credential, CredentialKind, Member, Window};
    let mut world = online();
    let kind = CredentialKind::WifiKey { username: "user-1".into(), nt_hash: values::Secret::new([1; 16]) };
    let revoked = Credential {
        id: credential_id(1),
        revision: 2,
        member: member_id(1),
        label: values::Pii("laptop".into()),
        kind,
        issued_at: NOON,
        revoked_at: Some(world.now.stamp()),
    };
    assert_eq!(disconnects(&world.change(&[Change::Credential(revoked)])).len(), 1);

    let mut world = online();
    let until = world.now.stamp() + Duration::from_secs(100);
    let valid = Window { from: None, until: Some(until) };
    assert_eq!(disconnects(&world.change(&[Change::Member(Member { valid, ..member(1) })])).len(), 0);
    assert_eq!(disconnects(&world.pass(Duration::from_secs(99))).len(), 0);
    assert_ne!(disconnects(&world.pass(Duration::from_secs(17))).len(), 0, "its end is noticed without any packet");

    let mut world = online();
    let mut site = site();
    if let Some(plan) = site.plans.values_mut().next() {
        plan.wifi.as_mut().expect("it has Wi-Fi").network = name("guests");
    }
    assert_eq!(disconnects(&world.change(&[Change::Site(Arc::new(site))])).len(), 1);
    assert_eq!(
        world.records.last().and_then(|record| record.facts.get("cause").cloned()),
        Some("network-changed".into())
    );
}

#[test]
fn other_members_and_other_changes_disturb_nobody() {
    let mut world = online();
    assert_eq!(disconnects(&world.suspend(2)).len(), 0);
    let account = policy::print::PrintAccount::default();
    let credited = policy::Change::PrintCredited { member: member_id(1), amount_minor: 1, account };
    assert_eq!(disconnects(&world.change(&[credited])).len(), 0);
    assert_eq!(phase(&mut world), Some(SessionPhase::Open));
}

#[test]
fn a_kick_disconnects_and_an_unknown_session_is_told_as_such() {
    let mut world = online();
    let session = world.presence.sessions[0].row.id;
    let mut cx = Context { snapshot: &world.snapshot, now: world.now, entropy: &mut world.entropy };
    assert_eq!(world.engine.kick(&mut cx, session), Ok(()));
    let unknown = SessionId::from_random([0; 16]);
    assert_eq!(world.engine.kick(&mut cx, unknown).map_err(|reason| reason.code()), Err("unknown-session"));
    assert_eq!(disconnects(&world.drain()).len(), 1);
    assert_eq!(disconnects(&world.resume(1)).len(), 0);
    assert_eq!(phase(&mut world), Some(SessionPhase::Disconnecting), "no change of policy takes a kick back");
}

#[test]
fn without_the_time_no_event_timestamp_is_sent() {
    let mut world = online();
    world.now = values::Now { wall: values::Wall::Unsynced(world.now.stamp()), ..world.now };
    let request = disconnects(&world.suspend(1)).remove(0);
    assert_eq!(Packet::decode(&request).expect("a packet").integer(AttributeType::EVENT_TIMESTAMP), None);
}

/// Everything that sends somebody away, each with what the record says.
#[test]
fn each_cause_has_its_disconnect_its_record_and_its_bound() {
    use policy::{Change, Member, MemberStatus, Window};
    let ended = |world: &mut World| {
        let status = MemberStatus::Ended { at: world.now.stamp() };
        world.change(&[Change::Member(Member { status, ..member(1) })])
    };
    let over = |world: &mut World| {
        let until = Some(world.now.stamp());
        world.change(&[Change::Member(Member { valid: Window { from: None, until }, ..member(1) })])
    };
    let kicked = |world: &mut World| {
        let session = world.presence.sessions[0].row.id;
        let mut cx = Context { snapshot: &world.snapshot, now: world.now, entropy: &mut world.entropy };
        assert_eq!(world.engine.kick(&mut cx, session), Ok(()));
        world.drain()
    };
    let suspended = |world: &mut World| world.suspend(1);
    type Act<'a> = &'a dyn Fn(&mut World) -> Vec<(Socket, SocketAddr, Vec<u8>)>;
    let causes: [(Act<'_>, &str); 4] =
        [(&suspended, "member-suspended"), (&ended, "member-ended"), (&over, "membership-over"), (&kicked, "kicked")];
    for (act, cause) in causes {
        for (code, error, end) in [
            (Some(Code::DisconnectAck), None, None),
            (Some(Code::DisconnectNak), Some(501), Some(SessionPhase::DisconnectFailed)),
            (Some(Code::DisconnectNak), Some(503), None),
            (None, None, Some(SessionPhase::DisconnectFailed)),
        ] {
            let mut world = online();
            let request = disconnects(&act(&mut world)).remove(0);
            let told = world.records.iter().rfind(|record| record.code == "wifi-disconnecting").expect("a record");
            assert_eq!(told.facts.get("cause").map(String::as_str), Some(cause));
            match code {
                Some(code) => {
                    world.receive(Socket::DynamicAuthorization, COA, &answer(&request, code, error));
                }
                None => drop(world.pass(Duration::from_secs(64))),
            }
            assert_eq!(phase(&mut world), end, "{cause}: {code:?} {error:?}");
            // Whatever the access point makes of it, Session-Timeout ends the session, and then so do we.
            world.pass(Duration::from_secs(4 * 3_600 + 16 * 60));
            assert_eq!(phase(&mut world), None, "{cause}: {code:?} {error:?}");
        }
    }
}

#[test]
fn hours_and_passes_that_end_send_the_device_away_after_their_grace() {
    use policy::{Change, Pass};
    // A pass of a plan with Wi-Fi, for a member whose own plan has none.
    let mut world = World::new();
    let mut site = site();
    let with = site.plans.values().next().expect("a plan").clone();
    let none = policy::Plan { name: name("none"), wifi: None, ..with.clone() };
    site.plans.insert(none.name.clone(), none);
    let until = world.now.stamp() + Duration::from_secs(600);
    let pass = Pass {
        id: values::PassId::from_random([1; 16]),
        member: member_id(1),
        plan: with.name,
        from: world.now.stamp(),
        until,
        revision: 1,
    };
    let bare = policy::Member { plan: name("none"), ..member(1) };
    world.change(&[Change::Site(Arc::new(site)), Change::Member(bare), Change::Pass(pass)]);
    let accept = world.login(1, "user-1/1");
    assert_eq!(accept.code, Code::AccessAccept);
    let bound = accept.packet().integer(AttributeType::SESSION_TIMEOUT).expect("a bound");
    assert!(bound <= 600 + 15 * 60, "Session-Timeout is the end with its grace: {bound}");
    let class = accept.text(AttributeType::CLASS).expect("our Class");
    assert!(world.account(1, report(1, 1, 1, "a1", Some(&class))));
    assert_eq!(disconnects(&world.pass(Duration::from_secs(600 + 14 * 60))).len(), 0, "warned, and in its grace");
    assert!(!disconnects(&world.pass(Duration::from_secs(90))).is_empty());

    // The clock is set forward over the end: nobody waits for the timer.
    let mut world = online();
    let until = Some(world.now.stamp() + Duration::from_secs(3_600));
    let valid = policy::Window { from: None, until };
    assert_eq!(disconnects(&world.change(&[Change::Member(policy::Member { valid, ..member(1) })])).len(), 0);
    world.now = values::Now::trusted(world.now.mono, world.now.stamp() + Duration::from_secs(7_200));
    world.input(Input::TimerFired);
    assert_eq!(disconnects(&world.drain()).len(), 1);
}
