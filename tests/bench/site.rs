//! The site that is measured: 5,000 members, each with a Wi-Fi key and a badge, one printer, forty doors.

use crate::http::Http;
use crate::process::Running;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const MEMBERS: usize = 5_000;
/// The first of them, all of them at most; their keys are kept.
pub const DEVICES: usize = 1_000;
/// Some of those who may print, and some whose every job is held.
pub const PRINTING: usize = 40;
/// A relay is left alone for more than a second between two swipes, since a second badge within one joins the first.
pub const DOORS: usize = 40;
/// The API's connections while members are added.
const LOADERS: usize = 8;
const START_MAX: Duration = Duration::from_secs(60);

/// Fewer by BENCH_MEMBERS, for a quick look that does not touch the page.
pub fn members() -> usize {
    let wanted = std::env::var("BENCH_MEMBERS").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(MEMBERS).next_multiple_of(LOADERS)
}

/// The site file, with ports that the kernel chooses.
pub fn site_file(printer: SocketAddr) -> String {
    let names = |word: &str| (0..DOORS).map(|n| format!("{word}-{n}")).collect::<Vec<_>>();
    let doors: String = names("door")
        .iter()
        .enumerate()
        .map(|(n, door)| {
            format!("  {door}: {{relay: {{device: relay-{n}, profile: shelly-gen2, pulse_ms: 1000}}, readers: [reader-{n}]}}\n")
        })
        .collect();
    let all_doors = names("door").join(", ");
    format!(
        "site: {{name: Measured Works, realm: harbour.example, time_zone: Europe/Copenhagen, clock: always}}
listen:
  radius_auth: 127.0.0.1:0
  radius_acct: 127.0.0.1:0
  ipp: 127.0.0.1:0
  mqtt: 127.0.0.1:0
  mqtt_plain: 127.0.0.1:0
  https: 127.0.0.1:0
networks:
  members: {{vlan: 10, vlan_tested: true}}
access_points:
  lobby: {{address: 127.0.0.1, secret: testing123}}
printers:
  front: {{upstream: \"ipp://{printer}/ipp/print\"}}
doors:
{doors}plans:
  resident:
    wifi: {{network: members, devices: 5}}
    print: {{pages: 100000}}
    doors: [{{doors: [{all_doors}]}}]
  broke:
    wifi: {{network: members, devices: 5}}
    print: {{pages: 0, page_price: 1.00}}
    doors: [{{doors: [{all_doors}]}}]
"
    )
}

pub struct Name {
    pub username: String,
    pub password: String,
}

/// What the measurements need to know of the people.
#[derive(Default)]
pub struct People {
    pub wifi: Vec<Name>,
    pub badges: Vec<String>,
    pub printing: Vec<Name>,
    pub broke: Vec<Name>,
    pub readers: Vec<Name>,
    pub relays: Vec<Name>,
    /// Commits a second while they were added.
    pub commits_per_second: f64,
}

pub struct Doorpost {
    pub running: Running,
    pub data: PathBuf,
    listening: Value,
    pub ready_after: Duration,
}

impl Doorpost {
    /// Starts it and waits until it says that it is up. `cores` confines it by taskset.
    pub fn start(folder: &Path, cores: Option<&str>) -> Self {
        let binary = support::daemon::binary();
        let mut command = match cores {
            None => Command::new(&binary),
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cores]).arg(&binary);
                command
            }
        };
        let data = folder.join("data");
        let log = fs::File::create(folder.join("doorpost.log")).expect("a log file");
        command.args(["run", "--site"]).arg(folder.join("site.yaml")).arg("--data").arg(&data);
        command.env_remove("NOTIFY_SOCKET").env_remove("JOURNAL_STREAM").env_remove("DOORPOST_LOG");
        let began = Instant::now();
        #[expect(
            clippy::zombie_processes,
            reason = "a daemon that does not start ends the measurement, and so its parent"
        )]
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.contains(" is up: https://") {
                let ready_after = began.elapsed();
                std::thread::spawn(move || lines.for_each(drop));
                let listening = fs::read(data.join("listening.json")).expect("listening.json");
                let listening = serde_json::from_slice(&listening).expect("JSON");
                return Self { running: Running::of(child), data, listening, ready_after };
            }
            assert!(began.elapsed() < START_MAX, "the daemon is not up after {START_MAX:?}");
        }
        panic!("the daemon did not start: see {}", folder.join("doorpost.log").display());
    }

    pub fn address(&self, what: &str) -> SocketAddr {
        let text = self.listening[what].as_str().unwrap_or_else(|| panic!("listening.json has no {what}"));
        text.parse().expect("an address")
    }

    pub fn console(&self) -> Console {
        let stream = UnixStream::connect(self.data.join("doorpost.sock")).expect("the unix socket");
        Console { http: Http::over(stream) }
    }

    pub fn stop(self) {
        self.running.stop();
    }
}

