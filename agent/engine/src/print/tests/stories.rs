//! One job after the other, each for one promise.

use super::world::{INCLUDED_PAGES, Trouble, World, member};
use crate::print::{Input, JobCommand, MEMBER_JOBS_MAX, Reply};
use policy::print::{CountedBy, JobStage};
use policy::{Command, Reason};
use proto::ipp::{Attribute, JobState, OperationId, StatusCode, Value};
use std::time::Duration;
use values::JobId;

const MINUTE: Duration = Duration::from_secs(60);

fn quiet(printer_counts: bool) -> World {
    let mut world = World::new(1, printer_counts, Trouble::default());
    world.drain();
    world
}

fn only_job(world: &World) -> JobId {
    let jobs = world.engine.jobs(10);
    assert_eq!(jobs.len(), 1);
    jobs[0].id
}

fn state(world: &World, job: JobId) -> &'static str {
    world.engine.job(job).expect("it is remembered").state
}

fn ended(world: &World, job: JobId) -> (u32, Option<CountedBy>, i64) {
    match &world.rows.get(&job).expect("its row").stage {
        JobStage::Ended { pages, by, charged_minor, .. } => (*pages, *by, *charged_minor),
        stage => panic!("{stage:?}"),
    }
}

#[test]
fn a_job_is_printed_and_settled_by_the_counter() {
    let mut world = quiet(true);
    let token = world.print_job(20);
    world.run(MINUTE);
    assert_eq!(world.status(token), Some(StatusCode::SuccessfulOk));
    let job = only_job(&world);
    assert_eq!(ended(&world, job), (20, Some(CountedBy::Counter), 0));
    assert_eq!(world.settled.get(&job), Some(&(20, 0)));
    assert_eq!(world.paper.values().sum::<u32>(), 20);
    assert!(world.spool.is_empty(), "the document is deleted at settlement");
}

#[test]
fn a_printer_that_does_not_count_settles_by_estimate() {
    let mut world = quiet(false);
    world.print_job(7);
    world.run(MINUTE);
    assert_eq!(ended(&world, only_job(&world)), (7, Some(CountedBy::Estimate), 0));
}

#[test]
fn a_printer_that_never_counted_is_known_by_it_and_one_that_did_is_asked_about() {
    let mut world = quiet(true);
    world.trouble.counts_nothing = true;
    world.print_job(7);
    world.run(MINUTE);
    assert_eq!(ended(&world, only_job(&world)), (7, Some(CountedBy::Estimate), 0));
    world.trouble.counts_nothing = false;
    world.print_job(3);
    world.run(MINUTE);
    world.trouble.counts_nothing = true;
    world.print_job(2);
    world.run(MINUTE);
    let states: Vec<_> = world.engine.jobs(2).iter().map(|job| (job.state, job.counted_by)).collect();
    assert_eq!(states, [("needs-checking", None), ("completed", Some(CountedBy::Counter))]);
    world.crash();
    world.print_job(2);
    world.run(MINUTE);
    assert_eq!(world.engine.jobs(1)[0].state, "needs-checking", "a restart does not forget it");
}

#[test]
fn a_printer_that_knows_print_job_only_is_served_too() {
    let mut world = World::new(3, true, Trouble { only_print_job: true, ..Trouble::default() });
    world.drain();
    world.print_job(7);
    world.run(MINUTE);
    assert_eq!(ended(&world, only_job(&world)), (7, Some(CountedBy::Counter), 0));
}

#[test]
fn over_quota_is_accepted_held_and_released_by_credit() {
    let mut world = quiet(true);
    let token = world.print_job(INCLUDED_PAGES + 5);
    world.run(MINUTE);
    assert_eq!(world.status(token), Some(StatusCode::SuccessfulOk));
    assert_eq!(world.job_attribute(token, "job-state"), Some(Value::Enum(JobState::PendingHeld.code())));
    assert_eq!(world.job_attribute(token, "job-state-reasons"), Some(Value::keyword("account-limit-reached")));
    let job = only_job(&world);
    assert_eq!(state(&world, job), "held");
    assert!(world.deliveries.is_empty() && world.reserved.is_empty());

    let refused = world.operate(JobCommand::Release { job });
    assert!(matches!(world.answers[&refused], Err(Reason::AccountLimitReached { short_minor: 50, .. })));

    world.change(Command::CreditPrint { member: member(), amount_minor: 50 });
    world.run(MINUTE);
    assert_eq!(ended(&world, job), (25, Some(CountedBy::Counter), 50));
}

