//! The real `doorpost` binary, started on free ports in a fresh data folder, and its command line.

use crate::namespace::Namespace;
use crate::program::{self, collect};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// A debug build on a busy machine with 50 members of data is up in a tenth of this.
const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(15);
/// From a packet to its row in the history, or to the list of sessions.
const RECORDED_MAX: Duration = Duration::from_secs(15);

/// What the demo's access point shares with the box.
pub const SECRET: &str = "testing123";
/// The demo's box by the name in its certificate.
pub const SERVER_NAME: &str = "doorpost.harbour.example";

/// A running daemon. Dropping it kills it; [`Daemon::stop`] ends it gracefully. An ERROR line in its log fails the test.
pub struct Daemon {
    child: Child,
    pub data: PathBuf,
    pub site: PathBuf,
    pub listening: Listening,
    pub claim_code: Option<String>,
    log: Arc<Mutex<Vec<String>>>,
    folder: Option<Folder>,
    errors_expected: bool,
}

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    pub radius_auth: SocketAddr,
    pub radius_acct: SocketAddr,
    pub radsec: SocketAddr,
    pub ipp: SocketAddr,
    pub mqtt: SocketAddr,
    pub mqtt_plain: SocketAddr,
    pub https: SocketAddr,
}

/// A temporary folder that goes with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new folder with this word in its name.
    pub fn new(word: &str) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("doorpost-{word}-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder in the temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("DOORPOST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The binary under test: `DOORPOST_BIN`, else beside the test's own binary.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("DOORPOST_BIN") {
        return PathBuf::from(path);
    }
    let mut path = std::env::current_exe().expect("the test has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("doorpost");
    assert!(path.exists(), "{} is not built: cargo build -p agentd", path.display());
    path
}

/// The top of the source tree.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the source tree").to_owned()
}

/// configs/demo.yaml with ports that are free now, the printer at `upstream` (host:port) and Disconnect-Requests to
/// `coa_port`.
pub fn demo_site(upstream: Option<SocketAddr>, coa_port: Option<u16>) -> String {
    let mut text = fs::read_to_string(source().join("configs/demo.yaml")).expect("configs/demo.yaml");
    // Port 0 lets the kernel choose; the daemon says in listening.json what it got.
    for (from, to) in [
        ("0.0.0.0:1812", "127.0.0.1:0"),
        ("0.0.0.0:1813", "127.0.0.1:0"),
        ("0.0.0.0:2083", "127.0.0.1:0"),
        ("0.0.0.0:8631", "127.0.0.1:0"),
        ("0.0.0.0:8883", "127.0.0.1:0"),
        ("127.0.0.1:1883", "127.0.0.1:0"),
        ("0.0.0.0:8443", "127.0.0.1:0"),
    ] {
        assert!(text.contains(from), "configs/demo.yaml has no {from}");
        text = text.replace(from, to);
    }
    if let Some(upstream) = upstream {
        text = text.replace("127.0.0.1:8701", &upstream.to_string());
    }
    if let Some(port) = coa_port {
        text = text.replace("coa_port: 3799", &format!("coa_port: {port}"));
    }
    text
}

/// A site whose `weekdays` are a day that is neither today nor near it.
pub fn closed(site: &str) -> String {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]; // 1970 began on a Thursday
    let far = days[usize::try_from((since_1970 / 86_400 + 3) % 7).expect("a small number")];
    assert!(site.contains("days: mon-fri"));
    site.replace("days: mon-fri", &format!("days: {far}"))
}

/// A UDP port that nobody uses now.
pub fn free_udp_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// A TCP port that nobody uses now.
pub fn free_tcp_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a free port").port()
}

impl Daemon {
    /// Starts on the demo site in a folder of its own.
    pub fn start(word: &str) -> Self {
        Self::start_with(word, &demo_site(None, None))
    }

