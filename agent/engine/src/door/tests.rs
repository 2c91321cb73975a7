//! The door engine against devices that speak MQTT bytes, in virtual time: what each refusal, fault and answer leads to.
//! `world` holds the devices, the shell and the network; `storm` runs it under seeded faults.

mod storm;
mod world;

use super::*;
use policy::{IntentState, Outcome};
use std::time::Duration;
use world::{BADGE, LATE_BADGE, MEMBER_BADGE_UNKNOWN, World, member};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_badge_opens_the_door_once_and_the_end_is_seen() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.show_badge(BADGE);
    world.run_for(10 * SECOND);
    assert_eq!(world.relay.pulses.len(), 1);
    assert_eq!(world.reader.told, [r#"{"granted":true,"reason":"door-opened","door":"street"}"#]);
    let opened = world.records_of("door-opened");
    assert_eq!((opened.len(), opened[0].member), (1, Some(member(1))));
    assert_eq!(opened[0].personal.get("badge").map(|badge| badge.0.as_str()), Some(BADGE));
    assert_eq!(
        world.ring_states(),
        [IntentState::Logged, IntentState::Sent, IntentState::Acknowledged, IntentState::Verified]
    );
    assert!(world.records.iter().all(|record| record.outcome != Outcome::Warning));
}

#[test]
fn the_probe_leaves_with_the_badge_and_the_command_after_the_intent() {
    let mut world = World::start();
    world.disk.delay_ms = 20;
    world.connect_relay();
    world.connect_reader();
    world.show_badge(BADGE);
    world.run_for(Duration::from_millis(10));
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (1, 0));
    world.run_for(Duration::from_millis(100));
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (1, 1));
}

#[test]
fn refusals_say_why_and_send_nothing() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    for (uid, code, known) in [
        (MEMBER_BADGE_UNKNOWN, "unknown-badge", None),
        (LATE_BADGE, "outside-hours", Some(member(2))),
        ("zz", "badge-invalid", None),
    ] {
        world.show_badge(uid);
        world.run_for(SECOND);
        let told = world.reader.told.last().cloned().unwrap_or_default();
        assert!(told.starts_with(&format!(r#"{{"granted":false,"reason":"{code}""#)), "{told}");
        let rows = world.records_of(code);
        assert_eq!((rows.len(), rows[0].member, rows[0].outcome), (1, known, Outcome::Refused), "{code}");
    }
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (0, 0));
    assert!(world.ring.is_empty());
}

#[test]
fn an_absent_relay_is_said_at_once_and_nothing_waits_for_it() {
    let mut world = World::start();
    let request = world.open_as_operator();
    world.run_for(Duration::from_millis(1));
    let answer = world.answer(request).expect("at once");
    assert_eq!((answer.outcome, answer.code), (DoorOutcome::Failed, "relay-absent"));
    world.connect_relay();
    world.run_for(30 * SECOND);
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (0, 0));
}

#[test]
fn a_silent_relay_gets_no_command() {
    let mut world = World::start();
    world.connect_relay();
    world.relay.answers = false;
    let request = world.open_as_operator();
    world.run_for(5 * SECOND);
    let answer = world.answer(request).expect("after a second");
    assert_eq!((answer.outcome, answer.code), (DoorOutcome::Failed, "relay-silent"));
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (1, 0));
}

#[test]
fn a_puback_of_the_probe_will_do_after_a_while() {
    let mut world = World::start();
    world.relay.subscribes_with_qos_1 = true;
    world.connect_relay();
    world.relay.answers = false;
    let request = world.open_as_operator();
    world.run_for(Duration::from_millis(250));
    assert_eq!(world.relay.pulses.len(), 0);
    world.run_for(5 * SECOND);
    // It pulsed, and as it did not say so, nobody claims it.
    assert_eq!(world.relay.pulses.len(), 1);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Unknown));
    assert!(world.relay.epoch.is_none(), "the connection was reset");
}

#[test]
fn a_second_badge_joins_the_pulse_and_both_are_written_down() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.show_badge(BADGE);
    let request = world.open_as_operator();
    world.run_for(Duration::from_millis(900));
    world.show_badge(BADGE);
    world.run_for(10 * SECOND);
    assert_eq!(world.relay.pulses.len(), 1);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Opened));
    assert_eq!(world.records_of("door-opened").len(), 3);
    // Later, it is a pulse of its own, also while the last one's end has not been seen.
    world.show_badge(BADGE);
    world.run_for(2 * SECOND);
    world.show_badge(BADGE);
    world.run_for(10 * SECOND);
    assert_eq!(world.relay.pulses.len(), 3);
}

#[test]
fn who_is_suspended_while_the_relay_thinks_stays_outside() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.relay.delay_ms = 500;
    world.show_badge(BADGE);
    world.run_for(Duration::from_millis(100));
    world.suspend(1);
    world.run_for(5 * SECOND);
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (1, 0));
    assert_eq!(world.records_of("member-suspended").len(), 1);
    world.resume(1);
    world.show_badge(BADGE);
    world.run_for(5 * SECOND);
    assert_eq!(world.relay.pulses.len(), 1);
}

