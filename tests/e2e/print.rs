//! Printing with the real binary: judged by ipptool (CUPS's own client and its conformance test) and ippeveprinter, and by a
//! simulated printer where it has to fail.

use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::daemon::{Daemon, Folder, demo_site, free_tcp_port};
use support::documents;
use support::printer::{Behaviour, Counting, Fault, Printer};
use support::program::Program;

/// ippeveprinter takes some seconds over a job, and the machine may be busy.
const SOON: Duration = Duration::from_secs(60);
/// The engine gives a printer that is gone a minute; a busy machine some more.
const LOST: Duration = Duration::from_secs(120);

/// A member who may print.
struct Member {
    id: String,
    username: String,
    key: String,
}

impl Member {
    fn new(daemon: &Daemon, name: &str, plan: &str) -> Self {
        let id = daemon.add_member(name, plan, None);
        let (username, key) = daemon.issue_wifi_key(&id);
        // The realm's @ would end the user part of a URI.
        let username = username.split('@').next().expect("a name before the realm").to_owned();
        Self { id, username, key }
    }

    fn uri(&self, daemon: &Daemon) -> String {
        format!("ipps://{}:{}@{}/ipp/print/front", self.username, self.key, daemon.listening.ipp)
    }

    /// The print account as the API shows it.
    fn account(&self, daemon: &Daemon) -> Value {
        daemon.cli(&["member", "show", &self.id])["print"].clone()
    }
}

struct Judged {
    success: bool,
    text: String,
}

/// Runs a test file of the installed suite, or one of our own, with `document` as `$filename`.
fn ipptool(folder: &Path, uri: &str, options: &[&str], document: &str, test: &str) -> Judged {
    let output = Command::new("ipptool")
        .current_dir(folder)
        .env("HOME", folder) // libcups keeps the certificates it trusted there
        .args(["-tvI", "-T", "60"])
        .args(options)
        .args(["-f", document, uri, test])
        .output()
        .expect("ipptool is installed (Debian package cups-ipp-utils)");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Judged { success: output.status.success(), text }
}

/// Print-Job that shows the whole answer and is content with any.
const PRINT_JOB: &str = "{
  NAME \"Print-Job\"
  OPERATION Print-Job
  GROUP operation-attributes-tag
  ATTR charset attributes-charset utf-8
  ATTR naturalLanguage attributes-natural-language en
  ATTR uri printer-uri $uri
  ATTR name requesting-user-name somebody-else
  ATTR name job-name $filename
  FILE $filename
  DISPLAY job-id
  DISPLAY job-state
  DISPLAY job-state-reasons
}
";

fn samples(folder: &Path) {
    documents::write_samples(folder).expect("samples");
    std::fs::write(folder.join("print.test"), PRINT_JOB).expect("a test file");
}

fn print(folder: &Path, uri: &str, document: &str) -> String {
    ipptool(folder, uri, &[], document, "print.test").text
}

/// ippeveprinter, keeping what it was sent.
struct EvePrinter {
    program: Program,
    port: u16,
    spool: PathBuf,
}

