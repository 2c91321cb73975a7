//! Doors of the real binary: opened for mosquitto's clients and for a simulated Shelly and reader over TLS, refused and written
//! down where they must be, and never pulsed twice for one badge, whatever is killed in between.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::daemon::{Daemon, closed, demo_site};
use support::mqtt_client::Account;
use support::reader::Reader;
use support::relay::{Behaviour, Relay};

const SOON: Duration = Duration::from_secs(20);
const BADGE: &str = "04A1B2C3";

/// A daemon with a resident who has a badge, a relay and a reader.
struct House {
    daemon: Daemon,
    member: String,
    relay: Account,
    reader: Account,
}

impl House {
    fn start(word: &str) -> Self {
        Self::start_with(word, &demo_site(None, None))
    }

    fn start_with(word: &str, site: &str) -> Self {
        let daemon = Daemon::start_with(word, site);
        let member = daemon.add_member("Mara Holm", "resident", None);
        daemon.cli(&["badge", "add", &member, BADGE]);
        let relay = Account::issued(&daemon, "relay-street", "shelly-gen2");
        let reader = Account::issued(&daemon, "reader-street", "reader");
        Self { daemon, member, relay, reader }
    }

    /// As after a power cut.
    fn killed_and_started(self) -> Self {
        Self { daemon: self.daemon.kill().start(), ..self }
    }

    /// Over TLS, where the daemon listens now.
    fn account(&self, of: &Account) -> Account {
        Account { address: self.daemon.listening.mqtt, ..of.clone() }
    }

    fn plain(&self, of: &Account) -> Account {
        Account { address: self.daemon.listening.mqtt_plain, tls: None, ..of.clone() }
    }

    /// Waits for rows with this code.
    fn events(&self, code: &str, count: usize) -> Vec<Value> {
        self.daemon.wait_until(&format!("{count} rows of {code}"), SOON, || {
            let rows = events_of(&self.daemon, code);
            (rows.len() >= count).then_some(rows)
        })
    }

    fn last(&self) -> Value {
        self.daemon.cli(&["door", "list"])["doors"][0]["last"].clone()
    }

