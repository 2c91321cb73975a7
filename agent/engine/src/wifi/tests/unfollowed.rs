//! What becomes of reports when the table of sessions is full: of a device that is online and finds no place in it.

use super::super::session::{Session, Stage};
use super::super::*;
use super::world::*;
use proto::radius::{AttributeType, Writer};
use values::MacAddress;

/// The session of another device, the `n`th of many.
fn another(n: u32, stage: Stage) -> Session {
    let [a, b, c, d] = n.to_be_bytes();
    let mut id = [7; 16];
    id[12..].copy_from_slice(&[a, b, c, d]);
    let acct_session_id = match stage {
        Stage::Open { .. } => format!("n{n}"),
        Stage::Admitted { .. } | Stage::Unreported { .. } => String::new(),
    };
    let row = SessionRow {
        id: SessionId::from_random(id),
        access_point: name("hall"),
        nas: String::new(),
        acct_session_id,
        member: None,
        credential: None,
        username: values::Pii(String::new()),
        mac: Some(MacAddress([2, 9, a, b, c, d])),
        ip: None,
        network: None,
        vlan: None,
        started_at: NOON,
        seen_at: NOON,
        ended_at: None,
        rx_bytes: 0,
        tx_bytes: 0,
        end_cause: None,
    };
    Session::new(row, stage, Duration::from_secs(60))
}

/// A world in which 16,384 sessions are followed: after those of these stages, sessions that go on for ever.
fn full_world(stages: &[Stage]) -> World {
    let mut world = World::new();
    let open = Stage::Open { silent_at: Mono(u64::MAX) };
    let stages = stages.iter().copied().chain(std::iter::repeat(open));
    for (n, stage) in (0..16_384).zip(stages) {
        world.engine.sessions.insert(another(n, stage));
    }
    assert!(world.engine.sessions.is_full());
    world
}

fn aged(request: Writer, session_seconds: u32) -> Writer {
    request.integer(AttributeType::ACCT_SESSION_TIME, session_seconds)
}

fn shed_and_crowded_out(world: &World) -> (u64, u64) {
    (world.engine.counters().sessions_shed, world.engine.counters().sessions_crowded_out)
}

#[test]
fn a_session_that_is_not_followed_is_one_row_at_its_end() {
    let mut world = full_world(&[]);
    assert!(world.account(1, report(1, 1, 1, "a1", None)));
    for n in 1..=6_u8 {
        world.pass(Duration::from_secs(2));
        assert!(world.account(1 + n, aged(report(1 + n, 3, 1, "a1", None), u32::from(n) * 2)));
    }
    assert_eq!(world.rows, [], "no row that nothing would ever end");
    assert_eq!(shed_and_crowded_out(&world), (7, 0));
    assert_eq!(world.codes(), ["wifi-sessions-many"], "once a minute, and nothing of its beginning");
    world.pass(Duration::from_secs(2));
    let stop = aged(report(20, 2, 1, "a1", None), 14).integer(AttributeType::ACCT_INPUT_OCTETS, 9);
    assert!(world.account(20, stop));
    let [row] = &world.rows[..] else { panic!("one row") };
    assert_eq!((row.member, row.rx_bytes, row.ended_at), (Some(member_id(1)), 9, Some(world.now.stamp())));
    assert_eq!(world.now.stamp() - Duration::from_secs(14), row.started_at);
    let id = row.id;
    assert!(world.account(21, aged(report(21, 2, 1, "a1", None), 14)));
    assert!(world.rows.iter().all(|row| row.id == id && row.ended_at.is_some()), "a repeated Stop finds it");
    assert!(world.engine.sessions.is_full(), "and nobody lost a place");
}

#[test]
fn what_may_be_gone_gives_way_soonest_first_and_not_when_it_was_heard_of_since() {
    let until = |seconds| Stage::Unreported { until: Mono(1_000_000) + Duration::from_secs(seconds) };
    let mut world = full_world(&[until(3_000), until(1_000), until(2_000)]);
    let ids: Vec<SessionId> = (0..3).map(|n| another(n, until(1)).row().id).collect();
    assert!(world.account(1, report(1, 3, 1, "a1", None)));
    assert!(world.engine.sessions.get(ids[1]).is_none(), "the soonest");
    // The next in turn logs in again.
    world.engine.sessions.get_mut(ids[2]).expect("it is there").stage = until(4_000);
    assert!(world.account(2, report(2, 3, 2, "a2", None)));
    assert!(world.engine.sessions.get(ids[0]).is_none() && world.engine.sessions.get(ids[2]).is_some());
    assert_eq!(shed_and_crowded_out(&world), (0, 2));
}

#[test]
fn the_table_is_searched_for_room_once_a_second_when_there_is_none() {
    let mut world = full_world(&[]);
    assert!(world.account(1, report(1, 3, 1, "a1", None)));
    let id = another(5, Stage::Unreported { until: Mono(0) }).row().id;
    world.engine.sessions.get_mut(id).expect("it is there").stage = Stage::Unreported { until: Mono(u64::MAX) };
    assert!(world.account(2, report(2, 3, 1, "a1", None)));
    assert_eq!(shed_and_crowded_out(&world), (2, 0));
    world.pass(Duration::from_secs(1));
    assert!(world.account(3, report(3, 3, 1, "a1", None)));
    assert_eq!(shed_and_crowded_out(&world), (2, 1));
}