#[test]
fn releasing_twice_is_no_error_and_prints_once() {
    let mut world = quiet(true);
    let hold = Attribute::new("job-hold-until", Value::keyword("indefinite"));
    let token = world.request(OperationId::PrintJob, Vec::new(), vec![hold]);
    world.run(MINUTE);
    assert_eq!(world.job_attribute(token, "job-state-reasons"), Some(Value::keyword("job-hold-until-specified")));
    let job = only_job(&world);
    for _ in 0..2 {
        let token = world.operate(JobCommand::Release { job });
        world.run(Duration::from_millis(100));
        assert_eq!(world.answers[&token], Ok(()));
    }
    world.run(MINUTE);
    assert_eq!(state(&world, job), "completed");
    assert_eq!(world.deliveries.values().copied().collect::<Vec<_>>(), [1]);
    let late = world.operate(JobCommand::Release { job });
    assert!(matches!(world.answers[&late], Err(Reason::JobState { .. })));
}

#[test]
fn a_suspended_member_is_refused_and_resumed() {
    let mut world = quiet(true);
    world.print_job(INCLUDED_PAGES + 1);
    world.run(MINUTE);
    let job = only_job(&world);
    world.change(Command::SuspendMember { member: member() });
    world.change(Command::CreditPrint { member: member(), amount_minor: 1_000 });
    world.run(MINUTE);
    assert_eq!(state(&world, job), "held");
    let refused = world.operate(JobCommand::Release { job });
    assert!(matches!(world.answers[&refused], Err(Reason::MemberSuspended { .. })));
    let new = world.print_job(1);
    world.run(MINUTE);
    assert_eq!(world.status(new), Some(StatusCode::ClientErrorForbidden));

    world.change(Command::ResumeMember { member: member() });
    world.run(MINUTE);
    assert_eq!(state(&world, job), "completed");
}

#[test]
fn credentials_are_taken_over_tls_only() {
    let mut world = quiet(true);
    let plain = world.request_from(OperationId::ValidateJob, Vec::new(), Vec::new(), false, None);
    assert!(matches!(world.replies[&plain], Reply::UpgradeRequired));
    let nobody = world.request_from(OperationId::ValidateJob, Vec::new(), Vec::new(), true, None);
    assert!(matches!(world.replies[&nobody], Reply::Unauthenticated));
    let wrong = world.request_from(OperationId::ValidateJob, Vec::new(), Vec::new(), true, Some(8));
    assert!(matches!(world.replies[&wrong], Reply::Unauthenticated));
    assert!(world.records.iter().any(|record| record.code == "wrong-key" && record.member == Some(member())));
    let right = world.request_from(OperationId::ValidateJob, Vec::new(), Vec::new(), true, Some(7));
    assert_eq!(world.status(right), Some(StatusCode::SuccessfulOk));
    for tls in [false, true] {
        let anyone = world.request_from(OperationId::GetPrinterAttributes, Vec::new(), Vec::new(), tls, None);
        assert_eq!(world.status(anyone), Some(StatusCode::SuccessfulOk), "a queue is shown to everyone");
    }
}

#[test]
fn a_member_cannot_leave_more_than_her_share() {
    let mut world = quiet(true);
    let hold = || vec![Attribute::new("job-hold-until", Value::keyword("indefinite"))];
    for _ in 0..MEMBER_JOBS_MAX {
        let token = world.request(OperationId::PrintJob, Vec::new(), hold());
        world.run(Duration::from_secs(1));
        assert_eq!(world.status(token), Some(StatusCode::SuccessfulOk));
    }
    let token = world.request(OperationId::PrintJob, Vec::new(), hold());
    assert_eq!(world.status(token), Some(StatusCode::ServerErrorTemporaryError));
}

#[test]
fn a_job_that_nobody_released_goes_after_a_day() {
    let mut world = quiet(true);
    world.print_job(INCLUDED_PAGES + 1);
    world.run(Duration::from_secs(25 * 60 * 60));
    let job = only_job(&world);
    assert_eq!(state(&world, job), "aborted");
    assert!(world.spool.is_empty());
}

