//! The demo of `make run`: the simulated peers set a box up, and the three commands that they print work as they stand.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::daemon::{Daemon, binary};

const SOON: Duration = Duration::from_secs(20);

/// Ended when the test is.
struct Peers(Child);

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a line of the screen in a shell, as a person does who pastes it.
fn paste(daemon: &Daemon, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(&daemon.data).env("HOME", &daemon.data).output();
    let output = output.expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{said}");
    said
}

#[test]
fn the_three_commands_on_the_screen_work_as_they_stand() {
    let daemon = Daemon::start("demo");
    let peers = binary().with_file_name("peers");
    let mut peers = Peers(
        Command::new(peers).arg(binary()).arg(&daemon.data).stdout(Stdio::piped()).spawn().expect("peers is built"),
    );
    // Kept until the end: peers that cannot write to their screen end.
    let mut stdout = BufReader::new(peers.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let screen: Vec<String> = stdout.by_ref().take_while(|line| !line.contains("Ctrl-C ends")).collect();
    let code = daemon.claim_code.as_ref().expect("a new box has a claim code");
    assert!(screen.iter().any(|line| line.contains(&format!("with the code {code}"))), "{screen:#?}");
    let line = |program: &str| {
        let found = screen.iter().find(|line| line.trim_start().starts_with(program));
        found.unwrap_or_else(|| panic!("no {program} in {screen:#?}")).trim().to_owned()
    };

    assert!(paste(&daemon, &line("eapol_test")).contains("MPPE keys OK: 1  mismatch: 0"));
    assert!(paste(&daemon, &line("ipptool")).contains("successful-ok"));
    paste(&daemon, &line("mosquitto_pub"));
    let ada = |noun: &'static str, outcome: &'static str| {
        daemon.wait_until(&format!("Ada's {noun}, {outcome}"), SOON, || {
            daemon.events().into_iter().find(|event| {
                event["noun"] == noun && event["outcome"] == outcome && event["member_name"] == "Ada Lindqvist"
            })
        })
    };
    ada("wifi", "allowed");
    ada("print", "allowed");
    ada("door", "allowed");
    daemon.wait_until("the pages are settled", SOON, || {
        let jobs = daemon.cli(&["print", "jobs"]);
        jobs["jobs"].as_array()?.iter().find(|job| job["state"] == "completed" && job["pages_settled"] == 2).cloned()
    });
}
