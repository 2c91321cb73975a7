//! Network namespaces that a test makes and takes away again: hosts of their own, with their own addresses and ports, joined by
//! virtual cables.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// One host. Dropping it takes it away with everything that is plugged into it.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A host with a loopback interface; its name has `word` in it.
    pub fn new(word: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}-{word}", std::process::id());
        ip(&["netns", "add", &name]);
        let namespace = Self { name };
        namespace.up("lo");
        namespace
    }

    /// A program that runs there.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Gives an interface an address such as `10.0.0.1/30`.
    pub fn address(&self, interface: &str, address: &str) {
        ip(&["-n", &self.name, "address", "add", address, "dev", interface]);
    }

    /// Joins an interface here to one there, both new and up.
    pub fn join(&self, here: &str, other: &Self, there: &str) {
        let peer = ["type", "veth", "peer", "name", there, "netns", &other.name];
        ip(&[&["-n", &self.name, "link", "add", here][..], &peer[..]].concat());
        self.up(here);
        other.up(there);
    }

    fn up(&self, interface: &str) {
        ip(&["-n", &self.name, "link", "set", interface, "up"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

const PREFIX: &str = "doorpost-";

/// Takes away what a test that was killed has left.
fn sweep() {
    let Ok(namespaces) = std::fs::read_dir("/run/netns") else { return };
    for name in namespaces.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).output();
        }
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output();
    let output =
        output.unwrap_or_else(|error| panic!("ip does not start ({error}): is the Debian package iproute2 installed?"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {args:?}: {said}\nNetwork namespaces take root: run this test as root.");
}
