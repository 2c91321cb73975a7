//! The world around the demo of `make run`: an access point with members' devices, a printer, a door's relay and reader, all
//! simulated, all over real sockets. It sets the box up through the command line, as an operator would, prints what to try with
//! real clients, and then lets a coworking day go by, a little faster than it would. Ends when it is told to (SIGINT, SIGTERM).
//!
//! `peers DOORPOST DATA`: the binary, and the data folder of the daemon that runs on configs/demo.yaml.

use proto::eap::MethodKind;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::access_point::{AccessPoint, Login, Session, Usage};
use support::documents;
use support::mqtt_client::{Account, trusting};
use support::printer::{Behaviour, Printer};
use support::reader::Reader;
use support::relay::Relay;
use values::MacAddress;

/// What configs/demo.yaml says.
const SECRET: &str = "testing123";
const REALM: &str = "harbour.example";
const COA: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 3799);
const PRINTER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 8701);

/// From one thing that happens to the next.
const PAUSE: Duration = Duration::from_secs(4);
/// An office printer prints twenty pages a minute; nobody wants to watch that.
const PAGE_MS: u64 = 400;
/// Devices on the air at the same time.
const SESSIONS_MAX: usize = 4;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A member and what she carries.
struct Person {
    name: &'static str,
    username: String,
    key: String,
    badge: &'static str,
    mac: MacAddress,
    method: MethodKind,
    session: Option<Session>,
}

struct World {
    doorpost: PathBuf,
    data: PathBuf,
    listening: Value,
    people: Vec<Person>,
    access_point: AccessPoint,
    reader: Account,
    _printer: Printer,
    _relay: Relay,
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(doorpost), Some(data)) = (arguments.next(), arguments.next()) else {
        return Err("usage: peers DOORPOST DATA".into());
    };
    let mut world = World::set_up(doorpost, data).await?;
    println!("{}", world.invitation()?);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        () = world.live() => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// One command of the box's command line; its answer.
