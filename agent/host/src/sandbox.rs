//! A process that keeps nothing but its standard streams: for code that reads what strangers wrote. One way: after
//! [`enter`] there is no way back but the end of the process.
//!
//! Three layers, each enough against a different slip: resource limits (a bomb ends itself), Landlock (no file, no port, as
//! far as the kernel has it), and a seccomp filter (any call that is not on the list kills the process at once).

use landlock::{ABI, Access, AccessFs, AccessNet, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// The newest Landlock this program knows how to ask for (Linux 6.15); older kernels enforce what they can.
const LANDLOCK_ABI: ABI = ABI::V7;

/// What the process may write where standard output is a file.
const ANSWER_MAX_BYTES: u64 = 64 * 1024;

/// What the process may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Everything mapped, the program itself included.
    pub address_space_bytes: u64,
    /// Processor time; the process is killed when it is used up.
    pub cpu_s: u64,
}

/// How much of Landlock the kernel enforces. The seccomp filter holds in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    Full,
    Partial,
    /// The kernel has none.
    Absent,
}

impl Landlock {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Absent => "absent",
        }
    }
}

/// The sandbox could not be entered; nothing foreign may be read. The fault is local: a kernel without seccomp, or a
/// service manager that forbids the calls.
#[derive(Debug)]
pub struct SandboxFault {
    pub step: &'static str,
    pub cause: String,
}

impl std::fmt::Display for SandboxFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the sandbox cannot be entered: {}: {}", self.step, self.cause)
    }
}

impl std::error::Error for SandboxFault {}

fn at<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> SandboxFault {
    move |cause| SandboxFault { step, cause: cause.to_string() }
}

/// Gives up every right of the calling thread but to read standard input, to write standard output and error, and to use
/// memory within the limits. Call it before a second thread exists: seccomp and Landlock bind the calling thread.
pub fn enter(limits: &Limits) -> Result<Landlock, SandboxFault> {
    nix::sys::prctl::set_dumpable(false).map_err(at("dumpable"))?;
    nix::sys::prctl::set_no_new_privs().map_err(at("no_new_privs"))?;
    let landlock = restrict_files_and_ports()?; // opens a descriptor, so before the limits
    limit(limits)?;
    let program = filter().map_err(at("filter"))?;
    seccompiler::apply_filter(&program).map_err(at("seccomp"))?;
    Ok(landlock)
}

fn limit(limits: &Limits) -> Result<(), SandboxFault> {
    // Standard streams stay; nothing can be opened behind them. No core holds a document.
    let list = [
        (Resource::RLIMIT_AS, limits.address_space_bytes),
        (Resource::RLIMIT_CPU, limits.cpu_s),
        (Resource::RLIMIT_NOFILE, 3),
        (Resource::RLIMIT_FSIZE, ANSWER_MAX_BYTES),
        (Resource::RLIMIT_CORE, 0),
    ];
    for (resource, most) in list {
        setrlimit(resource, most, most).map_err(at("limits"))?;
    }
    Ok(())
}

/// Handles every right that the kernel knows and grants none.
fn restrict_files_and_ports() -> Result<Landlock, SandboxFault> {
    let status = Ruleset::default()
        .set_compatibility(landlock::CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK_ABI))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(LANDLOCK_ABI)))
        .and_then(|rules| rules.scope(Scope::from_all(LANDLOCK_ABI)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(at("landlock"))?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::Absent,
    })
}

/// What is left of the kernel's calls: streams, memory that cannot be executed, and the end.
fn filter() -> Result<BpfProgram, seccompiler::Error> {
    let only =
        |argument: u8, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let without = |argument: u8, bits: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), 0)
    };
    let with = |argument: u8, bits: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), bits)
    };
    let exec = libc::PROT_EXEC as u64;
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    calls.insert(libc::SYS_read, vec![SeccompRule::new(vec![only(0, 0)?])?]);
    calls.insert(libc::SYS_write, vec![SeccompRule::new(vec![only(0, 1)?])?, SeccompRule::new(vec![only(0, 2)?])?]);
    let anonymous = vec![without(2, exec)?, with(3, libc::MAP_ANONYMOUS as u64)?];
    calls.insert(libc::SYS_mmap, vec![SeccompRule::new(anonymous)?]);
    calls.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![without(2, exec)?])?]);
    let free = [
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_sched_yield,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    calls.extend(free.map(|call| (call, vec![])));
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    //! Each act is tried in a process of its own: this test program, run again for one ignored test.

    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    const LIMITS: Limits = Limits { address_space_bytes: 512 * 1024 * 1024, cpu_s: 1 };

    fn inside(act: &str) -> ExitStatus {
        let program = std::env::current_exe().expect("the test program knows itself");
        let child = format!("sandbox::tests::{act}");
        let mut command = Command::new(program);
        command.args([child.as_str(), "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command.env("DOORPOST_SANDBOX_CHILD", "1").status().expect("the child runs")
    }

    /// Ends with `code` when the sandbox let the act pass.
    fn act(attempt: impl FnOnce() -> bool) {
        if std::env::var_os("DOORPOST_SANDBOX_CHILD").is_none() {
            return;
        }
        let landlock = enter(&LIMITS);
        assert!(landlock.is_ok(), "{landlock:?}");
        let passed = attempt();
        std::process::exit(if passed { 77 } else { 78 });
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn computes() {
        act(|| (0..1_000_000_u64).collect::<Vec<_>>().iter().sum::<u64>() > 0);
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn opens_a_file() {
        act(|| std::fs::File::open("/etc/hostname").is_ok());
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn connects() {
        act(|| std::net::TcpStream::connect(("127.0.0.1", 9)).is_ok());
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn starts_a_program() {
        act(|| Command::new("/bin/true").status().is_ok());
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn takes_all_memory() {
        act(|| {
            let mut kept = Vec::new();
            for _ in 0..2_048 {
                kept.push(vec![1_u8; 1024 * 1024]);
            }
            !kept.is_empty()
        });
    }

    #[test]
    #[ignore = "a child of the test below"]
    fn never_ends() {
        act(|| {
            let mut number = 1_u64;
            loop {
                number = std::hint::black_box(number.wrapping_mul(3));
                if number == 0 {
                    return true;
                }
            }
        });
    }

    #[test]
    fn nothing_is_left_but_computing() {
        assert_eq!(inside("computes").code(), Some(77));
        for denied in ["opens_a_file", "connects", "starts_a_program"] {
            assert_eq!(inside(denied).signal(), Some(libc::SIGSYS), "{denied}");
        }
    }

    #[test]
    fn a_bomb_ends_itself() {
        assert_ne!(inside("takes_all_memory").code(), Some(77));
        assert!(matches!(inside("never_ends").signal(), Some(libc::SIGKILL | libc::SIGXCPU)));
    }
}
