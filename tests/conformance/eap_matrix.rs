//! The matrix: what devices do at the Wi-Fi and what comes of it, each row run with eapol_test (wpa_supplicant's own EAP peer)
//! against one running box. A row states method, TLS, sizes of fragments, the person and the outcome; checked are the last
//! word of the judge, the keys of both sides, the VLAN, and the code that the box's record tells.
//!
//! docs/conformance.md is made from it. When it differs, `DOORPOST_WRITE_DOCS=1 cargo test -p tests --test eap_matrix` writes it.

#[path = "eap_matrix/cases.rs"]
mod cases;
#[path = "eap_matrix/judge.rs"]
mod judge;
#[path = "eap_matrix/people.rs"]
mod people;
#[path = "eap_matrix/table.rs"]
mod table;

use cases::{Again, Case, Expected, cases};
use judge::{box_fragments_max, largest_packet, mac, run, tail};
use people::People;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::daemon::{Daemon, closed, demo_site, source};
use support::eapol_test::Judged;

/// Processes of the judge at one time: most of a case is the start of OpenSSL and a dozen exchanges on loopback.
const AT_ONCE: usize = 3;
/// A device that fell silent is written about some seconds later.
const RECORDED_MAX: Duration = Duration::from_secs(20);

/// The demo site, closed today, with room for all devices of the matrix, and a plan for each refusal that is a plan's.
fn site() -> String {
    let site = closed(&demo_site(None, None));
    let roomy = site.replace("wifi: {network: members, devices: 5}", "wifi: {network: members, devices: 100}");
    assert_ne!(roomy, site, "configs/demo.yaml has another plan `resident` by now");
    roomy + "  desk:\n    wifi: {network: members, devices: 1}\n  mailbox:\n    title: Mailbox\n"
}

#[test]
fn every_row_of_the_matrix_comes_out_as_it_must_and_the_table_says_so() {
    let daemon = Daemon::start_with("eap-matrix", &site());
    let people = People::of(&daemon);
    let cases = cases();
    assert!(cases.len() >= 40, "the matrix has {} rows", cases.len());
    let judged = judge_all(&daemon, &people, &cases);
    let told = records(&daemon, &cases);
    let fault = |(n, case)| fault(n, case, &judged[n], &told[n]);
    let faults: Vec<String> = cases.iter().enumerate().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {} rows:\n{}", faults.len(), cases.len(), faults.join("\n"));
    table::check(&source().join("docs/conformance.md"), &cases);
}

fn judge_all(daemon: &Daemon, people: &People, cases: &[Case]) -> Vec<Judged> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..cases.len()).collect());
    let done: Mutex<Vec<Option<Judged>>> = Mutex::new(cases.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(n) = { queue.lock().expect("no case panics with it").pop_front() } {
                    let judged = run(daemon, people, n, &cases[n]);
                    done.lock().expect("no case panics with it")[n] = Some(judged);
                }
            });
        }
    });
    let done = done.into_inner().expect("no case panics with it");
    done.into_iter().map(|judged| judged.expect("every case was run")).collect()
}

/// What is wrong with a row, if anything is.
fn fault(n: usize, case: &Case, judged: &Judged, told: &[Value]) -> Option<String> {
    let wrong = check_judge(case, judged).or_else(|| check_records(case, told)).or_else(|| check_pieces(case, judged));
    wrong.map(|what| format!("row {}: {case}\n  {what}\n  the box tells: {told:?}\n{}", n + 1, tail(judged)))
}

fn check_judge(case: &Case, judged: &Judged) -> Option<String> {
    let Expected::In { vlan, .. } = case.expected else {
        let has_keys = !judged.text.contains("MPPE keys OK: 0");
        return (judged.success || has_keys).then(|| "the device was let in, or got keys".to_owned());
    };
    if !judged.success {
        Some("the device was not let in".to_owned())
    } else if !judged.keys_agree(logins(case)) {
        Some(format!("the keys of both sides do not agree after {} logins", logins(case)))
    } else if judged.vlan() != Some(vlan) {
        Some(format!("VLAN {:?} instead of {vlan}", judged.vlan()))
    } else if judged.is_resumed() != (case.again == Again::Resumed) {
        Some(format!("the device has resumed: {}", judged.is_resumed()))
    } else {
        None
    }
}

/// The newest record stands first.
fn check_records(case: &Case, told: &[Value]) -> Option<String> {
    let code = match case.expected {
        Expected::In { .. } => "wifi-admitted",
        Expected::Refused(code) => code,
    };
    if told.len() != logins(case) {
        return Some(format!("{} records", told.len()));
    }
    if told.iter().any(|event| event["code"] != code) {
        return Some(format!("not the code `{code}`"));
    }
    let Expected::In { method, .. } = case.expected else { return None };
    let methods: Vec<&str> = told.iter().filter_map(|event| event["facts"]["method"].as_str()).collect();
    let resumed: Vec<bool> = methods.iter().map(|method| method.ends_with(", resumed")).collect();
    let expected = match case.again {
        Again::No => vec![false],
        Again::Resumed => vec![true, false],
        Again::InFull => vec![false, false],
    };
    if methods.iter().any(|told| !told.starts_with(method)) {
        Some(format!("not the method `{method}`"))
    } else if resumed != expected {
        Some(format!("the box resumed, newest first: {resumed:?}"))
    } else {
        None
    }
}

/// The box keeps to the access point's Framed-MTU, which EAPOL's header of 4 bytes shares.
fn check_pieces(case: &Case, judged: &Judged) -> Option<String> {
    let mtu = usize::from(case.framed_mtu?);
    let largest = largest_packet(judged);
    (largest > box_fragments_max(mtu)).then(|| format!("an EAP packet of {largest} bytes under a Framed-MTU of {mtu}"))
}

/// What the box wrote down about the device of each row, waited for.
fn records(daemon: &Daemon, cases: &[Case]) -> Vec<Vec<Value>> {
    let began = Instant::now();
    loop {
        let events = daemon.events();
        let of = |n: usize| events.iter().filter(|event| event["personal"]["mac"] == mac(n)).cloned().collect();
        let told: Vec<Vec<Value>> = (0..cases.len()).map(of).collect();
        let is_complete = told.iter().zip(cases).all(|(told, case)| told.len() >= logins(case));
        if is_complete || began.elapsed() > RECORDED_MAX {
            return told;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn logins(case: &Case) -> usize {
    if case.again == Again::No { 1 } else { 2 }
}