fn cli(doorpost: &Path, data: &Path, arguments: &[&str]) -> Fallible<Value> {
    let output = Command::new(doorpost).args(arguments).arg("--json").arg("--data").arg(data).output()?;
    if !output.status.success() {
        return Err(format!("doorpost {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn text(answer: &Value, key: &str) -> Fallible<String> {
    Ok(answer[key].as_str().ok_or_else(|| format!("no {key} in {answer}"))?.to_owned())
}

impl World {
    async fn set_up(doorpost: PathBuf, data: PathBuf) -> Fallible<Self> {
        let ask = |arguments: &[&str]| cli(&doorpost, &data, arguments);
        let listening: Value = serde_json::from_slice(&fs::read(data.join("listening.json"))?)?;
        let cast = [
            ("Ada Lindqvist", "resident", Some("studio"), "04A1B2C3", MethodKind::Peap),
            ("Ben Okafor", "resident", None, "04B2C3D4", MethodKind::Ttls),
            ("Chen Wei", "flex", None, "04C3D4E5", MethodKind::Peap),
            ("Dana Brandt", "resident", Some("studio"), "04D4E5F6", MethodKind::Ttls),
            ("Emil Sand", "day", None, "04E5F6A7", MethodKind::Peap),
        ];
        let mut people = Vec::new();
        for (index, (name, plan, team, badge, method)) in (1_u8..).zip(cast) {
            let email = format!("{}@example.org", name.to_lowercase().replace(' ', "."));
            let mut arguments = vec!["member", "add", "--name", name, "--email", &email, "--plan", plan];
            arguments.extend(team.iter().flat_map(|team| ["--team", team]));
            let member = text(&ask(&arguments)?, "id")?;
            let issued = ask(&["wifi", "issue", &member, "--label", "Laptop"])?;
            ask(&["badge", "add", &member, badge])?;
            let mac = MacAddress([2, 0, 0, 0, 0, index]);
            let (username, key) = (text(&issued, "username")?, text(&issued, "password")?);
            people.push(Person { name, username, key, badge, mac, method, session: None });
        }
        let tls = trusting(&data.join("pki/ca.pem"));
        let device = |name: &str, profile: &str| -> Fallible<Account> {
            let password = text(&ask(&["device", "add", name, "--profile", profile])?, "password")?;
            Ok(Account { address: address(&listening, "mqtt")?, tls: Some(tls.clone()), device: name.into(), password })
        };
        // There before anybody is asked to present a badge.
        let account = device("relay-street", "shelly-gen2")?;
        let relay = tokio::task::block_in_place(|| Relay::connected(account));
        let reader = device("reader-street", "reader")?;
        let printer = Printer::start_on(PRINTER.into(), Behaviour { page_ms: PAGE_MS, ..Behaviour::default() }).await?;
        let (auth, acct) = (address(&listening, "radius_auth")?, address(&listening, "radius_acct")?);
        let access_point = AccessPoint::bind(auth, acct, SECRET, COA.into()).await?;
        Ok(Self { doorpost, data, listening, people, access_point, reader, _printer: printer, _relay: relay })
    }

    /// What stands on the screen: where the box is, how to claim it, and three commands that work as they stand.
    fn invitation(&self) -> Fallible<String> {
        let status = cli(&self.doorpost, &self.data, &["status"])?;
        let code = text(&status["details"], "claim_code")?;
        let Some(guest) = self.people.first() else { return Err("nobody is there".into()) };
        let folder = self.data.join("try");
        fs::create_dir_all(&folder)?;
        let (config, document) = (folder.join("eapol.conf"), folder.join("hello.pdf"));
        fs::write(&config, eapol_config(guest, &self.data.join("pki/ca.pem")))?;
        fs::write(&document, documents::pdf(2))?;
        let port = |key: &str| address(&self.listening, key).map(|address| address.port());
        let (reader, badge) = (&self.reader.device, guest.badge);
        Ok(format!(
            "\n  Open      https://localhost:{https}/   (its certificate is the box's own: {ca})\n  Claim it  with the code {code}\n\n\
             Try it with real clients, as {name}:\n\n  \
             eapol_test -c {config} -a 127.0.0.1 -p {radius} -s {SECRET}\n\n  \
             ipptool -tv -d filetype=application/pdf -f {document} '{uri}' print-job.test\n\n  \
             mosquitto_pub -h 127.0.0.1 -p {mqtt} -i {reader} -u {reader} -P {password} -q 1 -t readers/{reader}/badge -m '{{\"uid\":\"{badge}\"}}'\n\n\
             And as the operator: {doorpost} --data {data} status, member list, why ada.lindqvist@example.org door\n\n\
             What happens, as it happens (Ctrl-C ends all of it):\n",
            https = port("https")?,
            ca = self.data.join("pki/ca.pem").display(),
            name = guest.name,
            config = config.display(),
            radius = port("radius_auth")?,
            document = document.display(),
            uri = self.print_uri(guest)?,
            mqtt = port("mqtt_plain")?,
            password = self.reader.password,
            doorpost = self.doorpost.display(),
            data = self.data.display(),
        ))
    }

    fn print_uri(&self, person: &Person) -> Fallible<String> {
        // The realm's @ would end the user part of a URI; the box knows its own realm.
        let user = person.username.split('@').next().unwrap_or_default();
        let port = address(&self.listening, "ipp")?.port();
        Ok(format!("ipps://{user}:{key}@localhost:{port}/ipp/print/front", key = person.key))
    }

    /// A day, round and round. What the box refuses is part of it.
    async fn live(&mut self) {
        for turn in 0_usize.. {
            let who = (turn + turn / 7) % self.people.len();
            match turn % 7 {
                0 | 3 => self.arrive(who).await,
                1 => self.swipe(self.people[who].badge).await,
                2 => self.print(who, 1 + u32::try_from(turn % 4).unwrap_or_default()),
                4 => self.report().await,
                5 => self.leave().await,
                _ if turn % 3 == 0 => self.swipe("04DEADBEEF").await,
                _ => self.mistype(who).await,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn arrive(&mut self, who: usize) {
        if self.people.iter().filter(|person| person.session.is_some()).count() >= SESSIONS_MAX {
            self.leave().await;
        }
        let person = &mut self.people[who];
        if person.session.is_some() {
            return;
        }
        let login = Login::new(&person.username, &person.key, person.method, person.mac);
        if let Ok(accepted) = self.access_point.login(login).await
            && self.access_point.start(&accepted.session).await.is_ok()
        {
            person.session = Some(accepted.session);
        }
    }

    async fn mistype(&self, who: usize) {
        let person = &self.people[who];
        let _ = self.access_point.login(Login::new(&person.username, "not-the-key", person.method, person.mac)).await;
    }

    /// The access point says who is still there; those whom the box has disconnected are not.
    async fn report(&mut self) {
        let live = self.access_point.live_sessions();
        for person in &mut self.people {
            person
                .session
                .take_if(|session| !live.iter().any(|other| other.acct_session_id == session.acct_session_id));
            if let Some(session) = &person.session {
                let _ = self.access_point.interim(session, usage(session)).await;
            }
        }
    }

    async fn leave(&mut self) {
        let longest = self
            .people
            .iter_mut()
            .filter(|person| person.session.is_some())
            .min_by_key(|person| person.session.as_ref().map(|session| session.began));
        if let Some(session) = longest.and_then(|person| person.session.take()) {
            let _ = self.access_point.stop(&session, usage(&session)).await;
        }
    }

    /// Connects for one badge only, so that `mosquitto_pub` can be the same reader in between.
    async fn swipe(&self, badge: &'static str) {
        let account = self.reader.clone();
        let swipe = tokio::task::spawn_blocking(move || Reader::connected(account).try_badge(badge));
        let _ = swipe.await; // a reader that somebody else is being right now
    }

    fn print(&self, who: usize, pages: u32) {
        let document = self.data.join(format!("try/{pages}-pages.pdf"));
        let Ok(uri) = self.print_uri(&self.people[who]) else { return };
        if fs::write(&document, documents::pdf(pages)).is_ok() {
            let mut ipptool = Command::new("ipptool");
            ipptool.args(["-q", "-d", "filetype=application/pdf", "-f"]).arg(&document).args([&uri, "print-job.test"]);
            let _ = ipptool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

fn address(listening: &Value, key: &str) -> Fallible<SocketAddr> {
    let bound: SocketAddr = text(listening, key)?.parse()?;
    Ok((Ipv4Addr::LOCALHOST, bound.port()).into())
}

/// About 2 Mbit/s down and a tenth of it up.
fn usage(session: &Session) -> Usage {
    let seconds = session.began.elapsed().as_secs();
    Usage { sent_bytes: seconds * 25_000, received_bytes: seconds * 250_000 }
}

fn eapol_config(person: &Person, ca: &Path) -> String {
    format!(
        "network={{\n  ssid=\"Harbour\"\n  key_mgmt=WPA-EAP\n  eap=PEAP\n  anonymous_identity=\"@{REALM}\"\n  identity=\"{}\"\n  \
         password=\"{}\"\n  ca_cert=\"{}\"\n  domain_match=\"doorpost.{REALM}\"\n  phase2=\"auth=MSCHAPV2\"\n}}\n",
        person.username,
        person.key,
        ca.display()
    )
}
