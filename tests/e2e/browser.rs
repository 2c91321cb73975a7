//! The operator's walk through the web UI: the real daemon, a simulated relay and reader at the street door, and Chromium driven by
//! tests/browser/walk.mjs, which says what is walked and what counts as a fault.
//!
//! It wants Node, Chromium, `npm ci` in tests/browser and a built UI, so it runs by `npm test` there (a step of `make test`) and
//! not with every `cargo test`. The screenshots stay in target/artefacts/browser.

use std::process::Command;
use support::daemon::{Daemon, source};
use support::mqtt_client::Account;
use support::reader::Reader;
use support::relay::Relay;

#[test]
#[ignore = "wants Node, Chromium and a built UI; npm test in tests/browser runs it"]
fn an_operator_walks_from_the_claim_code_to_an_open_door() {
    let daemon = Daemon::start("browser");
    let relay = Relay::connected(Account::issued(&daemon, "relay-street", "shelly-gen2"));
    let _reader = Reader::connected(Account::issued(&daemon, "reader-street", "reader"));
    let artefacts = source().join("target/artefacts/browser");

    let walked = Command::new("node")
        .arg("walk.mjs")
        .current_dir(source().join("tests/browser"))
        .env("DOORPOST_URL", format!("https://{}", daemon.listening.https))
        .env("DOORPOST_CLAIM_CODE", daemon.claim_code.as_deref().expect("a new box shows a code"))
        .env("DOORPOST_ARTEFACTS", &artefacts)
        .status()
        .expect("node is installed");

    assert!(walked.success(), "the walk failed, see above; screenshots in {}", artefacts.display());
    // Both presses opened the door, as the walk has seen in the history. The second falls into the first pulse: it is a command of its
    // own that prolongs it or, within a second, joins the first.
    assert!((1..=2).contains(&relay.count("Switch.Set")), "{} commands for two presses", relay.count("Switch.Set"));
    daemon.stop();
}