    /// Starts on this site file in a folder of its own.
    pub fn start_with(word: &str, site: &str) -> Self {
        let folder = Folder::new(word);
        let (site_file, data) = (folder.0.join("site.yaml"), folder.0.join("data"));
        fs::write(&site_file, site).expect("the site file");
        let mut daemon = Self::launch(&site_file, &data);
        daemon.folder = Some(folder);
        daemon
    }

    /// Starts on files that stand somewhere; waits until it is ready.
    pub fn launch(site: &Path, data: &Path) -> Self {
        Self::try_launch(site, data).unwrap_or_else(|log| panic!("the daemon did not start:\n{log}"))
    }

    /// As [`Daemon::launch`], inside a network namespace.
    pub fn launch_within(namespace: &Namespace, site: &Path, data: &Path) -> Self {
        let started = Self::try_launch_by(namespace.command(&binary()), site, data);
        started.unwrap_or_else(|log| panic!("the daemon did not start:\n{log}"))
    }

    /// As [`Daemon::launch`], with the log as the error.
    pub fn try_launch(site: &Path, data: &Path) -> Result<Self, String> {
        Self::try_launch_by(Command::new(binary()), site, data)
    }

    fn try_launch_by(mut program: Command, site: &Path, data: &Path) -> Result<Self, String> {
        let _ = fs::remove_file(data.join("listening.json")); // of a run that was killed
        let mut child = program
            .args(["run", "--site"])
            .arg(site)
            .arg("--data")
            .arg(data)
            .env("DOORPOST_LOG", std::env::var("DOORPOST_LOG").unwrap_or_else(|_| "info".into()))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().expect("piped"), Arc::clone(&log));
        collect(child.stderr.take().expect("piped"), Arc::clone(&log));
        let began = Instant::now();
        loop {
            let text = || log.lock().map(|lines| lines.join("\n")).unwrap_or_default();
            if let Some(status) = child.try_wait().expect("our own child") {
                std::thread::yield_now();
                return Err(format!("{status}\n{}", text()));
            }
            if text().contains(" is up: https://") {
                break;
            }
            if began.elapsed() > START_MAX {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("not ready after {START_MAX:?}\n{}", text()));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let listening = read_listening(&data.join("listening.json"));
        let claim_code = fs::read_to_string(data.join("claim-code")).ok().map(|code| code.trim().to_owned());
        Ok(Self {
            child,
            data: data.to_owned(),
            site: site.to_owned(),
            listening,
            claim_code,
            log,
            folder: None,
            errors_expected: false,
        })
    }

    /// The log so far, standard output included.
    pub fn log(&self) -> String {
        self.log.lock().map(|lines| lines.join("\n")).unwrap_or_default()
    }