#[test]
fn a_job_without_a_document_is_closed() {
    let mut world = quiet(true);
    let token = world.request(OperationId::CreateJob, Vec::new(), Vec::new());
    assert_eq!(world.status(token), Some(StatusCode::SuccessfulOk));
    world.run(5 * MINUTE);
    assert_eq!(state(&world, only_job(&world)), "aborted");
}

#[test]
fn create_job_and_send_document_make_one_job() {
    let mut world = quiet(true);
    let token = world.request(OperationId::CreateJob, Vec::new(), Vec::new());
    let Some(Value::Integer(number)) = world.job_attribute(token, "job-id") else { panic!("no job-id") };
    let which = || {
        vec![Attribute::new("job-id", Value::Integer(number)), Attribute::new("last-document", Value::Boolean(true))]
    };
    let sent = world.request(OperationId::SendDocument, which(), Vec::new());
    world.run(MINUTE);
    assert_eq!(world.status(sent), Some(StatusCode::SuccessfulOk));
    assert_eq!(state(&world, only_job(&world)), "completed");
    let again = world.request(OperationId::SendDocument, which(), Vec::new());
    assert_eq!(
        world.status(again),
        Some(StatusCode::ClientErrorNotPossible),
        "a second document would be a second price"
    );
}

#[test]
fn copies_are_priced() {
    let mut world = quiet(true);
    let copies = Attribute::new("copies", Value::Integer(3));
    let token = world.request(OperationId::PrintJob, Vec::new(), vec![copies]);
    world.run(Duration::from_secs(1));
    assert_eq!(world.status(token), Some(StatusCode::SuccessfulOk));
    assert_eq!(world.engine.job(only_job(&world)).expect("it is there").pages, Some(3));
}

#[test]
fn a_canceled_job_is_void_before_and_asked_of_the_printer_after() {
    let mut world = quiet(true);
    world.print_job(INCLUDED_PAGES + 1);
    world.run(MINUTE);
    let job = only_job(&world);
    let token = world.operate(JobCommand::Cancel { job });
    world.run(MINUTE);
    assert_eq!(world.answers[&token], Ok(()));
    assert_eq!(state(&world, job), "canceled");
    assert!(world.deliveries.is_empty());
}

#[test]
fn an_operator_settles_what_needs_checking() {
    let mut world = World::new(1, true, Trouble { lies: 1, ..Trouble::default() });
    world.drain();
    world.print_job(6);
    world.run_until(10 * MINUTE, |world| world.engine.jobs(1).first().is_some_and(|job| job.state == "needs-checking"));
    let job = only_job(&world);
    if state(&world, job) != "needs-checking" {
        return; // this lie was a believable one
    }
    let too_many = world.operate(JobCommand::Settle { job, pages: 7 });
    assert!(matches!(world.answers[&too_many], Err(Reason::Invalid { .. })));
    let token = world.operate(JobCommand::Settle { job, pages: 4 });
    world.run(MINUTE);
    assert_eq!(world.answers[&token], Ok(()));
    assert_eq!(world.settled[&job].0, 4);
    let again = world.operate(JobCommand::Settle { job, pages: 4 });
    assert!(matches!(world.answers[&again], Err(Reason::JobState { .. })));
}

#[test]
fn a_full_disk_refuses_and_promises_nothing() {
    let mut world = quiet(true);
    let token = world.print_job(1);
    let job = only_job(&world);
    world.pending.clear();
    world.feed(Input::SpoolFailed { job, failure: crate::print::SpoolFailure::DiskFull });
    assert_eq!(world.status(token), Some(StatusCode::ServerErrorTemporaryError));
    assert!(world.engine.jobs(10).is_empty() && world.rows.is_empty());
}

#[test]
fn what_is_asked_of_the_printer_survives_a_restart() {
    use proto::ipp::{Media, MediaSize, PageRange, Sides, Ticket};
    let ticket = Ticket {
        copies: 3,
        sides: Some(Sides::TwoSidedLongEdge),
        media: Some(Media {
            size: MediaSize::A4,
            media_type: Some("stationery".into()),
            source: None,
            borderless: false,
        }),
        page_ranges: vec![PageRange { first: 2, last: 5 }],
        quality: Some(4),
        ..Ticket::default()
    };
    assert_eq!(crate::print::ticket::load(&crate::print::ticket::save(&ticket)), Some(ticket));
    assert_eq!(crate::print::ticket::load("{}"), None);
}