/// The API on the unix socket.
pub struct Console {
    http: Http<UnixStream>,
}

impl Console {
    pub fn post(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) =
            self.http.post(path, "Content-Type: application/json\r\n", body.to_string().as_bytes()).expect("an answer");
        assert!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    pub fn get(&mut self, path: &str) -> Value {
        let (status, answer) = self.http.get(path).expect("an answer");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).expect("JSON")
    }

    fn issue(&mut self, path: &str) -> Name {
        named(&self.post(path, &json!({})))
    }
}

fn named(issued: &Value) -> Name {
    let text = |key: &str| issued[key].as_str().unwrap_or_else(|| panic!("no {key}: {issued}")).to_owned();
    Name { username: text("username"), password: text("password") }
}

/// Adds everybody and everything.
pub fn populate(doorpost: &Doorpost) -> People {
    let began = Instant::now();
    let share = members() / LOADERS;
    let mut people = std::thread::scope(|scope| {
        let loaders: Vec<_> =
            (0..LOADERS).map(|n| scope.spawn(move || load(doorpost, n * share..(n + 1) * share))).collect();
        let mut all = People::default();
        for loader in loaders {
            let part = loader.join().expect("members can be added");
            all.wifi.extend(part.wifi);
            all.badges.extend(part.badges);
            all.printing.extend(part.printing);
            all.broke.extend(part.broke);
        }
        all
    });
    people.commits_per_second = (members() * 3) as f64 / began.elapsed().as_secs_f64();
    let mut console = doorpost.console();
    for n in 0..DOORS {
        people.relays.push(named(
            &console.post("/api/devices", &json!({"name": format!("relay-{n}"), "profile": "shelly-gen2"})),
        ));
        people
            .readers
            .push(named(&console.post("/api/devices", &json!({"name": format!("reader-{n}"), "profile": "reader"}))));
    }
    people
}

fn load(doorpost: &Doorpost, range: std::ops::Range<usize>) -> People {
    let mut console = doorpost.console();
    let mut people = People::default();
    for n in range {
        let broke = n >= members() - PRINTING;
        let plan = if broke { "broke" } else { "resident" };
        let member = json!({"name": format!("Member {n}"), "email": format!("member.{n}@example.org"), "plan": plan});
        let id = console.post("/api/members", &member)["id"].as_str().expect("an id").to_owned();
        let key = console.issue(&format!("/api/members/{id}/wifi-keys"));
        let uid = format!("04{n:06X}");
        console.post(&format!("/api/members/{id}/badges"), &json!({"uid": uid}));
        if n < DEVICES {
            people.wifi.push(key);
            people.badges.push(uid);
        }
        if broke {
            people.broke.push(console.issue(&format!("/api/members/{id}/print-token")));
        } else if n < PRINTING {
            people.printing.push(console.issue(&format!("/api/members/{id}/print-token")));
        }
    }
    people
}
