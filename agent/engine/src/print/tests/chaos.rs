//! Seeds: printers that die at every step, forget, repeat job-ids and lie; storage that refuses; restarts at any moment.
//! Afterwards everything is counted. A failing seed is printed.

use super::world::{Trouble, World, member};
use crate::print::JobCommand;
use policy::Command;
use policy::print::{JobStage, account};
use proto::ipp::{Attribute, OperationId, Value};
use std::collections::BTreeSet;
use std::time::Duration;
use values::JobId;

/// Two days of virtual time: longer than any wait of the engine.
const QUIET: Duration = Duration::from_secs(48 * 60 * 60);
const CREDIT_MINOR: i64 = 2_000;

fn run(seed: u64, trouble: Trouble, crashes: bool) -> World {
    let mut world = World::new(seed, true, trouble);
    world.drain();
    world.change_until_done(Command::CreditPrint { member: member(), amount_minor: CREDIT_MINOR });
    for _ in 0..30 {
        match world.below(10) {
            0..=3 => {
                let pages = 1 + u32::try_from(world.below(12)).expect("small");
                world.print_job(pages);
            }
            4 => {
                let hold = Attribute::new("job-hold-until", Value::keyword("indefinite"));
                world.request(OperationId::PrintJob, Vec::new(), vec![hold]);
            }
            5 => {
                for job in world.engine.jobs(100) {
                    world.operate(JobCommand::Release { job: job.id });
                }
            }
            6 => {
                if let Some(job) = world.engine.jobs(1).first() {
                    let job = job.id;
                    world.operate(JobCommand::Cancel { job });
                }
            }
            7 if crashes => world.crash(),
            _ => {
                let wait = world.below(20_000);
                world.run(Duration::from_millis(wait));
            }
        }
    }
    world.trouble = Trouble { only_print_job: trouble.only_print_job, lies: trouble.lies, ..Trouble::default() };
    world.run_until(QUIET, |world| {
        let over = |state: &str| matches!(state, "completed" | "aborted" | "canceled" | "needs-checking");
        world.pending.is_empty()
            && world.spool.is_empty()
            && world.engine.jobs(usize::MAX).iter().all(|job| over(job.state))
    });
    world.run(Duration::from_secs(60)); // rows that storage refused are written again
    world
}

/// Every promise, counted.
fn check(world: &World, honest: bool, full: bool) {
    let mut open = BTreeSet::new();
    for job in world.engine.jobs(10_000) {
        let id: JobId = job.id;
        let deliveries = world.deliveries.get(&id.to_string()).copied().unwrap_or(0);
        assert!(deliveries <= 1, "{id} was sent {deliveries} times");
        match job.state {
            "completed" | "aborted" | "canceled" => {
                assert!(!world.snapshot.reservations.contains_key(&id), "{id} ended and still holds pages");
                let paid = world.settled.get(&id).map_or(0, |(pages, _)| *pages);
                assert_eq!(Some(paid), job.pages_settled, "{id} shows what was settled");
                if honest {
                    let printed = world.paper.get(&id.to_string()).copied().unwrap_or(0);
                    assert_eq!(paid, printed, "{id} paid for what came out");
                }
            }
            "needs-checking" => {
                assert!(world.snapshot.reservations.contains_key(&id), "{id} needs checking and holds no pages");
                open.insert(id);
            }
            state => panic!("{id} is still {state}"),
        }
        if let Some(row) = world.rows.get(&id) {
            let agrees = match &row.stage {
                JobStage::Ended { .. } => job.state != "needs-checking",
                JobStage::NeedsChecking { .. } => job.state == "needs-checking",
                // Its last row was refused; a restart ends it as decided.
                JobStage::Settling { .. } => full && job.state != "needs-checking",
                JobStage::Held { .. } | JobStage::Reserving | JobStage::Forwarding { .. } => false,
            };
            assert!(agrees, "{id} is {} and its row says {:?}", job.state, row.stage);
        }
    }
    assert_eq!(
        open,
        world.snapshot.reservations.keys().copied().collect(),
        "pages are held for what needs checking alone"
    );
    for id in &world.reserved {
        assert!(world.settled.contains_key(id) != open.contains(id), "{id} is settled once or needs checking");
    }
    let account = account(&world.snapshot, member(), world.wall());
    let charged: i64 = world.settled.values().map(|(_, charged)| charged).sum();
    let held: i64 = world.snapshot.reservations.values().map(|reservation| reservation.charge_minor).sum();
    assert_eq!(account.credit_minor, CREDIT_MINOR - charged - held, "the account is the sum of the ledger");
    assert!(world.spool.is_empty(), "no document outlives its job");
}

fn seeds(count: u64, trouble: Trouble, crashes: bool, honest: bool) {
    for seed in 0..count {
        let checked = std::panic::catch_unwind(|| check(&run(seed, trouble, crashes), honest, trouble.storage > 0));
        if let Err(panic) = checked {
            eprintln!("seed {seed}, {trouble:?}, crashes {crashes}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn nothing_goes_wrong_where_nothing_goes_wrong() {
    seeds(50, Trouble::default(), false, true);
}

#[test]
fn printers_die_and_forget() {
    seeds(80, Trouble { printer: 6, slow: true, ..Trouble::default() }, false, true);
    seeds(80, Trouble { printer: 6, slow: true, only_print_job: true, ..Trouble::default() }, false, true);
}

#[test]
fn printers_lie() {
    seeds(80, Trouble { printer: 8, lies: 3, slow: true, ..Trouble::default() }, false, false);
}

#[test]
fn the_box_is_restarted_at_any_moment() {
    seeds(80, Trouble { slow: true, ..Trouble::default() }, true, true);
    seeds(80, Trouble { slow: true, only_print_job: true, ..Trouble::default() }, true, true);
}

#[test]
fn everything_at_once() {
    seeds(100, Trouble { printer: 8, lies: 5, storage: 6, slow: true, ..Trouble::default() }, true, false);
    seeds(
        100,
        Trouble { printer: 8, lies: 5, storage: 6, slow: true, only_print_job: true, ..Trouble::default() },
        true,
        false,
    );
}
