//! The main job: one membership opens three things, and its suspension closes all three within two seconds.

use proto::eap::MethodKind;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::access_point::{AccessPoint, Login};
use support::daemon::{Daemon, Folder, demo_site, free_udp_port};
use support::documents;
use support::mqtt_client::Account;
use support::printer::{Behaviour, Printer};
use support::reader::Reader;
use support::relay::Relay;
use values::MacAddress;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const BADGE: &str = "04A1B2C3";
/// What the design promises between a suspension and its Disconnect-Request.
const DISCONNECT_MAX: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(20);

/// Prints by ipptool over TLS, as this user.
fn ipptool(daemon: &Daemon, (username, key): &(String, String), document: &Path) -> Output {
    let user = username.replace('@', "%40");
    let uri = format!("ipps://{user}:{key}@localhost:{}/ipp/print/front", daemon.listening.ipp.port());
    let mut command = Command::new("ipptool");
    command.args(["-tv", "-d", "filetype=application/pdf", "-f"]).arg(document).args([uri.as_str(), "print-job.test"]);
    command.output().expect("ipptool is installed (Debian package cups-ipp-utils)")
}

fn jobs(daemon: &Daemon) -> Vec<Value> {
    daemon.cli(&["print", "jobs"])["jobs"].as_array().cloned().unwrap_or_default()
}

fn wait_for_job(daemon: &Daemon, state: &str) -> Value {
    daemon.wait_until(&format!("a job that is {state}"), SOON, || {
        jobs(daemon).into_iter().find(|job| job["state"] == state)
    })
}

fn code_of(refusal: &Result<Value, (i32, String)>) -> String {
    let said = refusal.as_ref().map_or_else(|(_, said)| said.clone(), |_| "allowed".to_owned());
    let problem: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    problem["code"].as_str().unwrap_or(&said).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_membership_opens_three_things_and_its_suspension_closes_them() {
    let printer = Printer::start(Behaviour::default()).await;
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, free_udp_port()));
    let upstream =
        printer.uri().trim_start_matches("ipp://").split('/').next().and_then(|address| address.parse().ok());
    let daemon = Daemon::start_with("main", &demo_site(upstream, Some(coa.port())));
    let access_point = AccessPoint::bind(daemon.listening.radius_auth, daemon.listening.radius_acct, "testing123", coa)
        .await
        .expect("loopback sockets");
    let mara = daemon.add_member("Mara Holm", "resident", Some("studio"));
    let key = daemon.issue_wifi_key(&mara);
    daemon.cli(&["badge", "add", &mara, BADGE]);
    let relay = Relay::connected(Account::issued(&daemon, "relay-street", "shelly-gen2"));
    let reader = Reader::connected(Account::issued(&daemon, "reader-street", "reader"));

    // The Wi-Fi: on the team's network.
    let login = || Login::new(&key.0, &key.1, MethodKind::Peap, MAC);
    let accepted = access_point.login(login()).await.expect("let in");
    assert_eq!(accepted.vlan, Some(11));
    access_point.start(&accepted.session).await.expect("accounted");

    // The printer: all pages of the month, then one more is held.
    let (whole, one) = (daemon.data.join("whole.pdf"), daemon.data.join("one.pdf"));
    std::fs::write(&whole, documents::pdf(100)).expect("a file in our folder");
    std::fs::write(&one, documents::pdf(1)).expect("a file in our folder");
    let printed = ipptool(&daemon, &key, &whole);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stdout));
    let settled = wait_for_job(&daemon, "completed");
    assert_eq!((&settled["pages_settled"], &settled["counted_by"]), (&100.into(), &"counter".into()), "{settled}");
    assert_eq!(printer.jobs()[0].document, std::fs::read(&whole).expect("our own file"), "byte for byte");
    assert!(ipptool(&daemon, &key, &one).status.success());
    let held = wait_for_job(&daemon, "held");
    assert!(
        held["reasons"].as_array().is_some_and(|reasons| reasons.contains(&"account-limit-reached".into())),
        "{held}"
    );
    let job = held["id"].as_str().expect("an id").to_owned();

    // The door.
    assert_eq!(reader.try_badge(BADGE)["granted"], true);
    relay.wait_until("one pulse", |relay| relay.pulses().len() == 1);

    // Suspended: out of all three.
    let mut disconnects = access_point.disconnects();
    let began = Instant::now();
    daemon.cli(&["member", "suspend", &mara]);
    let disconnect = tokio::time::timeout(DISCONNECT_MAX, disconnects.recv()).await.expect("in time").expect("one");
    assert_eq!(disconnect.mac, Some(MAC));
    assert!(disconnect.at.duration_since(began) < DISCONNECT_MAX);
    assert!(access_point.login(login()).await.is_err(), "the next login is rejected");
    assert_eq!(code_of(&daemon.try_cli(&["print", "release", &job])), "member-suspended");
    assert_eq!(reader.try_badge(BADGE)["granted"], false);
    assert_eq!(relay.pulses().len(), 1, "no second pulse");
    for noun in ["wifi", "print", "door"] {
        let why = daemon.cli(&["why", &mara, noun]);
        assert_eq!(why["now"]["code"], "member-suspended", "{why}");
    }

    // Resumed: all three again, and credit releases the held job.
    relay.wait_until("the first pulse is over", |relay| !relay.is_on());
    daemon.cli(&["member", "resume", &mara]);
    assert_eq!(access_point.login(login()).await.expect("let in again").vlan, Some(11));
    assert_eq!(reader.try_badge(BADGE)["granted"], true);
    relay.wait_until("a second pulse", |relay| relay.pulses().len() == 2);
    daemon.cli(&["print", "credit", &mara, "5"]);
    daemon.wait_until("both jobs completed", SOON, || {
        (jobs(&daemon).iter().filter(|job| job["state"] == "completed").count() == 2).then_some(())
    });
    assert_eq!(daemon.cli(&["member", "show", &mara])["print"]["credit_minor"], 495, "one page at 0.05");
    assert_eq!(daemon.cli(&["verify"])["good"], true);
    drop((relay, reader));
    daemon.stop();
}

