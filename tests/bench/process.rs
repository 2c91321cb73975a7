//! A server that is measured: started in the foreground, read from the kernel's accounts, ended by its own process id.

use nix::time::ClockId;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const LISTEN_MAX: Duration = Duration::from_secs(20);

pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it with its words in a file.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let out = File::create(log).expect("a log file");
        let err = out.try_clone().expect("a second handle");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")) }
    }

    pub const fn of(child: Child) -> Self {
        Self { child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of all its threads, ended ones included, in nanoseconds as the scheduler counts them.
    pub fn cpu(&self) -> Duration {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        let clock = ClockId::pid_cpu_clock_id(pid).expect("the process lives");
        Duration::from(clock.now().expect("its clock"))
    }

    /// The same of its ended children; counted in ticks of 10 ms.
    pub fn children_cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the process lives");
        let after_name = stat.rsplit(") ").next().expect("proc(5)");
        let ticks: u64 = after_name.split(' ').skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// VmRSS.
    pub fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    /// SIGTERM, and waits.
    pub fn stop(mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < LISTEN_MAX {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one of the scripts of this folder.
pub fn script(name: &str, arguments: &[&str]) {
    let path = support::daemon::source().join("tests/bench").join(name);
    let status = Command::new(&path).args(arguments).status().expect("a script that can be run");
    assert!(status.success(), "{name} {arguments:?}: {status}");
}

pub fn wait_for_tcp(port: u16) {
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(began.elapsed() < LISTEN_MAX, "nothing listens on port {port}");
        sleep(Duration::from_millis(20));
    }
}