#[test]
fn who_remains_when_the_first_is_suspended_stands_for_the_pulse() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.relay.delay_ms = 300;
    world.relay.dies_after_command = true;
    world.show_badge(BADGE);
    world.run_for(Duration::from_millis(50));
    let request = world.open_as_operator();
    world.suspend(1);
    world.run_for(5 * SECOND);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Unknown));
    assert_eq!(world.relay.pulses.len(), 1);
    let refused = world.records_of("member-suspended");
    assert_eq!((refused.len(), refused[0].member), (1, Some(member(1))));
    // Nothing is left that a restart would call unknown, and the pulse is not laid at the refused member's door.
    assert_eq!(world.unfinished(), []);
    let sent: Vec<_> = world.ring.iter().filter(|row| row.state == IntentState::Sent).map(|row| row.member).collect();
    assert_eq!(sent, [None]);
}

#[test]
fn a_relay_that_says_no_is_believed() {
    let mut world = World::start();
    world.connect_relay();
    world.relay.refuses = true;
    let request = world.open_as_operator();
    world.run_for(5 * SECOND);
    let answer = world.answer(request).expect("answered");
    assert_eq!((answer.outcome, answer.code), (DoorOutcome::Failed, "relay-refused"));
}

#[test]
fn a_relay_that_dies_after_the_command_leaves_an_unknown() {
    let mut world = World::start();
    world.connect_relay();
    world.relay.dies_after_command = true;
    let request = world.open_as_operator();
    world.run_for(5 * SECOND);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Unknown));
    world.relay.dies_after_command = false;
    world.connect_relay();
    world.run_for(30 * SECOND);
    assert_eq!(world.relay.pulses.len(), 1);
}

#[test]
fn a_relay_that_takes_its_leave_before_it_answers_a_command_is_reset() {
    let mut world = World::start();
    world.connect_relay();
    let epoch = world.relay.epoch.expect("connected");
    world.relay.delay_ms = 200;
    let request = world.open_as_operator();
    world.run_for(Duration::from_millis(250));
    assert_eq!((world.relay.commands.len(), world.answer(request)), (1, None));
    world.relay_leaves();
    world.run_for(SECOND);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Unknown));
    assert!(world.resets.contains(&epoch) && world.closes.is_empty(), "a soft end would let the command leave late");
}

#[test]
fn a_short_pulse_is_joined_only_while_it_lasts() {
    use super::opening::{Opening, Step};
    use super::shelly::{CallId, Reply};
    for (pulse_ms, joined_for_ms) in [(200, 100), (1_000, 500), (3_000, 1_000), (30_000, 1_000)] {
        let call = CallId::new(7);
        let answered = |call| Signal::Answered { call, reply: Reply::Done { output: None } };
        let opening = Opening::new(Epoch(1), call, pulse_ms, None, false, Mono(0));
        let (opening, _) = opening.handle(Signal::Logged { ok: true }, Mono(0));
        let (opening, step) = opening.handle(answered(Opening::probe_call(call)), Mono(0));
        assert_eq!(step, Step::Command);
        let (opening, step) = opening.commanded(SendId(1), Mono(500)).handle(answered(call), Mono(0));
        assert_eq!(step, Step::Opened);
        assert!(opening.may_be_joined(Mono(joined_for_ms - 1)), "{pulse_ms}");
        assert!(!opening.may_be_joined(Mono(joined_for_ms)), "{pulse_ms}: that strike may have locked again");
    }
}

#[test]
fn a_reader_that_never_tires_fills_no_disk() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    for n in 0..40 {
        world.show_badge(if n % 2 == 0 { MEMBER_BADGE_UNKNOWN } else { LATE_BADGE });
        world.show_badge("zz");
        world.run_for(Duration::from_millis(150));
    }
    // Each is refused, told and counted; ten of a kind stand in history.
    assert_eq!((world.reader.told.len(), world.engine.counters().refused), (80, 80));
    for code in ["unknown-badge", "outside-hours", "badge-invalid"] {
        assert_eq!(world.records_of(code).len(), 10, "{code}");
    }
    assert_eq!(world.engine.counters().rows_suppressed, 50);
    world.run_for(60 * SECOND);
    world.show_badge(MEMBER_BADGE_UNKNOWN);
    world.run_for(SECOND);
    let last = world.records_of("unknown-badge").pop().expect("written again");
    assert_eq!(last.facts.get("not_shown_before").map(String::as_str), Some("10"));
}

#[test]
fn a_relay_that_stays_on_is_told_to_switch_off() {
    let mut world = World::start();
    world.connect_relay();
    world.relay.sticks = true;
    world.open_as_operator();
    world.run_for(10 * SECOND);
    assert_eq!(world.records_of("relay-stuck").len(), 1);
    assert_eq!((world.relay.pulses.len(), world.relay.is_on), (1, false));
}

#[test]
fn a_slow_or_failing_disk_keeps_no_door_shut() {
    for (delay_ms, ok) in [(10_000, true), (1, false)] {
        let mut world = World::start();
        (world.disk.delay_ms, world.disk.ok) = (delay_ms, ok);
        world.connect_relay();
        let request = world.open_as_operator();
        world.run_for(Duration::from_millis(200));
        assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Opened));
        assert_eq!((world.engine.counters().intent_gaps, world.records_of("intent-gap").len()), (1, 1));
    }
}

