//! A program that a test starts beside the daemon, its output, and its end: by its own process id, whatever becomes of the test.
//! And one that is asked one thing and ends by itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an orderly end may take before there is another.
const END_MAX: Duration = Duration::from_secs(2);

/// Runs it to its end, with this on standard input; `package` is the Debian package that has it. Not for one that says much
/// before it has read all: both would wait.
pub fn run(mut command: Command, package: &str, input: &[u8]) -> Output {
    let mut child = spawn(command.stdin(Stdio::piped()), package);
    // One that does not read to the end may be gone already; what it says of that is in the output.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("our own child")
}

fn spawn(command: &mut Command, package: &str) -> Child {
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    spawned.unwrap_or_else(|error| {
        let name = command.get_program();
        panic!("{name:?} does not start ({error}): is the Debian package {package} installed?")
    })
}

/// Dropping it ends the program, in order if it can.
pub struct Program {
    name: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts it; `package` is the Debian package that has it.
    pub fn start(mut command: Command, package: &str) -> Self {
        let name = format!("{:?}", command.get_program());
        let mut child = spawn(command.stdin(Stdio::null()), package);
        let log = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().expect("piped"), Arc::clone(&log));
        collect(child.stderr.take().expect("piped"), Arc::clone(&log));
        Self { name, child, log }
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().map(|lines| lines.join("\n")).unwrap_or_default()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_some()
    }

    /// Waits until it says this; panics with its log when it does not, or ends.
    pub fn wait_for(&mut self, words: &str, max: Duration) {
        let began = Instant::now();
        while !self.log().contains(words) {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "{} ended ({ended:?}) and did not say `{words}`:\n{}", self.name, self.log());
            assert!(began.elapsed() < max, "{} did not say `{words}` within {max:?}:\n{}", self.name, self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The child is ours and was not waited for, so the id cannot be somebody else's by now.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < END_MAX && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.name, self.log());
        }
    }
}

/// Reads lines into the log until the program closes its end.
pub(crate) fn collect(stream: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Ok(mut lines) = log.lock() {
                lines.push(line);
            }
        }
    });
}
