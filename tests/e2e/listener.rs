//! The listeners of the real binary when the machine has no more descriptors to give: nobody spins, nobody gives up, and who came
//! meanwhile is served as soon as there are some.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use support::daemon::Daemon;
use support::program;

const SOON: Duration = Duration::from_secs(20);
/// A listener rests for 100 ms between two tries.
const TRIES_A_SECOND: usize = 10;
const NAMES: [&str; 5] = ["HTTPS", "IPP", "MQTT", "RadSec", "the unix socket"];

/// Sets the soft limit of what the daemon may have open; what it has open stays.
fn limit_descriptors(daemon: &Daemon, most: u32) {
    let mut command = Command::new("prlimit");
    command.arg(format!("--pid={}", daemon.pid())).arg(format!("--nofile={most}:"));
    let output = program::run(command, "util-linux", b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn refusals(daemon: &Daemon, name: &str) -> usize {
    daemon.log().matches(&format!("{name} did not accept a connection")).count()
}

#[test]
fn listeners_without_descriptors_rest_and_then_serve_whoever_has_waited() {
    let mut daemon = Daemon::start("listener-descriptors");
    daemon.expect_errors(); // other parts may want a descriptor too
    let listening = daemon.listening;
    let socket = daemon.data.join("doorpost.sock");
    limit_descriptors(&daemon, 3);
    let began = Instant::now();
    let mut waiting = [listening.https, listening.ipp, listening.mqtt, listening.radsec]
        .map(|address| TcpStream::connect(address).expect("the kernel takes it"));
    let mut console = UnixStream::connect(socket).expect("the kernel takes it");
    for name in NAMES {
        daemon.wait_until(&format!("three refusals of {name}"), SOON, || (refusals(&daemon, name) >= 3).then_some(()));
    }
    let tries = usize::try_from(began.elapsed().as_secs() + 1).expect("seconds") * TRIES_A_SECOND;
    for name in NAMES {
        assert!(refusals(&daemon, name) <= tries, "{name} spins: {} tries", refusals(&daemon, name));
    }

    limit_descriptors(&daemon, 1_024);
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    console.write_all(request).expect("it is open");
    let mut answer = String::new();
    console.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // No TLS begins like this: each of them is heard, and told so or closed.
    for (name, stream) in NAMES.iter().zip(&mut waiting) {
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        stream.write_all(request).expect("it is open");
        let end = stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert!(matches!(end, Ok(_) | Err(std::io::ErrorKind::ConnectionReset)), "{name}: {end:?}");
    }
    let before = NAMES.map(|name| refusals(&daemon, name));
    daemon.cli(&["status"]);
    assert_eq!(NAMES.map(|name| refusals(&daemon, name)), before, "nobody is refused any more");
}