#[test]
fn a_command_that_could_not_leave_in_time_never_leaves() {
    let mut world = World::start();
    world.connect_relay();
    world.shell.command_delay_ms = 600;
    let request = world.open_as_operator();
    world.run_for(10 * SECOND);
    let answer = world.answer(request).expect("answered");
    assert_eq!((answer.outcome, answer.code), (DoorOutcome::Failed, "relay-silent"));
    assert_eq!(world.relay.pulses.len(), 0);
    assert_eq!(world.ring_states(), [IntentState::Logged, IntentState::Expired]);
}

#[test]
fn a_command_that_a_stalled_link_swallowed_dies_with_its_connection() {
    let mut world = World::start();
    world.connect_relay();
    world.shell.command_delay_ms = 100;
    let request = world.open_as_operator();
    world.run_for(Duration::from_millis(50));
    world.latency_ms = 10_000;
    world.run_for(30 * SECOND);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Unknown));
    assert!(world.relay.commands.is_empty() && world.relay.epoch.is_none());
    assert_eq!(world.ring_states(), [IntentState::Logged, IntentState::Sent, IntentState::Unknown]);
}

#[test]
fn what_was_under_way_at_a_restart_is_unknown_and_never_replayed() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.relay.delay_ms = 400;
    world.show_badge(BADGE);
    world.run_for(Duration::from_millis(600));
    world.restart();
    world.connect_relay();
    world.run_for(30 * SECOND);
    assert_eq!((world.relay.probes, world.relay.pulses.len()), (1, 1));
    let unknown = world.records_of("door-unconfirmed");
    assert_eq!((unknown.len(), unknown[0].member), (1, Some(member(1))));
    let view = world.engine.doors(&world.snapshot);
    assert_eq!(view[0].last.as_ref().map(|last| last.outcome), Some(DoorOutcome::Unknown));
}

#[test]
fn a_device_with_another_credential_is_cut_off_and_cannot_come_back() {
    let mut world = World::start();
    world.connect_relay();
    assert_eq!(world.engine.connected().len(), 1);
    world.remove_device("relay-street");
    world.run_for(SECOND);
    assert!(world.engine.connected().is_empty() && world.relay.epoch.is_none());
    world.connect_relay();
    world.run_for(SECOND);
    assert!(world.engine.connected().is_empty());
    assert_eq!(world.records_of("unknown-device-name").len(), 1);
}

#[test]
fn a_newer_connection_of_the_same_device_ends_the_older() {
    let mut world = World::start();
    world.connect_relay();
    let older = world.relay.epoch.take();
    world.connect_relay();
    world.run_for(SECOND);
    assert!(world.resets.contains(&older.expect("connected")));
    assert_eq!(world.records_of("device-taken-over").len(), 1);
    let request = world.open_as_operator();
    world.run_for(SECOND);
    assert_eq!(world.answer(request).map(|answer| answer.outcome), Some(DoorOutcome::Opened));
}

#[test]
fn strangers_and_impostors_are_refused_and_written_down() {
    let mut world = World::start();
    for (client_id, user, password, code, row) in [
        ("relay-street", "relay-street", "wrong", 4, "wrong-device-password"),
        ("nobody", "nobody", "wrong", 4, "unknown-device-name"),
        ("relay-street", "reader-street", "reader-street", 2, "device-name-mismatch"),
    ] {
        let said = world.connect_raw(&world::connect(client_id, user, password, None));
        assert_eq!(said, [0x20, 2, 0, code], "{row}");
        assert_eq!(world.records_of(row).len(), 1, "{row}");
    }
    let will = world::connect("relay-street", "relay-street", "relay-street", Some("relay-studio/online"));
    assert_eq!(world.connect_raw(&will), [0x20, 2, 0, 5]);
    assert!(world.engine.connected().is_empty());
}

#[test]
fn foreign_topics_and_retained_commands_are_written_down() {
    let mut world = World::start();
    world.connect_relay();
    world.connect_reader();
    world.reader_publishes("relay-street/rpc", br#"{"id":1,"method":"Switch.Set"}"#, true);
    world.reader_publishes("relay-street/status/switch:0", b"{}", false);
    world.run_for(SECOND);
    assert_eq!(world.records_of("retained-command").len(), 1);
    assert_eq!(world.records_of("topic-not-allowed").len(), 1);
    assert_eq!(world.relay.heard, 0);
}

#[test]
fn an_operator_may_open_for_a_member_and_a_member_only_for_herself() {
    let mut world = World::start();
    world.connect_relay();
    let outside = world.open(Actor::Admin, Some(member(2)));
    let own = world.open(Actor::Member(member(1)), Some(member(2)));
    world.run_for(SECOND);
    assert_eq!(world.answer(outside).map(|answer| answer.code), Some("outside-hours"));
    assert_eq!(world.answer(own).map(|answer| answer.outcome), Some(DoorOutcome::Opened));
}