/// A small disk of its own, taken away again in the end.
struct SmallDisk(Folder);

impl SmallDisk {
    /// None where mounting is not allowed.
    fn mount(size: &str) -> Option<Self> {
        let disk = Self(Folder::new("full"));
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&disk.0.0);
        mount.status().is_ok_and(|status| status.success()).then_some(disk)
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.0.0.join("ballast")).expect("a file on our own disk");
        while ballast.write_all(&[0; 4_096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_logins_and_doors_and_refuses_prints() {
    let Some(disk) = SmallDisk::mount("48m") else {
        eprintln!("SKIPPED: mounting a small disk needs root");
        return;
    };
    let site = disk.0.0.join("site.yaml");
    std::fs::write(&site, demo_site(None, None)).expect("the site file");
    let daemon = Daemon::launch(&site, &disk.0.0.join("data"));
    let coa = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let access_point = AccessPoint::bind(daemon.listening.radius_auth, daemon.listening.radius_acct, "testing123", coa)
        .await
        .expect("loopback sockets");
    let mara = daemon.add_member("Mara Holm", "resident", None);
    let key = daemon.issue_wifi_key(&mara);
    daemon.cli(&["badge", "add", &mara, BADGE]);
    let relay = Relay::connected(Account::issued(&daemon, "relay-street", "shelly-gen2"));
    let reader = Reader::connected(Account::issued(&daemon, "reader-street", "reader"));
    let samples = Folder::new("full-samples");
    let one = samples.0.join("one.pdf");
    std::fs::write(&one, documents::pdf(1)).expect("a file in our folder");

    disk.fill();
    let accepted = access_point.login(Login::new(&key.0, &key.1, MethodKind::Ttls, MAC)).await.expect("let in");
    assert_eq!(accepted.vlan, Some(10));
    assert_eq!(reader.try_badge(BADGE)["granted"], true);
    relay.wait_until("one pulse", |relay| relay.pulses().len() == 1);
    let refused = ipptool(&daemon, &key, &one);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("server-error-temporary-error"), "{said}");

    // With room again, everything is written down as before.
    std::fs::remove_file(disk.0.0.join("ballast")).expect("our own file");
    daemon.add_member("Noor", "resident", None);
    assert_eq!(daemon.cli(&["verify"])["good"], true);
    drop((relay, reader));
    daemon.stop();
}
