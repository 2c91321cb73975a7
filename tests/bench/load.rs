//! Load: a thousand devices at once, a burst, a flood of logins that nobody means to finish, and accounting. The devices are a
//! generator in this process (the simulated access point of tests/support), which shares the machine with the server; what is
//! counted is the server's own processor time, and the time that a device waits.

use crate::page::{self, Row};
use crate::process::Running;
use crate::site::{Doorpost, Name, People};
use crate::wifi::{FreeRadius, start_freeradius};
use proto::eap::MethodKind;
use proto::radius::{AttributeType, Authenticator, Code, Packet, Writer};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::access_point::{AccessPoint, Login};
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use values::MacAddress;

const SECRET: &str = "testing123";
const SETTLE: Duration = Duration::from_millis(1_200);
/// Rounds of everybody at once.
const ROUNDS: usize = 3;
const WORKERS_TURNS: usize = 4;
const BURST: usize = 500;
const FLOOD: usize = 50_000;
const FLOOD_DEVICES: usize = 1_000;
/// Sent between two pauses of a millisecond: some 5,000 a second.
const FLOOD_CHUNK: usize = 5;
/// Devices that log in while the flood lasts.
const HONEST: usize = 400;
/// Requests that are out at one time, each from a socket of its own as those of many access points.
const ACCOUNTING_ABREAST: usize = 32;
const SESSIONS: usize = 1_000;
/// A device gives up later than this.
const PATIENCE: Duration = Duration::from_secs(5);
const WORKERS_TARGET: f64 = 1.15;
const BURST_TARGET: Duration = Duration::from_secs(1);
const HONEST_TARGET: f64 = 0.995;
const ACCOUNTING_TARGET: f64 = 2.0;

/// Measures; ends the daemon on the way, since the number of workers is fixed at its start.
pub fn measure(folder: &Path, doorpost: Doorpost, people: &People, runtime: &Runtime) {
    let users = people.wifi.as_slice();
    let mut rows = vec![burst(runtime, &doorpost, users), flood(runtime, &doorpost, users)];
    rows.push(accounting(runtime, folder, &doorpost, users));
    doorpost.stop();
    rows.insert(0, workers(runtime, folder, users));
    let sentence = format!(
        "Devices and access point are simulated in one process on the same {} cores. Flood: {FLOOD} logins of {FLOOD_DEVICES} forged addresses that \
         get no further than their first packet, while {HONEST} devices log in. While workers are compared, what runs at idle priority keeps every core \
         busy in both cases: two busy cores of such a machine are slower than one. Accounting: Start, Interim-Update and Stop of {SESSIONS} sessions, \
         {ACCOUNTING_ABREAST} requests abreast, every answer after the row is on the disk; FreeRADIUS writes to SQLite by its own queries, synced.",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    page::write("load", &sentence, &rows);
}

fn access_point(runtime: &Runtime, auth: SocketAddr, acct: SocketAddr) -> Arc<AccessPoint> {
    let coa = (Ipv4Addr::LOCALHOST, 0).into();
    let point = runtime.block_on(AccessPoint::bind(auth, acct, SECRET, coa)).expect("loopback");
    Arc::new(point.with_patience(PATIENCE))
}

fn ours(runtime: &Runtime, doorpost: &Doorpost) -> Arc<AccessPoint> {
    access_point(runtime, doorpost.address("radius_auth"), doorpost.address("radius_acct"))
}

fn mac(kind: u8, n: usize) -> MacAddress {
    let [.., a, b, c] = n.to_be_bytes();
    MacAddress([2, kind, 0, a, b, c])
}

/// Logs these people in, all at once; how long each of those that came in took.
async fn logins(point: &Arc<AccessPoint>, kind: u8, users: &[Name]) -> Vec<Duration> {
    let mut devices = JoinSet::new();
    for (n, user) in users.iter().enumerate() {
        let (point, login) =
            (Arc::clone(point), Login::new(&user.username, &user.password, MethodKind::Ttls, mac(kind, n)));
        devices.spawn(async move {
            let began = Instant::now();
            point.login(login).await.map(|_| began.elapsed())
        });
    }
    let mut took = Vec::new();
    while let Some(done) = devices.join_next().await {
        match done.expect("a device does not panic") {
            Ok(time) => took.push(time),
            Err(error) => eprintln!("a login failed: {error}"),
        }
    }
    took.sort();
    took
}

/// What the server spent on some rounds of everybody at once.
fn all_at_once(runtime: &Runtime, doorpost: &Doorpost, users: &[Name]) -> Duration {
    let point = ours(runtime, doorpost);
    runtime.block_on(logins(&point, 1, users));
    sleep(SETTLE);
    let before = doorpost.running.cpu();
    for _ in 0..ROUNDS {
        let came_in = runtime.block_on(logins(&point, 1, users)).len();
        assert_eq!(came_in, users.len(), "nobody is lost");
    }
    sleep(SETTLE);
    doorpost.running.cpu().saturating_sub(before)
}

/// What a login costs with all cores to work on and with one, by turns. The engine's thread helps the workers, so two cores are
/// two threads that do TLS.
fn workers(runtime: &Runtime, folder: &Path, users: &[Name]) -> Row {
    let _busy = Busy::start();
    let mut spent = [Duration::ZERO; 2];
    for _ in 0..WORKERS_TURNS {
        for (spent, cores) in spent.iter_mut().zip([None, Some("0")]) {
            let doorpost = Doorpost::start(folder, cores);
            *spent += all_at_once(runtime, &doorpost, users);
            doorpost.stop();
        }
    }
    let [several, one] =
        spent.map(|total| total.as_secs_f64() * 1_000.0 / (WORKERS_TURNS * ROUNDS * users.len()) as f64);
    Row::promised(
        format!("processor time a login, TTLS/PAP, {} devices at once, on all cores", users.len()),
        format!("{several:.3} ms"),
        "ratio at most 1.15",
        several / one <= WORKERS_TARGET,
    )
    .beside(format!("itself on one core {one:.3} ms"), several / one)
}

/// Keeps every core busy with what gives way to everybody else. On a machine whose cores share parts of a processor with each
/// other, or with other machines, a second is worth less when both are busy; so it is worth as much in every measurement.
struct Busy(Vec<Running>);

impl Busy {
    fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let on = |core: usize| {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string(), "chrt", "--idle", "0", "sh", "-c", "while :; do :; done"]);
            Running::start(&mut command, Path::new("/dev/null"))
        };
        Self((0..cores).map(on).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Running::stop);
    }
}