/// ippeveprinter will not start without avahi, nor avahi without the system bus. Where they do not run (a container), they
/// run for as long as this process does.
fn name_service() {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let answers = |socket: &str| std::os::unix::net::UnixStream::connect(socket).is_ok();
    let services = [
        ("/run/dbus/system_bus_socket", vec!["dbus-daemon", "--system", "--nofork", "--nopidfile"]),
        ("/run/avahi-daemon/socket", vec!["avahi-daemon", "--no-rlimits"]),
    ];
    for (socket, command) in services.into_iter().filter(|(socket, _)| !answers(socket)) {
        let _ = std::fs::create_dir_all("/run/dbus");
        // A service that drops its rights drops a parent-death signal too; a pipe that closes with this process does not.
        let mut keeper = Command::new("sh");
        keeper.args(["-c", "\"$@\" & cat; kill $!", "sh"]).args(command);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::mem::forget(keeper.spawn().expect("a shell"));
        let began = Instant::now();
        while !answers(socket) && began.elapsed() < Duration::from_secs(5) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl EvePrinter {
    /// Tries again where the name service of a test before this one was just going away.
    fn start(folder: &Path) -> Self {
        let began = Instant::now();
        loop {
            name_service();
            let mut printer = Self::spawn(folder);
            while !printer.program.has_ended() {
                if std::net::TcpStream::connect(printer.address()).is_ok() {
                    return printer;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
            let log = printer.program.log();
            assert!(began.elapsed() < SOON, "ippeveprinter does not start; does avahi-daemon run?\n{log}");
        }
    }

    fn spawn(folder: &Path) -> Self {
        let port = free_tcp_port();
        let spool = folder.join("paper");
        std::fs::create_dir_all(&spool).expect("a folder");
        let mut command = Command::new("ippeveprinter");
        command
            .args(["-s", "600"]) // pages a minute; the default takes seconds over each
            .args(["-r", "off", "-k", "-v", "-p", &port.to_string(), "-d"])
            .arg(&spool)
            .args(["-f", "application/pdf,image/urf,image/pwg-raster,image/jpeg", &format!("Front {port}")])
            .env("HOME", folder);
        Self { program: Program::start(command, "cups-ipp-utils"), port, spool }
    }

    fn address(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Every document that came out, in no order.
    fn paper(&self) -> Vec<Vec<u8>> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.spool)
            .expect("its folder")
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.extension().is_some_and(|kind| ["pdf", "jpg", "pwg", "urf"].iter().any(|known| kind == *known))
            })
            .collect();
        files.sort();
        files.into_iter().map(|path| std::fs::read(path).expect("its file")).collect()
    }
}

fn jobs(daemon: &Daemon) -> Vec<Value> {
    daemon.cli(&["print", "jobs"])["jobs"].as_array().cloned().expect("a list")
}

fn newest(daemon: &Daemon) -> Value {
    jobs(daemon).into_iter().next().expect("a job")
}

/// Waits until the newest job stands so.
fn wait_for(daemon: &Daemon, state: &str, max: Duration) -> Value {
    daemon.wait_until(&format!("a job that is {state}"), max, || {
        jobs(daemon).into_iter().next().filter(|job| job["state"] == state)
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A daemon whose printer is a simulated one.
fn with_printer(word: &str, behaviour: Behaviour) -> (tokio::runtime::Runtime, Printer, Daemon) {
    let runtime = runtime();
    let printer = runtime.block_on(Printer::start(behaviour));
    let daemon = Daemon::start_with(word, &demo_site(Some(printer.address()), None));
    (runtime, printer, daemon)
}

#[test]
fn the_conformance_test_passes_whole() {
    let folder = Folder::new("print-conformance");
    samples(&folder.0);
    let printer = EvePrinter::start(&folder.0);
    let daemon = Daemon::start_with("print-conformance-box", &demo_site(Some(printer.address()), None));
    let member = Member::new(&daemon, "Mara", "resident");
    daemon.cli(&["print", "credit", &member.id, "100"]);
    let judged = ipptool(&folder.0, &member.uri(&daemon), &["-V", "1.1"], "document-a4.pdf", "ipp-1.1.test");
    let failed: Vec<&str> = judged.text.lines().filter(|line| line.contains("[FAIL]")).collect();
    assert!(judged.success && failed.is_empty(), "{failed:#?}\n{}", judged.text);
    let passed = judged.text.lines().filter(|line| line.contains("[PASS]")).count();
    assert!(passed >= 30, "only {passed} tests ran\n{}", judged.text);
}

#[test]
fn twenty_pages_come_out_whole_and_the_next_job_is_held_until_there_is_credit() {
    let folder = Folder::new("print-quota");
    samples(&folder.0);
    let printer = EvePrinter::start(&folder.0);
    let daemon = Daemon::start_with("print-quota-box", &demo_site(Some(printer.address()), None));
    let member = Member::new(&daemon, "Mara", "flex");
    let uri = member.uri(&daemon);

    print(&folder.0, &uri, "pages-20.pdf");
    let job = wait_for(&daemon, "completed", SOON);
    assert_eq!(job["pages_settled"], 20, "{job}");
    assert!(["counter", "estimate"].iter().any(|by| job["counted_by"] == *by), "{job}");
    eprintln!("20 pages settled by {}", job["counted_by"]);
    let sent = std::fs::read(folder.0.join("pages-20.pdf")).expect("the sample");
    assert_eq!(printer.paper(), [sent], "byte for byte");
    assert_eq!(member.account(&daemon)["settled_pages"], 20);

    let said = print(&folder.0, &uri, "onepage-a4.pdf");
    assert!(
        said.contains("successful-ok") && said.contains("pending-held") && said.contains("account-limit-reached"),
        "{said}"
    );
    let held = wait_for(&daemon, "held", SOON);
    assert_eq!(held["reasons"][0], "account-limit-reached");
    let (code, sentence) =
        daemon.try_cli(&["print", "release", held["id"].as_str().expect("an id")]).expect_err("not paid");
    assert_eq!(code, 1);
    assert!(sentence.contains("0.10 EUR"), "{sentence}");

    daemon.cli(&["print", "credit", &member.id, "1.00"]);
    let job = wait_for(&daemon, "completed", SOON);
    assert_eq!((job["pages_settled"].as_u64(), job["charged_minor"].as_i64()), (Some(1), Some(10)), "{job}");
    assert_eq!(member.account(&daemon)["credit_minor"], 90);
    assert_eq!(printer.paper().len(), 2);
}

#[test]
fn a_suspended_member_prints_nothing_until_resumed() {
    let folder = Folder::new("print-suspended");
    samples(&folder.0);
    let (_runtime, printer, daemon) = with_printer("print-suspended-box", Behaviour::default());
    let member = Member::new(&daemon, "Mara", "day"); // one page a month
    let uri = member.uri(&daemon);
    print(&folder.0, &uri, "pages-20.pdf");
    let held = wait_for(&daemon, "held", SOON);
    let id = held["id"].as_str().expect("an id");
    daemon.cli(&["member", "suspend", &member.id]);
    daemon.cli(&["print", "credit", &member.id, "100"]);
    let (code, sentence) = daemon.try_cli(&["print", "release", id]).expect_err("suspended");
    assert!(code == 1 && sentence.contains("suspended"), "{code} {sentence}");
    let said = print(&folder.0, &uri, "onepage-a4.pdf");
    assert!(said.contains("client-error-forbidden") && said.contains("suspended"), "{said}");
    assert!(printer.jobs().is_empty());
    daemon.cli(&["member", "resume", &member.id]);
    assert_eq!(wait_for(&daemon, "completed", SOON)["pages_settled"], 20);
}

#[test]
fn a_password_is_not_taken_without_tls() {
    let folder = Folder::new("print-plain");
    samples(&folder.0);
    let (_runtime, _printer, daemon) = with_printer("print-plain-box", Behaviour::default());
    let member = Member::new(&daemon, "Mara", "flex");
    let plain = member.uri(&daemon).replace("ipps://", "ipp://");
    let said = print(&folder.0, &plain, "onepage-a4.pdf");
    assert!(!said.contains("successful-ok"), "{said}");
    let shown = ipptool(&folder.0, &plain, &[], "onepage-a4.pdf", "get-printer-attributes.test");
    assert!(shown.text.contains("printer-uri-supported"), "anybody may look: {}", shown.text);
    let wrong = format!("ipps://{}:wrong@{}/ipp/print/front", member.username, daemon.listening.ipp);
    let said = print(&folder.0, &wrong, "onepage-a4.pdf");
    assert!(!said.contains("successful-ok"), "{said}");
    assert!(jobs(&daemon).is_empty());
    let refused =
        daemon.events().into_iter().any(|event| event["code"] == "wrong-key" && event["member"] == member.id.as_str());
    assert!(refused, "the refusal is in the history of the member whose name it was");
}

#[test]
fn a_printer_that_fails_settles_by_the_table() {
    let folder = Folder::new("print-fails");
    samples(&folder.0);
    let (_runtime, printer, daemon) = with_printer("print-fails-box", Behaviour::default());
    let member = Member::new(&daemon, "Mara", "resident");
    let uri = member.uri(&daemon);

    printer.change(|it| it.fault = Fault::AbortAtPage(7));
    print(&folder.0, &uri, "pages-20.pdf");
    let job = wait_for(&daemon, "aborted", SOON);
    assert_eq!((job["pages_settled"].as_u64(), job["counted_by"].as_str()), (Some(7), Some("counter")), "{job}");

    printer.change(|it| it.fault = Fault::AbortAtPage(0));
    print(&folder.0, &uri, "pages-20.pdf");
    let job = daemon.wait_until("a void job", SOON, || Some(newest(&daemon)).filter(|job| job["pages_settled"] == 0));
    assert!(job["state"] == "aborted" && job["counted_by"].is_null(), "{job}");

    printer.change(|it| (it.fault, it.counting) = (Fault::None, Counting::Lies(4_000)));
    print(&folder.0, &uri, "pages-20.pdf");
    let job = wait_for(&daemon, "needs-checking", SOON);
    assert!(job["pages_settled"].is_null(), "{job}");
    assert_eq!(member.account(&daemon)["settled_pages"], 7, "nothing is charged until somebody has checked");
    let id = job["id"].as_str().expect("an id");
    let settled = daemon.cli(&["print", "settle", id, "20"]);
    assert_eq!(
        (settled["pages_settled"].as_u64(), settled["counted_by"].as_str()),
        (Some(20), Some("operator")),
        "{settled}"
    );
    assert_eq!(member.account(&daemon)["settled_pages"], 27);
    assert_eq!(member.account(&daemon)["reserved_pages"], 0);
}

#[test]
fn a_printer_that_dies_with_the_job_needs_checking() {
    let folder = Folder::new("print-dies");
    samples(&folder.0);
    let (_runtime, printer, daemon) = with_printer("print-dies-box", Behaviour::default());
    let member = Member::new(&daemon, "Mara", "resident");
    printer.change(|it| (it.fault, it.page_ms) = (Fault::PowerLossAtPage(5), 20));
    print(&folder.0, &member.uri(&daemon), "pages-20.pdf");
    let job = wait_for(&daemon, "needs-checking", LOST);
    assert!(job["sentence"].as_str().is_some_and(|said| said.contains("printer")), "{job}");
    let account = member.account(&daemon);
    assert_eq!(
        (account["settled_pages"].as_u64(), account["reserved_pages"].as_u64()),
        (Some(0), Some(20)),
        "{account}"
    );
    // The next job finds the printer again when it is back.
    printer.power_on();
    print(&folder.0, &member.uri(&daemon), "onepage-a4.pdf");
    assert_eq!(wait_for(&daemon, "completed", SOON)["pages_settled"], 1);
}

#[test]
fn a_restart_in_the_middle_loses_and_doubles_nothing() {
    let folder = Folder::new("print-restart");
    samples(&folder.0);
    let (_runtime, printer, mut daemon) =
        with_printer("print-restart-box", Behaviour { page_ms: 100, ..Behaviour::default() });
    let member = Member::new(&daemon, "Mara", "resident");
    // While the printer works on it.
    print(&folder.0, &member.uri(&daemon), "pages-20.pdf");
    daemon.wait_until("the press", SOON, || printer.jobs().first().map(|job| job.printed > 3).filter(|&works| works));
    daemon = daemon.kill().start();
    let job = wait_for(&daemon, "completed", SOON);
    assert_eq!((job["pages_settled"].as_u64(), job["counted_by"].as_str()), (Some(20), Some("counter")), "{job}");

    // While it waits for a printer that is away.
    printer.power_off();
    print(&folder.0, &member.uri(&daemon), "onepage-a4.pdf");
    wait_for(&daemon, "pending", SOON);
    daemon = daemon.kill().start();
    printer.power_on();
    assert_eq!(wait_for(&daemon, "completed", Duration::from_secs(60))["pages_settled"], 1);

    // At any moment: twelve jobs, killed six times.
    printer.change(|it| it.page_ms = 1);
    for round in 0..6_u64 {
        print(&folder.0, &member.uri(&daemon), "onepage-a4.pdf");
        print(&folder.0, &member.uri(&daemon), "onepage-letter.pdf");
        std::thread::park_timeout(Duration::from_millis(round * 37));
        daemon = daemon.kill().start();
    }
    let all = daemon.wait_until("all jobs to end", Duration::from_secs(60), || {
        let all = jobs(&daemon);
        let over = |job: &Value| ["completed", "needs-checking", "aborted"].iter().any(|state| job["state"] == *state);
        all.iter().all(over).then_some(all)
    });
    assert_eq!(all.len(), 14, "no accepted job is lost: {all:#?}");
    let settled: u64 = all.iter().filter_map(|job| job["pages_settled"].as_u64()).sum();
    let open: u64 =
        all.iter().filter(|job| job["state"] == "needs-checking").filter_map(|job| job["pages"].as_u64()).sum();
    let account = member.account(&daemon);
    assert_eq!(account["settled_pages"].as_u64(), Some(settled), "{account} {all:#?}");
    assert_eq!(account["reserved_pages"].as_u64(), Some(open), "{account} {all:#?}");
    daemon.cli(&["verify"]);
}

#[test]
fn a_full_disk_refuses_print_jobs_and_nothing_else() {
    let disk = Folder::new("print-full");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m", "tmpfs"]).arg(&disk.0).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: mounting a small disk needs root");
        return;
    }
    let _unmount = Unmount(disk.0.clone());
    let folder = Folder::new("print-full-samples");
    samples(&folder.0);
    let runtime = runtime();
    let printer = runtime.block_on(Printer::start(Behaviour::default()));
    let (site, data) = (disk.0.join("site.yaml"), disk.0.join("data"));
    std::fs::write(&site, demo_site(Some(printer.address()), None)).expect("the site file");
    let daemon = Daemon::launch(&site, &data);
    let member = Member::new(&daemon, "Mara", "resident");
    let uri = member.uri(&daemon);
    std::fs::write(disk.0.join("ballast"), vec![0_u8; 100 << 20]).expect("room for the ballast");

    let said = print(&folder.0, &uri, "onepage-a4.pdf");
    assert!(said.contains("server-error-temporary-error") && said.contains("no room"), "{said}");
    assert!(jobs(&daemon).is_empty());
    let other = Member::new(&daemon, "Noor", "resident"); // commands still find their room
    assert!(!other.id.is_empty());

    std::fs::remove_file(disk.0.join("ballast")).expect("ours");
    print(&folder.0, &uri, "onepage-a4.pdf");
    assert_eq!(wait_for(&daemon, "completed", SOON)["pages_settled"], 1);
    daemon.stop();
}

/// Takes the small disk away again.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn what_is_no_request_gets_no_further() {
    use std::io::Write;
    let (_runtime, _printer, daemon) = with_printer("print-noise-box", Behaviour::default());
    let talk = |bytes: &[u8]| {
        let mut stream = std::net::TcpStream::connect(daemon.listening.ipp).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        stream.write_all(bytes).expect("it reads");
        if !bytes.starts_with(b"GET ") && !bytes.starts_with(b"POST ") {
            let _ = stream.shutdown(std::net::Shutdown::Write); // of noise, nothing is left to come
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // a reset is an answer too
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").contains("405"));
    assert!(talk(b"POST /admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").contains("404"));
    let wrong_kind =
        b"POST /ipp/print/front HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    assert!(talk(wrong_kind).contains("415"));
    // The request on which another implementation's parser panics: a length that points past the end.
    let bomb: &[u8] = &[1, 1, 0, 0x0B, 0, 0, 0, 1, 1, 0x36, 0, 1, b'a', 0, 2, 0xFF, 0xFF, 3];
    let mut request = format!(
        "POST /ipp/print/front HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    request.extend_from_slice(bomb);
    assert!(talk(&request).contains("200"), "answered in IPP");
    talk(&[0x16, 3, 1, 0xFF, 0xFF, 0]);
    talk(&[0; 100]);
    daemon.cli(&["status"]);
}
