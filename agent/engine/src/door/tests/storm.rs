//! Hundreds of seeded days at the street door: badges and clicks while the link stalls and breaks, the relay stutters, sulks
//! and dies, the disk and the shell are slow, members are suspended and the daemon is killed at any step. Whatever happens:
//! at most one pulse for one grant, none late, never "opened" without one, one answer for one question.

use super::world::{BADGE, LATE_BADGE, World};
use crate::door::opening::{ACK_LIMIT_MS, COMMAND_LIMIT_MS, JOIN_MS, PROBE_LIMIT_MS};
use crate::door::{DoorOutcome, RequestId};
use std::collections::BTreeMap;
use std::time::Duration;
use values::{Entropy, Mono, SeededEntropy};

const SEEDS: u64 = 300;
const STEPS: u32 = 60;
/// From the question to the last moment at which its pulse may begin: probe, hand-over, and the reset that kills the rest.
const LATEST_MS: u64 = PROBE_LIMIT_MS + COMMAND_LIMIT_MS + ACK_LIMIT_MS;

/// The slowest way through the network.
const LATENCY_MAX_MS: u64 = 6_000;

struct Dice(SeededEntropy);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        let entropy: &mut dyn Entropy = &mut self.0;
        u64::from_be_bytes(entropy.bytes()) % sides
    }
}

#[test]
fn no_pulse_is_late_or_double_whatever_breaks() {
    let mut seen = BTreeMap::new();
    for seed in 0..SEEDS {
        run(seed, &mut seen);
    }
    // The storm must have blown from all sides, or it shows nothing.
    for outcome in [DoorOutcome::Opened, DoorOutcome::Refused, DoorOutcome::Failed, DoorOutcome::Unknown] {
        assert!(seen.get(outcome.as_str()).copied().unwrap_or_default() > 100, "{seen:?}");
    }
    assert!(seen["restarts"] > 100, "{seen:?}");
}

fn run(seed: u64, seen: &mut BTreeMap<&'static str, u32>) {
    let mut dice = Dice(SeededEntropy(seed));
    let mut world = World::seeded(seed);
    let mut asked: BTreeMap<RequestId, Mono> = BTreeMap::new();
    let mut shown: Vec<Mono> = Vec::new();
    let mut lost: Vec<RequestId> = Vec::new();
    let mut disk_failed = false;
    for _ in 0..STEPS {
        match dice.roll(16) {
            0..=3 => {
                asked.insert(world.open_as_operator(), world.now);
            }
            4 | 5 => {
                shown.push(world.now);
                world.show_badge(BADGE);
            }
            6 => world.show_badge(LATE_BADGE),
            7 => world.relay.answers = dice.roll(4) > 0,
            8 => (world.relay.stutters, world.relay.dies_after_command) = (dice.roll(2) == 0, dice.roll(6) == 0),
            9 => world.relay.delay_ms = [5, 40, 250, 900, 1_900, 4_000][dice.roll(6) as usize],
            10 => world.latency_ms = [1, 5, 100, 600, LATENCY_MAX_MS][dice.roll(5) as usize],
            11 => world.shell.command_delay_ms = [0, 0, 10, 450, 700][dice.roll(5) as usize],
            12 => {
                (world.disk.delay_ms, world.disk.ok) = ([1, 10, 45, 60, 3_000][dice.roll(5) as usize], dice.roll(8) > 0)
            }
            13 => {
                if let Some(epoch) = world.relay.epoch {
                    world.hang_up(epoch);
                }
            }
            14 => {
                if dice.roll(2) == 0 {
                    world.suspend(1)
                } else {
                    world.resume(1)
                }
            }
            _ => {
                *seen.entry("restarts").or_default() += 1;
                lost.extend(asked.keys().filter(|request| !world.answers.contains_key(request)));
                world.restart();
            }
        }
        disk_failed |= !world.disk.ok;
        if world.relay.epoch.is_none() && dice.roll(2) == 0 {
            world.relay.subscribes_with_qos_1 = dice.roll(3) == 0;
            world.connect_relay();
        }
        if world.reader.epoch.is_none() {
            world.connect_reader();
        }
        world.run_for(Duration::from_millis([1, 20, 60, 400, 1_200, 3_000][dice.roll(6) as usize]));
    }
    world.run_for(Duration::from_secs(30));
    check(seed, &world, &Questions { asked, shown, lost }, disk_failed, seen);
}

/// What was asked in a run.
struct Questions {
    asked: BTreeMap<RequestId, Mono>,
    shown: Vec<Mono>,
    /// Whose daemon was killed before it answered.
    lost: Vec<RequestId>,
}

fn check(seed: u64, world: &World, questions: &Questions, disk_failed: bool, seen: &mut BTreeMap<&'static str, u32>) {
    let Questions { asked, shown, lost } = questions;
    let mut calls: Vec<u64> = world.relay.pulses.iter().map(|(_, call)| *call).collect();
    calls.sort_unstable();
    let pulses = calls.len();
    calls.dedup();
    assert_eq!(calls.len(), pulses, "seed {seed}: a command came twice");
    assert!(pulses <= asked.len() + shown.len(), "seed {seed}: more pulses than questions");

    for (at, call) in &world.relay.commands {
        let granted = world.granted.get(call).unwrap_or_else(|| panic!("seed {seed}: a command for no question"));
        assert!(
            *at <= *granted + Duration::from_millis(LATEST_MS),
            "seed {seed}: granted at {granted:?}, arrived at {at:?}"
        );
    }
    for request in asked.keys() {
        let answers = world.answers.get(request).map_or(0, Vec::len);
        assert_eq!(answers, usize::from(!lost.contains(request)), "seed {seed}: {request:?}");
    }
    for (answered, answer) in world.answers.values().flatten() {
        *seen.entry(answer.outcome.as_str()).or_default() += 1;
        let window = Duration::from_millis(ACK_LIMIT_MS + JOIN_MS + COMMAND_LIMIT_MS);
        let pulsed = world.relay.pulses.iter().any(|(at, _)| at <= answered && *answered <= *at + window);
        assert!(answer.outcome != DoorOutcome::Opened || pulsed, "seed {seed}: opened without a pulse");
    }
    for record in &world.records {
        if record.code == "member-suspended" || record.code == "outside-hours" {
            *seen.entry("refused").or_default() += 1;
        }
    }
    // With a disk that always worked, every intent has its end written down.
    assert!(disk_failed || world.unfinished().is_empty(), "seed {seed}: {:?}", world.unfinished());
}