fn burst(runtime: &Runtime, doorpost: &Doorpost, users: &[Name]) -> Row {
    let users = users.get(..BURST).expect("enough members");
    let took = runtime.block_on(logins(&ours(runtime, doorpost), 1, users));
    assert_eq!(took.len(), BURST, "nobody is lost");
    let (p50, p99) = (took[BURST / 2], took[BURST * 99 / 100]);
    Row::promised(
        format!("a burst of {BURST} devices: how long one waits until it is in"),
        format!("p50 {} ms, p99 {} ms", p50.as_millis(), p99.as_millis()),
        "p99 at most 1 s",
        p99 <= BURST_TARGET,
    )
}

/// A login's first packet, as the forged device's access point sends it on.
fn start(n: usize) -> Vec<u8> {
    let mut authenticator: Authenticator = [0; 16];
    getrandom::fill(&mut authenticator).expect("entropy");
    let identity = [&[2, 1, 0, 14, 1], b"anonymous".as_slice()].concat();
    let station = mac(9, n % FLOOD_DEVICES).to_string().to_uppercase().replace(':', "-");
    Writer::request(Code::AccessRequest, u8::try_from(n % 256).expect("a byte"), authenticator)
        .text(AttributeType::USER_NAME, "anonymous")
        .attribute(AttributeType::NAS_IP_ADDRESS, &[127, 0, 0, 1])
        .text(AttributeType::CALLING_STATION_ID, &station)
        .text(AttributeType::CALLED_STATION_ID, "02-00-00-00-00-FF:Harbour")
        .eap_message(&identity)
        .finish(SECRET.as_bytes())
        .expect("a packet")
}

