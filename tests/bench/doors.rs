//! Badges: from the reader's message to the relay's command, over plain loopback sockets. The same client, message for message,
//! drives Doorpost, and Mosquitto with a subscriber that answers every badge with a call to the relay.

use crate::page::{self, Row};
use crate::process::{Running, script, wait_for_tcp};
use crate::site::{DOORS, Doorpost, Name, People};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// Swipes at each, and in how many turns.
const TURNS: usize = 10;
const SWIPES_A_TURN: usize = 100;
/// Between two swipes at one door: a second badge within a second joins the first and has no command of its own. After the pulse
/// of a second and a half more, the relay would be asked whether it is off.
const SAME_DOOR: Duration = Duration::from_millis(1_200);
const PATIENCE: Duration = Duration::from_secs(3);
const KEEP_ALIVE_S: u16 = 60;

/// MQTT 3.1.1, QoS 0, as much as a small device speaks.
struct Mqtt {
    stream: TcpStream,
    buffer: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
    out.extend(text.bytes());
}

impl Mqtt {
    /// Connects from an address of its own: a server may bound what comes from one.
    async fn connect(server: SocketAddr, n: usize, client_id: &str, login: Option<&Name>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let own = Ipv4Addr::new(127, 0, 1, u8::try_from(n + 1).expect("few doors"));
        socket.bind((own, 0).into())?;
        let stream = socket.connect(server).await?.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut mqtt = Self { stream, buffer: Vec::new() };
        let mut connect = Vec::new();
        text(&mut connect, "MQTT");
        connect.extend([4, if login.is_some() { 0b1100_0010 } else { 0b10 }]);
        connect.extend(KEEP_ALIVE_S.to_be_bytes());
        text(&mut connect, client_id);
        if let Some(login) = login {
            text(&mut connect, &login.username);
            text(&mut connect, &login.password);
        }
        mqtt.send(0x10, &connect)?;
        let (kind, answer) = mqtt.packet()?;
        assert!(kind == 0x20 && answer == [0, 0], "{client_id}: CONNACK {answer:?}");
        Ok(mqtt)
    }

    fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        let mut body = vec![0, 1];
        text(&mut body, filter);
        body.push(0);
        self.send(0x82, &body)?;
        let (kind, answer) = self.packet()?;
        assert!(kind == 0x90 && answer == [0, 1, 0], "SUBACK {answer:?} for {filter}");
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: &[u8]) -> io::Result<()> {
        let mut body = Vec::new();
        text(&mut body, topic);
        body.extend(payload);
        self.send(0x30, &body)
    }

    /// The next message: its topic and payload.
    fn message(&mut self) -> io::Result<(String, Vec<u8>)> {
        let (kind, body) = self.packet()?;
        Ok(published(kind, &body))
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let mut out = vec![kind];
        let mut left = body.len();
        loop {
            let low = u8::try_from(left % 128).expect("seven bits");
            left /= 128;
            out.push(if left > 0 { low | 0x80 } else { low });
            if left == 0 {
                break;
            }
        }
        out.extend(body);
        self.stream.write_all(&out)
    }

    fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            if let Some((head, length)) = header(&self.buffer)
                && self.buffer.len() >= head + length
            {
                let kind = self.buffer[0];
                let body = self.buffer[head..head + length].to_vec();
                self.buffer.drain(..head + length);
                return Ok((kind, body));
            }
            let mut chunk = [0; 4_096];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.buffer.extend(&chunk[..length]),
            }
        }
    }
}

fn published(kind: u8, body: &[u8]) -> (String, Vec<u8>) {
    assert_eq!(kind & 0xf0, 0x30, "a PUBLISH");
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    // A packet identifier stands between topic and payload when the sender chose QoS 1.
    let payload_at = 2 + length + if kind & 0b110 == 0 { 0 } else { 2 };
    (String::from_utf8_lossy(&body[2..2 + length]).into_owned(), body[payload_at..].to_vec())
}

/// Length of the fixed header, and of what follows it.
fn header(buffer: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (n, byte) in buffer.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((n + 2, length));
        }
    }
    None
}

struct Pair {
    n: usize,
    reader: Mqtt,
    relay: Mqtt,
    swiped_at: Option<Instant>,
}