    fn mosquitto(&self, program: &str, of: &Account, arguments: &[&str]) -> Command {
        // Debian's stdbuf, or what mosquitto_sub says would lie in its buffer.
        let mut command = Command::new("stdbuf");
        command
            .args(["-oL", program])
            .args([
                "-h",
                "localhost",
                "-p",
                &self.daemon.listening.mqtt.port().to_string(),
                "-V",
                "mqttv311",
                "--cafile",
            ])
            .arg(self.daemon.data.join("pki/ca.pem"))
            .args(["-i", &of.device, "-u", &of.device, "-P", &of.password])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn mosquitto_pub(&self, of: &Account, arguments: &[&str]) -> Output {
        self.mosquitto("mosquitto_pub", of, arguments)
            .output()
            .expect("mosquitto_pub is installed (Debian package mosquitto-clients)")
    }

    fn show_by_mosquitto(&self, uid: &str, qos: &str) {
        let badge = format!(r#"{{"uid":"{uid}"}}"#);
        let output = self.mosquitto_pub(&self.reader, &["-t", "readers/reader-street/badge", "-m", &badge, "-q", qos]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn events_of(daemon: &Daemon, code: &str) -> Vec<Value> {
    daemon.events().into_iter().filter(|event| event["code"] == code).collect()
}

/// mosquitto_sub with what it prints, line by line.
struct Subscriber {
    child: Child,
    lines: Receiver<String>,
}

impl Subscriber {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("mosquitto_sub is installed (Debian package mosquitto-clients)");
        let (sender, lines) = channel();
        let out = child.stdout.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = sender.send(line); // the test is over
            }
        });
        let subscriber = Self { child, lines };
        subscriber.wait_for("Subscribed (mid");
        subscriber
    }

    fn wait_for(&self, part: &str) -> String {
        let began = Instant::now();
        loop {
            let left = SOON.checked_sub(began.elapsed()).unwrap_or_default();
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("mosquitto_sub never said {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Everything it said since.
    fn rest(mut self) -> Vec<String> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.lines.iter().collect()
    }
}

#[test]
fn a_badge_over_tls_opens_the_simulated_relay_once() {
    let house = House::start("door-badge");
    let relay = Relay::connected(house.account(&house.relay));
    let reader = Reader::connected(house.account(&house.reader));
    let listed = &house.daemon.cli(&["door", "list"])["doors"][0];
    assert_eq!(
        (&listed["relay"]["connected"], &listed["readers"][0]["connected"]),
        (&Value::Bool(true), &Value::Bool(true))
    );

    let answer = reader.try_badge(BADGE);
    assert_eq!((answer["granted"].as_bool(), answer["reason"].as_str()), (Some(true), Some("door-opened")));
    assert_eq!((relay.pulses().len(), relay.is_on()), (1, true));
    let opened = &house.events("door-opened", 1)[0];
    assert_eq!((opened["member"].as_str(), opened["place"].as_str()), (Some(house.member.as_str()), Some("street")));
    assert_eq!(house.last()["outcome"], "opened");

    relay.wait_until("the relay is off again", |relay| !relay.is_on());
    assert_eq!((relay.pulses().len(), relay.count("Switch.Set")), (1, 1));

    // The operator too, and over the plain listener of this machine.
    drop(relay);
    let relay = Relay::connected(house.plain(&house.relay));
    assert_eq!(house.daemon.cli(&["door", "open", "street"])["outcome"], "opened");
    assert_eq!(relay.pulses().len(), 1);
    house.daemon.stop();
}

#[test]
fn mosquitto_as_reader_and_relay_sees_the_command_once() {
    let house = House::start("door-mosquitto");
    let subscriber = Subscriber::start(house.mosquitto(
        "mosquitto_sub",
        &house.relay,
        &["-q", "1", "-v", "-d", "-t", "relay-street/#"],
    ));
    house.show_by_mosquitto(BADGE, "1");
    // mosquitto_sub takes the probe (PUBACK) and answers no command, so nobody may claim that the door opened.
    let command = subscriber.wait_for("Switch.Set");
    assert!(command.contains(r#""on":true"#) && command.contains(r#""toggle_after":3"#), "{command}");
    let unknown = &house.events("door-unconfirmed", 1)[0];
    assert_eq!(unknown["sentence"], "The relay could not confirm; try the door.");
    // It was cut off, comes back, and hears of the next badge only: a question first, then a command of its own.
    subscriber.wait_for("Subscribed (mid");
    house.show_by_mosquitto(BADGE, "1");
    assert!(subscriber.wait_for("\"method\":\"Switch.").contains("Switch.GetStatus"));
    let next = subscriber.wait_for("\"method\":\"Switch.");
    assert!(next.contains("Switch.Set") && next != command, "{next}");
    assert!(!subscriber.rest().iter().any(|line| line.contains("Switch.Set")));
}

#[test]
fn every_qos_of_mosquitto_pub_is_taken_once() {
    let house = House::start("door-qos");
    let relay = Relay::connected(house.account(&house.relay));
    for (count, qos) in ["0", "1", "2"].iter().enumerate() {
        house.show_by_mosquitto(BADGE, qos);
        house.events("door-opened", count + 1);
        relay.wait_until("the relay is off again", |relay| relay.pulses().len() == count + 1 && !relay.is_on());
    }
}

#[test]
fn refused_badges_send_nothing_and_say_why() {
    let house = House::start_with("door-refused", &closed(&demo_site(None, None)));
    let flex = house.daemon.add_member("Nils Berg", "flex", None);
    house.daemon.cli(&["badge", "add", &flex, "04000002"]);
    let relay = Relay::connected(house.account(&house.relay));
    let reader = Reader::connected(house.account(&house.reader));
    for (uid, reason, member) in [
        ("04FFFFFF", "unknown-badge", None),
        ("04000002", "outside-hours", Some(flex.as_str())),
        ("zz", "badge-invalid", None),
    ] {
        let answer = reader.try_badge(uid);
        assert_eq!((answer["granted"].as_bool(), answer["reason"].as_str()), (Some(false), Some(reason)), "{uid}");
        let event = &house.events(reason, 1)[0];
        assert_eq!((event["outcome"].as_str(), event["member"].as_str()), (Some("refused"), member), "{event}");
    }
    assert!(relay.calls().is_empty());
    let why = house.daemon.cli(&["why", &flex, "door", "street"]);
    assert_eq!((why["now"]["allowed"].as_bool(), why["now"]["code"].as_str()), (Some(false), Some("outside-hours")));
}

#[test]
fn a_suspended_members_badge_is_refused_until_resumed() {
    let house = House::start("door-suspended");
    let _relay = Relay::connected(house.account(&house.relay));
    let reader = Reader::connected(house.account(&house.reader));
    house.daemon.cli(&["member", "suspend", &house.member]);
    assert_eq!(reader.try_badge(BADGE)["reason"], "member-suspended");
    house.daemon.cli(&["member", "resume", &house.member]);
    assert_eq!(reader.try_badge(BADGE)["granted"], true);
}

#[test]
fn foreign_topics_retained_commands_and_impostors_are_refused_and_written_down() {
    let house = House::start("door-foreign");
    let relay = Relay::connected(house.account(&house.relay));
    let stranger = Account::issued(&house.daemon, "reader-studio", "reader");
    let command = r#"{"id":1,"src":"x","method":"Switch.Set","params":{"id":0,"on":true}}"#;

    house.mosquitto_pub(&stranger, &["-t", "relay-street/rpc", "-m", command, "-q", "1"]);
    house.mosquitto_pub(&stranger, &["-t", "readers/reader-street/badge", "-m", r#"{"uid":"04A1B2C3"}"#]);
    let foreign = house.events("topic-not-allowed", 2);
    assert!(foreign.iter().all(|event| event["place"] == "reader-studio" && event["outcome"] == "refused"));

    house.mosquitto_pub(&stranger, &["-t", "relay-street/rpc", "-m", command, "-r", "-q", "1"]);
    let retained = &house.events("retained-command", 1)[0];
    assert_eq!(
        (&retained["place"], &retained["facts"]["topic"]),
        (&Value::from("reader-studio"), &Value::from("relay-street/rpc"))
    );
    // Nothing was kept: a relay that subscribes anew hears nothing.
    drop(relay);
    let relay = Relay::connected(house.account(&house.relay));

    let listens = house
        .mosquitto("mosquitto_sub", &stranger, &["-t", "relay-street/rpc", "-t", "#", "-W", "2"])
        .output()
        .expect("installed");
    assert!(
        String::from_utf8_lossy(&listens.stderr).contains("denied"),
        "{}",
        String::from_utf8_lossy(&listens.stderr)
    );
    house.events("subscription-not-allowed", 2);

    let wrong = Account { password: "guess".into(), ..house.reader.clone() };
    let said = house.mosquitto_pub(&wrong, &["-t", "readers/reader-street/badge", "-m", "{}"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("bad user name or password"), "{said:?}");
    house.events("wrong-device-password", 1);
    let nobody = Account { device: "nobody".into(), ..wrong };
    assert!(!house.mosquitto_pub(&nobody, &["-t", "a", "-m", "b"]).status.success());
    house.events("unknown-device-name", 1);
    let renamed = house
        .mosquitto("mosquitto_pub", &house.reader, &["-i", "relay-street", "-t", "a", "-m", "b"])
        .output()
        .expect("installed");
    assert!(String::from_utf8_lossy(&renamed.stderr).contains("identifier rejected"), "{renamed:?}");
    house.events("device-name-mismatch", 1);
    assert!(relay.calls().is_empty() && relay.pulses().is_empty());
}

#[test]
fn absent_silent_and_refusing_relays_are_said_to_be_so() {
    let house = House::start("door-failing");
    let (code, said) = house.daemon.try_cli(&["door", "open", "street"]).expect_err("there is no relay");
    assert!(code == 1 && said.contains("not connected"), "{code} {said}");
    let relay = Relay::connected(house.account(&house.relay));
    // Nothing was queued for it.
    assert!(relay.calls().is_empty());
    relay.behave(Behaviour::Silent);
    assert!(house.daemon.try_cli(&["door", "open", "street"]).is_err());
    assert_eq!(house.last()["outcome"], "failed");
    relay.behave(Behaviour::Refuses);
    assert!(house.daemon.try_cli(&["door", "open", "street"]).is_err());
    house.events("relay-absent", 1);
    house.events("relay-silent", 1);
    house.events("relay-refused", 1);
    assert!(relay.pulses().is_empty());
    relay.behave(Behaviour::DiesAfterCommand);
    assert!(house.daemon.try_cli(&["door", "open", "street"]).is_err());
    assert_eq!((house.last()["outcome"].as_str(), relay.pulses().len()), (Some("unknown"), 1));
    relay.behave(Behaviour::Well);
    relay.wait_until("the relay is back", |relay| relay.connections() == 2 && relay.is_connected());
    assert_eq!(house.daemon.cli(&["door", "open", "street"])["outcome"], "opened");
    assert_eq!(relay.pulses().len(), 2);
}

#[test]
fn a_kill_before_the_command_replays_nothing() {
    killed_while(Behaviour::Late(Duration::from_millis(700)), "Switch.GetStatus", 0);
}

#[test]
fn a_kill_between_command_and_answer_replays_nothing() {
    killed_while(Behaviour::Mute, "Switch.Set", 1);
}

/// Kills the daemon once the relay has heard this call and the intent is on the disk, starts it again and lets the relay come
/// back.
fn killed_while(behaviour: Behaviour, heard: &str, pulses: usize) {
    let house = House::start("door-killed");
    let relay = Relay::connected(house.account(&house.relay));
    let reader = Reader::connected(house.account(&house.reader));
    relay.behave(behaviour);
    reader.show(BADGE);
    relay.wait_until("the call was heard", |relay| relay.count(heard) == 1);
    let ring = house.daemon.data.join("intents.ring");
    house.daemon.wait_until("the intent is written down", SOON, || {
        let bytes = std::fs::read(&ring).expect("the ring");
        bytes.windows(6).any(|part| part == b"street").then_some(())
    });

    let house = house.killed_and_started();
    let after = Relay::connected(house.account(&house.relay));
    let unknown = &house.events("door-unconfirmed", 1)[0];
    assert_eq!(
        (unknown["member"].as_str(), unknown["facts"]["outcome"].as_str()),
        (Some(house.member.as_str()), Some("unknown"))
    );
    assert_eq!(house.last()["outcome"], "unknown");
    // The next opening is the only one that the relay hears of, until long after.
    assert!(after.calls().is_empty(), "{:?}", after.calls());
    assert_eq!(house.daemon.cli(&["door", "open", "street"])["outcome"], "opened");
    after.wait_until("the relay is off again", |relay| !relay.is_on());
    assert_eq!((after.count("Switch.Set"), after.pulses().len(), relay.pulses().len()), (1, 1, pulses));

    // What was told once is not told again.
    drop(after);
    let house = house.killed_and_started();
    assert_eq!(events_of(&house.daemon, "door-unconfirmed").len(), 1);
}

#[test]
fn a_removed_device_is_cut_off() {
    let house = House::start("door-removed");
    let relay = Relay::connected(house.account(&house.relay));
    house.daemon.cli(&["device", "remove", "relay-street"]);
    relay.wait_until("the relay is cut off", |relay| !relay.is_connected());
    assert!(house.daemon.try_cli(&["door", "open", "street"]).is_err());
    house.events("unknown-device-name", 1);
}

#[test]
fn connections_that_say_nothing_or_nonsense_are_ended() {
    let house = House::start("door-nonsense");
    let (tls, plain) = (house.daemon.listening.mqtt, house.daemon.listening.mqtt_plain);
    let began = Instant::now();
    let mut idle = [TcpStream::connect(tls).expect("it listens"), TcpStream::connect(plain).expect("it listens")];
    let mut nonsense = TcpStream::connect(plain).expect("it listens");
    nonsense.write_all(&[0xc0, 0]).expect("room"); // PINGREQ before CONNECT
    assert_ended(&mut nonsense);
    assert!(began.elapsed() < Duration::from_secs(4));
    idle.iter_mut().for_each(assert_ended);
    assert!(began.elapsed() > Duration::from_secs(4), "they have 5 s");
    // And nobody else was kept waiting by them.
    let _relay = Relay::connected(house.account(&house.relay));
}

fn assert_ended(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(SOON)).expect("an open socket");
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest).map_err(|error| error.kind());
    assert!(matches!(end, Ok(_) | Err(std::io::ErrorKind::ConnectionReset)), "{end:?}");
}
