//! kill -9 under load, fifty times: whatever was acknowledged is there after the next start, nothing is there that nobody
//! asked for, nothing counts twice, and the audit logs still verify.
//!
//! The test keeps its own books: what was acknowledged, and what was asked and never answered (which may or may not have
//! happened, but is settled by what the next start shows). The kill comes after a number of acknowledgements drawn from the
//! seed, so it falls into the midst of what the other clients are waiting for.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;
use support::access_point::{AccessPoint, Session, Usage};
use support::daemon::{Daemon, binary};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use values::{Entropy, MacAddress, SeededEntropy};

const KILLS: u32 = 50;
/// Acknowledgements after which a kill comes, at most; it may also come before the first.
const ACKNOWLEDGED_MAX: u64 = 150;
/// Clients that add members and give them badges; as many again add credit.
const CLIENTS: usize = 3;

/// What the test knows to be so.
#[derive(Default)]
struct Books {
    /// Addresses that were ever asked for.
    asked: BTreeSet<String>,
    members: BTreeMap<String, Known>,
    /// Members whose state has to be looked at after the next start.
    touched: BTreeSet<String>,
    /// Devices whose Accounting-Start, and those whose Accounting-Stop was answered.
    online: BTreeSet<MacAddress>,
    stopped: BTreeSet<MacAddress>,
    acknowledged: u64,
    lost: u64,
}

#[derive(Default)]
struct Known {
    email: String,
    badges: BTreeSet<String>,
    credit_minor: i64,
    /// Credits that were asked for and not answered.
    credit_maybe_minor: i64,
    /// None while a change was not answered.
    state: Option<&'static str>,
}

/// The books, and a bell for the one who kills.
#[derive(Default)]
struct World {
    books: Mutex<Books>,
    bell: Notify,
}

impl World {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no client panics with the books in hand")
    }

    /// Notes what an answer says.
    fn acknowledge(&self, note: impl FnOnce(&mut Books)) {
        let mut books = self.books();
        note(&mut books);
        books.acknowledged += 1;
        self.bell.notify_one();
    }

    async fn wait_for(&self, acknowledged: u64) {
        while self.books().acknowledged < acknowledged {
            self.bell.notified().await;
        }
    }
}

/// No answer came: the daemon is gone.
#[derive(Debug)]
struct Lost;