impl Pair {
    async fn connect(server: SocketAddr, n: usize, logins: Option<(&Name, &Name)>) -> Self {
        let (reader, relay) = (format!("reader-{n}"), format!("relay-{n}"));
        let reader =
            Mqtt::connect(server, n, &reader, logins.map(|(reader, _)| reader)).await.expect("the reader is let in");
        let mut relay_mqtt =
            Mqtt::connect(server, n, &relay, logins.map(|(_, relay)| relay)).await.expect("the relay is let in");
        relay_mqtt.subscribe(&format!("{relay}/rpc")).expect("a subscription");
        Self { n, reader, relay: relay_mqtt, swiped_at: None }
    }

    fn call(&mut self) -> (Instant, Value) {
        let (_, payload) = self.relay.message().expect("a call in time");
        let at = Instant::now();
        (at, serde_json::from_slice(&payload).expect("JSON"))
    }

    fn answer(&mut self, call: &Value, result: &Value) {
        let (topic, relay) = (format!("doorpost/relay-{}/rpc", self.n), format!("relay-{}", self.n));
        let frame = json!({"id": call["id"], "src": relay, "dst": call["src"], "result": result});
        self.relay.publish(&topic, frame.to_string().as_bytes()).expect("an answer");
    }

    fn status(&mut self, on: bool) {
        let status = json!({"id": 0, "source": "MQTT", "output": on}).to_string();
        self.relay.publish(&format!("relay-{}/status/switch:0", self.n), status.as_bytes()).expect("a status");
    }

    /// Waits until the door may be opened anew, says that the relay is off again, and answers when it was asked.
    fn close(&mut self) {
        let Some(last) = self.swiped_at else { return };
        sleep(SAME_DOOR.saturating_sub(last.elapsed()));
        self.status(false);
        self.relay.send(0xc0, &[]).expect("a ping");
        loop {
            let (kind, body) = self.relay.packet().expect("an answer");
            if kind == 0xd0 {
                return;
            }
            let call: Value = serde_json::from_slice(&published(kind, &body).1).expect("JSON");
            assert_eq!(call["method"], "Switch.GetStatus", "after the pulse");
            self.answer(&call, &json!({"id": 0, "output": false}));
        }
    }

    fn swipe(&mut self, badge: &str) -> Instant {
        let payload = format!("{{\"uid\":\"{badge}\"}}");
        let topic = format!("readers/reader-{}/badge", self.n);
        let at = Instant::now();
        self.swiped_at = Some(at);
        self.reader.publish(&topic, payload.as_bytes()).expect("a badge");
        at
    }

    /// At Doorpost: to the probe, and to the command.
    fn whole_swipe(&mut self, badge: &str) -> (Duration, Duration) {
        let began = self.swipe(badge);
        let (probed_at, probe) = self.call();
        assert_eq!(probe["method"], "Switch.GetStatus");
        self.answer(&probe, &json!({"id": 0, "output": false}));
        let (commanded_at, command) = self.call();
        assert_eq!(command["method"], "Switch.Set");
        self.answer(&command, &json!({"was_on": false}));
        self.status(true);
        (probed_at - began, commanded_at - began)
    }

    /// At Mosquitto: to the subscriber's call.
    fn answered_swipe(&mut self, badge: &str) -> Duration {
        let began = self.swipe(badge);
        self.call().0 - began
    }
}

/// The subscriber that answers: every badge with a call to the relay, nothing decided.
fn answer_badges(mut mqtt: Mqtt) {
    mqtt.subscribe("readers/+/badge").expect("a subscription");
    mqtt.stream.set_read_timeout(None).expect("a socket");
    while let Ok((topic, _)) = mqtt.message() {
        let n = topic.trim_start_matches("readers/reader-").trim_end_matches("/badge");
        let call = json!({"id": 1, "src": "doorpost/relay", "method": "Switch.Set", "params": {"id": 0, "on": true, "toggle_after": 1}});
        if mqtt.publish(&format!("relay-{n}/rpc"), call.to_string().as_bytes()).is_err() {
            return;
        }
    }
}

async fn pairs(server: SocketAddr, people: Option<&People>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for n in 0..DOORS {
        let logins = people.map(|people| (&people.readers[n], &people.relays[n]));
        pairs.push(Pair::connect(server, n, logins).await);
    }
    pairs
}