fn flood(runtime: &Runtime, doorpost: &Doorpost, users: &[Name]) -> Row {
    let server = doorpost.address("radius_auth");
    let users = users.get(..HONEST).expect("enough members");
    let point = ours(runtime, doorpost);
    let (came_in, slowest) = runtime.block_on(async {
        let flooding = tokio::spawn(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            socket.connect(server).await.expect("loopback");
            let mut buffer = [0; 4_096];
            for n in 0..FLOOD {
                let _ = socket.send(&start(n)).await; // a full buffer drops it, as the network would
                while socket.try_recv(&mut buffer).is_ok() {}
                if n % FLOOD_CHUNK == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        let (mut came_in, mut slowest) = (0, Duration::ZERO);
        for few in users.chunks(10) {
            let took = logins(&point, 2, few).await;
            came_in += took.len();
            slowest = slowest.max(took.last().copied().unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        flooding.await.expect("the flood does not panic");
        (came_in, slowest)
    });
    let share = came_in as f64 / HONEST as f64;
    Row::promised(
        format!("{HONEST} devices log in during a flood of {FLOOD} unfinished logins"),
        format!("{:.1} % came in, the slowest after {} ms", share * 100.0, slowest.as_millis()),
        "at least 99.5 %",
        share >= HONEST_TARGET,
    )
}

fn accounting(runtime: &Runtime, folder: &Path, doorpost: &Doorpost, users: &[Name]) -> Row {
    let FreeRadius { running, acct_port, .. } = start_freeradius(folder, users.get(..50).expect("enough members"));
    let other = (Ipv4Addr::LOCALHOST, acct_port).into();
    let measured = |server: SocketAddr, cpu: &dyn Fn() -> Duration| {
        runtime.block_on(report(server, "warm", SESSIONS / 10));
        sleep(SETTLE);
        let (before, began) = (cpu(), Instant::now());
        let answered = runtime.block_on(report(server, "told", SESSIONS));
        let wall = began.elapsed();
        sleep(SETTLE);
        let spent = cpu().saturating_sub(before);
        (answered as f64 / spent.as_secs_f64(), answered as f64 / wall.as_secs_f64(), answered)
    };
    let (ours, our_rate, our_answers) = measured(doorpost.address("radius_acct"), &|| doorpost.running.cpu());
    let (theirs, their_rate, their_answers) = measured(other, &|| running.cpu());
    let all = SESSIONS * 3;
    Row::promised(
        "accounting requests for a second of processor time, every answer durable",
        format!("{ours:.0} ({our_answers} of {all} answered, {our_rate:.0} a second)"),
        "ratio at least 2",
        ours / theirs >= ACCOUNTING_TARGET && our_answers == all,
    )
    .beside(
        format!("FreeRADIUS {theirs:.0} ({their_answers} of {all} answered, {their_rate:.0} a second)"),
        ours / theirs,
    )
}

/// Reports so many sessions from Start to Stop; how many requests were answered.
async fn report(server: SocketAddr, run: &'static str, sessions: usize) -> usize {
    let next = Arc::new(AtomicUsize::new(0));
    let mut points = JoinSet::new();
    for _ in 0..ACCOUNTING_ABREAST {
        let next = Arc::clone(&next);
        points.spawn(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            socket.connect(server).await.expect("loopback");
            let (mut answered, mut identifier) = (0, 0_u8);
            loop {
                let session = next.fetch_add(1, Ordering::Relaxed);
                if session >= sessions {
                    return answered;
                }
                for (status, seconds) in [(1, 0), (3, 600), (2, 900)] {
                    identifier = identifier.wrapping_add(1);
                    let request = accounting_request(identifier, run, session, status, seconds);
                    answered += usize::from(is_answered(&socket, &request, identifier).await);
                }
            }
        });
    }
    let mut answered = 0;
    while let Some(done) = points.join_next().await {
        answered += done.expect("an access point does not panic");
    }
    answered
}

fn accounting_request(identifier: u8, run: &str, session: usize, status: u32, seconds: u32) -> Vec<u8> {
    let station = mac(3, session).to_string().to_uppercase().replace(':', "-");
    Writer::request(Code::AccountingRequest, identifier, [0; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, status)
        .text(AttributeType::ACCT_SESSION_ID, &format!("{run}-{session:08X}"))
        .text(AttributeType::USER_NAME, "measured")
        .attribute(AttributeType::NAS_IP_ADDRESS, &[127, 0, 0, 1])
        .text(AttributeType::CALLING_STATION_ID, &station)
        .text(AttributeType::CALLED_STATION_ID, "02-00-00-00-00-FF:Harbour")
        .integer(AttributeType::ACCT_SESSION_TIME, seconds)
        .integer(AttributeType::ACCT_INPUT_OCTETS, seconds * 1_000)
        .integer(AttributeType::ACCT_OUTPUT_OCTETS, seconds * 5_000)
        .finish(SECRET.as_bytes())
        .expect("a packet")
}

/// Sends it up to three times, as access points do.
async fn is_answered(socket: &UdpSocket, request: &[u8], identifier: u8) -> bool {
    let mut buffer = [0; 4_096];
    for _ in 0..3 {
        if socket.send(request).await.is_err() {
            return false;
        }
        let answer = async {
            loop {
                let length = socket.recv(&mut buffer).await.unwrap_or(0);
                let packet = Packet::decode(buffer.get(..length).unwrap_or_default());
                if packet.is_ok_and(|packet| packet.identifier() == identifier) {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, answer).await.is_ok() {
            return true;
        }
    }
    false
}
