//! Owns what systemd/ promises: how exposed the service is, and that what must stand in the unit stands there.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Tenths, as `systemd-analyze security --threshold` takes them: 2.0.
const EXPOSURE_TENTHS_MAX: &str = "20";

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/doorpost.service")
}

#[test]
fn exposure_is_at_most_two() {
    let result = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_TENTHS_MAX])
        .arg(unit())
        .env("SYSTEMD_COLORS", "0")
        .output();
    let Ok(output) = result else {
        eprintln!("systemd-analyze is not on this machine; `make test` installs it");
        return;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("ignoring"), "systemd does not understand a line:\n{said}");
    assert!(output.status.success(), "exposure is over 2.0:\n{said}");
    assert!(said.contains("Overall exposure level for doorpost.service"), "{said}");
}

#[test]
fn the_unit_says_what_it_must() {
    let text = std::fs::read_to_string(unit()).expect("the unit is there");
    let lines: Vec<&str> = text.lines().collect();
    for needed in [
        "Type=notify",
        "WatchdogSec=30",
        // The exit codes of the command line's contract that starting again cannot mend.
        "RestartPreventExitStatus=2 78",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "LimitCORE=0",
        "StateDirectory=doorpost",
        "ExecStart=/usr/bin/doorpost run --site /etc/doorpost/site.yaml --data /var/lib/doorpost",
    ] {
        assert!(lines.contains(&needed), "doorpost.service lacks `{needed}`");
    }
}