/// One request over the unix socket; the answer whole, or none.
async fn call(socket: &Path, method: &str, path: &str, body: &Value) -> Result<(u16, Value), Lost> {
    let lost = |_| Lost;
    let mut stream = UnixStream::connect(socket).await.map_err(lost)?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(lost)?;
    let answer = String::from_utf8(answer).map_err(|_| Lost)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(Lost)?;
    let status: u16 = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(Lost)?;
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let whole = length.is_none_or(|length| length.parse() == Ok(body.len()));
    if !whole {
        return Err(Lost);
    }
    Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

/// A request that must be granted or lost.
async fn granted(socket: &Path, method: &str, path: &str, body: Value) -> Result<Value, Lost> {
    let (status, answer) = call(socket, method, path, &body).await?;
    assert!((200..300).contains(&status), "{method} {path} {body}: {status} {answer}");
    Ok(answer)
}

/// Adds members and gives each a badge, until the daemon is gone.
async fn add_members(world: Arc<World>, socket: PathBuf, client: String) -> Lost {
    for n in 0_u32.. {
        let email = format!("{client}-{n}@example.org");
        world.books().asked.insert(email.clone());
        let body = json!({ "name": format!("Member {client} {n}"), "email": email, "plan": "resident" });
        let member = match granted(&socket, "POST", "/api/members", body).await {
            Ok(member) => member["id"].as_str().expect("an id").to_owned(),
            Err(lost) => return lost,
        };
        world.acknowledge(|books| {
            books.members.insert(member.clone(), Known { email, state: Some("active"), ..Known::default() });
            books.touched.insert(member.clone());
        });
        let uid = member.bytes().rev().take(4).fold(String::new(), |uid, byte| format!("{uid}{byte:02X}"));
        let body = json!({ "uid": uid, "label": uid });
        // Another member's badge may have the same number: then it is refused, which is an answer too.
        match call(&socket, "POST", &format!("/api/members/{member}/badges"), &body).await {
            Ok((201, _)) => world.acknowledge(|books| {
                books.members.get_mut(&member).expect("added above").badges.insert(uid);
            }),
            Ok((status, answer)) => assert_eq!(answer["code"], "badge-taken", "{status} {answer}"),
            Err(lost) => return lost,
        }
    }
    Lost
}

/// Adds credit to one member, a cent at a time.
async fn add_credit(world: Arc<World>, socket: PathBuf, member: String) -> Lost {
    loop {
        {
            let mut books = world.books();
            books.touched.insert(member.clone());
            books.members.get_mut(&member).expect("one of ours").credit_maybe_minor += 1;
        }
        let path = format!("/api/members/{member}/print-credit");
        if let Err(lost) = granted(&socket, "POST", &path, json!({ "amount_minor": 1 })).await {
            return lost;
        }
        world.acknowledge(|books| {
            let known = books.members.get_mut(&member).expect("one of ours");
            known.credit_maybe_minor -= 1;
            known.credit_minor += 1;
        });
    }
}

/// Suspends and resumes one member in turn.
async fn change_state(world: Arc<World>, socket: PathBuf, member: String, mut active: bool) -> Lost {
    loop {
        let (verb, state) = if active { ("suspend", "suspended") } else { ("resume", "active") };
        {
            let mut books = world.books();
            books.touched.insert(member.clone());
            books.members.get_mut(&member).expect("one of ours").state = None;
        }
        if let Err(lost) = granted(&socket, "POST", &format!("/api/members/{member}/{verb}"), Value::Null).await {
            return lost;
        }
        world.acknowledge(|books| books.members.get_mut(&member).expect("one of ours").state = Some(state));
        active = !active;
    }
}

/// Reports sessions; every second one ends again.
async fn account(world: Arc<World>, point: Arc<AccessPoint>, username: String, round: u32) -> Lost {
    for n in 0_u16.. {
        let [high, low] = n.to_be_bytes();
        let mac = MacAddress([2, 0, 0, u8::try_from(round).expect("fifty"), high, low]);
        let session = Session {
            acct_session_id: format!("{round}-{n}"),
            mac,
            ssid: "Harbour".to_owned(),
            user_name: username.clone(),
            class: None,
            ip: None,
            began: Instant::now(),
        };
        if point.start(&session).await.is_err() {
            return Lost;
        }
        world.acknowledge(|books| {
            books.online.insert(mac);
        });
        if n % 2 == 1 {
            world.books().online.remove(&mac);
            if point.stop(&session, Usage { sent_bytes: 5_000_000_000, received_bytes: 7 }).await.is_err() {
                return Lost;
            }
            world.acknowledge(|books| {
                books.stopped.insert(mac);
            });
        }
    }
    Lost
}

/// What the run needs before the first kill: members to credit and suspend, a Wi-Fi user name.
struct Cast {
    credited: Vec<String>,
    suspended: String,
    username: String,
}

async fn prepare(world: &World, socket: &Path) -> Cast {
    let mut members = Vec::new();
    for n in 0..=CLIENTS {
        let email = format!("cast-{n}@example.org");
        let body = json!({ "name": format!("Cast {n}"), "email": email, "plan": "resident" });
        let member = granted(socket, "POST", "/api/members", body).await.expect("it runs");
        let id = member["id"].as_str().expect("an id").to_owned();
        let mut books = world.books();
        books.asked.insert(email.clone());
        books.members.insert(id.clone(), Known { email, state: Some("active"), ..Known::default() });
        members.push(id);
    }
    let suspended = members.pop().expect("one more than the clients");
    let issued =
        granted(socket, "POST", &format!("/api/members/{}/wifi-keys", members[0]), json!({})).await.expect("it runs");
    Cast { credited: members, suspended, username: issued["username"].as_str().expect("a user name").to_owned() }
}

/// Everything that was touched since the last look, compared with the books; what was open is entered as it was found.
async fn compare_touched(world: &World, socket: &Path) {
    let touched = std::mem::take(&mut world.books().touched);
    for id in touched {
        let found = granted(socket, "GET", &format!("/api/members/{id}"), Value::Null).await.expect("it runs");
        compare(&mut world.books(), &id, &found);
    }
    let sessions = granted(socket, "GET", "/api/wifi/sessions", Value::Null).await.expect("it runs");
    let found: BTreeSet<MacAddress> = sessions["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|session| session["mac"].as_str().and_then(|mac| mac.parse().ok()).expect("an address"))
        .collect();
    let books = world.books();
    let missing: Vec<_> = books.online.difference(&found).map(ToString::to_string).collect();
    assert!(missing.is_empty(), "sessions whose start was answered are gone: {missing:?}");
    let revived: Vec<_> = books.stopped.intersection(&found).map(ToString::to_string).collect();
    assert!(revived.is_empty(), "sessions whose stop was answered are back: {revived:?}");
}

fn compare(books: &mut Books, id: &str, found: &Value) {
    let known = books.members.get_mut(id).expect("only what was acknowledged is looked up");
    assert_eq!(found["email"], known.email.as_str());
    let labels: BTreeSet<&str> = found["credentials"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|credential| credential["label"].as_str())
        .collect();
    assert!(known.badges.iter().all(|badge| labels.contains(badge.as_str())), "a badge is gone: {found}");
    let credit_minor = found["print"]["credit_minor"].as_i64().expect("a number");
    let may_be = known.credit_minor..=known.credit_minor + known.credit_maybe_minor;
    assert!(may_be.contains(&credit_minor), "credit {credit_minor} is not in {may_be:?}: {found}");
    known.credit_minor = credit_minor;
    known.credit_maybe_minor = 0;
    let state = match found["status"]["state"].as_str() {
        Some("active") => "active",
        Some("suspended") => "suspended",
        other => panic!("nobody asked for the state {other:?}"),
    };
    assert_eq!(known.state.unwrap_or(state), state, "an acknowledged change of state is gone: {found}");
    known.state = Some(state);
}

/// All members at once: each acknowledged one is there, as it should be, and each one that is there was asked for.
async fn compare_all(world: &World, socket: &Path) {
    let all = granted(socket, "GET", "/api/members", Value::Null).await.expect("it runs");
    let all = all["members"].as_array().expect("a list").clone();
    let mut books = world.books();
    let mut emails = BTreeSet::new();
    for found in &all {
        let email = found["email"].as_str().expect("an address").to_owned();
        assert!(books.asked.contains(&email), "nobody asked for {email}");
        assert!(emails.insert(email), "a member is there twice: {found}");
        let id = found["id"].as_str().expect("an id").to_owned();
        if books.members.contains_key(&id) {
            compare(&mut books, &id, found);
        }
    }
    let there = all.iter().filter(|found| books.members.contains_key(found["id"].as_str().unwrap_or_default())).count();
    assert_eq!(there, books.members.len(), "acknowledged members are gone");
}

/// `doorpost verify`, which needs no daemon and minds none.
fn verify(data: &Path) {
    let output = Command::new(binary()).args(["verify", "--data"]).arg(data).output().expect("the binary runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "doorpost verify: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_by_fifty_kills() {
    let seed = std::env::var("DOORPOST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x_d00f);
    println!("DOORPOST_SEED={seed}");
    let mut entropy = SeededEntropy(seed);
    let mut daemon = tokio::task::spawn_blocking(|| Daemon::start("kill")).await.expect("the daemon starts");
    let socket = daemon.data.join("doorpost.sock");
    let world = Arc::new(World::default());
    let cast = prepare(&world, &socket).await;
    for round in 0..KILLS {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (auth, acct) = (daemon.listening.radius_auth, daemon.listening.radius_acct);
        let point = Arc::new(AccessPoint::bind(auth, acct, "testing123", anywhere).await.expect("a socket"));
        let mut clients = JoinSet::new();
        for (n, member) in cast.credited.iter().enumerate() {
            clients.spawn(add_members(Arc::clone(&world), socket.clone(), format!("r{round}-{n}")));
            clients.spawn(add_credit(Arc::clone(&world), socket.clone(), member.clone()));
        }
        let active = world.books().members[&cast.suspended].state == Some("active");
        clients.spawn(change_state(Arc::clone(&world), socket.clone(), cast.suspended.clone(), active));
        let mut accounting = JoinSet::new();
        accounting.spawn(account(Arc::clone(&world), point, cast.username.clone(), round));

        let entropy: &mut dyn Entropy = &mut entropy;
        let more = u64::from(u16::from_be_bytes(entropy.bytes())) % (ACKNOWLEDGED_MAX + 1);
        let until = world.books().acknowledged + more;
        tokio::select! {
            () = world.wait_for(until) => {}
            // A client that gives up before the kill is the failure.
            Some(ended) = clients.join_next() => panic!("a client ended in round {round}: {ended:?}\n{}", daemon.log()),
        }
        let killed = tokio::task::spawn_blocking(move || daemon.kill()).await.expect("it is dead");
        // Everyone comes to an end before the next start, so that no late request reaches it unseen. An answer that was under
        // way when the kill came still counts; an access point would ask again for seconds, so it is told to stop.
        accounting.abort_all();
        while let Some(ended) = accounting.join_next().await {
            assert!(
                ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()),
                "accounting failed in round {round}"
            );
        }
        while let Some(ended) = clients.join_next().await {
            let Lost = ended.unwrap_or_else(|error| panic!("a client failed in round {round}: {error}"));
            world.books().lost += 1;
        }
        daemon = tokio::task::spawn_blocking(|| killed.start()).await.expect("the daemon comes back");
        compare_touched(&world, &socket).await;
    }
    compare_all(&world, &socket).await;
    verify(&daemon.data);
    let data = daemon.data.clone();
    let killed = daemon.kill();
    verify(&data);
    let daemon = killed.start();
    compare_all(&world, &socket).await;
    drop(daemon);
    let books = world.books();
    let (online, stopped) = (books.online.len(), books.stopped.len());
    println!(
        "{} acknowledged, {} clients cut off; {} members, {online} sessions begun and {stopped} ended",
        books.acknowledged,
        books.lost,
        books.members.len()
    );
    let load = [books.members.len(), online, stopped].map(|count| count > KILLS as usize / 2);
    assert!(load.iter().all(|enough| *enough), "there was hardly any load: {load:?}");
}