    /// This test provokes ERROR lines on purpose.
    pub fn expect_errors(&mut self) {
        self.errors_expected = true;
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `doorpost ARGS --json` against this daemon: the answer, or the exit code and what was said.
    pub fn try_cli(&self, args: &[&str]) -> Result<Value, (i32, String)> {
        self.try_cli_with(args, "")
    }

    /// As [`Daemon::try_cli`], with standard input.
    pub fn try_cli_with(&self, args: &[&str], stdin: &str) -> Result<Value, (i32, String)> {
        let mut command = Command::new(binary());
        command.args(args).arg("--json").env("DOORPOST_DATA", &self.data);
        let output = program::run(command, "doorpost", stdin.as_bytes());
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null));
        }
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err((output.status.code().unwrap_or(-1), said))
    }

    /// As [`Daemon::try_cli`] where refusal is a failure of the test.
    pub fn cli(&self, args: &[&str]) -> Value {
        self.try_cli(args)
            .unwrap_or_else(|(code, said)| panic!("doorpost {args:?} exited {code}: {said}\n{}", self.log()))
    }

    /// Adds a member and returns its id.
    pub fn add_member(&self, name: &str, plan: &str, team: Option<&str>) -> String {
        let email = format!("{}@example.org", name.to_lowercase().replace(' ', "."));
        let mut args = vec!["member", "add", "--name", name, "--email", &email, "--plan", plan];
        if let Some(team) = team {
            args.extend(["--team", team]);
        }
        self.cli(&args)["id"].as_str().expect("an id").to_owned()
    }

    /// Issues a Wi-Fi key: user name and key.
    pub fn issue_wifi_key(&self, member: &str) -> (String, String) {
        let issued = self.cli(&["wifi", "issue", member]);
        let text = |key: &str| issued[key].as_str().expect("text").to_owned();
        (text("username"), text("password"))
    }

    /// Events, newest first.
    pub fn events(&self) -> Vec<Value> {
        self.cli(&["events", "--limit", "500"])["events"].as_array().cloned().unwrap_or_default()
    }

    /// The newest event of this code, waited for: a row follows what it tells of.
    pub fn wait_for_event(&self, code: &str) -> Value {
        self.wait_until(code, RECORDED_MAX, || self.events().into_iter().find(|event| event["code"] == code))
    }

    /// What `doorpost why MEMBER wifi` tells first of the past, once it is of this code.
    pub fn wait_for_why(&self, member: &str, code: &str) -> Value {
        self.wait_until(code, RECORDED_MAX, || {
            let told = self.cli(&["why", member, "wifi"]);
            told["past"].as_array().and_then(|past| past.first()).filter(|row| row["code"] == code).cloned()
        })
    }

    /// The Wi-Fi sessions, open and admitted.
    pub fn wifi_sessions(&self) -> Vec<Value> {
        self.cli(&["wifi", "sessions"])["sessions"].as_array().cloned().expect("a list")
    }

    /// The Wi-Fi sessions, once they are as wanted.
    pub fn wait_for_wifi_sessions(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.wait_until(what, RECORDED_MAX, || Some(self.wifi_sessions()).filter(|sessions| is_so(sessions)))
    }

    /// Waits until something is so, looking every few milliseconds; panics with the log when it does not come to be.
    pub fn wait_until<T>(&self, what: &str, max: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(began.elapsed() < max, "waited {max:?} for {what}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        let status = self.wait_for_end();
        assert!(status.success(), "the daemon ended with {status} (signal {:?})\n{}", status.signal(), self.log());
        status
    }

    /// SIGKILL at this very moment, as a power cut would; the folder stays for the next start.
    pub fn kill(mut self) -> Killed {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Killed { site: self.site.clone(), data: self.data.clone(), folder: self.folder.take() }
    }

    fn terminate(&self) {
        // The child is ours and was not waited for, so the id cannot be somebody else's by now.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
    }

    fn wait_for_end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(began.elapsed() < STOP_MAX, "the daemon does not stop\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon ---\n{}", self.log());
        } else if !self.errors_expected {
            let log = self.log();
            let errors: Vec<&str> =
                log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked at")).collect();
            assert!(errors.is_empty(), "the daemon logged errors:\n{}", errors.join("\n"));
        }
    }
}

/// What is left of a daemon that was killed.
pub struct Killed {
    pub site: PathBuf,
    pub data: PathBuf,
    folder: Option<Folder>,
}

impl Killed {
    /// Starts again on the same folder.
    pub fn start(mut self) -> Daemon {
        let mut daemon = Daemon::launch(&self.site, &self.data);
        daemon.folder = self.folder.take();
        daemon
    }
}

fn read_listening(file: &Path) -> Listening {
    let value: Value = serde_json::from_slice(&fs::read(file).expect("listening.json")).expect("JSON");
    let address = |key: &str| {
        value[key]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("listening.json has no {key}: {value}"))
    };
    Listening {
        radius_auth: address("radius_auth"),
        radius_acct: address("radius_acct"),
        radsec: address("radsec"),
        ipp: address("ipp"),
        mqtt: address("mqtt"),
        mqtt_plain: address("mqtt_plain"),
        https: address("https"),
    }
}