/// The p50 and the p99 in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1_000.0;
    (at(0.50), at(0.99))
}

pub fn measure(folder: &Path, doorpost: &Doorpost, people: &People, runtime: &tokio::runtime::Runtime) {
    let folder = folder.join("mosquitto");
    let port = support::daemon::free_tcp_port();
    script("mosquitto.sh", &[&folder.display().to_string(), &port.to_string()]);
    let broker =
        Running::start(Command::new("mosquitto").arg("-c").arg(folder.join("mosquitto.conf")), &folder.join("out.log"));
    wait_for_tcp(port);
    let server = (Ipv4Addr::LOCALHOST, port).into();
    let answering = runtime.block_on(Mqtt::connect(server, 100, "answering", None)).expect("the broker");
    std::thread::spawn(move || answer_badges(answering));
    let mut others = runtime.block_on(pairs(server, None));
    let mut ours = runtime.block_on(pairs(doorpost.address("mqtt_plain"), Some(people)));

    let (mut probes, mut commands, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cpu, mut broker_cpu) = (Duration::ZERO, Duration::ZERO);
    for turn in 0..=TURNS {
        let (before, broker_before) = (doorpost.running.cpu(), broker.cpu());
        for swipe in turn * SWIPES_A_TURN..(turn + 1) * SWIPES_A_TURN {
            // Well ahead of its next swipe: what a relay has just been sent and not acknowledged yet holds a command back.
            ours[(swipe + DOORS / 2) % DOORS].close();
            let badge = people.badges[swipe % people.badges.len()].as_str();
            let (probe, command) = ours[swipe % DOORS].whole_swipe(badge);
            let answer = others[swipe % DOORS].answered_swipe(badge);
            // The first turn is for warming up.
            if turn > 0 {
                probes.push(probe);
                commands.push(command);
                answers.push(answer);
            }
        }
        if turn > 0 {
            cpu += doorpost.running.cpu().saturating_sub(before);
            broker_cpu += broker.cpu().saturating_sub(broker_before);
        }
    }
    let swipes = TURNS * SWIPES_A_TURN;
    let sync = syncs(&doorpost.data);
    let (probe, command, answer) = (percentiles(probes), percentiles(commands), percentiles(answers));
    let shown = |(p50, p99): (f64, f64)| format!("p50 {p50:.2} ms, p99 {p99:.2} ms");
    let beside = format!("Mosquitto and subscriber: {}", shown(answer));
    let rows = [
        Row::promised(
            "badge to the relay's probe, decision included",
            shown(probe),
            "p99 at most Mosquitto's",
            probe.1 <= answer.1,
        )
        .beside(&beside, probe.1 / answer.1),
        Row::promised(
            "badge to the relay's command: decision, probe and answer, intent on the disk",
            shown(command),
            "p99 at most twice Mosquitto's",
            command.1 <= 2.0 * answer.1,
        )
        .beside(&beside, command.1 / answer.1),
        Row::told("an 80-byte write and fdatasync in the same folder, for comparison", shown(sync)),
        Row::told(
            "processor time a swipe, all of the above and the relay's answers",
            format!("{:.3} ms", ms(cpu, swipes)),
        )
        .beside(
            format!("the broker alone {:.3} ms", ms(broker_cpu, swipes)),
            cpu.as_secs_f64() / broker_cpu.as_secs_f64(),
        ),
    ];
    let sentence = format!(
        "{swipes} swipes at {DOORS} doors, one at a time, by turns at Doorpost and at Mosquitto; plain MQTT over loopback, QoS 0. Mosquitto only relays: its \
         subscriber decides nothing, asks the relay nothing and writes nothing down. The ratio is of the p99."
    );
    page::write("doors", &sentence, &rows);
}

fn ms(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1_000.0 / count as f64
}

/// What the disk itself takes.
fn syncs(folder: &Path) -> (f64, f64) {
    let path = folder.join("bench-sync");
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(&[0; 64 * 1024]).expect("room");
    file.sync_all().expect("a disk");
    let times = (0..500)
        .map(|_| {
            let began = Instant::now();
            io::Seek::rewind(&mut file).expect("a file");
            file.write_all(&[1; 80]).expect("room");
            file.sync_data().expect("a disk");
            began.elapsed()
        })
        .collect();
    let _ = std::fs::remove_file(path);
    percentiles(times)
}
